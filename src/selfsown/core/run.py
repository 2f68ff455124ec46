"""The durable run: the verbs a recipe speaks, each journaled before the recipe sees its result.

To resume, the same recipe starts from the top with the same journal: what is in it returns at
once. `live` runs ask models; `replay` and `plan` never do, and what the journal does not have is
`Parked` (never handed over).
"""

from __future__ import annotations

import asyncio
import inspect
import traceback
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import TypeVar, cast

from selfsown.core.asking import Asking, Made, Question
from selfsown.core.caller import Caller
from selfsown.core.clock import Clock, SystemClock
from selfsown.core.codec import decode_completion, decode_value, encode_error, encode_value
from selfsown.core.errors import CallFailed, ConfigError, ConservationError
from selfsown.core.flow import Flow, Order
from selfsown.core.journal import Journal, Row, StoredDelivery
from selfsown.core.mismatch import mismatch
from selfsown.core.model import Capabilities, Model
from selfsown.core.progress import Progress, RunSettings
from selfsown.core.randomness import rng_for
from selfsown.core.request import (
    JSON,
    Completion,
    Request,
    call_key,
    canonical_json,
    effect_key,
    request_form,
)
from selfsown.core.stages import Origin, Sink, Stage

Item = TypeVar("Item")
Result = TypeVar("Result")


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
        self.origin = origin
        """What all records share: identities of the models, their depth, the round."""
        self.seed = settings.seed
        self.target = settings.target
        self.seeds = seeds
        """The seed tasks (`selfsown.recipes.seeds.SeedTask`) of recipes that start from seeds."""
        self.progress = Progress()
        self.stages: list[Stage] = []
        self.notes: dict[str, JSON] = {}
        self.stop_reason = ""
        self.sink = Sink(directory / f".derived-{settings.mode}.sqlite", origin)
        self._rows = rows
        self._journal, self._models = journal, models
        self.caller = caller
        self.asking = Asking(journal, settings, self.progress, reuse, clock or SystemClock())
        self._flows: list[Flow[object, object]] = []
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

        async def produce() -> Made:
            assert self.caller is not None
            return self.asking.account(key, await self.caller.call(model, request, key))

        size = 0 if self.settings.mode == "live" else request.prompt_bytes()
        question = Question(key, "call", model.identity, form, role, size, request.max_tokens)
        text = await self.asking.outcome(question, produce)
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

        async def produce() -> Made:
            try:
                value = fn()
                if inspect.isawaitable(value):
                    value = await value
                return encode_value(value), True, []
            except CallFailed as error:
                return encode_error(error), False, []

        if free and self.settings.mode == "plan" and self._journal.lookup(key) is None:
            return decode_value((await produce())[0])
        label, form = f"{name} {version}", canonical_json(inputs)
        question = Question(key, "effect", label, form, name)
        return decode_value(await self.asking.outcome(question, produce))

    async def gather(self, *branches: Awaitable[Result]) -> list[Result]:
        """Branches of one item's work at once; every one is waited for.

        If some fail, the first in the order given is raised. (`asyncio.gather` and task groups
        raise the one that failed first in time, which a replay cannot repeat.)

        Returns:
            The results, in the order given.
        """
        results = await asyncio.gather(*branches, return_exceptions=True)
        errors = [result for result in results if isinstance(result, BaseException)]
        if errors:
            raise next((e for e in errors if not isinstance(e, CallFailed)), errors[0])
        return cast("list[Result]", results)

    def flow(
        self,
        name: str,
        draw: Callable[[int], Item | None],
        work: Callable[[Item], Awaitable[Result]],
        ahead: Callable[[], int],
        *,
        in_order: bool = False,
    ) -> Flow[Item, Result]:
        """Items that feed on each other's results: consume it with `async for`.

        Args:
            name: unique within the recipe.
            draw: makes the item of the given draw number; called only when the consumer asks for
                more. None means: nothing to draw now. The flow is over when `draw` says None and
                nothing is outstanding, or when the consumer leaves the loop.
            work: any number of asks; sees its item alone.
            ahead: how many items may be outstanding; evaluated at each hand-over.
            in_order: hand over in the order of draws, whatever `order` the run has, so that draws
                depend neither on timing nor on concurrency.
        """
        if any(known.name == name for known in self._flows):
            raise ConservationError(
                f"the recipe has two flows `{name}`",
                why="hand-overs are journaled under the flow's name",
                fix="this is a defect of the recipe: give each flow a name of its own",
            )
        order: Order = "strict" if in_order else self.settings.order
        flow = Flow(self, name, draw, work, ahead, order=order, record=True)
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

        Rows leave when they are done, in an order that is not recorded: take them all. With
        `in_order` they are handed over in index order, which filters with memory (novelty,
        near-duplicates) need.
        """
        source = iter(rows)
        order: Order = "strict" if in_order else "arrival"
        flow = Flow(
            self,
            f"map-{len(self._flows)}",
            lambda _: next(source, None),
            work,
            self._rows_ahead,
            order=order,
            record=False,
        )
        self._flows.append(flow)  # type: ignore[arg-type]
        return flow

    def _rows_ahead(self) -> int:
        """Rows that may be under way; those in a back-off leave their places to others, once."""
        usual = self.settings.map_ahead
        return usual + (min(self.caller.backing_off, usual) if self.caller is not None else 0)

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

    # --- stopping ---------------------------------------------------------------------------

    @property
    def closing(self) -> bool:
        """Whether the run is being stopped: nothing more is drawn or asked."""
        return self.asking.is_closed

    def look_again(self) -> None:
        """More rows may be under way than a moment ago."""
        for flow in self._flows:
            flow.look_again()

    def suspend(self, error: BaseException) -> None:
        """Start no more calls; the consumer's next step raises this error."""
        self.asking.is_closed = True
        self.asking.stop_error = self.asking.stop_error or error
        for flow in self._flows:
            flow.stop(error)

    async def settle(self, grace_s: float | None) -> None:
        """End all work: calls in flight are journaled, none is started.

        Args:
            grace_s: cancel what is still in flight after so many seconds; None waits.
        """
        self.asking.is_closed = True
        if self.caller is not None:
            self.caller.release_batches()
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

    def earlier(self, flow: str) -> Iterator[int]:
        """Draws of this flow in the order of their hand-overs in the epochs before."""
        seen: set[int] = set()
        for epoch in self.settings.earlier_epochs:
            for delivery in self._journal.deliveries(epoch, flow):
                if delivery.draw not in seen:
                    seen.add(delivery.draw)
                    yield delivery.draw

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

    def mismatch(
        self,
        flow: str,
        stored: StoredDelivery,
        asked: frozenset[bytes],
        error: CallFailed | None = None,
    ) -> Exception:
        """The error for a replayed draw that asked for, or came to, something else."""
        return mismatch(self._journal, flow, stored, asked, error=error)

    def unexpected(self, error: Exception) -> CallFailed:
        """A failure of the recipe's own code as data; its traceback is kept once per kind."""
        what = f"`{type(error).__name__}`: {error}"
        if type(error).__name__ not in self._recipe_errors:
            self._recipe_errors.add(type(error).__name__)
            trace = "".join(traceback.format_exception(error)[-3:])
            self.progress.warnings.append(f"the recipe raised {what}\n{trace}")
        return CallFailed("recipe_error", what)

    def _model(self, role: str) -> Model:
        model = self._models.get(role)
        if model is None:
            raise ConfigError(
                f"no model for role `{role}`; roles given: {', '.join(sorted(self._models))}",
                why="the recipe asks it",
                fix=f"--model {role}=URI, or `models: {{{role}: URI}}` in the config",
            )
        return model
