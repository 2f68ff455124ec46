"""What is known about a judge when it is used: its calibration, kept in a file.

A calibration is of a judge, its options and its model together; of another one it says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from selfsown.core.errors import CheckFailed, InputError
from selfsown.core.request import JSON
from selfsown.judge.base import Judge
from selfsown.judge.calibration import Calibration

CALIBRATION: Final = "calibration.json"


@dataclass(frozen=True, slots=True)
class Validation:
    """Whether a judge may be believed, and why."""

    is_valid: bool
    words: str
    """One line: `validated: ...` or `unvalidated: ...`."""


def calibration_form(
    found: Calibration, missed: Sequence[str], judge: Judge | None = None, model: str = ""
) -> dict[str, JSON]:
    """A calibration as JSON, with whose it is and which bounds it misses.

    Args:
        found: the calibration.
        missed: bounds that the judge misses.
        judge: who was asked; None where verdicts came with the labels.
        model: identity of the model that it asked: of a local one the hash of its files, so that
            a tuned one in the same folder is another.
    """
    form: dict[str, JSON] = {**asdict(found), "refusals": list(missed)}
    if judge is None:
        return form
    return {"judge": judge.name, "options": dict(judge.options), "model": model, **form}


def write_calibration(directory: Path, form: Mapping[str, JSON]) -> Path:
    """Put a calibration into the directory of its run, or a new one."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / CALIBRATION
    path.write_bytes(orjson.dumps(dict(form), option=orjson.OPT_INDENT_2) + b"\n")
    return path


def validation(directory: Path | None, judge: Judge, model: str) -> Validation:
    """What a directory's calibration says about a judge.

    Args:
        directory: of the calibration's run; None for none.
        judge: who judges now.
        model: identity of the model that it asks, as `calibration_form` had it.

    Raises:
        InputError: there is no calibration, it cannot be read, or it is another judge's.
    """
    if directory is None:
        return Validation(False, "unvalidated: no calibration of this judge was given")
    form = _read(directory, judge)
    ours = {"judge": judge.name, "options": dict(judge.options), "model": model}
    differs = [name for name, value in ours.items() if form.get(name) != _plain(value)]
    if differs:
        raise InputError(
            f"the calibration in `{directory}` is of another judge: other {', '.join(differs)}",
            why="agreement is a property of judge, options and model together",
            fix="calibrate this judge, or use the one that was calibrated",
        )
    if form["refusals"]:
        return Validation(False, f"unvalidated: {'; '.join(form['refusals'])}")
    share = form["accuracy"]
    words = f"agrees with people on {share['value']:.1%}, at least {share['low']:.1%}"
    return Validation(True, f"validated: {words}")


def check_validated(found: Validation, judge: Judge) -> None:
    """Let a judge pass that was calibrated and missed no bound.

    Raises:
        CheckFailed: it was not, or it did.
    """
    if not found.is_valid:
        raise CheckFailed(
            f"judge `{judge.name}` is {found.words}",
            why="what an unvalidated judge says may be chance or habit",
            fix=f"selfsown judge calibrate LABELS.jsonl --judge {judge.name} --gate -o DIR",
        )


def _read(directory: Path, judge: Judge) -> dict[str, Any]:
    path = directory / CALIBRATION
    fix = f"selfsown judge calibrate LABELS.jsonl --judge {judge.name} -o {directory}"
    try:
        form: Any = orjson.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        what = "is damaged" if path.is_file() else "is not there"
        why = "it says how far the judge agrees with people"
        raise InputError(f"`{path}` {what}", why=why, fix=fix) from error
    if not isinstance(form, dict) or "refusals" not in form or "accuracy" not in form:
        raise InputError(f"`{path}` holds no calibration", why="it has other keys", fix=fix)
    return form


def _plain(value: object) -> object:
    """The value as JSON gives it back."""
    plain: object = orjson.loads(orjson.dumps(value))
    return plain
