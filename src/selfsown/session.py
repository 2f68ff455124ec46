"""One process's work on a run directory: journal, budget, caller, recipe, and what is left."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from selfsown.core.batch_book import BatchBook
from selfsown.core.batch_model import BatchSettings, require_batches
from selfsown.core.batches import Batches
from selfsown.core.budget import Budget
from selfsown.core.caller import Caller
from selfsown.core.clock import Clock, SystemClock
from selfsown.core.config import RunConfig
from selfsown.core.cost import NANO
from selfsown.core.effective import write_effective
from selfsown.core.epochs import changes, enter_epoch, open_next_epoch, orders_to_prefer
from selfsown.core.errors import Interrupted, ReplayMismatch, Suspended, TooFewRecords
from selfsown.core.finish import Ending, write_data, write_manifest
from selfsown.core.inputs import stored_rows
from selfsown.core.journal import JOURNAL_NAME, Journal, Row
from selfsown.core.limits import LimitSettings
from selfsown.core.model import Model
from selfsown.core.outcome import AttemptRecord
from selfsown.core.progress import RunSettings
from selfsown.core.run import Run
from selfsown.core.stages import check_conservation
from selfsown.history import earlier_target, expect_reported, kept_units, spent_before
from selfsown.preparation import Inputs, Watch, data_form, make_origin, with_true_depth
from selfsown.recipes.base import Recipe
from selfsown.results import RunResult

GRACE_S = 10.0
"""After Ctrl-C, how long calls in flight (which are paid) may take to be journaled."""


class View(Protocol):
    """Something that shows a run while it goes on."""

    def start(self, run: Run, caller: Caller | None) -> None:
        """The run is about to begin."""

    def stop(self) -> None:
        """The run has ended, in whatever way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """How to start, beside the config. None of it changes the data."""

    update: bool = False
    retry_failed: bool = False
    view: View | None = None
    watch: Watch = iter
    """Sees the documents while they are read from their files."""
    signals: bool = False
    """Stop cleanly on SIGINT and SIGTERM (main thread only)."""
    resume: str = ""
    """The command to print for resuming."""
    is_part: bool = False
    """The rows are a part of a job's; where nothing of it can be used, they all end rejected."""
    clock: Clock = field(default_factory=SystemClock)
    open_journal: Callable[[Path], Journal] = Journal
    """Opens the run's journal; shards whose rows also go elsewhere have one that sends them."""


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
        self.config, self.recipe, self.options = with_true_depth(config, models), recipe, options
        self.models, self.inputs, self.directory, self.start = models, inputs, directory, start
        self.warnings: list[str] = []
        if 0 < config.model_depth < self.config.model_depth:
            self.warnings.append(
                f"`model_depth` is {config.model_depth}, and the model's folder says"
                f" {self.config.model_depth}, which is stamped"
            )
        if config.batch.enabled:
            require_batches(models)
            if recipe.bound is not None and recipe.target is not None:
                self.warnings.append(
                    f"`--batch` with recipe `{recipe.name}`: it asks few things at a time and looks"
                    " at the answers before it goes on, and each few take as long as a batch"
                )
        self.data_form = data_form(self.config, recipe, options, models, inputs)
        self.origin = make_origin(self.config, recipe, models)

    async def run(self) -> RunResult:
        """Open the journal, run, write what came of it."""
        journal = self.start.open_journal(self.directory / JOURNAL_NAME)
        reuse = [(path, _open_other(path)) for path in self.config.reuse]
        try:
            with _rare_collections():
                epoch = self._enter(journal)
                try:
                    return await self._run(journal, reuse, epoch)
                except ReplayMismatch as error:  # the recipe's code changed, not its version
                    if not self.start.update:
                        raise
                    reason = f"update: {error.what}"
                epoch = open_next_epoch(journal, self.data_form, reason, self.start.clock)
                return await self._run(journal, reuse, epoch)
        finally:
            journal.close()
            for _, other in reuse:
                other.close()

    def _enter(self, journal: Journal) -> int:
        """Enter the epoch; what the directory has of config and inputs is replaced only then."""
        if not changes(journal, self.data_form):
            self._keep_target()
        expect_reported(journal, self.models)
        self._check()
        epoch = enter_epoch(
            journal,
            self.data_form,
            self.directory,
            update=self.start.update,
            retry_failed=self.start.retry_failed,
            clock=self.start.clock,
        )
        self.inputs.adopt()
        write_effective(self.directory, self.config, self.models, self.data_form, self.options)
        return epoch

    def _check(self) -> None:
        """Let the recipe say what stands in the way."""
        if self.recipe.check is None:
            return
        try:
            self.recipe.check(self.options, self.models.keys(), self.inputs.rows())
        except TooFewRecords:
            if not self.start.is_part:
                raise

    def _keep_target(self) -> None:
        """Never aim below what the directory holds already: nothing of it is taken away."""
        target = self.config.target or self.recipe.target
        earlier = earlier_target(self.directory, self.recipe)
        if target is None or earlier is None or target >= earlier:
            return
        done = kept_units(self.directory, self.recipe, self.options)
        if target < done:
            self.config = self.config.model_copy(update={"target": min(done, earlier)})
            self.warnings.append(
                f"`{self.directory}` has {done} {self.recipe.target_unit}s already and {target} "
                "were asked for: all are kept, and nothing is asked"
            )

    async def _run(
        self, journal: Journal, reuse: Sequence[tuple[str, Journal]], epoch: int
    ) -> RunResult:
        clock = self.start.clock
        began, stamp = clock.monotonic(), clock.stamp()
        journal.append_now([Row("sessions", (stamp, ""))])
        session = journal.scalar("SELECT max(seq) FROM sessions")
        budget = self._budget(journal, session)
        book = BatchBook(journal, session, clock)
        run = Run(
            self.directory,
            journal,
            self.models,
            None,
            self._settings(journal, epoch, session, book.waiting),
            self.origin,
            seeds=self.inputs.seeds,
            rows=stored_rows(self.directory),
            reuse=reuse,
            clock=clock,
        )
        run.progress.warnings += self.warnings
        batches = self._batches(book, run, budget)
        run.caller = self._caller(run, budget, batches)
        try:
            if batches is not None:
                await batches.close_answered()
            error = await self._recipe(run)
            await run.settle(None if error is None else GRACE_S)
            await run.caller.close()
            if error is None:
                check_conservation(run.stages)
            ending = self._ending(run, error, stamp, clock.monotonic() - began)
            data = write_data(run, self.origin)
            manifest = write_manifest(run, journal, data, ending)
        except Exception:
            await run.settle(GRACE_S)  # calls in flight are paid
            raise
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

    def _settings(self, journal: Journal, epoch: int, session: int, waiting: int) -> RunSettings:
        """What the run knows; rows that wait for earlier batches do not fill the window."""
        ahead = max(64, 2 * self.config.limits.concurrency) + waiting
        return RunSettings(
            seed=self.config.seed,
            order=self.config.order,
            target=self.config.target or self.recipe.target,
            epoch=epoch,
            earlier_epochs=orders_to_prefer(journal, epoch, self.data_form),
            session=session,
            max_failure_rate=self.config.max_failure_rate,
            map_ahead=max(ahead, self.config.batch.ahead if self.config.batch.enabled else 0),
        )

    def _budget(self, journal: Journal, session: int) -> Budget:
        usd, tokens = spent_before(journal)
        capped = self.config.budget

        async def grant(usd: float, tokens: int) -> None:
            await journal.append([Row("grants", (session, round(usd * NANO), tokens))])

        return Budget(capped.usd, capped.tokens, spent_usd=usd, spent_tokens=tokens, grant=grant)

    def _batches(self, book: BatchBook, run: Run, budget: Budget) -> Batches | None:
        """What makes attempts in batches; None if there is nothing to do for it."""
        given = self.config.batch
        if not given.enabled and not book.open:
            return None
        settings = BatchSettings(**given.model_dump(exclude={"ahead"}))
        return Batches(
            settings,
            book,
            budget,
            self.start.clock,
            in_flight=lambda: run.asking.in_flight,
            on_event=run.progress.warnings.append,
        )

    def _caller(self, run: Run, budget: Budget, batches: Batches | None) -> Caller:
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
            run.asking.post_attempt(key, attempt)

        return Caller(
            settings,
            budget=budget,
            clock=self.start.clock,
            on_late_attempt=late,
            on_event=run.progress.warnings.append,
            on_back_off=run.look_again,
            batches=batches,
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

    What has been imported by now is kept out of its sight. Measured: a fifth of the engine's CPU
    per call, and a twentieth. Calls leave no cycles behind that matter.
    """
    before = gc.get_threshold()
    gc.set_threshold(max(50_000, before[0]), before[1], before[2])
    alone = gc.get_freeze_count() == 0  # else somebody else has frozen, and will thaw
    if alone:
        gc.freeze()
    try:
        yield
    finally:
        gc.set_threshold(*before)
        if alone:
            gc.unfreeze()
