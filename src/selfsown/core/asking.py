"""How an outcome is come by: from the journal, from an equal ask in flight, or made and committed.

Nothing is handed to a recipe before it is on disk, and nothing that is on disk is made again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, NamedTuple, TypeAlias

from selfsown.core.clock import Clock
from selfsown.core.codec import encode_completion, encode_error
from selfsown.core.cost import NANO
from selfsown.core.errors import CallFailed, EnvironmentFailure, Suspended
from selfsown.core.flow import CURRENT_DRAW, Parked
from selfsown.core.journal import Journal, Row
from selfsown.core.mismatch import mismatch
from selfsown.core.outcome import AttemptRecord, Outcome
from selfsown.core.progress import Progress, RunSettings
from selfsown.core.request import Usage

_FAILURE_FLOOR: Final = 50
"""Final failures before the failure rate is looked at."""

Made: TypeAlias = tuple[str, bool, list[Row]]
"""An outcome as JSON, whether it is good, and rows that are committed with it."""


@dataclass(frozen=True, slots=True)
class Missing:
    """A call that the journal does not have (replay and plan)."""

    role: str
    model: str
    flow: str
    draw: int
    prompt_bytes: int
    max_tokens: int
    key: bytes


class Question(NamedTuple):
    """What one ask or effect wants to know."""

    key: bytes
    kind: str
    """`call` or `effect`."""
    label: str
    """Identity of the model; name and version of an effect."""
    form: bytes
    """Canonical JSON of the request or the inputs."""
    role: str
    """Of the model; the name of an effect."""
    prompt_bytes: int = 0
    max_tokens: int = 0

    def missing(self) -> Missing:
        """The same as something that the journal does not have."""
        context = CURRENT_DRAW.get()
        flow, draw = (context.flow, context.draw) if context else ("", 0)
        model = self.label if self.kind == "call" else ""
        return Missing(self.role, model, flow, draw, self.prompt_bytes, self.max_tokens, self.key)


class Asking:
    """The outcomes of one run."""

    def __init__(
        self,
        journal: Journal,
        settings: RunSettings,
        progress: Progress,
        reuse: Sequence[tuple[str, Journal]],
        clock: Clock,
    ) -> None:
        """Set up.

        Args:
            journal: where outcomes come from and go to.
            settings: the run's.
            progress: counts to keep.
            reuse: (directory, journal) of other runs whose good outcomes may be copied.
            clock: for stamps.
        """
        self.missing: list[Missing] = []
        """Replay and plan: what was asked for and is not in the journal."""
        self.forget_failures = False
        """Plan only: treat journaled failures as not asked yet, as `--retry-failed` would."""
        self.is_closed = False
        """Whether no more calls are started."""
        self.stop_error: BaseException | None = None
        """Why the run is being suspended, if it is."""
        self._journal, self._settings, self._progress = journal, settings, progress
        self._reuse, self._clock = reuse, clock
        self._inflight: dict[bytes, asyncio.Future[str]] = {}
        self._jitter = None if settings.shuffle is None else Random(settings.shuffle)

    async def outcome(self, question: Question, produce: Callable[[], Awaitable[Made]]) -> str:
        """The JSON of an outcome.

        Args:
            question: what is asked.
            produce: makes the outcome where there is none yet.

        Raises:
            Parked: replay and plan: the journal does not have it.
            ReplayMismatch: the draw did not ask for this when it was recorded.
            CancelledError: the run is being stopped.
        """
        key = question.key
        self._note(question)
        while True:
            stored = self._journal.lookup(key)
            if stored is not None and not (self.forget_failures and not stored.ok):
                self._progress.from_journal += 1
                await self._delay()
                return stored.outcome
            flight = self._inflight.get(key)
            if flight is not None:
                with contextlib.suppress(_Abandoned):
                    text = await _shared(flight)
                    self._progress.shared += 1
                    return text
            elif self._settings.mode == "plan" and (copied := self._copied(key)[0]):
                return copied
            elif self._settings.mode != "live":
                self.missing.append(question.missing())
                raise Parked
            else:
                break
        if self.is_closed:
            if self.stop_error is not None and CURRENT_DRAW.get() is None:
                raise self.stop_error  # asked by the recipe's own body, which no flow stops
            raise asyncio.CancelledError
        flight = self._inflight[key] = asyncio.get_running_loop().create_future()
        try:
            text = await self._make(question, produce)
        except BaseException as error:
            _fail(flight, error)
            raise
        else:
            flight.set_result(text)
            return text
        finally:
            del self._inflight[key]

    @property
    def in_flight(self) -> int:
        """Outcomes that are being made."""
        return len(self._inflight)

    def account(self, key: bytes, outcome: Outcome) -> Made:
        """A call's outcome as JSON, with the rows of its attempts; counts tokens."""
        progress = self._progress
        progress.calls += 1
        rows = [self._attempt_row(key, attempt) for attempt in outcome.attempts]
        for attempt in outcome.attempts:
            if attempt.usage is not None:
                progress.input_tokens += attempt.usage.input_tokens
                progress.output_tokens += attempt.usage.output_tokens
                progress.cached_input_tokens += attempt.usage.cached_input_tokens
        if outcome.completion is not None:
            return encode_completion(outcome.completion), True, rows
        error = CallFailed(outcome.error_kind or "unknown", outcome.error or "")
        return encode_error(error), False, rows

    def post_attempt(self, key: bytes, attempt: AttemptRecord) -> None:
        """Journal an attempt that ended after its call had an outcome: it adds cost only."""
        self._journal.post([self._attempt_row(key, attempt)])

    def _note(self, question: Question) -> None:
        """Add the key to what its draw asks for, which must be what it asked for before."""
        context = CURRENT_DRAW.get()
        if context is None:
            return
        key = question.key
        if not context.expects(key) and context.stored is not None:
            asked = frozenset({*(k[:8] for k in context.keys), key[:8]})
            raise mismatch(self._journal, context.flow, context.stored, asked, question.form)
        context.keys.append(key)

    async def _make(self, question: Question, produce: Callable[[], Awaitable[Made]]) -> str:
        key = question.key
        copied, source = self._copied(key)
        text, ok, rows = (copied, True, []) if copied else await produce()
        values = (
            *(key, question.kind, question.label, question.form.decode()),
            *(text, int(ok), source, self._clock.stamp()),
        )
        await self._journal.append([Row("outcomes", values), *rows])
        if not ok:
            self._progress.failures += 1
            self._check_failure_rate()
        return text

    def _copied(self, key: bytes) -> tuple[str, str]:
        """A good outcome of another run and that run's directory; empty if none has one."""
        for name, journal in self._reuse:
            stored = journal.lookup(key)
            if stored is not None and stored.ok:
                self._progress.reused += 1
                return stored.outcome, name
        return "", ""

    def _attempt_row(self, key: bytes, attempt: AttemptRecord) -> Row:
        usage = attempt.usage or Usage()
        values = (
            key,
            self._settings.session if attempt.session is None else attempt.session,
            *(attempt.number, attempt.kind, attempt.status),
            *(round(attempt.duration_s, 6), usage.input_tokens, usage.output_tokens),
            *(usage.cached_input_tokens, usage.reasoning_tokens),
            *(
                round((attempt.cost_usd or 0.0) * NANO),
                attempt.charged_tokens,
                attempt.detail,
                attempt.started,
            ),
        )
        return Row("attempts", values)

    def _check_failure_rate(self) -> None:
        done, failures = self._progress.calls, self._progress.failures
        most = self._settings.max_failure_rate
        if failures >= _FAILURE_FLOOR and failures / max(1, done) > most:
            raise EnvironmentFailure(
                f"{failures} of {done} calls failed for good",
                why=f"`max_failure_rate` is {most:g}",
                fix="look at failed.jsonl, mend the cause, then resume with `--retry-failed`",
            )

    async def _delay(self) -> None:
        if self._jitter is not None:
            for _ in range(self._jitter.randrange(4)):
                await asyncio.sleep(0)


class _Abandoned(Exception):
    """The ask that was shared was cancelled; its waiters are not."""


async def _shared(flight: asyncio.Future[str]) -> str:
    """The outcome of an equal ask in flight."""
    try:
        return await asyncio.shield(flight)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if flight.cancelled() and task is not None and not task.cancelling():
            raise _Abandoned from None
        raise


def _fail(flight: asyncio.Future[str], error: BaseException) -> None:
    """Give the waiters of a shared call the same end."""
    if isinstance(error, (Suspended, CallFailed)):
        flight.set_exception(error)
        flight.exception()  # retrieved, in case nobody waits
    else:
        flight.cancel()
