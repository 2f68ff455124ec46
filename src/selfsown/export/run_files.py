"""A run directory read from the outside: every file as a stream, and nothing is written.

Export and report use it on finished, suspended and even never-started runs, so a missing file is an
empty stream, and only what cannot be a run directory at all is an error.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import orjson
import yaml

from selfsown.core.errors import InputError
from selfsown.core.journal import JOURNAL_NAME, Journal
from selfsown.core.request import JSON
from selfsown.core.rundir import CONFIG, INPUTS, MANIFEST
from selfsown.core.yaml_errors import YAML_ERRORS

DataFile = Literal["accepted", "rejected", "failed", "provenance"]
Row = dict[str, JSON]

_MARKS = (MANIFEST, CONFIG, JOURNAL_NAME)


@dataclass(frozen=True, slots=True)
class RunFiles:
    """The files of one run directory."""

    path: Path
    manifest: Mapping[str, JSON]
    """`manifest.json`; empty as long as the run has not written one."""
    config: Mapping[str, JSON]
    """`config.yaml`; empty where it is missing."""

    @property
    def data(self) -> Mapping[str, JSON]:
        """The reproducible part of the manifest."""
        return mapping(self.manifest.get("data"))

    @property
    def run(self) -> Mapping[str, JSON]:
        """The part of the manifest with times, costs and status."""
        return mapping(self.manifest.get("run"))

    @property
    def finished(self) -> bool:
        """Whether the run came to its end, by target or by saturation."""
        return self.run.get("status") == "finished"

    @property
    def recipe(self) -> str:
        """Name of the recipe; empty if neither manifest nor config says."""
        return string(self.data.get("recipe")) or string(self.config.get("recipe"))

    def rows(self, name: DataFile) -> Iterator[Row]:
        """The lines of one data file, in file order; none if the file is not there.

        Raises:
            InputError: a line is not a JSON object.
        """
        yield from read_jsonl(self.path / f"{name}.jsonl")

    def seeds(self) -> Iterator[Row]:
        """The human-written tasks the run started from, as rows with `id` and `instruction`.

        An island of a growing pool starts from tasks of earlier epochs, too; those are left out.
        """
        rows = read_jsonl(self.path / INPUTS / "seeds.jsonl")
        yield from (row for row in rows if not row.get("depth"))

    @contextlib.contextmanager
    def journal(self) -> Iterator[Journal | None]:
        """The journal, opened for reading only; None where there is none.

        Raises:
            JournalDamaged: rows or pages do not hold.
            EnvironmentFailure: the file cannot be opened.
        """
        path = self.path / JOURNAL_NAME
        if not path.is_file():
            yield None
            return
        journal = Journal(path, read_only=True)
        try:
            yield journal
        finally:
            journal.close()


def open_run(path: Path) -> RunFiles:
    """Open a run directory for reading.

    Raises:
        InputError: there is no such directory, or nothing in it says that it is a run.
    """
    if not path.is_dir():
        raise InputError(
            f"`{path}` is not a directory",
            why="a run directory holds the journal and the data files of one run",
            fix="give the directory that was named with `selfsown run … -o DIR`",
        )
    if not any((path / mark).is_file() for mark in _MARKS):
        raise InputError(
            f"`{path}` is not a run directory",
            why="it holds neither `manifest.json` nor `config.yaml` nor `journal.sqlite`",
            fix="give the directory that was named with `selfsown run … -o DIR`; of a sharded job,"
            " one in its `shards`, or its merge",
        )
    return RunFiles(path, _read_manifest(path), _read_config(path))


def read_jsonl(path: Path) -> Iterator[Row]:
    """The objects of a JSONL file, one at a time; blank lines are skipped, a missing file is empty.

    Raises:
        InputError: a line is not a JSON object; the message names the line.
    """
    for _, row in read_jsonl_places(path):
        yield row


def read_jsonl_places(path: Path) -> Iterator[tuple[int, Row]]:
    """The same, each with the byte offset of its line.

    Raises:
        InputError: a line is not a JSON object; the message names the line.
    """
    if not path.is_file():
        return
    offset = 0
    with path.open("rb") as lines:
        for line_no, line in enumerate(lines, start=1):
            if not line.isspace():
                yield offset, _object(line, path, line_no)
            offset += len(line)


def record_id(row: Mapping[str, JSON]) -> str:
    """The engine's id of an accepted record, also where the payload has an `id` of its own."""
    return string(row.get("record_id")) or string(row.get("id"))


def mapping(value: JSON) -> Mapping[str, JSON]:
    """The value if it is a JSON object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def sequence(value: JSON) -> Sequence[JSON]:
    """The value if it is a JSON array, else an empty one."""
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()


def string(value: JSON) -> str:
    """The value if it is a string, else an empty one."""
    return value if isinstance(value, str) else ""


def integer(value: JSON) -> int:
    """The value if it is an integer, else 0."""
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def number(value: JSON) -> float:
    """The value as a float if it is a number, else 0.0."""
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else 0.0


def _read_manifest(path: Path) -> Mapping[str, JSON]:
    file = path / MANIFEST
    if not file.is_file():
        return {}
    try:
        manifest = orjson.loads(file.read_bytes())
    except orjson.JSONDecodeError as error:
        raise _unreadable(file, str(error), path) from error
    if not isinstance(manifest, dict):
        raise _unreadable(file, "it is no JSON object", path)
    return manifest


def _read_config(path: Path) -> Mapping[str, JSON]:
    file = path / CONFIG
    if not file.is_file():
        return {}
    try:
        config = yaml.safe_load(file.read_text(encoding="utf-8"))
    except YAML_ERRORS as error:
        raise _unreadable(file, str(error), path) from error
    return config if isinstance(config, dict) else {}


def _unreadable(file: Path, reason: str, run_dir: Path) -> InputError:
    return InputError(
        f"`{file}` cannot be read: {reason}",
        why="it is written by the engine as a whole, so it was changed or damaged afterwards",
        fix=f"run the command of `{run_dir}` again: it writes the file from the journal",
    )


def _object(line: bytes, path: Path, line_no: int) -> Row:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise _bad_line(path, line_no, str(error)) from error
    if not isinstance(row, dict):
        raise _bad_line(path, line_no, "the line is no JSON object")
    return row


def _bad_line(path: Path, line_no: int, reason: str) -> InputError:
    return InputError(
        f"`{path}` line {line_no} cannot be read: {reason}",
        why="every line of a data file is one JSON object",
        fix=f"run the command of `{path.parent}` again: it writes the file from the journal",
    )
