"""Claim: each of the 25 kinds passes and fails what its definition says, strictly and loosely.

The texts are ours. A case is a row of a check with answers that hold strictly, answers that hold
only loosely, answers that fail both ways, and answers that are undecided both ways.
"""

from __future__ import annotations

from random import Random
from typing import NamedTuple

import pytest

from selfsown.core.errors import ConfigError
from selfsown.curate.language import language
from selfsown.judge.verifiers.check import variants
from selfsown.judge.verifiers.kinds import KINDS, check_from, checks_from, row_of
from selfsown.judge.verifiers.vocabulary import LANGUAGE_NAMES


class Golden(NamedTuple):
    kind: str
    parameters: dict[str, object]
    holds: list[str]
    loosely: list[str]
    fails: list[str]
    undecided: tuple[str, ...] = ()


RIVER = "The river is wide and the water is cold, but it is good to swim in."
FLUSS = "Der Fluss ist breit und das Wasser ist kalt, aber man kann in ihm schwimmen."
GOLDEN = [
    Golden(
        "keywords:existence",
        {"keywords": ["c++", " River "]},
        ["By the river we wrote C++ code.", "RIVERSIDE c++"],
        ["By the riv*er* we wrote C++."],
        ["By the river we wrote ccc.", "We wrote c++.", "", "  \n"],
    ),
    Golden(
        "keywords:frequency",
        {"keyword": "a.b", "relation": "at least", "count": 2},
        ["A.B and a.b", "xa.ba.b"],
        ["a.b and a*.b"],
        ["a.b and a-b", "axb axb"],
    ),
    Golden(
        "keywords:frequency",
        {"keyword": "plan", "relation": "less than", "count": 2},
        ["One plan.", "None."],
        ["A plan:\nThe plan is short.", "No plan.\nAny plan?"],
        ["Plan the plan to plan.", "plan plan\nplan plan\nplan plan"],
    ),
    Golden(
        "keywords:forbidden_words",
        {"words": ["can", "c++"]},
        ["Canals run to Africa.", "We use c+ only."],
        ["Sure, I can!\nHere are the canals.", "The canals.\nCan I do more?"],
        ["You CAN, you know.", "We use C++.", ""],
    ),
    Golden(
        "keywords:letter_frequency",
        {"letter": "Z", "relation": "at least", "count": 3},
        ["Zigzag and a zoo."],
        [],
        ["A zoo.", "zz"],
    ),
    Golden(
        "keywords:letter_frequency",
        {"letter": "*", "relation": "less than", "count": 1},
        ["No star."],
        ["One * star."],
        [""],
    ),
    Golden(
        "language:response_language",
        {"language": "de"},
        [FLUSS, f'"{FLUSS}"', f"\u201c{FLUSS}\u201d"],
        [f"{RIVER} {RIVER}\n{FLUSS}"],
        [RIVER, "\u0420\u0435\u043a\u0430 \u0448\u0438\u0440\u043e\u043a\u0430.", ""],
        ("Hm!", "1 + 1 = 2", "`der und das`"),
    ),
    Golden(
        "length_constraints:number_sentences",
        {"relation": "at least", "count": 3},
        [
            "Dr. Gray came at 3.15 p.m. yesterday. Who saw him? Nobody!",
            "* Apples\n* Pears\n* Plums",
            "A title\n\nA line.\n\nAnother line",
            "So do I. You do. We do.",
            "\u4f60\u597d\u3002\u6211\u5f88\u597d\u3002\u518d\u89c1\uff01",
        ],
        [],
        ["Mr. A. Gray met Mrs. Brown, e.g. in St. Ives.", "One. Two.", "... !!! ???"],
    ),
    Golden(
        "length_constraints:number_sentences",
        {"relation": "less than", "count": 3},
        ["One. Two (etc.) and so on.", "Is it 2.5 or 3.5?"],
        ["Sure! Gladly!\nIt is so.", "It is so.\nAnything else? Just ask."],
        ["One. Two. Three.", "1. One\n2. Two\n3. Three\n4. Four\n5. Five"],
    ),
    Golden(
        "length_constraints:number_paragraphs",
        {"count": 2},
        ["One.\n\n***\n\nTwo.", "One. *** Two.", "***\nOne.\n***\nTwo.\n***"],
        ["Here you are:\n***\nOne.\n***\nTwo."],
        ["One.\n\nTwo.", "One.\n***\n***\nTwo.", "***One*** Two.", "One.\n******\nTwo."],
    ),
    Golden(
        "length_constraints:number_words",
        {"relation": "at least", "count": 5},
        ["One two three four five", "Don't stop me now", "one-two-three-four-five"],
        [],
        ["One two three four.", "... ! ?"],
    ),
    Golden(
        "length_constraints:number_words",
        {"relation": "less than", "count": 5},
        ["One two three four."],
        ["Of course!\nOne two three four", "One two three four.\nYou are most welcome."],
        ["One two three four five.", ""],
    ),
    Golden(
        "length_constraints:nth_paragraph_first_word",
        {"count": 2, "nth": 2, "word": "now"},
        ["One.\n\nNow, two.", "One,\nstill one.\n \n\n\u201cNOW!\u201d she said.", 'One.\n\n"now"'],
        ["One.\n\n**Now** two.", "One.\n\nNow.\n\nThree."],
        ["Now one.\n\nTwo.", "One.\n\nNowhere.", "One.\n\nNow.\n\nA.\n\nB.", "One.\nNow two."],
    ),
    Golden(
        "detectable_content:number_placeholders",
        {"count": 2},
        ["Dear [name], meet me in [place]."],
        [],
        ["Dear [name].", "Dear [name], [ ], see [].", "See [this](https://x.example) and [name]."],
    ),
    Golden(
        "detectable_content:postscript",
        {},
        ["Bye.\nP.S. Write!", "Bye.\n\n  p. s. write", "Bye.\nP.S: write", "P.S. Write"],
        ["Bye.\n**P.S.** Write!"],
        ["Bye.", "Bye. P.S. Write!", "Bye.\nP.S.", "Bye.\nP.P.S. Write!", "Bye.\nPS Write!"],
    ),
    Golden(
        "detectable_content:postscript",
        {"marker": "P.P.S"},
        ["Bye.\nP.P.S. Write!", "Bye.\nP.P.S Write!"],
        ["Bye.\n*P.P.S* Write!"],
        ["Bye.\nP.S. Write!", "Bye.\nP.P.SX Write!"],
    ),
    Golden(
        "detectable_format:number_bullet_lists",
        {"count": 2},
        [
            "* one\n* two",
            "Fruit:\n\n  - apples\n  - pears",
            "\u2022 one\n\n\u2022 two",
            "- one\n- two\n\n---\n* * *\n***",
            "- one\n- two\n\nGoodbye,\n- Ada Lovelace",
            "- one\n- two\n\nThat is all.\n  \n- Ada",
            "- one\n- two\n\nGoodbye, \n- Ada",
            "Capitals:\n- Rome\n- Paris",
            "Capitals,\n\n- Rome, Italy\n- Paris, France",
            "- one,\n- Rome",
            "- Rome\n\n- Paris",
        ],
        ["* Here you are\n- one\n- two", "- one\n- two\n- Shall I go on?"],
        ["*one*\n*two*", "- one", "-one\n-two", "1. one\n2. two", "--\n-- two", "- \n- "],
    ),
    Golden("detectable_format:number_bullet_lists", {"count": 1}, ["- Rome"], [], ["Rome"]),
    Golden(
        "length_constraints:number_sentences",
        {"relation": "at least", "count": 2},
        ["It ended at 5 P.M. Then we left."],
        [],
        ["Mr. A. Gray met Mrs. Brown.", "It ended at 5 P.M. as usual."],
    ),
    Golden(
        "detectable_format:constrained_response",
        {},
        ["My answer is yes.", "Hard to say. My answer is maybe. So be it."],
        ["**My answer** is no."],
        ["my answer is yes.", "Yes.", "My answer is yes. My answer is no.", ""],
    ),
    Golden(
        "detectable_format:constrained_response",
        {"options": ["It is true", "It is true in part"]},
        ["It is true.", "It is true in part."],
        ["It *is* true."],
        ["It is false."],
    ),
    Golden(
        "detectable_format:number_highlighted_sections",
        {"count": 2},
        ["*One* and **two words** here.", "***One***, *two*", "* item *one*\n* item *two*"],
        [],
        ["*One* here.", "2 * 3 * 4 * 5", "* one\n* two\n* three", "** ** and *  *", "2*3*4*5*6"],
    ),
    Golden(
        "detectable_format:multiple_sections",
        {"name": "SECTION", "count": 2},
        ["SECTION 1\nOne.\nSECTION 2\nTwo.", "# SECTION 1: one\n# SECTION2: two"],
        ["SEC*TION 1\nOne.\nSECTION 2\nTwo."],
        ["SECTION 1\nAs SECTION 01 says.", "Section 1\nSection 2", "SUBSECTION 1 SUBSECTION 2"],
    ),
    Golden(
        "detectable_format:json_format",
        {},
        ['{"a": [1, null]}', '```json\n{"a": 1}\n```', '```\n["x"]```', "```true```", "[1e5]"],
        ['Here you are:\n{"a": 1}', '{"a": 1}\nGlad to help!', 'So:\n```json\n{"a": 1}\n```'],
        ["{'a': 1}", '{"a": 1', "NaN", '{"a": 1} {"b": 2}', "Text.", '[[{"a": 1}, ]]'],
    ),
    Golden(
        "detectable_format:title",
        {},
        ["<<On Rivers>>\nThey flow.", "They flow. << Rivers >>"],
        ["<*<On Rivers>>"],
        ["<On Rivers>", "<<>>", "<<  >>", "<<On\nRivers>>", "On Rivers"],
    ),
    Golden(
        "combination:two_responses",
        {},
        ["Tea.\n******\nCoffee.", "******\nTea.\n******\nCoffee.", "Tea. ****** Coffee."],
        ["Two drinks:\n******\nTea.\n******\nCoffee."],
        ["Tea.", "Tea.\n******\n Tea.", "A.\n******\n******\nB.", "A.\n***\nB.", "A.******B."],
    ),
    Golden(
        "combination:repeat_prompt",
        {"prompt": " Name a river.\n"},
        ["Name a river. The Rhine.", "  name a RIVER.\nThe Rhine."],
        ["Gladly!\nName a river. The Rhine.", "**Name a river.** The Rhine."],
        ["The Rhine. Name a river.", "Name a river: the Rhine."],
    ),
    Golden(
        "startend:end_checker",
        {"phrase": "That is all."},
        ["Yes. That is all.", 'Yes. THAT IS ALL."\n', 'Yes. "That is all."'],
        ["Yes. That is all.\nDo ask again.", "Yes. **That is all.**"],
        ["That is all. Yes.", "That is all!"],
    ),
    Golden(
        "startend:quotation",
        {},
        ['"Yes."', ' "Yes."\n'],
        ['Here it is:\n"Yes."', '**"Yes."**'],
        ['Yes. "No."', "'Yes.'", '"', '""', '"Yes.'],
    ),
    Golden(
        "change_case:capital_word_frequency",
        {"relation": "at least", "count": 3},
        ["I saw the BIG DOG.", "A WELL-KNOWN GPT-4", "DON'T go TO I"],
        [],
        ["WELL-KNOWN dogs BARK", "1 2 3 4", "Big Dog Barks"],
    ),
    Golden(
        "change_case:capital_word_frequency",
        {"relation": "less than", "count": 2},
        ["The dog saw ONE cat.", "No 1 is here."],
        ["OK SURE\nHere is ONE."],
        ["ONE AND ALL", ""],
    ),
    Golden(
        "change_case:english_capital",
        {},
        [RIVER.upper(), f'"{RIVER.upper()}"'],
        [f"Sure, here it is:\n{RIVER.upper()}"],
        [RIVER, FLUSS.upper(), "123"],
        ("ZZZ!", "RIVER"),
    ),
    Golden(
        "change_case:english_lowercase",
        {},
        [RIVER.lower(), f"\u201c{RIVER.lower()}\u201d"],
        [f"Sure, here it is:\n{RIVER.lower()}", f"{RIVER.lower()}\nGood luck!"],
        [RIVER, FLUSS.lower(), "123"],
        ("zzz!", "river"),
    ),
    Golden(
        "punctuation:no_comma",
        {},
        ["One and two."],
        ["Sure, gladly.\nOne and two.", "One and two.\nSo, more?"],
        ["One, two.", "1,000", "\u4e00\uff0c\u4e8c", "\u0648\u060c\u0648", ""],
    ),
]
IDS = [f"{one.kind.partition(':')[2]}-{i}" for i, one in enumerate(GOLDEN)]


