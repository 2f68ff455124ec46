"""A flow: items drawn on demand, worked on concurrently, handed over in a recorded order.

The rule that makes a run replayable: state shared between items is read and written only in the
consumer's body (`async for`), which is also what feeds `draw`; `work` sees its item alone. Draws
happen only when the consumer asks for more. Then the order of hand-overs fixes everything, and that
order is in the journal before each hand-over.

`order="arrival"`: results are handed over as they finish. `order="strict"`: in the order of draws,
so that timing and concurrency cannot matter. On replay and resume, the recorded order comes first.
After `--update` the order of the previous epoch is followed as far as its draws exist.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Generic, Literal, NamedTuple, Protocol, TypeVar

from selfsown.core.errors import CallFailed, ConservationError, SelfsownError, Suspended
from selfsown.core.journal import StoredDelivery

Order = Literal["arrival", "strict"]
Item = TypeVar("Item")
Result = TypeVar("Result")


class Parked(BaseException):
    """Raised inside `work` when replaying or planning and the journal has no answer.

    The item is never handed over. Not an `Exception`, so that recipes do not swallow it.
    """


class JournalEnds(Suspended):
    """Replaying or planning, the journal has no answer for anything that is left."""


@dataclass(slots=True)
class DrawContext:
    """What one item's work has asked for so far."""

    flow: str
    draw: int
    stored: StoredDelivery | None
    """How this draw was recorded in this epoch, if it was."""
    keys: list[bytes] = field(default_factory=list)

    def expects(self, key: bytes) -> bool:
        """Whether the record of this draw, if there is one, holds this key."""
        return self.stored is None or key[:8] in self.asked

    @property
    def asked(self) -> frozenset[bytes]:
        """Key prefixes in the record."""
        asks = self.stored.asks if self.stored is not None else b""
        return frozenset(asks[i : i + 8] for i in range(0, len(asks), 8))


CURRENT_DRAW: ContextVar[DrawContext | None] = ContextVar("current_draw", default=None)


@dataclass(frozen=True, slots=True)
class Delivery(Generic[Item, Result]):
    """One finished item, as the consumer gets it."""

    ordinal: int
    """0-based position in the flow's order of hand-overs."""
    draw: int
    """0-based number of the draw; the row index in `map`."""
    item: Item
    error: CallFailed | None
    """Why the work failed, or None."""
    keys: tuple[str, ...]
    """Hex journal keys of its calls and effects, sorted."""
    value: Result | None = None

    @property
    def result(self) -> Result:
        """What `work` returned.

        Raises:
            CallFailed: the work failed; the error is the same as in `error`.
        """
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value]


class FlowHost(Protocol):
    """What a flow needs from its run."""

    @property
    def closing(self) -> bool:
        """Whether nothing more may be drawn."""

    def recorded(self, flow: str) -> Iterator[StoredDelivery]:
        """Hand-overs of this flow in the current epoch, by ordinal."""

    def recorded_draw(self, flow: str, draw: int) -> StoredDelivery | None:
        """The hand-over of one draw in the current epoch."""

    def earlier(self, flow: str) -> Iterator[int]:
        """Draws in the order of their hand-overs in epochs before, which is to be preferred."""

    def commit_delivery(self, flow: str, delivery: StoredDelivery) -> asyncio.Future[None]:
        """Record a hand-over; done when it is on disk."""

    def mismatch(
        self,
        flow: str,
        stored: StoredDelivery,
        asked: frozenset[bytes],
        error: CallFailed | None = None,
    ) -> Exception:
        """The error for a replayed draw that asked for something else than recorded."""

    def unexpected(self, error: Exception) -> CallFailed:
        """A failure of the recipe's own code as data, reported once."""


