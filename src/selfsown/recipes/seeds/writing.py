"""Write a seed file so that a crash leaves the old file or the new one, never half of one."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from selfsown.core.rundir import replaced_file
from selfsown.recipes.seeds.task import SeedTask


def seeds_to_jsonl(tasks: Iterable[SeedTask]) -> str:
    """Return the tasks as JSON Lines in the Self-Instruct shape, readable by `read_seeds`."""
    return "".join(json.dumps(t.to_mapping(), ensure_ascii=False) + "\n" for t in tasks)


def write_atomically(path: Path, data: bytes) -> None:
    """Replace `path` by `data` in one step: temporary neighbour, fsync, rename.

    Raises:
        OSError: if the folder does not exist, is not writable, or is full; `path` is untouched.
    """
    with replaced_file(path) as file:
        file.write(data)
