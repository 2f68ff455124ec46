"""The durable run: the verbs a recipe speaks, each journaled before the recipe sees its result.

To resume, the same recipe starts from the top with the same journal: what is in it returns at
once. `live` runs ask models; `replay` and `plan` never do, and what the journal does not have is
`Parked` (never handed over).
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import traceback
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final, Literal, TypeVar

from selfsown.core.caller import Caller
from selfsown.core.clock import Clock, SystemClock
from selfsown.core.codec import (
    decode_completion,
    decode_value,
    encode_completion,
    encode_error,
    encode_value,
)
from selfsown.core.cost import NANO
from selfsown.core.errors import (
    CallFailed,
    ConfigError,
    EnvironmentFailure,
    ReplayMismatch,
    Suspended,
)
from selfsown.core.flow import CURRENT_DRAW, Flow, Order, Parked
from selfsown.core.journal import Journal, Row, StoredDelivery
from selfsown.core.model import Capabilities, Model
from selfsown.core.outcome import AttemptRecord, Outcome
from selfsown.core.randomness import rng_for
from selfsown.core.request import (
    JSON,
    Completion,
    Request,
    Usage,
    call_key,
    canonical_json,
    effect_key,
    request_form,
)
from selfsown.core.stages import Origin, Sink, Stage

Mode = Literal["live", "replay", "plan"]
Item = TypeVar("Item")
Result = TypeVar("Result")

_FAILURE_FLOOR: Final = 50
"""Final failures before the failure rate is looked at."""


@dataclass(slots=True)
class Progress:
    """Counts of this process, readable at any moment by the live view."""

    calls: int = 0
    """Model calls that ended in an outcome now."""
    from_journal: int = 0
    """Outcomes that the journal already had."""
    shared: int = 0
    """Asks answered by an equal request of this process."""
    reused: int = 0
    """Outcomes copied from another run's journal."""
    failures: int = 0
    """Calls that ended in a final failure now."""
    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    deliveries: int = 0
    """Items handed to the recipe."""
    unused: int = 0
    """Items drawn whose results the recipe never took."""
    warnings: list[str] = field(default_factory=list)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """What a run needs to know beside its models and journal."""

    seed: int = 0
    order: Order = "arrival"
    target: int | None = None
    mode: Mode = "live"
    epoch: int = 0
    earlier_epoch: int = -1
    """The epoch whose order of deliveries is preferred beyond the current one's."""
    session: int = 0
    max_failure_rate: float = 0.5
    """Suspend when more than this share of the calls made now fails for good, in [0, 1]."""
    shuffle: int | None = None
    """Replay only: delay answers at random, with this seed."""
    map_ahead: int = 64
    """Independent rows under way at once; they cannot influence each other."""


