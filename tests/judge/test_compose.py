"""Claim: checks that are composed can be met by one answer, and the scores count what they should.

The proof is by construction: `written` builds an answer to any composition.
"""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfsown.core.errors import ConfigError
from selfsown.core.request import JSON
from selfsown.curate.language import _FUNCTION_WORDS, _LANGUAGE_OF_SCRIPT
from selfsown.judge.base import Asker, Item
from selfsown.judge.verifiable import Verifiable
from selfsown.judge.verifiers.check import Check
from selfsown.judge.verifiers.compose import asked, compatible, compose, conflict
from selfsown.judge.verifiers.kinds import KINDS, check_from, row_of
from selfsown.judge.verifiers.scores import Tally, all_met, four_numbers, loose, strict

NOBODY: Asker = None  # type: ignore[assignment]  # programs ask nothing
PROMPT = "Name a river, please."
FILLER = ("the", "of", "and", "is", "in", "was", "for", "with", "by")
LETTERS_OF_SCRIPT = {
    "CYRILLIC": "\u0440\u0435\u043a\u0430", "GREEK": "\u03bf\u03bd", "HEBREW": "\u05e0\u05d4\u05e8",
    "ARABIC": "\u0646\u0647\u0631", "DEVANAGARI": "\u0928\u0926", "BENGALI": "\u09a8\u09a6",
    "TAMIL": "\u0b86\u0bb1", "TELUGU": "\u0c28\u0c26", "THAI": "\u0e19\u0e49\u0e33",
    "HANGUL": "\uac15", "HIRAGANA": "\u304b\u308f", "CJK": "\u6cb3", "GEORGIAN": "\u10db\u10d3",
    "ARMENIAN": "\u0563\u0565",
}  # fmt: skip


def written(checks: tuple[Check, ...]) -> str:
    """An answer that meets all of the checks, or would if they could be met at once."""
    by: dict[str, Any] = {check.kind.partition(":")[2]: check for check in checks}
    words = filler(by)
    text = " ".join(inline(by, words))
    if "json_format" in by:
        return f'["{text}"]'
    text = in_form(by, text, words)
    if "repeat_prompt" in by:
        text = f"{PROMPT}\n{text}"
    if "postscript" in by:
        text = f"{text}\n{by['postscript'].marker} {words[0]}"
    if "end_checker" in by:
        text = f"{text} {by['end_checker'].phrase}"
    if "english_capital" in by:
        text = text.upper()
    if "english_lowercase" in by:
        text = text.lower()
    return f'"{text}"' if "quotation" in by else text


def filler(by: dict[str, Any]) -> list[str]:
    """Function words of the language that are allowed."""
    language = by["response_language"].language if "response_language" in by else "en"
    if language != "en":
        script = {code: name for name, code in _LANGUAGE_OF_SCRIPT.items() if name != "KATAKANA"}
        latin = sorted(_FUNCTION_WORDS.get(language, "").split(), key=len)
        return latin[-4:] or [LETTERS_OF_SCRIPT[script[language]]]
    letter = by["letter_frequency"].letter if "letter_frequency" in by else ""
    return [word for word in FILLER if not letter or letter not in word]


def inline(by: dict[str, Any], words: list[str]) -> list[str]:
    """Words that meet what is counted in words, letters, brackets and asterisks."""
    found = words * 2
    if "letter_frequency" in by and by["letter_frequency"].relation == "at least":
        found.append(by["letter_frequency"].letter * by["letter_frequency"].count)
    if "letter_frequency" in by and by["letter_frequency"].relation == "less than":
        found = found[:2]
    if "existence" in by:
        found += by["existence"].keywords
    if "frequency" in by and by["frequency"].relation == "at least":
        found += [by["frequency"].keyword] * by["frequency"].count
    if "capital_word_frequency" in by and by["capital_word_frequency"].relation == "at least":
        found += ["XX"] * by["capital_word_frequency"].count
    if "number_placeholders" in by:
        found += [f"[{words[0]}]"] * by["number_placeholders"].count
    if "number_highlighted_sections" in by:
        found += [f"*{words[0]}*"] * by["number_highlighted_sections"].count
    if "number_words" in by and by["number_words"].relation == "at least":
        found += [words[0]] * by["number_words"].count
    if "number_sentences" in by and by["number_sentences"].relation == "at least":
        found += [f"{words[0]}."] * by["number_sentences"].count
    return found


def in_form(by: dict[str, Any], text: str, words: list[str]) -> str:
    """The text with title, bullets, sections and paragraphs."""
    if "constrained_response" in by:
        text += ".\nMy answer is maybe."
    if "number_bullet_lists" in by:
        text += f"\n- {words[0]}" * by["number_bullet_lists"].count
    if "title" in by:
        text = f"<<{words[0]}>>\n{text}"
    if "multiple_sections" in by:
        name, count = by["multiple_sections"].name, by["multiple_sections"].count
        text = "\n".join([text, *(f"{name} {i + 1}\n{words[0]}" for i in range(count))])
    if "number_paragraphs" in by:
        text += f"\n***\n{words[0]}" * (by["number_paragraphs"].count - 1)
    if "nth_paragraph_first_word" in by:
        check = by["nth_paragraph_first_word"]
        parts = [words[0]] * check.count
        parts[check.nth - 1] = check.word
        text = "\n\n".join([*parts[:-1], f"{parts[-1]} {text}"])
    return f"{text}\n******\n{words[0]}" if "two_responses" in by else text


