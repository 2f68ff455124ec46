"""Where everything of a loop lies; a stage is finished when its last file exists."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

ARMS: Final = "arms"
"""Folder of the arms in the directory of an experiment."""


@dataclass(frozen=True, slots=True)
class RoundPlaces:
    """The files of one round, in the order in which they are written."""

    home: Path
    finished_run: Path | None = None
    """A run that was made elsewhere; None: the round's own."""

    @property
    def run(self) -> Path:
        """Run directory; `manifest.json` is its last file."""
        return self.finished_run or self.home / "run"

    @property
    def seeds(self) -> Path:
        """Machine-written tasks the run starts from, in loops that feed on themselves."""
        return self.home / "demonstrations.jsonl"

    @property
    def data(self) -> Path:
        """Accepted records in Alpaca's columns without what repeats an evaluation item.

        Provenance, and the list of what was removed, lie beside.
        """
        return self.home / "data.jsonl"

    @property
    def lists(self) -> Path:
        """Its instructions as lists, to rehearse writing them."""
        return self.home / "lists.jsonl"

    @property
    def curated(self) -> Path:
        """What was kept and removed; the last file of curation."""
        return self.home / "curated.json"

    @property
    def audit(self) -> Path:
        """Run directory of the guard's unbiased draw."""
        return self.home / "audit"

    @property
    def model(self) -> Path:
        """Folder of the tuned model; `training.json` is its last file."""
        return self.home / "model"

    @property
    def scores(self) -> Path:
        """Directory of the evaluation; `results.json` is its last file."""
        return self.home / "eval"

    @property
    def ending(self) -> Path:
        """How the round ended: its last file."""
        return self.home / "round.json"


@dataclass(frozen=True, slots=True)
class LoopPlaces:
    """The files of a loop."""

    home: Path

    @property
    def config(self) -> Path:
        """The config with every default."""
        return self.home / "loop.yaml"

    @property
    def human(self) -> Path:
        """The human seeds as training rows, cleaned of evaluation items."""
        return self.home / "human.jsonl"

    @property
    def human_lists(self) -> Path:
        """Their instructions as lists, to rehearse writing them."""
        return self.home / "human_lists.jsonl"

    @property
    def base_scores(self) -> Path:
        """Evaluation of the base."""
        return self.home / "base" / "eval"

    @property
    def numbers(self) -> Path:
        """Every number of the page."""
        return self.home / "loop.json"

    @property
    def page(self) -> Path:
        """The page."""
        return self.home / "loop.html"

    def round(self, number: int) -> RoundPlaces:
        """One round."""
        return RoundPlaces(self.home / "rounds" / str(number))
