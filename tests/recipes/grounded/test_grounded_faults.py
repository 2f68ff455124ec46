"""Claim: programs alone catch planted faults and let honest items pass; the rates are printed.

The items are written by hand over passages of several fields, in the ways in which models answer:
whole sentences, bare phrases, yes and no, other words for the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import pytest

from selfsown.recipes.grounded.checks import Bounds, Fault, fault_of, turns_around
from selfsown.recipes.grounded.evidence import find_quotation
from selfsown.recipes.grounded.items import Item

PASSAGES: Final = {
    "bees": (
        "A hive of the dark bee holds up to 30,000 workers in June. The queen, who lives for"
        " four or five years, lays about 1,500 eggs a day. Workers that hatch in summer live six"
        " weeks; those of autumn live until spring, since they rear no brood. Varroa mites came"
        " to Europe in the 1970s, and colonies that are not treated die within three winters."
    ),
    "pump": (
        "The service manual of the Orsted P4 pump asks for an oil change every 400 hours."
        " Before the change, close valve B and let the housing cool to 40 °C. Use mineral oil of"
        " class VG 32; synthetic oil dissolves the seals. If the pump is stored for more than a"
        " month, fill the housing to the brim, which keeps out moisture."
    ),
    "treaty": (
        "The treaty of Lunsk was signed on 3 March 1714 by Count Erik Vasa and Princess Maria"
        " of Holm. It gave the islands to Holm, while the crown of Vasa kept the right to fish."
        " Both sides promised to hand over deserters. Neither parliament was asked, and in Holm"
        " the treaty was called the salt peace, for the customs on salt that it ended."
    ),
    "code": (
        "The function `split_rows` returns an iterator and never loads the whole file. With"
        " strict=True it raises RowError at the first row that has too many cells; otherwise"
        " such rows are skipped and counted in `skipped`. The default encoding is UTF-8. Files"
        " that begin with a byte order mark are read as UTF-16."
    ),
}

HONEST: Final = [
    ("bees", "How many workers does a hive of the dark bee hold in June?", "Up to 30,000.",
     "A hive of the dark bee holds up to 30,000 workers in June"),
    ("bees", "How long does a queen of the dark bee live?",
     "A queen lives for four or five years.", "The queen, who lives for four or five years"),
    ("bees", "Why do worker bees of autumn live longer than those of summer?",
     "Because they do not rear any brood.", "live until spring, since they rear no brood"),
    ("bees", "When did varroa mites reach Europe?", "In the 1970s.",
     "Varroa mites came to Europe in the 1970s"),
    ("bees", "What happens to bee colonies with varroa mites that nobody treats?",
     "They die within three winters.", "colonies that are not treated die within three winters"),
    ("bees", "About how many eggs does a queen bee lay per day?", "1500",
     "lays about 1,500 eggs a day"),
    ("bees", "Is six weeks the life of a worker bee that hatches in summer?", "Yes.",
     "Workers that hatch in summer live six weeks"),
    ("pump", "How often does the oil of an Orsted P4 pump have to be changed?",
     "After every 400 hours of operation.", "asks for an oil change every 400 hours"),
    ("pump", "Which oil goes into the Orsted P4 pump?", "Mineral oil of class VG 32.",
     "Use mineral oil of class VG 32"),
    ("pump", "Why must no synthetic oil be used in the Orsted P4 pump?",
     "It would dissolve the seals.", "synthetic oil dissolves the seals"),
    ("pump", "What has to be done with an Orsted P4 pump before its oil is changed?",
     "Close valve B and let the housing cool down to 40 °C.",
     "close valve B and let the housing cool to 40 °C"),
    ("pump", "How is an Orsted P4 pump prepared for storage over several months?",
     "Its housing is filled with oil to the brim to keep out moisture.",
     "fill the housing to the brim, which keeps out moisture"),
    ("pump", "May the housing of an Orsted P4 pump be hot when its oil is changed?",
     "No, it has to cool to 40 °C first.", "let the housing cool to 40 °C"),
    ("treaty", "Who signed the treaty of Lunsk for Holm?", "Princess Maria.",
     "by Count Erik Vasa and Princess Maria of Holm"),
    ("treaty", "On which day was the treaty of Lunsk signed?", "On 3 March 1714.",
     "was signed on 3 March 1714"),
    ("treaty", "What did the crown of Vasa keep under the treaty of Lunsk?",
     "The right to fish.", "the crown of Vasa kept the right to fish"),
    ("treaty", "Under what name was the treaty of Lunsk known in Holm?", "The salt peace.",
     "in Holm the treaty was called the salt peace"),
    ("treaty", "Did a parliament agree to the treaty of Lunsk?",
     "No, neither parliament was asked.", "Neither parliament was asked"),
    ("treaty", "Who received the islands in the treaty of Lunsk?", "Holm received them.",
     "It gave the islands to Holm"),
    ("code", "What does `split_rows` return?", "An iterator.",
     "The function `split_rows` returns an iterator"),
    ("code", "When does `split_rows` raise a RowError?",
     "With strict=True, as soon as a row has too many cells.",
     "With strict=True it raises RowError at the first row that has too many cells"),
    ("code", "How does `split_rows` read a file that begins with a byte order mark?",
     "As UTF-16.", "Files that begin with a byte order mark are read as UTF-16"),
    ("code", "What becomes of rows with too many cells if `split_rows` is not strict?",
     "They are skipped and counted.", "such rows are skipped and counted in `skipped`"),
    ("code", "Can `split_rows` be used on files larger than memory, and why?",
     "Yes, since it never loads the whole file.", "never loads the whole file"),
]  # fmt: skip

LIMITS: Final = [
    ("The function returns an iterator and never loads the whole file",
     "What does split_rows return?", "An iterator."),
    ("its copper nails, not the stone, are what fails first",
     "Which part of a slate roof fails first?", "Its copper nails."),
    ("Brass is soft but does not rust, so it lasts 9 years", "How long does brass last?",
     "9 years, since it is soft."),
    ("Members who have not paid may attend but cannot vote.",
     "What may members who have not paid still do?", "They may attend."),
    ("No dogs are allowed on the beach from May to September",
     "From when until when are dogs forbidden on the beach?", "From May to September."),
    ("The museum is closed on Mondays and does not open before ten.",
     "When does the museum open?", "At ten, but not on Mondays."),
    ("Nobody but the harbour master may raise the flag.", "Who may raise the flag?",
     "Only the harbour master."),
    ("Unlike wool, linen does not stretch when wet.",
     "Which cloth stretches when wet, wool or linen?", "Wool."),
    ("A ticket is not valid without a stamp.", "What makes a ticket valid?", "A stamp."),
    ("The drug must not be given to children under six.", "From which age may the drug be given?",
     "From six years on."),
    ("It was not until 1890 that the bridge was built.", "When was the bridge built?", "In 1890."),
    ("The treaty did not mention the islands, which stayed with Holm.",
     "With whom did the islands stay?", "With Holm."),
]  # fmt: skip
"""Quotation, question, honest answer, where the quotation negates something."""

TURNED: Final = [
    ("The valve is not used in wet boilers.", "Where is it used?", "It is used in wet boilers."),
    ("Synthetic oil dissolves the seals.", "What does synthetic oil do?",
     "Synthetic oil does not dissolve the seals."),
    ("never loads the whole file", "What does split_rows do?", "It loads the whole file."),
    ("colonies that are not treated die within three winters", "Which colonies die soon?",
     "Colonies that are treated die within three winters."),
    ("since they rear no brood", "Why do workers of autumn live long?", "Because they rear brood."),
    ("Neither parliament was asked", "Who was asked about the treaty?",
     "Both parliaments were asked."),
    ("the cache must not be cleared while a job runs", "When must the cache be cleared?",
     "The cache must be cleared while a job runs."),
    ("Orders below 50 euros are not refunded", "Which orders are refunded?",
     "Orders below 50 euros are refunded."),
    ("Guests may bring dogs", "May guests bring dogs to the inn?", "Guests may not bring dogs."),
]  # fmt: skip

Case = tuple[str, str, str, str]


def raised_number(case: Case) -> Case | None:
    place, question, answer, quote = case
    changed = re.sub(r"\d+", lambda found: str(int(found[0]) + 7), answer, count=1)
    return (place, question, changed, quote) if changed != answer else None


def other_name(case: Case) -> Case | None:
    place, question, answer, quote = case
    return place, question, f"Ingrid Sorensen of Malmo. {answer}", quote


def invented(case: Case) -> Case | None:
    place, question, _, quote = case
    return place, question, "Nobody has yet explained this curious custom well.", quote


def reworded_quote(case: Case) -> Case | None:
    place, question, answer, quote = case
    words = quote.split()
    words[1], words[2] = words[2], words[1]
    return place, question, answer, " ".join(words)


def quote_with_a_gap(case: Case) -> Case | None:
    place, question, answer, quote = case
    words = quote.split()
    return place, question, answer, f"{words[0]} ... {' '.join(words[-2:])}"


def answer_in_question(case: Case) -> Case | None:
    place, question, answer, quote = case
    if answer.startswith(("Yes", "No")):
        return None
    bare = answer.rstrip(".")
    return place, f"{question[:-1]}, and is it true that it is {bare}?", answer, quote


def pointing(case: Case) -> Case | None:
    place, question, answer, quote = case
    return place, f"According to the text, {question[0].lower()}{question[1:]}", answer, quote


FAULTS: Final[dict[Callable[[Case], Case | None], str]] = {
    raised_number: "number_not_in_evidence",
    other_name: "name_not_in_evidence",
    invented: "not_grounded",
    reworded_quote: "evidence_not_found",
    quote_with_a_gap: "evidence_not_found",
    answer_in_question: "leaks_answer",
    pointing: "not_self_contained",
}


def judged(case: Case) -> Fault | None:
    place, question, answer, quote = case
    passage = PASSAGES[place]
    span = find_quotation(passage, quote)
    return fault_of(Item(question, "", answer, quote), "question", span, passage, Bounds(3, 0.5))


def test_honest_items_pass(capsys: pytest.CaptureFixture[str]) -> None:
    alarms = {case[1]: fault for case in HONEST if (fault := judged(case))}
    with capsys.disabled():
        print(f"\nfalse alarms: {len(alarms)} of {len(HONEST)} honest items")
    assert len(alarms) <= 0.05 * len(HONEST), alarms


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_planted_faults_are_caught(
    fault: Callable[[Case], Case | None], capsys: pytest.CaptureFixture[str]
) -> None:
    planted = [changed for case in HONEST if (changed := fault(case))]
    found = [judged(case) for case in planted]
    named = [one.reason == FAULTS[fault] for one in found if one is not None]
    with capsys.disabled():
        print(f"\n{fault.__name__}: {len(named)} of {len(planted)} caught, {sum(named)} by name")
    assert len(planted) >= 8
    missed = [case for case, one in zip(planted, found, strict=True) if one is None]
    assert len(named) >= 0.95 * len(planted), missed
    assert sum(named) >= 0.8 * len(planted)


def test_lost_and_added_negations_are_caught_and_honest_answers_beside_one_are_not() -> None:
    for quote, question, answer in LIMITS:
        assert not turns_around(Item(question, "", answer, quote), quote), answer
    for quote, question, answer in TURNED:
        assert turns_around(Item(question, "", answer, quote), quote), answer
