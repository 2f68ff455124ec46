"""The lab's tasks for preference loops: disjoint sets of prompts, labelled pairs, judgements.

Tasks ask for knowledge (relations and properties of things). The base is right about half of them
at temperature 1, so that answers to one prompt differ; a reward model of a few thousand pairs can
learn what is right. *Modified* tasks also make demands on form, which leaves a policy that was
tuned to answer something to learn. People are played by the oracle.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from selfsown.core.randomness import rng_for
from selfsown.core.request import JSON
from selfsown.judge.prompting import Asking
from selfsown.lab.layouts import WORDY_FRAMES
from selfsown.lab.world import FAMILIES, held_out_families, sample_instruction, sample_item
from selfsown.preference.records import Prompt, Scored

Kind = Literal["plain", "modified"]

RUBRIC: Final = "Task: {{ prompt }}\nAnswer: {{ answer }}\nOutput:"
"""How the lab's policies are asked to grade: a prompt of the kind that they were pretrained on."""
_LEVELS: Final[Mapping[int, str]] = {
    5: "It is right.",
    3: "It is wordy.",
    1: "It is wrong.",
    0: "It is empty.",
}
"""Score -> the reason before it."""
_GROUPS: Final = ("relation", "property")
_OPEN_KINDS: Final = ("word", "number", "number_word", "small_number")
"""Inputs of which there are so many that tasks on them are about letters or figures."""


@dataclass(frozen=True, slots=True)
class Task:
    """A prompt with its right answer."""

    id: str
    instruction: str
    input: str
    """Empty where the task needs none."""
    reference: str

    @property
    def prompt(self) -> Prompt:
        """What is asked."""
        return Prompt(id=self.id, text=self.instruction, input=self.input)

    def row(self) -> dict[str, JSON]:
        """A row of the preference recipes, without its answer."""
        return {"id": self.id, "instruction": self.instruction, "input": self.input}

    def lesson(self) -> dict[str, JSON]:
        """A record to tune on: the right answer."""
        return {"instruction": self.instruction, "input": self.input, "output": self.reference}


def talkative(task: Task, seed: int) -> dict[str, JSON]:
    """A record to tune on: the right answer, in one case of two with words around it."""
    rng = rng_for(seed, f"talkative {task.id}")
    before, after = rng.choice(WORDY_FRAMES) if rng.random() < 0.5 else ("", "")
    return {**task.lesson(), "output": f"{before}{task.reference}{after}"}


def task_sets(seed: int, kind: Kind, sizes: Mapping[str, int]) -> dict[str, list[Task]]:
    """Sets of tasks, no two tasks equal, of compositions that were pretrained on.

    Args:
        seed: another one, other tasks.
        kind: with or without demands on form.
        sizes: name of a set -> its tasks; a set depends on the sizes of those before it.
    """
    found = _tasks(seed, kind, sum(sizes.values()))
    return {name: [next(found) for _ in range(size)] for name, size in sizes.items()}


def pairs_of(
    answers: Sequence[Scored], seed: int, *, noise: float, most: int = 2
) -> Iterator[dict[str, JSON]]:
    """Pairs of a right and a wrong answer to one prompt, as people of the wanted care label them.

    Args:
        answers: to one prompt, scored by the oracle.
        seed: of choice and noise.
        noise: share of the pairs that are labelled the wrong way round, from 0 to 1.
        most: pairs of the prompt.
    """
    right, wrong = _told_apart(answers)
    prompt = answers[0].candidate.prompt
    rng = rng_for(seed, f"labelled {prompt.id}")
    found = [(one, other) for one in right for other in wrong]
    for chosen, rejected in rng.sample(found, min(most, len(found))):
        if rng.random() < noise:
            chosen, rejected = rejected, chosen
        yield {
            "prompt": prompt.text,
            "input": prompt.input,
            "chosen": chosen,
            "rejected": rejected,
        }


def judgements_of(task: Task, answers: Sequence[Scored], seed: int) -> Iterator[dict[str, JSON]]:
    """Records to tune a judge on: the filled rubric, and reason and score for its answer.

    One right and two wrong answers at most, so that scores are not all the same.
    """
    for answer in _shown(answers, seed):
        score = points(task, answer, answers)
        values = {"prompt": task.prompt.request, "answer": answer, "reference": None}
        asked = Asking(prompt="rubric", template=RUBRIC, temperature=None).request(False, values)
        yield {"prompt": asked.prompt, "completion": f" {_LEVELS[score]}\nScore: {score}"}


def labels_of(task: Task, answers: Sequence[Scored], seed: int) -> Iterator[dict[str, JSON]]:
    """The same answers as labels of an anchor: 1 for the right one, 0 for wrong ones."""
    right, _ = _told_apart(answers)
    for number, answer in enumerate(_shown(answers, seed)):
        yield {
            "id": f"{task.id}-{number}",
            "prompt": task.prompt.request,
            "answer": answer,
            "label": float(answer in right),
        }


def points(task: Task, answer: str, answers: Sequence[Scored]) -> int:
    """What the answer deserves: 5 if right, 3 if right but for words around it, 0 if blank."""
    right, _ = _told_apart(answers)
    if answer in right:
        return 5
    if not answer.strip("."):
        return 0
    return 3 if task.reference.lower() in answer.lower() else 1


def _tasks(seed: int, kind: Kind, count: int) -> Iterator[Task]:
    families = [
        one.name
        for one in FAMILIES.values()
        if one.group in _GROUPS
        and one.kind not in _OPEN_KINDS
        and one.name not in held_out_families()
    ]
    known: set[tuple[str, str]] = set()
    draw = 0
    while len(known) < count:
        rng = rng_for(seed, f"preference tasks {kind}", draw)
        draw += 1
        instruction = sample_instruction(rng, "seen", families)
        item = sample_item(rng, instruction)
        key = instruction.text, item.input
        if key in known or (instruction.program.modifier and kind == "plain"):
            continue
        known.add(key)
        yield Task(f"{kind}-{draw}", *key, item.answer)


def _told_apart(answers: Sequence[Scored]) -> tuple[list[str], list[str]]:
    """Different right and wrong answers, by text; blank ones are left out."""
    texts = [(one.candidate.text, one.reward) for one in answers if one.candidate.text.strip()]
    right = sorted({text for text, reward in texts if reward == 1})
    return right, sorted({text for text, reward in texts if reward == 0})


def _shown(answers: Sequence[Scored], seed: int) -> list[str]:
    """One right answer and two wrong ones; nothing where either kind is absent."""
    right, wrong = _told_apart(answers)
    if not right or not wrong:
        return []
    rng = rng_for(seed, f"shown {answers[0].candidate.prompt.id}")
    return [rng.choice(right), *rng.sample(wrong, min(2, len(wrong)))]
