"""What would waste a training is refused before it: with what, why and how to mend it."""

from __future__ import annotations

import pytest
from tests.preference.answers import answer

from selfsown.core.errors import CheckFailed, ConfigError, InputError, SelfsownError, TooFewRecords
from selfsown.preference.gates import (
    Floors,
    check_disjoint,
    check_judges_differ,
    check_pairing,
)
from selfsown.preference.pairing import Pairing, by_prompt, make_pairs
from selfsown.preference.pickers import picker_named
from selfsown.preference.records import Prompt, Scored


def round_of(good: int, ties: int = 0, unparsed: int = 0) -> Pairing:
    """Prompts that give a pair, that tie, and whose judgements cannot be read."""
    scored: list[Scored] = []
    for kind, count, values in (
        ("good", good, ((5.0,), (1.0,))),
        ("tie", ties, ((4.0,), (4.0,))),
        ("unparsed", unparsed, ((None,), (None,))),
    ):
        for number in range(count):
            prompt = Prompt(id=f"{kind}{number}", text=f"{kind} {number}?")
            scored += [answer(i, one, prompt=prompt) for i, one in enumerate(values)]
    return make_pairs(by_prompt(scored), picker_named("max_min"))


def complete(error: SelfsownError) -> bool:
    """Whether an error says what, why and how to mend it."""
    return all((error.what, error.why, error.fix))


def test_a_round_within_the_floors_passes_without_a_word() -> None:
    assert check_pairing(round_of(good=4, ties=6, unparsed=2)) == []


@pytest.mark.parametrize(
    ("made", "floor", "words"),
    [
        (round_of(good=7, unparsed=3), "parse_rate", "70% of 20 judgements could be read"),
        (round_of(good=3, ties=7), "tie_rate", "70% of 10 prompts are ties"),
    ],
)
def test_a_missed_floor_warns_or_refuses_as_the_config_says(
    made: Pairing, floor: str, words: str
) -> None:
    warned = check_pairing(made)
    assert [one.floor for one in warned] == [floor]
    assert words in warned[0].what
    with pytest.raises(CheckFailed, match=words) as caught:
        check_pairing(made, Floors(on_breach="refuse"))
    assert complete(caught.value)


def test_a_low_yield_refuses_the_round_beside_what_made_it_low() -> None:
    made = round_of(good=1, ties=19)
    with pytest.raises(CheckFailed, match=r"95% of 20 .*pairs of 20 prompts: 1 \(5%\)") as caught:
        check_pairing(made)
    assert complete(caught.value)
    warned = check_pairing(made, Floors(pair_yield=0.05))
    assert [one.floor for one in warned] == ["tie_rate"]


def test_the_floors_themselves_still_pass() -> None:
    strict = Floors(on_breach="refuse")
    assert check_pairing(round_of(good=8, ties=12), strict) == [], "60 % ties"
    assert check_pairing(round_of(good=8, unparsed=2), strict) == [], "80 % read"
    assert check_pairing(round_of(good=1, ties=9), Floors(tie_rate=1)) == [], "one pair in ten"


def test_a_judge_that_never_parses_is_refused_whatever_the_floors_say() -> None:
    lenient = Floors(parse_rate=0, tie_rate=1, pair_yield=0)
    with pytest.raises(CheckFailed, match="not one of 6 judgements could be read") as caught:
        check_pairing(round_of(good=0, unparsed=3), lenient)
    assert complete(caught.value)


def test_a_judge_that_always_says_the_same_is_refused_by_its_number() -> None:
    with pytest.raises(CheckFailed, match="the judge said 4 in all of 8 judgements") as caught:
        check_pairing(round_of(good=0, ties=4))
    assert complete(caught.value)


@pytest.mark.parametrize("made", [round_of(0), round_of(good=0, ties=2)])
def test_no_pairs_are_an_error_with_the_reasons(made: Pairing) -> None:
    with pytest.raises(TooFewRecords, match="there are no pairs: ") as caught:
        check_pairing(made)
    assert complete(caught.value)
    assert ("equal_rewards 2" if made.dropped else "no prompts") in caught.value.what


def prompts(*texts: str, start: int = 0) -> list[Prompt]:
    return [Prompt(id=f"p{start + i}", text=text) for i, text in enumerate(texts)]


def test_disjoint_prompts_within_the_declared_set_pass() -> None:
    first, second = prompts("a", "b"), prompts("c", start=2)
    check_disjoint({"one": first, "two": second}, [*first, *second, *prompts("d", start=9)])
    check_disjoint({"one": first, "two": second})


@pytest.mark.parametrize(
    ("later", "words"),
    [
        (prompts("x", start=1), "`p1` is in `one` and in `two`"),
        (prompts(" b\n", start=7), "`p7` is in `one` and in `two`"),
    ],
    ids=["same id", "same text but for white space"],
)
def test_a_prompt_that_two_iterations_share_is_an_error(later: list[Prompt], words: str) -> None:
    with pytest.raises(CheckFailed, match=words) as caught:
        check_disjoint({"one": prompts("a", "b"), "two": later})
    assert complete(caught.value)


def test_a_prompt_twice_in_one_iteration_is_an_error() -> None:
    with pytest.raises(CheckFailed, match="`p1` is in `one` and in `one`"):
        check_disjoint({"one": prompts("a", "a")})


def test_the_same_instruction_on_another_input_is_another_prompt() -> None:
    same = "Name the capital."
    check_disjoint(
        {
            "one": [Prompt(id="a", text=same, input="France")],
            "two": [Prompt(id="b", text=same, input="Peru")],
        }
    )


def test_a_prompt_that_nobody_declared_is_an_error() -> None:
    with pytest.raises(CheckFailed, match="`p1` of `one` is not declared"):
        check_disjoint({"one": prompts("a", "b")}, prompts("a"))


def test_the_judge_that_trains_may_evaluate_only_if_the_config_says_so() -> None:
    check_judges_differ("rubric:lab", "oracle")
    check_judges_differ("oracle", "oracle", allow_equal=True)
    with pytest.raises(InputError, match="`oracle` scores the pairs and evaluates"):
        check_judges_differ("oracle", "oracle")


def test_a_floor_that_is_no_rate_is_refused() -> None:
    with pytest.raises(ConfigError, match="`tie_rate` is 60"):
        Floors(tie_rate=60)
