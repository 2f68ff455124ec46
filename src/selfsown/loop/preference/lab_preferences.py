"""The built-in experiment: preference loops on the lab, whose oracle knows every right answer.

Prompts are tasks of the micro-world that ask for knowledge (relations and properties of things):
about half of the base's answers to them are right, so answers to one prompt differ. Gold is the
oracle. The scorer is the oracle that says the opposite of one answer in five, always of the same
ones: it can be pleased without being right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from selfsown.core.randomness import rng_for
from selfsown.core.request import JSON
from selfsown.core.rundir import write_lines
from selfsown.lab.world import FAMILIES, held_out_families, sample_instruction, sample_item
from selfsown.loop.preference.experiment import Arm, Experiment

ROUNDS: Final = 3
PER_ROUND: Final = 250
VALIDATION: Final = 250
NOISE: Final = 0.2
_GROUPS: Final = ("relation", "property")
_OPEN_KINDS: Final = ("word", "number", "number_word", "small_number")
"""Inputs of which there are so many that tasks on them are about letters or figures."""
_PROMPTS: Final = "prompts.jsonl"
_VALIDATION: Final = "validation.jsonl"


def prepare(seed: int, folder: Path, tell: Callable[[str], None]) -> None:
    """The ground of one seed: prompts of all rounds, and others that only measure."""
    if (folder / _VALIDATION).is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    rows = [orjson.dumps(row) for row in tasks(seed, ROUNDS * PER_ROUND + VALIDATION)]
    write_lines(folder / _PROMPTS, rows[VALIDATION:])
    write_lines(folder / _VALIDATION, rows[:VALIDATION])
    tell(f"{len(rows)} prompts")


def tasks(seed: int, count: int) -> list[Mapping[str, JSON]]:
    """So many different tasks of knowledge, of compositions that were pretrained on."""
    families = [
        one.name
        for one in FAMILIES.values()
        if one.group in _GROUPS
        and one.kind not in _OPEN_KINDS
        and one.name not in held_out_families()
    ]
    found: dict[tuple[str, str], Mapping[str, JSON]] = {}
    draw = 0
    while len(found) < count:
        rng = rng_for(seed, "preference tasks", draw)
        item = sample_item(rng, sample_instruction(rng, "seen", families))
        key = item.instruction.text, item.input
        found.setdefault(
            key, {"id": f"task-{draw}", "instruction": item.instruction.text, "input": item.input}
        )
        draw += 1
    return list(found.values())


def _loop(recipe: str, **changes: Any) -> Callable[[Path, int], Mapping[str, Any]]:
    """What the arms share: the base as initial policy, a noisy oracle as scorer, gold beside it."""

    def config(ground: Path, seed: int) -> Mapping[str, Any]:
        plain = {"count": 4, "temperature": 1.0, "top_p": 1.0}
        return {
            "recipe": recipe,
            "base": "lab",
            "prompts": {"file": str(ground / _PROMPTS), "per_round": PER_ROUND},
            "rounds": ROUNDS,
            "options": {
                "layout": "task",
                "max_tokens": 32,
                "stop": ["\n"],
                "answers": [{**plain, "count": 8}],
                "scorer": "oracle",
                "scorer_options": {"noise": NOISE, "seed": seed},
            },
            "train": {"preset": "lab", "threads": 1, "learning_rate": 3e-4},
            "sft": {"preset": "lab", "threads": 1},
            "probe": {
                "prompts": str(ground / _VALIDATION),
                "gold": {"scorer": "oracle"},
                "answers": [plain],
            },
            "controls": ["equal_data", "other_reference", "sft_chosen"],
            **changes,
        }

    return config


EXPERIMENT: Final = Experiment(
    about=(
        "Tasks of the lab's world that ask for knowledge. Gold is the oracle; pairs are made by an"
        f" oracle that says the opposite of {NOISE:.0%} of the answers."
    ),
    ground="selfsown.loop.preference.lab_preferences:prepare",
    arms=(
        Arm(
            key="online",
            name="online RLHF",
            about="Close to the initial policy in every round.",
            config=_loop("online-rlhf"),
        ),
        Arm(
            key="self-rewarding",
            name="self-rewarding",
            about="Close to the policy of the round before.",
            config=_loop("self-rewarding"),
        ),
    ),
    compared=(("online", "self-rewarding"),),
)
"""Arms, values and the size of it; `selfsown loop --lab-preferences`."""
