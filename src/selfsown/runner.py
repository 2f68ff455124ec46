"""From a config to a finished run directory: open models and journal, run the recipe, write files.

`run` and `arun` are the Python face of `selfsown run`; both end in `execute`.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from selfsown.core.budget import Budget
from selfsown.core.caller import Caller
from selfsown.core.clock import Clock, SystemClock
from selfsown.core.config import RunConfig, make_config
from selfsown.core.cost import NANO
from selfsown.core.effective import write_effective
from selfsown.core.epochs import enter_epoch, order_to_prefer
from selfsown.core.errors import ConfigError, Interrupted, Suspended
from selfsown.core.finish import Ending, write_data, write_manifest
from selfsown.core.inputs import copy_rows, read_rows, stored_rows
from selfsown.core.journal import JOURNAL_NAME, Journal, Row
from selfsown.core.limits import LimitSettings
from selfsown.core.model import Model
from selfsown.core.outcome import AttemptRecord
from selfsown.core.request import JSON
from selfsown.core.run import Run, RunSettings
from selfsown.core.rundir import INPUTS, locked, read_lines, sha256_of
from selfsown.core.stages import Origin, check_conservation
from selfsown.models.uri import open_model
from selfsown.recipes.base import Recipe, get_recipe
from selfsown.recipes.seeds import SeedTask, read_seeds

GRACE_S = 10.0
"""After Ctrl-C, how long calls in flight (which are paid) may take to be journaled."""


class View(Protocol):
    """Something that shows a run while it goes on."""

    def start(self, run: Run, caller: Caller | None) -> None:
        """The run is about to begin."""

    def stop(self) -> None:
        """The run has ended, in whatever way."""


class Records(Iterable[dict[str, Any]]):
    """The records of one data file, read anew at each iteration; `len` without reading."""

    def __init__(self, path: Path, rows: int) -> None:
        self._path, self._rows = path, rows

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for value in read_lines(self._path):
            assert isinstance(value, dict)
            yield value

    def __len__(self) -> int:
        return self._rows


@dataclass(frozen=True, slots=True)
class RunResult:
    """A finished run."""

    directory: Path
    manifest: Mapping[str, Any]

    @property
    def stop(self) -> str:
        """Why it ended: `target`, `saturated`, `rows`, ..."""
        return str(self.manifest["data"]["stop"])

    @property
    def accepted(self) -> Records:
        """Accepted records: the payload (for row recipes: the row and what was added) and `id`."""
        return self._records("accepted.jsonl")

    @property
    def rejected(self) -> Records:
        """Rejected candidates with `reason`, `score` and `record`."""
        return self._records("rejected.jsonl")

    @property
    def failed(self) -> Records:
        """Failed candidates with `error` and `record`."""
        return self._records("failed.jsonl")

    def _records(self, name: str) -> Records:
        return Records(self.directory / name, self.manifest["data"]["files"][name]["rows"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """How to start, beside the config. None of it changes the data."""

    update: bool = False
    retry_failed: bool = False
    view: View | None = None
    signals: bool = False
    """Stop cleanly on SIGINT and SIGTERM (main thread only)."""
    resume: str = ""
    """The command to print for resuming."""
    clock: Clock = field(default_factory=SystemClock)


def run(recipe: str | Recipe[Any], **given: Any) -> RunResult:
    """Run a recipe and wait for it; `arun` says what it takes.

    Raises:
        ConfigError: called inside a running event loop; await `arun` there.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        result: RunResult = run_loop(arun(recipe, **given))
        return result
    raise ConfigError(
        "`selfsown.run` was called inside a running event loop",
        why="it would block that loop",
        fix="await selfsown.arun(...) instead",
    )