def row(golden: Golden) -> dict[str, object]:
    return {"kind": golden.kind, **golden.parameters}


@pytest.mark.parametrize("golden", GOLDEN, ids=IDS)
def test_verdicts_are_as_defined(golden: Golden) -> None:
    check = check_from(row(golden))  # type: ignore[arg-type]
    found = {
        text: (check.holds(text), check.holds_loosely(text))
        for texts in golden[2:]
        for text in texts
    }
    wanted = {
        **dict.fromkeys(golden.holds, (True, True)),
        **dict.fromkeys(golden.loosely, (False, True)),
        **dict.fromkeys(golden.fails, (False, False)),
        **dict.fromkeys(golden.undecided, (None, None)),
    }
    assert found == wanted


def test_there_are_25_kinds_in_9_groups_and_each_has_golden_answers() -> None:
    assert len(KINDS) == 25
    assert len({kind.partition(":")[0] for kind in KINDS}) == 9
    assert {golden.kind for golden in GOLDEN} == set(KINDS)
    assert all(golden.holds and golden.fails for golden in GOLDEN)
    can_be_loose = {golden.kind for golden in GOLDEN if golden.loosely}
    assert set(KINDS) - can_be_loose == {
        "detectable_content:number_placeholders",  # a variant never has more of anything
        "detectable_format:number_highlighted_sections",
    }


