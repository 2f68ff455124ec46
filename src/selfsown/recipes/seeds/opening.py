"""Open a seed source, a file or a built-in set, and cut it into rows; or say why it cannot be."""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from selfsown.recipes.seeds.decoding import decode
from selfsown.recipes.seeds.json_rows import Row, read_json_lines, read_json_list, read_json_object
from selfsown.recipes.seeds.table_rows import read_csv, read_text_lines
from selfsown.recipes.seeds.task import SeedProblem, shown

SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".txt")


@dataclass(frozen=True, slots=True)
class BuiltInSeeds:
    """One seed set that ships with the package."""

    name: str
    """Name on the command line."""
    place: str
    """Path of its JSONL file inside the package."""
    license: str
    """SPDX identifier."""
    about: str
    """One line: what it is good for."""


BUILT_IN = {
    "lab": BuiltInSeeds(
        "lab",
        "lab/seeds.jsonl",
        "Apache-2.0",
        "tasks of the lab's micro-world, for the model `lab`",
    ),
    "starter": BuiltInSeeds(
        "starter",
        "recipes/seeds/starter.jsonl",
        "Apache-2.0",
        "general tasks of many topics and formats, for any capable model",
    ),
}
"""Seed sets in the package, by name."""

_BUILT_IN_NAME = re.compile(rf"({'|'.join(BUILT_IN)})(?::(.*))?", re.DOTALL)


class Source(NamedTuple):
    """The undigested rows of a source, or the problem that hides them."""

    name: str
    """Path or name as the user gave it."""
    unit: str
    """What `Row.line` counts: "line" or "row"."""
    rows: list[Row]
    """All rows, valid or not."""
    problem: SeedProblem | None = None
    """Why there are no rows."""
    limit: int | None = None
    """Take only so many tasks; None takes all."""


def open_source(source: str | Path) -> Source:
    """Open a built-in set by name, or else the file of that path; never raises for a bad file."""
    built_in = _BUILT_IN_NAME.fullmatch(source) if isinstance(source, str) else None
    if built_in is None:
        return _open_file(Path(source))
    return _open_built_in(str(source), BUILT_IN[built_in[1]], built_in[2])


def _open_built_in(source: str, chosen: BuiltInSeeds, count: str | None) -> Source:
    if count is not None and not (count.isascii() and count.isdigit() and int(count) > 0):
        problem = _whole(
            "bad-count",
            f"`{shown(count)}` is not a number of seeds",
            why="the number after the colon says how many seeds to take",
            fix=f"write for example `{chosen.name}:25`, or `{chosen.name}` for all",
        )
        return Source(source, "line", [], problem)
    try:
        packaged = resources.files("selfsown").joinpath(chosen.place)
        text = packaged.read_text(encoding="utf-8")
    except FileNotFoundError:
        problem = _whole(
            "not-packaged",
            f"the built-in seed set `{chosen.name}` is not installed",
            why="it should be part of the package",
            fix="reinstall: `pip install --force-reinstall selfsown`",
        )
        return Source(source, "line", [], problem)
    limit = int(count) if count is not None else None
    return Source(source, "line", list(read_json_lines(text)), None, limit)


def _open_file(path: Path) -> Source:
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        return Source(str(path), "line", [], _not_readable(path, error))
    text, problem = decode(data, shlex.quote(str(path)))
    rows = [] if problem else list(_rows(path.suffix.lower(), text))
    return Source(str(path), "line", rows, problem)


def _rows(suffix: str, text: str) -> Iterator[Row]:
    """Choose the reader by the file's ending, and for JSON by its first character."""
    if suffix in (".csv", ".tsv"):
        return read_csv(text)
    if suffix == ".txt":
        return read_text_lines(text)
    if text.lstrip().startswith("["):
        return read_json_list(text)
    if suffix == ".json":
        try:
            return _rows_of_object(read_json_object(text))
        except ValueError:
            return read_json_lines(text)  # JSON Lines under the name .json
    return read_json_lines(text)


def _rows_of_object(row: Row) -> Iterator[Row]:
    """Take one object as one seed, unless it wraps a list of seeds under some key."""
    value = row.value if isinstance(row.value, dict) else {}
    wrapped = [k for k, v in value.items() if isinstance(v, list) and v and isinstance(v[0], dict)]
    if len(wrapped) != 1 or {"instruction", "messages", "conversations"} & value.keys():
        yield row
        return
    problem = _whole(
        "wrapped-list",
        f"the seeds are wrapped in an object, under `{shown(wrapped[0])}`",
        why="a JSON seed file is a list of seeds",
        fix=f"unwrap it: `jq '.[\"{shown(wrapped[0])}\"]' FILE > seeds.json`",
    )
    yield Row(row.line, None, (replace(problem, line=row.line),))


def _not_readable(path: Path, error: OSError | ValueError) -> SeedProblem:
    if isinstance(error, IsADirectoryError):
        inside = _seed_files_in(path)
        return _whole(
            "not-a-file",
            "this is a folder",
            why="seeds are read from one file",
            fix=f"name a file in it, for example `{path / inside[0]}`" if inside else "name a file",
        )
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return _whole(
            "no-such-file",
            "there is no such file",
            why="seeds are a file, or one of the built-in sets "
            + " and ".join(f"`{name}`" for name in BUILT_IN),
            fix=_did_you_mean(path),
        )
    return _whole(
        "not-readable",
        f"the file cannot be read: {getattr(error, 'strerror', None) or error}",
        why="a run needs seed tasks to start from",
        fix=f"check its path and permissions: `ls -l {shlex.quote(str(path))}`",
    )


def _did_you_mean(path: Path) -> str:
    if path.name.replace("_", "-") == "self-instruct":
        return "fetch the published seeds first: `selfsown seeds get self-instruct`"
    near = difflib.get_close_matches(path.name, _seed_files_in(path.parent), n=3, cutoff=0.5)
    names = [f"`{path.parent / name}`" for name in near]
    names += [f"`{name}`" for name in difflib.get_close_matches(str(path), BUILT_IN, n=1)]
    if names:
        return f"did you mean {' or '.join(names)}?"
    if not path.parent.is_dir():
        return f"the folder `{path.parent}` does not exist either; check the path"
    return "check the path, or use `--seeds starter`"


def _seed_files_in(folder: Path) -> list[str]:
    """Return names of the seed-like files in `folder`, sorted; empty if it cannot be listed."""
    try:
        return sorted(p.name for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)
    except OSError:
        return []


def _whole(rule: str, what: str, *, why: str, fix: str) -> SeedProblem:
    return SeedProblem(rule, "error", what, why, fix)
