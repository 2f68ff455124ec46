"""Claim: every export of a run gives the same records, with the origin and depth of provenance."""

from __future__ import annotations

import json
import runpy
import shutil
from pathlib import Path

import pytest
from tests.recipes.rephrase.rivers import document, rephrasing

from selfsown.core.errors import InputError
from selfsown.export.example import Example
from selfsown.export.export import ExportOptions, export_run
from selfsown.lab.seed_tasks import make_seeds, seeds_path
from selfsown.recipes.seeds import read_seeds
from selfsown.train.encode import Pair
from selfsown.train.records import Record, read_sources, source_digests
from selfsown.train.settings import SourceConfig

RUNS = runpy.run_path(str(Path(__file__).parents[1] / "report" / "run_fixture.py"))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = RUNS["write_self_instruct"](tmp_path_factory.mktemp("runs") / "small", answers=12)
    return path


def records_of(path: Path, origin: str | None = None, *, seeds: bool = False) -> list[Record]:
    config = SourceConfig.model_validate({"path": str(path), "origin": origin})
    return [r for source in read_sources([config], seeds=seeds) for r in source.records]


def as_request(record: Record) -> tuple[str, str, str, int]:
    content = record.content
    if isinstance(content, Pair):
        return content.prompt.strip(), content.completion, record.origin, record.model_depth
    return content.request, content.output, record.origin, record.model_depth


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
@pytest.mark.parametrize(
    "name", ["alpaca", "messages", "sharegpt", "prompt-completion", "prompt-completion-chat"]
)
def test_an_export_is_read_as_the_run_it_came_from(
    run: Path, tmp_path: Path, name: str, suffix: str
) -> None:
    if suffix == "parquet":
        pytest.importorskip("pyarrow", reason="needs the extra `parquet`")
    file = tmp_path / f"train.{suffix}"
    export_run(run, file, ExportOptions(format=name))
    expected, found = records_of(run), records_of(file)
    assert expected and [r.id for r in found] == [r.id for r in expected]
    assert list(map(as_request, found)) == list(map(as_request, expected))
    assert not any(record.is_declared for record in found)


def test_depth_and_origin_come_from_provenance(run: Path, tmp_path: Path) -> None:
    file = tmp_path / "train.jsonl"
    export_run(run, file, ExportOptions(format="alpaca"))
    beside = tmp_path / "train.jsonl.provenance.jsonl"
    rows = [json.loads(line) for line in beside.read_text().splitlines()]
    rows[0] |= {"model_depth": 3}
    rows[1] |= {"origin": "human", "model_depth": 2}  # of the run's model, which did not write it
    beside.write_text("".join(json.dumps(row) + "\n" for row in rows))
    first, second, *_ = records_of(file)
    assert (first.origin, first.model_depth) == ("machine", 3)
    assert (second.origin, second.model_depth) == ("human", 0)


def test_seeds_of_a_run_are_human_records_of_their_own(run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    seeds = [task.to_mapping() for task in read_seeds(seeds_path())]
    lines = "".join(json.dumps(seed) + "\n" for seed in seeds)
    (copy / "inputs" / "seeds.jsonl").write_text(lines)
    found = [record for record in records_of(copy, seeds=True) if record.origin == "human"]
    first = make_seeds()[0]
    assert len(found) == len(seeds) == 100
    assert found[0].content == Example(first.instruction.text, first.input, first.answer)
    assert found[0].id == "seed:lab_seed_0#0"
    assert not [record for record in records_of(copy) if record.origin == "human"]


def test_without_provenance_the_user_or_nobody_says_who_wrote_it(tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text('{"instruction": "I", "output": "Y"}\n')
    (unknown,) = records_of(file)
    (human,) = records_of(file, "human")
    assert (unknown.origin, unknown.is_declared) == ("machine", True)
    assert (human.origin, human.model_depth, human.is_declared) == ("human", 0, True)
    assert unknown.id == human.id


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"text": "I\n\nY"}, "does not say where the answer begins"),
        ({"instruction": "I"}, "no field `completion`"),
        ({"instruction": "I", "output": ""}, "field `output` is blank"),
        ({"messages": [{"role": "user", "content": "I"}]}, "the turns are user"),
        (
            {"messages": [{"role": r, "content": "x"} for r in ("user", "assistant", "user")]},
            "the turn `user` is repeated",
        ),
        ({"messages": [{"role": "tool", "content": "x"}]}, "the turn `tool` is"),
    ],
)
def test_rows_that_are_no_training_records_are_named_with_their_line(
    tmp_path: Path, row: dict[str, object], message: str
) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text('{"instruction": "I", "output": "Y"}\n' + json.dumps(row) + "\n")
    with pytest.raises(InputError, match=message):
        records_of(file)


def test_a_file_that_was_changed_after_its_export_is_noticed(run: Path, tmp_path: Path) -> None:
    file = tmp_path / "train.jsonl"
    export_run(run, file, ExportOptions(format="alpaca"))
    with file.open("a") as lines:
        lines.write('{"instruction": "I", "output": "Y"}\n')
    with pytest.raises(InputError, match="has no such line"):
        records_of(file)


def test_the_digest_follows_content_and_not_place(run: Path, tmp_path: Path) -> None:
    file, copy = tmp_path / "a" / "rows.jsonl", tmp_path / "b" / "rows.jsonl"
    for path in (file, copy):
        path.parent.mkdir()
        path.write_text("{}\n")
    assert digest(file) == digest(copy)
    copy.write_text("{ }\n")
    assert digest(file) != digest(copy)
    assert digest(run, seeds=True) != digest(run, seeds=False)


def digest(path: Path, *, seeds: bool = True) -> object:
    return source_digests([SourceConfig(path=str(path))], seeds=seeds)


def test_texts_of_a_run_are_learned_as_a_whole(tmp_path: Path) -> None:
    rows = [document(number) for number in range(4)]
    run = rephrasing(tmp_path / "run", rows, styles=["easy"]).directory
    lines = (run / "accepted.jsonl").read_text(encoding="utf-8").splitlines()
    found = records_of(run)
    assert [one.content for one in found] == [Pair("", json.loads(one)["text"]) for one in lines]
    assert {one.origin for one in found} == {"machine"}


def test_rows_that_were_cut_off_a_file_are_missed_by_its_provenance(
    run: Path, tmp_path: Path
) -> None:
    file = tmp_path / "train.jsonl"
    export_run(run, file, ExportOptions(format="alpaca"))
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:-2]))
    with pytest.raises(InputError, match="ends after row"):
        records_of(file)
