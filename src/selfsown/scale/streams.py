"""The lines of many runs as one stream, in an order that does not depend on who made them when.

Each run's files are sorted by (stage, order) already, so this is a merge of sorted streams: memory
and open files are those of `FAN_IN` runs; of more, groups are merged into scratch files first.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import orjson

from selfsown.core.errors import InputError

FAN_IN: Final = 64
_FILES: Final = {"accepted": "accepted.jsonl", "rejected": "rejected.jsonl"} | {
    "failed": "failed.jsonl"
}
"""How a candidate ended → the data file that has its line."""


class Key(NamedTuple):
    """Where a line stands in the merge."""

    stage: int
    """Number of the stage."""
    epoch: int
    ordinal: int
    """The first part of the record's order: a row's place in its shard, or a hand-over."""
    shard: int
    rest: tuple[int, ...]
    """The other parts of the order."""
    id: str


class Entry(NamedTuple):
    """One ended candidate."""

    key: Key
    end: str
    """`accepted`, `passed`, `rejected` or `failed`."""
    provenance: bytes
    """Its line in `provenance.jsonl`, without the newline."""
    line: bytes
    """Its line in the data file that `end` names; empty for `passed`."""


@dataclass(frozen=True, slots=True)
class Source:
    """A run to be merged."""

    directory: Path
    epoch: int
    shard: int


def entries(source: Source, stages: Mapping[str, int]) -> Iterator[Entry]:
    """The ended candidates of one run, in order.

    Args:
        source: the run.
        stages: name → number.

    Raises:
        InputError: its files do not belong together.
    """
    home = source.directory
    with ExitStack() as stack:
        data = {end: stack.enter_context((home / name).open("rb")) for end, name in _FILES.items()}
        for whole in stack.enter_context((home / "provenance.jsonl").open("rb")):
            row = orjson.loads(whole)
            first, *rest = row["order"]
            key = Key(
                stages[row["stage"]], source.epoch, first, source.shard, tuple(rest), row["id"]
            )
            end = row["end"]
            line = data[end].readline().rstrip(b"\n") if end in data else b""
            if end in data and row["id"].encode() not in line:
                raise _torn(home)
            yield Entry(key, end, whole.rstrip(b"\n"), line)
        if any(file.readline() for file in data.values()):
            raise _torn(home)


class Merged:
    """The candidates of all sources in the order of their keys; may be iterated more than once."""

    def __init__(self, sources: Sequence[Source], stages: Mapping[str, int], scratch: Path) -> None:
        """Prepare; `scratch` is a folder for intermediate files, made if there are many sources."""
        streams: list[Callable[[], Iterator[Entry]]] = [
            _Reading(source, stages) for source in sources
        ]
        level = 0
        while len(streams) > FAN_IN:
            scratch.mkdir(parents=True, exist_ok=True)
            groups = [streams[at : at + FAN_IN] for at in range(0, len(streams), FAN_IN)]
            streams = [
                _spooled(group, scratch / f"{level}-{number:05d}.jsonl")
                for number, group in enumerate(groups)
            ]
            level += 1
        self._streams = streams

    def __iter__(self) -> Iterator[Entry]:
        """All candidates.

        Raises:
            InputError: a record is there twice.
        """
        place: tuple[int, ...] = ()
        seen: set[str] = set()
        for entry in heapq.merge(*(stream() for stream in self._streams)):
            if entry.key[:3] != place:
                place = entry.key[:3]
                seen.clear()
            if entry.key.id in seen:
                raise InputError(
                    f"record `{entry.key.id}` is in two of the runs",
                    why="ids join records and provenance, so each may be there once",
                    fix="name each run once; shards of one job differ in `shard`",
                )
            seen.add(entry.key.id)
            yield entry


class _Reading:
    """A source, read anew at each call."""

    def __init__(self, source: Source, stages: Mapping[str, int]) -> None:
        self._source, self._stages = source, stages

    def __call__(self) -> Iterator[Entry]:
        return entries(self._source, self._stages)


def _spooled(
    group: Sequence[Callable[[], Iterator[Entry]]], path: Path
) -> Callable[[], Iterator[Entry]]:
    """Write the merge of a group to a file, and return its reader."""
    with path.open("wb") as file:
        for key, end, provenance, line in heapq.merge(*(stream() for stream in group)):
            form = [*key[:4], list(key.rest), key.id, end, provenance.decode(), line.decode()]
            file.write(orjson.dumps(form) + b"\n")

    def read() -> Iterator[Entry]:
        with path.open("rb") as lines:
            for text in lines:
                stage, epoch, ordinal, shard, rest, name, end, provenance, line = orjson.loads(text)
                key = Key(stage, epoch, ordinal, shard, tuple(rest), name)
                yield Entry(key, end, provenance.encode(), line.encode())

    return read


def _torn(home: Path) -> InputError:
    return InputError(
        f"the files of `{home}` do not belong together",
        why="each line of the data files has one in provenance.jsonl, in the same order",
        fix="run the command that made the directory again: it rebuilds them from the journal",
    )
