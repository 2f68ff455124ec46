"""Pairs that are there already: accepted records of a preference recipe, or a file of pairs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from selfsown.core.errors import InputError
from selfsown.core.request import JSON
from selfsown.export.export import Admit, provenance_path
from selfsown.export.provenance import ProvenanceIndex
from selfsown.export.run_files import Row, RunFiles, read_jsonl, record_id, string
from selfsown.preference.files import pair_of
from selfsown.preference.records import Pair, fault_of


@dataclass(frozen=True, slots=True)
class Sourced:
    """A pair with its line of provenance, which begins with an `id`."""

    pair: Pair
    source: Mapping[str, JSON]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A record that gives no pair."""

    id: str
    stage: str
    """Of a run; empty for records of a file."""
    reason: str
    """Why the run rejected it; for recorded pairs the picker."""
    why: str
    """Why it gives none.

    - `not_the_answer`: it was not rejected for a fault of the answer.
    - `not_wanted`: its reason was asked to be left out.
    - `unknown_reason`: nobody has said what this reason means.
    - `no_answer`: the record holds no prompt with an answer.
    - `no_accepted_answer`: nothing was accepted for its prompt.
    - `accepted_too`: the same answer, but for case and white space, was accepted for its prompt.
    - `tied`: as many records of its prompt give its answer as give the chosen one, and the reason
      is one that only a majority makes honest.
    - `repeated`: an earlier pair has the same texts.
    - `blank_text`, `equal_texts`: one of the two answers says nothing, or both say the same.
    - `benchmark_overlap`: the pair repeats an item of an evaluation suite.
    """


ToldRows = Iterator[tuple[Row, Mapping[str, JSON]]]
"""Rows, each with its provenance; that is empty where nothing is known."""


class RecordedPairs:
    """The pairs of some rows, each asked about before it is written."""

    def __init__(self, rows: ToldRows, place: str, admit: Admit | None = None) -> None:
        """Take the rows, which are read when outcomes are asked for.

        Args:
            rows: JSON lines with the fields of a pair.
            place: the file, for errors.
            admit: asked about both examples of a pair; None admits all.
        """
        self._rows, self._place, self._admit = rows, place, admit

    def outcomes(self) -> Iterator[Sourced | LeftOut]:
        """What becomes of every row, in order.

        Raises:
            InputError: a row is no pair.
        """
        for number, (row, told) in enumerate(self._rows, start=1):
            pair = pair_of(row, f"{self._place} record {number}")
            name = string(told.get("id")) or record_id(row) or pair_id(pair)
            why = fault_of(pair.chosen, pair.rejected)
            if why is None and not is_admitted(pair, self._admit):
                why = "benchmark_overlap"
            if why is not None:
                yield LeftOut(name, string(told.get("stage")), pair.picker or "recorded", why)
            else:
                known = {key: value for key, value in told.items() if key != "line"}
                yield Sourced(pair, {"id": name, "model_depth": pair.model_depth, **known})


def rows_of_run(run: RunFiles, index: ProvenanceIndex) -> ToldRows:
    """The accepted records of a run of a preference recipe."""
    for row in run.rows("accepted"):
        yield row, index.find(record_id(row)) or {}


def rows_of_file(path: Path) -> ToldRows:
    """The rows of a file of pairs, with the provenance that lies beside it, if any does.

    Raises:
        InputError: it is not there, or the provenance is not that of its lines.
    """
    if not path.is_file():
        raise InputError(
            f"`{path}` does not exist",
            why="pairs are made of a run, or read from a file of pairs",
            fix="give a run directory, or a JSONL file with `prompt`, `chosen`, `rejected`",
        )
    beside = provenance_path(path)
    told_rows = read_jsonl(beside) if beside.is_file() else None
    for number, row in enumerate(read_jsonl(path), start=1):
        told = {} if told_rows is None else next(told_rows, {})
        if told_rows is not None and told.get("line") != number:
            raise InputError(
                f"`{beside}` has no line {number}",
                why="provenance is joined line by line, so the pairs were changed after export",
                fix="export them again, or move the provenance file away",
            )
        yield row, told


def pair_id(pair: Pair) -> str:
    """An id of a pair that has no record of its own."""
    return f"{pair.chosen_id}>{pair.rejected_id}"


def is_admitted(pair: Pair, admit: Admit | None) -> bool:
    """Whether neither the chosen nor the rejected answer repeats what is kept from training."""
    if admit is None:
        return True
    return all(admit(asdict(pair.prompt.example(one))) for one in (pair.chosen, pair.rejected))


def is_pair_row(row: Row) -> bool:
    """Whether a record is a pair."""
    return all(isinstance(row.get(name), str) for name in ("prompt", "chosen", "rejected"))
