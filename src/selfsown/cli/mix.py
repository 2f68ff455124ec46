"""`selfsown mix`: real and synthetic text in one training mixture, by tokens."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from selfsown.cli.mix_sources import given_sources, source_options
from selfsown.cli.mix_sweep import sweep

if TYPE_CHECKING:
    from selfsown.mixing.mix import MixResult
    from selfsown.mixing.writing import FileFormat

_POSITIVE: Final = click.IntRange(min=1)
_NEAR: Final = 0.01
_FOLDER: Final = click.Path(path_type=Path, file_okay=False)


@click.group(invoke_without_command=True)
@source_options
@click.option("-o", "--out", type=_FOLDER, help="Folder to write.")
@click.option("--tokens", type=_POSITIVE, metavar="N", help="Size of the mixture.")
@click.option("--pass-over", metavar="NAME", help="Instead: one pass over this source.")
@click.option("--window", type=_POSITIVE, metavar="N", help="Pack texts into rows of N tokens.")
@click.option("--tokenizer", type=_FOLDER, help="Count with it; without it, bytes / 4.")
@click.option(
    "--rows",
    type=click.Choice(["text", "tokens"]),
    help="What rows hold; default tokens with --window and --tokenizer, else text.",
)
@click.option(
    "--end", metavar="TEXT", help="Behind each document of a window; default a blank line, or eos."
)
@click.option("--in-order", is_flag=True, help="Do not shuffle windows, only texts.")
@click.option(
    "--validation",
    default=0.0,
    show_default=True,
    help="Share of the documents that is held out, rephrases included.",
)
@click.option("--seed", default=0, show_default=True, help="Of order and validation.")
@click.option("--parquet", is_flag=True, help="Write Parquet instead of JSONL.")
@click.option("--shard-bytes", default=0, metavar="N", help="Write files of about N bytes.")
@click.option("--whole-only", is_flag=True, help="Leave out documents that lack chunks.")
@click.option("--allow-all-synthetic", is_flag=True, help="Even if people wrote none of it.")
@click.option("--force", is_flag=True, help="Replace a mixture that is there.")
@click.option("--json", "as_json", is_flag=True, help="Print mixture.json.")
@click.pass_context
def mix(ctx: click.Context, /, out: Path | None, as_json: bool, **given: Any) -> None:
    r"""Write a training mixture of files and runs, in shares of tokens.

    Sources are files, folders of documents, and run directories. Exit code 1 if they are too small
    for what was asked, even repeated: then the mixture is smaller, in the same ratio.

    \b
      selfsown mix --real web=docs/ --source easy=runs/easy --pass-over web -o mixture
      selfsown mix --real web=web.jsonl:2 --synthetic qa=qa.jsonl:1 --tokens 1000000 -o mixture
    """
    if ctx.invoked_subcommand is not None:
        _refuse_given(ctx)
        return
    if out is None:
        raise click.UsageError("Missing option '-o' / '--out'.", ctx)
    from selfsown.mixing.mix import mix as mixed
    from selfsown.mixing.options import MixOptions

    sources = given_sources(given)
    form: FileFormat = "parquet" if given.pop("parquet") else "jsonl"
    given["window"] = given["window"] or 0
    result = mixed(sources, out, MixOptions(form=form, **given), tell=_tell)
    _print(result, as_json=as_json)
    if result.plan.shortfall:
        raise click.exceptions.Exit(1)


def _refuse_given(ctx: click.Context) -> None:
    """Make sure that no option stands before a verb that has options of its own.

    Raises:
        UsageError: one does, and would be without effect.
    """
    given = click.core.ParameterSource.COMMANDLINE
    if any(ctx.get_parameter_source(name) is given for name in ctx.params):
        verb = ctx.invoked_subcommand
        raise click.UsageError(f"options of `{verb}` stand behind it: selfsown mix {verb} ...")


def _tell(line: str) -> None:
    click.echo(line, err=True)


def _print(result: MixResult, *, as_json: bool) -> None:
    import orjson

    from selfsown.cli.summary import aligned
    from selfsown.mixing.record import HOLES, LEFT_OUT

    if as_json:
        click.echo(orjson.dumps(result.record, option=orjson.OPT_INDENT_2))
    else:
        click.echo("\n".join(aligned(_table(result))), err=True)
    for name, about in ((HOLES, "chunks that are missing"), (LEFT_OUT, "what was left out")):
        if (result.out / name).exists():
            click.echo(f"{about} are listed in `{result.out / name}`", err=True)
    click.echo(f"people wrote {result.human_share:.1%} of the tokens", err=True)
    if (off := _farthest(result)) > _NEAR:
        click.echo(
            f"shares are up to {100 * off:.1f} points off, since texts come whole: more --tokens,"
            " or more and shorter texts, bring them closer",
            err=True,
        )
    if result.plan.shortfall:
        click.echo(
            f"shortfall: {result.plan.shortfall:,} of {result.plan.wanted:,} tokens:"
            f" `{result.plan.limited_by}` has no more, repeated as often as it may be",
            err=True,
        )
    if not as_json:
        for path in (*result.train, *result.validation):
            click.echo(path)


def _farthest(result: MixResult) -> float:
    """How far a source's share is from the one that was wanted, at most; in [0, 1]."""
    told: Any = result.record["sources"]
    return max(abs(float(one["mixed"]["share"] - one["share_wanted"])) for one in told)


def _table(result: MixResult) -> Sequence[Sequence[str]]:
    rows = [["source", "texts", "tokens", "share", "wanted", "epochs"]]
    told: Any = result.record["sources"]
    for source in told:
        mixed = source["mixed"]
        rows.append(
            [
                source["name"],
                f"{mixed['texts']:,}",
                f"{mixed['tokens']:,}",
                f"{mixed['share']:.1%}",
                f"{source['share_wanted']:.1%}",
                f"{mixed['epochs']:.2f}",
            ]
        )
    return rows


mix.add_command(sweep)
