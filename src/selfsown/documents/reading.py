"""Documents from files and folders: text, Markdown, HTML, PDF, JSONL, JSON, CSV and Parquet.

Everything that is found ends as a `Document` or as an `Unread` with a reason, in the order of the
paths, sorted within folders. A damaged or hostile file costs itself and nothing else: sizes are
bounded, and HTML and PDF are parsed in a process of their own (`apart.py`). Documents are read one
at a time; what stays in memory is two hashes for each (`repeats.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from selfsown.core.request import JSON
from selfsown.documents import row_files
from selfsown.documents.apart import Apart
from selfsown.documents.decoding import decoded
from selfsown.documents.document import Document, Unread, document_of_row
from selfsown.documents.opening import whole
from selfsown.documents.options import ReadOptions
from selfsown.documents.refusal import Refused
from selfsown.documents.repeats import without_repeats
from selfsown.documents.values import plain
from selfsown.documents.walking import Found, walk

FORMATS: Final[dict[str, str]] = {
    ".txt": "text", ".text": "text", ".rst": "text", ".md": "markdown", ".markdown": "markdown",
    ".html": "html", ".htm": "html", ".xhtml": "html", ".pdf": "pdf", ".jsonl": "jsonl",
    ".ndjson": "jsonl", ".json": "json", ".csv": "csv", ".tsv": "csv", ".parquet": "parquet",
}  # fmt: skip
"""Suffix → format; all but `pdf` and `parquet` also with `.gz` behind it."""
_PATIENCE: Final = 1000
_ROWS: Final[dict[str, Callable[[Path, ReadOptions], Iterator[row_files.Place]]]] = {
    "jsonl": row_files.jsonl_rows,
    "json": row_files.json_rows,
    "csv": row_files.csv_rows,
    "parquet": row_files.parquet_rows,
}


def read_documents(
    paths: Iterable[str | Path], options: ReadOptions | None = None
) -> Iterator[Document | Unread]:
    """The documents of files and folders, lazily.

    Args:
        paths: files, or folders of them at any depth.
        options: how to read; None: the defaults.

    Raises:
        InputError: a path does not exist, or there is none.
        MissingExtra: a package for one of the files is not installed.
    """
    options = options or ReadOptions()
    with Apart(options) as apart:
        yield from without_repeats(_all(paths, options, apart))


def _all(
    paths: Iterable[str | Path], options: ReadOptions, apart: Apart
) -> Iterator[Document | Unread]:
    for found in walk(paths):
        if isinstance(found, Unread):
            yield found
            continue
        try:
            yield from _documents(found, options, apart)
        except Refused as error:
            yield Unread(found.source, error.reason, error.detail)


def _documents(found: Found, options: ReadOptions, apart: Apart) -> Iterator[Document | Unread]:
    """The documents of one file.

    Raises:
        Refused: the file as a whole, or the rest of it, gives none.
    """
    name = _format(found.path)
    licence = options.licence or found.licence
    if name in _ROWS:
        rows = (
            _of_row(row, f"{found.source}:{place}".rstrip(":"), name, licence, options)
            for place, row in _ROWS[name](found.path, options)
        )
        yield from _patient(rows)
        return
    if name in ("html", "pdf"):
        known = apart.read(found.path, name)
    else:
        text, guess = decoded(whole(found.path, options.max_bytes))
        known = {"text": text, **({"encoding": guess} if guess else {})}
    yield document_of_row(
        known, f"`{found.source}`", source=found.source, licence=licence, format=name
    )


def _patient(rows: Iterator[Document | Unread]) -> Iterator[Document | Unread]:
    """The rows of a file, up to 1,000 broken ones without a whole one between them.

    Then it is no file of documents, and one more `Unread` stands for the rest of it.
    """
    broken = 0
    for one in rows:
        yield one
        broken = broken + 1 if isinstance(one, Unread) and one.reason != "empty" else 0
        if isinstance(one, Unread) and broken == _PATIENCE:
            yield Unread(one.source, "damaged", f"{broken:,} broken rows; the rest is not read")
            return


def _format(path: Path) -> str:
    """What a file is by its name.

    Raises:
        Refused: `unsupported`.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    is_packed = suffixes[-1:] == [".gz"]
    suffix = "".join(suffixes[-2:-1] if is_packed else suffixes[-1:])
    name = FORMATS.get(suffix)
    if name is None or (is_packed and name in ("pdf", "parquet")):
        shown = "".join(suffixes[-2:] if is_packed else suffixes[-1:]) or "no suffix"
        raise Refused("unsupported", f"`{shown}` is no form that is read")
    return name


def _of_row(
    row: row_files.Row | Refused, source: str, name: str, licence: str, options: ReadOptions
) -> Document | Unread:
    """The document of one row of a file; `text_field` and `id_field` become `text` and `id`."""
    if isinstance(row, Refused):
        return Unread(source, row.reason, row.detail)
    known: dict[str, JSON] = {str(plain(key)): plain(value) for key, value in row.items()}
    text = known.pop(options.text_field, None)
    if not isinstance(text, str):
        what = "missing" if text is None else f"no text but {type(text).__name__}"
        fix = "; --text-field names another" if text is None else ""
        return Unread(source, "damaged", f"its field `{options.text_field}` is {what}{fix}")
    if len(text) > options.max_bytes:
        return Unread(source, "too_large", f"its text has more than {options.max_bytes:,} signs")
    if options.id_field != "id":
        known["id"] = known.pop(options.id_field, None)
    known |= {"text": text}
    return document_of_row(known, f"`{source}`", source=source, licence=licence, format=name)
