"""The lab as an experiment of `selfsown mad`: its loops, its charts, and what must hold.

A transformer that is unsure writes word pairs that no human wrote. So in the unbiased loops
distinct pairs do not fall as they do in tables of word pairs, they rise, in the worst loop no less
than in others (numbers in `docs/log.md`). What a loop loses shows in the rare human pairs, in the
share of right documents and in the loss.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from selfsown.guard.simulate.loops import Arm
from selfsown.guard.simulate.orderings import learned_orderings
from selfsown.guard.simulate.worlds import Experiment, Plot

if TYPE_CHECKING:
    from selfsown.loop.lab_world import LabWorld

ARMS: Final = (
    Arm("replace, T=1"),
    Arm("replace, T=.8", temperature=0.8),
    Arm("accumulate, T=1", accumulate=True),
    Arm("accumulate, T=.8", temperature=0.8, accumulate=True),
    Arm("fresh 50 %, T=1", fresh_share=0.5),
    Arm("fresh 50 %, T=.8", temperature=0.8, fresh_share=0.5),
)
"""The three loops, each unbiased and biased."""


def _make(seed: int) -> LabWorld:
    from selfsown.loop.lab_world import LabWorld

    return LabWorld(seed)


LAB: Final = Experiment(
    _make,
    (
        Plot(
            "distinct_2",
            "distinct pairs",
            "Different word pairs among equally many. More of them are no sign of health: unsure"
            " models write pairs that nobody writes.",
        ),
        Plot("rare_recall", "rare pairs left", "Rare human pairs that a round still produces."),
        Plot("tasks", "tasks of the world", "Documents that are right: the precision of the loop."),
        Plot("nll", "loss", "On held-out human text, for each token.", "nats"),
    ),
    rounds=4,
    arms=ARMS,
    fresh="fresh 50 %",
    orderings=learned_orderings,
    cost="trains 25 transformers of 0.4 M parameters, 7 CPU-minutes on one core",
)
"""Documents are instructions of the micro-world, models are transformers trained from nothing."""
