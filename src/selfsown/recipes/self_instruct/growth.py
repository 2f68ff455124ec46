"""The growing pool: what to ask next, how far ahead, and when to stop.

All state that items share lives here and in the funnel. It is read and written only in the
consumer's body and in the draws that it feeds, so the recorded order of deliveries decides all.

How far ahead to ask depends on the target, which may be raised later. So that a longer run repeats
the draws of the shorter one exactly, the target is itself a journaled item (`GoalItem`): a run
grows to each goal it was ever given in turn.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import TypeAlias

from selfsown.core.errors import CallFailed
from selfsown.core.flow import Delivery
from selfsown.core.request import JSON, Completion, Request, call_key, request_form
from selfsown.core.run import Run
from selfsown.recipes.grounded.library import Library
from selfsown.recipes.grounded.reader import Passage
from selfsown.recipes.saturation import YieldWatch
from selfsown.recipes.seeds import SeedTask
from selfsown.recipes.self_instruct.demonstrations import (
    Member,
    list_demonstrations,
    make_sampler,
)
from selfsown.recipes.self_instruct.funnel import Funnel, Place
from selfsown.recipes.self_instruct.layouts import Layout
from selfsown.recipes.self_instruct.tasks import TaskAnswer, TaskItem


@dataclass(frozen=True, slots=True)
class ListItem:
    """A request for new instructions."""

    request: Request
    sample: int
    """How often the same request was drawn before."""
    shown: tuple[Member, ...]
    """Its demonstrations."""
    passage: Passage | None = None
    """Of a document, from which instructions are to be made."""


@dataclass(frozen=True, slots=True)
class GoalItem:
    """A look at the run's target, journaled."""

    number: int
    """0 at the start, then one more each time the last goal was reached."""


Item: TypeAlias = ListItem | TaskItem | GoalItem
Answer: TypeAlias = Completion | TaskAnswer | int | None


