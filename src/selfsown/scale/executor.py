"""The seam between a job and what runs its shards: tasks go in, outcomes come out, in any order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Final, Protocol

from selfsown.scale.tasks import Outcome, Task

DEATHS: Final = 20
"""How often one shard's worker may die before the shard counts as failed."""


class Executor(AbstractContextManager["Executor"], Protocol):
    """Runs shards. Used as a context manager; no process of its own is left behind."""

    def run(self, tasks: Iterator[Task]) -> Iterator[Outcome]:
        """Take tasks as workers become free, and yield outcomes as they come.

        No more tasks than there are workers are held, so memory does not grow with their number.
        """

    def interrupt(self) -> Iterator[Outcome]:
        """Stop the shards in work cleanly; their outcomes, as far as they come."""


def lost(task: Task, deaths: int) -> Outcome:
    """The outcome of a shard whose workers keep dying."""
    return Outcome(
        shard=task.shard,
        status="failed",
        kind="workers_died",
        what=f"the worker of shard {task.shard} died {deaths} times",
        why="a worker that dies again and again is short of memory, or is being killed",
        fix="give it more memory or take fewer workers, then run the same command again",
    )
