"""Rules without a test: depth, human share, fresh rows, model scores; and hints to read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from selfsown.guard.policy import Level, Policy
from selfsown.guard.record import Alarm, GuardRecord

UNBIASED_ENOUGH: Final = 0.95
"""Effective bias above which the share of synthetic rows needs no cap."""


def lineage_alarms(record: GuardRecord, policy: Policy) -> Iterator[Alarm]:
    """Too many trainings on machine data behind the generator."""
    depth, limit = record.depths.model_depth_max, policy.model_depth
    if depth <= limit.warn:
        return
    level: Level = "stop" if depth > limit.stop and not policy.has_verifier else "warn"
    yield Alarm(
        "model_depth",
        level,
        f"the generator stands on {depth} trainings on machine data"
        f" (warn above {limit.warn:g}, stop above {limit.stop:g} without a verifier)",
    )


def mixture_alarms(history: Sequence[GuardRecord], policy: Policy) -> Iterator[Alarm]:
    """Too little human text in the mixture trained on, and no new human rows for some rounds."""
    data = history[-1].data
    if data is None:
        return
    share, limit = data.human_token_share, policy.human_share
    if share < limit.warn:
        level: Level = "stop" if share < limit.stop else "warn"
        yield Alarm(
            "human_share",
            level,
            f"people wrote {share:.1%} of the tokens trained on, epochs counted"
            f" (warn below {limit.warn:.0%}, stop below {limit.stop:.0%})",
        )
    last = [record.data for record in history if record.data][-policy.rounds_without_fresh :]
    if len(last) == policy.rounds_without_fresh and not any(mix.fresh_rows for mix in last):
        yield Alarm(
            "fresh_rows",
            "warn",
            f"no new human rows for {len(last)} rounds: a fixed set only delays collapse",
        )


def score_alarms(history: Sequence[GuardRecord], policy: Policy) -> Iterator[Alarm]:
    """The model gets worse on rare human text while its mean looks fine."""
    scored = [
        record.scores
        for record in history
        if record.round >= policy.baseline_round
        and record.scores
        and {"human_nll", "human_nll_tail"} <= record.scores.keys()
    ]
    if len(scored) < 2 or scored[-1] is not history[-1].scores:
        return
    first, now = scored[0], scored[-1]
    tail = now["human_nll_tail"] - first["human_nll_tail"]
    mean = now["human_nll"] - first["human_nll"]
    if tail > policy.tail_nll and mean <= policy.tail_nll:
        yield Alarm(
            "tail_nll",
            "warn",
            f"NLL of the rarest human text rose by {tail:.2f} nats, the mean by {mean:.2f}",
        )


def hints(history: Sequence[GuardRecord]) -> Iterator[str]:
    """Trends and rules of thumb that never alarm."""
    now = history[-1]
    for kind, metrics in now.metrics.items():
        if "auc" in metrics.values:
            trend = [
                f"{record.metrics[kind].values['auc'].value:.2f}"
                for record in history
                if kind in record.metrics and "auc" in record.metrics[kind].values
            ]
            yield f"{kind}: a classifier tells it from human text with AUC {' -> '.join(trend)}"
    if now.unscored:
        yield f"skipped human_nll, human_nll_tail: {now.unscored}"
    bias = (now.scores or {}).get("effective_bias")
    if bias is None or now.data is None or bias > UNBIASED_ENOUGH or bias <= 0:
        return
    if now.data.synth_rows > now.data.human_rows:
        vendi = next(
            (
                found.values["vendi"].value
                for found in now.metrics.values()
                if "vendi" in found.values
            ),
            1.0,
        )
        cap = (vendi + 5) / (1 - bias) ** 2
        yield (
            f"sampling is biased (effective lambda {bias:.2f}), and {now.data.synth_rows} synthetic"
            f" rows stand beside {now.data.human_rows} human ones; in the Gaussian model more than"
            f" about {cap:,.0f} would hurt"
        )