async def arun(
    recipe: str | Recipe[Any],
    *,
    out: str | Path,
    model: str | Mapping[str, Any] | Model | None = None,
    models: Mapping[str, str | Mapping[str, Any] | Model] | None = None,
    rows: str | Path | Iterable[Mapping[str, JSON]] | None = None,
    seeds: str | Path | Iterable[Mapping[str, JSON]] | None = None,
    target: int | None = None,
    preset: str = "default",
    seed: int = 0,
    order: str = "arrival",
    concurrency: int | None = None,
    budget_usd: float | None = None,
    budget_tokens: int | None = None,
    limits: Mapping[str, Any] | None = None,
    reuse: Sequence[str | Path] = (),
    update: bool = False,
    retry_failed: bool = False,
    **options: Any,
) -> RunResult:
    """Run a recipe in this event loop. The same directory again resumes or extends it.

    Args:
        recipe: name, for example `complete` or `self-instruct`; `module:ATTRIBUTE` of one of
            your own; or the recipe itself.
        out: run directory.
        model: the recipe's first role: a URI, settings with `uri`, or an open model.
        models: role → the same, for recipes with several roles.
        rows: input of row recipes: a file, or rows; every row ends as one record.
        seeds: seed tasks: a file, a built-in name (`lab`, `starter`), or tasks.
        target: how many accepted units to stop at.
        preset: named set of options.
        seed: of every random choice.
        order: `arrival` or `strict`.
        concurrency: calls in flight at the start.
        budget_usd: hard cap in US dollars.
        budget_tokens: hard cap in tokens.
        limits: other limits (`requests_per_minute`, `timeout_s`, ...).
        reuse: run directories whose journaled answers are copied in.
        update: go on in a new epoch if the config changed.
        retry_failed: ask again what failed for good.
        options: options of the recipe, for example `prompt=`.

    Raises:
        InputError: something given cannot be used; nothing was spent.
        Suspended: budget, environment or Ctrl-C stopped it; the same call resumes.
    """
    known = recipe if isinstance(recipe, Recipe) else get_recipe(recipe)
    named: dict[str, Any] = dict(models or {})
    if model is not None:
        named.setdefault(next(iter(known.roles)), model)
    opened = {role: value for role, value in named.items() if isinstance(value, Model)}
    source = {"rows": rows, "seeds": seeds}
    given = {name: value for name, value in source.items() if not isinstance(value, (str, Path))}
    config = make_config(
        {
            "recipe": recipe if isinstance(recipe, str) else known.name,
            "preset": preset,
            "models": {r: m.uri if r in opened else m for r, m in named.items()},
            **{k: str(v) for k, v in source.items() if isinstance(v, (str, Path))},
            "target": target,
            "seed": seed,
            "order": order,
            "options": options,
            "budget": {"usd": budget_usd, "tokens": budget_tokens},
            "limits": {
                **({} if concurrency is None else {"concurrency": concurrency}),
                **(limits or {}),
            },
            "reuse": [str(path) for path in reuse],
            "out": str(out),
        },
        source="arguments",
    )
    start = Start(update=update, retry_failed=retry_failed)
    return await execute(config, start, recipe=known, opened=opened, **given)


