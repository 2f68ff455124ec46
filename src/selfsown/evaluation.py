"""From a model and suites to scores: the answers by a journaled run, the results derived from it.

The directory is a run directory (`journal.sqlite`, `accepted.jsonl`, …) with `results.json` and,
per suite, `predictions/SUITE.jsonl` in the form that `selfsown evaluate --predictions` reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from selfsown.core.config import RunConfig, make_config
from selfsown.core.model import Model
from selfsown.core.request import JSON
from selfsown.core.rundir import read_lines, write_lines
from selfsown.core.stages import data_line
from selfsown.evaluate.results import RESULTS, Exposure, Results, write_results
from selfsown.evaluate.score import SuiteScores, score_answers
from selfsown.evaluate.suite import Suite, answer_of
from selfsown.recipes.evaluate import RECIPE
from selfsown.runner import Start, execute, run_loop
from selfsown.train.exposure import exposures

ROLE: Final = "model"
RECIPE_NAME: Final = "selfsown.recipes.evaluate:RECIPE"
"""By its place: it makes no data, so it is not among the recipes that users choose from."""


def evaluate(model: str | Model, suites: Sequence[Suite], out: str | Path, **given: Any) -> Results:
    """`aevaluate` for callers without an event loop."""
    results: Results = run_loop(aevaluate(model, suites, out, **given))
    return results


async def aevaluate(
    model: str | Model,
    suites: Sequence[Suite],
    out: str | Path,
    *,
    start: Start | None = None,
    trained_on: Sequence[Path] = (),
    allow_overlap: bool = False,
    **settings: Any,
) -> Results:
    """Let a model answer suites into a directory and score the answers.

    The same call again asks nothing that was answered.

    Args:
        model: URI, folder of a Hugging Face model, or an open model.
        suites: what to ask; names differ.
        out: directory.
        start: how to start the run.
        trained_on: training files of the model, beside those that its own record names.
        allow_overlap: ask also what the model was trained on; the results say so.
        settings: other keys of a run's config (`limits`, `budget`, `reuse`, …).

    Raises:
        CheckFailed: training data of the model repeat items of a suite.
        InputError: something given cannot be used.
        Suspended: budget, environment or a signal stopped it; the same call resumes.
    """
    uri = model.uri if isinstance(model, Model) else model_uri(model)
    seen = exposures(uri, suites, files=trained_on, allow=allow_overlap)
    config = evaluation_config(uri, out, **settings)
    opened = {ROLE: model} if isinstance(model, Model) else {}
    rows = list(suite_rows(suites))
    result = await execute(config, start or Start(), recipe=RECIPE, opened=opened, rows=rows)
    return write_scores(result.directory, uri, suites, seen)


def evaluation_config(uri: str, out: str | Path, **settings: Any) -> RunConfig:
    """The config of an evaluation's run.

    Failed calls count as empty answers, so no rate of them stops the run.

    Raises:
        ConfigError: an unknown key, or a value out of range.
    """
    base = {"recipe": RECIPE_NAME, "models": {ROLE: uri}, "out": str(out), "max_failure_rate": 1.0}
    return make_config({**base, **settings}, source="evaluation")


def model_uri(given: str) -> str:
    """The URI of a model, where a folder with a `config.json` stands for itself."""
    return f"hf:{given}" if (Path(given) / "config.json").is_file() else given


def suite_rows(suites: Sequence[Suite]) -> Iterator[dict[str, JSON]]:
    """One row per instance, with everything that the evaluation's directory needs to keep."""
    for suite in suites:
        for one in suite.instances:
            yield {
                "id": f"{suite.name}/{one.id}",
                "suite": suite.name,
                "instruction": one.instruction,
                "input": one.input,
                "references": list(one.references),
                "prompt": one.prompt,
                "max_tokens": suite.max_tokens,
                "stop": list(suite.stop),
            }


def write_scores(
    directory: Path, model: str, suites: Sequence[Suite], seen: Sequence[Exposure]
) -> Results:
    """Score the answers in a finished directory, and write results and predictions.

    Raises:
        InputError: an instance has no answer.
    """
    completions, failed = _outcomes(directory)
    scored: list[SuiteScores] = []
    for suite in suites:
        ids = {one.id: f"{suite.name}/{one.id}" for one in suite.instances}
        answers = {
            own: "" if row in failed else answer_of(suite, completions[row])
            for own, row in ids.items()
            if row in failed or row in completions
        }
        unanswered = sum(row in failed for row in ids.values())
        scored.append(score_answers(suite, answers, unanswered=unanswered))
        _write_predictions(directory, suite, answers)
    results = Results(model, tuple(scored), tuple(seen))
    write_results(directory / RESULTS, results)
    return results


def _outcomes(directory: Path) -> tuple[dict[str, str], set[str]]:
    """Row id → completion, and the ids of rows whose call failed for good."""
    completions: dict[str, str] = {}
    for row in read_lines(directory / "accepted.jsonl"):
        assert isinstance(row, dict)
        completions[str(row["id"])] = str(row["completion"])
    failed: set[str] = set()
    for row in read_lines(directory / "failed.jsonl"):
        assert isinstance(row, dict) and isinstance(row["record"], dict)
        failed.add(str(row["record"]["id"]))
    return completions, failed


def _write_predictions(directory: Path, suite: Suite, answers: Mapping[str, str]) -> None:
    (directory / "predictions").mkdir(exist_ok=True)
    rows = (
        {
            "prompt": one.prompt,
            "instruction": one.instruction,
            "input": one.input,
            "response": answers[one.id],
            "target": list(one.references),
        }
        for one in suite.instances
    )
    write_lines(directory / "predictions" / f"{suite.name}.jsonl", map(data_line, rows))
