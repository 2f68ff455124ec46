"""Claim: a loop starts from files of answers and of judgements; its anchor is in neither."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("trl", reason="training needs the extra `local`")

from click.testing import CliRunner
from tests.loop.preference.small_loop import form

from selfsown.cli.main import cli
from selfsown.core.errors import InputError
from selfsown.core.rundir import read_lines
from selfsown.loop.preference.config import PreferenceLoopConfig, make_preference_loop_config
from selfsown.loop.preference.setup import set_up


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    """The directory of `judge examples` on 8 prompts with two ranked answers each."""
    labels, model = tmp_path / "labels.jsonl", tmp_path / "model.jsonl"
    rows = (
        {"prompt": f"Name {n} birds.", "answer": f"{word} {n}", "rank": rank}
        for n in range(8)
        for rank, word in enumerate(("good", "bad"))
    )
    labels.write_text("".join(json.dumps(row) + "\n" for row in rows))
    rules = [
        {"regex": r"<answer>\ngood", "text": "Right and short. Score: 4"},
        {"text": "It is bad. Score: 1"},
    ]
    model.write_text("".join(json.dumps(rule) + "\n" for rule in rules))
    command = ["judge", "examples", str(labels), "--model", f"scripted:{model}", "--quiet"]
    out = tmp_path / "eft"
    result = CliRunner().invoke(cli, [*command, "-o", str(out)])
    assert result.exit_code == 0, result.output
    return out


def config(home: Path, *, anchor: Path, start: list[Path]) -> PreferenceLoopConfig:
    """A self-rewarding loop on the lab."""
    options = {"layout": "task", "scorer": "rubric", "self_judging": True}
    changes = {"anchor": str(anchor), "start": [str(path) for path in start], "options": options}
    return make_preference_loop_config(form(home, **changes))


def test_held_out_labels_are_an_anchor_beside_the_examples(examples: Path, tmp_path: Path) -> None:
    answers = tmp_path / "ift.jsonl"
    answers.write_text(json.dumps({"instruction": "Name a tree.", "output": "Oak."}) + "\n")
    held_out = examples / "held_out.jsonl"
    setup = set_up(config(tmp_path, anchor=held_out, start=[answers, examples / "eft.jsonl"]))
    assert len(setup.labels) == len(list(read_lines(held_out))) == 4


def test_an_anchor_that_was_answered_or_judged_in_the_start_is_refused(
    examples: Path, tmp_path: Path
) -> None:
    (first, *_) = read_lines(examples / "held_out.jsonl")
    assert isinstance(first, dict)
    answers = tmp_path / "ift.jsonl"
    answers.write_text(json.dumps({"instruction": first["prompt"], "output": "Owl."}) + "\n")
    with pytest.raises(InputError, match="labels are of prompts that are trained on"):
        set_up(config(tmp_path, anchor=examples / "held_out.jsonl", start=[answers]))
    with pytest.raises(InputError, match="labels are of prompts that are trained on"):
        set_up(config(tmp_path, anchor=tmp_path / "labels.jsonl", start=[examples / "eft.jsonl"]))
