"""Claim: a policy is promoted unless something that was measured fell by more than chance."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from selfsown.core.errors import ConfigChanged, InputError, TooFewRecords
from selfsown.judge.labels import Label, read_labels
from selfsown.judge.registry import judge_named
from selfsown.loop.preference.anchor import (
    Anchored,
    anchored,
    change,
    judge_anchor,
    read_anchor,
    read_anchored,
    refuse_trained_on,
)
from selfsown.loop.preference.ending import Standing, best_of, gate
from selfsown.loop.preference.sections import PromotionConfig


def standing(anchor: Anchored | None = None, **scores: float) -> Standing:
    """The same score for each of 20 prompts, up to a little that differs between them."""
    means = {
        name: {f"p{n}": value + 0.01 * (n % 3) for n in range(20)} for name, value in scores.items()
    }
    return Standing(scores=means, anchor=anchor)  # type: ignore[arg-type]


def judging(*shares: float) -> Anchored:
    groups = {f"g{n}": share for n, share in enumerate(shares)}
    return Anchored(accuracy=0.0, standard_error=0.0, parse_rate=1.0, groups=groups)


@pytest.mark.parametrize(
    ("before", "after", "decision", "said"),
    [
        (standing(gold=0.5), standing(gold=0.6), "promoted", "nothing fell: gold +0.1"),
        (standing(gold=0.5), standing(gold=0.5), "promoted", "nothing fell: gold +0"),
        (standing(gold=0.5), standing(gold=0.4), "rolled_back", "gold fell: gold -0.1"),
        (standing(second=2), standing(second=1), "rolled_back", "second fell: second -1"),
        (standing(gold=0.5), standing(second=0.1), "promoted", "nothing was measured"),
        (standing(gold=0.5, second=1), standing(gold=0.6, second=0), "rolled_back", "second fell"),
        (standing(gold=1, second=1), standing(gold=0, second=0), "rolled_back", "gold and second"),
    ],
)
def test_scores_that_fell_roll_back(
    before: Standing, after: Standing, decision: str, said: str
) -> None:
    found, reason, tests = gate(PromotionConfig(), before, after)
    assert found == decision and said in reason
    assert set(tests) == set(before.scores) & set(after.scores)
    let, reason, _ = gate(PromotionConfig(acts=False), before, after)
    assert let == "promoted" and ("and the gate is off" in reason) == (decision != "promoted")


def test_what_the_config_does_not_name_decides_nothing() -> None:
    before, after = standing(gold=0.5, second=1), standing(gold=0.6, second=0)
    decision, reason, tests = gate(PromotionConfig(on=("gold",)), before, after)
    assert decision == "promoted" and "second -1" in reason and tests["second"]


def test_the_anchor_fell_if_by_more_than_two_standard_errors_of_the_paired_difference() -> None:
    """16 prompts, 4 of them lost: mean -0.25, deviation 0.4472, error 0.1118, 2.236 errors."""
    before, after = judging(*[1.0] * 16), judging(*[0.0] * 4, *[1.0] * 12)
    assert change(before, after) == pytest.approx((-0.25, 0.1118), abs=1e-4)
    given = standing(before), standing(after)
    assert gate(PromotionConfig(), *given)[0] == "rolled_back"
    assert gate(PromotionConfig(standard_errors=2.3), *given)[0] == "promoted"
    assert gate(PromotionConfig(), standing(after), standing(before))[0] == "promoted"
    assert gate(PromotionConfig(), standing(before), standing(before))[0] == "promoted"


def test_the_best_is_the_highest_by_the_score_to_be_believed_most_and_the_earlier_of_equals() -> (
    None
):
    def probed(**means: float) -> Any:
        prompts = {name: {"1": mean} for name, mean in means.items()}
        return Path(f"models/{sum(means.values())}"), Measures(prompts)

    probes = {None: probed(gold=1, proxy=1), 0: probed(gold=3, proxy=2), 1: probed(gold=3, proxy=9)}
    assert best_of(probes, None).round == 0 and best_of(probes, None).by == "gold"
    assert best_of(probes, "proxy").round == 1 and best_of(probes, "proxy").value == 9
    partly = {None: probed(proxy=5), 0: probed(gold=3, proxy=2)}
    assert best_of(partly, None).by == "proxy" and best_of(partly, None).round is None
    nothing = {None: probed(), 0: probed()}
    assert (best_of(nothing, None).round, best_of(nothing, None).value) == (0, None)


def test_a_policy_is_not_the_best_for_being_silent_on_what_is_hard() -> None:
    talks = Path("talks"), Measures({"gold": {"easy": 0.9, "hard": 0.2}})
    silent = Path("silent"), Measures({"gold": {"easy": 0.8}})
    found = best_of({None: talks, 0: silent}, None)
    assert (found.folder, found.value) == ("talks", 0.9)


class Measures:
    """A probe of which only some scores were measured: score -> prompt -> mean."""

    def __init__(self, by_prompt: dict[str, dict[str, float]]) -> None:
        self.by_prompt = by_prompt


def labels(path: Path, *rows: dict[str, Any]) -> list[Label]:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return read_labels(path)


def pair(prompt: str, label: str, first: Any, second: Any) -> dict[str, Any]:
    told = {"verdict": first, "verdict_swapped": second}
    return {"prompt": prompt, "a": "x", "b": "y", "label": label, **told}


def test_agreement_counts_pairs_that_people_decided_and_what_cannot_be_read_as_a_tie(
    tmp_path: Path,
) -> None:
    """Prompts: 1 (right), 0 (wrong), 0.5 (orders disagree), 0.5 (not read): mean 0.5."""
    told = labels(
        tmp_path / "pairs.jsonl",
        pair("one", "a", "a", "a"),
        pair("two", "a", "b", "b"),
        pair("three", "b", "a", "b"),
        pair("four", "b", None, "b"),
        pair("five", "tie", "a", "a"),
    )
    found = anchored(told)
    assert found.groups == {"one": 1.0, "two": 0.0, "three": 0.5, "four": 0.5}
    assert found.accuracy == 0.5 and found.parse_rate == 0.8
    assert found.standard_error == pytest.approx(0.40825 / 2, abs=1e-4)


def test_scored_answers_are_compared_within_their_prompt(tmp_path: Path) -> None:
    """Of `p`: the judge ties 3 and 2, has both over the first 1, did not read the second 1."""
    rows = [(3, 4.0), (2, 4.0), (1, 4.0 - 1), (1, None)]
    told = labels(
        tmp_path / "scores.jsonl",
        *(
            {"prompt": "p", "answer": f"{n}", "label": a, "judged": b}
            for n, (a, b) in enumerate(rows)
        ),
        *({"prompt": "q", "answer": f"{a}", "label": a, "judged": a} for a in (0, 1)),
    )
    assert anchored(told).groups == {"p": (0.5 + 1 + 0.5 + 1 + 0.5) / 5, "q": 1.0}


def test_a_policy_is_asked_about_the_anchor_once(tmp_path: Path) -> None:
    """Of three pairs it scores one as people do, one the other way round, and cannot read one."""
    script, path = tmp_path / "policy.jsonl", tmp_path / "anchor.jsonl"
    rules = [
        {"match": "a long answer", "text": "Score: 4"},
        {"match": "a short answer", "text": "Score: 2"},
        {"text": "I would rather not."},
    ]
    script.write_text("".join(json.dumps(rule) + "\n" for rule in rules), encoding="utf-8")
    texts = [("long", "short", "a"), ("short", "long", "a"), ("odd", "short", "b")]
    rows = [
        {"prompt": f"Prompt {n}", "a": f"a {a} answer", "b": f"a {b} answer", "label": label}
        for n, (a, b, label) in enumerate(texts)
    ]
    judge = judge_named("rubric", {"samples": 1})
    given: Any = (labels(path, *rows), judge, f"scripted:{script}", tmp_path / "out")
    found = judge_anchor(*given, seed=0, limits={})
    assert found.groups == {"Prompt 0": 1.0, "Prompt 1": 0.0, "Prompt 2": 0.5}
    assert found.parse_rate == pytest.approx(2 / 3)
    script.unlink()
    assert judge_anchor(*given, seed=0, limits={}) == found == read_anchored(tmp_path / "out")
    swapped = labels(path, *({**row, "label": "b"} for row in rows))
    with pytest.raises(ConfigChanged, match="is of another anchor: labels"):
        judge_anchor(swapped, *given[1:], seed=0, limits={})


def test_an_anchor_that_was_trained_on_or_decides_nothing_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "anchor.jsonl"
    labels(path, pair("one", "a", "a", "a"), pair("two", "b", "a", "a"))
    found = read_anchor(path)
    refuse_trained_on(found, ["three"])
    with pytest.raises(InputError, match=r"1 of 2 labels are of prompts .*, the first is `2`"):
        refuse_trained_on(found, ["  two "])
    labels(path, pair("one", "a", "a", "a"), pair("two", "tie", "a", "a"))
    with pytest.raises(TooFewRecords, match="prompts with answers that people told apart: 1"):
        read_anchor(path)
