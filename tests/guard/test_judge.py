"""Rules trip at their thresholds, chance does not trip them, and each says what to do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from selfsown.core.errors import ConfigError, InputError
from selfsown.guard.judge import holm, judge
from selfsown.guard.lineage import Depths, Mixture
from selfsown.guard.losses import Loss
from selfsown.guard.policy import Policy, Threshold
from selfsown.guard.record import GuardRecord
from selfsown.guard.sample import Metrics, SampleKind, Value

DEPTHS = Depths(0, 0.0, 5, 2.5)


def value(number: float, error: float = 0.01, baseline: float = 1.0) -> Value:
    ends = (number - 1.96 * error, number + 1.96 * error)
    return Value(number, error, *ends, baseline, error, baseline - 0.02, baseline + 0.02)


def alone(number: float) -> Value:
    return Value(number, 0.01, number - 0.02, number + 0.02, None, 0.0, 0.0, 0.0)


def record(round_: int, kind: SampleKind = "raw", m: int = 500, **metrics: float) -> GuardRecord:
    values = {name: value(number) for name, number in metrics.items()}
    return GuardRecord(round_, m, 0, "ref", {kind: Metrics(m, values, {})}, DEPTHS, {})


def mixture(share: float = 0.6, fresh: int = 5, synthetic: int = 100) -> Mixture:
    return Mixture(50, 500, fresh, {0: synthetic}, 500, 0, 0, share, share)


def test_holm_by_hand() -> None:
    # Sorted .01 .03 .04 times 3, 2, 1: .03, .06, .04; never falling: .03, .06, .06.
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.mark.parametrize(
    ("now", "level"), [(1.0, "pass"), (0.92, "pass"), (0.88, "warn"), (0.7, "stop"), (1.4, "pass")]
)
def test_a_fall_against_the_own_baseline_trips_at_ten_and_twenty_five_per_cent(
    now: float, level: str
) -> None:
    assert judge([record(0, distinct_2=1.0), record(1, distinct_2=now)]).level == level


@pytest.mark.parametrize(("now", "level"), [(1.08, "pass"), (1.15, "warn"), (1.3, "stop")])
def test_repetition_is_bad_when_it_rises(now: float, level: str) -> None:
    history = [record(0, compression_ratio=1.0), record(1, compression_ratio=now)]
    assert judge(history).level == level


def test_without_earlier_rounds_nothing_is_compared_unless_with_human_text() -> None:
    alone = [record(0, distinct_2=0.5)]
    assert judge(alone).level == "pass"
    assert "this round is what later ones are compared with" in " ".join(judge(alone).notes)
    verdict = judge(alone, Policy(baseline="human"))
    assert verdict.level == "stop" and "against human text" in verdict.alarms[0].message


def test_without_human_baseline_the_own_rounds_still_compare() -> None:
    first, now = (
        replace(record(n), metrics={"raw": Metrics(500, {"distinct_2": alone(number)}, {})})
        for n, number in enumerate((0.8, 0.4))
    )
    assert judge([first, now]).level == "stop"
    verdict = judge([now], Policy(baseline="human"))
    assert verdict.level == "pass" and "no human text" in " ".join(verdict.notes)


def test_a_large_change_within_its_interval_is_chance() -> None:
    noisy = replace(
        record(1), metrics={"raw": Metrics(500, {"coverage": value(0.7, error=0.2)}, {})}
    )
    assert judge([record(0, coverage=1.0), noisy]).level == "pass"


def test_rounds_up_to_the_baseline_round_never_alarm_by_comparison() -> None:
    history = [record(0, vendi=1.0), record(1, vendi=0.5), record(2, vendi=0.49)]
    assert judge(history[:2], Policy(baseline_round=1)).level == "pass"
    assert judge(history, Policy(baseline_round=1)).level == "pass"
    assert judge(history).level == "stop"


def test_both_the_unbiased_and_the_raw_sample_are_judged_but_not_the_curated() -> None:
    for kind, level in (("unbiased", "stop"), ("raw", "stop"), ("curated", "pass")):
        first, now = record(0, distinct_2=1.0), record(1, distinct_2=1.0)
        for one, number in ((first, 1.0), (now, 0.5)):
            assert isinstance(one.metrics, dict)
            one.metrics[kind] = Metrics(500, {"distinct_2": value(number)}, {})  # type: ignore[index]
        assert judge([first, now]).level == level


def test_labels_that_only_accepted_rows_have_are_judged_there() -> None:
    first, now = (
        replace(
            record(n, distinct_2=1.0),
            metrics={
                **record(n, distinct_2=1.0).metrics,
                **record(n, "curated", distinct_2=1.0 - n / 2, rare_label_recall=label).metrics,
            },
        )
        for n, label in ((0, 1.0), (1, 0.5))
    )
    alarms = judge([first, now]).alarms
    assert [(alarm.rule, alarm.sample) for alarm in alarms] == [("rare_label_recall", "curated")]


def test_samples_of_another_size_are_not_compared() -> None:
    verdict = judge([record(0, m=500, distinct_2=1.0), record(1, m=200, distinct_2=0.5)])
    assert verdict.level == "pass" and "has 500 rows, this one 200" in " ".join(verdict.notes)


def test_another_reference_is_refused() -> None:
    other = replace(record(1, distinct_2=1.0), reference_hash="other")
    with pytest.raises(InputError, match="different human references"):
        judge([record(0, distinct_2=1.0), other])
    with pytest.raises(InputError, match="no guard record"):
        judge([])


@pytest.mark.parametrize(
    ("depth", "verifier", "level"),
    [(1, False, "pass"), (2, False, "warn"), (3, False, "warn"), (4, False, "stop"),
     (4, True, "warn")],
)  # fmt: skip
def test_model_depth_counts_and_parent_depth_does_not(
    depth: int, verifier: bool, level: str
) -> None:
    deep = replace(record(0), depths=Depths(depth, depth, 13, 9.0))
    assert judge([deep], Policy(has_verifier=verifier)).level == level


@pytest.mark.parametrize(("share", "level"), [(0.5, "pass"), (0.4, "warn"), (0.05, "stop")])
def test_human_share_of_the_mixture_trained_on(share: float, level: str) -> None:
    assert judge([replace(record(0), data=mixture(share))]).level == level


def test_too_little_human_text_is_answered_with_fresh_rows_and_then_a_share() -> None:
    verdict = judge([replace(record(0), data=mixture(0.4))])
    assert [remedy.name for remedy in verdict.remedies] == ["fresh_rows", "human_share"]


def test_two_rounds_without_fresh_human_rows_warn() -> None:
    stale = [replace(record(n), data=mixture(fresh=0)) for n in range(2)]
    assert judge(stale[:1]).level == "pass"
    assert [alarm.rule for alarm in judge(stale).alarms] == ["fresh_rows"]
    assert judge([stale[0], replace(record(1), data=mixture(fresh=1))]).level == "pass"


def test_precision_up_while_recall_falls_for_two_rounds_stops() -> None:
    history = [
        record(0, precision=0.70, recall=0.80),
        record(1, precision=0.76, recall=0.75),
        record(2, precision=0.82, recall=0.70),
    ]
    assert [alarm.rule for alarm in judge(history).alarms] == ["precision_up_recall_down"]
    assert judge(history).level == "stop"
    assert judge(history[:2]).level == "pass"
    turned = [*history[:2], record(2, precision=0.75, recall=0.70)]
    assert judge(turned).level == "pass"


def test_what_the_first_tuning_does_to_precision_and_recall_is_no_signature() -> None:
    history = [
        record(0, precision=0.70, recall=0.80),
        record(1, precision=0.76, recall=0.75),
        record(2, precision=0.82, recall=0.70),
        record(3, precision=0.88, recall=0.65),
    ]
    tuned = Policy(baseline_round=1)
    assert judge(history[:3], tuned).level == "pass"
    rules = [alarm.rule for alarm in judge(history, tuned).alarms]
    assert rules == ["precision_up_recall_down"]


def test_a_worse_tail_under_a_flat_mean_warns() -> None:
    first = replace(record(0), scores={"human_nll": 3.0, "human_nll_tail": 6.0})
    now = replace(record(1), scores={"human_nll": 3.05, "human_nll_tail": 6.2})
    assert [alarm.rule for alarm in judge([first, now]).alarms] == ["tail_nll"]


def test_evidence_is_what_was_lost_since_the_baseline_and_quotas_name_it() -> None:
    old, new = (Loss("topic", name, 9.0, 0, "text") for name in ("gone before", "gone now"))
    first = replace(record(0, coverage=1.0), losses={"raw": (old,)})
    now = replace(record(1, coverage=0.6), losses={"raw": (old, new)}, base_model="base")
    verdict = judge([first, now])
    assert verdict.alarms[0].evidence == (new,)
    assert [remedy.name for remedy in verdict.remedies] == [
        "raise_temperature",
        "quotas",
        "fresh_rows",
        "retrain_from_base",
        "drop_round",
    ]
    assert "gone now" in verdict.remedies[1].action and "`base`" in verdict.remedies[3].action


def test_healthy_rounds_get_no_remedy() -> None:
    assert judge([record(0, vendi=1.0), record(1, vendi=1.0)]).remedies == ()


def test_biased_sampling_gives_a_hint_and_no_alarm() -> None:
    biased = replace(
        record(0, vendi=20.0), data=mixture(synthetic=400), scores={"effective_bias": 0.9}
    )
    verdict = judge([biased])
    # (20 + 5) / 0.1^2 = 2,500.
    assert verdict.level == "pass" and "about 2,500" in " ".join(verdict.notes)


def test_rules_about_unknown_metrics_or_upside_down_thresholds_are_refused() -> None:
    with pytest.raises(ConfigError, match="no metric with a bad direction"):
        Policy(changes={"length_mean": Threshold(0.1, 0.2)})
    with pytest.raises(ConfigError, match="warns at"):
        Policy(changes={"vendi": Threshold(0.3, 0.2)})
