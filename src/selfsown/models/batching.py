"""The thread of a local model: calls that are outstanding together are generated together.

Calls arrive from event loops and leave as futures. A call that nobody waits for any more is dropped
before it starts, or leaves at the next token. Nothing is sent twice and nothing times out. When
memory runs out, the calls under way begin again in half as many rows (their seeds give the same
texts) and one warning says so; a single row that does not fit ends with the kind `local`.
"""

from __future__ import annotations

import atexit
import queue
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from selfsown.core.model import AttemptFailed
from selfsown.core.request import Request
from selfsown.models.failures import clean_detail
from selfsown.models.generate import Decoder, Generated, Generation, Prompt, Row
from selfsown.models.stopping import Detokenizer


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model ready to generate, and what turns requests into tokens and tokens into text."""

    decoder: Decoder
    detokenizer: Detokenizer
    end: frozenset[int]
    """Ids that end an answer."""
    encode: Callable[[Request, int], Prompt]
    """(request, seed) -> prompt; raises AttemptFailed for what this model cannot answer."""


@dataclass(slots=True, eq=False)
class Call:
    """A queued request."""

    request: Request
    seed: int
    future: Future[Generated] = field(default_factory=Future)
    is_dropped: bool = False
    """Set by the caller when nobody waits any more."""

    def dropped(self) -> bool:
        """Whether nobody waits any more."""
        return self.is_dropped

    def end(self, outcome: Generated | AttemptFailed) -> None:
        """Hand over the outcome, unless there is one already or nobody waits."""
        if self.future.done():
            return
        if isinstance(outcome, Generated):
            self.future.set_result(outcome)
        else:
            self.future.set_exception(outcome)


class GenerationThread:
    """The worker thread of one local model. It starts, and loads the model, with the first call."""

    def __init__(
        self, load: Callable[[], LoadedModel], *, name: str, linger_s: float = 0.0
    ) -> None:
        """Make a worker.

        Args:
            load: opens the model, in the worker thread; raises AttemptFailed if it cannot.
            name: of the thread.
            linger_s: how long an idle worker whose rows must start together waits for more calls,
                in seconds.
        """
        self._load = load
        self._name = name
        self._linger_s = linger_s
        self._arrivals: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._is_closed = False
        self._lock = threading.Lock()

    def submit(self, request: Request, seed: int) -> Call:
        """Queue a request.

        Raises:
            AttemptFailed: the model was closed.
        """
        call = Call(request, seed)
        call.future.set_running_or_notify_cancel()  # cancelling goes through `is_dropped`
        with self._lock:  # nothing may be queued behind the None of `close`
            if self._is_closed:
                raise _closed()
            self._arrivals.put(call)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                self._thread.start()
                atexit.register(self.close)  # an interpreter that ends under torch may crash
        return call

    def close(self) -> None:
        """Fail what is outstanding, end the thread and free the model.

        Waits for the step under way. May be called twice.
        """
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                self._arrivals.put(None)
        if self._thread is not None:
            self._thread.join()
        atexit.unregister(self.close)

    def _work(self) -> None:
        failure = _closed()
        unfinished: set[Call] = set()
        is_open = True
        try:
            model = self._load()
            import torch

            with torch.inference_mode():
                _Worker(model, self._arrivals, unfinished, self._linger_s).run()
            is_open = False
        except AttemptFailed as error:
            failure = error
        except Exception as error:  # the boundary: whatever broke, every caller must hear of it
            failure = AttemptFailed("local", clean_detail(f"{type(error).__name__}: {error}"))
        for call in unfinished:
            call.end(failure)
        while is_open and (arrived := self._arrivals.get()) is not None:
            arrived.end(failure)


class _Worker:
    """What the thread does: take calls, start rows, step, until the queue says None."""

    def __init__(
        self,
        model: LoadedModel,
        arrivals: queue.SimpleQueue[Call | None],
        unfinished: set[Call],
        linger_s: float,
    ) -> None:
        self._model = model
        self._arrivals = arrivals
        self._unfinished = unfinished
        self._linger_s = linger_s
        self._generation = Generation(model.decoder, model.detokenizer, model.end)
        self._waiting: deque[Row] = deque()
        self._limit = model.decoder.rows

    def run(self) -> None:
        """Work until the queue is closed."""
        generation = self._generation
        while self._receive():
            rows = self._next_rows(generation.free(self._limit))
            try:
                if rows:
                    generation.start(rows)
                elif generation.rows:
                    generation.step()
            except Exception as error:
                if not _is_out_of_memory(error):
                    raise
                self._halve(error)

    def _receive(self) -> bool:
        """Take in what has arrived, and wait if there is nothing to do; False once closed."""
        until = 0.0
        while True:
            try:
                if not self._waiting and not self._generation.rows:
                    arrived = self._arrivals.get()
                    until = time.monotonic() + self._linger_s
                elif self._may_linger() and (left := until - time.monotonic()) > 0:
                    arrived = self._arrivals.get(timeout=left)
                else:
                    arrived = self._arrivals.get_nowait()
            except queue.Empty:
                return True
            if arrived is None:
                return False
            self._admit(arrived)

    def _may_linger(self) -> bool:
        return not self._generation.rows and len(self._waiting) < self._limit

    def _admit(self, call: Call) -> None:
        try:
            prompt = self._model.encode(call.request, call.seed)
        except AttemptFailed as error:
            call.end(error)
            return

        def finish(outcome: Generated | AttemptFailed) -> None:
            self._unfinished.discard(call)
            call.end(outcome)

        self._unfinished.add(call)
        self._waiting.append(Row(prompt, finish, call.dropped))

    def _next_rows(self, free: int) -> list[Row]:
        """Rows to start now: in order of arrival, or the oldest and others of like length."""
        if free and not self._model.decoder.joins and len(self._waiting) > free:
            self._bring_forward(free)
        rows: list[Row] = []
        while len(rows) < free and self._waiting:
            row = self._waiting.popleft()
            if not row.is_dropped():
                rows.append(row)
        return rows

    def _bring_forward(self, count: int) -> None:
        """Put `count` rows of like length at the front of the queue, the oldest among them."""
        waiting = [row for row in self._waiting if not row.is_dropped()]
        by_length = sorted(waiting, key=lambda row: len(row.prompt.ids))
        at = by_length.index(waiting[0]) // count * count if waiting else 0
        together = by_length[at : at + count]
        taken = set(together)
        self._waiting = deque([*together, *(row for row in waiting if row not in taken)])

    def _halve(self, error: Exception) -> None:
        """Memory ran out: begin again with half as many rows."""
        rows = self._generation.clear()
        _free_memory()
        if len(rows) == 1:
            said = clean_detail(f"out of memory with a single call: {error}")
            rows[0].finish(AttemptFailed("local", said))
            return
        self._waiting.extendleft(reversed(rows))
        if self._limit == self._model.decoder.rows:
            warnings.warn(
                f"out of memory with {len(rows)} calls at a time; going on with {len(rows) // 2}, "
                "and halving again where needed",
                RuntimeWarning,
                stacklevel=2,
            )
        self._limit = len(rows) // 2


def _closed() -> AttemptFailed:
    return AttemptFailed("local", "the model was closed")


def _is_out_of_memory(error: Exception) -> bool:
    import torch

    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


def _free_memory() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