def test_the_eight_variants_begin_with_the_answer_itself() -> None:
    found = list(variants("Hi!\n*one*\ntwo"))
    assert found == [
        *("Hi!\n*one*\ntwo", "*one*\ntwo", "Hi!\n*one*", "*one*"),
        *("Hi!\none\ntwo", "one\ntwo", "Hi!\none", "one"),
    ]
    assert list(variants("\n\nHi!\none\n"))[1:4] == ["one", "Hi!", ""]


@pytest.mark.parametrize("kind", KINDS)
def test_a_drawn_check_survives_its_row_and_says_what_it_wants(kind: str) -> None:
    for seed in range(40):
        check = KINDS[kind].draw(Random(seed), "Name a river.")
        assert check_from(row_of(check)) == check
        assert check.sentence[0].isupper()
        assert all(str(value) in check.sentence or value == 1 for value in counts(check))


def counts(check: object) -> list[int]:
    found = [getattr(check, name, None) for name in ("count", "nth")]
    return [value for value in found if value is not None]


def test_every_language_that_can_be_asked_for_can_be_told() -> None:
    for code in LANGUAGE_NAMES:
        assert language(allowed=[code]).options == {"allowed": [code]}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"kind": "keywords:existense", "keywords": ["a"]}, "did you mean `keywords:existence`"),
        ({"keywords": ["a"]}, "is no check"),
        ("punctuation:no_comma", "is no check"),
        ({"kind": "keywords:existence"}, "lacks its option `keywords`"),
        ({"kind": "keywords:existence", "keywords": "ab"}, "`keywords` is `ab`"),
        ({"kind": "keywords:existence", "keywords": []}, "`keywords` is"),
        ({"kind": "keywords:existence", "keywords": [" "]}, "`keywords` is"),
        ({"kind": "punctuation:no_comma", "count": 2}, "has no option `count`"),
        ({"kind": "detectable_format:number_bullet_lists", "count": "2"}, "valid integer"),
        ({"kind": "detectable_format:number_bullet_lists", "count": True}, "valid integer"),
        ({"kind": "detectable_format:number_bullet_lists", "count": 0}, "`count` is 0"),
        (
            {"kind": "length_constraints:number_words", "relation": "more", "count": 2},
            "'less than' or 'at least'",
        ),
        (
            {"kind": "length_constraints:number_words", "relation": "less than", "count": 1},
            "2 or more",
        ),
        (
            {
                "kind": "keywords:letter_frequency",
                "letter": "ab",
                "relation": "at least",
                "count": 1,
            },
            "one visible character",
        ),
        (
            {
                "kind": "length_constraints:nth_paragraph_first_word",
                **{"count": 2, "nth": 3, "word": "now"},
            },
            "`nth` is 3",
        ),
        ({"kind": "language:response_language", "language": "xx"}, "`language` is `xx`"),
        ({"kind": "detectable_format:constrained_response", "options": ["a", "a"]}, "`options`"),
        (
            {"kind": "detectable_format:multiple_sections", "name": " ", "count": 1},
            "`name` is",
        ),
        ({"kind": "detectable_format:constrained_response", "options": ["a", "a "]}, "`options`"),
        ({"kind": "combination:repeat_prompt", "prompt": " "}, "`prompt` is blank"),
        ({"kind": "startend:end_checker", "phrase": '""'}, "`phrase` is blank"),
        ({"kind": "detectable_content:postscript", "marker": ".."}, "`marker` is"),
    ],
)
def test_a_row_that_is_no_check_is_refused_with_its_reason(wrong: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message.replace("(", r"\(")):
        check_from(wrong)  # type: ignore[arg-type]


def test_checks_stand_in_a_list() -> None:
    assert checks_from([{"kind": "punctuation:no_comma"}])[0].kind == "punctuation:no_comma"
    assert checks_from([]) == ()
    with pytest.raises(ConfigError, match="no list of checks"):
        checks_from({"kind": "punctuation:no_comma"})
