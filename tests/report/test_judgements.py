"""Claim: the page of a preference run says how much was read, how many ties, and which scores."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.recipes.preferring import GIVEN, policy, preferring, prompts

from selfsown.export.run_files import open_run
from selfsown.extensions import JUDGES
from selfsown.preference.records import Candidate, Prompt, Scored
from selfsown.recipes.preference.counts import Counts
from selfsown.report.absent import Absent
from selfsown.report.judgements import MAX_BINS, Judgements, read_judgements
from selfsown.report.numbers import report_numbers


@pytest.fixture(autouse=True)
def judges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(JUDGES, "given", GIVEN)


def test_a_preference_run_shows_what_was_read_ties_and_scores(tmp_path: Path) -> None:
    model = policy(lambda prompt, k: "answer 0" if "number 1" in prompt else f"answer {k}")
    preferring(tmp_path, (3.0, None, 1.5), model=model, rows=prompts(3))
    found = read_judgements(open_run(tmp_path))
    assert isinstance(found, Judgements)
    # of 3 prompts with 3 answers, the second has the same answer thrice
    assert (found.judgements, found.parsed, found.comparable, found.ties) == (9, 7, 3, 1)
    assert [(one.name, one.count) for one in found.scores] == [("1.5", 2), ("3", 5)]
    page = (tmp_path / "report.html").read_text("utf-8")
    for words in (
        "What the scorer said",
        "Could be read: 77.8%",
        "Ties: 33.3%",
        "Length of chosen",
    ):
        assert words in page
    assert "The answers of the pair, the better one first" in page
    sample = report_numbers(tmp_path)["samples"]
    assert isinstance(sample, list)
    assert list(sample[0]["fields"]) == [
        "prompt", "chosen", "rejected", "reward_chosen", "reward_rejected", "margin", "judge",
    ]  # fmt: skip


def test_many_scores_come_in_ranges_that_lose_none(tmp_path: Path) -> None:
    rewards = [(-1) ** k * 0.37 * k for k in range(100)]
    preferring(tmp_path, rewards)
    found = read_judgements(open_run(tmp_path))
    assert isinstance(found, Judgements)
    assert len(found.scores) <= MAX_BINS
    assert sum(one.count for one in found.scores) == found.parsed == 100
    assert found.scores[0].name == "-40 to -35"


def test_scores_of_any_size_are_counted_apart_and_in_ranges(tmp_path: Path) -> None:
    counts = Counts()
    asked = Prompt(id="1", text="Say it.")
    for k in range(30):  # a reward model's scores have no bounds
        answer = Candidate(prompt=asked, index=k, text=str(k), model="m")
        counts.add([Scored(candidate=answer, values=(1e12 * (k // 2) + 0.1 * (k % 2),), judge="j")])
    preferring(tmp_path, (1.0, 2.0))
    run = open_run(tmp_path)
    run.data["notes"]["judgements"] = counts.form()
    found = read_judgements(run)
    assert isinstance(found, Judgements)
    assert len(found.scores) <= MAX_BINS
    assert sum(one.count for one in found.scores) == found.parsed == 30


def test_other_runs_have_no_such_section(tmp_path: Path) -> None:
    rows = [{**row, "output": "human"} for row in prompts(1)]
    preferring(tmp_path, (1.0,), rows=rows, human="chosen")
    assert read_judgements(open_run(tmp_path)) == Absent("nothing was scored")
    assert "What the scorer said" not in (tmp_path / "report.html").read_text("utf-8")