class Flow(Generic[Item, Result]):
    """The machinery behind `Run.flow` and `Run.map`; an asynchronous iterator of deliveries."""

    def __init__(
        self,
        host: FlowHost,
        name: str,
        draw: Callable[[int], Item | None],
        work: Callable[[Item], Awaitable[Result]],
        ahead: Callable[[], int],
        *,
        order: Order,
        record: bool,
    ) -> None:
        self.name = name
        self._host = host
        self._draw, self._work, self._ahead = draw, work, ahead
        self._strict, self._record = order == "strict", record
        self._recorded = host.recorded(name) if record else iter(())
        self._next_recorded = next(self._recorded, None)
        self._replaying = self._next_recorded is not None
        """Whether the consumer has not yet got all that is recorded."""
        self._earlier = deque(host.earlier(name)) if record else deque[int]()
        self._known = frozenset(self._earlier)
        """Draws that were handed over in an epoch before; cleared when its order is used up."""
        self._items: dict[int, Item] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._done: dict[int, _Finished[Result]] = {}
        """Finished and without a place in the order yet; in order of arrival."""
        self._held: list[tuple[int, Item]] = []
        """Draws without a hand-over in the record or in an epoch before: begun when those are over,
        so that a finished run asks nothing when started again, and a retry only what failed."""
        self._parked: set[int] = set()
        self._ready: deque[Delivery[Item, Result]] = deque()
        self._committing = 0
        self._drawn = self._ordinal = self._handed = self._next_strict = 0
        self._stopped: BaseException | None = None
        self._wake = asyncio.Event()

    @property
    def outstanding(self) -> int:
        """Items drawn and not handed over; parked ones of independent rows hold no place."""
        return self._drawn - self._handed - (0 if self._record else len(self._parked))

    @property
    def unused(self) -> int:
        """Items drawn whose results the consumer never took."""
        return self._drawn - self._handed

    def __aiter__(self) -> AsyncIterator[Delivery[Item, Result]]:
        return self

    async def __anext__(self) -> Delivery[Item, Result]:
        while True:
            if self._stopped is not None:
                raise self._stopped
            self._fill()
            if self._ready:
                self._handed += 1
                return self._ready.popleft()
            if self._next_recorded is None:
                self._replaying = False
                self._start_held()
            if not self._committing and not self._unblock() and not self._tasks:
                if self._parked or not self._held:
                    self._end()
                self._known = frozenset()  # nothing that was handed over before is left
                self._start_held()
            if not self._ready:
                self._wake.clear()
                await self._wake.wait()

    async def settle(self) -> None:
        """Wait for the calls in flight, which are paid, to be journaled; start no more."""
        tasks = list(self._tasks.values())
        if tasks:
            await asyncio.gather(*tasks, return_exceptions=True)

    def stop(self, error: BaseException) -> None:
        """Make the consumer's next step raise this error."""
        self._stopped = self._stopped or error
        self._wake.set()

    def look_again(self) -> None:
        """Independent rows: draw more if there is room by now."""
        if not self._record:
            self._wake.set()

    def cancel(self) -> None:
        """Abandon what is outstanding."""
        for task in list(self._tasks.values()):
            task.cancel()

    def _fill(self) -> None:
        """Draw as many items as the window allows. Only ever called for the consumer."""
        while not self._host.closing and self.outstanding < self._ahead():
            item = self._draw(self._drawn)
            if item is None:
                return
            draw = self._drawn
            self._drawn += 1
            self._items[draw] = item
            stored = self._host.recorded_draw(self.name, draw) if self._replaying else None
            if stored is None and not self._may_begin(draw):
                self._held.append((draw, item))
            else:
                self._tasks[draw] = asyncio.create_task(self._run(draw, item, stored))

    def _may_begin(self, draw: int) -> bool:
        """Whether a draw that is not recorded may be worked on by now."""
        return not self._replaying and (not self._known or draw in self._known)

    def _start_held(self) -> None:
        self._forget_earlier()
        if not self._earlier and not self._committing:  # the last one may be what ends the run
            self._known = frozenset()
        held, self._held = self._held, []
        for draw, item in held:
            if self._may_begin(draw):
                self._tasks[draw] = asyncio.create_task(self._run(draw, item, None))
            else:
                self._held.append((draw, item))

    async def _run(self, draw: int, item: Item, stored: StoredDelivery | None) -> None:
        context = DrawContext(self.name, draw, stored)
        CURRENT_DRAW.set(context)
        try:
            value = await self._work(item)
            self._done[draw] = _Finished(context, value, None)
        except CallFailed as error:
            self._done[draw] = _Finished(context, None, error)
        except Parked:
            self._parked.add(draw)
            del self._items[draw]
        except SelfsownError as error:  # of the run, not of this item
            self.stop(error)
        except Exception as error:
            self._done[draw] = _Finished(context, None, self._host.unexpected(error))
        except asyncio.CancelledError:
            if not self._host.closing:
                self.stop(_lost(self.name, draw))
            raise
        except BaseException as error:
            self.stop(error)
        finally:
            del self._tasks[draw]
            self._wake.set()
        self._advance()

    def _required(self) -> int | None:
        """The draw that must be handed over next; None if any may."""
        if self._next_recorded is not None:
            return self._next_recorded.draw
        if self._strict:
            while not self._record and self._next_strict in self._parked:
                self._next_strict += 1
            return self._next_strict
        self._forget_earlier()
        return self._earlier[0] if self._earlier else None

    def _forget_earlier(self) -> None:
        """Drop from the order of the epochs before what has been handed over in this one."""
        while self._earlier and self._is_over(self._earlier[0]):
            self._earlier.popleft()

    def _is_over(self, draw: int) -> bool:
        return (
            draw < self._drawn
            and draw not in self._tasks
            and draw not in self._done
            and draw not in self._parked  # what it would lead to is not known
            and not any(draw == held for held, _ in self._held)
        )

    def _advance(self) -> None:
        """Give finished items their place in the order."""
        try:
            while self._done:
                draw = self._required()
                if draw is None:
                    draw = next(iter(self._done))
                if draw not in self._done:
                    return
                self._place(draw, self._done.pop(draw))
        except Exception as error:  # a mismatch, or the journal cannot be written
            self.stop(error)

    def _place(self, draw: int, finished: _Finished[Result]) -> None:
        keys = finished.context.keys
        delivery: Delivery[Item, Result] = Delivery(
            self._ordinal,
            draw,
            self._items.pop(draw),
            finished.error,
            tuple(sorted(key.hex() for key in keys)),
            finished.value,
        )
        self._ordinal += 1
        self._next_strict = draw + 1
        if not self._record:
            self._ready.append(delivery)
        elif self._next_recorded is not None:
            stored, self._next_recorded = self._next_recorded, next(self._recorded, None)
            if stored.asks != pack_asks(keys) or stored.ok != (finished.error is None):
                asked = frozenset(key[:8] for key in keys)
                raise self._host.mismatch(self.name, stored, asked, finished.error)
            self._ready.append(delivery)
        else:
            row = StoredDelivery(delivery.ordinal, draw, finished.error is None, pack_asks(keys))
            self._committing += 1
            future = self._host.commit_delivery(self.name, row)
            future.add_done_callback(lambda done: self._committed(done, delivery))

    def _committed(self, done: asyncio.Future[None], delivery: Delivery[Item, Result]) -> None:
        self._committing -= 1
        error = None if done.cancelled() else done.exception()
        if error is not None:
            self.stop(error)
        elif not done.cancelled():
            self._ready.append(delivery)
        self._wake.set()

    def _unblock(self) -> bool:
        """Drop required draws of earlier epochs that will never come; whether that helped."""
        while True:
            draw = self._required()
            if draw is None or draw in self._tasks or draw in self._done or draw in self._parked:
                return False
            if self._next_recorded is not None:
                if not self._tasks:
                    raise self._host.mismatch(self.name, self._next_recorded, frozenset())
                return False
            if self._strict or not self._earlier:
                return False
            self._earlier.popleft()
            self._advance()
            if self._ready or self._committing:
                return True

    def _end(self) -> None:
        """Nothing runs and nothing is ready: the flow is over, or the journal is."""
        if self._parked or self._done:
            draw = min(self._parked or self._done)
            raise JournalEnds(
                f"the journal has no answer for draw {draw} of `{self.name}`",
                why="without a model, only what is journaled can be rebuilt",
                fix="run the command that made the directory again: it resumes",
            )
        raise StopAsyncIteration


class _Finished(NamedTuple, Generic[Result]):
    context: DrawContext
    value: Result | None
    error: CallFailed | None


def _lost(flow: str, draw: int) -> ConservationError:
    return ConservationError(
        f"the work on draw {draw} of `{flow}` was cancelled",
        why="an item that is neither handed over nor failed would be missing in silence",
        fix="this is a defect of the recipe: no races and no time-outs inside `work`",
    )


def pack_asks(keys: Iterable[bytes]) -> bytes:
    """The fingerprint of a draw: the first 8 bytes of each distinct key, sorted, concatenated."""
    return b"".join(sorted({key[:8] for key in keys}))
