"""Where everything of a sharded job lies in its directory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

JOB: Final = "job.json"


@dataclass(frozen=True, slots=True)
class JobPlaces:
    """The paths of one job."""

    home: Path

    @property
    def job(self) -> Path:
        """What the job is: how many shards, of which input. Written when the input is split."""
        return self.home / JOB

    @property
    def ledger(self) -> Path:
        """How each shard stands and what it may spend."""
        return self.home / "ledger.sqlite"

    @property
    def parts(self) -> Path:
        """The folder of the split input."""
        return self.home / "parts"

    def part(self, shard: int) -> Path:
        """The rows or seeds of one shard."""
        return self.parts / f"{shard:05d}.jsonl"

    def shard(self, shard: int) -> Path:
        """The run directory of one shard."""
        return self.home / "shards" / f"{shard:05d}"

    def epoch(self, epoch: int) -> Path:
        """What the islands had made by the end of an epoch, merged."""
        return self.home / "epochs" / f"{epoch:05d}"
