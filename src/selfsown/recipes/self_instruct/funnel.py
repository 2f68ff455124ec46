"""How answers become records: completion → instructions → task → instances, each judged and named.

Conservation holds in every stage: what enters is kept, rejected with a reason, or failed with its
error. Pieces of an answer that are no instruction and no instance enter too, as rejected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import selfsown.curate.language  # noqa: F401 - registers its filter; `rules` brings the others
from selfsown.core.errors import CallFailed
from selfsown.core.request import JSON, Completion
from selfsown.core.run import Run
from selfsown.core.stages import Candidate
from selfsown.curate.instances import Instance
from selfsown.curate.rouge_l import NoveltyPool
from selfsown.curate.rules import first_drop, instruction_rules
from selfsown.curate.steps import filter_named
from selfsown.recipes.grounded.checks import is_self_contained
from selfsown.recipes.grounded.reader import Passage
from selfsown.recipes.self_instruct.answers import instructions_in
from selfsown.recipes.self_instruct.demonstrations import Member
from selfsown.recipes.self_instruct.layouts import Voice
from selfsown.recipes.self_instruct.options import Options
from selfsown.recipes.self_instruct.parse import Loss
from selfsown.recipes.self_instruct.tasks import Piece, TaskAnswer


@dataclass(frozen=True, slots=True)
class Place:
    """Where an answer stands in the run."""

    ordinal: int
    draw: int
    keys: tuple[str, ...]


class Funnel:
    """The four stages of one run, the rules, and the pool that novelty is measured against."""

    def __init__(self, run: Run, options: Options, voice: Voice) -> None:
        """Open the stages; `voice` is how the generator was spoken to."""
        self._run, self._options, self._voice = run, options, voice
        self._completions = run.stage("completions", unit="completion")
        self._instructions = run.stage("instructions", unit="instruction")
        self._tasks = run.stage("tasks", unit="task")
        self._instances = run.stage("instances", unit="instance", output=True)
        further = (filter_named(name, **given) for name, given in options.filters.items())
        self._rules = (*instruction_rules(options.rules), *further)
        self._pool = NoveltyPool(
            options.novelty_threshold, options.tokenizer, keep_equal=options.keep_equal
        )

    def add_seed(self, instruction: str) -> None:
        """A seed's instruction, which new ones must differ from; seeds are not filtered."""
        self._remember(instruction)

    def take_list(
        self,
        place: Place,
        shown: Sequence[Member],
        answer: Completion | CallFailed,
        passage: Passage | None = None,
    ) -> list[Member]:
        """Judge a list answer, item by item in order; the accepted instructions."""
        parents = [member.id for member in shown]
        parents += [] if passage is None else [passage.record]
        depth = 1 + max((member.depth for member in shown), default=-1)
        text = "" if isinstance(answer, CallFailed) else answer.text
        completion = self._completions.enter(
            {"completion": text, **_facts(passage)},
            order=(place.ordinal,),
            parents=parents,
            keys=place.keys,
            parent_depth=depth,
        )
        if isinstance(answer, CallFailed):
            completion.fail(answer)
            return []
        pieces = instructions_in(answer, self._voice, self._options)
        accepted: list[Member] = []
        for position, piece in enumerate(pieces):
            instruction = piece.text if isinstance(piece, Loss) else piece
            candidate = self._instructions.enter(
                {"instruction": instruction, **_facts(passage)},
                order=(place.ordinal, position),
                parents=parents,
                keys=place.keys,
                parent_depth=depth,
            )
            if self._admit(candidate, piece, is_apart=passage is not None):
                accepted.append(Member(candidate.id, instruction, depth, passage))
        if any(isinstance(piece, str) for piece in pieces):
            completion.keep()
        else:
            completion.reject("cut_off" if answer.finish_reason == "length" else "nothing_read")
        return accepted

    def take_task(self, place: Place, member: Member, answer: TaskAnswer | CallFailed) -> bool:
        """Judge the instances of one instruction; whether the task is kept."""
        payload: dict[str, JSON] = {"instruction": member.instruction}
        if not isinstance(answer, CallFailed):
            payload["is_classification"] = answer.is_classification
        task = self._tasks.enter(
            payload,
            order=(place.ordinal,),
            parents=[member.id],
            keys=place.keys,
            parent_depth=member.depth + 1,
        )
        if isinstance(answer, CallFailed):
            task.fail(answer)
            return False
        kept_count = self._take_instances(place, task, answer.pieces, member.passage)
        errors = [p.outcome.error for p in answer.pieces if p.outcome and p.outcome.error]
        if kept_count:
            task.keep()
        elif errors:
            task.fail(errors[0])
        elif answer.reading == "unread" and self._options.unread_classification == "reject":
            task.reject("unread_classification")
        else:
            was_read = any(isinstance(piece.content, Instance) for piece in answer.pieces)
            task.reject("no_instance_kept" if was_read else "no_instance_read")
        return kept_count > 0

    def _admit(self, candidate: Candidate, piece: str | Loss, *, is_apart: bool) -> bool:
        """End one instruction; kept ones join the pool at once.

        `is_apart`: it was made from a passage, and has to be understood without it.
        """
        if isinstance(piece, Loss):
            candidate.reject(piece.reason)
            return False
        if is_apart and not is_self_contained(piece, has_input=True):
            candidate.reject("not_self_contained")
            return False
        verdict = first_drop(self._rules, piece)
        if verdict.ok:
            verdict = self._pool.admit(piece)
        if not verdict.ok:
            candidate.reject(verdict.reason or "rule", verdict.score)
            return False
        candidate.keep()
        self._remember(piece)
        return True

    def _remember(self, instruction: str) -> None:
        """What is new is measured against this one, too."""
        self._pool.add(instruction)
        for rule in self._rules:
            rule.add(instruction)

    def _take_instances(
        self, place: Place, task: Candidate, pieces: Sequence[Piece], passage: Passage | None
    ) -> int:
        """End every piece as an instance or with the reason why it is none; how many are kept."""
        kept_count = 0
        for position, piece in enumerate(pieces):
            body: dict[str, JSON] = (
                {"text": piece.content.text}
                if isinstance(piece.content, Loss)
                else {"input": piece.content.input, "output": piece.content.output}
            )
            instance = self._instances.enter(
                {
                    "instruction": task.payload["instruction"],
                    **body,
                    "is_classification": task.payload["is_classification"],
                    **_facts(passage),
                },
                order=(place.ordinal, position),
                parents=[task.id],
                keys=place.keys,
                parent_depth=task.parent_depth + 1,
            )
            agreed = piece.outcome.count.agreed if piece.outcome else None
            if piece.outcome and piece.outcome.error:
                instance.fail(piece.outcome.error)
            elif piece.reason is not None:
                instance.reject(piece.reason, agreed)
            else:
                instance.keep(score=agreed)
                kept_count += 1
        return kept_count


def _facts(passage: Passage | None) -> Mapping[str, JSON]:
    """Where a record's passage is from; nothing without one."""
    return {} if passage is None else passage.facts
