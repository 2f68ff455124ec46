"""The report's numbers are those of the run's files, for every recipe and every state of a run."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import orjson
import pytest

from selfsown.core.errors import InputError, JournalDamaged
from selfsown.report.absent import Absent
from selfsown.report.numbers import read_numbers, report_numbers

RUNS = runpy.run_path(str(Path(__file__).with_name("run_fixture.py")))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run: Path = RUNS["write_self_instruct"](tmp_path_factory.mktemp("runs") / "small")
    return run


def _lines(run: Path, name: str) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in (run / name).read_bytes().splitlines()]


def test_funnel_conserves_candidates_and_agrees_with_the_data_files(finished: Path) -> None:
    numbers = report_numbers(finished)
    stages = numbers["funnel"]["stages"]
    for stage in stages:
        ended = stage["accepted"] + sum(stage["rejected"].values()) + sum(stage["failed"].values())
        assert stage["entered"] == ended
    assert numbers["funnel"]["accepted"] == len(_lines(finished, "accepted.jsonl"))
    rejected = sum(sum(stage["rejected"].values()) for stage in stages)
    assert rejected == len(_lines(finished, "rejected.jsonl"))


def test_funnel_counted_from_provenance_equals_the_one_in_the_manifest(finished: Path) -> None:
    listed = read_numbers(finished).funnel
    manifest = finished / "manifest.json"
    kept = manifest.read_bytes()
    manifest.unlink()
    try:
        counted = read_numbers(finished).funnel
    finally:
        manifest.write_bytes(kept)
    assert not isinstance(listed, Absent)
    assert not isinstance(counted, Absent)
    for one, other in zip(listed.stages, counted.stages, strict=True):
        assert (one.stage, one.entered, one.accepted) == (
            other.stage,
            other.entered,
            other.accepted,
        )
        assert (one.rejected, one.failed) == (other.rejected, other.failed)
    assert listed.accepted == counted.accepted


def test_saturation_counts_every_kept_instruction_once(finished: Path) -> None:
    saturation = report_numbers(finished)["saturation"]
    kept = [
        row
        for row in _lines(finished, "provenance.jsonl")
        if row["stage"] == "instructions" and row["end"] == "passed"
    ]
    assert saturation["answers"] == 48
    assert saturation["accepted"] == len(kept)
    # 48 answers in eighths of 6: the mean of the parts times 48 is the sum again.
    assert sum(saturation["eighths"]) * 6 == pytest.approx(len(kept), abs=0.01)
    first = [row for row in kept if row["order"][0] < 12]  # every other delivery
    assert saturation["eighths"][0] == pytest.approx(len(first) / 6, abs=1e-4)


def test_yield_falls_as_the_pool_fills(tmp_path: Path) -> None:
    run = RUNS["write_self_instruct"](tmp_path / "long", answers=250)
    eighths = report_numbers(run)["saturation"]["eighths"]
    assert eighths[-1] < eighths[0]


def test_spending_adds_up_the_attempts_of_the_journal(finished: Path) -> None:
    import sqlite3

    spending = report_numbers(finished)["spending"]
    journal = sqlite3.connect(finished / "journal.sqlite")
    calls, attempts, tokens, nano = (
        journal.execute("SELECT count(*) FROM outcomes WHERE kind='call'").fetchone()[0],
        journal.execute("SELECT count(*) FROM attempts").fetchone()[0],
        journal.execute("SELECT sum(input_tokens + output_tokens) FROM attempts").fetchone()[0],
        journal.execute("SELECT sum(cost_nano_usd) FROM attempts").fetchone()[0],
    )
    journal.close()
    accepted = len(_lines(finished, "accepted.jsonl"))
    assert (spending["calls"], spending["attempts"]) == (calls, attempts)
    assert sum(spending["attempts_by_kind"].values()) == attempts
    assert spending["input_tokens"] + spending["output_tokens"] == tokens
    assert spending["cost_usd"] == pytest.approx(nano / 1e9)
    assert spending["cost_usd_per_accepted"] == pytest.approx(nano / 1e9 / accepted, abs=1e-9)
    assert (spending["shared"], spending["unused"]) == (2, 4)


def test_shares_and_lengths_count_each_instruction_once(finished: Path) -> None:
    texts = report_numbers(finished)["texts"]
    rows = _lines(finished, "accepted.jsonl")
    instructions = {row["instruction"] for row in rows}
    assert texts["shares"]["record_count"] == len(rows)
    assert texts["shares"]["instruction_count"] == len(instructions)
    empty = sum(not row["input"] for row in rows) / len(rows)
    assert texts["shares"]["empty_input_rate"] == pytest.approx(empty, abs=1e-4)
    lengths = texts["lengths"]["fields"]
    assert lengths["instruction"]["count"] == len(instructions)
    assert sum(lengths["output"]["bins"]) == len(rows)
    words = sum(len(text.split()) for text in instructions) / len(instructions)
    assert lengths["instruction"]["mean"] == pytest.approx(words, abs=0.01)


def test_openings_are_compared_with_those_of_the_seeds(finished: Path) -> None:
    openings = report_numbers(finished)["texts"]["openings"]
    instructions = {row["instruction"] for row in _lines(finished, "accepted.jsonl")}
    top = openings["top"][0]
    begin = [text for text in instructions if text.lower().startswith(top["words"])]
    assert top["count"] == len(begin)
    assert top["rate"] == pytest.approx(len(begin) / len(instructions), abs=1e-4)
    by_words = {opening["words"]: opening for opening in openings["top"]}
    assert by_words["write a"]["seed_rate"] == pytest.approx(1 / 5)  # one of five seeds
    assert openings["seed_top_rate"] == pytest.approx(1 / 5)
    assert len(openings["drift"]) == 8


def test_verbs_and_objects_are_counted_in_pairs(finished: Path) -> None:
    found = report_numbers(finished)["texts"]["verb_nouns"]
    instructions = {row["instruction"] for row in _lines(finished, "accepted.jsonl")}
    verb = found["verbs"][0]
    begin = [text for text in instructions if text.lower().startswith(verb["verb"] + " ")]
    assert 0 < verb["count"] <= len(begin)
    assert sum(count for _, count in verb["nouns"]) <= verb["count"]
    assert found["parsed_count"] <= found["instruction_count"] == len(instructions)


def test_likeness_to_seeds_is_one_for_a_copy_of_a_seed(tmp_path: Path) -> None:
    copy = RUNS["SEEDS"][0][1]
    run = RUNS["write_self_instruct"](tmp_path / "copy", answers=4, hostile=[copy])
    novelty = report_numbers(run)["texts"]["novelty"]
    assert novelty["longest"] == 1.0
    assert novelty["bins"][-1] == 1


def test_samples_lead_back_to_demonstrations_and_calls(finished: Path) -> None:
    samples = read_numbers(finished).samples
    seeds = {f"seed:{name}": text for name, text in RUNS["SEEDS"]}
    assert len(samples) == 6
    for sample in samples:
        assert [step.stage for step in sample.steps] == ["instructions", "tasks", "instances"]
        assert sample.steps[-1].id == sample.id
        assert len(sample.demonstrations) == 3
        for shown in sample.demonstrations:
            assert shown.text
            if shown.is_seed:
                assert shown.text == seeds[shown.id]
        assert sample.calls[0].stage == "instructions"
        assert "series of tasks" in sample.calls[0].prompt
        assert sample.fields["instruction"] in sample.calls[0].answer


def test_reasons_carry_counts_and_examples(finished: Path) -> None:
    numbers = read_numbers(finished)
    rows = _lines(finished, "rejected.jsonl")
    for reason in numbers.reasons:
        if not reason.failed:
            same = [row["id"] for row in rows if row["reason"] == reason.reason]
            assert reason.count == len(same)
            assert {example.id for example in reason.examples} <= set(same)
            assert len(reason.examples) == min(3, len(same))
    assert any(reason.failed and reason.reason == "content_filter" for reason in numbers.reasons)


def test_a_recipe_without_instructions_leaves_those_sections_out_and_says_why(
    tmp_path: Path,
) -> None:
    numbers = report_numbers(RUNS["write_complete"](tmp_path / "rows"))
    assert numbers["funnel"]["accepted"] == 8
    for section in (
        numbers["saturation"],
        numbers["texts"]["openings"],
        numbers["texts"]["verb_nouns"],
        numbers["texts"]["novelty"],
    ):
        assert section["absent"]
    assert numbers["texts"]["lengths"]["fields"]["completion"]["count"] == 8
    assert len(numbers["samples"]) == 6


@pytest.mark.parametrize("data_files", [True, False])
def test_a_run_without_any_answer_has_a_report(tmp_path: Path, data_files: bool) -> None:
    run = RUNS["write_self_instruct"](
        tmp_path / "empty", answers=0, status="suspended", stop="", data_files=data_files
    )
    numbers = report_numbers(run)
    assert numbers["run"]["status"] == ("suspended" if data_files else "not ended")
    assert numbers["samples"] == []
    assert numbers["texts"]["shares"]["absent"]
    assert numbers["activity"]["absent"]
    assert numbers["spending"]["cost_usd_per_accepted"] is None


def test_a_killed_run_reports_what_its_journal_holds(tmp_path: Path) -> None:
    run = RUNS["write_self_instruct"](tmp_path / "killed", answers=12, data_files=False)
    numbers = report_numbers(run)
    assert numbers["run"]["status"] == "not ended"
    assert numbers["funnel"]["absent"]
    assert numbers["spending"]["calls"] > 12
    assert numbers["activity"]["moments"]


def test_the_same_directory_gives_the_same_numbers(finished: Path) -> None:
    assert report_numbers(finished) == report_numbers(finished)


def test_a_directory_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a run directory"):
        report_numbers(tmp_path)
    with pytest.raises(InputError, match="is not a directory"):
        report_numbers(tmp_path / "nothing")


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    run = RUNS["write_self_instruct"](tmp_path / "broken", answers=3)
    with (run / "rejected.jsonl").open("ab") as file:
        file.write(b'{"id": \n')
    lines = len((run / "rejected.jsonl").read_bytes().splitlines())
    with pytest.raises(InputError, match=rf"rejected\.jsonl` line {lines} "):
        report_numbers(run)


def test_memory_does_not_grow_with_the_run(tmp_path: Path) -> None:
    import tracemalloc

    def peak_bytes(answers: int) -> int:
        run = RUNS["write_self_instruct"](tmp_path / str(answers), answers=answers)
        tracemalloc.start()
        read_numbers(run)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak_bytes(10)  # the first reading imports modules
    small, large = peak_bytes(60), peak_bytes(480)
    size = (tmp_path / "480" / "provenance.jsonl").stat().st_size
    assert large - small < size / 8


def test_a_failure_that_was_asked_again_is_no_failure_any_more(tmp_path: Path) -> None:
    from selfsown.core.journal import Journal, Row

    run = RUNS["write_self_instruct"](tmp_path / "run", answers=40)
    before = report_numbers(run)["spending"]
    assert before["failed_calls"] == 2
    journal = Journal(run / "journal.sqlite")
    failed = next(row for row in journal.rows("outcomes") if not row[6])
    journal.append_now([Row("voids", (failed[0], "retry"))])
    journal.close()
    after = report_numbers(run)["spending"]
    assert after["failed_calls"] == 1
    assert after["calls"] == before["calls"]


def test_a_journal_that_was_changed_by_hand_is_refused(tmp_path: Path) -> None:
    import sqlite3

    run = RUNS["write_self_instruct"](tmp_path / "run", answers=3)
    journal = sqlite3.connect(run / "journal.sqlite")
    journal.execute("UPDATE attempts SET cost_nano_usd=0")
    journal.commit()
    journal.close()
    with pytest.raises(JournalDamaged, match="fails its checksum"):
        report_numbers(run)
