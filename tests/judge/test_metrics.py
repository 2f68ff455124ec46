"""Claim: the named metrics take the best evidence there is, stay apart, and say what they miss."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.judge.asking import Model, Says, refused

import selfsown.judge
from selfsown.core.request import Completion
from selfsown.extensions import JUDGES
from selfsown.judge.base import Item, Judgement
from selfsown.judge.correctness import GRADES, Correctness
from selfsown.judge.factuality import Factuality, parse_claims, parse_support
from selfsown.judge.following import InstructionFollowing, parse_demands
from selfsown.judge.metrics import METRICS, metric_scores, passes
from selfsown.judge.pairwise import parse_verdict
from selfsown.judge.registry import judge_named
from selfsown.judge.scores import parse_score

PROMPTS = sorted((Path(selfsown.judge.__file__).parent / "prompts").glob("*.j2"))
ITEM = Item(prompt="What is 17 + 25?", answer="It makes 42.", reference="42")


def test_every_metric_is_a_judge_of_that_name() -> None:
    for name in METRICS:
        judge = judge_named(name)
        assert judge.name == name
        assert judge_named(name, judge.options) == judge
        assert name in JUDGES


@pytest.mark.parametrize("path", PROMPTS, ids=lambda path: path.stem)
def test_no_prompt_repeated_by_a_model_is_an_answer(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert parse_score(text) is None
    assert parse_verdict(text) is None
    assert parse_support(Completion(text)) is None


# --- correctness ----------------------------------------------------------------------------


async def test_an_answer_that_equals_the_reference_is_right_without_a_call() -> None:
    judge = Correctness(compare="number")
    found = await judge.judge(Model(refused), ITEM)
    assert (found.value, found.source, found.scale) == (5.0, "verifier", GRADES)


async def test_another_wording_is_left_to_a_model_that_sees_the_reference() -> None:
    model = Model(lambda *_: "The same result.\nScore: 5")
    found = await Correctness(compare="exact").judge(model, ITEM)
    assert (found.value, found.source) == (5.0, "judge")
    assert "<reference>\n42\n</reference>" in model.asked[0][0].messages[0].text


async def test_in_a_closed_task_another_answer_is_wrong_without_a_call() -> None:
    judge = Correctness(compare="number", closed=True)
    assert judge.roles == ()
    wrong = Item(prompt="What is 17 + 25?", answer="It makes 41.", reference="42")
    found = await judge.judge(Model(refused), wrong)
    assert (found.value, found.source) == (1.0, "verifier")
    unknown = await judge.judge(Model(refused), Item(prompt="p", answer="a"))
    assert unknown.is_missing


async def test_grades_outside_1_to_5_are_missing_and_4_is_right() -> None:
    open_task = Item(prompt="Name a river.", answer="The Elbe.")
    for said, value, right in (("4", 4.0, True), ("3", 3.0, False), ("0", None, None)):
        model = Model(lambda *_, said=said: f"Score: {said}")
        found = await Correctness().judge(model, open_task)
        assert (found.value, passes("correctness", found)) == (value, right)


# --- factuality -----------------------------------------------------------------------------

SOURCED = Item(
    prompt="Tell me about the Elbe.",
    answer="It flows north, is 2,000 km long, and is cold.",
    metadata={"sources": ["The Elbe flows north.", "It is 1,094 km long."]},
)
CLAIMS = {
    "The Elbe flows north.": "supported",
    "The Elbe is 2,000 km long.": "contradicted",
    "The Elbe is cold.": "not found",
}


def reader(verdicts: dict[str, str]) -> Says:
    """Lists the claims, and says of each what the table has."""

    def says(shown: str, _sample: int) -> str:
        if "<claim>" not in shown:
            return "".join(f"- {claim}\n" for claim in verdicts)
        claim = shown.split("<claim>\n")[1].split("\n</claim>")[0]
        return f"The sources decide.\nVerdict: {verdicts[claim]}"

    return says


async def test_factuality_is_the_share_of_claims_that_the_sources_support() -> None:
    model = Model(reader(CLAIMS))
    found = await Factuality().judge(model, SOURCED)
    assert found.value == pytest.approx(1 / 3)
    assert [part.value for part in found.parts] == [1.0, 0.0, 0.0]
    assert found.reason == "1 of 3 claims supported, 1 contradicted"
    assert found.parts[2].reason == "not found: The Elbe is cold."
    assert len(model.asked) == 4
    assert "1,094 km" in model.asked[1][0].messages[0].text


async def test_claims_that_cannot_be_compared_are_left_out_up_to_a_half() -> None:
    most = {**CLAIMS, "The Elbe is cold.": "maybe"}
    found = await Factuality().judge(Model(reader(most)), SOURCED)
    assert found.value == 0.5
    few = dict.fromkeys(CLAIMS, "maybe") | {"The Elbe flows north.": "supported"}
    missing = await Factuality().judge(Model(reader(few)), SOURCED)
    assert (missing.value, missing.reason) == (None, "unparsed: 1 of 3 claims compared")


async def test_what_keeps_factuality_from_being_judged_is_said() -> None:
    unsourced = Item(prompt="p", answer="a")
    for item, says, reason in (
        (unsourced, refused, "no_sources"),
        (SOURCED, refused, "call_failed: content_filter"),
        (SOURCED, lambda *_: "A fine answer.", "unparsed"),
        (SOURCED, lambda *_: "None.", "no_claims"),
    ):
        found = await Factuality().judge(Model(says), item)
        assert found.is_missing
        assert found.reason.startswith(reason)


async def test_claims_beyond_the_most_are_named_in_the_reason() -> None:
    found = await Factuality(max_claims=2).judge(Model(reader(CLAIMS)), SOURCED)
    assert found.value == 0.5
    assert found.reason.endswith("1 more left out")


def test_lists_of_claims_are_read_line_by_line() -> None:
    assert parse_claims("- a\n* b\n1. c\n2) d\n- a\nthat is all") == ["a", "b", "c", "d"]
    assert parse_claims("- a\n- b", cut_off=True) == ["a"]
    assert parse_claims("none") == parse_claims("- none") == []
    assert parse_claims("I see no claims") is None


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("Verdict: supported", "supported"),
        ("**Verdict:** Not  found.", "not found"),
        ("Verdict: supported\nno,\nVerdict: contradicted", "contradicted"),
        ("Verdict: supported or contradicted", None),
        ("Verdict: unsupported", None),
        ("It is supported.", None),
    ],
)
def test_verdicts_on_claims_are_read_strictly(text: str, verdict: str | None) -> None:
    assert parse_support(Completion(text)) == verdict


# --- instruction following ------------------------------------------------------------------

CHECKED = Item(
    prompt="Describe the Elbe without a comma, and mention Hamburg.",
    answer="It flows by Hamburg, slowly.",
    metadata={"checks": [{"kind": "punctuation:no_comma"}]},
)


async def test_checks_decide_first_and_a_model_only_the_rest() -> None:
    model = Model(lambda *_: "- [yes] mention Hamburg\n- [no] a friendly tone")
    found = await InstructionFollowing().judge(model, CHECKED)
    assert [(part.value, part.source) for part in found.parts] == [
        (0.0, "verifier"),
        (1.0, "judge"),
        (0.0, "judge"),
    ]
    assert found.value == pytest.approx(1 / 3)
    assert found.source == "judge"
    assert "checked already" in model.asked[0][0].messages[0].text


async def test_with_checks_alone_no_model_is_asked() -> None:
    judge = InstructionFollowing(only_checks=True)
    found = await judge.judge(Model(refused), CHECKED)
    assert (judge.roles, found.value, found.source) == ((), 0.0, "verifier")
    covered = await InstructionFollowing().judge(Model(lambda *_: "none"), CHECKED)
    assert (covered.value, covered.source) == (0.0, "verifier")


async def test_an_instruction_without_demands_and_an_unread_list_are_missing() -> None:
    plain = Item(prompt="Name a river.", answer="The Elbe.")
    for says, reason in (
        (lambda *_: "None", "no_demands"),
        (lambda *_: "All is well.", "unparsed"),
        (refused, "call_failed"),
        (lambda *_: Completion("- [yes] short", finish_reason="length"), "unparsed"),
    ):
        found = await InstructionFollowing().judge(Model(says), plain)
        assert found.is_missing
        assert found.reason.startswith(reason)


def test_lists_of_demands_are_read_line_by_line() -> None:
    found = parse_demands(Completion("- [Yes] one\n* [ NO ] two\n[yes] three\n- [maybe] four"))
    assert found is not None
    assert [(part.value, part.reason) for part in found] == [
        (1.0, "one"),
        (0.0, "two"),
        (1.0, "three"),
    ]


# --- reports --------------------------------------------------------------------------------


def test_metrics_are_reported_apart_with_who_decided_and_what_is_missing() -> None:
    def grade(value: float | None, source: str = "judge") -> Judgement:
        return Judgement(value=value, source=source, scale=GRADES, reason="-")  # type: ignore[arg-type]

    scores = metric_scores(
        {
            "correctness": [grade(5.0, "verifier"), grade(4.0), grade(3.0), grade(None)],
            "factuality": [Judgement(value=None, source="judge", reason="no_sources")] * 4,
        },
        ["p1", "p1", "p2", "p2"],
        resamples=100,
    )
    assert set(scores) == {"correctness", "factuality"}
    found = scores["correctness"]
    assert (found.judged, found.missing) == (3, 1)
    assert found.mean is not None
    assert found.mean.mean == 4.0
    assert found.passed is not None
    assert found.passed.mean == pytest.approx(2 / 3)
    assert found.decided_by == {"judge": pytest.approx(2 / 3), "verifier": pytest.approx(1 / 3)}
    assert (scores["factuality"].judged, scores["factuality"].mean) == (0, None)
