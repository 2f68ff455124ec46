"""Files opened for reading, unpacked where they end in `.gz`, never more than a bound of them."""

from __future__ import annotations

import contextlib
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, cast

from selfsown.documents.refusal import Refused

_EXPANSION: Final = 200
"""How often larger a packed file may be unpacked; text packs to a fifth, tables to a fiftieth."""
_BLOCK: Final = 1 << 16


@contextlib.contextmanager
def opened(path: Path, max_bytes: int) -> Iterator[io.BufferedReader]:
    """Open a file to be read from its start to its end; its size counts unpacked.

    Args:
        path: of the file.
        max_bytes: a packed file may always be unpacked to this, and to 200 times its size.

    Raises:
        Refused: it cannot be opened or read, is damaged, or expands beyond measure.
    """
    with translated():
        if path.suffix.lower() != ".gz":
            with path.open("rb") as handle:
                yield handle
            return
        most = max(max_bytes, _EXPANSION * path.stat().st_size)
        with gzip.open(path) as packed:
            yield io.BufferedReader(cast("io.RawIOBase", _Bounded(packed, most)))


def whole(path: Path, max_bytes: int) -> bytes:
    """All bytes of a file, unpacked.

    Raises:
        Refused: as `opened`, or there are more than `max_bytes`.
    """
    with opened(path, max_bytes) as handle:
        parts, size = [], 0
        while part := handle.read(_BLOCK):
            parts.append(part)
            size += len(part)
            if size > max_bytes:
                raise too_large("the file", max_bytes)
    return b"".join(parts)


def too_large(what: str, max_bytes: int) -> Refused:
    """The refusal of what would take more memory than the user allows."""
    return Refused(
        "too_large",
        f"{what} has more than {max_bytes:,} bytes; `max_bytes` (--max-bytes) sets the limit",
    )


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """What the system or the unpacker says of a file, as a refusal."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Refused("damaged", f"it cannot be unpacked: {error}") from error
    except OSError as error:
        raise Refused("damaged", f"it cannot be read: {error.strerror or error}") from error


class _Bounded(io.RawIOBase):
    """A stream that refuses to give more than so many bytes."""

    def __init__(self, stream: gzip.GzipFile, most: int) -> None:
        self._stream, self._left, self._most = stream, most, most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        data = self._stream.read(min(len(buffer), _BLOCK))
        buffer[: len(data)] = data
        self._left -= len(data)
        if self._left < 0:
            raise Refused(
                "too_large", f"it is packed and expands to more than {self._most:,} bytes"
            )
        return len(data)
