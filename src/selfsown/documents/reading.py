"""Documents from files and folders: text, Markdown, HTML, PDF, JSONL, JSON, CSV and Parquet.

Everything that is found ends as a `Document` or as an `Unread` with a reason, in the order of the
paths, sorted within folders. A damaged or hostile file costs itself and nothing else: sizes are
bounded, and HTML and PDF are parsed in processes of their own (`apart.py`). Documents are read one
at a time, pages and PDFs a few ahead; what stays in memory is two hashes for each (`repeats.py`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Final

from selfsown.core.request import JSON
from selfsown.documents import row_files
from selfsown.documents.decoding import decoded
from selfsown.documents.document import Document, Unread, document_of_row
from selfsown.documents.opening import whole
from selfsown.documents.options import ReadOptions
from selfsown.documents.parsers import Known, Parsers
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
    paths: str | Path | Iterable[str | Path],
    options: ReadOptions | None = None,
    *,
    processes: int | None = None,
) -> Iterator[Document | Unread]:
    """The documents of files and folders, lazily.

    Args:
        paths: a file, or a folder of them at any depth, or several.
        options: how to read; None: the defaults.
        processes: most that parse HTML and PDF; None: one per processor, 16 at most.

    Raises:
        InputError: a path does not exist, or there is none.
        MissingExtra: a package for one of the files is not installed.
    """
    options = options or ReadOptions()
    with Parsers(options, processes) as parsers:
        yield from without_repeats(_all(paths, options, parsers))


def _all(
    paths: str | Path | Iterable[str | Path], options: ReadOptions, parsers: Parsers
) -> Iterator[Document | Unread]:
    """What is read of every file, in the order of the walk; parsing goes ahead of it."""
    begun: deque[Iterator[Document | Unread]] = deque()
    for found in walk(paths):
        begun.append(
            iter((found,)) if isinstance(found, Unread) else _begun(found, options, parsers)
        )
        if len(begun) > parsers.ahead:
            yield from begun.popleft()
    while begun:
        yield from begun.popleft()


def _begun(found: Found, options: ReadOptions, parsers: Parsers) -> Iterator[Document | Unread]:
    """The documents of one file; what is parsed apart begins now, the rest when it is asked for."""
    name = _format(found.path)
    parsed = parsers.begin(found.path, name) if name in ("html", "pdf") else None

    def read() -> Iterator[Document | Unread]:
        try:
            yield from _documents(found, name, options, parsed)
        except Refused as error:
            yield Unread(found.source, error.reason, error.detail)

    return read()


def _documents(
    found: Found, name: str, options: ReadOptions, parsed: Future[Known] | None
) -> Iterator[Document | Unread]:
    """The documents of one file.

    Raises:
        Refused: the file as a whole, or the rest of it, gives none.
    """
    if name not in FORMATS.values():
        raise Refused("unsupported", f"`{name or 'no suffix'}` is no form that is read")
    licence = options.licence or found.licence
    if name in _ROWS:
        rows = (
            _of_row(row, f"{found.source}:{place}".rstrip(":"), name, licence, options)
            for place, row in _ROWS[name](found.path, options)
        )
        yield from _patient(rows)
        return
    if parsed is not None:
        known = parsed.result()
    else:
        text, guess = decoded(whole(found.path, options.max_bytes))
        known = {"text": text, **({"encoding": guess} if guess else {})}
    yield document_of_row(
        known, f"`{found.source}`", source=found.source, licence=licence, format=name
    )


def _patient(rows: Iterator[Document | Unread]) -> Iterator[Document | Unread]:
    """The rows of a file, up to 1,000 broken ones without a whole one between them.

    Then it is no file of documents, and one more `Unread` stands for the rest of it.

    Raises:
        Refused: there is no row.
    """
    broken, count = 0, 0
    for count, one in enumerate(rows, 1):  # noqa: B007 it is looked at behind the loop
        yield one
        broken = broken + 1 if isinstance(one, Unread) and one.reason != "empty" else 0
        if isinstance(one, Unread) and broken == _PATIENCE:
            yield Unread(one.source, "damaged", f"{broken:,} broken rows; the rest is not read")
            return
    if not count:
        raise Refused("empty", "there is no row in it")


def _format(path: Path) -> str:
    """What a file is by its name: a value of `FORMATS`, or the suffix that is none."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    is_packed = suffixes[-1:] == [".gz"]
    suffix = "".join(suffixes[-2:-1] if is_packed else suffixes[-1:])
    name = FORMATS.get(suffix)
    if name is None or (is_packed and name in ("pdf", "parquet")):
        return "".join(suffixes[-2:] if is_packed else suffixes[-1:])
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
