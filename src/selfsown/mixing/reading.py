"""The texts of a source, one by one, each with who wrote it and the document behind it.

Who wrote a text is what its provenance or its row says; a source that says nothing has to be
declared. A declaration never overrules provenance: text that a model wrote is not made human by an
option.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from selfsown.core.errors import InputError
from selfsown.core.inputs import read_rows
from selfsown.core.journal import JOURNAL_NAME
from selfsown.core.request import JSON, clean_json
from selfsown.core.token_counts import Counter
from selfsown.documents.document import Document, Unread, document_of_row
from selfsown.documents.options import ReadOptions
from selfsown.documents.refusal import Refused
from selfsown.documents.row_files import parquet_rows
from selfsown.documents.values import plain
from selfsown.export.beside import with_provenance
from selfsown.export.example import fields_for, read_example
from selfsown.export.provenance import ProvenanceIndex, open_provenance
from selfsown.export.run_files import (
    RunFiles,
    integer,
    open_run,
    record_id,
    sequence,
    string,
)
from selfsown.export.source import ExampleSource
from selfsown.export.text import to_text
from selfsown.mixing.sources import MixSource
from selfsown.mixing.units import Kind, Passage, Unit

_ROW_FILES: Final = frozenset({".jsonl", ".json", ".csv"})
OTHER: Final = "other"
_PARQUET: Final = ".parquet"
_KINDS: Final[Mapping[JSON, Kind]] = {
    "real": "real",
    "human": "real",
    "synthetic": "synthetic",
    "model": "synthetic",
    "machine": "synthetic",
}
"""What `kind` or `origin` of a row may say."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something of a source that is not in the mixture."""

    source: str
    place: str
    """File and row, or record."""
    reason: str
    """`empty`, or another reason for which there is no document; `other`: not chosen by `only`;
    `hole`: a joined text lacks chunks, and only whole ones were wanted."""
    detail: str = ""

    def row(self) -> dict[str, JSON]:
        """As a line of the list."""
        return {
            "source": self.source,
            "place": self.place,
            "reason": self.reason,
            "detail": self.detail,
        }


Found = Unit | Passage | LeftOut


def read_source(source: MixSource, count: Counter) -> Iterator[Found]:
    """Everything that a source has, in its order, lazily.

    Args:
        source: what to read.
        count: tokens of a text.

    Raises:
        InputError: the source cannot be read, nothing says who wrote a text, or provenance
            contradicts what was declared.
        MissingExtra: its format needs a package that is not installed.
    """
    reader = _Reader(source, count)
    if _is_run(source.path):
        return reader.run()
    if source.path.suffix.lower() in (*_ROW_FILES, _PARQUET):
        return reader.rows()
    return reader.documents()


def _rows_of(path: Path) -> Iterator[Mapping[str, JSON]]:
    """The rows of a file, lazily.

    Raises:
        InputError: it cannot be read.
        MissingExtra: it is Parquet, and pyarrow is not installed.
    """
    if path.suffix.lower() != _PARQUET:
        for row in read_rows(path):
            cleaned = clean_json(row)
            assert isinstance(cleaned, dict)
            yield cleaned
        return
    try:
        for _, found in parquet_rows(path, ReadOptions()):
            if isinstance(found, Refused):
                raise found
            yield {name: plain(value) for name, value in found.items()}
    except Refused as error:
        raise InputError(
            f"`{path}` cannot be read: {error.detail}",
            why="a row that cannot be read would be missing in silence",
            fix="write the file again",
        ) from error


def _is_run(path: Path) -> bool:
    """Whether a folder is a run directory; one of documents may have a `config.yaml`, too."""
    return any((path / name).is_file() for name in (JOURNAL_NAME, "accepted.jsonl"))


