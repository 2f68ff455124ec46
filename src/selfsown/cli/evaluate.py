"""`selfsown evaluate`: score a model on suites, or score answers that are there already."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from selfsown.cli.main import shown

if TYPE_CHECKING:
    from selfsown.core.request import JSON
    from selfsown.evaluate.open_suite import SuiteChanges
    from selfsown.evaluate.results import Results
    from selfsown.evaluate.suite import Suite


@click.command()
@click.argument("model", required=False)
@click.option(
    "--suite",
    "suites",
    multiple=True,
    metavar="SUITE",
    help="lab-task, lab-plain, lab-task-8, user-oriented, superni, NAME=FILE or a JSONL file;"
    " may be repeated.",
)
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Directory of the evaluation.")
@click.option(
    "--predictions",
    type=click.Path(path_type=Path),
    help="Score this file instead of asking a model: lines with prompt, instruction, input,"
    " response, target.",
)
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    help="Paired tests against an evaluation's directory or a prediction file.",
)
@click.option(
    "--trained-on",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Training file of the model, beside those that its own record names.",
)
@click.option(
    "--allow-overlap",
    is_flag=True,
    help="Ask also what the training data of the model repeat; the results say so.",
)
@click.option("--metric", "metrics", multiple=True, help="Instead of the suite's metrics.")
@click.option("--layout", help="Prompts of suites from files: published, task, plain or bare.")
@click.option("--max-tokens", type=click.IntRange(min=1), help="Longest answer.")
@click.option("--stop", "stops", multiple=True, help="A string that ends an answer.")
@click.option("--first-line", is_flag=True, help="Score only the first line of an answer.")
@click.option("--limit", type=click.IntRange(min=1), help="Use only so many instances per suite.")
@click.option("--concurrency", type=click.IntRange(min=1), help="Calls in flight at the start.")
@click.option("--budget-usd", type=click.FloatRange(min=0), help="Hard cap in US dollars.")
@click.option("--update", is_flag=True, help="Go on if the suites changed; equal prompts are kept.")
@click.option("--retry-failed", is_flag=True, help="Ask again exactly what failed for good.")
@click.option("--yes", is_flag=True, help="Do not ask before spending.")
@click.option("--quiet", is_flag=True, help="Print errors only.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
@click.pass_context
def evaluate(
    ctx: click.Context,
    /,
    model: str | None,
    suites: tuple[str, ...],
    out: Path | None,
    predictions: Path | None,
    against: Path | None,
    quiet: bool,
    as_json: bool,
    **given: Any,
) -> None:
    r"""Score MODEL (a URI, or the folder of a model) on suites; every answer is kept in OUT.

    Scores lie between 0 and 1; tables show them times 100 with 95 % bootstrap intervals. A suite
    whose items the model was trained on is refused with the list.

    \b
      selfsown evaluate lab --suite lab-task --suite lab-plain -o evals/base
      selfsown evaluate models/x --suite lab-plain -o evals/x --against evals/base
      selfsown evaluate --predictions answers.jsonl --json
    """
    from selfsown.cli.score_tables import result_lines, results_json
    from selfsown.evaluate.results import read_results, results_of_predictions

    earlier = read_results(against) if against is not None else None
    if predictions is not None:
        _refuse_both(
            {"MODEL": model, "--suite": suites, "-o": out}
            | {"--stop": given["stops"]}
            | {
                f"--{name.replace('_', '-')}": value
                for name, value in given.items()
                if name not in ("metrics", "stops")
            }
        )
        results = results_of_predictions(predictions, given["metrics"])
    else:
        asked = _asked(model, suites, out, given)
        assert model is not None and out is not None
        results = _answered(ctx, model, asked, out, quiet, given)
    tests = _tests(earlier, results) if earlier is not None else {}
    if as_json:
        click.echo(results_json(results, tests, is_predictions=predictions is not None))
        return
    click.echo("\n".join(result_lines(results, tests, against)))
    if out is not None and not quiet:
        click.echo(f"wrote `{out / 'results.json'}`", err=True)


def _asked(
    model: str | None,
    suites: tuple[str, ...],
    out: Path | None,
    given: dict[str, Any],
) -> list[Suite]:
    """The suites to ask, read and checked before a model is opened."""
    from selfsown.evaluate.open_suite import open_suites

    for missing, value in (("MODEL", model), ("--suite SUITE", suites), ("-o DIR", out)):
        if not value:
            raise click.UsageError(f"`{missing}` is missing; or score a file with --predictions")
    return open_suites(suites, _changes(given))


def _changes(given: dict[str, Any]) -> SuiteChanges:
    from selfsown.evaluate.open_suite import SuiteChanges

    return SuiteChanges(
        layout=given["layout"],
        max_tokens=given["max_tokens"],
        stop=given["stops"] or None,
        answer="first_line" if given["first_line"] else None,
        metrics=given["metrics"] or None,
        limit=given["limit"],
    )


def _answered(
    ctx: click.Context,
    model: str,
    suites: list[Suite],
    out: Path,
    quiet: bool,
    given: dict[str, Any],
) -> Results:
    """Let the model answer; what it answered before is not asked again."""
    from selfsown.cli.arguments import Asked
    from selfsown.cli.progress import LiveView
    from selfsown.cli.run import agrees, perform, resume_command
    from selfsown.evaluation import evaluation_config, model_uri, suite_rows, write_scores
    from selfsown.recipes.evaluate import RECIPE
    from selfsown.runner import Start
    from selfsown.train.exposure import exposures

    uri = model_uri(model)
    allow = given["allow_overlap"]
    seen = exposures(uri, suites, files=given["trained_on"], allow=allow)
    settings: dict[str, Any] = {"budget": {"usd": given["budget_usd"]}}
    if given["concurrency"] is not None:
        settings["limits"] = {"concurrency": given["concurrency"]}
    config = evaluation_config(uri, out, **settings)
    options = RECIPE.resolve(config.preset, config.options)
    asked = Asked(config, RECIPE, options, rows=list(suite_rows(suites)))
    start = Start(
        update=given["update"],
        retry_failed=given["retry_failed"],
        view=None if quiet else LiveView(RECIPE, options),
        signals=True,
        resume=resume_command(ctx),
    )
    is_interactive = sys.stdin.isatty() and sys.stderr.isatty()
    ask = agrees if is_interactive and not given["yes"] else None
    code = perform(asked, start, ask=ask, quiet=quiet, hints=False)
    if code:
        ctx.exit(code)
    results = write_scores(out, uri, suites, seen)
    for one in results.suites:
        if one.unanswered:
            click.echo(
                f"warning: {one.unanswered} of {one.n} calls of `{shown(one.suite)}` failed for "
                "good and count as empty answers\nhint: --retry-failed asks exactly those again",
                err=True,
            )
    return results


def _tests(earlier: Results, results: Results) -> dict[str, dict[str, JSON]]:
    """Suite → metric → paired test, for what both have."""
    from selfsown.core.errors import InputError
    from selfsown.evaluate.results import form_of_test
    from selfsown.evaluate.score import compare

    tests: dict[str, dict[str, JSON]] = {}
    for scores in results.suites:
        other = earlier.counterpart(scores)
        if other is not None:
            tests[scores.suite] = {
                metric: form_of_test(compare(other, scores, metric))
                for metric in scores.metrics
                if metric in other.metrics
            }
    if not tests:
        raise InputError(
            "the two results are not of the same questions in any suite",
            why="a paired test needs both models' answers to the same instances",
            fix="evaluate both with the same `--suite` and `--limit`",
        )
    return tests


def _refuse_both(given: Mapping[str, object]) -> None:
    """Refuse what only matters when a model is asked."""
    for name, value in given.items():
        if value:
            raise click.UsageError(f"`{name}` does not go with --predictions: nothing is asked")
