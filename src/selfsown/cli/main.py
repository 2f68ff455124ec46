"""The command `selfsown`: a table of verbs, each imported when it is used, and how errors end.

Exit codes: 0 success, 1 a check said no, 2 usage or config, 3 provider or environment (or a defect
of ours), 130 interrupted.
"""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from selfsown import __version__

if TYPE_CHECKING:
    from selfsown.core.errors import SelfsownError


class Verb(NamedTuple):
    """One line of the table of commands."""

    chapter: str
    name: str
    home: str
    """`module:attribute` of the click command."""
    about: str


VERBS: Final = (
    Verb("Start", "demo", "selfsown.cli.demo:demo", "The whole loop on the embedded lab model."),
    Verb("Start", "init", "selfsown.cli.init:init", "Write a config with every key explained."),
    Verb("Start", "recipes", "selfsown.cli.recipes:recipes", "List recipes; explain one."),
    Verb("Start", "seeds", "selfsown.cli.seeds:seeds", "Check, show and fetch seed tasks."),
    Verb(
        "Start",
        "documents",
        "selfsown.cli.documents:documents",
        "What files give as documents, and what they do not.",
    ),
    Verb("Run", "plan", "selfsown.cli.plan:plan", "Calls, tokens and cost, before any is spent."),
    Verb("Run", "preview", "selfsown.cli.preview:preview", "A tiny run, shown in full."),
    Verb("Run", "run", "selfsown.cli.run:run", "Run a recipe; again: resume or extend it."),
    Verb("Run", "merge", "selfsown.cli.merge:merge", "Runs and sharded jobs as one data set."),
    Verb("Run", "cancel", "selfsown.cli.cancel:cancel", "Give up batches at the provider."),
    Verb("Look", "status", "selfsown.cli.status:status", "How far a run is, also while it runs."),
    Verb("Look", "why", "selfsown.cli.why:why", "The lineage of one record, calls included."),
    Verb("Look", "diff", "selfsown.cli.diff:diff", "What differs between two runs."),
    Verb("Look", "report", "selfsown.cli.report:report", "Write the page about a run."),
    Verb("Clean", "dedup", "selfsown.cli.dedup:dedup", "Remove near-duplicates from a file."),
    Verb(
        "Clean",
        "decontaminate",
        "selfsown.cli.decontaminate:decontaminate",
        "Keep data apart from what evaluations ask.",
    ),
    Verb("Improve", "mix", "selfsown.cli.mix:mix", "Real and synthetic text by tokens."),
    Verb("Improve", "train", "selfsown.cli.train:train", "Tune a model on a run or an export."),
    Verb("Improve", "evaluate", "selfsown.cli.evaluate:evaluate", "Score a model on suites."),
    Verb("Improve", "suites", "selfsown.cli.suites:suites", "List, fetch and show suites."),
    Verb("Improve", "rate", "selfsown.cli.rate:rate", "Let people rate answers blindly."),
    Verb("Improve", "judge", "selfsown.cli.judge:judge", "How far can a judge be trusted?"),
    Verb("Improve", "guard", "selfsown.cli.guard:guard", "Measure a run beside human text."),
    Verb("Improve", "loop", "selfsown.cli.loop:loop", "Rounds of all that; again: resume."),
    Verb("Improve", "mad", "selfsown.cli.mad:mad", "Simulate models that feed on themselves."),
    Verb("Use", "export", "selfsown.cli.export:export", "Write accepted records for a trainer."),
    Verb("Use", "pairs", "selfsown.cli.pairs:pairs", "Write preference pairs for a trainer."),
    Verb("Use", "serve", "selfsown.cli.serve:serve", "Serve a local model over HTTP."),
    Verb("Check", "replay", "selfsown.cli.replay:replay", "Rebuild a run offline and compare."),
    Verb("Check", "doctor", "selfsown.cli.doctor:doctor", "Check the set-up, or mend a run."),
    Verb("Check", "lab", "selfsown.cli.lab:lab", "Look into the micro-world and its model."),
)
"""Every command in the order of `--help`."""

ARGUMENTS: Final = "selfsown.arguments"
"""Key of the context's `meta`: the arguments as given, for the command that resumes."""


