"""Claim: the scripted checks of self-rewarding models (arXiv:2401.10020) hold, one test for each.

1. the parser on 90 answers: `tests/judge/test_scores.py`
4. killed after any stage, the same pairs: `test_preference_kill.py`
2, 3 and 5 are here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.recipes.gardener import BASE, JSON_CHAT, SEEDS, gardener

from selfsown.core.model import Capabilities
from selfsown.runner import run


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


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
