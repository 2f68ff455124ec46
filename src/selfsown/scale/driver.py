"""The one process that hands out a job's shards, keeps its ledger, and says how it ended.

It holds one task per worker and nothing per shard, so its memory does not grow with their number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from selfsown.core import errors
from selfsown.core.cost import NANO
from selfsown.core.errors import BudgetExhausted, EnvironmentFailure, Interrupted, SelfsownError
from selfsown.core.rundir import locked
from selfsown.scale.executor import Executor
from selfsown.scale.islands import deal_epoch, forget_epochs
from selfsown.scale.job import Job, Rows, check, keep_facts, open_job
from selfsown.scale.kept_caps import KeptCaps
from selfsown.scale.ledger import Ledger, Totals
from selfsown.scale.shard import DONE, bring_results
from selfsown.scale.store import Store
from selfsown.scale.tasks import Outcome, Task, shard_config, share, task_digest

OnOutcome = Callable[[Outcome, int], None]
"""Called with each outcome and how many shards have finished by then."""


def run_job(
    job: Job, rows: Rows, executor: Callable[[], Executor], on_outcome: OnOutcome
) -> Totals:
    """Work on every shard that has not finished, epoch by epoch.

    Args:
        job: what was asked for.
        rows: its input; may be iterated more than once.
        executor: opens what runs the shards.
        on_outcome: told of every shard that ends.

    Raises:
        InputError: the job cannot be split, or was split otherwise before.
        Suspended: budget, environment or Ctrl-C stopped shards; the same call resumes.
        SelfsownError: what stopped a shard, by the class that it had there.
    """
    check(job)
    places = job.places
    store = Store(job.store) if job.store else None
    with locked(places.home):
        facts = open_job(job, rows)
        if store is not None:
            keep_facts(store, job.store, facts)
        with Ledger(places.ledger) as ledger:
            budget = job.config.budget
            nano = None if budget.usd is None else int(budget.usd * NANO)
            kept = KeptCaps(store)
            if ledger.enter(job.shards * job.epochs):
                kept.bring(ledger)
            ledger.set_caps(nano, budget.tokens)
            with executor() as workers:
                for epoch in range(job.epochs):
                    inputs = facts.input_sha256
                    if epoch:
                        inputs += deal_epoch(places, job.shards, epoch)
                    _Pass(job, inputs, ledger, kept, store, workers, epoch, on_outcome).run()
            return ledger.totals()


class _Pass:
    """All shards of one epoch."""

    def __init__(
        self,
        job: Job,
        inputs: str,
        ledger: Ledger,
        kept: KeptCaps,
        store: Store | None,
        workers: Executor,
        epoch: int,
        on_outcome: OnOutcome,
    ) -> None:
        self._job, self._inputs, self._ledger, self._workers = job, inputs, ledger, workers
        self._on_outcome, self._kept, self._store = on_outcome, kept, store
        self._shards = range(epoch * job.shards, (epoch + 1) * job.shards)
        self._stopped: Outcome | None = None
        self._handed_out: dict[int, Task] = {}
        self._finished = ledger.totals().finished
        self._epochs = range(epoch, job.epochs)
        """Epochs whose merge is made anew when a shard of this one is worked on."""

    def run(self) -> None:
        """Run until all have finished.

        What a finished shard did not spend goes to those that ran out.
        """
        is_again = self._job.update or self._job.retry_failed
        self._ledger.hand_on(self._kept.keep)
        while True:
            try:
                for outcome in self._workers.run(self._tasks(is_again=is_again)):
                    self._take(outcome)
            except KeyboardInterrupt:
                for outcome in self._workers.interrupt():
                    self._take(outcome)
                raise Interrupted(
                    "the job was interrupted",
                    why="a signal asked it to stop; all answers so far are in the journals",
                    fix="run the same command again: it resumes",
                ) from None
            is_again = False
            if self._stopped is not None:
                raise _error(self._stopped)
            if not self._ledger.has_exhausted():
                return
            if not self._ledger.hand_on(self._kept.keep):
                raise _exhausted(self._ledger.totals())

    def _tasks(self, *, is_again: bool) -> Iterator[Task]:
        """Tasks of the shards that have not finished, as long as nothing stops the job."""
        for shard in self._shards:
            if self._stopped is not None:
                return
            task = self._task(shard)
            state = self._ledger.standing(shard)
            is_here = (self._job.places.shard(shard) / DONE).exists()
            if is_again or state.digest != task.digest or not is_here:
                if self._store is not None:
                    self._store.create(task.stored_part, Path(task.part).read_bytes())
                self._handed_out[shard] = task
                self._finished -= state.finished
                forget_epochs(self._job.places, self._epochs)
                yield task

    def _task(self, shard: int) -> Task:
        job, places = self._job, self._job.places
        total = job.config.target or job.recipe.target
        nano, tokens = self._ledger.cap(shard)
        budget = job.config.budget
        config = shard_config(
            job.config,
            shard,
            places.shard(shard),
            target=None if total is None else share(total, job.shards * job.epochs, shard),
            caps=(
                None if budget.usd is None else nano,
                None if budget.tokens is None else tokens,
            ),
        )
        return Task(
            shard=shard,
            config=config.model_dump(mode="json"),
            part=str(places.part(shard)),
            digest=task_digest(config, job.recipe.version, self._inputs),
            store=job.store,
            update=job.update,
            retry_failed=job.retry_failed,
            resume=job.resume,
        )

    def _take(self, outcome: Outcome) -> None:
        task = self._handed_out.pop(outcome.shard)
        if outcome.status == "finished" and task.store:
            bring_results(task)  # from the node that made them
        self._ledger.record(outcome, task.digest)
        self._finished += outcome.status == "finished"
        if outcome.status != "finished" and outcome.kind != "BudgetExhausted":
            self._stopped = self._stopped or outcome
        self._on_outcome(outcome, self._finished)


def _error(outcome: Outcome) -> SelfsownError:
    """The error that stopped a shard, of the class that it had there."""
    found = getattr(errors, outcome.kind, EnvironmentFailure)
    what = f"shard {outcome.shard}: {outcome.what}"
    error: SelfsownError = found(what, why=outcome.why, fix=outcome.fix)
    return error


def _exhausted(totals: Totals) -> BudgetExhausted:
    left = totals.shards - totals.finished
    return BudgetExhausted(
        f"the budget does not cover the next calls of {left} of {totals.shards} shards",
        why="each shard's cap is its share of the whole, and no finished shard left anything over",
        fix="run the same command with a higher cap; it resumes, and nothing is paid twice",
    )