class Program(click.Group):
    """The group of all verbs, imported one by one, with our errors and exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the table."""
        return [verb.name for verb in VERBS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name, imported now."""
        for verb in VERBS:
            if verb.name == cmd_name:
                module, _, attribute = verb.home.partition(":")
                command: click.Command = getattr(import_module(module), attribute)
                return _with_kept_lines(command)
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the arguments name.

        Raises:
            UsageError: there is none; names the nearest.
        """
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            near = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1, cutoff=0.5)
            question = f"; did you mean `{near[0]}`?" if near else ""
            raise click.UsageError(f"there is no command `{args[0]}`{question}", ctx)
        return super().resolve_command(ctx, args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Remember the arguments as given."""
        ctx.meta[ARGUMENTS] = tuple(args)
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table, chapter by chapter, without importing any verb."""
        for chapter in dict.fromkeys(verb.chapter for verb in VERBS):
            with formatter.section(chapter):
                formatter.write_dl(
                    [(verb.name, verb.about) for verb in VERBS if verb.chapter == chapter]
                )

    def main(self, *args: Any, **given: Any) -> Any:
        """Run, print what went wrong, and exit with its code (or return it).

        Takes what `click.Group.main` takes.
        """
        standalone = bool(given.pop("standalone_mode", True))
        given["prog_name"] = given.get("prog_name") or "selfsown"
        run = partial(super().main, *args, standalone_mode=False, **given)
        code = _exit_code_of(run)
        if standalone:
            sys.exit(code)
        return code


@click.group("selfsown", cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(version)s")
def cli() -> None:
    """Grow training data from a language model: journaled, curated, budgeted, reproducible.

    Nothing paid for is lost: the same command again resumes. `selfsown demo` shows it all.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        arguments: without the program's name; those of the process if None.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal in another encoding shows escapes instead
            stream.reconfigure(errors="backslashreplace")
    code = cli.main(arguments, standalone_mode=False)
    assert isinstance(code, int)
    return code


def _with_kept_lines(command: click.Command) -> click.Command:
    r"""The command, where `\b` that a raw docstring spells out is click's mark to keep lines."""
    if command.help:
        command.help = command.help.replace("\\b", "\b")
    if isinstance(command, click.Group):
        for one in command.commands.values():
            _with_kept_lines(one)
    return command


def shown(text: str) -> str:
    """A user's or a model's text, safe to print: control characters become visible signs."""
    from selfsown.report.shown import shown as made_visible

    return made_visible(text, max(1, len(text)))


def print_error(error: SelfsownError) -> None:
    """What, why and fix of an error, on stderr."""
    click.echo(f"error: {shown(error.what)}", err=True)
    if error.why:
        click.echo(f"why: {shown(error.why)}", err=True)
    if error.fix:
        click.echo(f"hint: {shown(error.fix)}", err=True)


def _exit_code_of(run: Callable[[], object]) -> int:
    from selfsown.core.errors import SelfsownError

    try:
        value = run()
        sys.stdout.flush()
        return value if isinstance(value, int) else 0
    except SelfsownError as error:
        print_error(error)
        return error.exit_code
    except click.Abort:
        click.echo("interrupted", err=True)
        return 130
    except click.ClickException as error:
        _print_usage_error(error)
        return error.exit_code
    except KeyboardInterrupt:
        click.echo("interrupted", err=True)
        return 130
    except BrokenPipeError:  # the reader of our output had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        place = f"`{shown(str(error.filename))}`: " if error.filename else ""
        click.echo(f"error: {place}{error.strerror or error}", err=True)
        _print_traceback_hint()
        return 3
    except Exception as error:
        click.echo(f"error: {type(error).__name__}: {shown(str(error))}", err=True)
        click.echo("why: this is a defect of selfsown, not of what you typed", err=True)
        _print_traceback_hint()
        return 3


def _print_usage_error(error: click.ClickException) -> None:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return
    click.echo(f"error: {shown(error.format_message())}", err=True)
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "selfsown"
    click.echo(f"hint: {path} --help", err=True)


def _print_traceback_hint() -> None:
    """The traceback of the current exception if asked for, else how to get and report it."""
    if os.environ.get("SELFSOWN_TRACEBACK"):
        import traceback

        click.echo(shown(traceback.format_exc()), err=True)
        return
    click.echo(
        "hint: set SELFSOWN_TRACEBACK=1, run it again, and report what it prints"
        f" (selfsown {__version__}, Python {sys.version.split()[0]})",
        err=True,
    )
