"""From the records of a loop's rounds to a verdict: which rules are broken, how badly, and why.

A comparison alarms if it is large (its threshold) and not chance: one-sided normal tests, corrected
by Holm's method over all comparisons of the round, so many rules do not mean many false alarms.
Rules on lineage, mixture and model scores are counts and need no test.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from selfsown.core.errors import InputError
from selfsown.guard.losses import Loss, LossKind
from selfsown.guard.metrics import WORSE
from selfsown.guard.policy import TAIL_METRICS, Level, Policy
from selfsown.guard.record import Alarm, GuardRecord, Verdict
from selfsown.guard.remedies import remedies_for
from selfsown.guard.rules import hints, lineage_alarms, mixture_alarms, score_alarms
from selfsown.guard.sample import Metrics, SampleKind, Value

EVIDENCE_ROWS: Final = 10
UNLIKE_SIZES: Final = 0.8
"""Samples compare if the smaller has at least this share of the larger's rows."""

_EVIDENCE: Final[dict[str, tuple[LossKind, ...]]] = {
    "rare_label_recall": ("label",),
    "rare_word_recall": ("topic", "ngram"),
    "rare_ngram_recall": ("ngram",),
}


@dataclass(frozen=True, slots=True)
class _Test:
    """One comparison before correction."""

    rule: str
    sample: SampleKind
    change: float
    """Relative worsening; negative if it got better."""
    p_value: float
    message: str
    level: Level
    """What it would be if it is not chance."""


