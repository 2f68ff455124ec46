"""Where everything of a preference loop lies; a stage is finished when its last file exists.

Rounds count from 0: round t is written by the policy that was promoted before it, and leaves the
next one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class PolicyPlaces:
    """What is known of one policy; each stage is made once."""

    home: Path

    @property
    def model(self) -> Path:
        """Folder of the model; `training.json` is its last file."""
        return self.home / "model"

    @property
    def probe(self) -> Path:
        """Folder of its measures; `measure.PROBE` is its last file."""
        return self.home / "probe"

    @property
    def probe_run(self) -> Path:
        """Run directory of the probe."""
        return self.probe / "run"

    @property
    def anchor(self) -> Path:
        """Folder of its judgements of the anchor; `calibration.json` is its last file."""
        return self.home / "anchor"


@dataclass(frozen=True, slots=True)
class RoundPlaces(PolicyPlaces):
    """The files of one round, in the order in which they are written, and of the policy it left."""

    finished_run: Path | None = None
    """A run that was made elsewhere; None: the round's own."""

    @property
    def run(self) -> Path:
        """Run directory of the recipe; `manifest.json` is its last file."""
        return self.finished_run or self.home / "run"

    @property
    def pairs(self) -> Path:
        """Its pairs; provenance, and the list of what gave none, lie beside."""
        return self.home / "pairs.jsonl"

    @property
    def gates(self) -> Path:
        """What the gates saw: counts, rates, floors that were missed."""
        return self.home / "gates.json"

    @property
    def ending(self) -> Path:
        """How the round ended: its last file."""
        return self.home / "round.json"


@dataclass(frozen=True, slots=True)
class ChainPlaces:
    """A chain of rounds: the loop's own, or that of a control."""

    home: Path

    def round(self, number: int) -> RoundPlaces:
        """One round."""
        return RoundPlaces(self.home / "rounds" / str(number))


@dataclass(frozen=True, slots=True)
class PreferencePlaces(ChainPlaces):
    """The files of a preference loop."""

    @property
    def config(self) -> Path:
        """The config with every default."""
        return self.home / "loop.yaml"

    @property
    def scorers(self) -> Path:
        """Who scores, by the hash of the model where it is one of this process."""
        return self.home / "scorers.yaml"

    @property
    def start(self) -> PolicyPlaces:
        """The initial policy; it has a model of its own only if the base was tuned first."""
        return PolicyPlaces(self.home / "start")

    @property
    def prompts(self) -> Path:
        """Folder of the rounds' prompts: `0.jsonl`, `1.jsonl`, ..., `validation.jsonl`."""
        return self.home / "prompts"

    @property
    def written(self) -> Path:
        """Run directory of the writer, one for all rounds, if prompts are written."""
        return self.prompts / "run"

    def prompts_of(self, number: int) -> Path:
        """The prompts of one round."""
        return self.prompts / f"{number}.jsonl"

    @property
    def validation(self) -> Path:
        """The validation prompts."""
        return self.prompts / "validation.jsonl"

    def control(self, name: str) -> ChainPlaces:
        """A control."""
        return ChainPlaces(self.home / "controls" / name)

    @property
    def numbers(self) -> Path:
        """Every number of the page, the best policy, and where it lies."""
        return self.home / "loop.json"

    @property
    def page(self) -> Path:
        """The page."""
        return self.home / "loop.html"
