"""Objects of a JSONL file with their line numbers, so that every complaint can name its line."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final, cast

from selfsown.core.errors import InputError
from selfsown.core.request import JSON

Row = dict[str, JSON]

_GZIP: Final = b"\x1f\x8b"


def read_objects(path: Path, what: str) -> Iterator[tuple[int, Row]]:
    """Line number, from 1, and object of every line that is not blank; `.gz` is unpacked.

    Args:
        path: a JSONL file.
        what: what it is, for messages, for example `suite file`.

    Raises:
        InputError: the file cannot be read, or a line is not a JSON object.
    """
    for number, line in enumerate(_lines(path, what), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            raise _bad_line(path, what, number, f"is not JSON: {error}") from error
        if not isinstance(value, dict):
            raise _bad_line(path, what, number, f"is a JSON {type(value).__name__}, not an object")
        yield number, value


def text_lines(path: Path) -> Iterator[str]:
    """The lines of a text file that are not blank; `.gz` is unpacked.

    Raises:
        InputError: the file cannot be read.
    """
    for line in _lines(path, "text file", "text"):
        if line.strip():
            yield line.removesuffix("\n")


def text_of(row: Row, name: str, place: str) -> str:
    """The text in a field, empty if the field is absent.

    Raises:
        InputError: it is something else than text.
    """
    value = row.get(name, "")
    if not isinstance(value, str):
        raise wrong_field(place, name, f"is {type(value).__name__}, not text")
    return value


def texts_of(row: Row, name: str, place: str) -> tuple[str, ...]:
    """The texts in a field that holds one text or a list of them; none if it is absent.

    Raises:
        InputError: it is something else.
    """
    value = row.get(name, ())
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, (list, tuple)) or not all(isinstance(one, str) for one in value):
        raise wrong_field(place, name, "is neither text nor a list of texts")
    return tuple(str(one) for one in value)


def wrong_field(place: str, name: str, what: str) -> InputError:
    """The error for a field that cannot be used."""
    return InputError(
        f"{place}: field `{name}` {what}",
        why="a line that is read wrongly would change the score in silence",
        fix="correct that line",
    )


def _lines(path: Path, what: str, form: str = "JSONL") -> Iterator[str]:
    """The lines of a file, one in memory at a time; only a newline ends one."""
    try:
        with path.open("rb") as file:
            opened = gzip.open if file.read(len(_GZIP)) == _GZIP else open
        with opened(path, "rt", encoding="utf-8-sig", newline="\n") as text:
            yield from cast(IO[str], text)
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"{what} `{path}` cannot be read: {reason}",
            why=f"it is read as {form} in UTF-8",
            fix="correct the path, or convert the file",
        ) from error


def _bad_line(path: Path, what: str, number: int, problem: str) -> InputError:
    return InputError(
        f"{what} `{path}` line {number} {problem}",
        why="every line is one JSON object",
        fix="correct or remove that line",
    )
