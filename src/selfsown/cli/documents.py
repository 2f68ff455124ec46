"""`selfsown documents`: what files give as documents, before a run takes them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from selfsown.cli.document_topics import topics

if TYPE_CHECKING:
    from selfsown.documents.survey import Survey


@click.group()
def documents() -> None:
    """Look at documents: text, Markdown, HTML, PDF, JSONL, JSON, CSV, Parquet, folders of them."""


documents.add_command(topics)


@documents.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--licence", metavar="NAME", help="Of documents that state none themselves.")
@click.option("--text-field", metavar="NAME", help="Field of a row with the text; default: text.")
@click.option("--id-field", metavar="NAME", help="Field of a row with its own id; default: id.")
@click.option(
    "--html",
    type=click.Choice(["main", "whole"]),
    help="Main content of pages (default), or all their text.",
)
@click.option(
    "--max-bytes", metavar="N", type=click.IntRange(min=1), help="Refuse larger documents."
)
@click.option(
    "--chunk-tokens",
    metavar="N",
    type=click.IntRange(min=1),
    default=300,
    show_default=True,
    help="Tokens of a chunk.",
)
@click.option(
    "--tokenizer",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of a tokenizer to count with; default: an estimate.",
)
@click.option("--all", "show_all", is_flag=True, help="List up to 20 unread files per reason.")
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as one JSON object.")
def check(
    paths: tuple[str, ...],
    chunk_tokens: int,
    tokenizer: Path | None,
    show_all: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Read the documents of files and folders and say what they come to; nothing is written.

    Prints documents by form and licence, tokens, chunks, and what is not read with the reason.
    Exit 0 if there is at least one document, 1 if there is none, 2 if a PATH does not exist.
    """
    import orjson

    from selfsown.cli.reading import counted
    from selfsown.core.config import DocumentsConfig, validated
    from selfsown.core.errors import CheckFailed
    from selfsown.documents.reading import read_documents
    from selfsown.documents.survey import Survey
    from selfsown.documents.tokens import counter
    from selfsown.preparation import read_options

    form = {name: value for name, value in given.items() if value is not None}
    config = validated(DocumentsConfig, {**form, "paths": paths}, "arguments")
    survey = Survey(chunk_tokens, counter(tokenizer))
    survey.add(counted(read_documents(config.paths, read_options(config))))
    if as_json:
        click.echo(orjson.dumps(survey.form(), option=orjson.OPT_INDENT_2))
    else:
        click.echo("\n".join(_lines(survey, shown=20 if show_all else 3)))
    if not survey.n_documents:
        raise CheckFailed(
            "no document can be read",
            why="each file was left out for the reason above",
            fix="give files of a form that is read; `selfsown documents check --help` lists them",
        )


def _lines(survey: Survey, shown: int) -> list[str]:
    """The survey in words and tables."""
    from selfsown.cli.main import shown as shown_text
    from selfsown.cli.summary import aligned
    from selfsown.report.words import count, plural

    lines = [f"documents: {count(survey.n_documents)}"]
    if survey.n_documents:
        kinds = ", ".join(f"{kind} {count(n)}" for kind, n in survey.chunks.most_common())
        lines = [
            f"{lines[0]}, {count(survey.n_tokens)} tokens;"
            f" the longest has {count(survey.longest)}: {shown_text(survey.longest_source)}",
            f"chunks of at most {count(survey.limit)} tokens: {count(survey.chunks.total())}"
            f" ({kinds})",
        ]
    for title, counted in (
        ("form", survey.formats),
        ("licence", survey.licences),
        ("encoding", survey.encodings),
    ):
        if counted:
            rows = [[title, "documents"]]
            rows += [[shown_text(name), count(n)] for name, n in counted.most_common(20)]
            lines += aligned(rows, right=(1,))
    lines.append(f"not read: {plural(survey.unread.total(), 'source')}")
    for reason, number in survey.unread.most_common():
        lines.append(f"  {reason}: {count(number)}")
        for one in survey.unread_sources[reason][:shown]:
            lines.append(f"    {shown_text(one.source)}: {shown_text(one.detail)}")
    return lines
