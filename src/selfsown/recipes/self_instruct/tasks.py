"""What happens to one accepted instruction: is it classification?, then its instances.

Both are asked by the flow's workers, which see their item alone; nothing here touches shared state.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

from selfsown.core.errors import CallFailed
from selfsown.core.request import Completion, Request
from selfsown.core.run import Run
from selfsown.curate.instances import Instance
from selfsown.recipes.self_instruct.answers import classification_in, instances_in
from selfsown.recipes.self_instruct.layouts import Layout
from selfsown.recipes.self_instruct.parse import Loss

Reading = Literal["yes", "no", "unread", "failed"]

_RETRY_TEMPERATURE: Final = 0.7
"""Of a question asked again after a greedy answer, which would only repeat itself."""


@dataclass(frozen=True, slots=True)
class TaskAnswer:
    """What the models said about one instruction."""

    reading: Reading
    """How the classification question was answered."""
    pieces: tuple[Instance | Loss, ...]
    """Instances and losses in order; empty if the question was unread and that rejects."""

    @property
    def is_classification(self) -> bool:
        """Whether it counts as a classification task; unread and failed count as no."""
        return self.reading == "yes"


async def answer_task(
    run: Run, layout: Layout, labeler: str, instruction: str, occurrence: int
) -> TaskAnswer:
    """Ask whether `instruction` is a classification task, then for its instances.

    `occurrence` is how often the same instruction was worked on before: its samples do not overlap.

    Raises:
        CallFailed: a call failed for good, and the options do not say what that means.
    """
    reading = await _classification(run, layout, labeler, instruction, occurrence)
    if reading == "unread" and layout.options.unread_classification == "reject":
        return TaskAnswer(reading, ())
    can_label = layout.generator.chat or bool(layout.shots.output_first)
    label_first = reading == "yes" and can_label
    return TaskAnswer(
        reading, await _instances(run, layout, instruction, occurrence, label_first=label_first)
    )


async def _classification(
    run: Run, layout: Layout, labeler: str, instruction: str, occurrence: int
) -> Reading:
    options = layout.options
    tries = 1 + options.classification_retries
    request = layout.classification_request(instruction)
    try:
        for attempt in range(tries):
            answer = await _ask(run, labeler, request, occurrence * tries + attempt, attempt, tries)
            said = None if answer is None else classification_in(answer, layout.labeler, options)
            if said is not None:
                return "yes" if said else "no"
    except CallFailed:
        if options.failed_classification == "fail":
            raise
        return "failed"
    return "unread"


async def _instances(
    run: Run, layout: Layout, instruction: str, occurrence: int, *, label_first: bool
) -> tuple[Instance | Loss, ...]:
    options = layout.options
    tries = 1 + options.instance_retries
    request = layout.instance_request(instruction, label_first=label_first)
    pieces: tuple[Instance | Loss, ...] = ()
    for attempt in range(tries):
        answer = await _ask(run, "generator", request, occurrence * tries + attempt, attempt, tries)
        if answer is not None:
            pieces = instances_in(answer, layout.generator, options, label_first=label_first)
        if any(isinstance(piece, Instance) for piece in pieces):
            break
    return pieces


async def _ask(
    run: Run, role: str, request: Request, sample: int, attempt: int, tries: int
) -> Completion | None:
    """One answer; None if it missed its schema and there are tries left."""
    if attempt and request.temperature == 0:
        request = replace(request, temperature=_RETRY_TEMPERATURE)
    try:
        return await run.ask(role, request, sample)
    except CallFailed as error:
        if error.kind != "schema" or attempt + 1 == tries:
            raise
        return None
