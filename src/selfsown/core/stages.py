"""Candidates, the stages they pass, and the law that none of them disappears.

A stage counts what enters and how it ends: kept, rejected (with a reason) or failed (with an
error). At the end of a run, in = kept + rejected + failed for every stage, or the run says so.
Ended candidates go to a scratch database on disk, so memory stays flat and the data files come out
sorted by (stage, order) whatever the order of arrival.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import struct
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal, TypeVar

from selfsown.core.errors import CallFailed, ConservationError, EnvironmentFailure
from selfsown.core.request import JSON, canonical_json, clean_json, short_id

End = Literal["accepted", "passed", "rejected", "failed"]

ModelT = TypeVar("ModelT")

_FLUSH_ROWS: Final = 500
_WRITING_ROLES: Final = ("generator", "policy")


def writers(models: Mapping[str, ModelT]) -> list[ModelT]:
    """Of the models by role, those that write what a recipe keeps; without such a role, all."""
    found = [models[role] for role in _WRITING_ROLES if role in models]
    return found or list(models.values())


@dataclass(frozen=True, slots=True)
class Origin:
    """What all records of a run share in their provenance."""

    recipe: str
    recipe_version: str
    models: Mapping[str, str]
    """Role → model identity."""
    model_depth: int = 0
    """Trainings on machine data behind the generating model."""
    round: int = 0
    shard: int = 0
    """Number among the shards of a job; part of the ids, so that they differ between shards."""


@dataclass(frozen=True, slots=True)
class Record:
    """A kept candidate."""

    id: str
    """Hash of stage, payload, journal keys, order and shard: this record of this run."""
    content_id: str
    """Hash of the payload alone: equal content, equal id, in every run."""
    stage: str
    payload: Mapping[str, JSON]
    parents: tuple[str, ...]
    parent_depth: int


@dataclass(slots=True)
class StageCounts:
    """How the candidates of one stage ended."""

    unit: str
    output: bool
    entered: int = 0
    kept: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)

    @property
    def open(self) -> int:
        """Candidates that have not ended."""
        return self.entered - self.kept - self.rejected.total() - self.failed.total()

    def form(self, name: str) -> dict[str, JSON]:
        """The counts as the manifest has them."""
        return {
            "stage": name,
            "unit": self.unit,
            "output": self.output,
            "in": self.entered,
            "accepted": self.kept,
            "rejected": dict(sorted(self.rejected.items())),
            "failed": dict(sorted(self.failed.items())),
        }


class Candidate:
    """Something generated and not yet judged. It ends exactly once."""

    __slots__ = ("_ended", "_stage", "content_id", "id", "keys", "order", "parent_depth",
                 "parents", "payload")  # fmt: skip

    def __init__(
        self,
        stage: Stage,
        payload: Mapping[str, JSON],
        order: tuple[int, ...],
        parents: tuple[str, ...],
        keys: tuple[str, ...],
        parent_depth: int,
    ) -> None:
        self._stage = stage
        self._ended = False
        self.payload = payload
        self.order = order
        self.parents = parents
        self.keys = keys
        self.parent_depth = parent_depth
        self.content_id = short_id(payload)
        whole = f"{stage.name} {self.content_id} {keys} {order}{stage.suffix}".encode()
        self.id = "r-" + hashlib.blake2b(whole, digest_size=8).hexdigest()

    def keep(
        self, add: Mapping[str, JSON] = MappingProxyType({}), *, score: float | None = None
    ) -> Record:
        """Accept it, with fields to add to (or replace in) the payload; its ids stay the same."""
        payload = {**self.payload, **add}
        record = Record(
            self.id, self.content_id, self._stage.name, payload, self.parents, self.parent_depth
        )
        self._end()
        self._stage.kept(self, payload, score)
        return record

    def reject(self, reason: str, score: float | None = None) -> None:
        """Reject it for a named reason, with the score that decided where there is one."""
        self._end()
        self._stage.rejected(self, reason, score)

    def fail(self, error: CallFailed) -> None:
        """End it with the error that kept it from being judged."""
        self._end()
        self._stage.failed(self, error)

    def _end(self) -> None:
        if self._ended:
            raise ConservationError(
                f"candidate `{self.id}` of stage `{self._stage.name}` ended twice",
                why="each candidate is kept, rejected or failed exactly once",
                fix="this is a defect of the recipe: end it in one place",
            )
        self._ended = True


class Stage:
    """One step of a recipe's funnel. `output` marks the stage whose kept records are the data."""

    def __init__(self, name: str, unit: str, output: bool, number: int, sink: Sink) -> None:
        self.name = name
        self.counts = StageCounts(unit, output)
        self.suffix: str = sink.suffix
        self._number = number
        self._sink = sink

    def enter(
        self,
        payload: Mapping[str, JSON],
        *,
        order: tuple[int, ...],
        parents: Sequence[str] = (),
        keys: Sequence[str] = (),
        parent_depth: int = 0,
    ) -> Candidate:
        """A new candidate.

        Args:
            payload: what it says; the record's fields.
            order: where it stands among its stage's candidates in the data files, for example
                (delivery ordinal, position in the answer); unique within the stage.
            parents: ids of the seeds, records or documents it was made from.
            keys: hex journal keys of the calls behind it.
            parent_depth: longest chain of parents back to a human seed; 0 without parents.
        """
        self.counts.entered += 1
        return Candidate(self, payload, order, tuple(parents), tuple(keys), parent_depth)

    def kept(self, candidate: Candidate, payload: Mapping[str, JSON], score: float | None) -> None:
        """Count and write a kept candidate; `Candidate.keep` calls it."""
        self.counts.kept += 1
        if self.counts.output:
            name = "record_id" if "id" in payload else "id"
            self._sink.put(
                "accepted.jsonl", self._number, candidate, {name: candidate.id, **payload}
            )
        extra: dict[str, JSON] = {} if score is None else {"score": score}
        if self.counts.output:
            self._provenance(candidate, "accepted", payload, extra)
        else:  # no data file has it, so its own line does
            self._provenance(candidate, "passed", payload, {**extra, "record": payload})

    def rejected(self, candidate: Candidate, reason: str, score: float | None) -> None:
        """Count and write a rejected candidate; `Candidate.reject` calls it."""
        self.counts.rejected[reason] += 1
        line = {**self._head(candidate), "reason": reason, "score": score}
        self._sink.put(
            "rejected.jsonl", self._number, candidate, {**line, "record": candidate.payload}
        )
        self._provenance(candidate, "rejected", candidate.payload, {"reason": reason})

    def failed(self, candidate: Candidate, error: CallFailed) -> None:
        """Count and write a failed candidate; `Candidate.fail` calls it."""
        self.counts.failed[error.kind] += 1
        what: JSON = {"kind": error.kind, "what": error.what}
        line = {**self._head(candidate), "error": what, "record": candidate.payload}
        self._sink.put("failed.jsonl", self._number, candidate, line)
        self._provenance(candidate, "failed", candidate.payload, {"error": error.kind})

    def _head(self, candidate: Candidate) -> dict[str, JSON]:
        return {"id": candidate.id, "stage": self.name}

    def _provenance(
        self,
        candidate: Candidate,
        end: End,
        payload: Mapping[str, JSON],
        extra: Mapping[str, JSON],
    ) -> None:
        line: dict[str, JSON] = {"id": candidate.id, "content_id": candidate.content_id}
        if "id" in payload:
            line["row_id"] = payload["id"]
        line |= {
            "stage": self.name,
            "end": end,
            **extra,
            "origin": "model" if candidate.keys else "human",
            "parents": candidate.parents,
            "parent_depth": candidate.parent_depth,
            **self._sink.shared,
            "keys": candidate.keys,
            "order": candidate.order,
        }
        self._sink.put("provenance.jsonl", self._number, candidate, line)


