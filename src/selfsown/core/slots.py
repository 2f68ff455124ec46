"""Who makes attempts that may be sent twice or given up: tasks, each one attempt after another.

An attempt that is let in goes to a worker: to the one whose own attempt has just ended, which is
usually what let it in, and which sends it in the same turn of the event loop; otherwise to a new
one. A worker that finds nothing to do ends. So where calls queue, an attempt costs neither a task
nor a wait for its permit, and a caller waits for one future.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection
from contextvars import Context, copy_context

from selfsown.core.attempt import Attempts, Call
from selfsown.core.errors import EnvironmentFailure
from selfsown.core.limiter import Permit
from selfsown.core.model import Answer, AttemptFailed
from selfsown.core.stragglers import Flight, Race


class Slots:
    """The workers of one run."""

    def __init__(self, attempts: Attempts) -> None:
        """Set up; there are no workers yet, and their context will be that of this moment."""
        self._attempts = attempts
        self._context: Context = copy_context()
        self._calls: dict[Race, Call] = {}
        self._ready: deque[_Attempt] = deque()
        self._workers: set[asyncio.Task[None]] = set()
        self.returning = False
        """Whether a worker is about to be free: it accounts for an attempt that has ended."""

    @property
    def races(self) -> Collection[Race]:
        """A live view of what is under way."""
        return self._calls.keys()

    async def race(self, call: Call) -> Answer | AttemptFailed:
        """Make one attempt, to which `again` may add others.

        Raises:
            EnvironmentFailure: the endpoint is down.
            BudgetExhausted: the worst case does not fit under the cap.
        """
        race = call.race = Race(call.latencies)
        self._calls[race] = call
        self._start(call, race)
        try:
            return await race.result
        except asyncio.CancelledError:
            await race.abandon()
            raise

    def again(self, race: Race) -> None:
        """Send a late call once more."""
        self._start(self._calls[race], race)

    async def close(self) -> None:
        """Cancel what is under way."""
        for race in list(self._calls):
            for flight in list(race.flights):
                if not flight.ended:
                    flight.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)

    def _start(self, call: Call, race: Race) -> None:
        attempt = _Attempt(self, call, race)
        race.join(attempt)
        permit = self._attempts.permit_now(call, attempt.tokens)
        if permit is None:
            call.route.limiter.queue(attempt, first=call.sent > 0)
        else:
            attempt.admit(permit)

    def landed(self, attempt: _Attempt, end: Answer | AttemptFailed | BaseException) -> None:
        """Tell an attempt's race how it ended."""
        race = attempt.race
        race.landed(attempt, end)
        if race.pending == 0:
            self._calls.pop(race, None)
            race.flights.clear()  # no cycle is left for the collector

    def let_in(self, attempt: _Attempt) -> None:
        """Give an attempt to the worker that is about to be free, or to a new one."""
        self._ready.append(attempt)
        if self.returning:
            self.returning = False  # it takes one
        else:
            loop = asyncio.get_running_loop()
            worker = loop.create_task(self._work(), context=self._context.copy())
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)

    async def _work(self) -> None:
        """Make attempts until none is ready; one that was cancelled is the last."""
        worker = asyncio.current_task()
        while self._ready and worker is not None and not worker.cancelling():
            attempt = self._ready.popleft()
            if attempt.ended or attempt.permit is None:
                continue
            attempt.task = worker
            end: Answer | AttemptFailed | BaseException
            try:
                end = await self._attempts.send(attempt.call, attempt.permit, attempt)
            except (Exception, asyncio.CancelledError) as error:
                end = error
            except (KeyboardInterrupt, SystemExit) as error:
                self.landed(attempt, error)
                raise
            finally:
                self.returning = False
            self.landed(attempt, end)
            if not isinstance(end, Answer):
                await asyncio.sleep(0)  # whoever hears of it may want no more


class _Attempt(Flight):
    """An attempt as the limiter's queue and the workers see it."""

    __slots__ = ("_slots", "call", "permit", "race", "tokens")

    def __init__(self, slots: Slots, call: Call, race: Race) -> None:
        super().__init__()
        self._slots = slots
        self.call = call
        self.race = race
        self.tokens = call.tokens()
        self.permit: Permit | None = None

    @property
    def gone(self) -> bool:
        return self.ended

    def admit(self, permit: Permit) -> None:
        self.permit = permit
        self._slots.let_in(self)

    def refuse(self, error: EnvironmentFailure) -> None:
        self._slots.landed(self, error)

    def returns(self) -> None:
        # One whose task was cancelled is that worker's last.
        self._slots.returning = self.task is not None and not self.task.cancelling()

    def cancel(self) -> None:
        if self.task is not None:
            self.task.cancel()
            return
        self._slots.landed(self, asyncio.CancelledError())
        if self.permit is not None:
            self.call.route.limiter.leave(self.permit, "unknown", used=0)
