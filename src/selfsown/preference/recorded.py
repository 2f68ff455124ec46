"""Pairs that are there already: accepted records of a preference recipe, or a file of pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass

from selfsown.core.request import JSON
from selfsown.export.export import Admit
from selfsown.export.run_files import Row, record_id
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


class RecordedPairs:
    """The pairs of some rows, each asked about before it is written."""

    def __init__(
        self,
        rows: Callable[[], Iterator[Row]],
        place: str,
        find: Callable[[str], Mapping[str, JSON] | None],
        admit: Admit | None = None,
    ) -> None:
        """Take the rows, which are read when outcomes are asked for.

        Args:
            rows: JSON lines with the fields of a pair.
            place: the file, for errors.
            find: provenance row of a record id, where there is one.
            admit: asked about both examples of a pair; None admits all.
        """
        self._rows, self._place, self._find, self._admit = rows, place, find, admit

    def outcomes(self) -> Iterator[Sourced | LeftOut]:
        """What becomes of every row, in order.

        Raises:
            InputError: a row is no pair.
        """
        for number, row in enumerate(self._rows(), start=1):
            pair = pair_of(row, f"{self._place} record {number}")
            name = record_id(row) or pair_id(pair)
            told = self._find(name) or {}
            why = fault_of(pair.chosen, pair.rejected)
            if why is None and not is_admitted(pair, self._admit):
                why = "benchmark_overlap"
            if why is not None:
                yield LeftOut(name, str(told.get("stage", "")), pair.picker or "recorded", why)
            else:
                yield Sourced(pair, {"id": name, **told})


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
