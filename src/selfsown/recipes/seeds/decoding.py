"""Turn the bytes of a seed file into text, or say what kind of file it really is."""

from __future__ import annotations

import codecs
from typing import NamedTuple

from selfsown.recipes.seeds.task import SeedProblem

_UTF16_OR_32 = {
    codecs.BOM_UTF32_LE: "UTF-32",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
_CONTAINERS = {
    b"\x1f\x8b": ("gzip-compressed", "unpack it first: `gunzip -k {name}`"),
    b"PK\x03\x04": (
        "a ZIP container (a spreadsheet?)",
        "export the sheet as CSV with the columns instruction,input,output,is_classification",
    ),
    b"PAR1": (
        "a Parquet file",
        "convert it to JSON Lines first, for example with `pandas` or `duckdb`",
    ),
}


class Decoded(NamedTuple):
    """The text of a file, or the one problem that makes it unreadable."""

    text: str
    problem: SeedProblem | None


def decode(data: bytes, name: str) -> Decoded:
    """Decode UTF-8 with or without byte-order mark; other encodings are explained, not guessed.

    A byte that is not valid UTF-8 becomes a lone surrogate (U+DC80 to U+DCFF), so that it spoils
    its own row only. `name` is the file as it is written in a shell, for the hints.
    """
    problem = _empty(data) or _container(data, name) or _wide_encoding(data, name)
    if problem is not None:
        return Decoded("", problem)
    return Decoded(data.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape"), None)


def _empty(data: bytes) -> SeedProblem | None:
    if data.strip():
        return None
    return _unreadable(
        "empty-file",
        "the file is empty",
        why="a run needs seed tasks to start from",
        fix="write one seed per line, or use `--seeds starter`",
    )


def _container(data: bytes, name: str) -> SeedProblem | None:
    for magic, (kind, fix) in _CONTAINERS.items():
        if data.startswith(magic):
            return _unreadable(
                "not-text",
                f"the file is {kind}",
                why="seeds are read as JSONL, JSON, CSV or text",
                fix=fix.format(name=name),
            )
    return None


def _wide_encoding(data: bytes, name: str) -> SeedProblem | None:
    encoding = next((name for bom, name in _UTF16_OR_32.items() if data.startswith(bom)), None)
    if encoding is None and _looks_like_bare_utf16(data):
        encoding = "UTF-16"
    if encoding is None:
        return None
    return _unreadable(
        "wrong-encoding",
        f"the file is encoded as {encoding}",
        why="seeds are read as UTF-8; spreadsheets and Windows editors often save as `Unicode`",
        fix=f"convert it: `iconv -f {encoding} -t UTF-8 {name} > utf8-seeds`, or save it as UTF-8",
    )


def _looks_like_bare_utf16(data: bytes) -> bool:
    """Tell whether nearly every other byte of the head is NUL, as in UTF-16 of ASCII letters."""
    head = data[:200]
    return len(head) >= 4 and max(head[0::2].count(0), head[1::2].count(0)) > 0.4 * len(head)


def _unreadable(rule: str, what: str, *, why: str, fix: str) -> SeedProblem:
    return SeedProblem(rule=rule, severity="error", what=what, why=why, fix=fix)