def judge(history: Sequence[GuardRecord], policy: Policy | None = None) -> Verdict:
    """What the rules say about the last round of a loop.

    Args:
        history: records in the order of rounds, the round to judge last.
        policy: the rules.

    Raises:
        InputError: no record, or records that were measured against different references.
    """
    policy = policy or Policy()
    _check(history)
    now = history[-1]
    notes = list(hints(history))
    tests: list[_Test] = []
    for kind, names in _acting(now, policy):
        tests += _comparisons(history, kind, names, policy, notes)
    alarms = [
        *_significant(tests, history, policy),
        *lineage_alarms(now, policy),
        *mixture_alarms(history, policy),
        *score_alarms(history, policy),
    ]
    order: dict[Level, int] = {"stop": 0, "warn": 1, "pass": 2}
    alarms.sort(key=lambda alarm: order[alarm.level])
    level = alarms[0].level if alarms else "pass"
    return Verdict(level, tuple(alarms), remedies_for(alarms, now), tuple(notes))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm-adjusted p-values in the given order (Holm 1979): at most 1, monotone in rank."""
    ranked = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(ranked):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def _check(history: Sequence[GuardRecord]) -> None:
    if not history:
        raise InputError(
            "there is no guard record to judge",
            why="a verdict is about the last of a loop's rounds",
            fix="measure a round first with `selfsown guard DIR --reference FILE`",
        )
    hashes = {record.reference_hash for record in history}
    if len(hashes) > 1:
        raise InputError(
            "the rounds were measured against different human references",
            why="metrics compare only against one reference",
            fix="measure the earlier rounds again with the reference of this one",
        )


def _acting(record: GuardRecord, policy: Policy) -> Iterator[tuple[SampleKind, list[str]]]:
    """The samples that rules act on, each with its metrics.

    The unbiased one, and production before any filter; accepted rows only for what raw ones cannot
    show, such as labels that a later stage gives.
    """
    names = list(policy.changes)
    if "unbiased" in record.metrics:
        yield "unbiased", names
    raw, curated = record.metrics.get("raw"), record.metrics.get("curated")
    if raw is None:
        if curated is not None:
            yield "curated", names
        return
    late = [name for name in names if name not in raw.values]
    late = [name for name in late if curated is not None and name in curated.values]
    yield "raw", [name for name in names if name not in late]
    if late:
        yield "curated", late


def _own_baseline(history: Sequence[GuardRecord], policy: Policy) -> GuardRecord | None:
    for record in history[:-1]:
        if record.round >= policy.baseline_round:
            return record
    return None


def _comparisons(
    history: Sequence[GuardRecord],
    kind: SampleKind,
    names: Sequence[str],
    policy: Policy,
    notes: list[str],
) -> Iterator[_Test]:
    now = history[-1].metrics[kind]
    missing = [name for name in names if name not in now.values]
    if missing:
        reasons = sorted({now.skipped.get(name, "not measured") for name in missing})
        notes.append(f"not judged in {kind}: {', '.join(missing)} ({'; '.join(reasons)})")
    if policy.baseline == "human":
        for name in names:
            if name in now.values and now.values[name].baseline is not None:
                yield _against_human(name, kind, now.values[name], policy)
            elif name in now.values:
                notes.append(f"not judged in {kind}: {name} (no human text to compare with)")
        return
    first = _own_baseline(history, policy)
    if first is None:
        notes.append(f"{kind}: this round is what later ones are compared with")
        return
    before = first.metrics.get(kind)
    if before is None or not _alike(before, now):
        found = "no such sample" if before is None else f"{before.m} rows, this one {now.m}"
        notes.append(f"{kind}: not compared with round {first.round}, which has {found}")
        return
    for name in names:
        if name in now.values and name in before.values:
            yield _against_own(name, kind, before.values[name], now.values[name], policy, first)
    if kind != "curated" or "raw" not in history[-1].metrics:  # filters raise precision on purpose
        yield from _signature(history[history.index(first) :], kind)


def _alike(one: Metrics, other: Metrics) -> bool:
    return min(one.m, other.m) >= UNLIKE_SIZES * max(one.m, other.m)


def _against_human(name: str, kind: SampleKind, value: Value, policy: Policy) -> _Test:
    return _test(
        name,
        kind,
        (value.baseline or 0.0, value.baseline_error),
        (value.value, value.error),
        policy,
        "human text",
    )


def _against_own(
    name: str, kind: SampleKind, then: Value, now: Value, policy: Policy, first: GuardRecord
) -> _Test:
    """Both divided by the human control, which takes out what a slightly other size does."""
    before, after = (
        (value.value / (value.baseline or 1.0), value.error / (value.baseline or 1.0))
        for value in (then, now)
    )
    return _test(name, kind, before, after, policy, f"round {first.round}")


def _test(
    name: str,
    kind: SampleKind,
    before: tuple[float, float],
    after: tuple[float, float],
    policy: Policy,
    what: str,
) -> _Test:
    sign = 1 if WORSE[name] == "rises" else -1
    worsening = sign * (after[0] - before[0])
    change = worsening / before[0] if before[0] else math.copysign(math.inf, worsening or -1)
    threshold = policy.changes[name]
    level: Level = "pass"
    if change >= threshold.warn:
        level = "stop" if change >= threshold.stop else "warn"
    verb = "rose" if (change > 0) == (sign > 0) else "fell"
    message = (
        f"`{name}` {verb} by {abs(change):.0%} against {what}: {before[0]:.4g} -> {after[0]:.4g}"
    )
    return _Test(name, kind, change, _p_value(worsening, before[1], after[1]), message, level)


def _signature(history: Sequence[GuardRecord], kind: SampleKind) -> Iterator[_Test]:
    """Precision up while recall falls, two rounds running: biased sampling (2307.01850).

    Only from the baseline on: the first tuning does both at once, and is no sampling.
    """
    last = [record.metrics.get(kind) for record in history[-3:]]
    series = [metrics.values for metrics in last if metrics and "recall" in metrics.values]
    if len(series) < 3:
        return
    precision, recall = ([values[name] for values in series] for name in ("precision", "recall"))
    steps = range(2)
    if not all(
        precision[step].value < precision[step + 1].value
        and recall[step].value > recall[step + 1].value
        for step in steps
    ):
        return
    up, down = precision[2].value - precision[0].value, recall[0].value - recall[2].value
    p_value = max(
        _p_value(up, precision[0].error, precision[2].error),
        _p_value(down, recall[0].error, recall[2].error),
    )
    message = (
        f"precision rose by {up:.3f} while recall fell by {down:.3f} over two rounds:"
        " the signature of biased sampling"
    )
    change = down / recall[0].value if recall[0].value else 0.0
    yield _Test("precision_up_recall_down", kind, change, p_value, message, "stop")


def _p_value(worsening: float, error_before: float, error_after: float) -> float:
    """One-sided probability of such a worsening by chance; without any error it is certain."""
    error = math.hypot(error_before, error_after)
    if error == 0:
        return 0.0 if worsening > 0 else 1.0
    return 0.5 * math.erfc(worsening / error / math.sqrt(2))


def _significant(
    tests: Sequence[_Test], history: Sequence[GuardRecord], policy: Policy
) -> Iterator[Alarm]:
    adjusted = holm([test.p_value for test in tests])
    for test, p_value in zip(tests, adjusted, strict=True):
        if test.level != "pass" and p_value < policy.significance:
            evidence = _evidence(test, history, policy)
            yield Alarm(
                test.rule,
                test.level,
                test.message,
                test.sample,
                test.change if math.isfinite(test.change) else None,
                p_value,
                evidence,
            )


def _evidence(test: _Test, history: Sequence[GuardRecord], policy: Policy) -> tuple[Loss, ...]:
    """What this sample lacks and the baseline's had, the largest losses first."""
    kinds = _EVIDENCE.get(
        test.rule, ("topic", "label") if test.rule in TAIL_METRICS else ("topic",)
    )
    first = _own_baseline(history, policy) if policy.baseline == "own" else None
    old = set()
    if first is not None:
        old = {(loss.kind, loss.name) for loss in first.losses.get(test.sample, ())}
    lost = history[-1].losses.get(test.sample, ())
    found = [loss for loss in lost if loss.kind in kinds and (loss.kind, loss.name) not in old]
    return tuple(found[:EVIDENCE_ROWS])
