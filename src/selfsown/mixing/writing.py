"""The files of a mixture: rows for a trainer, and beside each file what its rows are made of.

A row has `text`, or `input_ids` and `seq_lengths` (tokens of each document in it, for trainers that
keep attention within documents), with `kind`, and `doc_id` and `source` or, of a window,
`documents`. Line by line beside it, as beside an export, lies the provenance: `line`, `id`,
`origin`, `model_depth`, `tokens`, and `parts`, one per text.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, TypeAlias

import orjson

from selfsown.core.request import JSON
from selfsown.export.export import provenance_path
from selfsown.export.files import RowWriter, open_rows
from selfsown.mixing.external_sort import ExternalSort
from selfsown.mixing.order import Drawn
from selfsown.mixing.packing import Piece, Window

FileFormat = Literal["jsonl", "parquet"]

_Row: TypeAlias = "tuple[Mapping[str, JSON], Mapping[str, JSON]]"
"""A row, and what it is made of."""
_ORIGINS: Final = {"real": "human", "synthetic": "model"}


@dataclass(slots=True)
class Given:
    """What one source has given to a side of the mixture."""

    texts: int = 0
    """Repetitions counted."""
    distinct: int = 0
    tokens: int = 0
    """Repetitions counted."""
    real_tokens: int = 0


@dataclass(slots=True)
class Written:
    """What was written of one side, `train` or `validation`."""

    files: list[Path] = field(default_factory=list)
    """Data files, in order; each has its provenance beside it."""
    rows: int = 0
    sizes: int = 0
    """Tokens of all windows with the ends of documents; 0 without windows."""
    parts: int = 0
    given: dict[str, Given] = field(default_factory=dict)
    """By source."""


class Shards:
    """Writes rows to one file, or to one after another of about a size."""

    def __init__(self, folder: Path, side: str, form: FileFormat, shard_bytes: int) -> None:
        """Prepare; the first file is there, once whole, also if it has no rows.

        Args:
            folder: that the files are written into.
            side: the beginning of their names.
            form: of the data files; provenance is JSONL.
            shard_bytes: about the size of a file, counted as JSON; 0 for one file.
        """
        self.files: list[Path] = []
        self._folder, self._side, self._form = folder, side, form
        self._limit, self._bytes, self._line = shard_bytes, 0, 0
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Shards:
        self._rows, self._told = self._opened()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def write(self, row: Mapping[str, JSON], told: Mapping[str, JSON]) -> None:
        """Write a row and what it is made of."""
        if self._limit:
            size = len(orjson.dumps(row)) + 1
            if self._bytes and self._bytes + size > self._limit:
                self._stack.close()
                self._rows, self._told = self._opened()
            self._bytes += size
        self._line += 1
        self._rows.write(row)
        self._told.write({"line": self._line, **told})

    def _opened(self) -> tuple[RowWriter, RowWriter]:
        number = f"-{len(self.files):05d}" if self._limit else ""
        path = self._folder / f"{self._side}{number}.{self._form}"
        self.files.append(path)
        self._bytes = self._line = 0
        rows = self._stack.enter_context(open_rows(path))
        return rows, self._stack.enter_context(open_rows(provenance_path(path)))


def write_texts(drawn: Iterable[Drawn], shards: Shards) -> Written:
    """One row per text."""
    done = Written()
    with shards:
        done.files = shards.files
        for one in drawn:
            unit = one.unit
            row: dict[str, JSON] = {
                "text": unit.text,
                "kind": unit.kind,
                "doc_id": unit.doc_id,
                "source": one.source,
            }
            part = Piece(one, unit.text, unit.tokens, unit.tokens)
            shards.write(row, _told(unit.id, [part], done))
    return done


def write_windows(
    windows: Iterable[Window], shards: Shards, shuffle: tuple[int, ExternalSort] | None = None
) -> Written:
    """One row per window.

    Args:
        windows: in some order.
        shards: where rows go.
        shuffle: a seed, and an empty sort; None leaves the order as it is.
    """
    done = Written()
    with shards:
        done.files = shards.files
        made = (_of_window(window, done) for window in windows)
        for row, told in made if shuffle is None else _shuffled(made, *shuffle):
            shards.write(row, told)
    return done


def _of_window(window: Window, done: Written) -> _Row:
    done.sizes += window.size
    row = {**_content(window), "kind": window.kind, "documents": _documents(window)}
    return row, _told(_window_id(window), window.pieces, done)


def _shuffled(rows: Iterable[_Row], seed: int, sort: ExternalSort) -> Iterator[_Row]:
    """Rows in the order of hashes of seed and id."""
    for row, told in rows:
        key = blake2b(f"{seed}\0windows\0{told['id']}".encode(), digest_size=8).digest()
        sort.add(key, orjson.dumps((row, told)))
    for _, packed in sort:
        row, told = orjson.loads(packed)
        yield row, told


def _told(name: str, pieces: list[Piece], done: Written) -> dict[str, JSON]:
    """The provenance of a row, which is counted."""
    units = [piece.drawn.unit for piece in pieces]
    done.rows += 1
    done.parts += len(pieces)
    for piece in pieces:
        given = done.given.setdefault(piece.drawn.source, Given())
        given.texts += piece.part == 0
        given.distinct += piece.part == 0 and piece.drawn.copy == 0
        given.tokens += piece.tokens
        given.real_tokens += piece.tokens * (piece.drawn.unit.kind == "real")
    return {
        "id": name,
        "origin": _ORIGINS[units[0].kind],
        "model_depth": max(unit.model_depth for unit in units),
        "tokens": sum(piece.tokens for piece in pieces),
        "parts": [_part(piece) for piece in pieces],
    }


def _part(piece: Piece) -> dict[str, JSON]:
    """Where a part of a row comes from."""
    unit = piece.drawn.unit
    return {
        "id": unit.id,
        "doc_id": unit.doc_id,
        "source": piece.drawn.source,
        "copy": piece.drawn.copy,
        "part": piece.part,
        "tokens": piece.tokens,
        "model_depth": unit.model_depth,
        "parents": list(unit.parents),
    }


def _documents(window: Window) -> list[JSON]:
    return [
        {
            "doc_id": piece.drawn.unit.doc_id,
            "source": piece.drawn.source,
            "length": len(piece.body),
        }
        for piece in window.pieces
    ]


def _content(window: Window) -> dict[str, JSON]:
    """The text or the tokens of a window; of tokens, how many each document has."""
    bodies = [piece.body for piece in window.pieces]
    if isinstance(bodies[0], str):
        return {"text": "".join(map(str, bodies))}
    ids: list[JSON] = [one for body in bodies for one in body]
    return {"input_ids": ids, "seq_lengths": [len(body) for body in bodies]}


def _window_id(window: Window) -> str:
    parts = [(one.drawn.unit.id, one.drawn.source, one.drawn.copy, one.part) for one in
             window.pieces]  # fmt: skip
    return "w-" + blake2b(orjson.dumps(parts), digest_size=12).hexdigest()
