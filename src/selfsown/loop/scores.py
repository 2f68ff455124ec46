"""Scores of a model on suites: asked for once, then read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from selfsown.evaluate.results import RESULTS, Results, read_results
from selfsown.evaluate.suite import Suite
from selfsown.evaluation import evaluate


def scored(
    uri: str,
    suites: Sequence[Suite],
    out: Path,
    tell: Callable[[str], None],
    name: str,
    **settings: Any,
) -> Results:
    """What is in a directory of results, or comes there now.

    Args:
        uri: of the model.
        suites: what to ask.
        out: directory of the evaluation.
        tell: receives the means, in one line, if the model was asked now.
        name: what the line begins with.
        settings: other keys of the evaluation's run.

    Raises:
        Suspended: environment or a signal stopped it; the same call resumes.
    """
    if (out / RESULTS).is_file():
        return read_results(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    results = evaluate(uri, suites, out, **settings)
    shown = (
        f"{one.suite} " + ", ".join(f"{m} {100 * v.mean:.1f}" for m, v in one.metrics.items())
        for one in results.suites
    )
    tell(f"{name}: {'; '.join(shown)}")
    return results
