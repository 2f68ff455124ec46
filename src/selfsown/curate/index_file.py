"""Items of benchmarks in one file that is mapped, not read: the same answers as in memory.

The first line is a JSON object: format, version, settings, benchmarks with their item counts, where
each section lies, and the SHA-256 of all that and of the sections. These are little-endian:

- for each table (`item_store`) its codes in order and beside them numbers of items (32 bits each),
  and where the codes begin that share their first bits, so that a code is found in a step or two;
- the items as JSON lines `[benchmark, id, part, is_whole, compared text]`, and where each begins
  (64 bits).

The bytes follow from the items and their order alone. A gram takes about 14 bytes, and memory holds
the pages that are looked at. The file holds the compared words of the items: treat it like them.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from selfsown.core.errors import InputError
from selfsown.curate.decontaminate import MissingIndex
from selfsown.curate.item_store import TABLES, Item, MemoryStore, Settings, Table

FOLDER: Final = Path("indexes")
"""Where indexes are that are called by name alone."""
SUFFIX: Final = ".index"

FORMAT: Final = "selfsown decontamination index"
VERSION: Final = 1
_CODE_BITS: Final = 32
_PARTS: Final = ("codes", "numbers", "first")


def write_index(path: Path, store: MemoryStore) -> None:
    """Write all items of a store, whole or not at all.

    Raises:
        EnvironmentFailure: the file cannot be written.
    """
    from selfsown.core.rundir import whole_file

    _refuse_big_endian()
    sections = dict(_sections(store))
    offsets, at = dict[str, list[int]](), 0
    for name, data in sections.items():
        offsets[name] = [at, len(data)]
        at += len(data)
    header = {
        "format": FORMAT,
        "version": VERSION,
        "ngram": store.settings.ngram,
        "threshold": store.settings.threshold,
        "benchmarks": store.counts,
        "items": len(store.items),
        "sections": offsets,
    }
    line = _dumped(header | {"sha256": _sha256(header, sections.values())})
    with whole_file(path) as file:
        file.write(line + b" " * (-(len(line) + 1) % 8) + b"\n")
        for data in sections.values():
            file.write(data)


def index_path(name: str) -> Path:
    """Where the index of a name is: the file itself, or `indexes/NAME.index`."""
    return Path(name) if name.endswith(SUFFIX) else FOLDER / f"{name}{SUFFIX}"


def named_index(name: str) -> IndexFile:
    """The index of a name, or of a file.

    Raises:
        MissingIndex: there is none.
        InputError: it cannot be used.
    """
    path = index_path(name)
    if not path.exists():
        raise MissingIndex(
            f"there is no index of `{name}`: `{path}` does not exist",
            why="data would count as clean without having been compared",
            fix=f"selfsown decontaminate index FILE-OR-SUITE -o {path}",
        )
    return IndexFile(path)


class IndexFile:
    """The items of an index file."""

    def __init__(self, path: Path) -> None:
        """Map a file and verify its checksum.

        Raises:
            InputError: it is absent, no index, of another version, or damaged.
        """
        try:
            with path.open("rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is empty"
            raise _unusable(path, f"cannot be read: {reason}") from error
        header, start = _header(path, self._map)
        view = memoryview(self._map)
        self.sha256: str = header.pop("sha256", "")
        """Of its settings and items: equal for equal items in equal order."""
        if _sha256(header, [view[start:]]) != self.sha256:
            raise _unusable(path, "is damaged: its checksum does not hold")
        self.settings = Settings(header["ngram"], header["threshold"]).checked()
        self.counts: Mapping[str, int] = header["benchmarks"]
        self._sections = {
            name: view[start + at : start + at + size]
            for name, (at, size) in header["sections"].items()
        }
        self._starts = self._sections["starts"].cast("Q")
        self._tables = {
            name: tuple(self._sections[f"{name}.{part}"].cast("I") for part in _PARTS)
            for name in TABLES
        }

    def item(self, number: int) -> Item:
        """An item, with its compared form as its text."""
        line = self._sections["items"][self._starts[number] : self._starts[number + 1]]
        benchmark, name, part, is_whole, text = json.loads(bytes(line))
        return Item(benchmark, name, part, text, is_whole)

    def compared(self, number: int) -> str:
        """Its compared form."""
        return self.item(number).text

    def is_empty(self, table: Table) -> bool:
        """Whether no item is in a table."""
        return not len(self._tables[table][0])

    def hits(self, table: Table, codes: Iterable[int]) -> Iterator[tuple[int, Sequence[int]]]:
        """Positions and numbers of items."""
        known, numbers, first = self._tables[table]
        shift = _shift(len(known))
        for position, code in enumerate(codes):
            low, high = first[code >> shift], first[(code >> shift) + 1]
            if low == high:
                continue
            at = bisect_left(known, code, low, high)
            end = at
            while end < high and known[end] == code:
                end += 1
            if end > at:
                yield position, numbers[at:end]


def _sections(store: MemoryStore) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of every section, in order: what is 64 bits wide first, text last."""
    lines = [_line(item, text) for item, text in store.items]
    starts = array("Q", [0])
    for line in lines:
        starts.append(starts[-1] + len(line))
    yield "starts", starts.tobytes()
    for table in TABLES:
        codes, numbers = store.pairs(table)
        for part, values in zip(_PARTS, (codes, numbers, _first(codes)), strict=True):
            yield f"{table}.{part}", values.tobytes()
    yield "items", b"".join(lines)


