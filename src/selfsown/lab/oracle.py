"""The oracle: is this an instruction of the micro-world, and is this answer right?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from selfsown.lab.layouts import WORDY_FRAMES
from selfsown.lab.world import Program, held_out_parts, parse_instruction
from selfsown.lab.world.modifiers import MODIFIERS


@dataclass(frozen=True, slots=True)
class Grade:
    """What the oracle says about one (instruction, input, answer)."""

    is_task: bool
    """The instruction is a sentence of the world."""
    is_input_valid: bool
    """The task can be done with this input; False if the instruction is no task."""
    is_correct: bool
    reason: str
    """`right`, `wrong`, `bad_input` or `not_a_task`."""
    reference: str | None
    """The right answer, or one of them for open tasks; None where there is none."""
    is_unseen_composition: bool
    """The instruction combines what was never combined in pretraining."""


def parse(instruction: str) -> Program | None:
    """The program behind an instruction; None if it is not a sentence of the world."""
    found = parse_instruction(instruction)
    return None if found is None else found.program


def is_unseen(instruction: str) -> bool:
    """Whether the instruction is a composition held out of pretraining; False if it is no task."""
    found = parse_instruction(instruction)
    return found is not None and bool(held_out_parts(found.program, found.wording))


def check(instruction: str, text: str, answer: str) -> Grade:
    """Grade one answer.

    Args:
        instruction: any text.
        text: the instance's input; empty where the task has none.
        answer: the answer to grade. Surrounding white space is ignored, all else must match to the
            letter, except that open tasks accept every right answer in any letter case.
    """
    found = parse_instruction(instruction)
    if found is None:
        return Grade(False, False, False, "not_a_task", None, False)
    program = found.program
    is_unseen_now = bool(held_out_parts(program, found.wording))
    text, answer = text.strip(), answer.strip()
    if not program.spec.is_input_valid(text, program.argument):
        return Grade(True, False, False, "bad_input", None, is_unseen_now)
    reference = program.answer(text)
    is_correct = answer == reference or _is_accepted(program, text, answer)
    reason = "right" if is_correct else "wrong"
    return Grade(True, True, is_correct, reason, reference, is_unseen_now)


def without_words(answer: str) -> str:
    """What stands within one of the corpus' phrases (`That must be red, I believe.`), else all."""
    answer = answer.strip()
    for before, after in WORDY_FRAMES:
        inner = answer.removeprefix(before).removesuffix(after)
        if len(inner) == len(answer) - len(before) - len(after):
            return inner
    return answer


def right_count(records: Iterable[Mapping[str, object]]) -> int:
    """How many records are right; each has `instruction`, `input` and `output`."""
    return sum(
        check(str(each["instruction"]), str(each["input"]), str(each["output"])).is_correct
        for each in records
    )


def _is_accepted(program: Program, text: str, answer: str) -> bool:
    """Whether an open task accepts this answer once its modifier is taken off."""
    accepts = program.spec.accepts
    if accepts is None:
        return False
    plain = MODIFIERS[program.modifier].undo(answer) if program.modifier else answer
    return plain is not None and accepts(text, program.argument, plain)