def run_loop(work: Any) -> Any:
    """`asyncio.run`, on uvloop where it is installed."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(work)
    return uvloop.run(work)


async def execute(
    config: RunConfig,
    start: Start,
    *,
    recipe: Recipe[Any] | None = None,
    opened: Mapping[str, Model] | None = None,
    rows: Iterable[Mapping[str, JSON]] | None = None,
    seeds: Iterable[Mapping[str, JSON]] | None = None,
) -> RunResult:
    """Run a config into its directory.

    Args:
        config: what to run; `out` must be given.
        start: how to start.
        recipe: the recipe, where it is not to be looked up by its name.
        opened: models that are open already, by role; the caller closes them.
        rows: rows instead of `config.rows`.
        seeds: seed tasks instead of `config.seeds`.
    """
    recipe = recipe or get_recipe(config.recipe)
    options = recipe.resolve(config.preset, config.options)
    if not config.out:
        raise ConfigError(
            "no run directory was given",
            why="everything a run pays for is kept there",
            fix="-o runs/NAME",
        )
    directory = Path(config.out)
    async with open_models(config, recipe, opened or {}) as models:
        with locked(directory):
            inputs = prepare_inputs(config, recipe, directory, rows, seeds)
            session = Session(config, recipe, options, models, inputs, directory, start)
            return await session.run()


@dataclass(frozen=True, slots=True)
class Inputs:
    """Inputs as copied into the run directory."""

    digests: Mapping[str, str]
    """`seeds` or `rows` → SHA-256 of the copy."""
    seeds: Sequence[SeedTask] = ()


class Session:
    """One process's work on a run directory."""

    def __init__(
        self,
        config: RunConfig,
        recipe: Recipe[Any],
        options: Any,
        models: Mapping[str, Model],
        inputs: Inputs,
        directory: Path,
        start: Start,
    ) -> None:
        self.config, self.recipe, self.options = config, recipe, options
        self.models, self.inputs, self.directory, self.start = models, inputs, directory, start
        self.data_form = data_form(config, recipe, options, models, inputs)
        self.origin = make_origin(config, recipe, models)

    async def run(self) -> RunResult:
        """Open the journal, run, write what came of it."""
        journal = Journal(self.directory / JOURNAL_NAME)
        reuse = [(path, _open_other(path)) for path in self.config.reuse]
        try:
            with _rare_collections():
                return await self._run(journal, reuse)
        finally:
            journal.close()
            for _, other in reuse:
                other.close()

    async def _run(self, journal: Journal, reuse: Sequence[tuple[str, Journal]]) -> RunResult:
        clock = self.start.clock
        began, stamp = clock.monotonic(), clock.stamp()
        epoch = enter_epoch(
            journal,
            self.data_form,
            self.directory,
            update=self.start.update,
            retry_failed=self.start.retry_failed,
            clock=clock,
        )
        write_effective(self.directory, self.config, self.models, self.data_form, self.options)
        journal.append_now([Row("sessions", (stamp, ""))])
        session = journal.scalar("SELECT max(seq) FROM sessions")
        budget = self._budget(journal, session)
        run = Run(
            self.directory,
            journal,
            self.models,
            None,
            self._settings(journal, epoch, session),
            self.origin,
            seeds=self.inputs.seeds,
            rows=stored_rows(self.directory),
            reuse=reuse,
            clock=clock,
        )
        run.caller = self._caller(run, budget)
        try:
            error = await self._recipe(run)
            await run.settle(None if error is None else GRACE_S)
            await run.caller.close()
            if error is None:
                check_conservation(run.stages)
            ending = self._ending(run, error, stamp, clock.monotonic() - began)
            data = write_data(run, self.origin)
            manifest = write_manifest(run, journal, data, ending)
        finally:
            await run.settle(0.0)
            await run.caller.close()
            run.close()
        self._derive(run)
        if error is not None:
            raise error
        return RunResult(self.directory, manifest)

    async def _recipe(self, run: Run) -> Suspended | None:
        """Run the recipe to its end; the error if it is suspended."""
        view = self.start.view
        if view is not None:
            view.start(run, run.caller)
        try:
            with _signals(run) if self.start.signals else contextlib.nullcontext():
                await self.recipe.run(run, self.options)
        except Suspended as error:
            run.suspend(error)
            return error
        finally:
            if view is not None:
                view.stop()
        return None

    def _settings(self, journal: Journal, epoch: int, session: int) -> RunSettings:
        return RunSettings(
            seed=self.config.seed,
            order=self.config.order,
            target=self.config.target or self.recipe.target,
            epoch=epoch,
            earlier_epoch=order_to_prefer(journal, epoch, self.data_form),
            session=session,
            max_failure_rate=self.config.max_failure_rate,
            map_ahead=max(64, 2 * self.config.limits.concurrency),
        )

    def _budget(self, journal: Journal, session: int) -> Budget:
        usd, tokens = spent_before(journal)
        capped = self.config.budget

        async def grant(usd: float, tokens: int) -> None:
            await journal.append([Row("grants", (session, round(usd * NANO), tokens))])

        return Budget(capped.usd, capped.tokens, spent_usd=usd, spent_tokens=tokens, grant=grant)

    def _caller(self, run: Run, budget: Budget) -> Caller:
        limits = self.config.limits
        settings = LimitSettings(
            concurrency=limits.concurrency,
            requests_per_minute=limits.requests_per_minute,
            tokens_per_minute=limits.tokens_per_minute,
            timeout_s=None if limits.timeout_s == "none" else limits.timeout_s,
            attempts=limits.attempts,
            resend=limits.resend,
        )

        def late(key: bytes, attempt: AttemptRecord) -> None:
            run.post_attempt(key, attempt)

        return Caller(
            settings,
            budget=budget,
            clock=self.start.clock,
            on_late_attempt=late,
            on_event=run.progress.warnings.append,
        )

    def _derive(self, run: Run) -> None:
        """Report and card. A defect of theirs must not look like a loss of data."""
        from selfsown.report.card import write_card
        from selfsown.report.numbers import read_numbers
        from selfsown.report.page import write_report

        try:
            numbers = read_numbers(self.directory)
            write_report(self.directory, numbers)
            write_card(self.directory, numbers)
        except Exception as error:
            run.progress.warnings.append(
                f"the report could not be written: `{type(error).__name__}`: {error}; the data are "
                f"complete, `selfsown report {self.directory}` tries again"
            )

    def _ending(self, run: Run, error: Suspended | None, started: str, wall_s: float) -> Ending:
        return Ending(
            status="finished" if error is None else "suspended",
            reason=run.stop_reason if error is None else error.what,
            started=started,
            ended=self.start.clock.stamp(),
            wall_s=round(wall_s, 3),
            resume=self.start.resume,
        )


