"""Answers that were paid for already: runs of the initial policy that ask what another one asked.

Loops with one initial policy ask it the same in their first round and in its probe, whatever else
they differ in, and the control `equal_data` asks it again what the first round did. Calls are told
apart by their keys, so an answer is copied only where model, prompt and sampling are equal.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from selfsown.loop.generate import is_finished
from selfsown.loop.preference.places import PreferencePlaces, RoundPlaces


def equal_runs(homes: Sequence[Path]) -> list[str]:
    """Finished runs of the initial policies of some loops.

    Args:
        homes: directories of loops; one that is not there has no runs.
    """
    return [str(run) for home in homes for run in _runs(PreferencePlaces(home)) if is_finished(run)]


def _runs(places: PreferencePlaces) -> Iterator[Path]:
    yield places.start.probe_run
    yield places.round(0).run
    home = places.control("equal_data").home
    for one in sorted(home.parent.glob(f"{home.name}*")):  # also those of fewer rounds
        yield RoundPlaces(one).run
