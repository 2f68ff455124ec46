"""`selfsown preview`: a tiny run, shown in full, so that its prompts are seen before they cost."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from selfsown.cli.arguments import Asked, resolve
from selfsown.cli.lineage import CallMade, Link
from selfsown.cli.run_options import RunArguments, run_arguments

if TYPE_CHECKING:
    from selfsown.core.model import Answer, Capabilities, Model, Price
    from selfsown.core.request import JSON, Request

CALLS_PER_UNIT: Final = 8
"""Most calls of a preview for each unit asked for, beside as many to start with."""
_LISTED: Final = 12
"""Candidates shown per stage."""


@dataclass(frozen=True, slots=True)
class StagePreview:
    """One stage of the tiny run."""

    stage: str
    calls: tuple[CallMade, ...]
    """Calls that no earlier stage has: those of the first such candidate, or of every row."""
    candidates: tuple[Link, ...]
    """In the order of the data files."""


@click.command()
@run_arguments
@click.option("--keep", metavar="DIR", help="Keep the tiny run, for example for `run --reuse DIR`.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def preview(keep: str | None, as_json: bool, **given: Any) -> None:
    """Run a recipe for -n K rows or units (2 if not given) and show prompts and results in full.

    Takes what `run` takes. At most 8 + 8 K calls are made, within the budget if there is one.
    A recipe that needs all rows to do anything (`topics`) sees all of them. Nothing is left behind
    without --keep.
    """
    count = given.pop("target") or 2
    asked = resolve(RunArguments(**given))
    with _directory(keep) as directory:
        reason = tiny_run(asked, count, directory)
        stages = previewed(directory, every_row=asked.recipe.inputs == "rows")
    if as_json:
        import orjson

        form = {"stopped": reason, "stages": [asdict(stage) for stage in stages]}
        click.echo(orjson.dumps(form, option=orjson.OPT_INDENT_2))
    else:
        click.echo("\n".join(preview_lines(stages)))
    if reason:
        click.echo(f"stopped: {reason}", err=True)
    if keep:
        click.echo(f"kept: {keep}; `--reuse {keep}` uses its answers again", err=True)


def tiny_run(asked: Asked, count: int, directory: Path) -> str:
    """Run a few rows or units into a directory.

    Args:
        asked: what to run; its own directory is not touched.
        count: rows of row recipes (of those that need all rows, what bounds the calls alone), else
            units of the target.
        directory: where to run.

    Returns:
        Why it was stopped; empty if it came to its end.

    Raises:
        Suspended: the budget or the environment stopped it.
    """
    from selfsown.core.errors import Suspended
    from selfsown.runner import run_loop

    ration = _Ration(CALLS_PER_UNIT * (1 + count))
    try:
        run_loop(_tiny_run(asked, count, directory, ration))
    except Suspended:
        if ration.left > 0:
            raise
        return f"{ration.size} calls are as many as a preview of {count} makes"
    return ""


def previewed(directory: Path, *, every_row: bool) -> list[StagePreview]:
    """The stages of a tiny run, each with its candidates and the calls that first show there.

    Args:
        directory: of the tiny run.
        every_row: show the calls of every candidate, not only of a stage's first.
    """
    from selfsown.cli.lineage import make_link, read_bodies, read_call
    from selfsown.core.journal import JOURNAL_NAME, Journal
    from selfsown.core.rundir import read_lines

    lines: list[Any] = list(read_lines(directory / "provenance.jsonl"))
    bodies = read_bodies(directory, {line["id"] for line in lines})
    links: dict[str, list[Link]] = {}
    for line in lines:
        links.setdefault(line["stage"], []).append(make_link(line, bodies.get(line["id"], {})))
    journal = Journal(directory / JOURNAL_NAME, read_only=True)
    told: set[str] = set()
    stages = []
    try:
        for stage, candidates in links.items():
            keys = _first_keys(candidates, told, every_row)
            told.update(key for link in candidates for key in link.keys)
            calls = [call for key in keys if (call := read_call(journal, key)) is not None]
            stages.append(StagePreview(stage, tuple(calls), tuple(candidates)))
    finally:
        journal.close()
    return stages


def preview_lines(stages: Iterable[StagePreview]) -> list[str]:
    """A tiny run in words."""
    from selfsown.cli.why import call_lines, link_lines

    lines: list[str] = []
    for stage in stages:
        lines += ["", f"--- {stage.stage}"] if lines else [f"--- {stage.stage}"]
        for call in stage.calls:
            lines += call_lines(call)
        for link in stage.candidates[:_LISTED]:
            lines += link_lines(link)
        if len(stage.candidates) > _LISTED:
            lines.append(f"and {len(stage.candidates) - _LISTED} more")
    return lines


async def _tiny_run(asked: Asked, count: int, directory: Path, ration: _Ration) -> None:
    from selfsown.core.config import BatchConfig
    from selfsown.runner import Start, execute, open_models

    target = None if asked.recipe.target is None else count
    changes = {"out": str(directory), "target": target, "batch": BatchConfig()}  # one by one
    config = asked.config.model_copy(update=changes)
    takes_some = asked.recipe.inputs == "rows" and not asked.recipe.needs_all_rows
    rows = _first_rows(asked, count) if takes_some else asked.rows
    async with open_models(config, asked.recipe, {}) as models:
        opened = {role: _Rationed(model, ration) for role, model in models.items()}
        await execute(config, Start(signals=True), opened=opened, rows=rows, seeds=asked.seeds)


def _first_rows(asked: Asked, count: int) -> Iterable[Mapping[str, JSON]]:
    from selfsown.preparation import given_rows

    rows = asked.rows if asked.rows is not None else given_rows(asked.config, asked.recipe)
    return itertools.islice(rows, count)


def _first_keys(candidates: Iterable[Link], told: set[str], every: bool) -> list[str]:
    """New keys of the first candidate that has any, or of all."""
    keys: dict[str, None] = {}
    for link in candidates:
        keys |= dict.fromkeys(key for key in link.keys if key not in told)
        if keys and not every:
            break
    return list(keys)


@contextlib.contextmanager
def _directory(keep: str | None) -> Iterator[Path]:
    if keep is not None:
        yield Path(keep)
        return
    path = Path(tempfile.mkdtemp(prefix="selfsown-preview-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@dataclass(slots=True)
class _Ration:
    """Calls that a preview may still make."""

    left: int
    size: int = 0

    def __post_init__(self) -> None:
        self.size = self.left

    def take(self) -> None:
        """Use one up.

        Raises:
            Interrupted: there is none left.
        """
        from selfsown.core.errors import Interrupted

        if self.left <= 0:
            raise Interrupted("the preview has made its calls", why="it is small on purpose")
        self.left -= 1


class _Rationed:
    """A model that answers so often and no more."""

    def __init__(self, model: Model, ration: _Ration) -> None:
        self._model, self._ration = model, ration

    @property
    def uri(self) -> str:
        return self._model.uri

    @property
    def identity(self) -> str:
        return self._model.identity

    @property
    def endpoint(self) -> str:
        return self._model.endpoint

    @property
    def capabilities(self) -> Capabilities:
        return self._model.capabilities

    @property
    def price(self) -> Price | None:
        return self._model.price

    async def attempt(
        self, request: Request, *, timeout_s: float | None = None, seed: int = 0
    ) -> Answer:
        self._ration.take()
        return await self._model.attempt(request, timeout_s=timeout_s, seed=seed)

    async def close(self) -> None:
        """Left to whoever opened the model."""
