"""Results of an evaluation for people and for programs: tables times 100, JSON between 0 and 1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from selfsown.cli.main import shown
from selfsown.cli.summary import aligned
from selfsown.core.request import JSON
from selfsown.evaluate.results import Results, prediction_summary, score_table

Tests = Mapping[str, Mapping[str, Any]]
"""Suite → metric → paired test as JSON."""

_SEEN = {"unknown": "not compared with the training data", "overlap": "trained on"}


def result_lines(results: Results, tests: Tests, against: Path | None) -> list[str]:
    """The table of scores, and below it the changes against earlier results."""
    rows = [[shown(cell) for cell in row] for row in score_table(results)]
    lines = aligned(rows, right=(2,))
    lines += [
        shown(f"{_SEEN[one.state]}: `{one.suite}` and `{one.data}`: {one.about}")
        for one in results.exposures
        if one.state in _SEEN
    ]
    if not tests:
        return lines
    changes = [
        ["suite", "metric", "change", "95 % interval", "p", "detectable", "wins", "losses", "ties"]
    ]
    for suite, metrics in tests.items():
        changes.extend(_change(suite, metric, test) for metric, test in metrics.items())
    heading = f"change against `{shown(str(against))}`, paired, times 100"
    return [*lines, "", heading, *aligned(changes, right=(2, 4, 5, 6, 7, 8))]


def results_json(results: Results, tests: Tests, *, is_predictions: bool) -> bytes:
    """Scores and tests as JSON, without the scores of single instances."""
    form: dict[str, JSON]
    if is_predictions:
        form = prediction_summary(results)
        if tests:
            form["against"] = next(iter(tests.values()))
    else:
        suites = [asdict(one) for one in results.suites]
        for one in suites:
            del one["instances"]  # results.json has them
        exposures = [asdict(one) for one in results.exposures]
        form = {"model": results.model, "suites": suites}
        form |= {"exposures": exposures, "against": tests}
    return orjson.dumps(form, option=orjson.OPT_INDENT_2)


def _change(suite: str, metric: str, test: Mapping[str, Any]) -> list[str]:
    change = test["difference"]
    span = f"{100 * change['low']:+.2f} to {100 * change['high']:+.2f}"
    counts = [str(test[name]) for name in ("wins", "losses", "ties")]
    mean, p = f"{100 * change['mean']:+.2f}", f"{test['p_permutation']:.4f}"
    return [shown(suite), metric, mean, span, p, f"{100 * test['detectable']:.2f}", *counts]
