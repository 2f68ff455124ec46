"""How documents are read; the keys of `documents:` in a config are these fields and `paths`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

MAX_BYTES: Final = 50_000_000
"""Most bytes of one document by default: about 12 million tokens of English."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """How documents are read."""

    licence: str = ""
    """Of documents that state none themselves: neither their row nor their page."""
    text_field: str = "text"
    """Field of a row with the text; JSONL, JSON, CSV and Parquet."""
    id_field: str = "id"
    """Field of a row with its own id."""
    html: Literal["main", "whole"] = "main"
    """The main content of a page, or all its text with menus and notices."""
    max_bytes: int = MAX_BYTES
    """Most bytes that have to be in memory at once, unpacked: a file of text, HTML, PDF or JSON, a
    line of JSONL, a cell of CSV, a text of Parquet."""
    timeout_s: float = 60.0
    """Most seconds of processor time for one HTML or PDF file."""