def data_form(
    config: RunConfig,
    recipe: Recipe[Any],
    options: Any,
    models: Mapping[str, Model],
    inputs: Inputs,
) -> dict[str, JSON]:
    """What the data depend on; a change of it needs `--update`."""
    return {
        "recipe": recipe.name,
        "recipe_version": recipe.version,
        "options": recipe.data_options(options),
        "models": {role: model.identity for role, model in sorted(models.items())},
        "inputs": inputs.digests,
        "seed": config.seed,
        "order": config.order,
        "model_depth": config.model_depth,
    }


def make_origin(config: RunConfig, recipe: Recipe[Any], models: Mapping[str, Model]) -> Origin:
    """What all records of a run share."""
    return Origin(
        recipe.name,
        recipe.version,
        {role: model.identity for role, model in sorted(models.items())},
        config.model_depth,
    )


def spent_before(journal: Journal) -> tuple[float, int]:
    """USD and tokens that earlier sessions spent or may have spent.

    A session that ended cleanly handed back what it did not use; of one that was killed, all that
    was granted counts. Sessions without a cap have no grants: there the attempts count.
    """
    sql = (
        "SELECT sum(max(coalesce(g, 0), coalesce(a, 0))) FROM (SELECT seq AS s,"
        " (SELECT sum({grant}) FROM grants WHERE session=sessions.seq) AS g,"
        " (SELECT sum({spent}) FROM attempts WHERE session=sessions.seq) AS a FROM sessions)"
    )
    nano = journal.scalar(sql.format(grant="nano_usd", spent="cost_nano_usd"))
    return nano / NANO, journal.scalar(sql.format(grant="tokens", spent="billed_tokens"))


