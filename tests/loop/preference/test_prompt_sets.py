"""Claim: no two rounds share a prompt, whether prompts are declared or written as the loop goes."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.loop.preference.small_loop import PER_ROUND, lab_prompts, small, write_rows

from selfsown.core.errors import ConfigChanged, TooFewRecords
from selfsown.core.journal import JOURNAL_NAME, Journal
from selfsown.lab.weights import weights_folder
from selfsown.loop.preference import prompts
from selfsown.loop.preference.places import PreferencePlaces
from selfsown.loop.preference.prompts import PromptSets, spread

WRITING = {"writer": "lab", "seeds": "lab:25", "preset": "default", "per_round": 2}


def sets(home: Path, **changes: Any) -> PromptSets:
    config = small(home, **changes)
    return PromptSets(config, PreferencePlaces(Path(config.out)))


def texts(found: PromptSets, number: int) -> list[str]:
    return [str(row["instruction"]) for row in found.rows(number)]


def test_rounds_split_the_declared_prompts_by_the_seed_and_more_rounds_take_further_ones(
    tmp_path: Path,
) -> None:
    declared = [str(row["instruction"]) for row in lab_prompts(3 * PER_ROUND + 2)[2:]]
    first = [texts(sets(tmp_path / "a", rounds=2), n) for n in range(2)]
    more = [texts(sets(tmp_path / "b", rounds=3), n) for n in range(3)]
    other = [texts(sets(tmp_path / "c", rounds=3, seed=1), n) for n in range(3)]
    assert more[:2] == first and other != more
    for found in (more, other):
        assert sorted(text for part in found for text in part) == sorted(declared)


def test_given_files_are_the_rounds_as_they_are(tmp_path: Path) -> None:
    rows = lab_prompts(8)
    files = [write_rows(tmp_path / f"{n}.jsonl", rows[2 + 3 * n : 5 + 3 * n]) for n in range(2)]
    found = sets(tmp_path, prompts={"files": list(map(str, files))})
    assert [row["instruction"] for row in found.rows(1)] == [
        row["instruction"] for row in rows[5:8]
    ]
    write_rows(files[1], rows[6:8])
    with pytest.raises(ConfigChanged):
        sets(tmp_path, prompts={"files": list(map(str, files))})


@given(st.integers(1, 40), st.integers(1, 40))
def test_a_limit_takes_rows_at_even_distances(count: int, limit: int) -> None:
    taken = spread([{"id": number} for number in range(count)], limit)
    places = [int(str(row["id"])) for row in taken]
    assert len(places) == min(count, limit) == len(set(places))
    gaps = [after - before for before, after in pairwise(places)]
    assert not gaps or max(gaps) - min(gaps) <= 1


@pytest.mark.skipif(
    not any(weights_folder().glob("*.safetensors")), reason="the lab weights are not here"
)
def test_a_writer_goes_on_where_it_was_and_repeats_no_prompt(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the lab model needs the extra `local`")
    first = sets(tmp_path, prompts=WRITING)
    begun = texts(first, 0)
    calls = call_count(tmp_path / "loop")
    again = sets(tmp_path, prompts=WRITING)
    assert texts(again, 0) == begun and call_count(tmp_path / "loop") == calls
    later = texts(again, 1)
    assert len(begun) == len(later) == 2 and not set(begun) & set(later)


def test_a_writer_does_not_repeat_what_policies_are_measured_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = lab_prompts(2)[1]
    written = [
        task("Name a tree.", ""),
        task(str(known["instruction"]), known["input"]),
        task("Name a  fish.", ""),  # the anchor has it
        task("Name a bird.", ""),
    ]
    home = tmp_path / "loop"
    targets: list[int] = []

    def run_on(config: Any) -> None:
        """Writes as many tasks as are wanted, of those there are."""
        targets.append(config.target)

    monkeypatch.setattr(prompts, "run_on", run_on)
    monkeypatch.setattr(prompts, "_target", lambda _: targets[-1] if targets else 0)
    monkeypatch.setattr(prompts, "machine_tasks", lambda _: iter(written[: (targets or [0])[-1]]))
    monkeypatch.setattr(prompts, "_task_count", lambda _: min(4, (targets or [0])[-1]))
    config = small(tmp_path, prompts=WRITING)
    found = PromptSets(config, PreferencePlaces(home), apart=["Name a fish."])
    assert texts(found, 0) == ["Name a tree.", "Name a bird."] and targets == [2, 3, 4]
    assert not (home / "prompts" / "1.jsonl").exists()
    with pytest.raises(TooFewRecords, match="wrote 2 fresh prompts, and 2 rounds of 2 need 4"):
        found.rows(1)


def task(text: str, given_: Any) -> dict[str, Any]:
    return {"id": text, "instruction": text, "instances": [{"input": given_, "output": "x"}]}


def call_count(home: Path) -> int:
    journal = Journal(home / "prompts" / "run" / JOURNAL_NAME, read_only=True)
    try:
        return sum(1 for _ in journal.rows("outcomes", "WHERE kind='call'"))
    finally:
        journal.close()
