"""What a job is: its config, its shards, and the input that was dealt out to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from selfsown.core.config import RunConfig
from selfsown.core.errors import ConfigChanged, ConfigError, InputError
from selfsown.core.hidden import hide_url_secrets
from selfsown.core.request import JSON
from selfsown.core.rundir import write_text
from selfsown.recipes.base import Recipe
from selfsown.scale.places import JOB, JobPlaces
from selfsown.scale.split import Dealt, deal, digest_rows
from selfsown.scale.store import Store

Rows = Iterable[Mapping[str, JSON]]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFacts:
    """`job.json`: what must not change while the job is worked on."""

    version: int = 1
    recipe: str
    shards: int
    """Of each epoch."""
    epochs: int
    rows: int
    """Rows, or human seeds, that were dealt out."""
    input_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as it was asked for."""

    config: RunConfig
    recipe: Recipe[Any]
    shards: int
    epochs: int = 1
    store: str = ""
    update: bool = False
    retry_failed: bool = False
    resume: str = ""

    @property
    def places(self) -> JobPlaces:
        """Where it lies; absolute, so that workers find it from anywhere."""
        return JobPlaces(Path(str(self.config.out)).absolute())


def read_facts(home: Path) -> JobFacts:
    """What the job in a directory is.

    Raises:
        InputError: there is none.
    """
    path = JobPlaces(home).job
    try:
        return JobFacts(**orjson.loads(path.read_bytes()))
    except (OSError, TypeError, orjson.JSONDecodeError) as error:
        raise InputError(
            f"`{home}` holds no sharded job: {error}",
            why=f"`{path.name}` says what was split and how",
            fix="give the directory that `selfsown run … --shards N -o DIR` was given",
        ) from error


def is_job(home: Path) -> bool:
    """Whether a directory is that of a sharded job."""
    return JobPlaces(home).job.is_file()


def check(job: Job) -> None:
    """Refuse what cannot be split.

    Raises:
        ConfigError: epochs without a pool, rows that cannot be split, a job in the directory of a
            run, or `shard` given.
    """
    if job.epochs > 1 and job.recipe.inputs != "seeds":
        raise ConfigError(
            f"`--epochs {job.epochs}` does not suit recipe `{job.recipe.name}`",
            why="only a pool that grows from seeds has a next epoch",
            fix="leave --epochs out",
        )
    if job.recipe.needs_all_rows and job.shards > 1:
        raise ConfigError(
            f"`--shards {job.shards}` does not suit recipe `{job.recipe.name}`",
            why="what becomes of a row depends on all of them, and a shard sees its own alone",
            fix="leave --shards out",
        )
    if job.config.shard:
        raise ConfigError(
            f"`shard` is {job.config.shard}",
            why="a job numbers its shards itself",
            fix="remove it from the config",
        )
    target = job.config.target or job.recipe.target
    if target is not None and target < job.shards * job.epochs:
        raise ConfigError(
            f"the target of {target} is less than the {job.shards * job.epochs} shards",
            why="each shard of each epoch has its share of it, at least one",
            fix="raise -n, or lower --shards",
        )
    places = job.places
    if not places.job.exists() and (places.home / "journal.sqlite").exists():
        raise ConfigError(
            f"`{places.home}` is the directory of a run without shards",
            why="a job has a run directory for each of its shards",
            fix="give another directory with `-o`; `--reuse` copies the run's answers",
        )


def open_job(job: Job, rows: Rows) -> JobFacts:
    """Deal the input out to the shards, or make sure that it is what was dealt out.

    Raises:
        ConfigChanged: the input, or the number of shards, is another.
        ConfigError: there are more islands than seeds.
    """
    places = job.places
    if not places.job.exists():
        facts = _facts(job, deal(rows, job.shards, places.parts))
        if job.recipe.inputs == "seeds" and facts.rows < job.shards:
            raise ConfigError(
                f"{facts.rows} seeds are too few for {job.shards} islands",
                why="each island grows from seeds of its own",
                fix=f"--shards {facts.rows}, or fewer",
            )
        write_text(places.job, _text(facts).decode())
        return facts
    known, given = read_facts(places.home), _facts(job, digest_rows(rows))
    if known != given:
        raise ConfigChanged(
            f"`{places.home}` was split otherwise: {_changes(known, given)}",
            why="rows would change their shards, and be asked for again",
            fix="give another directory with `-o`",
        )
    return known


def keep_facts(store: Store, url: str, facts: JobFacts) -> None:
    """Say in a store what job it is for, or make sure that it is for this one.

    Shards of two jobs have the same numbers, so one would be restored from the other's journals.

    Raises:
        ConfigError: it is for another.
    """
    if store.create(JOB, _text(facts)):
        return
    known = JobFacts(**orjson.loads(store.read(JOB) or b""))
    shown = hide_url_secrets(url).rstrip("/")
    if known != facts:
        raise ConfigError(
            f"the store `{shown}` holds another job: {_changes(known, facts)}",
            why="shards of both have the same numbers, and would be taken for each other",
            fix=f"give each job a folder of its own, for example `--store {shown}/NAME`",
        )


def _text(facts: JobFacts) -> bytes:
    return orjson.dumps(asdict(facts), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _changes(known: JobFacts, given: JobFacts) -> str:
    pairs = zip(asdict(known).items(), asdict(given).values(), strict=True)
    return "; ".join(f"{name}: {old} → {new}" for (name, old), new in pairs if old != new)


def _facts(job: Job, dealt: Dealt) -> JobFacts:
    return JobFacts(
        recipe=job.recipe.name,
        shards=job.shards,
        epochs=job.epochs,
        rows=dealt.rows,
        input_sha256=dealt.sha256,
    )