@contextlib.asynccontextmanager
async def open_models(
    config: RunConfig, recipe: Recipe[Any], opened: Mapping[str, Model]
) -> AsyncIterator[dict[str, Model]]:
    """The models of a config by role; those opened here are closed again.

    Raises:
        ConfigError: the first role has no model, or a role is unknown to the recipe.
    """
    first = next(iter(recipe.roles))
    for role in config.models:
        if role not in recipe.roles:
            raise ConfigError(
                f"recipe `{recipe.name}` has no role `{role}`",
                why=f"its roles are {', '.join(f'`{name}`' for name in recipe.roles)}",
                fix=f"selfsown recipes {recipe.name}",
            )
    if first not in config.models and first not in opened:
        raise ConfigError(
            f"recipe `{recipe.name}` has no model for its role `{first}`",
            why=f"it {recipe.roles[first]}",
            fix="--model lab  (embedded), --model http://localhost:8000/v1#NAME, ...",
        )
    models: dict[str, Model] = dict(opened)
    made: list[Model] = []
    try:
        for role, settings in config.models.items():
            if role not in models:
                models[role] = open_model(settings)
                made.append(models[role])
        yield models
    finally:
        for model in made:
            await model.close()


def prepare_inputs(
    config: RunConfig,
    recipe: Recipe[Any],
    directory: Path,
    rows: Iterable[Mapping[str, JSON]] | None,
    seeds: Iterable[Mapping[str, JSON]] | None,
) -> Inputs:
    """Copy what the recipe reads into the run directory.

    Raises:
        InputError: nothing was given, or it cannot be read.
    """
    if recipe.inputs == "rows":
        source = rows if rows is not None else _given_rows(config, recipe)
        return Inputs({"rows": copy_rows(source, directory).sha256})
    if seeds is None and config.seeds is None:
        raise _no_input(recipe, "seeds", "--seeds FILE, --seeds starter, or --seeds lab")
    tasks = read_seeds(seeds if seeds is not None else str(config.seeds))
    facts = copy_rows([seed_form(task) for task in tasks], directory, "seeds.jsonl")
    return Inputs({"seeds": facts.sha256}, tasks)


def stored_inputs(recipe: Recipe[Any], directory: Path) -> Inputs:
    """The inputs of an existing run directory."""
    name = "rows.jsonl" if recipe.inputs == "rows" else "seeds.jsonl"
    path = directory / INPUTS / name
    digests: dict[str, str] = {recipe.inputs: sha256_of(path)}
    return Inputs(digests, read_seeds(path) if recipe.inputs == "seeds" else ())


def seed_form(task: SeedTask) -> dict[str, JSON]:
    """A seed task as JSON, in the published format."""
    return {
        "id": task.id,
        "name": task.name,
        "instruction": task.instruction,
        "instances": [{"input": i.input, "output": i.output} for i in task.instances],
        "is_classification": task.is_classification,
    }


def _given_rows(config: RunConfig, recipe: Recipe[Any]) -> Iterable[Mapping[str, JSON]]:
    if config.rows is None:
        raise _no_input(recipe, "rows", "--rows FILE")
    return read_rows(Path(config.rows))


def _no_input(recipe: Recipe[Any], what: str, fix: str) -> ConfigError:
    return ConfigError(
        f"recipe `{recipe.name}` needs {what}",
        why="it has nothing to start from",
        fix=fix,
    )


def _open_other(path: str) -> Journal:
    return Journal(Path(path) / JOURNAL_NAME, read_only=True)


@contextlib.contextmanager
def _signals(run: Run) -> Iterator[None]:
    """The first SIGINT or SIGTERM stops the run cleanly; the next one at once."""
    loop = asyncio.get_running_loop()
    main = asyncio.current_task()
    caught: list[int] = []

    def stop(number: int) -> None:
        caught.append(number)
        if len(caught) > 1 and main is not None:
            main.cancel()
            return
        run.suspend(
            Interrupted(
                "the run was interrupted",
                why="a signal asked it to stop; all answers so far are in the journal",
                fix="run the same command again: it resumes",
            )
        )

    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, stop, number)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


@contextlib.contextmanager
def _rare_collections() -> Iterator[None]:
    """Let the garbage collector look less often while calls come and go by the thousand.

    Measured: a fifth of the engine's CPU per call. Calls leave no cycles behind that matter.
    """
    before = gc.get_threshold()
    gc.set_threshold(max(50_000, before[0]), before[1], before[2])
    try:
        yield
    finally:
        gc.set_threshold(*before)
