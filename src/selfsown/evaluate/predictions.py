"""Prediction files: one object per line with `prompt, instruction, input, response, target`.

This is the form in which Self-Instruct released the answers of eight models to its 252
user-oriented tasks. `target` may also be a list of references.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from selfsown.core.errors import InputError
from selfsown.evaluate.lines import read_objects, text_of, texts_of
from selfsown.evaluate.suite import Instance, Suite, checked

FIELDS: Final = ("prompt", "instruction", "input", "response", "target")


@dataclass(frozen=True, slots=True)
class Predictions:
    """The answers of one model, with what was asked."""

    suite: Suite
    answers: dict[str, str]
    """Instance id → response; ids are `line-N`."""


def read_predictions(path: Path) -> Predictions:
    """Read a prediction file (also gzipped).

    Raises:
        InputError: a line lacks a field or has one of another type; names the lines.
    """
    instances: list[Instance] = []
    answers: dict[str, str] = {}
    lacking: list[str] = []
    for number, row in read_objects(path, "prediction file"):
        missing = [name for name in FIELDS if row.get(name) is None]
        if missing:
            lacking.append(f"line {number} lacks {', '.join(f'`{name}`' for name in missing)}")
            continue
        place = f"prediction file `{path}` line {number}"
        name = f"line-{number}"
        instances.append(
            Instance(
                id=name,
                instruction=text_of(row, "instruction", place),
                input=text_of(row, "input", place),
                references=texts_of(row, "target", place),
                prompt=text_of(row, "prompt", place),
            )
        )
        answers[name] = text_of(row, "response", place).strip()
    if lacking:
        raise _lacking(path, lacking)
    suite = Suite(
        name=path.name.split(".", 1)[0] or "predictions",
        about=f"predictions in `{path.name}`",
        instances=tuple(instances),
        metrics=("rouge_l", "rouge_l_stem", "exact_match"),
    )
    return Predictions(checked(suite), answers)


def _lacking(path: Path, lines: list[str]) -> InputError:
    shown = "; ".join(lines[:5]) + (f"; and {len(lines) - 5} more lines" if len(lines) > 5 else "")
    return InputError(
        f"prediction file `{path}`: {shown}",
        why=f"every line holds {', '.join(f'`{name}`' for name in FIELDS)}; an empty answer is "
        '`"response": ""`',
        fix="complete or remove these lines",
    )