class _Reader:
    """Makes units of what one source has."""

    def __init__(self, source: MixSource, count: Counter) -> None:
        self._source, self._count = source, count

    def run(self) -> Iterator[Found]:
        """The accepted records of a run."""
        run = open_run(self._source.path)
        if not run.finished:
            raise InputError(
                f"the run in `{run.path}` is {run.run.get('status') or 'not ended'}",
                why="its records are a part of what it will hold: the shares would change later",
                fix="resume the run first",
            )
        with open_provenance(run.path) as index:
            for row, text in _texts_of(run, index):
                told = index.find(record_id(row)) or {}
                place = f"record `{record_id(row)}` of `{run.path}`"
                yield self._unit(text, record_id(row), row, told, place)

    def rows(self) -> Iterator[Found]:
        """The rows of a file, with the provenance beside it where there is some."""
        path = self._source.path
        for row_no, row, told in with_provenance(path, _rows_of(path)):
            place = f"`{path}` row {row_no}"
            if "unread" in row:
                reason = string(row.get("unread"))
                yield LeftOut(self._source.name, place, reason, string(row.get("detail")))
                continue
            document = document_of_row({**row, "text": _text_of(row, place)}, place)
            yield self._document(document, row, told, place)

    def documents(self) -> Iterator[Found]:
        """The documents of a file in another format, or of a folder."""
        from selfsown.documents.reading import read_documents

        for document in read_documents([self._source.path]):
            yield self._document(document, document.row(), {}, f"`{document.source}`")

    def _document(
        self,
        document: Document | Unread,
        row: Mapping[str, JSON],
        told: Mapping[str, JSON],
        place: str,
    ) -> Found:
        if isinstance(document, Unread):
            return LeftOut(self._source.name, place, document.reason, document.detail)
        name = string(told.get("id")) or document.id
        return self._unit(document.text, name, row, told, place)

    def _unit(
        self,
        text: str,
        name: str,
        row: Mapping[str, JSON],
        told: Mapping[str, JSON],
        place: str,
    ) -> Found:
        if not text.strip():
            return LeftOut(self._source.name, place, "empty", "its text is blank")
        parents = [*sequence(told.get("parents")), *sequence(row.get("parents"))]
        kind = self._kind(row, told, place)
        depth = integer(told.get("model_depth")) or integer(row.get("model_depth"))
        unit = Unit(
            id=name,
            doc_id=_name(row.get("doc_id")) or _name(told.get("row_id")) or name,
            kind=kind,
            text=text,
            tokens=self._count(text),
            model_depth=0 if kind == "real" else depth,
            parents=tuple(dict.fromkeys(map(str, filter(None, [*parents, row.get("seed_id")])))),
        )
        index = _chunk_index(row)
        is_unchanged = index is not None and kind == "real"
        if not is_unchanged and not _is_wanted(row, self._source.only):
            return LeftOut(self._source.name, place, OTHER)
        if index is None:
            return unit
        return Passage(unit, string(row.get("style")), index, integer(row["n_chunks"]))

    def _kind(self, row: Mapping[str, JSON], told: Mapping[str, JSON], place: str) -> Kind:
        declared = self._source.kind
        said = (told.get("origin"), row.get("origin"), row.get("kind"))
        known = next((_KINDS[one] for one in said if isinstance(one, str) and one in _KINDS), None)
        if known is None and declared is None:
            raise InputError(
                f"{place} does not say who wrote it",
                why="the human share of the mixture is counted from it",
                fix=f"declare the source: `--real {self._source.name}=...` if people wrote it,"
                f" `--synthetic {self._source.name}=...` if a model did",
            )
        if declared == "real" and known == "synthetic":
            raise InputError(
                f"{place} was written by a model, and `{self._source.name}` is declared as real",
                why="the human share that the guard reads would be too high",
                fix=f"declare it with `--synthetic`, or with `--source {self._source.name}=...`,"
                " which takes what each row says",
            )
        return known or declared or "synthetic"


def _name(value: JSON) -> str:
    """An id, which may be a number; empty if there is none."""
    return str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""


def _is_wanted(row: Mapping[str, JSON], only: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether a row has one of the values of every field that is named."""
    return all(str(row.get(name)) in values for name, values in only.items())


def _chunk_index(row: Mapping[str, JSON]) -> int | None:
    """Which chunk of its document a row is in another style; None if it is a text of its own."""
    if not _name(row.get("doc_id")) or not integer(row.get("n_chunks")) or "style" not in row:
        return None
    for name in ("chunk", "chunk_id"):
        value = row.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
    return None


def _texts_of(run: RunFiles, index: ProvenanceIndex) -> Iterator[tuple[Mapping[str, JSON], str]]:
    """Every accepted record with its text: its own, or request and answer as one."""
    first = next(run.rows("accepted"), None)
    if first is None:
        return
    fields = fields_for(first, prompt=None, completion=None, system=None)
    if fields.is_text:
        for row in run.rows("accepted"):
            yield row, string(row.get("text"))
        return
    with run.journal() as journal:
        examples = ExampleSource(run, fields, index, journal).examples()
        for row, (example, _) in zip(run.rows("accepted"), examples, strict=True):
            yield row, string(to_text(example)["text"])


def _text_of(row: Mapping[str, JSON], place: str) -> str:
    """The text of a row of a file: its own, or that of its prompt and completion, or its example.

    Raises:
        InputError: it has none of them.
    """
    text = row.get("text")
    if isinstance(text, str):
        return text
    prompt, completion = row.get("prompt"), row.get("completion")
    if isinstance(prompt, str) and isinstance(completion, str):
        return prompt + completion
    if "instruction" in row:
        fields = fields_for(row, prompt=None, completion=None, system=None)
        return string(to_text(read_example(row, fields, place))["text"])
    raise InputError(
        f"{place} has no text",
        why="a mixture is made of `text`, of `prompt` and `completion`, or of `instruction` and"
        " `output`",
        fix="name the field `text`, or export the run with `selfsown export --format text`",
    )
