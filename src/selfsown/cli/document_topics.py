"""`selfsown documents topics`: what recipe `topics` would find, before a model is asked."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from selfsown.core.request import JSON
    from selfsown.recipes.topics.finding import Found
    from selfsown.recipes.topics.options import Options


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option(
    "--queries",
    metavar="FILE",
    help="Topics to look for, one a line; further words behind a tab. Default: discover them.",
)
@click.option(
    "--clusters",
    metavar="N",
    type=click.IntRange(min=2),
    help="Discover so many; default: as many as there are.",
)
@click.option(
    "--min-cluster",
    metavar="N",
    type=click.IntRange(min=2),
    help="Fewest documents of a discovered topic; default: 15.",
)
@click.option("--per-topic", metavar="N", type=click.IntRange(min=1), help="Most of a query.")
@click.option(
    "--encoder", metavar="DIR", help="Local encoder that places texts; default: their words."
)
@click.option("--seed", type=int, default=0, show_default=True, help="As the run's.")
@click.option("--json", "as_json", is_flag=True, help="Print the topics as one JSON object.")
def topics(paths: tuple[str, ...], seed: int, as_json: bool, **given: Any) -> None:
    """Sort the documents of files and folders by topic and list the topics; no model is asked.

    `selfsown run topics` with the same options finds the same, names them and writes the rows.
    """
    import orjson

    from selfsown.cli.reading import counted
    from selfsown.core.config import DocumentsConfig, validated
    from selfsown.preparation import read_options
    from selfsown.recipes.topics.recipe import RECIPE

    options = RECIPE.resolve(
        "default", {name: value for name, value in given.items() if value is not None}
    )
    config = validated(DocumentsConfig, {"paths": paths}, "arguments")
    with tempfile.TemporaryDirectory() as folder:
        from selfsown.documents.reading import read_documents

        file = Path(folder) / "rows.jsonl"
        with file.open("wb") as lines:
            for document in counted(read_documents(config.paths, read_options(config))):
                lines.write(orjson.dumps(document.row()) + b"\n")
        found = _look(file, options, seed)
    if as_json:
        click.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2))
    else:
        click.echo("\n".join(_lines(found)))


class _Bench:
    """What finding topics needs of a run, without a journal."""

    def __init__(self, file: Path, seed: int) -> None:
        self.seed, self._file = seed, file

    def rows(self) -> Iterable[Mapping[str, JSON]]:
        """The documents as rows."""
        from selfsown.export.run_files import read_jsonl

        return read_jsonl(self._file)

    async def effect(
        self,
        _name: str,
        _version: str,
        _inputs: JSON,
        fn: Callable[[], JSON | Awaitable[JSON]],
        *,
        free: bool = False,
    ) -> JSON:
        """What `fn` gives, now."""
        value = fn()
        return await value if isinstance(value, Awaitable) else value


def _look(file: Path, options: Options, seed: int) -> dict[str, JSON]:
    """The topics, their documents and words, and how many documents have none."""
    from selfsown.recipes.topics.finding import find
    from selfsown.recipes.topics.recipe import check

    bench = _Bench(file, seed)
    check(options, (), bench.rows())
    return _listed(asyncio.run(find(bench, options, None)), bench)


def _listed(found: Found, bench: _Bench) -> dict[str, JSON]:
    from selfsown.recipes.topics.finding import documents_of

    counts, sources, lost = [0] * len(found.names), [""] * len(found.names), 0
    for number, document in documents_of(bench):
        topic = found.topics[number]
        if topic < 0:
            lost += 1
            continue
        counts[topic] += 1
        sources[topic] = sources[topic] or document.source or document.id
    listed: list[JSON] = [
        {"topic": name or f"cluster {number}", "documents": n, "terms": list(terms), "first": first}
        for number, (name, n, terms, first) in enumerate(
            zip(found.names, counts, found.terms, sources, strict=True)
        )
    ]
    return {"topics": listed, "no_topic": lost}


def _lines(found: Mapping[str, JSON]) -> list[str]:
    """The topics as a table."""
    from selfsown.cli.main import shown
    from selfsown.cli.summary import aligned
    from selfsown.export.run_files import integer, mapping, sequence, string
    from selfsown.report.words import count, plural

    rows = [["topic", "documents", "words", "first document"]]
    for each in map(mapping, sequence(found["topics"])):
        words = " ".join(map(string, sequence(each["terms"])))
        number = count(integer(each["documents"]))
        name, first = shown(string(each["topic"])), shown(string(each["first"]))
        rows.append([name, number, shown(words), first])
    lost = plural(integer(found["no_topic"]), "document")
    if len(rows) == 1:
        return [f"no topic in {lost}", "hint: lower --min-cluster, or give --clusters or --queries"]
    return [*aligned(rows, right=(1,)), f"without a topic: {lost}"]
