"""Pairs that a run or a file already holds reach a trainer unchanged, each with its provenance."""

from __future__ import annotations

import runpy
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.preference.answers import answer

from selfsown.core.errors import CheckFailed, InputError, TooFewRecords
from selfsown.preference.export import PairOptions, export_pairs
from selfsown.preference.files import read_pairs, write_records
from selfsown.preference.pairing import by_prompt, make_pairs
from selfsown.preference.pickers import picker_named
from selfsown.preference.records import Pair, Prompt

_RUNS = runpy.run_path(str(Path(__file__).parents[1] / "report" / "run_fixture.py"))


def picked(count: int = 3) -> list[Pair]:
    """One pair per prompt, picked among three scored answers."""
    prompts = [Prompt(id=f"p{i}", text=f"Question {i}?") for i in range(count)]
    scored = [answer(i, (float(i), 2.0 * i), prompt=prompt) for prompt in prompts for i in range(3)]
    return list(make_pairs(by_prompt(scored), picker_named("max_min")).pairs)


def lines(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run whose accepted records are pairs, as those of a preference recipe are."""
    made = _RUNS["RunWriter"](tmp_path / "run")
    stage = made.stage("pairs", "prompt", output=True)
    key = made.call("Question?", "answer")
    for place, pair in enumerate(picked()):
        stage.enter(pair.row(), order=(place,), keys=[key]).keep()
    stage.enter({"prompt_id": "p9"}, order=(9,), keys=[key]).reject("equal_rewards")
    written: Path = made.write(stop="rows")
    return written


def test_accepted_pairs_of_a_run_are_exported_with_their_provenance(
    run: Path, tmp_path: Path
) -> None:
    result = export_pairs(run, tmp_path / "pairs.jsonl")
    assert read_pairs(result.path) == picked()
    assert (result.is_recorded, result.records, result.pairs) == (True, 3, {"max_min": 3})
    known = {row["id"]: row for row in lines(run / "provenance.jsonl")}
    for number, told in enumerate(lines(result.provenance), start=1):
        assert told == {"line": number, **known[told["id"]]}
        assert told["keys"]


def test_a_file_of_pairs_is_written_for_a_trainer(tmp_path: Path) -> None:
    write_records(tmp_path / "pairs.jsonl", picked())
    out = tmp_path / "trl.jsonl"
    result = export_pairs(tmp_path / "pairs.jsonl", out, PairOptions(format="trl"))
    assert lines(out)[0] == {
        "prompt": "Question 0?\n\n",
        "chosen": "answer C",
        "rejected": "answer A",
    }
    assert lines(result.provenance)[0] == {"line": 1, "id": "p0#2>p0#0", "model_depth": 0}


def test_provenance_beside_a_file_goes_on_with_its_pairs(run: Path, tmp_path: Path) -> None:
    first = export_pairs(run, tmp_path / "pairs.jsonl")
    no_second = export_pairs(
        first.path,
        tmp_path / "fewer.jsonl",
        PairOptions(format="trl-chat"),
        admit=lambda row: row["instruction"] != "Question 1?",
    )
    before, after = lines(first.provenance), lines(no_second.provenance)
    assert [row["line"] for row in after] == [1, 2]
    assert [row["id"] for row in after] == [before[0]["id"], before[2]["id"]]
    assert {**after[1], "line": 3} == before[2]


def test_provenance_of_other_pairs_is_noticed(run: Path, tmp_path: Path) -> None:
    first = export_pairs(run, tmp_path / "pairs.jsonl")
    first.provenance.write_bytes(b"".join(first.provenance.read_bytes().splitlines(True)[:2]))
    with pytest.raises(InputError, match="has no line 3"):
        export_pairs(first.path, tmp_path / "out.jsonl")
    assert not list(tmp_path.glob("out.jsonl*"))


def test_a_recorded_pair_that_is_none_or_that_a_suite_asks_is_listed(tmp_path: Path) -> None:
    first, second, third = picked()
    pairs = [first, replace(second, rejected=" answer  C"), third]
    write_records(tmp_path / "pairs.jsonl", pairs)
    result = export_pairs(
        tmp_path / "pairs.jsonl",
        tmp_path / "out.jsonl",
        admit=lambda row: row["instruction"] != "Question 2?",
    )
    assert read_pairs(result.path) == [first]
    assert result.left_out == {"max_min": {"equal_texts": 1, "benchmark_overlap": 1}}
    assert result.records == result.pair_count + result.left_out_count == 3


def test_what_holds_no_pair_is_an_error(run: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    out = tmp_path / "out.jsonl"
    with pytest.raises(TooFewRecords, match=r"no record of .* gives a pair \(there are none\)"):
        export_pairs(empty, out)
    with pytest.raises(InputError, match="does not exist"):
        export_pairs(tmp_path / "nowhere.jsonl", out)
    (tmp_path / "rows.jsonl").write_text('{"prompt": "a", "chosen": 3}\n')
    with pytest.raises(InputError, match="record 1: field `prompt_id` is missing"):
        export_pairs(tmp_path / "rows.jsonl", out)
    with pytest.raises(InputError, match="are pairs already"):
        export_pairs(run, out, PairOptions(also=("too_loud",)))
    kept = (run / "accepted.jsonl").read_bytes().splitlines()[:-1]
    (run / "accepted.jsonl").write_bytes(b"\n".join(kept) + b"\n")
    with pytest.raises(CheckFailed, match="has 2 records, the manifest says 3"):
        export_pairs(run, out)
    assert not list(tmp_path.glob("out.jsonl*"))
