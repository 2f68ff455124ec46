"""Preference pairs as training records: from a run of a preference recipe, or from a file.

A line needs `prompt`, `chosen` and `rejected`; what else the preference recipes write
(`preference/records.py`) is read where it is there. What makes no pair is an error, before any time
is spent: a line that is skipped in silence is how published loops lost their whole data set.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from selfsown.core.errors import InputError
from selfsown.core.request import JSON
from selfsown.export.export import provenance_path
from selfsown.export.provenance import open_provenance
from selfsown.export.run_files import Row, integer, open_run, read_jsonl, record_id, string
from selfsown.models.answer_tokens import Question
from selfsown.preference.files import pair_of
from selfsown.preference.recorded import is_pair_row
from selfsown.preference.records import fault_of
from selfsown.train.records import Origin
from selfsown.train.settings import SourceConfig

_FAULTS: Final = {
    "blank_text": "one of its answers says nothing",
    "equal_texts": "its two answers are the same text",
}
_PLAIN: Final[Mapping[str, JSON]] = {"chosen_id": "", "rejected_id": "", "round": 0}
"""Of lines that hold only texts."""


@dataclass(frozen=True, slots=True)
class PairRecord:
    """A question with two answers, the better one first."""

    id: str
    source: str
    """The run or file."""
    question: Question
    chosen: str
    rejected: str
    origin: Origin
    model_depth: int
    """Trainings on machine data behind the model that wrote the answers; 0 for humans."""
    is_declared: bool
    """No provenance told origin and depth."""

    @property
    def columns(self) -> dict[str, JSON]:
        """The texts by name."""
        return {
            "instruction": self.question.text,
            "input": self.question.input,
            "system": self.question.system,
            "chosen": self.chosen,
            "rejected": self.rejected,
        }


def read_pairs(configs: Sequence[SourceConfig]) -> list[PairRecord]:
    """All pairs of all sources, in order.

    Raises:
        InputError: a source is not there, has no pair, is to be repeated, or a line is no pair.
    """
    found: list[PairRecord] = []
    for config in configs:
        if config.repeat != 1:
            raise InputError(
                f"`{config.path}` is to occur {config.repeat:g} times in an epoch",
                why="pairs of several sources are trained on as they are",
                fix="leave out `repeat`, or set `epochs`",
            )
        before = len(found)
        found += _pairs_of(config)
        if len(found) == before:
            raise InputError(
                f"no preference pair in `{config.path}`",
                why="a training on pairs compares a chosen with a rejected answer",
                fix="give a JSONL file with `prompt`, `chosen` and `rejected` on every line",
            )
    return found


def _pairs_of(config: SourceConfig) -> Iterator[PairRecord]:
    path = Path(config.path)
    if path.is_dir():
        run = open_run(path)
        with open_provenance(path) as index:
            for number, row in enumerate(run.rows("accepted"), start=1):
                if not is_pair_row(row):
                    raise _no_pairs(path)
                told = index.find(record_id(row)) or {}
                yield _record(row, path, number, told, config)
        return
    if not path.is_file():
        raise InputError(
            f"`{path}` does not exist",
            why="preference pairs are read from a file, one per line, or from a run",
            fix="give a JSONL file with `prompt`, `chosen` and `rejected` on every line",
        )
    beside = provenance_path(path)
    told_rows = read_jsonl(beside) if beside.is_file() else iter(())
    for number, row in enumerate(read_jsonl(path), start=1):
        told = next(told_rows, {})
        if told and integer(told.get("line")) != number:
            raise InputError(
                f"`{path}` line {number}: `{beside.name}` has no such line",
                why="provenance is joined line by line, so the file was changed after it was made",
                fix="make the file again, or move the provenance file away",
            )
        yield _record(row, path, number, told, config)


def _record(row: Row, path: Path, number: int, told: Row, config: SourceConfig) -> PairRecord:
    place = f"`{path}` line {number}"
    name = record_id(row) or string(told.get("id")) or f"{path.name}:{number}"
    pair = pair_of({"prompt_id": name, **_PLAIN, **row}, place)
    fault = fault_of(pair.chosen, pair.rejected)
    if fault is not None:
        raise InputError(
            f"{place}: {_FAULTS[fault]}",
            why="a pair is one prompt with two different answers, the better one named",
            fix="drop the line, or correct it",
        )
    known = string(told.get("origin"))
    origin: Origin = config.origin or ("human" if known == "human" else "machine")
    return PairRecord(
        id=name,
        source=str(path),
        question=Question(pair.prompt.text, pair.prompt.input, pair.prompt.system),
        chosen=pair.chosen,
        rejected=pair.rejected,
        origin=origin,
        model_depth=integer(told.get("model_depth")) if origin == "machine" else 0,
        is_declared=not known,
    )


def _no_pairs(path: Path) -> InputError:
    return InputError(
        f"the accepted records of `{path}` are no preference pairs",
        why="a training on pairs needs `prompt`, `chosen` and `rejected` in each",
        fix=f"make pairs of what it rejected: selfsown pairs {path} -o pairs.jsonl",
    )
