"""Read seed tasks from a file, a built-in set or Python rows, refusing what a run cannot use."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from .decoding import decode
from .json_rows import Row, read_json_lines, read_json_list, read_json_object
from .shapes import read_row
from .survey import PlacedTask, merge_rows, review
from .table_rows import read_csv, read_text_lines
from .task import SeedProblem, SeedReport, SeedTask, seed_file_error

BUILT_IN = {"lab": "lab/seeds.jsonl", "starter": "recipes/seeds/starter.jsonl"}
"""Names of the seed sets in the package, and where they lie in it."""

SeedSource = str | Path | Iterable[Mapping[str, object]]

_BUILT_IN_NAME = re.compile(rf"({'|'.join(BUILT_IN)})(?::(.*))?", re.DOTALL)


class _Source(NamedTuple):
    """The undigested rows of a source, or the problem that hides them."""

    name: str
    unit: str
    rows: list[Row]
    problem: SeedProblem | None = None
    limit: int | None = None


class _Reading(NamedTuple):
    """A report and, for checks of the whole set, where each task began."""

    report: SeedReport
    placed: list[PlacedTask]


def read_seeds(source: SeedSource, *, require_instances: bool = True) -> list[SeedTask]:
    """Read all seed tasks of `source`, in order; never an empty list.

    Args:
        source: A built-in name (`lab`, `starter`; `lab:25` is its first 25), the path of a JSONL,
            JSON, CSV or TXT file in UTF-8, or rows given from Python. A file called like a
            built-in set is reached as `./lab`.
        require_instances: Whether a seed without a worked example is an error. Recipes that only
            need instructions pass False; a TXT file (one instruction per line) is then usable.

    Raises:
        SeedFileError: if anything in `source` cannot be used; it lists the first errors by line
            and carries all of them. Nothing is skipped silently.
    """
    report = _read(source, require_instances).report
    if report.errors:
        raise seed_file_error(report)
    return list(report.tasks)


def check_seeds(source: SeedSource, *, require_instances: bool = True) -> list[SeedProblem]:
    """Return every error and warning about `source`, in file order; an empty list is a clean bill.

    Takes what `read_seeds` takes and does not raise for what it finds.
    """
    return list(inspect_seeds(source, require_instances=require_instances).problems)


def inspect_seeds(source: SeedSource, *, require_instances: bool = True) -> SeedReport:
    """Return the usable tasks of `source` together with every error and warning about it."""
    reading = _read(source, require_instances)
    return _sorted(reading.report, review(reading.placed))


def _read(source: SeedSource, require_instances: bool) -> _Reading:
    opened = _open(source)
    rows = [
        read_row(row, position=position, require_instances=require_instances)
        for position, row in enumerate(opened.rows)
    ]
    placed, problems = merge_rows(rows)
    if opened.limit is not None and opened.limit <= len(placed):
        placed = placed[: opened.limit]
    elif opened.limit is not None:
        problems.append(_too_large_limit(opened.limit, len(placed)))
    problems += [problem for row in rows for problem in row.problems]
    problems += [opened.problem] if opened.problem else []
    if not rows and not problems:
        problems.append(
            _whole(
                "no-seeds",
                "there is no seed in it",
                "a run needs seed tasks to start from",
                "add seeds, or use `--seeds starter`",
            )
        )
    tasks = tuple(p.task for p in placed)
    report = SeedReport(opened.name, opened.unit, len(rows), tasks, ())
    return _Reading(_sorted(report, problems), placed)


def _sorted(report: SeedReport, more: list[SeedProblem]) -> SeedReport:
    problems = sorted([*report.problems, *more], key=lambda p: p.line or 0)
    return replace(report, problems=tuple(problems))


def _open(source: SeedSource) -> _Source:
    if not isinstance(source, str | Path):
        rows = [Row(position, value) for position, value in enumerate(source, 1)]
        return _Source("the given rows", "row", rows)
    built_in = _BUILT_IN_NAME.fullmatch(source) if isinstance(source, str) else None
    if built_in is None:
        return _open_file(Path(source))
    return _open_built_in(str(source), built_in[1], built_in[2])


def _open_built_in(source: str, name: str, count: str | None) -> _Source:
    if count is not None and not (count.isascii() and count.isdigit() and int(count) > 0):
        problem = _whole(
            "bad-count",
            f"`{count}` is not a number of seeds",
            "the number after the colon says how many seeds to take",
            f"write for example `{name}:25`, or `{name}` for all",
        )
        return _Source(source, "line", [], problem)
    packaged = resources.files("selfsown").joinpath(BUILT_IN[name])
    try:
        text = packaged.read_text(encoding="utf-8")
    except FileNotFoundError:
        problem = _whole(
            "not-packaged",
            f"the built-in seed set `{name}` is not installed",
            "it should be part of the package",
            "reinstall: `pip install --force-reinstall selfsown`",
        )
        return _Source(source, "line", [], problem)
    limit = int(count) if count is not None else None
    return _Source(source, "line", list(read_json_lines(text)), None, limit)


def _open_file(path: Path) -> _Source:
    try:
        data = path.read_bytes()
    except OSError as error:
        return _Source(str(path), "line", [], _not_readable(path, error))
    text, problem = decode(data)
    rows = [] if problem else list(_rows(path.suffix.lower(), text))
    return _Source(str(path), "line", rows, problem)


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
    value = row.value
    if not isinstance(value, dict) or "instruction" in value or "messages" in value:
        yield row
        return
    wrapped = [k for k, v in value.items() if isinstance(v, list) and v and isinstance(v[0], dict)]
    if len(wrapped) != 1:
        yield row
        return
    problem = _whole(
        "wrapped-list",
        f"the seeds are wrapped in an object, under `{wrapped[0]}`",
        "a JSON seed file is a list of seeds",
        f"unwrap it: `jq '.[\"{wrapped[0]}\"]' FILE > seeds.json`",
    )
    yield Row(row.line, None, (replace(problem, line=row.line),))


def _not_readable(path: Path, error: OSError) -> SeedProblem:
    if isinstance(error, IsADirectoryError):
        inside = _neighbours(path)
        fix = f"name a file in it, for example `{path / inside[0]}`" if inside else "name a file"
        return _whole("not-a-file", "this is a directory", "seeds are read from one file", fix)
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        return _whole(
            "not-readable",
            f"the file cannot be read: {error.strerror}",
            "a run needs seed tasks to start from",
            "check its permissions: `ls -l FILE`",
        )
    if path.name in ("self-instruct", "self_instruct"):
        fix = "fetch the published seeds first: `selfsown seeds get self-instruct`"
    else:
        fix = _did_you_mean(path)
    return _whole(
        "no-such-file",
        "there is no such file",
        f"seeds are a file, or one of the built-in sets {_built_in_names()}",
        fix,
    )


def _did_you_mean(path: Path) -> str:
    known = _neighbours(path.parent)
    near = difflib.get_close_matches(path.name, [*known, *BUILT_IN], n=3, cutoff=0.5)
    if near:
        names = " or ".join(f"`{n if n in BUILT_IN else path.parent / n}`" for n in near)
        return f"did you mean {names}?"
    if not path.parent.is_dir():
        return f"the folder `{path.parent}` does not exist either; check the path"
    return "check the path, or use `--seeds starter`"


def _neighbours(folder: Path) -> list[str]:
    """Return names of the seed-like files in `folder`, sorted; empty if it cannot be listed."""
    endings = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".txt")
    try:
        return sorted(p.name for p in folder.iterdir() if p.suffix.lower() in endings)
    except OSError:
        return []


def _built_in_names() -> str:
    return " and ".join(f"`{name}`" for name in BUILT_IN)


def _too_large_limit(limit: int, available: int) -> SeedProblem:
    return _whole(
        "too-few-built-in",
        f"{limit} seeds were asked for, the set has {available}",
        "a run with other seeds than asked for would mislead",
        f"ask for at most {available}",
    )


def _whole(rule: str, what: str, why: str, fix: str) -> SeedProblem:
    return SeedProblem(rule, "error", what, why, fix)
