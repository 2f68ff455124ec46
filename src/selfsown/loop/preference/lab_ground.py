"""What the arms of one seed of the lab experiment share, made once: files, two reward models, M1.

| file or folder | what |
|---|---|
| `plain/`, `modified/` | `prompts.jsonl` of all rounds and `validation.jsonl`, with and without demands on form |
| `labelled/N/` | a run of the base on prompts of its own, `pairs.jsonl` of its answers, `reward/`: a model of them |
| `rewards.json` | how often each reward model is right, on pairs of the other with right labels |
| `lessons/` | `ift.jsonl`, `eft.jsonl`, `anchor.jsonl` and `pairs.jsonl`, of a run of the base on further prompts |
| `initial/` | the base, tuned on both: it answers, and judges answers |
| `talkative/` | the base, tuned on right answers, half of them with words around them: `data.jsonl`, `model/` |

Source: sizes and noise follow the checks that RLHF Workflow (arXiv:2405.07863) and Self-Rewarding
Language Models (arXiv:2401.10020) were described with: 2 to 5 thousand pairs, 10 % of the labels wrong.
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, Final

import orjson

from selfsown.core.config import make_config
from selfsown.core.request import JSON
from selfsown.core.rundir import read_lines, write_lines, write_text
from selfsown.loop.generate import generate
from selfsown.loop.preference.lab_world import (
    Task,
    judgements_of,
    labels_of,
    pairs_of,
    talkative,
    task_sets,
)
from selfsown.preference.pairing import by_prompt
from selfsown.preference.records import Scored
from selfsown.recipes.preference.reading import scored_of
from selfsown.train.settings import TrainConfig
from selfsown.train.sft import train

ROUNDS: Final = 3
PER_ROUND: Final = 250
VALIDATION: Final = 200
LABEL_NOISE: Final = 0.1
"""Of the pairs that reward models learn from."""
OFFLINE_NOISE: Final = 0.2
"""Of the labelled pairs beside self-rewarding: that of its noisy oracle."""
_LABELLED: Final = 1600
"""Prompts of each reward model; they give about 2,300 pairs."""
_LESSONS: Final = 1000
"""Prompts whose answers are judged for the initial policy."""
_IFT: Final = 100
_ANCHOR: Final = 120
_TALKATIVE: Final = 200
_ANSWERS: Final = 6
"""Of the base, to each prompt that people label."""

ASKING: Final[Mapping[str, Any]] = {"layout": "task", "max_tokens": 32, "stop": ["\n"]}
"""How the lab's policies are asked, in grounds and rounds."""
PAIRS: Final = "pairs.jsonl"
PROMPTS: Final = "prompts.jsonl"
VALIDATION_FILE: Final = "validation.jsonl"
REWARDS: Final = "rewards.json"

Tell = Callable[[str], None]
Groups = Mapping[str, Sequence[Scored]]


def prepare(seed: int, folder: Path, tell: Tell) -> None:
    """Make what is left of the ground of one seed.

    Raises:
        Suspended: environment or a signal stopped it; the same call resumes.
        CheckFailed: a training diverged.
    """
    of_rounds = {"validation": VALIDATION, "rounds": ROUNDS * PER_ROUND}
    plain = task_sets(seed, "plain", {**of_rounds, "1": _LABELLED, "2": _LABELLED})
    lessons = {"ift": _IFT, "eft": _LESSONS, "anchor": _ANCHOR, "talkative": _TALKATIVE}
    modified = task_sets(seed, "modified", {**of_rounds, **lessons})
    for kind, sets in (("plain", plain), ("modified", modified)):
        _write(folder / kind / PROMPTS, (task.row() for task in sets["rounds"]))
        _write(folder / kind / VALIDATION_FILE, (task.row() for task in sets["validation"]))
    _initial_policy(seed, modified, folder, tell)
    home = folder / "talkative"
    _write(home / "data.jsonl", (talkative(task, seed) for task in modified["talkative"]))
    _trained(home / "data.jsonl", home / "model", seed=seed)
    _reward_models(seed, plain, folder, tell)


def _reward_models(seed: int, sets: Mapping[str, Sequence[Task]], folder: Path, tell: Tell) -> None:
    path = folder / REWARDS
    if path.is_file():
        return
    answers: dict[str, Groups] = {}
    for number in ("1", "2"):
        home = folder / "labelled" / number
        answers[number] = _answered(sets[number], home / "run", seed)
        rows = [
            pair
            for group in answers[number].values()
            for pair in pairs_of(group, seed, noise=LABEL_NOISE)
        ]
        _write(home / PAIRS, rows)
        _trained(home / PAIRS, home / "reward", objective="reward", seed=seed + int(number))
        tell(f"reward model {number}: {len(rows)} pairs")
    told = {
        number: _told_by(folder / "labelled" / number / "reward", answers[other], seed)
        for number, other in (("1", "2"), ("2", "1"))
    }
    write_text(path, orjson.dumps(told, option=orjson.OPT_INDENT_2).decode() + "\n")
    for number, found in told.items():
        shown = ", ".join(f"{name} {value:.3f}" for name, value in found.items())
        tell(f"reward model {number}: {shown}")


