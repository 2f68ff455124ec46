"""Which chunks are code or formulas, and are not to be put into other words."""

from __future__ import annotations

import re
from typing import Final, Literal

Formal = Literal["code", "maths"]

LEAST_MATHS: Final = 0.5
"""Share of a chunk's visible characters in displayed formulas from which on it is maths."""

_OPENER: Final = re.compile(
    r"\$\$|\\\[|\\begin\{((?:equation|align|gather|multline|eqnarray|displaymath|math)\*?)\}"
)
_RELATION: Final = re.compile(
    r"[\w)\]}] ?[=\u2264\u2265\u2248] ?[\w(\[{\\+.-]|[\w)\]}] [<>]=? [\w(\[{\\+.-]"
)
"""Between two operands; rules of `====`, quotes after `>` and tags are none."""
_LONG_WORD: Final = re.compile(r"[^\W\d_]{4,}")


def formal(text: str, kind: str) -> Formal | None:
    """What a chunk is that passes through unchanged; None for what can be rephrased.

    Code is what the chunker takes for it. Maths is a chunk of which at least half stands in
    displayed formulas (TeX), or in lines with a relation sign and no word of 4 letters. Formulas
    within sentences are no reason: the gate holds the model to their numbers.
    """
    if kind == "code":
        return "code"
    visible = _size(text)
    if not visible:
        return None
    rest = _without_displays(text)
    displayed = visible - _size(rest)
    for line in rest.splitlines():
        if _RELATION.search(line) and not _LONG_WORD.search(line):
            displayed += _size(line)
    return "maths" if displayed >= LEAST_MATHS * visible else None


def _without_displays(text: str) -> str:
    """The text without displayed formulas; each place is looked at once for each kind of end."""
    kept: list[str] = []
    at = 0
    absent: set[str] = set()
    for match in _OPENER.finditer(text):
        closer = {"$$": "$$", "\\[": "\\]"}.get(match[0], f"\\end{{{match[1]}}}")
        if match.start() < at or closer in absent:
            continue
        end = text.find(closer, match.end())
        if end < 0:
            absent.add(closer)
            continue
        kept.append(text[at : match.start()])
        at = end + len(closer)
    return " ".join((*kept, text[at:]))


def _size(text: str) -> int:
    return sum(map(len, text.split()))
