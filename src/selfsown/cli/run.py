"""`selfsown run`: start, resume or extend a run."""

from __future__ import annotations

import asyncio
import shlex
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from selfsown.cli.arguments import Asked, resolve
from selfsown.cli.main import ARGUMENTS, print_error, shown
from selfsown.cli.run_options import RunArguments, run_arguments
from selfsown.cli.shards import ShardArguments, perform_job, shard_options, wants_shards

if TYPE_CHECKING:
    from selfsown.core.config import RunConfig
    from selfsown.core.model import Model
    from selfsown.offline import Plan
    from selfsown.runner import RunResult, Start

_ONCE = ("--retry-failed",)
"""Flags that the command which resumes must not repeat."""
TEXTS = ("rephrase", "text")
"""Target units of recipes whose records are texts to pretrain on."""
DOCUMENT = "document"
"""Target unit of recipes whose records are documents still."""


@click.command()
@run_arguments
@shard_options
@click.option("--update", is_flag=True, help="Go on in a new epoch if the config changed.")
@click.option("--retry-failed", is_flag=True, help="Ask again exactly what failed for good.")
@click.option("--yes", is_flag=True, help="Do not ask before spending.")
@click.option("--quiet", is_flag=True, help="Print errors only.")
@click.option("--json", "as_json", is_flag=True, help="Print what came of it as JSON.")
@click.pass_context
def run(
    ctx: click.Context,
    /,
    update: bool,
    retry_failed: bool,
    yes: bool,
    quiet: bool,
    as_json: bool,
    **given: Any,
) -> int:
    """Run a recipe into a directory, or a config file (YAML or TOML) whose keys flags override.

    The same command again resumes; with a larger -n it extends. Every answer is on disk before it
    counts. Ctrl-C stops cleanly and prints the command that resumes.

    \b
      selfsown run self-instruct --model lab --seeds lab -n 100 -o runs/a
      selfsown run complete --rows rows.jsonl --prompt 'Sum up: {{ text }}' --model URI -o runs/b
      selfsown run runs/a/config.yaml -n 200
    """  # noqa: D301 `\b` tells click not to wrap
    from selfsown.cli.reading import counted
    from selfsown.runner import Start

    names = set(ShardArguments.__dataclass_fields__)
    sharding = ShardArguments(**{name: given.pop(name) for name in names})
    asked = resolve(RunArguments(**given))
    require_directory(asked.config)
    if wants_shards(sharding):
        return perform_job(
            asked,
            sharding,
            update=update,
            retry_failed=retry_failed,
            resume=resume_command(ctx),
            quiet=quiet,
            as_json=as_json,
        )
    view = None
    if not quiet:
        from selfsown.cli.progress import LiveView

        view = LiveView(asked.recipe, asked.options)
    resume = resume_command(ctx)
    start = Start(
        update=update,
        retry_failed=retry_failed,
        view=view,
        watch=partial(counted, quiet=quiet),
        signals=True,
        resume=resume,
    )
    ask = None if yes or not _is_interactive() else agrees
    return perform(asked, start, ask=ask, quiet=quiet, as_json=as_json)


def perform(
    asked: Asked,
    start: Start,
    *,
    ask: Callable[[Plan, RunConfig], bool] | None = None,
    quiet: bool = False,
    as_json: bool = False,
    hints: bool = True,
) -> int:
    """Run to the end or to a stop, print what came of it, and return the exit code.

    Args:
        asked: what to run.
        start: how; its `resume` is printed when the run is suspended.
        ask: shows the plan of a run that costs money and has no cap; whether to go on.
        quiet: print errors only.
        as_json: print the manifest on stdout, with the directory and the command that resumes.
        hints: name the commands to run next.
    """
    from selfsown.core.errors import Suspended
    from selfsown.runner import run_loop

    directory = Path(str(asked.config.out))
    before = _manifest_time(directory)
    if asked.config.documents is not None and asked.rows is None and not quiet:
        named = ", ".join(f"`{shown(path)}`" for path in asked.config.documents.paths)
        click.echo(f"reading documents: {named}", err=True)
    try:
        result: RunResult | None = run_loop(launch(asked, start, ask=ask))
    except Suspended as error:
        _tell_rest(start)
        has_begun = _manifest_time(directory) != before
        if has_begun and not quiet:
            _print_ending(directory)
        print_error(error)
        _print_resume(start)
        if as_json and has_begun:
            _print_json(directory, start.resume)
        return error.exit_code
    except (KeyboardInterrupt, asyncio.CancelledError):
        click.echo("interrupted at once; calls that were in flight will be asked again", err=True)
        _print_resume(start)
        return 130
    if result is None:
        click.echo("nothing was asked and nothing was spent", err=True)
        return 1
    _tell_rest(start)
    if not quiet:
        _print_ending(directory)
    if hints and not quiet:
        _print_next(directory, asked, result)
    if as_json:
        _print_json(directory, "")
    return 0


