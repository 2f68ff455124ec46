"""One shard, from its task to its outcome: what every worker calls, whatever started it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final

import orjson

from selfsown.core.config import make_config
from selfsown.core.cost import NANO
from selfsown.core.errors import EnvironmentFailure, SelfsownError, Suspended
from selfsown.core.journal import JOURNAL_NAME, Journal
from selfsown.core.rundir import MANIFEST, read_manifest, write_text
from selfsown.history import spent_before
from selfsown.recipes.base import get_recipe
from selfsown.runner import Start, execute, run_loop
from selfsown.scale.split import part_rows
from selfsown.scale.tasks import Outcome, Task

DONE: Final = "done.json"
"""Beside the shard's data: the digest of the task that it finished, and the outcome."""
_LOCK_WAIT_S: Final = 30.0
"""How long a worker that lost its driver may take to let go of the directory."""


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
        kind, what, why, fix = type(error).__name__, error.what, error.why, error.fix
    except Exception as error:
        status, kind, what = "failed", "defect", f"{type(error).__name__}: {error}"
        why, fix = "this is a defect of selfsown, or of the recipe", ""
    counted = _counted(task, began)
    return {**counted, "status": status, "kind": kind, "what": what, "why": why, "fix": fix}


def _finished(task: Task, began: float) -> Outcome:
    """The outcome of a shard that runs to its end, or has done so before."""
    directory = Path(str(task.config["out"]))
    done = directory / DONE
    is_again = task.update or task.retry_failed
    if done.exists() and not is_again:
        known = orjson.loads(done.read_bytes())
        if known["digest"] == task.digest:
            known["outcome"]["wall_s"] = 0.0
            return _outcome(known["outcome"])
    done.unlink(missing_ok=True)
    _run(task, directory)
    outcome = _outcome({**_counted(task, began), "status": "finished"})
    form = {"digest": task.digest, "outcome": outcome.to_mapping()}
    write_text(done, orjson.dumps(form, option=orjson.OPT_INDENT_2).decode() + "\n")
    return outcome


def _run(task: Task, directory: Path) -> None:
    config = make_config(task.config, source=f"shard {task.shard}")
    recipe = get_recipe(config.recipe)
    rows = part_rows(Path(task.part))
    given: dict[str, Any] = {recipe.inputs: rows if recipe.inputs == "rows" else list(rows)}
    start = Start(
        update=task.update,
        retry_failed=task.retry_failed,
        signals=True,
        resume=task.resume,
    )
    ends = time.monotonic() + _LOCK_WAIT_S
    while True:
        try:
            run_loop(execute(config, start, recipe=recipe, **given))
            return
        except EnvironmentFailure as error:
            if "is in use by process" not in error.what or time.monotonic() > ends:
                raise
            time.sleep(0.2)


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


def _outcome(form: dict[str, Any]) -> Outcome:
    return Outcome(**{**form, "notes": tuple(form.get("notes", ()))})
