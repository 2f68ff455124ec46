"""The input of a job, dealt out to its shards: row i goes to shard i mod N.

So the place of a row is (ordinal, shard) = (i div N, i mod N), and the merge, which goes by that,
has the order of the input. Memory stays below `BUFFER_BYTES` whatever the input and N.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from selfsown.core.inputs import row_line
from selfsown.core.request import JSON
from selfsown.core.rundir import sync_directory, translated_os_errors

BUFFER_BYTES: Final = 32 * 2**20


@dataclass(frozen=True, slots=True)
class Dealt:
    """What was dealt out."""

    rows: int
    sha256: str
    """Of all lines, in the order of the input."""


def digest_rows(rows: Iterable[Mapping[str, JSON]]) -> Dealt:
    """What dealing these rows out would come to; nothing is written."""
    digest, count = hashlib.sha256(), 0
    for index, row in enumerate(rows):
        digest.update(row_line(index, row) + b"\n")
        count += 1
    return Dealt(count, digest.hexdigest())


def deal(rows: Iterable[Mapping[str, JSON]], shards: int, folder: Path, first: int = 0) -> Dealt:
    """Write the files `NNNNN.jsonl` of the shards `first` and up, each whole or not at all.

    A shard that gets no row gets an empty file.

    Raises:
        InputError: a row is not a mapping of JSON values.
        EnvironmentFailure: the folder cannot be written.
    """
    incoming = folder / ".incoming"
    with translated_os_errors(folder):
        shutil.rmtree(incoming, ignore_errors=True)
        incoming.mkdir(parents=True)
        paths = [incoming / f"{first + shard:05d}.jsonl" for shard in range(shards)]
        for path in paths:
            path.touch()
        digest, count, held = hashlib.sha256(), 0, 0
        waiting: defaultdict[int, list[bytes]] = defaultdict(list)
        for index, row in enumerate(rows):
            line = row_line(index, row) + b"\n"
            digest.update(line)
            waiting[index % shards].append(line)
            count, held = count + 1, held + len(line)
            if held > BUFFER_BYTES:
                _append(paths, waiting)
                held = 0
        _append(paths, waiting)
        for path in paths:
            path.replace(folder / path.name)
        incoming.rmdir()
        sync_directory(folder)
    return Dealt(count, digest.hexdigest())


def part_rows(path: Path) -> Iterator[Mapping[str, JSON]]:
    """The rows of one shard, lazily, with integers of any size."""
    with path.open("rb") as lines:
        for line in lines:
            yield json.loads(line)


def _append(paths: list[Path], waiting: defaultdict[int, list[bytes]]) -> None:
    for shard, lines in waiting.items():
        with paths[shard].open("ab") as file:
            file.writelines(lines)
    waiting.clear()
