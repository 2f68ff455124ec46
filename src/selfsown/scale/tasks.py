"""What one shard is asked to do, and what came of it: plain JSON, for any worker to take."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from selfsown.core.config import RunConfig
from selfsown.core.cost import NANO
from selfsown.core.request import JSON, canonical_json

Status = Literal["finished", "suspended", "failed"]

_DATA_KEYS = {
    *("recipe", "preset", "models", "target", "seed", "order", "options"),
    *("model_depth", "round", "shard"),
}
"""Keys of a config by which a finished shard is known to be what is asked for now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One shard's work."""

    shard: int
    config: Mapping[str, Any]
    """The config of its run. It may hold headers, so it is never written to a file as it is."""
    part: str
    """The file with its rows or seeds."""
    digest: str
    """Changes when the finished shard would be another."""
    store: str = ""
    """Where its journal is sent to and restored from; empty: nowhere."""
    update: bool = False
    retry_failed: bool = False
    resume: str = ""
    """The command that resumes the job."""

    @property
    def stored_part(self) -> str:
        """The name of the part in the store, which changes with its content."""
        return f"parts/{self.shard:05d}-{self.digest[:16]}.jsonl"

    def to_mapping(self) -> dict[str, Any]:
        """The task as JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a task."""

    shard: int
    status: Status
    kind: str = ""
    """Class of the error; empty if it finished."""
    what: str = ""
    why: str = ""
    fix: str = ""
    accepted: int = 0
    rejected: int = 0
    failed: int = 0
    nano_usd: int = 0
    """Spent, or set aside for good, over the life of the shard."""
    tokens: int = 0
    calls: int = 0
    wall_s: float = 0.0
    """Of this attempt."""
    notes: tuple[str, ...] = field(default=())
    """Warnings of the run."""

    def to_mapping(self) -> dict[str, Any]:
        """The outcome as JSON."""
        return asdict(self)


def read_outcome(form: Mapping[str, Any]) -> Outcome:
    """An outcome from its JSON."""
    return Outcome(**{**form, "notes": tuple(form.get("notes", ()))})


def shard_config(
    config: RunConfig,
    shard: int,
    directory: Path,
    *,
    target: int | None,
    caps: tuple[int | None, int | None],
) -> RunConfig:
    """The config of one shard's run.

    Shard 0 keeps the job's seed, so that one shard is the run that it would be alone; the others'
    are a function of that seed and their number.

    Args:
        config: of the job.
        shard: its number.
        directory: its run directory.
        target: its share of the target; None for recipes that end with their rows.
        caps: its share of the budget, in nano-USD and tokens; None for no cap.
    """
    nano, tokens = caps
    budget = {"usd": None if nano is None else nano / NANO, "tokens": tokens}
    return config.model_copy(
        update={
            "shard": shard,
            "seed": shard_seed(config.seed, shard),
            "target": target,
            "budget": config.budget.model_copy(update=budget),
            "rows": None,
            "documents": None,
            "seeds": None,
            "out": str(directory),
        }
    )


def shard_seed(seed: int, shard: int) -> int:
    """The seed of one shard's random choices, below 2^63."""
    if shard == 0:
        return seed
    text = f"{seed}\0shard\0{shard}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest()) >> 1


def share(total: int, parts: int, part: int) -> int:
    """The part's share of a total that is split as evenly as integers allow, the first first."""
    return total // parts + (part < total % parts)


def task_digest(config: RunConfig, recipe_version: str, input_sha256: str) -> str:
    """By what a finished shard is known to be the one that is asked for now."""
    form: JSON = config.model_dump(mode="json", include=_DATA_KEYS)
    whole = canonical_json([form, recipe_version, input_sha256])
    return hashlib.sha256(whole).hexdigest()
