"""The write-ahead log beside a journal: which of its frames count, and whether any is missing.

SQLite takes a log up to the first frame whose checksum does not fit, and what follows for the
remains of a process that died; one changed bit there would cost every later commit in silence, and
mix old pages with newer ones of the database. So the log is read before SQLite opens it: where a
complete commit follows the break, or the index beside the log (`-shm`) counts more commits than
the log holds, the journal is damaged. File format: https://sqlite.org/fileformat2.html section 4,
and https://sqlite.org/walformat.html section 2 for the index.

Covered: frames, and the log's header, changed, zeroed or cut off. Not covered, where the index is
lost or older than the log: its last commit, which looks like one that was never ended, and a log
that was cut off, which looks like a shorter one. What is lost there is asked again.
"""

from __future__ import annotations

import os
import struct
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from selfsown.core.journal_file import PAGE_BYTES, damaged, translated

_HEADER: Final = 32
_FRAME: Final = 24
_MAGIC: Final = 0x377F0682
"""The last bit says that checksums are over big-endian words."""
_INDEX: Final = 48
"""Bytes of the index's header, which is there twice, followed by how much was copied back."""
_LOOKS: Final = 5
"""How often a log that a live process begins anew meanwhile is read again."""

Sum = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Frame:
    """One page as a transaction wrote it."""

    number: int
    """Its place in the log, from 1."""
    page: int
    """Number of the page, from 1."""
    data: bytes
    salts: bytes
    """Those of the log's header, unless it is left over from before the log began anew."""
    ends: bool
    """Whether its transaction ends here."""
    fits: bool
    """Its checksum fits it and the frame before, whether or not that one fits."""
    chained: bool
    """So does every frame before it: SQLite reads it."""


class _Index(NamedTuple):
    """What the index says."""

    salts: bytes
    committed: int
    """Frames of committed transactions."""
    copied: int
    """Of those, how many were copied into the database."""


def log_of(journal: Path) -> Path:
    """Where the log of a journal is, if there is one."""
    return journal.with_name(f"{journal.name}-wal")


def frames(log: Path) -> Iterator[Frame]:
    """All whole frames of a log, in order; none where there is no log."""
    if not log.exists():
        return
    with log.open("rb") as file:
        header = file.read(_HEADER)
        if len(header) < _HEADER:
            return
        order = ">" if header[3] & 1 else "<"
        salts, stored = header[16:24], _stored(header, 24)
        chained = _is_header(header, order)
        computed, number = stored, 0
        while len(block := file.read(_FRAME + PAGE_BYTES)) == _FRAME + PAGE_BYTES:
            number += 1
            told = _stored(block, 16)
            data, covered = block[_FRAME:], block[:8] + block[_FRAME:]
            # Where the checksum of the frame before was itself changed, that over its bytes fits.
            sums = [_sum(covered, order, start) for start in dict.fromkeys((stored, computed))]
            fits = told in sums
            chained = chained and told == sums[0] and block[8:16] == salts
            stored, computed = told, told if fits else sums[-1]
            page, size = struct.unpack(">2I", block[:8])
            yield Frame(number, page, data, block[8:16], size > 0, fits, chained)


def enter(journal: Path) -> None:
    """Say that this process opens a journal; if it has not got it open, look at its log first.

    To close the index would let go of SQLite's locks on it, so the first one to open it looks.
    Costs about 0.1 ms per frame, where there is a log: after a kill, or while a process writes.

    Raises:
        JournalDamaged: something that was committed is missing from the log.
        EnvironmentFailure: a file cannot be read.
    """
    with _entering:
        if not _open_here[os.path.realpath(journal)]:
            with translated(journal):
                words = _missing(journal)
            if words:
                raise damaged(journal, words)
        _open_here[os.path.realpath(journal)] += 1


def leave(journal: Path) -> None:
    """Say that what `enter` was told of is closed."""
    name = os.path.realpath(journal)
    with _entering:
        _open_here[name] -= 1
        if not _open_here[name]:
            del _open_here[name]