@settings(max_examples=400, deadline=None)
@given(seed=st.integers(0, 2**32), n=st.integers(1, 5))
def test_every_composition_can_be_met_and_loose_accepts_what_strict_accepts(
    seed: int, n: int
) -> None:
    checks = compose(Random(seed), n, prompt=PROMPT)
    assert len({check.kind for check in checks}) == n
    answer = written(checks)
    assert strict(checks, answer) == (True,) * n, (checks, answer)
    assert loose(checks, answer) == (True,) * n


@settings(max_examples=300, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    answer=st.text(alphabet='abAB the.,!\n\t*-[]<>"{}1#$\u4e00', max_size=80),
)
def test_loose_is_never_harder_than_strict_on_any_text(seed: int, answer: str) -> None:
    rng = Random(seed)
    check = KINDS[rng.choice(list(KINDS))].draw(rng, PROMPT)
    if check.holds(answer):
        assert check.holds_loosely(answer)
    if check.holds(answer) is None:
        assert check.holds_loosely(answer) is not False


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_built_for_a_check_passes_it(kind: str) -> None:
    for seed in range(60):
        check = KINDS[kind].draw(Random(seed), PROMPT)
        assert check.holds(written((check,))), (check, written((check,)))


def test_compositions_are_a_function_of_their_seed_and_reach_every_kind() -> None:
    assert compose(Random(3), 3, prompt=PROMPT) == compose(Random(3), 3, prompt=PROMPT)
    seen = {check.kind for seed in range(300) for check in compose(Random(seed), 2, prompt=PROMPT)}
    assert seen == set(KINDS)


async def test_a_composed_task_is_a_row_whose_reward_is_free() -> None:
    checks = compose(Random(5), 3, prompt=PROMPT)
    row: dict[str, JSON] = {"checks": [row_of(check) for check in checks]}
    task = asked(PROMPT, checks)
    assert all(check.sentence in task.split("\n") for check in checks)
    judge = Verifiable(value="all")
    for answer, reward in [(written(checks), 1.0), ("", 0.0)]:
        found = await judge.judge(NOBODY, Item(prompt=task, answer=answer, metadata=row))
        assert found.value == reward


def test_conflicts_hold_both_ways_and_json_goes_with_little() -> None:
    for one in KINDS:
        assert conflict(one, one)
        for other in KINDS:
            assert conflict(one, other) == conflict(other, one)
    with_json = {kind for kind in KINDS if not conflict("detectable_format:json_format", kind)}
    assert len(with_json) == 5
    assert conflict("language:response_language", "change_case:english_capital")


def test_what_one_check_requires_another_may_not_forbid() -> None:
    end = check_from({"kind": "startend:end_checker", "phrase": "All told, that is it."})
    comma = check_from({"kind": "punctuation:no_comma"})
    word = check_from({"kind": "keywords:forbidden_words", "words": ["told", "so"]})
    assert compatible([comma, word])
    assert not compatible([end, comma])
    assert not compatible([word, end])
    assert not compatible([end, end])
    choice = check_from({"kind": "detectable_format:constrained_response"})
    no_answer = check_from({"kind": "keywords:forbidden_words", "words": ["answer"]})
    assert compatible([choice, word])
    assert not compatible([choice, no_answer])


def test_kinds_can_be_held_out_and_the_prompt_is_only_repeated_where_there_is_one() -> None:
    allowed = ("punctuation:no_comma", "detectable_format:title", "combination:repeat_prompt")
    assert {check.kind for check in compose(Random(0), 2, kinds=allowed)} == set(allowed[:2])
    assert len(compose(Random(0), 3, prompt="Name one.", kinds=allowed)) == 3
    with pytest.raises(ConfigError, match="no 3 checks of 2 kinds go together"):
        compose(Random(0), 3, prompt=" ", kinds=allowed)
    with pytest.raises(ConfigError, match="unknown"):
        compose(Random(0), 1, kinds=("no:such",))
    with pytest.raises(ConfigError, match="`n` is 0"):
        compose(Random(0), 0)


def test_the_four_numbers_count_prompts_and_checks_and_leave_the_undecided_out() -> None:
    comma = check_from({"kind": "punctuation:no_comma"})
    title = check_from({"kind": "detectable_format:title"})
    german = check_from({"kind": "language:response_language", "language": "de"})
    found = four_numbers(
        [
            ((comma, title), "<<A>>"),  # both
            ((comma, title), "Sure, here:\n<<A>>"),  # loosely both, strictly the title
            ((comma, german), "Hm"),  # no comma; which language, nobody knows
            ((comma, german), "Hm, hm"),  # a comma, so the prompt is missed however it is
        ]
    )
    assert found.prompt_strict == Tally(met=1, decided=3, undecided=1)
    assert found.instruction_strict == Tally(met=4, decided=6, undecided=2)
    assert found.prompt_loose == Tally(met=2, decided=3, undecided=1)
    assert found.instruction_loose == Tally(met=5, decided=6, undecided=2)
    assert found.instruction_strict.rate == 4 / 6
    assert Tally(0, 0, 2).rate is None
    assert four_numbers([]).prompt_strict == Tally(0, 0, 0)


def test_all_met_needs_every_verdict() -> None:
    assert all_met((True, True)) is True
    assert all_met((True, None)) is None
    assert all_met((False, None)) is False