class Run:
    """One run of one recipe. Recipes get it as their first argument."""

    def __init__(
        self,
        directory: Path,
        journal: Journal,
        models: Mapping[str, Model],
        caller: Caller | None,
        settings: RunSettings,
        origin: Origin,
        *,
        seeds: Sequence[object] = (),
        rows: Callable[[], Iterable[Mapping[str, JSON]]] = tuple,
        reuse: Sequence[tuple[str, Journal]] = (),
        clock: Clock | None = None,
    ) -> None:
        self.directory = directory
        self.settings = settings
        self.seed = settings.seed
        self.target = settings.target
        self.seeds = seeds
        """The seed tasks (`selfsown.recipes.seeds.SeedTask`) of recipes that start from seeds."""
        self.progress = Progress()
        self.stages: list[Stage] = []
        self.notes: dict[str, JSON] = {}
        self.missing: list[Missing] = []
        self.stop_reason = ""
        self.closing = False
        self.forget_failures = False
        """Plan only: treat journaled failures as not asked yet, as `--retry-failed` would."""
        self.sink = Sink(directory / f".derived-{settings.mode}.sqlite", origin)
        self._rows = rows
        self._journal, self._models = journal, models
        self.caller = caller
        self._reuse = reuse
        self._clock = clock or SystemClock()
        self._flows: list[Flow[object, object]] = []
        self._inflight: dict[bytes, asyncio.Future[str]] = {}
        self._stop_error: BaseException | None = None
        self._jitter = None if settings.shuffle is None else Random(settings.shuffle)
        self._recipe_errors: set[str] = set()

    # --- the verbs ---------------------------------------------------------------------------

    async def ask(self, role: str, request: Request, sample: int = 0) -> Completion:
        """One journaled model call.

        Equal request and equal `sample` are one call, also while it is in flight.

        Args:
            role: which of the run's models answers, for example `generator`.
            request: what to ask.
            sample: number of the draw among equal requests; raise it to get a new answer.

        Raises:
            CallFailed: the call's outcome is a final failure; it is journaled and replays.
            Suspended: the environment, the budget or the user stopped the run. Let it pass.
        """
        model = self._model(role)
        form = canonical_json(request_form(request))
        key = call_key(model.identity, form, sample)

        async def produce() -> tuple[str, bool, list[Row]]:
            assert self.caller is not None
            outcome = await self.caller.call(model, request, key)
            return self._account(key, outcome)

        def missing() -> Missing:
            flow, draw = self._where()
            size = request.prompt_bytes()
            return Missing(role, model.identity, flow, draw, size, request.max_tokens, key)

        text = await self._outcome(key, "call", model.identity, form, produce, missing)
        return decode_completion(text)

    async def effect(
        self,
        name: str,
        version: str,
        inputs: JSON,
        fn: Callable[[], JSON | Awaitable[JSON]],
        *,
        free: bool = False,
    ) -> JSON:
        """Anything else that is not pure or is dear to recompute, journaled like a call.

        Args:
            name: what it is, for example `sandbox`.
            version: changes when `fn` would give another value for the same inputs.
            inputs: everything the value depends on.
            fn: computes the value; may raise CallFailed for a final failure.
            free: it costs nothing and touches nothing, so that a plan may compute it too.

        Returns:
            The value, as read back from JSON.
        """
        key = effect_key(name, version, inputs)

        async def produce() -> tuple[str, bool, list[Row]]:
            try:
                value = fn()
                if inspect.isawaitable(value):
                    value = await value
                return encode_value(value), True, []
            except CallFailed as error:
                return encode_error(error), False, []

        def missing() -> Missing:
            flow, draw = self._where()
            return Missing(name, "", flow, draw, 0, 0, key)

        label, form = f"{name} {version}", canonical_json(inputs)
        if free and self.settings.mode == "plan" and self._journal.lookup(key) is None:
            return decode_value((await produce())[0])
        return decode_value(await self._outcome(key, "effect", label, form, produce, missing))

    def flow(
        self,
        name: str,
        draw: Callable[[int], Item | None],
        work: Callable[[Item], Awaitable[Result]],
        ahead: Callable[[], int],
    ) -> Flow[Item, Result]:
        """Items that feed on each other's results: consume it with `async for`.

        Args:
            name: unique within the recipe.
            draw: makes the item of the given draw number; called only when the consumer asks for
                more. None means: nothing to draw now. The flow is over when `draw` says None and
                nothing is outstanding, or when the consumer leaves the loop.
            work: any number of asks; sees its item alone.
            ahead: how many items may be outstanding; evaluated at each hand-over.
        """
        flow = Flow(self, name, draw, work, ahead, order=self.settings.order, record=True)
        self._flows.append(flow)  # type: ignore[arg-type]
        return flow

    def map(
        self,
        rows: Iterable[Item],
        work: Callable[[Item], Awaitable[Result]],
        *,
        in_order: bool = False,
    ) -> Flow[Item, Result]:
        """A flow over independent rows; a delivery's `draw` is the row's index.

        Rows leave when they are done. With `in_order` they are handed over in index order, which
        filters with memory (novelty, near-duplicates) need.
        """
        source = iter(rows)
        order: Order = "strict" if in_order else "arrival"
        flow = Flow(
            self,
            f"map-{len(self._flows)}",
            lambda _: next(source, None),
            work,
            lambda: self.settings.map_ahead,
            order=order,
            record=False,
        )
        self._flows.append(flow)  # type: ignore[arg-type]
        return flow

    def stage(self, name: str, *, unit: str, output: bool = False) -> Stage:
        """A step of the funnel, whose candidates are counted; see `Stage.enter`."""
        stage = Stage(name, unit, output, len(self.stages), self.sink)
        self.stages.append(stage)
        return stage

    def rng(self, stage: str, draw: int = 0) -> Random:
        """The generator for one draw of one stage; the only randomness a recipe may use."""
        return rng_for(self.seed, stage, draw)

    def note(self, name: str, value: JSON) -> None:
        """Leave a fact that follows from config and journal for the manifest and the report."""
        self.notes[name] = value

    def stop(self, reason: str) -> None:
        """Say why the recipe ends, for example `target` or `saturated`; then leave the loop."""
        self.stop_reason = reason

    def rows(self) -> Iterable[Mapping[str, JSON]]:
        """The input rows of recipes that work row by row; may be iterated more than once."""
        return self._rows()

    def capabilities(self, role: str) -> Capabilities:
        """What the model of a role can do."""
        return self._model(role).capabilities

    def has_role(self, role: str) -> bool:
        """Whether the config names a model for this role."""
        return role in self._models

    def is_chat(self, role: str) -> bool:
        """Whether to ask this role with messages rather than with a bare prompt."""
        return self.capabilities(role).chat

    # --- starting, stopping ------------------------------------------------------------------

    def suspend(self, error: BaseException) -> None:
        """Start no more calls; the consumer's next step raises this error."""
        self.closing = True
        self._stop_error = self._stop_error or error
        for flow in self._flows:
            flow.stop(error)

    async def settle(self, grace_s: float | None) -> None:
        """End all work: calls in flight are journaled, none is started.

        Args:
            grace_s: cancel what is still in flight after so many seconds; None waits.
        """
        self.closing = True
        tasks = [asyncio.ensure_future(flow.settle()) for flow in self._flows]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=grace_s)
            if late:
                for flow in self._flows:
                    flow.cancel()
                await asyncio.wait(tasks)
        self.progress.unused = sum(flow.unused for flow in self._flows)

    def close(self) -> None:
        """Remove the scratch file."""
        self.sink.close()

    # --- what flows need ---------------------------------------------------------------------

    def recorded(self, flow: str) -> Iterator[StoredDelivery]:
        """Hand-overs of this flow in the current epoch."""
        return self._journal.deliveries(self.settings.epoch, flow)

    def recorded_draw(self, flow: str, draw: int) -> StoredDelivery | None:
        """The hand-over of one draw in the current epoch."""
        return next(self._journal.deliveries(self.settings.epoch, flow, draw=draw), None)

    def earlier(self, flow: str) -> Iterator[StoredDelivery]:
        """Hand-overs of this flow in an epoch before, as an order to prefer."""
        return self._journal.deliveries(self.settings.earlier_epoch, flow)

    def commit_delivery(self, flow: str, delivery: StoredDelivery) -> asyncio.Future[None]:
        """Record a hand-over; done when it is on disk."""
        if self.settings.mode != "live":
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            done.set_result(None)
            return done
        values = (
            self.settings.epoch,
            flow,
            delivery.ordinal,
            delivery.draw,
            int(delivery.ok),
            delivery.asks,
        )
        return self._journal.append([Row("deliveries", values)])

    def mismatch(self, flow: str, stored: StoredDelivery, asked: frozenset[bytes]) -> Exception:
        """The error for a replayed draw that asked for something else than recorded."""
        old = frozenset(stored.asks[i : i + 8] for i in range(0, len(stored.asks), 8))
        lost = [self._describe(prefix) for prefix in sorted(old - asked)]
        new = [prefix.hex() for prefix in sorted(asked - old)]
        return ReplayMismatch(
            f"draw {stored.draw} of `{flow}` differs from the journal: recorded "
            + (f"request {'; '.join(lost)}" if lost else "other requests")
            + (f", now asks for key {', '.join(new)}" if new else ", now does not ask for it"),
            why="recipe and config are unchanged, so the same draw must ask for the same",
            fix="undo the change of the recipe's code, or run with `--update` to open a new epoch",
        )

    def unexpected(self, error: Exception) -> CallFailed:
        """A failure of the recipe's own code as data; its traceback is kept once per kind."""
        what = f"`{type(error).__name__}`: {error}"
        if type(error).__name__ not in self._recipe_errors:
            self._recipe_errors.add(type(error).__name__)
            trace = "".join(traceback.format_exception(error)[-3:])
            self.progress.warnings.append(f"the recipe raised {what}\n{trace}")
        return CallFailed("recipe_error", what)

    # --- outcomes ----------------------------------------------------------------------------

    async def _outcome(
        self,
        key: bytes,
        kind: str,
        label: str,
        form: bytes,
        produce: Callable[[], Awaitable[tuple[str, bool, list[Row]]]],
        missing: Callable[[], Missing],
    ) -> str:
        """The JSON of an outcome: from the journal, from an equal ask in flight, or made now."""
        context = CURRENT_DRAW.get()
        if context is not None:
            if not context.expects(key) and context.stored is not None:
                asked = frozenset({*(k[:8] for k in context.keys), key[:8]})
                raise self._new_request(context.flow, context.stored, asked, form)
            context.keys.append(key)
        while True:
            stored = self._journal.lookup(key)
            if stored is not None and not (self.forget_failures and not stored.ok):
                self.progress.from_journal += 1
                await self._delay()
                return stored.outcome
            flight = self._inflight.get(key)
            if flight is not None:
                with contextlib.suppress(_Abandoned):
                    self.progress.shared += 1
                    return await _shared(flight)
            elif self.settings.mode != "live":
                self.missing.append(missing())
                raise Parked
            else:
                break
        if self._stop_error is not None or self.closing:
            raise asyncio.CancelledError
        flight = self._inflight[key] = asyncio.get_running_loop().create_future()
        try:
            text = await self._make(key, kind, label, form, produce)
        except BaseException as error:
            _fail(flight, error)
            raise
        else:
            flight.set_result(text)
            return text
        finally:
            del self._inflight[key]

    async def _make(
        self,
        key: bytes,
        kind: str,
        label: str,
        form: bytes,
        produce: Callable[[], Awaitable[tuple[str, bool, list[Row]]]],
    ) -> str:
        copied, source = self._copied(key)
        text, ok, rows = (copied, True, []) if copied else await produce()
        values = (key, kind, label, form.decode(), text, int(ok), source, self._clock.stamp())
        await self._journal.append([Row("outcomes", values), *rows])
        if not ok:
            self.progress.failures += 1
            self._check_failure_rate()
        return text

    def _copied(self, key: bytes) -> tuple[str, str]:
        """A good outcome of another run and that run's directory; empty if none has one."""
        for name, journal in self._reuse:
            stored = journal.lookup(key)
            if stored is not None and stored.ok:
                self.progress.reused += 1
                return stored.outcome, name
        return "", ""

    def _account(self, key: bytes, outcome: Outcome) -> tuple[str, bool, list[Row]]:
        """An outcome's JSON and the rows of its attempts; counts tokens."""
        self.progress.calls += 1
        rows = [self._attempt_row(key, attempt) for attempt in outcome.attempts]
        for attempt in outcome.attempts:
            if attempt.usage is not None:
                self.progress.input_tokens += attempt.usage.input_tokens
                self.progress.output_tokens += attempt.usage.output_tokens
                self.progress.cached_input_tokens += attempt.usage.cached_input_tokens
        if outcome.completion is not None:
            return encode_completion(outcome.completion), True, rows
        error = CallFailed(outcome.error_kind or "unknown", outcome.error or "")
        return encode_error(error), False, rows

    def post_attempt(self, key: bytes, attempt: AttemptRecord) -> None:
        """Journal an attempt that ended after its call had an outcome: it adds cost only."""
        self._journal.post([self._attempt_row(key, attempt)])

    def _attempt_row(self, key: bytes, attempt: AttemptRecord) -> Row:
        usage = attempt.usage or Usage()
        billed = usage.input_tokens + usage.output_tokens
        values = (
            *(key, self.settings.session, attempt.number, attempt.kind, attempt.status),
            *(round(attempt.duration_s, 6), usage.input_tokens, usage.output_tokens),
            *(usage.cached_input_tokens, usage.reasoning_tokens),
            *(round((attempt.cost_usd or 0.0) * NANO), billed, attempt.detail, attempt.started),
        )
        return Row("attempts", values)

    def _check_failure_rate(self) -> None:
        done = self.progress.calls
        rate = self.progress.failures / max(1, done)
        if self.progress.failures >= _FAILURE_FLOOR and rate > self.settings.max_failure_rate:
            raise EnvironmentFailure(
                f"{self.progress.failures} of {done} calls failed for good",
                why=f"`max_failure_rate` is {self.settings.max_failure_rate:g}",
                fix="look at failed.jsonl, mend the cause, then resume with `--retry-failed`",
            )

    async def _delay(self) -> None:
        if self._jitter is not None:
            for _ in range(self._jitter.randrange(4)):
                await asyncio.sleep(0)

    def _new_request(
        self, flow: str, stored: StoredDelivery, asked: frozenset[bytes], form: bytes
    ) -> Exception:
        error = self.mismatch(flow, stored, asked)
        assert isinstance(error, ReplayMismatch)
        new = form.decode()[:500]
        return ReplayMismatch(f"{error.what}: `{new}`", why=error.why, fix=error.fix)

    def _describe(self, prefix: bytes) -> str:
        stored = self._journal.find_prefix(prefix)
        return f"`{stored.request[:500]}`" if stored else f"key {prefix.hex()}"

    def _model(self, role: str) -> Model:
        model = self._models.get(role)
        if model is None:
            raise ConfigError(
                f"no model for role `{role}`; roles given: {', '.join(sorted(self._models))}",
                why="the recipe asks it",
                fix=f"--model {role}=URI, or `models: {{{role}: URI}}` in the config",
            )
        return model

    def _where(self) -> tuple[str, int]:
        context = CURRENT_DRAW.get()
        return (context.flow, context.draw) if context else ("", 0)


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
