"""The held-out items of a run of `grounded` as a suite file that `selfsown evaluate` takes.

It is derived from the run's provenance alone: the same run directory gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from selfsown.core.errors import InputError
from selfsown.core.request import JSON
from selfsown.core.rundir import FileFacts, write_lines
from selfsown.core.stages import data_line
from selfsown.export.run_files import RunFiles, mapping, open_run, string
from selfsown.recipes.grounded.reader import HELD_OUT


def write_suite(
    directory: Path,
    out: Path,
    *,
    open_book: bool = False,
    hard: bool = False,
    unfinished: bool = False,
) -> FileFacts:
    """Write the items of held-out documents, in the order of documents and passages.

    Args:
        directory: a run of `grounded`, or a merge of such runs.
        out: file to write.
        open_book: with the passage as input; else the questions alone are asked.
        hard: only items that the run's model did not answer without their passage.
        unfinished: also from a run that has not ended.

    Raises:
        InputError: no run directory, one that has not ended, or one without such items.
        EnvironmentFailure: the file cannot be written.
    """
    run = open_run(directory)
    if not (run.finished or unfinished):
        raise InputError(
            f"the run in `{directory}` has not ended",
            why="scores on a part of the items do not compare with scores on all of them",
            fix="resume the run first, or take what is there with --unfinished",
        )
    records = list(_records(run))
    if hard and records and not any("closed_book" in record for _, record in records):
        raise InputError(
            f"the items of `{directory}` were not answered without their passage",
            why="that says which of them are hard",
            fix="make the run with `--set closed_book=record`",
        )
    rows = [
        _row(name, record, open_book)
        for name, record in records
        if not hard or record.get("closed_book") == "wrong"
    ]
    if not rows:
        raise InputError(
            f"`{directory}` has no held-out items" + " that are hard" * hard,
            why="they come from recipe `grounded`, of the documents that it holds out",
            fix="give a run of `grounded` over several documents with `held_out.share` above 0",
        )
    return write_lines(out, map(data_line, rows))


def _records(run: RunFiles) -> Iterator[tuple[str, Mapping[str, JSON]]]:
    """The kept held-out items, each with its id."""
    for line in run.rows("provenance"):
        if line.get("stage") == HELD_OUT and line.get("end") == "passed":
            yield string(line.get("id")), mapping(line.get("record"))


def _row(name: str, record: Mapping[str, JSON], open_book: bool) -> dict[str, JSON]:
    given, passage = string(record.get("input")), string(record.get("passage"))
    if open_book:
        given = "\n\n".join(filter(None, (passage, given)))
    kept = ("kind", "evidence", "doc_id", "source", "licence", "title", "closed_book")
    return {
        "id": name,
        "instruction": record["instruction"],
        "input": given,
        "references": [record["output"]],
        "category": record["kind"],
        "cluster": record["doc_id"],
        **({} if open_book else {"passage": passage}),
        **{name: record[name] for name in kept if name in record},
    }
