"""A node of a job that sends its journals often: `python -m tests.scale.node CONFIG STORE`."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.scale.jobs import Inline, Job, do

from selfsown.core.config import make_config, read_config
from selfsown.core.inputs import read_rows
from selfsown.recipes.base import get_recipe
from selfsown.scale import keeping

SHARDS = 2


def job(path: Path, store: str) -> Job:
    """The job of a config file."""
    config = make_config(read_config(path))
    return Job(config=config, recipe=get_recipe(config.recipe), shards=SHARDS, store=store)


def work(path: Path, store: str) -> None:
    """Do it, one shard after the other."""
    keeping.SEND_EVERY_S = 0.1  # type: ignore[misc]
    one = job(path, store)
    do(one, Inline(), rows=list(read_rows(Path(str(one.config.rows)))))


if __name__ == "__main__":
    work(Path(sys.argv[1]), sys.argv[2])
