"""One shard, from its task to its outcome: what every worker calls, whatever started it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import orjson

from selfsown.core import errors
from selfsown.core.config import make_config
from selfsown.core.cost import NANO
from selfsown.core.errors import ConfigChanged, EnvironmentFailure, SelfsownError, Suspended
from selfsown.core.hidden import hide_url_secrets
from selfsown.core.journal import JOURNAL_NAME, Journal
from selfsown.core.request import JSON
from selfsown.core.rundir import MANIFEST, read_manifest, write_text
from selfsown.history import spent_before
from selfsown.recipes.base import get_recipe
from selfsown.runner import Start, execute, run_loop
from selfsown.scale.keeping import Keeping, fetch_results
from selfsown.scale.split import part_rows
from selfsown.scale.store import Store
from selfsown.scale.tasks import Outcome, Task, read_outcome

DONE: Final = "done.json"
"""Beside the shard's data: the digest of the task that it finished, and the outcome."""
_LOCK_WAIT_S: Final = 60.0
"""How long a worker that lost its driver may take to let go of the directory."""
_LOCK_LOOK_S: Final = 0.2


def work(form: dict[str, Any]) -> dict[str, Any]:
    """Do a task and return its outcome, both as JSON. Errors are outcomes; nothing is raised.

    Call it in the main thread: SIGTERM and SIGINT stop the run cleanly.
    """
    task = Task(**form)
    began = time.monotonic()
    try:
        return _finished(task, began).to_mapping()
    except SelfsownError as error:
        status = "suspended" if isinstance(error, Suspended) else "failed"
        kind, what, why, fix = _kind(error), error.what, error.why, error.fix
    except Exception as error:
        status, kind, what = "failed", "defect", f"{type(error).__name__}: {error}"
        why, fix = "this is a defect of selfsown, or of the recipe", ""
    counted = _counted(task, began)
    return {**counted, "status": status, "kind": kind, "what": what, "why": why, "fix": fix}


def _kind(error: SelfsownError) -> str:
    """The name by which the driver finds the error's class, or the nearest one above it."""
    known = [one.__name__ for one in vars(errors).values() if isinstance(one, type)]
    return next(one.__name__ for one in type(error).__mro__ if one.__name__ in known)


def bring_results(task: Task) -> Outcome | None:
    """The outcome of a task that was finished before, here or on another node; None if it was not.

    What another node made is copied here.
    """
    directory = Path(str(task.config["out"]))
    done = directory / DONE
    if done.exists():
        known = orjson.loads(done.read_bytes())
        if known["digest"] == task.digest:
            return read_outcome({**known["outcome"], "wall_s": 0.0})
    if not task.store:
        return None
    text = fetch_results(Store(task.store), task.shard, task.digest, directory)
    if text is None:
        return None
    write_text(done, text.decode())
    return read_outcome({**orjson.loads(text)["outcome"], "wall_s": 0.0})


def _finished(task: Task, began: float) -> Outcome:
    """The outcome of a shard that runs to its end, or has done so before."""
    directory = Path(str(task.config["out"]))
    if not (task.update or task.retry_failed):
        known = bring_results(task)
        if known is not None:
            return known
    (directory / DONE).unlink(missing_ok=True)
    keeping = Keeping(Store(task.store), task.shard, directory) if task.store else None
    _run(task, keeping)
    outcome = read_outcome({**_counted(task, began), "status": "finished"})
    form = {"digest": task.digest, "outcome": outcome.to_mapping()}
    text = orjson.dumps(form, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    if keeping is not None:
        keeping.leave_results(task.digest, text)
    write_text(directory / DONE, text.decode())
    return outcome


def _run(task: Task, keeping: Keeping | None) -> None:
    config = make_config(task.config, source=f"shard {task.shard}")
    recipe = get_recipe(config.recipe)
    start = Start(
        update=task.update,
        retry_failed=task.retry_failed,
        signals=True,
        resume=task.resume,
        is_part=True,
    )
    if keeping is not None:
        start = replace(start, view=keeping, open_journal=keeping.open_journal)
        reuse = [*config.reuse, *map(str, keeping.overtaken)]
        config = config.model_copy(update={"reuse": reuse})
    ends = time.monotonic() + _LOCK_WAIT_S
    while True:
        rows = _rows(task)
        given: dict[str, Any] = {recipe.inputs: rows if recipe.inputs == "rows" else list(rows)}
        try:
            run_loop(execute(config, start, recipe=recipe, **given))
            return
        except ConfigChanged as error:
            if not task.store:
                raise
            raise ConfigChanged(
                f"{error.what}\nits journal is in the store `{hide_url_secrets(task.store)}`",
                why=error.why,
                fix=f"a job of its own needs a `--store` of its own; else {error.fix}",
            ) from error
        except EnvironmentFailure as error:
            if "is in use by process" not in error.what or time.monotonic() > ends:
                raise
            time.sleep(_LOCK_LOOK_S)


def _rows(task: Task) -> Iterator[Mapping[str, JSON]]:
    if not task.store:
        return part_rows(Path(task.part))
    data = Store(task.store).read(task.stored_part)
    if data is None:
        raise EnvironmentFailure(
            f"the store `{hide_url_secrets(task.store)}` does not have `{task.stored_part}`",
            why="the driver puts each shard's input there before it hands the shard out",
            fix="run the same command again",
        )
    return map(json.loads, data.splitlines())


def _counted(task: Task, began: float) -> dict[str, Any]:
    """The numbers of an outcome, as far as the run got."""
    directory = Path(str(task.config["out"]))
    form: dict[str, Any] = {"shard": task.shard, "wall_s": round(time.monotonic() - began, 3)}
    if (directory / JOURNAL_NAME).exists():
        try:
            journal = Journal(directory / JOURNAL_NAME, read_only=True)
        except SelfsownError:
            return form
        try:
            usd, tokens = spent_before(journal)
            form |= {"nano_usd": round(usd * NANO), "tokens": tokens}
        finally:
            journal.close()
    if (directory / MANIFEST).exists():
        manifest: Any = read_manifest(directory)
        files = manifest["data"]["files"]
        form |= {
            name: files[f"{name}.jsonl"]["rows"] for name in ("accepted", "rejected", "failed")
        }
        form |= {"calls": manifest["run"]["calls"], "notes": tuple(manifest["run"]["warnings"])}
    return form
