"""A provider's batch API with patience: failures are tried again, uncertainty is looked up.

A batch goes on at the provider whether or not it can be reached, so looking is never given up once
the provider has replied. Creating is the one step that must not be repeated blindly: a reply that
was lost may belong to a batch that is there.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Final, TypeVar, cast

from selfsown.core.batch_book import Batch
from selfsown.core.batch_model import (
    BatchModel,
    BatchResult,
    BatchSearch,
    BatchSettings,
    BatchState,
)
from selfsown.core.clock import Clock
from selfsown.core.errors import EnvironmentFailure
from selfsown.core.judgement import environment_failure
from selfsown.core.model import ENVIRONMENT, RETRYABLE, AttemptFailed, Model
from selfsown.core.retry import never_connected

_FIRST_WAIT_S: Final = 0.5
_RETRY_AFTER_CAP_S: Final = 300.0
_T = TypeVar("_T")


class NotMade(EnvironmentFailure):
    """The provider refused to create a batch: it is certain that there is none."""


class Provider:
    """The batch API behind one model."""

    def __init__(
        self,
        model: Model,
        settings: BatchSettings,
        clock: Clock,
        on_event: Callable[[str], None],
        patience_s: float,
    ) -> None:
        """Set up; `patience_s` is how long a provider never reached may refuse connections."""
        self.model = model
        self.api = cast(BatchModel, model)
        self._settings, self._clock = settings, clock
        self._on_event, self._patience_s = on_event, patience_s
        self._replied = False

    async def upload(self, intent: str, lines: Sequence[bytes]) -> str:
        """Bring the lines of a batch to the provider.

        Raises:
            NotMade: the provider does not take them.
        """
        try:
            return await self._patiently(lambda: self.api.upload_batch(intent, lines))
        except EnvironmentFailure as error:
            raise _not_made(error) from error

    async def create(
        self, batch: Batch, address: str, lines: Sequence[bytes], others: frozenset[str]
    ) -> BatchState:
        """Submit a batch exactly once.

        Raises:
            NotMade: the provider refused it, so that there is none.
            EnvironmentFailure: it cannot be found out whether there is one.
        """
        pauses = _Pauses(self._settings)
        began = self._clock.monotonic()
        while True:
            try:
                state = await self.api.create_batch(batch.intent, address, lines, batch.upload)
                self._replied = True
                return state
            except AttemptFailed as failure:
                if failure.kind not in RETRYABLE and failure.kind not in ENVIRONMENT:
                    return BatchState(remote="", phase="refused", why=failure.detail)
                try:
                    self._judge(failure, began)
                except EnvironmentFailure as error:
                    raise _not_made(error) from error
                if failure.kind == "rate_limit" or never_connected(failure):
                    await self._clock.sleep(pauses.next(failure))
                    continue
            found = await self.find(batch, others)
            if found is not None:
                return found

    async def find(self, batch: Batch, others: frozenset[str]) -> BatchState | None:
        """Look for a batch that may or may not be there; None if it is not.

        It counts as absent only after it was not there for `lookup_s`, since a provider may still
        be at work on what it was sent, and its list may lag.
        """
        search = BatchSearch(batch.intent, len(batch.keys), batch.created, others)
        pauses = _Pauses(self._settings)
        last_doubt = self._clock.monotonic()
        told = False
        while True:
            found = await self._patiently(lambda: self.api.find_batch(search))
            if found.state is not None:
                return found.state
            if found.maybe:
                last_doubt = self._clock.monotonic()
                if not told:
                    told = True
                    self._on_event(
                        f"batch `{found.maybe[0]}` may be one that was being submitted when the run"
                        " was stopped; whose it is shows when it has ended, so it is waited for"
                    )
            elif self._clock.monotonic() - last_doubt >= self._settings.lookup_s:
                return None
            await self._clock.sleep(min(pauses.next(), max(0.1, self._settings.lookup_s / 4)))

    async def state(self, remote: str) -> BatchState:
        """Look at a batch."""
        return await self._patiently(lambda: self.api.batch_state(remote))

    async def cancel(self, remote: str) -> BatchState:
        """Ask to end a batch with what is done by now, unless it has ended; how it stands then."""
        state = await self.state(remote)
        if state.phase != "running":
            return state
        await self._patiently(lambda: self.api.cancel_batch(remote))
        return await self.state(remote)

    async def require_results(self, remote: str) -> None:
        """Check that the results of a batch can still be read.

        Raises:
            EnvironmentFailure: the provider does not have them any more.
        """
        async with aclosing(self.results(remote)) as results:
            async for _ in results:
                return

    async def results(self, remote: str) -> AsyncGenerator[BatchResult, None]:
        """The results of an ended batch; from the start again after a break, so some come twice."""
        pauses, began = _Pauses(self._settings), self._clock.monotonic()
        while True:
            try:
                async with aclosing(self.api.batch_results(remote)) as results:
                    async for result in results:
                        yield result
                return
            except AttemptFailed as failure:
                self._judge(failure, began)
                await self._clock.sleep(pauses.next(failure))

    async def _patiently(self, step: Callable[[], Awaitable[_T]]) -> _T:
        """Repeat what may be repeated until it works.

        Raises:
            EnvironmentFailure: it never will, or the provider was never reached.
        """
        pauses, began = _Pauses(self._settings), self._clock.monotonic()
        told = False
        while True:
            try:
                value = await step()
            except AttemptFailed as failure:
                self._judge(failure, began)
                if not told:
                    told = True
                    self._on_event(
                        f"`{self.model.endpoint}` does not reply as it should ({failure.detail});"
                        " batches go on there, and it is asked again and again"
                    )
                await self._clock.sleep(pauses.next(failure))
            else:
                self._replied = True
                return value

    def _judge(self, failure: AttemptFailed, began: float) -> None:
        """Return if it makes sense to try again.

        Raises:
            EnvironmentFailure: it does not.
        """
        if failure.kind == "not_found":
            raise EnvironmentFailure(
                f"`{self.model.uri}`: the batch or the batch API is not there: {failure.detail}",
                why="batches belong to the account and project that made them, and not every "
                "endpoint has them",
                fix="use the same API key as before; where there is no batch API, leave `--batch` "
                "out; what is lost for good, `selfsown cancel DIR --forget` gives up",
            )
        if failure.kind in ENVIRONMENT:
            raise environment_failure(self.model, failure)
        if failure.kind not in RETRYABLE:
            raise EnvironmentFailure(
                f"`{self.model.uri}` refuses a batch request: {failure.detail}",
                why="it would be refused again",
                fix="mend what it says, or leave `--batch` out; the same command resumes",
            )
        if never_connected(failure):
            waited = self._clock.monotonic() - began
            if not self._replied and waited >= self._patience_s:
                raise EnvironmentFailure(
                    f"`{self.model.endpoint}` cannot be reached: {failure.detail}",
                    why="every connection to it is refused",
                    fix="correct its address or the network, then run the same command again; "
                    "it resumes here, and batches go on meanwhile",
                )
        else:
            self._replied = True


class _Pauses:
    """Waits that double."""

    def __init__(self, settings: BatchSettings) -> None:
        self._next, self._most = min(_FIRST_WAIT_S, settings.poll_s), settings.poll_most_s

    def next(self, failure: AttemptFailed | None = None) -> float:
        """Seconds to wait now; at least what the provider asked for."""
        wait, self._next = self._next, min(2 * self._next, self._most)
        asked = 0.0 if failure is None else failure.retry_after_s or 0.0
        return max(wait, min(asked, _RETRY_AFTER_CAP_S))


def _not_made(error: EnvironmentFailure) -> NotMade:
    return NotMade(error.what, why=error.why, fix=error.fix)
