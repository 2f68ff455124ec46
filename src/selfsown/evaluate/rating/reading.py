"""Ratings read back: counts per model and rater, the share of A or B, and how raters agree."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import orjson

from selfsown.core.errors import InputError
from selfsown.evaluate.intervals import Interval, bootstrap
from selfsown.evaluate.rating.agreement import LEVELS, Agreement, agreement
from selfsown.evaluate.rating.sheet import KEY


@dataclass(frozen=True, slots=True)
class ModelRatings:
    """What one rater said about one model."""

    model: str
    n: int
    """Rated answers."""
    counts: Mapping[str, int]
    """Level → count."""
    a_or_b: Interval
    """Share of A or B among the rated, with its interval by resampling instances."""


@dataclass(frozen=True, slots=True)
class RaterSummary:
    """One rater's file."""

    rater: str
    rated: int
    unrated: int
    """Items of the sheet that the rater left out."""
    models: tuple[ModelRatings, ...]


@dataclass(frozen=True, slots=True)
class RaterPair:
    """Two raters on the items that both rated."""

    first: str
    second: str
    agreement: Agreement


@dataclass(frozen=True, slots=True)
class RatingSummary:
    """A sheet and its ratings."""

    raters: tuple[RaterSummary, ...]
    pairs: tuple[RaterPair, ...]
    """Pairs of raters with at least one item in common."""


@dataclass(frozen=True, slots=True)
class _Key:
    """Item code → whose answer it is, and to what."""

    models: tuple[str, ...]
    model: Mapping[str, str]
    instance: Mapping[str, str]


def read_ratings(directory: Path, ratings: Sequence[Path]) -> RatingSummary:
    """Read the raters' files of a sheet; a rater is called by the file's name.

    Raises:
        InputError: the sheet's key is absent, a file is of another sheet, an item is rated twice
            or with something else than A to D; names the line.
    """
    key = _read_key(directory)
    given: dict[str, dict[str, str]] = {}
    for path in ratings:
        if path.stem in given:
            raise InputError(
                f"two rating files are called `{path.stem}`",
                why="raters are told apart by the file's name",
                fix="rename one of them",
            )
        given[path.stem] = _read_file(path, key)
    pairs = []
    for first, second in combinations(given, 2):
        both = [code for code in key.model if code in given[first] and code in given[second]]
        if both:
            levels = [(given[first][code], given[second][code]) for code in both]
            found = agreement(levels, [key.instance[code] for code in both])
            pairs.append(RaterPair(first, second, found))
    raters = tuple(_rater(name, levels, key) for name, levels in given.items())
    return RatingSummary(raters, tuple(pairs))


def _rater(name: str, levels: Mapping[str, str], key: _Key) -> RaterSummary:
    models = []
    for model in key.models:
        codes = [code for code in levels if key.model[code] == model]
        if codes:
            counts = Counter(levels[code] for code in codes)
            good = [float(levels[code] in ("A", "B")) for code in codes]
            share = bootstrap(good, clusters=[key.instance[code] for code in codes])
            ordered = {level: counts[level] for level in LEVELS}
            models.append(ModelRatings(model, len(codes), ordered, share))
    return RaterSummary(name, len(levels), len(key.model) - len(levels), tuple(models))


def _read_key(directory: Path) -> _Key:
    path = directory / KEY
    try:
        form = orjson.loads(path.read_bytes())
        items = form["items"]
        return _Key(
            tuple(form["models"]),
            {one["item"]: one["model"] for one in items},
            {one["item"]: one["instance"] for one in items},
        )
    except (OSError, KeyError, TypeError, orjson.JSONDecodeError) as error:
        raise InputError(
            f"`{path}` cannot be read: {error}",
            why="it says whose answer each item is",
            fix="give the directory that `selfsown rate make … -o DIR` wrote",
        ) from error


def _read_file(path: Path, key: _Key) -> dict[str, str]:
    """Item code → level, for what was rated."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"rating file `{path}` cannot be read: {error}",
            why="it is CSV in UTF-8",
            fix="save it again as CSV, UTF-8",
        ) from error
    header = text.split("\n", 1)[0]
    delimiter = ";" if ";" in header and "," not in header else ","  # as some spreadsheets save
    lines = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    lacking = {"item", "rating"} - set(lines.fieldnames or ())
    if lacking:
        raise _wrong(path, 1, f"has no column `{min(lacking)}`", "keep the sheet's first line")
    levels: dict[str, str] = {}
    for row in lines:
        code, level = (row["item"] or "").strip(), (row["rating"] or "").strip().upper()
        if code not in key.model:
            fix = "give the files of this sheet, and do not change the column `item`"
            raise _wrong(path, lines.line_num, f"has the unknown item `{code}`", fix)
        if code in levels:
            raise _wrong(path, lines.line_num, f"rates `{code}` again", "remove one of the lines")
        if level and level not in LEVELS:
            fix = "write A, B, C or D, or leave it empty"
            raise _wrong(path, lines.line_num, f"has the rating `{level}`", fix)
        if level:
            levels[code] = level
    return levels


def _wrong(path: Path, line: int, what: str, fix: str) -> InputError:
    return InputError(
        f"rating file `{path}` line {line} {what}",
        why="a rating that is read wrongly would count for the wrong answer",
        fix=fix,
    )
