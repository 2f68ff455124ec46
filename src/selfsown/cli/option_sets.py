"""Options that verbs share, and how a set of options gets onto a command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

CommandT = TypeVar("CommandT", bound=Callable[..., object])


def with_options(
    *options: Callable[[CommandT], CommandT],
) -> Callable[[CommandT], CommandT]:
    """What gives a command these options, in this order in its help."""

    def given(command: CommandT) -> CommandT:
        for option in reversed(options):
            command = option(command)
        return command

    return given


def out_file(text: str) -> Callable[[CommandT], CommandT]:
    """The option `-o FILE` of a verb that writes a file; `text` is its help."""
    kind = click.Path(path_type=Path, dir_okay=False)
    return click.option("-o", "--out", required=True, type=kind, help=text)


def suite_options(command: CommandT) -> CommandT:
    """Give a command the options that say which evaluation suites its data are kept apart from.

    They come as `suites` and `no_decontaminate`; `refuse_both` checks them.
    """
    return with_options(
        click.option(
            "--suite",
            "suites",
            multiple=True,
            metavar="SUITE",
            help="Leave out records that repeat items of it; may be repeated. Default: suites that"
            " are there by name.",
        ),
        click.option("--no-decontaminate", is_flag=True, help="Compare with no suite."),
    )(command)


def refuse_both(suites: tuple[str, ...], *, no_decontaminate: bool) -> None:
    """Make sure that suites are named or turned off.

    Raises:
        UsageError: both.
    """
    if suites and no_decontaminate:
        raise click.UsageError("--suite does not go with --no-decontaminate")
