"""Readings exactly as in the released code (preset `paper`), with what it drops named as losses.

Source: Self-Instruct (arXiv:2212.10560), released code; the paper's text is silent on them.
Kept on purpose, numbers as in `presets.py`: splitting inside text (6, 15), exact yes (12), one
output per piece (16), and text without an output as an instance (15).
"""

from __future__ import annotations

import re
from typing import Final, Literal

from selfsown.curate.instances import Instance
from selfsown.recipes.self_instruct.parse import Loss

# Possessive quantifiers match the same texts and keep the patterns linear.
_ITEM: Final = {
    "numbered": re.compile(r"\n\d+\s?\. "),
    "task": re.compile(r"\nTask \d+\s?: "),
}
_EXAMPLE: Final = re.compile(r"Example\s?\d*\.?")
_OUTPUT: Final = re.compile(r"Output\s*+\d*+\s*+:")
_INPUT: Final = re.compile(r"Input\s*+\d*+\s*+:")


def read_list(text: str, style: Literal["numbered", "task"] = "numbered") -> tuple[str | Loss, ...]:
    """Items after the open number: whitespace squeezed, empty ones lost.

    The released code knows numbers only; `task` is the same rule for the marks in the paper.
    """
    pieces = (" ".join(piece.split()) for piece in _ITEM[style].split(text))
    return tuple(piece or Loss("", "empty_item") for piece in pieces)


def read_yes_no(text: str) -> bool:
    """True only for exactly Yes, yes or YES."""
    return text.strip() in ("Yes", "yes", "YES")


def read_instances(text: str, *, cut_off: bool) -> tuple[Instance | Loss, ...]:
    """Input-first instances. "Example" anywhere splits; a piece without "Output:" is an output."""
    raw = text.strip()
    if _EXAMPLE.search(raw):
        pieces = [piece for piece in _EXAMPLE.split(raw) if piece.strip()]
    elif _OUTPUT.search(raw):
        pieces = [raw]
    else:
        return (Loss(raw, "no_output"),) if raw else ()
    found: list[Instance | Loss] = []
    for piece in pieces:
        found += _read_piece(piece)
    return _last_dropped(found) if cut_off else tuple(found)


def read_labelled(text: str, *, cut_off: bool) -> tuple[Instance | Loss, ...]:
    """Output-first instances: "Class label:" anywhere splits; its first line is the output."""
    before, *pieces = text.split("Class label:")
    found: list[Instance | Loss] = [Loss(before.strip(), "no_label")] if before.strip() else []
    for piece in pieces:
        label, _, rest = piece.strip().partition("\n")
        found.append(Instance(rest.strip(), label.strip()))
    return _last_dropped(found) if cut_off else tuple(found)


def _read_piece(piece: str) -> list[Instance | Loss]:
    parts = _OUTPUT.split(piece)
    given, output = (parts[0].strip(), parts[1].strip()) if len(parts) > 1 else ("", piece.strip())
    losses: list[Instance | Loss] = [
        Loss(p.strip(), "second_output") for p in parts[2:] if p.strip()
    ]
    later_input = _INPUT.search(output)
    if later_input:
        losses.insert(0, Loss(output[later_input.end() :].strip(), "second_input"))
        output = output[: later_input.start()].strip()
    leading = _INPUT.match(given)
    if leading:
        given = given[leading.end() :].strip()
    return [Instance(given, output), *losses]


def _last_dropped(found: list[Instance | Loss]) -> tuple[Instance | Loss, ...]:
    for k in range(len(found) - 1, -1, -1):
        piece = found[k]
        if isinstance(piece, Instance):
            found[k] = Loss(f"{piece.input}\n{piece.output}".strip(), "cut_off")
            break
    return tuple(found)
