"""Results as files: one JSON document that keeps the score of every instance, and a table.

The document holds no time and no cost, so equal answers give equal bytes, as long as the model's
training data, which it names, lie where they were.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

import orjson

from selfsown.core.errors import InputError
from selfsown.core.request import JSON
from selfsown.core.rundir import write_text
from selfsown.evaluate.intervals import LEVEL, RESAMPLES, Interval, PairedTest
from selfsown.evaluate.predictions import read_predictions
from selfsown.evaluate.score import CategoryScores, InstanceScores, SuiteScores, score_answers

RESULTS: Final = "results.json"
_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Exposure:
    """Whether one training of the model may have seen the items of one suite."""

    suite: str
    data: str
    """What was trained on."""
    state: Literal["cleaned", "compared", "unknown", "overlap"]
    """Its items were left out; the data were compared and hold none; it cannot be told; the data
    hold some, and that was allowed."""
    about: str


@dataclass(frozen=True, slots=True)
class Results:
    """The scores of one model on one or more suites."""

    model: str
    """What answered: URI and identity, or a prediction file."""
    suites: tuple[SuiteScores, ...]
    exposures: tuple[Exposure, ...] = ()
    """Of every known training of the model and every suite."""

    def counterpart(self, scores: SuiteScores) -> SuiteScores | None:
        """The scores on the same questions, of the suite of the same name if there are several."""
        same = [one for one in self.suites if one.questions_sha256 == scores.questions_sha256]
        return min(same, key=lambda one: one.suite != scores.suite, default=None)


def write_results(path: Path, results: Results) -> None:
    """Write the document."""
    form = {
        "version": _VERSION,
        "model": results.model,
        "level": LEVEL,
        "resamples": RESAMPLES,
        "suites": [asdict(suite) for suite in results.suites],
        "exposures": [asdict(one) for one in results.exposures],
    }
    write_text(path, orjson.dumps(form, option=orjson.OPT_INDENT_2).decode() + "\n")


def read_results(path: Path) -> Results:
    """Results from an evaluation directory, its document, or a prediction file.

    Raises:
        InputError: there are none, or they cannot be read.
    """
    file = path / RESULTS if path.is_dir() else path
    if file.suffix != ".json" and file.exists():
        return results_of_predictions(file)
    try:
        form = orjson.loads(file.read_bytes())
        suites = tuple(_suite(one) for one in form["suites"])
        exposures = tuple(Exposure(**one) for one in form["exposures"])
        return Results(str(form["model"]), suites, exposures)
    except (OSError, KeyError, TypeError, orjson.JSONDecodeError) as error:
        raise InputError(
            f"`{file}` cannot be read as results: {error}",
            why="`selfsown evaluate … -o DIR` writes it when all answers are there",
            fix="let that evaluation run to its end, or give a prediction file",
        ) from error


def results_of_predictions(path: Path, metrics: Sequence[str] = ()) -> Results:
    """The scores of a prediction file, with its usual metrics if none are named.

    Raises:
        ConfigError: there is no such metric.
        InputError: the file cannot be used; names the lines.
    """
    given = read_predictions(path)
    suite = replace(given.suite, metrics=tuple(metrics)) if metrics else given.suite
    return Results(str(path), (score_answers(suite, given.answers),))


def prediction_summary(results: Results) -> dict[str, JSON]:
    """What `evaluate --predictions --json` prints: one number per metric, `n`, intervals."""
    scores = results.suites[0]
    means: dict[str, JSON] = {name: one.mean for name, one in scores.metrics.items()}
    intervals: dict[str, JSON] = {
        name: {"low": one.low, "high": one.high} for name, one in scores.metrics.items()
    }
    return {
        "predictions": results.model,
        "n": scores.n,
        **means,
        "level": LEVEL,
        "intervals": intervals,
    }


def form_of_test(test: PairedTest) -> dict[str, JSON]:
    """A paired test as JSON."""
    form: dict[str, JSON] = asdict(test)
    return {**form, "detectable": test.detectable, "rose": test.rose, "fell": test.fell}


def score_table(results: Results) -> list[list[str]]:
    """Rows of cells: suite, category, n, and per metric its mean and interval in per cent."""
    names = list(dict.fromkeys(name for one in results.suites for name in one.metrics))
    rows = [["suite", "instances", "n", *names]]
    for suite in results.suites:
        rows.append([suite.suite, "all", str(suite.n), *_cells(names, suite.metrics)])
        if suite.task_means:
            rows.append(["", "mean of tasks", "", *_plain(names, suite.task_means)])
        rows.extend(
            ["", one.category, str(one.n), *_plain(names, one.values)] for one in suite.categories
        )
    return rows


def _cells(names: Sequence[str], metrics: Mapping[str, Interval]) -> list[str]:
    return [
        f"{100 * one.mean:.2f} ({100 * one.low:.1f} to {100 * one.high:.1f})" if one else ""
        for one in (metrics.get(name) for name in names)
    ]


def _plain(names: Sequence[str], values: Mapping[str, float]) -> list[str]:
    return [f"{100 * values[name]:.2f}" if name in values else "" for name in names]


def _suite(form: Mapping[str, Any]) -> SuiteScores:
    return SuiteScores(
        suite=form["suite"],
        suite_sha256=form["suite_sha256"],
        questions_sha256=form["questions_sha256"],
        n=form["n"],
        metrics={name: Interval(**one) for name, one in form["metrics"].items()},
        task_means=form["task_means"],
        categories=tuple(CategoryScores(**one) for one in form["categories"]),
        instances=tuple(
            InstanceScores(one["id"], one["cluster"], tuple(one["categories"]), one["values"])
            for one in form["instances"]
        ),
        unanswered=form["unanswered"],
    )
