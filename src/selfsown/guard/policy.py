"""When the guard warns and when it stops: thresholds, all of them engineering defaults of ours.

Three are backed by papers: keep human rows and accumulate (2404.01413, 2410.16713), audit on an
unbiased draw, and "precision up while recall falls" as the signature of biased sampling
(2307.01850). No universal share of human data exists; ours is a number to argue about.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from selfsown.core.errors import ConfigError

Level = Literal["pass", "warn", "stop"]
Baseline = Literal["own", "human"]

TAIL_METRICS: Final = (
    "rare_word_recall",
    "rare_ngram_recall",
    "coverage",
    "topic_mass",
    "rare_label_recall",
)
"""Early collapse is the loss of tails."""
DIVERSITY_METRICS: Final = ("distinct_2", "vendi", "entropy_2")
REPETITION_METRICS: Final = ("compression_ratio", "self_bleu_4")


@dataclass(frozen=True, slots=True)
class Threshold:
    """Where an alarm begins."""

    warn: float
    stop: float


def _default_changes() -> dict[str, Threshold]:
    names = (*TAIL_METRICS, *DIVERSITY_METRICS, *REPETITION_METRICS)
    return dict.fromkeys(names, Threshold(0.10, 0.25))


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules of one loop."""

    baseline: Baseline = "own"
    """Compare with the loop's own first rounds, or with a human sample of equal size.

    Own, because every model loses some diversity when it is tuned for the first time.
    """
    baseline_round: int = 0
    """The first round with at least this number is the own baseline; nothing up to it alarms by
    comparison. A loop that tunes in round 0 compares with generation 1.
    """
    changes: Mapping[str, Threshold] = field(default_factory=_default_changes)
    """Metric → relative worsening, in (0, 1), at which it warns and stops."""
    significance: float = 0.05
    """Family-wise error of all comparisons of one round, by Holm's method."""
    human_share: Threshold = Threshold(0.50, 0.10)
    """Least share of human tokens in the mixture trained on, epochs counted."""
    model_depth: Threshold = Threshold(1, 3)
    """Most trainings on machine data behind the generator."""
    has_verifier: bool = False
    """Whether a verifier filters the data: then depth warns and does not stop."""
    rounds_without_fresh: int = 2
    """Rounds without new human rows after which it warns."""
    tail_nll: float = 0.1
    """Rise in nats of the human tail decile's NLL, while the mean is flat, that warns."""

    def __post_init__(self) -> None:
        """Refuse rules on metrics that do not exist, and thresholds the wrong way round."""
        from selfsown.guard.metrics import WORSE

        for name, threshold in self.changes.items():
            if WORSE.get(name, "either") == "either":
                raise ConfigError(
                    f"`{name}` is no metric with a bad direction",
                    why="a rule alarms when a metric gets worse",
                    fix="use one of " + ", ".join(sorted(n for n in WORSE if WORSE[n] != "either")),
                )
            if not 0 < threshold.warn <= threshold.stop:
                raise ConfigError(
                    f"rule `{name}` warns at {threshold.warn} and stops at {threshold.stop}",
                    why="both are relative changes, and a warning comes first",
                    fix="give warn and stop with 0 < warn <= stop",
                )