class Sink:
    """Where ended candidates wait, on disk, to be written out in order."""

    def __init__(self, scratch: Path, origin: Origin) -> None:
        self._path = scratch
        scratch.unlink(missing_ok=True)
        with self._translated_errors():
            self._db = sqlite3.connect(scratch, isolation_level=None)
            self._db.executescript(
                "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-4096;"
                "CREATE TABLE lines(file TEXT, stage INTEGER, ord BLOB, line BLOB);"
            )
        self._buffer: list[tuple[str, int, bytes, bytes]] = []
        self.shared: dict[str, JSON] = {
            "model_depth": origin.model_depth,
            "recipe": origin.recipe,
            "recipe_version": origin.recipe_version,
            "models": origin.models,
            "round": origin.round,
            **({"shard": origin.shard} if origin.shard else {}),
        }
        self.suffix = f" {origin.shard}" if origin.shard else ""
        """What the shard adds to the text that a record's id is the hash of."""

    def put(self, file: str, stage: int, candidate: Candidate, line: Mapping[str, JSON]) -> None:
        """Keep one line of one data file."""
        order = struct.pack(f">{len(candidate.order)}q", *candidate.order)
        self._buffer.append((file, stage, order, data_line(line)))
        if len(self._buffer) >= _FLUSH_ROWS:
            self._flush()

    def lines(self, file: str) -> Iterator[bytes]:
        """The lines of a data file, sorted by stage and order."""
        self._flush()
        for (line,) in self._db.execute(
            "SELECT line FROM lines WHERE file=? ORDER BY stage, ord, rowid", (file,)
        ):
            yield line

    def close(self) -> None:
        """Remove the scratch file."""
        self._db.close()
        self._path.unlink(missing_ok=True)

    def _flush(self) -> None:
        with self._translated_errors():
            self._db.execute("BEGIN")
            self._db.executemany("INSERT INTO lines VALUES (?, ?, ?, ?)", self._buffer)
            self._db.execute("COMMIT")
        self._buffer.clear()

    @contextlib.contextmanager
    def _translated_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise EnvironmentFailure(
                f"`{self._path}` cannot be written: {error}",
                why="ended candidates wait there for the data files",
                fix="free space on that disk, then run the same command again",
            ) from error


def data_line(value: Mapping[str, JSON]) -> bytes:
    """One line of a data file: JSON in UTF-8, keys in the given order, no newline."""
    import orjson

    try:
        return orjson.dumps(value, default=_plain)
    except TypeError:  # integers beyond 64 bits, lone surrogates: the standard encoder takes them
        return canonical_json(clean_json(value))


def check_conservation(stages: Sequence[Stage]) -> None:
    """Raise unless every candidate of every stage has ended.

    Raises:
        ConservationError: names the stages and how many candidates are missing.
    """
    missing = [f"`{stage.name}`: {stage.counts.open}" for stage in stages if stage.counts.open]
    if missing:
        raise ConservationError(
            "candidates that never ended: " + ", ".join(missing),
            why="candidates in = accepted + rejected + failed, in every stage",
            fix="this is a defect of the recipe: every `enter` needs a keep, reject or fail",
        )


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return list(value)
    raise TypeError(f"`{type(value).__name__}` is not JSON")
