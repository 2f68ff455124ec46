"""Claim: no line of a training file that repeats an evaluation item passes, in any format."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest

from selfsown.core.errors import InputError
from selfsown.curate.decontaminate import CONTAINED_FROM, DecontaminationIndex, MissingIndex
from selfsown.evaluate.open_suite import open_suite
from selfsown.evaluate.overlap import (
    clean_file,
    file_overlaps,
    overlap_error,
    row_overlaps,
    row_texts,
    suite_index,
)
from selfsown.evaluate.suite import Instance, Suite
from selfsown.recipes.seeds import read_seeds

LONG_INPUT = "the old mill by the river was sold last spring to a baker from the next town"
SUITE = Suite(
    name="mine",
    about="",
    instances=(
        Instance(
            id="a",
            instruction="Name the capital of the given country.",
            input="Norway",
            references=("Oslo",),
            prompt="p",
        ),
        Instance(
            id="b",
            instruction="Who bought it?",
            input=LONG_INPUT,
            references=("a baker",),
            prompt="p",
        ),
        Instance(id="c", instruction="Say hi.", references=("hi",), prompt="p"),
    ),
    metrics=("rouge_l",),
)
ALPACA = {
    "instruction": "Name the capital of the given country.",
    "input": "Norway",
    "output": "Oslo",
}
ASKED = "Name the capital of the given country.\n\nNorway"


@pytest.fixture(scope="module")
def index() -> DecontaminationIndex:
    return suite_index([SUITE])


@pytest.mark.parametrize(
    "row",
    [
        ALPACA,
        {"messages": [{"role": "user", "content": ASKED}, {"role": "assistant", "content": "x"}]},
        {"prompt": ASKED, "completion": "Oslo"},
        {"conversations": [{"from": "human", "value": ASKED}, {"from": "gpt", "value": "x"}]},
        {"text": f"{ASKED}\n\nOslo"},
    ],
)
def test_a_repeated_question_is_found_in_every_export_format(
    row: dict[str, object], index: DecontaminationIndex
) -> None:
    found = row_overlaps(row, index)  # type: ignore[arg-type]
    assert [(one.benchmark, one.item, one.part) for one in found] == [("mine", "a", "question")]


def test_the_same_instruction_on_another_input_is_clean(index: DecontaminationIndex) -> None:
    assert row_overlaps({**ALPACA, "input": "Peru", "output": "Lima"}, index) == []


def test_a_long_input_is_protected_under_any_instruction(index: DecontaminationIndex) -> None:
    row = {"instruction": "Translate into French.", "input": LONG_INPUT, "output": "…"}
    assert {one.part for one in row_overlaps(row, index)} >= {"input"}


def test_a_very_short_question_is_found_as_a_field(index: DecontaminationIndex) -> None:
    assert row_overlaps({"instruction": "say hi", "input": "", "output": "hi"}, index)
    assert not row_overlaps({"instruction": "Say hi. Then go.", "input": "", "output": "x"}, index)


def test_names_of_roles_and_ids_are_no_text() -> None:
    row = {"id": "x", "messages": [{"role": "user", "content": "a"}, {"role": "y", "content": "b"}]}
    assert list(row_texts(row)) == ["a", "b"]


def test_every_question_of_a_suite_is_found_in_a_copy_of_it() -> None:
    suite = open_suite("lab-task")
    index = suite_index([suite])
    for one in suite.instances:
        row = {"instruction": one.instruction, "input": one.input, "output": "x"}
        assert one.id in [found.item for found in row_overlaps(row, index)]


def test_in_the_lab_only_the_whole_question_counts() -> None:
    suite = open_suite("lab-task")
    index = suite_index([suite])
    for task in read_seeds("lab"):
        for given in task.instances:
            row = {"instruction": task.instruction, "input": given.input, "output": given.output}
            assert row_overlaps(row, index) == []
    with_input = [one for one in suite.instances if one.input]
    for one in with_input:
        row = {"instruction": one.instruction, "input": "something else", "output": "x"}
        assert one.id not in [found.item for found in row_overlaps(row, index)]
    for part in ("task", "plain"):
        asked = {one.id: one for one in open_suite(f"lab-{part}").instances}
        for one in suite.instances:
            if len(f"{one.instruction} {one.input}".split()) < CONTAINED_FROM:
                continue  # so short ones are found as a whole field only
            pair = {"prompt": asked[one.id].prompt, "completion": "x"}
            assert one.id in [found.item for found in row_overlaps(pair, index)], one.prompt


def training_file(path: Path) -> Path:
    rows = [{**ALPACA, "input": "Peru"}, ALPACA, {**ALPACA, "input": "Chile"}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    lines = [{"line": n, "id": f"r-{n}"} for n in (1, 2, 3)]
    beside = path.with_name(f"{path.name}.provenance.jsonl")
    beside.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_the_error_for_an_overlapping_training_file_names_its_lines(
    tmp_path: Path, index: DecontaminationIndex
) -> None:
    path = training_file(tmp_path / "train.jsonl")
    found = list(file_overlaps(path, index))
    assert [one.line for one in found] == [2]
    error = overlap_error(str(path), found, unit="line")
    assert "line 2 (equal" in error.what or "line 2 (contained" in error.what
    assert error.exit_code == 1


def test_a_cleaned_copy_keeps_the_rest_and_its_provenance(
    tmp_path: Path, index: DecontaminationIndex
) -> None:
    path = training_file(tmp_path / "train.jsonl")
    cleaned = clean_file(path, tmp_path / "clean.jsonl", index)
    rows = [json.loads(line) for line in cleaned.path.read_text().splitlines()]
    assert [row["input"] for row in rows] == ["Peru", "Chile"]
    beside = (tmp_path / "clean.jsonl.provenance.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in beside] == [
        {"line": 1, "id": "r-1"},
        {"line": 2, "id": "r-3"},
    ]
    listed = json.loads(cleaned.list_path.read_text())
    assert listed["line"] == 2 and listed["overlaps"][0]["item"] == "a"
    assert not list(file_overlaps(cleaned.path, index))


def test_a_file_of_nothing_but_the_evaluation_leaves_nothing(
    tmp_path: Path, index: DecontaminationIndex
) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text(json.dumps(ALPACA) + "\n")
    with pytest.raises(InputError, match="nothing of"):
        clean_file(path, tmp_path / "clean.jsonl", index)
    assert not (tmp_path / "clean.jsonl").exists()


def test_a_clean_copy_is_never_written_over_the_only_file_that_has_the_rows(
    tmp_path: Path, index: DecontaminationIndex
) -> None:
    path = training_file(tmp_path / "train.jsonl")
    before = path.read_bytes()
    (tmp_path / "link.jsonl").symlink_to(path)
    for out in (path, tmp_path / "link.jsonl"):
        with pytest.raises(InputError, match="is the file being read"):
            clean_file(path, out, index)
    assert path.read_bytes() == before


def test_a_file_without_rows_is_never_called_clean(
    tmp_path: Path, index: DecontaminationIndex
) -> None:
    for name in ("empty.jsonl", "empty.txt", "empty.csv"):
        path = tmp_path / name
        path.write_text("\n")
        with pytest.raises(InputError, match="has no rows"):
            list(file_overlaps(path, index))
        with pytest.raises(InputError, match="has no rows"):
            clean_file(path, tmp_path / "clean.jsonl", index)


def test_rows_are_not_all_in_memory(tmp_path: Path, index: DecontaminationIndex) -> None:
    path, rows = tmp_path / "train.jsonl", 2_000
    with path.open("w") as file:
        for n in range(rows):
            text = ("\u00fc" * 37 + " ") * 100
            file.write(json.dumps({"prompt": f"{n}", "completion": text}) + "\n")
    tracemalloc.start()
    try:
        cleaned = clean_file(path, tmp_path / "clean.jsonl", index)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert cleaned.kept == rows
    assert peak < path.stat().st_size / 8


def test_a_suite_that_protects_nothing_is_an_error() -> None:
    blank = Instance(id="x", instruction="", references=("a",), prompt="")
    with pytest.raises(MissingIndex):
        suite_index([Suite(name="void", about="", instances=(blank,), metrics=("rouge_l",))])