async def launch(
    asked: Asked, start: Start, *, ask: Callable[[Plan, RunConfig], bool] | None = None
) -> RunResult | None:
    """Run what was asked for; None if the user said no to the price.

    Raises:
        Suspended: budget, environment or a signal stopped it.
    """
    from selfsown.offline import plan
    from selfsown.runner import execute, open_models

    async with open_models(asked.config, asked.recipe, {}) as models:
        if ask is not None and _has_no_cap(asked.config) and _costs(models):
            found = await plan(
                asked.config,
                retry_failed=start.retry_failed,
                opened=models,
                rows=asked.rows,
                seeds=asked.seeds,
                watch=start.watch,
            )
            if found.new_calls and not ask(found, asked.config):
                return None
        return await execute(asked.config, start, opened=models, rows=asked.rows, seeds=asked.seeds)


def agrees(found: Plan, config: RunConfig) -> bool:
    """Show the plan of a run without a budget and ask whether to go on."""
    from selfsown.cli.plan import plan_lines

    click.echo("\n".join(plan_lines(found, config)), err=True)
    click.echo("no budget is set; --budget-usd X would be a hard cap", err=True)
    return click.confirm("go on?", err=True)


def program() -> str:
    """How this program was called, for the commands it prints.

    `selfsown` where the shell would find this very program, else the path as typed; through
    Python if it was called so.
    """
    typed, found = Path(sys.argv[0]), shutil.which("selfsown")
    if typed.name == "__main__.py":
        python = "python" if shutil.which("python") == sys.executable else sys.executable
        return f"{shlex.quote(python)} -m selfsown"
    if typed.name == "selfsown" and typed.exists() and not (found and typed.samefile(found)):
        return shlex.quote(str(typed))
    return "selfsown"


def resume_command(ctx: click.Context) -> str:
    """The command that resumes: the same again, without what must happen only once.

    It is written into the run directory, so keys that were typed are hidden in it.
    """
    from selfsown.core.hidden import hide_argument_secrets

    arguments = (word for word in ctx.meta.get(ARGUMENTS, ()) if word not in _ONCE)
    return f"{program()} {shlex.join(hide_argument_secrets(arguments))}"


def require_directory(config: RunConfig) -> None:
    """Refuse a config without a run directory before anything else happens."""
    from selfsown.core.errors import ConfigError

    if not config.out:
        raise ConfigError(
            "no run directory was given",
            why="everything a run pays for is kept there",
            fix="-o runs/NAME, or `out: runs/NAME` in the config",
        )


def _is_interactive() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _has_no_cap(config: RunConfig) -> bool:
    return config.budget.usd is None and config.budget.tokens is None


def _costs(models: dict[str, Model]) -> bool:
    prices = [model.price for model in models.values()]
    return any(price is not None and price.input_usd + price.output_usd > 0 for price in prices)


def _manifest_time(directory: Path) -> int:
    """When the manifest was written, in ns; 0 if there is none. It tells whose ending it holds."""
    from selfsown.core.rundir import MANIFEST

    path = directory / MANIFEST
    return path.stat().st_mtime_ns if path.exists() else 0


def _print_ending(directory: Path) -> None:
    from selfsown.cli.summary import ending_lines
    from selfsown.core.rundir import read_manifest

    click.echo("\n".join(ending_lines(directory, read_manifest(directory))), err=True)


def _print_next(directory: Path, asked: Asked, result: RunResult) -> None:
    from selfsown.cli.summary import extend_command

    page = directory / "report.html"
    if page.exists():
        click.echo(f"report: {page}", err=True)
    if result.failed:
        failed = shlex.quote(str(directory / "config.yaml"))
        click.echo(f"failed: {program()} run {failed} --retry-failed", err=True)
    target = asked.config.target or asked.recipe.target
    if target is not None and result.stop == "target":
        click.echo(f"more: {extend_command(program(), directory, target)}", err=True)
    click.echo(f"next: {program()} {_use_of(directory, asked)}", err=True)


def _use_of(directory: Path, asked: Asked) -> str:
    """What makes training data of the records: pairs, texts, or requests with answers."""
    quoted = shlex.quote(str(directory))
    if asked.recipe.target_unit == "pair":
        return f"pairs {quoted} -o pairs.jsonl"
    if asked.recipe.target_unit in TEXTS:
        documents, rows = asked.config.documents, asked.config.rows
        return mix_words(directory, documents.paths[0] if documents is not None else rows)
    if asked.recipe.target_unit == DOCUMENT:
        return writing_words(directory)
    return f"export {quoted} --format messages -o train.jsonl"


def mix_words(directory: Path, real: str | None) -> str:
    """The words that mix the texts of a directory with as many tokens of real ones."""
    named = (f"--real documents={real or 'FILE'}:1", f"--synthetic texts={directory}:1")
    sources = " ".join(word for pair in named for word in map(shlex.quote, pair.split(" ", 1)))
    return f"mix {sources} --pass-over texts -o mixture"


def writing_words(directory: Path) -> str:
    """The words that have texts grow from the documents of a directory."""
    rows = shlex.quote(str(directory / "accepted.jsonl"))
    return f"run cosmopedia --rows {rows} --model URI -o runs/texts"


def _print_resume(start: Start) -> None:
    click.echo(f"resume: {start.resume}", err=True)


def _print_json(directory: Path, resume: str) -> None:
    import orjson

    from selfsown.core.rundir import read_manifest

    form = {"directory": str(directory), "resume": resume, **read_manifest(directory)}
    click.echo(orjson.dumps(form, option=orjson.OPT_INDENT_2))


def _tell_rest(start: Start) -> None:
    tell = getattr(start.view, "tell_rest", None)
    if tell is not None:
        tell()
