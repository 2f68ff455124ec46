"""Turn the bytes of a seed file into text, or say what kind of file it really is."""

from __future__ import annotations

import codecs
from typing import NamedTuple

from .task import SeedProblem

_UTF16_OR_32 = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
_CONTAINERS = {
    b"\x1f\x8b": ("gzip-compressed", "unpack it first: `gunzip FILE`"),
    b"PK\x03\x04": (
        "a ZIP container (a spreadsheet?)",
        "export the sheet as CSV with the columns instruction,input,output,is_classification",
    ),
    b"PAR1": (
        "a Parquet file",
        'convert it first: `python -c "import pandas as p; '
        "p.read_parquet('FILE').to_json('seeds.jsonl', orient='records', lines=True)\"`",
    ),
}


class Decoded(NamedTuple):
    """The text of a file, or the one problem that makes it unreadable."""

    text: str
    problem: SeedProblem | None


def decode(data: bytes) -> Decoded:
    """Decode UTF-8 with or without byte-order mark; anything else is explained, not guessed."""
    if not data.strip():
        return Decoded(
            "",
            _unreadable(
                "empty-file",
                "the file is empty",
                "a run needs seed tasks to start from",
                "write one seed per line, or use `--seeds starter`",
            ),
        )
    problem = _container(data) or _wide_encoding(data)
    if problem is not None:
        return Decoded("", problem)
    try:
        return Decoded(data.decode("utf-8-sig"), None)
    except UnicodeDecodeError as error:
        return Decoded("", _not_utf8(data, error))


def _container(data: bytes) -> SeedProblem | None:
    for magic, (kind, fix) in _CONTAINERS.items():
        if data.startswith(magic):
            return _unreadable(
                "not-text", f"the file is {kind}", "seeds are read as JSONL, JSON, CSV or text", fix
            )
    return None


def _wide_encoding(data: bytes) -> SeedProblem | None:
    name = next((name for bom, name in _UTF16_OR_32.items() if data.startswith(bom)), None)
    if name is None and _looks_like_bare_utf16(data):
        name = "UTF-16"
    if name is None:
        return None
    return _unreadable(
        "wrong-encoding",
        f"the file is encoded as {name}",
        "seeds are read as UTF-8; spreadsheets and Windows editors often save as `Unicode`",
        f"convert it: `iconv -f {name} -t UTF-8 FILE > seeds.jsonl`, or save it as UTF-8",
    )


def _looks_like_bare_utf16(data: bytes) -> bool:
    """Tell whether every other byte of the head is NUL, as in UTF-16 text of ASCII letters."""
    head = data[:200]
    return len(head) >= 4 and max(head[0::2].count(0), head[1::2].count(0)) > 0.4 * len(head)


def _not_utf8(data: bytes, error: UnicodeDecodeError) -> SeedProblem:
    line = data.count(b"\n", 0, error.start) + 1
    column = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
    return SeedProblem(
        rule="wrong-encoding",
        severity="error",
        what=f"byte 0x{data[error.start]:02x} at column {column} is not valid UTF-8",
        why="seeds are read as UTF-8, so that no letter is guessed",
        fix="save the file as UTF-8; if it came from Windows: "
        "`iconv -f WINDOWS-1252 -t UTF-8 FILE > seeds.jsonl`",
        line=line,
    )


def _unreadable(rule: str, what: str, why: str, fix: str) -> SeedProblem:
    return SeedProblem(rule=rule, severity="error", what=what, why=why, fix=fix)