def _initial_policy(
    seed: int, sets: Mapping[str, Sequence[Task]], folder: Path, tell: Tell
) -> None:
    """Tune the base to answer and to judge, and label an anchor."""
    home = folder / "lessons"
    answers = _answered([*sets["eft"], *sets["anchor"]], home / "run", seed)
    known = {task.id: task for task in (*sets["eft"], *sets["anchor"])}
    _write(home / "ift.jsonl", (task.lesson() for task in sets["ift"]))
    for name, made in (("eft", judgements_of), ("anchor", labels_of)):
        _write(
            home / f"{name}.jsonl",
            (
                row
                for task in sets[name]
                if task.id in answers
                for row in made(known[task.id], answers[task.id], seed)
            ),
        )
    _write(
        home / PAIRS,
        (
            pair
            for task in sets["eft"]
            if task.id in answers
            for pair in pairs_of(answers[task.id], seed, noise=OFFLINE_NOISE)
        ),
    )
    _trained(home / "ift.jsonl", folder / "initial", home / "eft.jsonl", seed=seed)
    tell("initial policy of self-rewarding: tuned to answer and to judge")


def _answered(tasks: Sequence[Task], out: Path, seed: int) -> Groups:
    """Answers of the base, scored by the oracle, by prompt."""
    config = make_config(
        {
            "recipe": "online-rlhf",
            "models": {"policy": "lab"},
            "seed": seed,
            "order": "strict",
            "options": {
                **ASKING,
                "answers": [{"count": _ANSWERS, "temperature": 1.0, "top_p": 1.0}],
                "scorer": "oracle",
            },
            "max_failure_rate": 1.0,
            "out": str(out),
        },
        source="lab experiment",
    )
    generate(config, [task.row() for task in tasks])
    return by_prompt(scored_of(out))


def _trained(data: Path, out: Path, *more: Path, seed: int, objective: str = "sft") -> None:
    """A model of some files, from the base."""
    form: dict[str, Any] = {
        "data": [{"path": str(path)} for path in (data, *more)],
        "base": "lab",
        "out": str(out),
        "preset": "lab",
        "objective": objective,
        "encoding": "task",
        "epochs": 2.0,
        "seeds": False,
        "seed": seed,
        "threads": 1,
    }
    train(TrainConfig.model_validate(form)).raise_for_failure()


def _told_by(model: Path, answers: Groups, seed: int) -> dict[str, float]:
    """What a reward model makes of answers that it was not trained on.

    `accuracy`: share of pairs with right labels that it has the right way round. `hard`: of those
    whose rejected answer has the form of a right one. `best`: share of right ones among the answers
    that it finds best of a prompt; `random`: among all answers.
    """
    from selfsown.models.answer_tokens import Question
    from selfsown.models.reward import Answered, RewardModel

    scored = [one for group in answers.values() for one in group]
    asked = [
        Answered(
            Question(one.candidate.prompt.text, one.candidate.prompt.input), one.candidate.text
        )
        for one in scored
    ]
    found = RewardModel(model, rows=32).score(asked)
    scores = {
        (one.candidate.prompt.id, one.candidate.text): score.value or 0.0
        for one, score in zip(scored, found, strict=True)
    }
    right: list[float] = []
    hard: list[float] = []
    best: list[float] = []
    for name, group in answers.items():
        for pair in pairs_of(group, seed, noise=0.0):
            chosen, rejected = str(pair["chosen"]), str(pair["rejected"])
            right.append(float(scores[name, chosen] > scores[name, rejected]))
            if rejected.strip(".") and chosen not in rejected and " " not in rejected:
                hard.append(right[-1])
        best.append(max(group, key=lambda one: scores[name, one.candidate.text]).reward or 0.0)
    return {
        "accuracy": fmean(right),
        "hard": fmean(hard),
        "best": fmean(best),
        "random": fmean(one.reward or 0.0 for one in scored),
    }


def _write(path: Path, rows: Iterable[Mapping[str, JSON]]) -> None:
    """Write rows, unless they are there."""
    lines = [dict(row) for row in rows]
    if path.is_file() and list(read_lines(path)) == lines:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    write_lines(path, map(orjson.dumps, lines))
