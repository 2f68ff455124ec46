"""The accepted records of a run as examples, each with its provenance.

Records with `instruction` and `output` say themselves what was asked, and those with a `text` alone
are answers to nothing. For all others, such as rows of `complete`, the request is what the journal
says was sent to the model, unless a field is named.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import orjson

from selfsown.core.errors import InputError
from selfsown.core.journal import Journal
from selfsown.core.request import JSON
from selfsown.export.example import Example, Fields, read_example, text_field
from selfsown.export.provenance import ProvenanceIndex
from selfsown.export.run_files import Row, RunFiles, mapping, record_id, sequence, string


class ExampleSource:
    """Reads the records of one run, as often as wanted."""

    def __init__(
        self, run: RunFiles, fields: Fields, index: ProvenanceIndex, journal: Journal | None
    ) -> None:
        self._run, self._fields = run, fields
        self._index, self._journal = index, journal

    def examples(self) -> Iterator[tuple[Example, dict[str, JSON]]]:
        """Every accepted record as an example, with its id and provenance, in file order.

        Raises:
            InputError: a field is missing, not text, or blank, or what was sent cannot be told.
        """
        file = self._run.path / "accepted.jsonl"
        for line_no, row in enumerate(self._run.rows("accepted"), start=1):
            place = f"`{file}` line {line_no}"
            origin = self._index.find(record_id(row)) or {}
            yield self._example(row, origin, place), {"id": record_id(row), **origin}

    def _example(self, row: Row, origin: Mapping[str, JSON], place: str) -> Example:
        if self._fields.is_text:
            return Example("", "", text_field(row, self._fields.output, place))
        if self._fields.instruction:
            return read_example(row, self._fields, place)
        return self._sent(row, origin, place)

    def _sent(self, row: Row, origin: Mapping[str, JSON], place: str) -> Example:
        """The request as it was sent, and the answer field."""
        keys = sequence(origin.get("keys"))
        stored = (
            self._journal.lookup(bytes.fromhex(string(keys[0])))
            if self._journal is not None and len(keys) == 1
            else None
        )
        if stored is None or stored.kind != "call":
            raise _untold(place, f"{len(keys)} calls stand behind the record, or none is journaled")
        request = mapping(orjson.loads(stored.request))
        answer = text_field(row, self._fields.output, place)
        if "prompt" in request:
            return Example(string(request["prompt"]), "", answer)
        turns = [mapping(turn) for turn in sequence(request.get("messages"))]
        roles = [string(turn.get("role")) for turn in turns]
        if roles not in (["user"], ["system", "user"]):
            raise _untold(place, f"the request has the turns {', '.join(roles) or 'none'}")
        texts = [text_field(turn, "content", place) for turn in turns]
        return Example(texts[-1], "", answer, texts[0] if len(texts) == 2 else "")


def _untold(place: str, reason: str) -> InputError:
    return InputError(
        f"{place}: what was asked cannot be told: {reason}",
        why="records without `instruction` are exported with the one request that made them",
        fix="name the field that holds the request with --prompt-field NAME",
    )