def _line(item: Item, text: str) -> bytes:
    form = [item.benchmark, item.id, item.part, item.is_whole, text]
    return json.dumps(form, separators=(",", ":")).encode() + b"\n"


def _dumped(header: Mapping[str, object]) -> bytes:
    return json.dumps(header, sort_keys=True, separators=(",", ":")).encode()


def _sha256(header: Mapping[str, object], sections: Iterable[bytes | memoryview]) -> str:
    """The checksum of a header without it, and of the sections."""
    digest = hashlib.sha256(_dumped(header))
    for data in sections:
        digest.update(data)
    return digest.hexdigest()


def _shift(count: int) -> int:
    """How far codes are shifted so that about as many first parts remain as there are codes."""
    return _CODE_BITS - max(1, min(24, count.bit_length()))


def _first(codes: Sequence[int]) -> array[int]:
    """Of each first part of a code, and one more: how many codes have a smaller one."""
    shift = _shift(len(codes))
    first = array("I", bytes(4 * ((1 << (_CODE_BITS - shift)) + 1)))
    for code in codes:
        first[(code >> shift) + 1] += 1
    for part in range(1, len(first)):
        first[part] += first[part - 1]
    return first


def _header(path: Path, data: mmap.mmap) -> tuple[dict[str, Any], int]:
    """The header, and where the sections begin.

    Raises:
        InputError: it is none of ours, or of another version.
    """
    _refuse_big_endian()
    end = data.find(b"\n", 0, 1 << 20)
    try:
        header = json.loads(data[: max(end, 0)])
    except ValueError:
        header = None
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise _unusable(path, "is no decontamination index")
    if header.get("version") != VERSION:
        version = header.get("version")
        raise _unusable(path, f"has version {version}, and this selfsown reads {VERSION}")
    return header, end + 1


def _refuse_big_endian() -> None:
    if sys.byteorder != "little":
        raise InputError(
            "index files need a little-endian machine",
            why="they are mapped into memory as they are",
            fix="compare with the suites themselves: --suite SUITE",
        )


def _unusable(path: Path, what: str) -> InputError:
    return InputError(
        f"index `{path}` {what}",
        why="data would count as clean without having been compared",
        fix=f"selfsown decontaminate index FILE -o {path}  makes it from the benchmark",
    )
