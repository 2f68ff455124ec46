"""The lab experiment: arms beside each other, then two loops that feed, on one page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from selfsown.core.rundir import locked
from selfsown.loop.arms import ArmsConfig, compare_arms
from selfsown.loop.feeding import FeedingConfig, feed, tails_of
from selfsown.loop.places import LoopPlaces
from selfsown.report.loop_numbers import VERSION, PageNumbers
from selfsown.report.loop_page import write_loop_page


def experiment(
    arms: ArmsConfig, feeding: FeedingConfig | None, out: Path, tell: Callable[[str], None]
) -> PageNumbers:
    """Run what is left of the experiment and write `loop.json` and `loop.html`.

    Args:
        arms: the arms.
        feeding: the two loops; None leaves them out.
        out: directory of page and numbers; it must hold the directories of arms and loops.
        tell: receives one line per finished stage.

    Raises:
        Suspended: environment or a signal stopped it; the same call resumes.
    """
    places = LoopPlaces(out)
    with locked(out):
        comparison = compare_arms(arms, tell)
        numbers = PageNumbers(VERSION, out.name, (), comparison)
        write_loop_page(numbers, places.numbers, places.page)
        if feeding is not None:
            loops = feed(feeding, tell)
            drawn = tuple(loops[feeding.seeds[0]])
            tails = tuple(tails_of(loops))
            numbers = PageNumbers(VERSION, out.name, drawn, comparison, tails)
            write_loop_page(numbers, places.numbers, places.page)
    return numbers