def committed(journal: Path) -> Iterator[Frame]:
    """Frames of a log's transactions that were committed, damaged ones among them, in order.

    So are those that follow the last commit without a break: whoever wrote them died before the
    commit, or its last frame is damaged, and they continue what was committed. Frames further on
    may be older than what was committed since, under the same sequence numbers.
    """
    log, index, last = log_of(journal), _index(journal), dict[bytes, int]()
    if index is not None:
        last[index.salts] = index.committed
    for frame in frames(log):
        if frame.fits and (frame.ends or last.get(frame.salts, 0) == frame.number - 1):
            last[frame.salts] = max(frame.number, last.get(frame.salts, 0))
    for frame in frames(log):
        if frame.number <= last.get(frame.salts, 0):
            yield frame


_entering = threading.Lock()
_open_here: Counter[str] = Counter()
"""Journals that this process has open, and how often."""


def _missing(journal: Path) -> str:
    """What a journal's log has lost, in words; empty if nothing."""
    words = ""
    for _ in range(_LOOKS):
        before = _marks(journal)
        words = _lost(journal)
        if not words or before == _marks(journal):
            break
    return words


def _lost(journal: Path) -> str:
    log = log_of(journal)
    header = _header(log)
    is_whole = len(header) == _HEADER and _is_header(header, ">" if header[3] & 1 else "<")
    valid = read = later = 0
    for frame in frames(log):
        if frame.chained:
            read = frame.number
            valid = frame.number if frame.ends else valid
        elif frame.fits and frame.ends and (not is_whole or frame.salts == header[16:24]):
            later = frame.number
    if later:
        return f"its log breaks off at frame {read + 1}, and commits follow up to frame {later}"
    index = _index(journal)
    if index is None or (is_whole and index.salts != header[16:24]):
        return ""  # the index is of another time
    if index.committed > valid and (valid or index.copied < index.committed):
        return f"its log holds {valid} of {index.committed} frames that were committed"
    return ""


def _index(journal: Path) -> _Index | None:
    """What the index beside a log says; None if there is none that can be trusted."""
    path = journal.with_name(f"{journal.name}-shm")
    if not path.exists():
        return None
    with path.open("rb") as file:
        data = file.read(2 * _INDEX + 4)
    one = data[:_INDEX]
    if len(data) < 2 * _INDEX + 4 or one != data[_INDEX : 2 * _INDEX] or not one[12]:
        return None
    own = "<" if sys.byteorder == "little" else ">"
    if struct.unpack(f"{own}2I", one[40:48]) != _sum(one[:40], own, (0, 0)):
        return None
    (frames_committed,) = struct.unpack(f"{own}I", one[16:20])
    (copied,) = struct.unpack(f"{own}I", data[2 * _INDEX :])
    return _Index(one[32:40], frames_committed, copied)


def _marks(journal: Path) -> tuple[bytes, _Index | None]:
    """What changes when a live process begins the log anew."""
    return _header(log_of(journal)), _index(journal)


def _header(log: Path) -> bytes:
    if not log.exists():
        return b""
    with log.open("rb") as file:
        return file.read(_HEADER)


def _is_header(header: bytes, order: str) -> bool:
    magic = int.from_bytes(header[:4])
    return magic & ~1 == _MAGIC and _sum(header[:24], order, (0, 0)) == _stored(header, 24)


def _stored(block: bytes, at: int) -> Sum:
    one, other = struct.unpack(">2I", block[at : at + 8])
    return one, other


def _sum(data: bytes, order: str, start: Sum) -> Sum:
    """SQLite's checksum over pairs of 4-byte words (file format section 4.2)."""
    one, other = start
    words = iter(struct.unpack(f"{order}{len(data) // 4}I", data))
    for first, second in zip(words, words, strict=True):
        one = (one + first + other) & 0xFFFFFFFF
        other = (other + second + one) & 0xFFFFFFFF
    return one, other
