"""Small sharded jobs for the tests: rows, configs, an executor in this process, what came out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import selfsown
from selfsown.core.config import make_config
from selfsown.core.rundir import DATA_FILES
from selfsown.recipes.base import get_recipe
from selfsown.scale.data_set import Asked, merge_directories
from selfsown.scale.driver import run_job
from selfsown.scale.executor import Executor
from selfsown.scale.job import Job
from selfsown.scale.ledger import Totals
from selfsown.scale.shard import work
from selfsown.scale.tasks import Outcome, Task, read_outcome

ROWS = [{"n": n, "text": f"row number {n}"} for n in range(23)]
RULES: list[dict[str, Any]] = [
    {"match": "number 7.", "error": "bad_request"},
    {"match": "number 11.", "finish_reason": "length", "text": "cut"},
]


def script(folder: Path, *rules: Mapping[str, Any]) -> str:
    """The URI of a scripted model with these rules; other prompts get pseudo-random text."""
    path = folder / "script.jsonl"
    path.write_text("".join(json.dumps(rule) + "\n" for rule in rules))
    return f"scripted:{path}"


def make_job(folder: Path, name: str, *, shards: int, **given: Any) -> Job:
    """A job of recipe `complete`; `given` are fields of `Job` or keys of the config."""
    fields = {key: given.pop(key) for key in ("epochs", "store", "update") if key in given}
    form = {
        "recipe": "complete",
        "models": {"generator": script(folder, *given.pop("rules", RULES))},
        "options": {"prompt": "Say {{ text }}."},
        "out": str(folder / name),
        **given,
    }
    config = make_config(form)
    return Job(config=config, recipe=get_recipe(config.recipe), shards=shards, **fields)


class Standing:
    """What an executor has that is there before a job and after it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass


class Inline(Standing):
    """An executor in this process: one shard after the other, in an order of the test's choice."""

    def __init__(self, order: Callable[[list[Task]], Sequence[Task]] = list) -> None:
        self._order = order
        self.ran: list[int] = []

    def run(self, tasks: Iterator[Task]) -> Iterator[Outcome]:
        for task in self._order(list(tasks)):
            self.ran.append(task.shard)
            yield read_outcome(work(task.to_mapping()))

    def interrupt(self) -> Iterator[Outcome]:
        return iter(())


def do(
    job: Job,
    executor: Executor | None = None,
    rows: Sequence[Mapping[str, Any]] = ROWS,
    on_outcome: Callable[[Outcome, int], None] = lambda outcome, finished: None,
) -> Totals:
    """Work on a job to its end."""
    return run_job(job, rows, lambda: executor or Inline(), on_outcome)


def merged(job: Job, **asked: Any) -> dict[str, bytes]:
    """The data files of the merge of a job."""
    home = job.places.home
    merge_directories([home], home / "merged", Asked(**asked))
    return data(home / "merged")


def data(directory: Path) -> dict[str, bytes]:
    """The data files of a run directory."""
    return {name: (directory / name).read_bytes() for name in DATA_FILES}


def plain(folder: Path, name: str = "plain", rows: Sequence[Mapping[str, Any]] = ROWS) -> Path:
    """The directory of the same work as one ordinary run."""
    selfsown.run(
        "complete",
        rows=rows,
        model=script(folder, *RULES),
        prompt="Say {{ text }}.",
        out=folder / name,
    )
    return folder / name
