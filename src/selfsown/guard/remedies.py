"""What to do about alarms, in the order in which to try it: the least drastic first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from selfsown.guard.policy import DIVERSITY_METRICS, REPETITION_METRICS, TAIL_METRICS
from selfsown.guard.record import Alarm, GuardRecord, Remedy

_SAMPLING: Final = {
    *TAIL_METRICS,
    *DIVERSITY_METRICS,
    *REPETITION_METRICS,
    "precision_up_recall_down",
}
_LINEAGE: Final = {"model_depth", "human_share", "fresh_rows", "tail_nll"}
NAMED: Final = 5
"""Lost topics or labels that the quota names."""


def remedies_for(alarms: Sequence[Alarm], record: GuardRecord) -> tuple[Remedy, ...]:
    """The remedies that fit the alarms, in order; none without an alarm."""
    rules = {alarm.rule for alarm in alarms}
    stopped = any(alarm.level == "stop" for alarm in alarms)
    found: list[Remedy] = []
    if rules & _SAMPLING:
        found.append(
            Remedy(
                "raise_temperature",
                "generate at a higher temperature, or with min-p instead of a low top-p",
            )
        )
    if lost := _lost(alarms):
        found.append(
            Remedy("quotas", f"ask for the missing topics and labels by quota: {'; '.join(lost)}")
        )
    if rules & (set(TAIL_METRICS) | _LINEAGE):
        found.append(Remedy("fresh_rows", "add human rows that no round has used"))
    if "human_share" in rules:
        found.append(
            Remedy(
                "human_share",
                "repeat the human rows up to a share of the tokens: `human_share` of the training",
            )
        )
    if stopped:
        base = f" `{record.base_model}`" if record.base_model else ""
        found.append(
            Remedy(
                "retrain_from_base",
                f"retrain from the base model{base} on all accumulated rounds and every human row;"
                " never go on from a collapsed checkpoint",
            )
        )
        found.append(Remedy("drop_round", f"leave out the machine rows of round {record.round}"))
    return tuple(found)


def _lost(alarms: Sequence[Alarm]) -> list[str]:
    names = [
        loss.name for alarm in alarms for loss in alarm.evidence if loss.kind in ("topic", "label")
    ]
    return list(dict.fromkeys(names))[:NAMED]
