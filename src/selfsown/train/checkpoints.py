"""Checkpoints that count only once they are whole, and what to say when no more can be written."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from selfsown.core.errors import CheckFailed, EnvironmentFailure
from selfsown.core.rundir import write_text

_WHOLE: Final = "selfsown-whole.json"


class TrainingDiverged(CheckFailed):
    """Loss or weights are no numbers any more."""


def mark_whole(checkpoint: Path) -> None:
    """Say that a checkpoint was written to its end."""
    write_text(checkpoint / _WHOLE, "{}")


def last_checkpoint(folder: Path, *, clean: bool = False) -> Path | None:
    """The last checkpoint that was written to its end; None if there is none.

    Args:
        folder: of the checkpoints; need not exist.
        clean: remove the others that were not.
    """
    whole = []
    for path in folder.glob("checkpoint-*"):
        if (path / _WHOLE).is_file():
            whole.append(path)
        elif clean:
            shutil.rmtree(path, ignore_errors=True)
    return max(whole, key=step_of, default=None)


def step_of(checkpoint: Path) -> int:
    """The step after which a checkpoint was written."""
    return int(checkpoint.name.rpartition("-")[2])


def diverged(what: str, step: int, checkpoints: Path, learning_rate: float) -> TrainingDiverged:
    """The error; the checkpoint of the weights that gave the bad number, `step`, is removed."""
    shutil.rmtree(checkpoints / f"checkpoint-{step}", ignore_errors=True)
    last = last_checkpoint(checkpoints)
    kept = f"; the last good checkpoint is `{last}`" if last else "; there is no checkpoint yet"
    return TrainingDiverged(
        f"{what} is not finite{kept}",
        why=f"a learning rate of {learning_rate:g} is too high, or rows hold extremes",
        fix="train into a new folder with a lower `learning_rate`, or a longer warm-up",
    )


def unwritable(folder: Path, what: str, error: Exception) -> EnvironmentFailure:
    """The error for a disk that takes no more; names the checkpoint of the folder that is whole."""
    last = last_checkpoint(folder)
    kept = f"; `{last.name}` is whole" if last else ""
    return EnvironmentFailure(
        f"{what} cannot be written to `{folder}`: {str(error).partition(chr(10))[0]}{kept}",
        why="training goes on only where it could be resumed",
        fix="free space on that disk, then run the same command again",
    )
