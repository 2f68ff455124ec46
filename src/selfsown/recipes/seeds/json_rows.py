"""Cut JSON Lines or a JSON list into rows that know their line.

The standard decoder keeps the last of two equal keys without a word and accepts what no other
JSON reader does (`NaN`); here both are findings.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from selfsown.recipes.seeds.task import SeedProblem, shown

_SPACE = " \t\r\n"


@dataclass(frozen=True, slots=True)
class Row:
    """One undigested row of a seed source."""

    line: int
    """1-based line where the row begins (position for rows given from Python)."""
    value: object
    """The decoded value; None if it could not be decoded."""
    problems: tuple[SeedProblem, ...] = ()
    """What went wrong while decoding; an error here means `value` must not be used."""


class _Decoded(NamedTuple):
    value: object
    end: int
    repeated_keys: tuple[str, ...]


class _NotJson(ValueError):
    """A value that cannot be decoded, with its offset in the text."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


def read_json_lines(text: str) -> Iterator[Row]:
    """Yield one row per non-blank line; a malformed line is a row with an error."""
    for line_no, line in enumerate(text.split("\n"), start=1):
        if line.strip(_SPACE):
            yield _row_of_line(line, line_no)


def read_json_list(text: str) -> Iterator[Row]:
    """Yield one row per element of the list that `text` holds; stop at the first syntax error."""
    position = _skip_space(text, text.index("[") + 1)
    line, counted = 1, 0
    at_end = text.startswith("]", position)
    while not at_end:
        line, counted = line + text.count("\n", counted, position), position
        try:
            decoded = _decode(text, position)
        except _NotJson as error:
            yield Row(line, None, (_malformed_in_list(text, error),))
            return
        yield Row(line, decoded.value, _repeated(decoded, line))
        position = _skip_space(text, decoded.end)
        at_end = text.startswith("]", position)
        if not at_end and not text.startswith(",", position):
            yield _broken_list(text, "Expecting ',' or ']' after an element", position)
            return
        position = position if at_end else _skip_space(text, position + 1)
    rest = _skip_space(text, position + 1)
    if rest < len(text):
        yield _broken_list(text, "Extra data after the list", rest)


def read_json_object(text: str) -> Row:
    """Return the one object that a whole document holds; raise ValueError if it is not one."""
    start = _skip_space(text, 0)
    decoded = _decode(text, start)
    if _skip_space(text, decoded.end) < len(text):
        raise _NotJson("Extra data", decoded.end)
    line = text.count("\n", 0, start) + 1
    return Row(line, decoded.value, _repeated(decoded, line))


def _row_of_line(line: str, line_no: int) -> Row:
    try:
        start = _skip_space(line, 0)
        decoded = _decode(line, start)
        end = _skip_space(line, decoded.end)
        if end < len(line):
            raise _NotJson("Extra data after the value", end)
    except _NotJson as error:
        return Row(line_no, None, (_malformed_line(line, line_no, error),))
    return Row(line_no, decoded.value, _repeated(decoded, line_no))


def _decode(text: str, start: int) -> _Decoded:
    repeated: list[str] = []

    def pairs_to_dict(pairs: list[tuple[str, object]]) -> dict[str, object]:
        result: dict[str, object] = {}
        for key, value in pairs:
            if key in result:
                repeated.append(key)
            result[key] = value
        return result

    def refuse(name: str) -> object:
        raise _NotJson(f"`{name}` is not JSON", start)

    decoder = json.JSONDecoder(object_pairs_hook=pairs_to_dict, parse_constant=refuse)
    try:
        value, end = decoder.raw_decode(text, start)
    except _NotJson:
        raise
    except json.JSONDecodeError as error:
        raise _NotJson(error.msg, error.pos) from error
    except (ValueError, RecursionError) as error:  # a number of > 4300 digits; nesting > 1000
        raise _NotJson(f"the value cannot be decoded ({error})", start) from error
    return _Decoded(value, end, tuple(repeated))


def _skip_space(text: str, position: int) -> int:
    while position < len(text) and text[position] in _SPACE:
        position += 1
    return position


def _repeated(decoded: _Decoded, line: int) -> tuple[SeedProblem, ...]:
    return tuple(
        SeedProblem(
            rule="duplicate-key",
            severity="error",
            what=f"the key `{shown(key)}` occurs twice in one object",
            why="only the last value would be read, the other silently lost",
            fix="keep one of the two",
            line=line,
        )
        for key in dict.fromkeys(decoded.repeated_keys)
    )


def _malformed_line(line: str, line_no: int, error: _NotJson) -> SeedProblem:
    head = line.lstrip(_SPACE)
    if head.startswith("<"):
        fix = "this looks like a web page: download the raw file instead"
    elif head.rstrip(_SPACE) == "{":
        fix = "put each object on one line: `jq -c . FILE > seeds.jsonl`"
    else:
        fix = f"correct the line near `{shown(line[max(0, error.offset - 15) :].strip(), 40)}`"
    return SeedProblem(
        rule="malformed-json",
        severity="error",
        what=f"malformed JSON at column {error.offset + 1}: {error}",
        why="each line of a JSONL file is one complete JSON object",
        fix=fix,
        line=line_no,
    )


def _broken_list(text: str, message: str, offset: int) -> Row:
    problem = _malformed_in_list(text, _NotJson(message, offset))
    return Row(text.count("\n", 0, offset) + 1, None, (problem,))


def _malformed_in_list(text: str, error: _NotJson) -> SeedProblem:
    column = error.offset - (text.rfind("\n", 0, error.offset) + 1) + 1
    return SeedProblem(
        rule="malformed-json",
        severity="error",
        what=f"malformed JSON at column {column}: {error}",
        why="what follows in the list cannot be read either",
        fix="correct it; JSONL (one object per line) loses only the broken line",
        line=text.count("\n", 0, error.offset) + 1,
    )
