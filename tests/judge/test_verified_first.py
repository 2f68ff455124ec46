"""Claim: where checks decide, no model is asked; elsewhere the model has the last word."""

from __future__ import annotations

import pytest
from tests.judge.asking import Model

from selfsown.core.errors import ConfigError
from selfsown.core.request import JSON
from selfsown.judge.base import Item, Judgement, Scale
from selfsown.judge.registry import judge_named

CHECKS: list[JSON] = [
    {"kind": "punctuation:no_comma"},
    {"kind": "language:response_language", "language": "en"},
]
GOOD = "This is the answer to it."
BAD = "This, in short, is the answer to it."


async def judged(
    model: Model, answer: str, rival: str | None = None, checks: list[JSON] | None = None
) -> Judgement:
    then: dict[str, JSON] = {"rubric": {"samples": 2}} if rival is None else {"pairwise": {}}
    item = Item(
        prompt="Say it.",
        answer=answer,
        rival=rival,
        metadata={"checks": CHECKS if checks is None else checks},
    )
    return await judge_named("verified_first", {"then": then}).judge(model, item)


async def test_an_answer_that_breaks_a_check_has_the_lowest_score_without_a_call() -> None:
    model = Model(lambda *_: "Score: 5")
    found = await judged(model, BAD)
    assert (found.value, found.source, model.asked) == (0.0, "verifier", [])
    assert found.scale == Scale(0.0, 5.0)
    assert found.reason == "the answer: not met: punctuation:no_comma"


@pytest.mark.parametrize(
    ("answer", "checks"), [(GOOD, CHECKS), ("Hm!", CHECKS), (BAD, [])], ids=["met", "open", "none"]
)
async def test_what_checks_leave_open_is_the_judges(answer: str, checks: list[JSON]) -> None:
    model = Model(lambda *_: "Score: 4")
    found = await judged(model, answer, checks=checks)
    assert (found.value, found.source, len(model.asked)) == (4.0, "judge", 2)


async def test_of_a_pair_the_one_that_meets_all_checks_wins_without_a_call() -> None:
    model = Model(lambda *_: "Verdict: A")
    won, lost = await judged(model, GOOD, BAD), await judged(model, BAD, GOOD)
    assert (won.value, lost.value, model.asked) == (1.0, 0.0, [])
    assert won.reason == "the rival: not met: punctuation:no_comma"
    assert lost.reason == "the answer: not met: punctuation:no_comma"


@pytest.mark.parametrize(
    ("answer", "rival"), [(GOOD, "It is so for us."), (BAD, "So, so."), ("Hm", BAD)]
)
async def test_a_pair_that_checks_do_not_tell_apart_is_compared(answer: str, rival: str) -> None:
    model = Model(lambda *_: "Verdict: A")
    found = await judged(model, answer, rival)
    assert (found.value, found.source, len(model.asked)) == (0.5, "judge", 2)


def test_it_is_described_with_the_options_of_the_judge_behind_it() -> None:
    judge = judge_named("verified_first", {"then": {"rubric": {"samples": 2}}})
    assert judge.roles == ("judge",)
    then = judge.options["then"]
    assert isinstance(then, dict)
    assert then["rubric"]["samples"] == 2
    assert then["rubric"]["max_tokens"] == 512


@pytest.mark.parametrize(
    ("then", "message"),
    [
        ({}, "names 0 judges"),
        ({"rubric": {}, "pairwise": {}}, "names 2 judges"),
        ({"rubrik": {}}, "did you mean `rubric`"),
        ({"rubric": {"samples": 0}}, "`samples` is 0"),
        ("rubric", "`then` is `rubric`"),
    ],
)
def test_another_number_of_judges_or_an_unknown_one_is_refused(then: JSON, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        judge_named("verified_first", {"then": then})
