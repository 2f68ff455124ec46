"""The argument and options that `run`, `plan` and `preview` share."""

from __future__ import annotations

from dataclasses import dataclass

import click

from selfsown.cli.option_sets import CommandT, with_options

_OPTIONS = with_options(
    click.option(
        "--model",
        "models",
        multiple=True,
        metavar="[ROLE=]URI",
        help="Model of the first role, or of ROLE: lab, openai:NAME, anthropic:NAME,"
        " http://HOST:PORT/v1#NAME, ollama:NAME, hf:PATH, scripted:FILE.",
    ),
    click.option(
        "--seeds", metavar="FILE", help="Seed tasks: JSONL, JSON or CSV file, or `lab`, `starter`."
    ),
    click.option("--rows", metavar="FILE", help="Rows: JSONL, JSON or CSV file."),
    click.option(
        "--documents",
        multiple=True,
        metavar="PATH",
        help="Documents as rows: files or folders of text, Markdown, HTML, PDF, JSONL, ...",
    ),
    click.option("--prompt", metavar="TEXT|@FILE", help="Jinja2 prompt of recipe `complete`."),
    click.option("--system", metavar="TEXT|@FILE", help="System prompt of recipe `complete`."),
    click.option("--schema", metavar="FILE", help="JSON schema of the answers of `complete`."),
    click.option(
        "-n",
        "--target",
        metavar="N",
        type=click.IntRange(min=1),
        help="Accepted units to stop at.",
    ),
    click.option("-o", "--out", metavar="DIR", help="Run directory."),
    click.option(
        "--preset", metavar="NAME", help="Named set of options; `selfsown recipes NAME` lists them."
    ),
    click.option(
        "--seed", metavar="N", type=click.IntRange(min=0), help="Seed of every random choice."
    ),
    click.option(
        "--order",
        type=click.Choice(["arrival", "strict"]),
        help="Results count as they finish, or in the order of draws.",
    ),
    click.option(
        "--concurrency",
        metavar="N",
        type=click.IntRange(min=1),
        help="Calls in flight at the start.",
    ),
    click.option(
        "--batch/--no-batch",
        default=None,
        help="Send calls through the provider's batch API: half price, answers within 24 hours.",
    ),
    click.option(
        "--budget-usd",
        metavar="X",
        type=click.FloatRange(min=0),
        help="Hard cap in US dollars.",
    ),
    click.option(
        "--budget-tokens", metavar="N", type=click.IntRange(min=0), help="Hard cap in tokens."
    ),
    click.option(
        "--set",
        "assignments",
        multiple=True,
        metavar="KEY=VALUE",
        help="Any config key or option; dots go deeper; values are YAML.",
    ),
    click.option("--reuse", multiple=True, metavar="DIR", help="Copy answers from another run."),
)


def run_arguments(command: CommandT) -> CommandT:
    """Give a click command the argument RECIPE_OR_CONFIG and the options above."""
    return click.argument("source", metavar="RECIPE_OR_CONFIG")(_OPTIONS(command))


@dataclass(frozen=True, slots=True, kw_only=True)
class RunArguments:
    """The shared arguments as typed; the fields are the options' names."""

    source: str
    """Name of a recipe, or a config file."""
    models: tuple[str, ...] = ()
    seeds: str | None = None
    rows: str | None = None
    documents: tuple[str, ...] = ()
    prompt: str | None = None
    system: str | None = None
    schema: str | None = None
    target: int | None = None
    out: str | None = None
    preset: str | None = None
    seed: int | None = None
    order: str | None = None
    concurrency: int | None = None
    batch: bool | None = None
    budget_usd: float | None = None
    budget_tokens: int | None = None
    assignments: tuple[str, ...] = ()
    reuse: tuple[str, ...] = ()
