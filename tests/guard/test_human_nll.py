"""Claim: the guard's NLL is an average over held-out human tokens, and its tail the rarest rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

pytest.importorskip("numpy", reason="needs the `local` extra")

from selfsown.guard.human_nll import LEAST_ROWS, MOST_ROWS, Scored, human_nll, with_bias
from selfsown.guard.judge import judge
from selfsown.guard.lineage import Depths
from selfsown.guard.measure import Ruler
from selfsown.guard.policy import Policy
from selfsown.guard.record import GuardRecord
from selfsown.guard.reference import Reference
from selfsown.guard.sample import Settings, TextRow

COMMON = [TextRow(f"the cat sat on the mat number {n % 7}") for n in range(180)]
RARE = [TextRow(f"quartz{n} vexes zephyr{n} gnomes{n}") for n in range(20)]
SETTINGS = Settings(m=100, replicates=10)


def flat(texts: Sequence[str]) -> list[tuple[int, float]]:
    """Four nats per word of a rare row, one per word of a common one."""
    return [(len(t.split()), len(t.split()) * (4.0 if "quartz" in t else 1.0)) for t in texts]


def test_the_tail_is_the_rarest_decile_of_the_held_out_rows() -> None:
    reference = Reference([*COMMON, *RARE], SETTINGS)
    held_out = [row.text for row in reference.control.rows]
    rare = sum("quartz" in text for text in held_out)
    assert rare >= len(held_out) // 10 - 3
    scores = human_nll(reference, flat).scores
    counts = flat(held_out)
    by_hand = sum(nats for _, nats in counts) / sum(tokens for tokens, _ in counts)
    assert scores["human_nll"] == pytest.approx(by_hand, abs=1e-6)
    assert scores["human_nll_tail"] > 0.5 * 4 > scores["human_nll"]


def test_rows_that_were_trained_on_are_not_held_out() -> None:
    reference = Reference([*COMMON, *RARE], SETTINGS)
    asked: list[str] = []

    def predict(texts: Sequence[str]) -> list[tuple[int, float]]:
        asked.extend(texts)
        return flat(texts)

    known = [row.text for row in RARE]
    human_nll(reference, predict, known)
    assert asked and not set(asked) & set(known)
    found = human_nll(reference, predict, [row.text for row in (*COMMON, *RARE)])
    assert found.scores == {} and f"needs {LEAST_ROWS} held-out human rows" in found.unscored


def test_no_more_rows_are_predicted_than_the_most() -> None:
    reference = Reference([TextRow(f"row {n} of many") for n in range(1000)], Settings(m=500))
    sizes: list[int] = []

    def predict(texts: Sequence[str]) -> list[tuple[int, float]]:
        sizes.append(len(texts))
        return flat(texts)

    human_nll(reference, predict)
    assert sizes == [MOST_ROWS]


def record(number: int, mean: float, tail: float) -> GuardRecord:
    scores = {"human_nll": mean, "human_nll_tail": tail}
    depths = Depths(0, 0.0, 0, 0.0)
    return GuardRecord(number, 100, 0, "ref", {}, depths, {}, scores=scores)


def rules(history: Sequence[GuardRecord], policy: Policy) -> list[str]:
    return [alarm.rule for alarm in judge(history, policy).alarms]


def test_a_rise_of_the_tail_alone_warns_against_the_baseline_round() -> None:
    base, first, same, lost = (
        record(0, 1.0, 2.0),
        record(1, 1.0, 3.0),
        record(2, 1.0, 3.05),
        record(3, 1.05, 3.2),
    )
    policy = Policy(baseline_round=1)
    assert "tail_nll" not in rules([base, first], policy)  # the first tuning is no loss
    assert "tail_nll" not in rules([base, first, same], policy)
    assert "tail_nll" in rules([base, first, same, lost], policy)


def test_a_reason_why_it_was_not_measured_is_a_note() -> None:
    one = replace(record(0, 1.0, 1.0), scores=None, unscored="too few rows")
    assert "skipped human_nll, human_nll_tail: too few rows" in judge([one]).notes
    assert GuardRecord.from_json(one.to_json()) == one


def test_the_bias_of_sampling_is_a_ratio_of_entropies() -> None:
    ruler = Ruler(COMMON, SETTINGS)
    metrics = ruler.measure(COMMON[:60])
    found = with_bias(Scored({"human_nll": 1.0}), {"unbiased": metrics, "raw": metrics})
    assert found.scores == {"human_nll": 1.0, "effective_bias": 1.0}
    assert with_bias(Scored({}), {"raw": metrics}).scores == {}
