"""Which chunks are code or formulas, and are not to be put into other words."""

from __future__ import annotations

import re
from typing import Final, Literal

Formal = Literal["code", "maths"]

LEAST_MATHS: Final = 0.5
"""Share of a chunk's visible characters in displayed formulas from which on it is maths."""

_DISPLAYED: Final = re.compile(
    r"\$\$(?:[^$]|\\\$){1,4000}?\$\$"
    r"|\\\[.{1,4000}?\\\]"
    r"|\\begin\{(equation|align|gather|multline|eqnarray|displaymath|math)\*?\}.{1,8000}?"
    r"\\end\{\1\*?\}",
    re.DOTALL,
)
_FORMULA_LINE: Final = re.compile(r"[^\n]*[=<>\u2264\u2265\u2248\u2211\u222b\u221a\u2202][^\n]*")
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
    displayed = sum(_size(match[0]) for match in _DISPLAYED.finditer(text))
    rest = _DISPLAYED.sub("", text)
    lines = (match[0] for match in _FORMULA_LINE.finditer(rest))
    displayed += sum(_size(line) for line in lines if not _LONG_WORD.search(line))
    return "maths" if displayed >= LEAST_MATHS * visible else None


def _size(text: str) -> int:
    return sum(map(len, text.split()))