class Growth:
    """One run's task pool and its end."""

    def __init__(
        self,
        run: Run,
        layout: Layout,
        seeds: Sequence[SeedTask],
        library: Library | None = None,
    ) -> None:
        """Start from `seeds`; with a library, in the domain of its documents."""
        options = layout.options
        self._run, self._layout, self._options = run, layout, options
        self._library = library
        self._funnel = Funnel(run, options, layout.generator)
        self._sampler = make_sampler(options)
        self._human = [
            Member(f"seed:{seed.id}", seed.instruction, 0) for seed in seeds if not seed.depth
        ]
        self._machine = [
            Member(seed.id, seed.instruction, seed.depth) for seed in seeds if seed.depth
        ]
        self._inherited = len(self._machine)
        """Machine tasks of an earlier epoch, which no target counts."""
        for member in (*self._human, *self._machine):
            self._funnel.add_seed(member.instruction)
            self._sampler.add(member)
        self._pending: deque[Member] = deque()
        self._occurrences: Counter[bytes] = Counter()
        self._readings: Counter[str] = Counter()
        self._votes: Counter[str] = Counter()
        self._list_yield = YieldWatch(options.saturation_window, options.least_yield)
        self._task_yield = YieldWatch(options.saturation_window, options.least_task_yield)
        self._lists_drawn = self._lists_out = self._working = self._tasks_kept = 0
        self._block: list[tuple[Place, ListItem, Completion | CallFailed]] = []
        self._block_left = 0
        self._saturated = ""
        self._goal = inf
        """What draws aim at; the run ends at its target, which may be another."""
        self._counted: set[str] = set()
        """Accepted instructions that the target counts and whose tasks are not judged."""
        self._goals_drawn = 0
        self._goal_out = False

    # -- what to ask next

    def draw(self, index: int) -> Item | None:
        """A goal if one is due, a pending instruction, a list request if wanted, else None."""
        if not self._goals_drawn or (not self._goal_out and self._is_at(self._goal)):
            return self._goal_item()
        if self._pending:
            return self._task_item(index) if self._wants_task() else None
        return self._list_item() if self._wants_list() else None

    def ahead(self) -> int:
        """Items that may be outstanding: a goal, all open instructions, a window of lists."""
        return self._window() + len(self._pending) + self._working + 1

    def _window(self) -> int:
        options = self._options
        if options.block is not None:
            return options.block
        grown = len(self._machine) // options.ahead_divisor
        return min(options.ahead_cap, max(options.ahead_least, grown))

    def _wants_task(self) -> bool:
        counts_tasks = self._options.target_counts == "tasks"
        return not counts_tasks or self._tasks_kept + self._working < self._goal

    def _wants_list(self) -> bool:
        """Whether to ask for more; without blocks, answers in flight count with the mean yield."""
        options = self._options
        if self._block_left:
            return True
        left = inf if options.max_requests is None else options.max_requests - self._lists_drawn
        if self._saturated or left <= 0:
            return False
        if options.block is None:
            per_list = self._list_yield.mean if self._list_yield.count else options.new_per_request
            expected = self._promised + self._lists_out * per_list
            return self._lists_out < self._window() and expected < self._goal
        if not self._lists_out and self._promised < self._goal:
            self._block_left = int(min(options.block, left))
        return self._block_left > 0

    @property
    def _promised(self) -> int:
        """Units of the target that are accepted, or will be if nothing else is rejected."""
        if self._options.target_counts == "instructions":
            return self._grown
        return self._tasks_kept + self._working + len(self._pending)

    @property
    def _grown(self) -> int:
        """Instructions that this run accepted."""
        return len(self._machine) - self._inherited

    def _goal_item(self) -> GoalItem:
        self._goals_drawn += 1
        self._goal_out = True
        return GoalItem(self._goals_drawn - 1)

    def _task_item(self, index: int) -> TaskItem:
        member = self._pending.popleft()
        self._working += 1
        return TaskItem(member, index, self._occurrence(member.instruction.encode()))

    def _list_item(self) -> ListItem:
        rng = self._run.rng("demonstrations", self._lists_drawn)
        members = list_demonstrations(self._sampler, self._human, self._machine, self._options, rng)
        passage = None if self._library is None else self._library.passage(self._lists_drawn)
        shown = "" if passage is None else passage.text.strip()
        prompt = self._layout.list_request([member.instruction for member in members], shown)
        self._lists_drawn += 1
        self._lists_out += 1
        self._block_left = max(0, self._block_left - 1)
        sample = self._occurrence(call_key("", request_form(prompt.request)))
        demonstrations = tuple(members[k] for k in prompt.shown)
        return ListItem(prompt.request, sample, demonstrations, passage)

    def _occurrence(self, key: bytes) -> int:
        self._occurrences[key] += 1
        return self._occurrences[key] - 1

    # -- what became of it

    def take(self, delivery: Delivery[Item, Answer]) -> None:
        """Judge one delivered answer."""
        item, answer = delivery.item, delivery.error or delivery.value
        place = Place(delivery.ordinal, delivery.draw, delivery.keys)
        if isinstance(item, ListItem) and isinstance(answer, Completion | CallFailed):
            self._take_list(place, item, answer)
        elif isinstance(item, TaskItem) and isinstance(answer, TaskAnswer | CallFailed):
            self._take_task(place, item, answer)
        else:
            self._take_goal(answer if isinstance(answer, int) else None)

    def _take_goal(self, target: int | None) -> None:
        """Grow to this many units, or without end."""
        self._goal_out = False
        self._goal = inf if target is None else target

    def _take_list(self, place: Place, item: ListItem, answer: Completion | CallFailed) -> None:
        """Judge a list answer; a block is judged when it is complete, in the order of its draws."""
        self._lists_out -= 1
        self._block.append((place, item, answer))
        if self._options.block is None or not (self._lists_out or self._block_left):
            self._judge_lists()

    def _take_task(self, place: Place, item: TaskItem, answer: TaskAnswer | CallFailed) -> None:
        """Judge the answers about one instruction."""
        self._working -= 1
        self._counted.discard(item.member.id)
        is_kept = self._funnel.take_task(place, item.member, answer)
        self._tasks_kept += is_kept
        self._task_yield.add(int(is_kept))
        if not isinstance(answer, CallFailed):
            self._readings[answer.reading] += 1
            for count in (p.outcome.count for p in answer.pieces if p.outcome is not None):
                self._votes.update(asked=count.asked, agreed=count.agreed, failed=count.failed)
        if self._task_yield.is_exhausted:
            self._saturated = self._saturated or "tasks"

    @property
    def is_complete(self) -> bool:
        """Whether the target is reached and nothing that counts is still open."""
        target = self._run.target
        if target is None or self._options.target_counts == "tasks":
            return target is not None and self._tasks_kept >= target
        # Lists drawn for an earlier, higher goal may go on arriving; they wait for an extension.
        return self._grown >= target and not self._counted

    def _is_at(self, goal: float) -> bool:
        if self._options.target_counts == "instructions":
            return self._grown >= goal and not (self._pending or self._working)
        return self._tasks_kept >= goal

    def finish(self) -> None:
        """Judge what arrived of an unfinished block, and say how the run ended."""
        is_complete = self.is_complete
        self._judge_lists()
        run = self._run
        run.stop("target" if is_complete else "saturated" if self._saturated else "max_requests")
        if self._saturated:
            run.note("saturated_by", self._saturated)
        run.note("classification_readings", dict(sorted(self._readings.items())))
        run.note("accepted_per_request", self._list_yield.curve())
        run.note("shots", self._shot_ids())
        if self._options.answer_votes:
            run.note("votes", dict(sorted(self._votes.items())))

    def _judge_lists(self) -> None:
        block, self._block = sorted(self._block, key=lambda one: one[0].draw), []
        is_short = self._run.target is None or self._grown < self._run.target
        for place, item, answer in block:
            accepted = self._funnel.take_list(place, item.shown, answer, item.passage)
            for member in accepted:
                self._sampler.add(member)
            if is_short:
                self._counted.update(member.id for member in accepted)
            self._machine += accepted
            self._pending += accepted
            self._list_yield.add(len(accepted))
        if self._list_yield.is_exhausted:
            self._saturated = self._saturated or "lists"

    def _shot_ids(self) -> JSON:
        shots = self._layout.shots
        ids: dict[str, JSON] = {
            "classification": [task.id for task in shots.classification],
            "input_first": [task.id for task in shots.input_first],
            "output_first": [task.id for task in shots.output_first],
        }
        if shots.answer:
            ids["answer"] = [[task.id for task in one] for one in shots.answer]
        return ids
