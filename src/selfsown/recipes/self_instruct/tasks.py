"""What happens to one accepted instruction: is it classification?, its instances, their votes.

Both are asked by the flow's workers, which see their item alone; nothing here touches shared state.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from selfsown.core.errors import CallFailed
from selfsown.core.request import Completion, Request
from selfsown.core.run import Run
from selfsown.curate.faithful_listed import listed
from selfsown.curate.instances import Instance, filter_instances
from selfsown.recipes.self_instruct.answers import classification_in, instances_in
from selfsown.recipes.self_instruct.demonstrations import Member
from selfsown.recipes.self_instruct.layouts import Layout
from selfsown.recipes.self_instruct.options import Options
from selfsown.recipes.self_instruct.parse import Loss
from selfsown.recipes.self_instruct.sampling import RETRY_TEMPERATURE
from selfsown.recipes.self_instruct.votes import Outcome, vote_on

Reading = Literal["yes", "no", "unread", "failed", "unasked"]


@dataclass(frozen=True, slots=True)
class TaskItem:
    """An accepted instruction, to be classified and given instances."""

    member: Member
    draw: int
    """Of the flow."""
    occurrence: int
    """How often the same instruction was drawn before; the samples of each do not overlap."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of the answer for instances, and what is known of it."""

    content: Instance | Loss
    """As answered; as the filters left it, if they kept it."""
    reason: str | None
    """Why it is rejected; None if it is not."""
    outcome: Outcome | None = None
    """Of the votes, where they were asked."""


@dataclass(frozen=True, slots=True)
class TaskAnswer:
    """What the models said about one instruction."""

    reading: Reading
    """How the classification question was answered."""
    pieces: tuple[Piece, ...]
    """In order; empty if the question was unread and that rejects."""

    @property
    def is_classification(self) -> bool:
        """Whether it counts as a classification task; unread, failed and unasked count as no."""
        return self.reading == "yes"


async def answer_task(run: Run, layout: Layout, labeler: str, item: TaskItem) -> TaskAnswer:
    """Ask whether the instruction is a classification task, for instances, and for votes on them.

    Raises:
        CallFailed: a call failed for good, and the options do not say what that means.
    """
    instruction, occurrence = item.member.instruction, item.occurrence
    reading = await _classification(run, layout, labeler, instruction, occurrence)
    if reading == "unread" and layout.options.unread_classification == "reject":
        return TaskAnswer(reading, ())
    can_label = layout.generator.chat or bool(layout.shots.output_first)
    label_first = reading == "yes" and can_label
    found = await _instances(run, layout, item, label_first=label_first)
    pieces = _filtered(run, layout.options, item.draw, found)
    if item.member.passage is not None and layout.options.grounding.check_outputs:
        pieces = [_grounded(piece, instruction, item.member.passage.text) for piece in pieces]
    if layout.options.answer_votes:
        pieces = await run.gather(*(_voted(run, layout, item, piece) for piece in pieces))
    return TaskAnswer(reading, tuple(pieces))


async def _classification(
    run: Run, layout: Layout, labeler: str, instruction: str, occurrence: int
) -> Reading:
    options = layout.options
    if not options.ask_classification:
        return "unasked"
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
    run: Run, layout: Layout, item: TaskItem, *, label_first: bool
) -> tuple[Instance | Loss, ...]:
    options, occurrence = layout.options, item.occurrence
    tries = 1 + options.instance_retries
    request = layout.instance_request(
        item.member.instruction, label_first=label_first, passage=item.member.shown
    )
    pieces: tuple[Instance | Loss, ...] = ()
    for attempt in range(tries):
        answer = await _ask(run, "generator", request, occurrence * tries + attempt, attempt, tries)
        if answer is not None:
            pieces = instances_in(answer, layout.generator, options, label_first=label_first)
        if any(isinstance(piece, Instance) for piece in pieces):
            break
    return pieces


def _filtered(
    run: Run, options: Options, draw: int, found: Sequence[Instance | Loss]
) -> list[Piece]:
    """Every piece, with the reason if it is no instance or the filters drop it."""
    result = filter_instances(
        [piece for piece in found if isinstance(piece, Instance)],
        preset=options.instance_rules,
        most=options.max_instances,
        rng=run.rng("instances", draw) if options.choose_instances == "random" else None,
    )
    reasons = {id(dropped.instance): dropped.reason for dropped in result.dropped}
    kept = iter(result.kept)
    pieces: list[Piece] = []
    for one in found:
        reason = one.reason if isinstance(one, Loss) else reasons.get(id(one))
        pieces.append(Piece(next(kept) if reason is None else one, reason))
    return pieces


def _grounded(piece: Piece, instruction: str, passage: str) -> Piece:
    """The piece, with a reason if its output has numbers or names that nothing shown has."""
    if piece.reason is not None or isinstance(piece.content, Loss):
        return piece
    shown = "\n".join((passage, instruction, piece.content.input))
    extra = listed(shown, piece.content.output)
    if extra.numbers or extra.dates:
        return replace(piece, reason="number_not_in_passage")
    return replace(piece, reason="name_not_in_passage") if extra.names else piece


async def _voted(run: Run, layout: Layout, item: TaskItem, piece: Piece) -> Piece:
    """The piece with the votes on it, if the filters kept it."""
    if piece.reason is not None or isinstance(piece.content, Loss):
        return piece
    outcome = await vote_on(run, layout, item.member, piece.content, item.occurrence)
    return replace(piece, reason=outcome.reason, outcome=outcome)


async def _ask(
    run: Run, role: str, request: Request, sample: int, attempt: int, tries: int
) -> Completion | None:
    """One answer; None if it missed its schema and there are tries left."""
    if attempt and request.temperature == 0:
        request = replace(request, temperature=RETRY_TEMPERATURE)
    try:
        return await run.ask(role, request, sample)
    except CallFailed as error:
        if error.kind != "schema" or attempt + 1 == tries:
            raise
        return None
