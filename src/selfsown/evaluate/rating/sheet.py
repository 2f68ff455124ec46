"""A blind rating sheet: answers of several models to the same instances, shuffled, models hidden.

Three files: `sheet.csv` for a spreadsheet, `rate.html`, one page that needs no network, and
`key.json`, which says whose answer each item is and belongs to the organiser alone.

Covered: no model name and no file name in what raters get; item codes say nothing; no instance
twice in a row; texts in the page are shown as text and never run; a cell that a spreadsheet would
take for a formula begins with an apostrophe.
Not covered: an answer that names its own model (`leaks` counts these), and raters who open the key.
"""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

import orjson

from selfsown.core.errors import InputError
from selfsown.core.randomness import rng_for
from selfsown.core.request import short_id
from selfsown.core.rundir import write_text
from selfsown.evaluate.predictions import Predictions
from selfsown.evaluate.rating.sources import common_instances

SHEET: Final = "sheet.csv"
PAGE: Final = "rate.html"
KEY: Final = "key.json"

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_SHORTEST_NAME: Final = 4
"""Names below this length occur in answers by chance."""


@dataclass(frozen=True, slots=True)
class RatingItem:
    """One answer to rate, with what only the organiser knows."""

    code: str
    """What raters see; `SHEET-NUMBER`."""
    model: str
    instance: str
    instruction: str
    input: str
    target: str
    """References, joined."""
    response: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet that was written."""

    directory: Path
    items: tuple[RatingItem, ...]
    leaks: int
    """Answers that contain the name of a model."""


def make_sheet(
    answers: Mapping[str, Predictions],
    directory: Path,
    *,
    seed: int = 0,
    limit: int | None = None,
) -> Sheet:
    """Write a sheet into a directory that has none.

    Args:
        answers: model → its answers; all to the same instances.
        directory: where the three files go.
        seed: of order and choice; kept in the key.
        limit: so many instances, chosen at random; None takes all.

    Raises:
        InputError: the models answered different instances, or a sheet is there already.
    """
    if (directory / KEY).exists():
        raise InputError(
            f"`{directory}` holds a rating sheet already",
            why="ratings of it could not be read any more",
            fix="give another directory",
        )
    items = _items(answers, seed, limit)
    directory.mkdir(parents=True, exist_ok=True)
    key = {
        "seed": seed,
        "models": list(answers),
        "items": [
            {"item": one.code, "model": one.model, "instance": one.instance} for one in items
        ],
    }
    write_text(directory / SHEET, _csv(items))
    write_text(directory / PAGE, _page(items))
    write_text(directory / KEY, orjson.dumps(key, option=orjson.OPT_INDENT_2).decode() + "\n")
    (directory / KEY).chmod(0o600)
    return Sheet(directory, items, _leaks(items, list(answers)))


def _items(
    answers: Mapping[str, Predictions], seed: int, limit: int | None
) -> tuple[RatingItem, ...]:
    rng = rng_for(seed, "rating-sheet")
    instances = list(common_instances(answers))
    if limit is not None and limit < len(instances):
        instances = rng.sample(instances, limit)
    order = _order([one.id for one in instances], list(answers), rng)
    questions = next(iter(answers.values())).suite.questions_sha256
    sheet = short_id([seed, questions, [one.id for one in instances]])[:6]
    by_id = {one.id: one for one in instances}
    return tuple(
        RatingItem(
            code=f"{sheet}-{number:04d}",
            model=model,
            instance=name,
            instruction=by_id[name].instruction,
            input=by_id[name].input,
            target="\n".join(by_id[name].references),
            response=answers[model].answers[name],
        )
        for number, (name, model) in enumerate(order, 1)
    )


def _order(
    instances: Sequence[str], models: Sequence[str], rng: random.Random
) -> list[tuple[str, str]]:
    """Every pair once, in as many passes over the instances as there are models.

    Each pass has every instance once, each with a model drawn at random among those left, so that
    the answers to one instance lie far apart.
    """
    left = {name: rng.sample(models, len(models)) for name in instances}
    order: list[tuple[str, str]] = []
    for _ in models:
        names = rng.sample(instances, len(instances))
        if order and len(names) > 1 and order[-1][0] == names[0]:
            names.append(names.pop(0))
        order.extend((name, left[name].pop()) for name in names)
    return order


def _csv(items: Sequence[RatingItem]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("item", "instruction", "input", "target", "response", "rating", "note"))
    for one in items:
        shown = (one.instruction, one.input, one.target, one.response)
        writer.writerow((one.code, *map(_cell, shown), "", ""))
    return text.getvalue()


def _cell(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def _page(items: Sequence[RatingItem]) -> str:
    shown = [
        {name: value for name, value in asdict(one).items() if name not in ("model", "instance")}
        for one in items
    ]
    data = json.dumps(shown, ensure_ascii=True).replace("<", "\\u003c")
    template = files("selfsown.evaluate.rating").joinpath("rate.html").read_text(encoding="utf-8")
    return template.replace('"RATING ITEMS"', data, 1)


def _leaks(items: Sequence[RatingItem], models: Sequence[str]) -> int:
    names = [name.casefold() for name in models if len(name) >= _SHORTEST_NAME]
    return sum(any(name in one.response.casefold() for name in names) for one in items)
