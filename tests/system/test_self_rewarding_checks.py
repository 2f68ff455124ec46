"""Claim: the scripted checks of self-rewarding models (arXiv:2401.10020) hold, one test for each.

1. what a judge wrote is read as the rules say: `tests/judge/test_scores.py`, a table of 90 answers
2. the published judgements give the published pair: here, through a whole run
3. ties are as frequent as a judge's probabilities say: here, through a whole run
4. killed in any stage, the same pairs: `test_preference_kill.py`
5. the writer's prompt shows 6 seeds and 2 written tasks, none twice: here
"""

from __future__ import annotations

import json
import math
import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from tests.recipes.gardener import BASE, JSON_CHAT, SEEDS, gardener
from tests.recipes.graders import grading, is_conserved, numbering, stage

from selfsown.core.model import Capabilities
from selfsown.core.rundir import read_manifest
from selfsown.recipes.preference.reading import scored_of
from selfsown.runner import run


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


JUDGEMENTS = {
    "published": ("545", "343", "444", "232"),
    "all alike": ("444", "444", "444", "444"),
    "one unread": ("---", "112", "454", "333"),
    "one read": ("0--", "112", "454", "333"),
}
"""Prompt -> what the judge says of each answer, in three samples; `-` is no score."""


def test_2_the_published_judgements_give_the_published_means_pair_and_margin(
    tmp_path: Path,
) -> None:
    samples: defaultdict[str, list[int]] = defaultdict(list)

    def says(prompt: str, answer: str, seed: int) -> str:
        score = JUDGEMENTS[prompt][int(answer[-1])][len(samples[answer])]
        samples[answer].append(seed)
        return f"Reasons.\nScore: {score}" if score != "-" else "It has merits."

    result = run(
        "self-rewarding",
        models={"policy": numbering(), "judge": grading(says)},
        rows=[{"id": name, "prompt": name} for name in JUDGEMENTS],
        out=tmp_path,
        self_judging=False,
    )
    rewards = [one.reward for one in scored_of(tmp_path)]
    assert rewards[:4] == pytest.approx([14 / 3, 10 / 3, 4, 7 / 3])
    assert rewards[8] is rewards[12] is None, "missing, not low"
    pairs = {row["prompt_id"]: row for row in result.accepted}
    assert "all alike" not in pairs
    assert stage(tmp_path, "pairs")["rejected"] == {"equal_rewards": 1}
    pair = pairs["published"]
    assert (pair["chosen"], pair["rejected"]) == ("published 0", "published 3")
    assert pair["margin"] == pytest.approx(7 / 3)
    for name in ("one unread", "one read"):
        assert (pairs[name]["chosen"], pairs[name]["rejected"]) == (f"{name} 2", f"{name} 1")


def test_3_ties_are_as_frequent_as_the_judges_probabilities_say(tmp_path: Path) -> None:
    # Each of 2 answers gets two judgements, a 4 with probability 0.6, else a 3. The means are equal
    # if the fours are as many: 0.36^2 + 0.48^2 + 0.16^2 = 0.3856.
    probability, prompts = 0.6, 300

    def says(prompt: str, answer: str, seed: int) -> str:
        return f"Score: {4 if random.Random(seed).random() < probability else 3}"

    run(
        "self-rewarding",
        models={"policy": numbering(), "judge": grading(says)},
        rows=[{"id": str(number), "prompt": f"prompt {number}"} for number in range(prompts)],
        out=tmp_path,
        self_judging=False,
        answers=[{"count": 2, "temperature": 0.7}],
        scorer_options={"samples": 2},
    )
    expected = sum(
        (math.comb(2, fours) * probability**fours * (1 - probability) ** (2 - fours)) ** 2
        for fours in range(3)
    )
    assert expected == pytest.approx(0.3856)
    pairs, answers = stage(tmp_path, "pairs"), stage(tmp_path, "answers")
    assert is_conserved(pairs)
    assert is_conserved(answers)
    assert (pairs["in"], answers["in"]) == (prompts, 2 * prompts)
    assert set(pairs["rejected"]) == {"equal_rewards"}
    error = math.sqrt(expected * (1 - expected) / prompts)
    assert pairs["rejected"]["equal_rewards"] / prompts == pytest.approx(expected, abs=3 * error)
    told = read_manifest(tmp_path)["run"]
    assert isinstance(told, dict)
    assert told["calls"] == prompts * (2 + 4)


@pytest.mark.parametrize(
    ("capabilities", "order"), [(BASE, "strict"), (JSON_CHAT, "arrival")], ids=["base", "chat"]
)
def test_5_the_first_prompt_shows_8_seeds_every_later_one_6_and_2_written_ones_none_twice(
    tmp_path: Path, capabilities: Capabilities, order: str
) -> None:
    rounds = []
    for target in (15, 30):  # the second round goes on with the same run: novel against the first
        model = gardener(capabilities=capabilities)
        given = {"seeds": SEEDS, "preset": "self-rewarding", "order": order}
        rounds.append(run("self-instruct", model=model, out=tmp_path, target=target, **given))
        lists = [one for one in model.requests if one.temperature == 0.6 and one.top_p == 0.9]
        assert lists == model.requests, "sampled otherwise, or asked whether it is classification"
    told = lines(tmp_path / "provenance.jsonl")
    steps = [line for line in told if line["stage"] == "completions"]
    steps.sort(key=lambda line: line["order"])
    written = {row["id"] for row in told}
    shown = [line["parents"] for line in steps]
    assert len(shown) > 4
    assert [sum(name in written for name in one) for one in shown] == [0] + [2] * (len(shown) - 1)
    assert [len(set(one)) for one in shown] == [8] * len(shown)
    first, both = ([row["instruction"] for row in one.accepted] for one in rounds)
    assert both[: len(first)] == first
    assert len(set(both)) == len(both) == 30
