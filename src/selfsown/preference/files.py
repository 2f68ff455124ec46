"""The JSON lines of candidates, scores and pairs: written whole, read strictly, nothing lost.

What cannot be read is an error that names file, line and field: a row that is skipped in silence is
how published loops lost their whole data set.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NoReturn, TypeVar

import orjson

from selfsown.core.errors import InputError
from selfsown.core.request import JSON
from selfsown.core.rundir import FileFacts, write_lines
from selfsown.export.run_files import Row, mapping, read_jsonl, sequence
from selfsown.preference.pairing import Dropped
from selfsown.preference.records import Candidate, Pair, Prompt, Sampling, Scored

RecordT = TypeVar("RecordT", Candidate, Scored, Pair)


def write_records(path: Path, records: Iterable[Candidate | Scored | Pair | Dropped]) -> FileFacts:
    """Write records as JSON lines, the whole file or none; the same records, the same bytes.

    Raises:
        EnvironmentFailure: the file cannot be written.
    """
    return write_lines(path, (orjson.dumps(record.row()) for record in records))


def read_candidates(path: Path) -> list[Candidate]:
    """The candidates of a file, in its order.

    Raises:
        InputError: the file is missing or empty, or a line is no candidate.
    """
    return _read(path, _candidate)


def read_scored(path: Path) -> list[Scored]:
    """The scored candidates of a file, in its order.

    Raises:
        InputError: the file is missing or empty, or a line is no scored candidate.
    """
    return _read(path, _scored)


def read_pairs(path: Path) -> list[Pair]:
    """The pairs of a file in the format `records`, in its order.

    Raises:
        InputError: the file is missing or empty, or a line is no pair.
    """
    return _read(path, _pair)


def pair_of(row: Row, place: str) -> Pair:
    """The pair in a row.

    Args:
        row: one JSON line.
        place: file and line, for the error.

    Raises:
        InputError: it is none.
    """
    return _pair(_Fields(row, place))


def candidate_of(row: Row, place: str) -> Candidate:
    """The candidate in a row; see `pair_of`."""
    return _candidate(_Fields(row, place))


def scored_candidate_of(row: Row, place: str) -> Scored:
    """The scored candidate in a row; see `pair_of`."""
    return _scored(_Fields(row, place))


class _Fields:
    """The fields of one line, each read as what it has to be."""

    def __init__(self, row: Row, place: str) -> None:
        self._row, self._place = row, place

    def text(self, name: str) -> str:
        value = self._row.get(name)
        return value if isinstance(value, str) else self._refuse(name, "text")

    def optional_text(self, name: str) -> str:
        return self.text(name) if self._row.get(name) is not None else ""

    def count(self, name: str) -> int:
        value = self._row.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        return self._refuse(name, "a number from 0")

    def optional_count(self, name: str) -> int | None:
        return self.count(name) if self._row.get(name) is not None else None

    def number(self, name: str) -> float | None:
        """A finite number, or None where there is none."""
        return self._number(name, self._row.get(name))

    def numbers(self, name: str) -> tuple[float | None, ...]:
        """At least one finite number or null."""
        values = sequence(self._row.get(name))
        if not values:
            self._refuse(name, "a list of numbers and nulls")
        return tuple(self._number(name, value) for value in values)

    def flag(self, name: str) -> bool:
        value = self._row.get(name, False)
        return value if isinstance(value, bool) else self._refuse(name, "true or false")

    def inner(self, name: str) -> _Fields:
        return _Fields(dict(mapping(self._row.get(name))), f"{self._place}: `{name}`")

    def _number(self, name: str, value: JSON) -> float | None:
        if value is None:
            return None
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
        return self._refuse(name, "a finite number or null")

    def _refuse(self, name: str, wanted: str) -> NoReturn:
        found = f"`{str(self._row[name])[:40]}`" if name in self._row else "missing"
        raise InputError(
            f"{self._place}: field `{name}` is {found}, not {wanted}",
            why="candidates, scores and pairs are read as they were written, or not at all",
            fix="write the file again with the step that made it",
        )


def _read(path: Path, parse: Callable[[_Fields], RecordT]) -> list[RecordT]:
    found = list(_parsed(path, parse))
    if not found:
        raise InputError(
            f"`{path}` {'is empty' if path.is_file() else 'does not exist'}",
            why="a step without input would hand an empty file to the next one",
            fix="run the step that writes it, and see what it left out and why",
        )
    return found


def _parsed(path: Path, parse: Callable[[_Fields], RecordT]) -> Iterator[RecordT]:
    for number, row in enumerate(read_jsonl(path), start=1):
        yield parse(_Fields(row, f"`{path}` record {number}"))


def _prompt(fields: _Fields) -> Prompt:
    return Prompt(
        id=fields.text("prompt_id"),
        text=fields.text("prompt"),
        input=fields.optional_text("input"),
        system=fields.optional_text("system"),
    )


def _candidate(fields: _Fields) -> Candidate:
    sampling = fields.inner("sampling")
    return Candidate(
        prompt=_prompt(fields),
        index=fields.count("index"),
        text=fields.text("text"),
        model=fields.text("model"),
        model_depth=fields.optional_count("model_depth") or 0,
        round=fields.count("round"),
        sampling=Sampling(
            temperature=sampling.number("temperature"),
            top_p=sampling.number("top_p"),
            seed=sampling.optional_count("seed"),
        ),
        n_tokens=fields.optional_count("n_tokens"),
        finish_reason=fields.optional_text("finish_reason"),
    )


def _scored(fields: _Fields) -> Scored:
    return Scored(
        candidate=_candidate(fields),
        values=fields.numbers("values"),
        judge=fields.text("judge"),
        is_truncated=fields.flag("truncated"),
    )


def _pair(fields: _Fields) -> Pair:
    return Pair(
        prompt=_prompt(fields),
        chosen=fields.text("chosen"),
        rejected=fields.text("rejected"),
        chosen_id=fields.text("chosen_id"),
        rejected_id=fields.text("rejected_id"),
        reward_chosen=fields.number("reward_chosen"),
        reward_rejected=fields.number("reward_rejected"),
        margin=fields.number("margin"),
        round=fields.count("round"),
        policy=fields.optional_text("policy"),
        model_depth=fields.optional_count("model_depth") or 0,
        judge=fields.optional_text("judge"),
        picker=fields.optional_text("picker"),
        reason=fields.optional_text("reason"),
    )
