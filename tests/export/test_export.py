"""An export holds every accepted record once, joined to its provenance, and never half a file."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.recipes.rephrase.rivers import document, rephrasing

from selfsown.core.errors import EnvironmentFailure, InputError, MissingExtra
from selfsown.core.token_counts import estimate_tokens
from selfsown.export.export import ExportOptions, export_run
from selfsown.export.formats import FORMATS

RUNS = runpy.run_path(str(Path(__file__).parents[1] / "report" / "run_fixture.py"))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = RUNS["write_self_instruct"](tmp_path_factory.mktemp("runs") / "small", answers=16)
    return path


def _lines(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def test_every_accepted_record_is_exported_in_order(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "train.jsonl"
    result = export_run(run, out, ExportOptions(format="alpaca"))
    accepted = _lines(run / "accepted.jsonl")
    assert result.files[0].row_count == len(accepted)
    assert _lines(out) == [
        {name: row[name] for name in ("instruction", "input", "output")} for row in accepted
    ]


def test_provenance_joins_line_by_line(run: Path, tmp_path: Path) -> None:
    result = export_run(run, tmp_path / "train.jsonl", ExportOptions(validation=0.3))
    accepted = {row["id"]: row for row in _lines(run / "accepted.jsonl")}
    known = {row["id"]: row for row in _lines(run / "provenance.jsonl")}
    seen = []
    for file in result.files:
        rows, origins = _lines(file.path), _lines(file.provenance)
        assert [origin["line"] for origin in origins] == list(range(1, len(rows) + 1))
        for row, origin in zip(rows, origins, strict=True):
            assert row["messages"][-1]["content"] == accepted[origin["id"]]["output"]
            assert origin["keys"] == known[origin["id"]]["keys"]
            seen.append(origin["id"])
    assert sorted(seen) == sorted(accepted)


def test_no_instruction_is_on_both_sides(run: Path, tmp_path: Path) -> None:
    options = ExportOptions(format="alpaca", validation=0.2)
    result = export_run(run, tmp_path / "data.jsonl", options)
    train, validation = (_lines(file.path) for file in result.files)
    assert result.files[1].path.name == "data.validation.jsonl"
    assert not {row["instruction"] for row in train} & {row["instruction"] for row in validation}
    total = len(train) + len(validation)
    assert abs(len(validation) - 0.2 * total) <= 2


def test_the_same_export_gives_the_same_bytes(run: Path, tmp_path: Path) -> None:
    def written(name: str) -> list[bytes]:
        result = export_run(run, tmp_path / name, ExportOptions(validation=0.25))
        files = [path for file in result.files for path in (file.path, file.provenance)]
        return [path.read_bytes() for path in files]

    assert written("a.jsonl") == written("b.jsonl")


def test_parquet_has_the_same_rows_as_jsonl(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    monkeypatch.setattr("selfsown.export.files.ROW_GROUP_ROWS", 7)
    for name in FORMATS:
        options = ExportOptions(format=name)
        export_run(run, tmp_path / f"{name}.jsonl", options)
        export_run(run, tmp_path / f"{name}.parquet", options)
        file = parquet.ParquetFile(tmp_path / f"{name}.parquet")
        assert file.read().to_pylist() == _lines(tmp_path / f"{name}.jsonl")
        assert file.num_row_groups > 1


def test_trl_reads_what_is_written(run: Path, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="datasets is not installed")
    export_run(run, tmp_path / "m.jsonl", ExportOptions(format="messages"))
    data = datasets.Dataset.from_json(str(tmp_path / "m.jsonl"), cache_dir=str(tmp_path / "cache"))
    assert data.column_names == ["messages"]
    assert {turn["role"] for turn in data[0]["messages"]} == {"user", "assistant"}


def test_rows_of_complete_are_exported_with_what_was_sent(tmp_path: Path) -> None:
    run = RUNS["write_complete"](tmp_path / "rows", rows=3)
    export_run(run, tmp_path / "out.jsonl", ExportOptions(format="alpaca"))
    rows = _lines(tmp_path / "out.jsonl")
    assert rows[2] == {
        "instruction": "Summarise: text number 2",
        "input": "",
        "output": "Summary 2.",
    }
    origins = _lines(tmp_path / "out.jsonl.provenance.jsonl")
    assert [origin["row_id"] for origin in origins] == ["row-0", "row-1", "row-2"]


def test_named_fields_win(tmp_path: Path) -> None:
    run = RUNS["write_complete"](tmp_path / "rows", rows=2)
    options = ExportOptions(format="alpaca", prompt_field="text", completion_field="id")
    export_run(run, tmp_path / "out.jsonl", options)
    assert _lines(tmp_path / "out.jsonl")[1] == {
        "instruction": "text number 1",
        "input": "",
        "output": "row-1",
    }


def test_a_field_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    run = RUNS["write_complete"](tmp_path / "rows", rows=2)
    with pytest.raises(InputError, match=r"no field `question`; they have .*`completion`"):
        export_run(run, tmp_path / "out.jsonl", ExportOptions(prompt_field="question"))


def test_a_field_that_is_blank_or_not_text_is_named_with_its_line(
    run: Path, tmp_path: Path
) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    lines = (copy / "accepted.jsonl").read_bytes().splitlines()
    for value, found in ((b" ", "blank"), (None, "missing"), (3, "int, not text")):
        row = {**orjson.loads(lines[1]), "output": value.decode() if value == b" " else value}
        changed = [lines[0], orjson.dumps(row), *lines[2:]]
        (copy / "accepted.jsonl").write_bytes(b"\n".join(changed) + b"\n")
        with pytest.raises(InputError, match=f"line 2: field `output` is {found}"):
            export_run(copy, tmp_path / "out.jsonl")
        assert not list(tmp_path.glob("*out.jsonl*"))


def test_empty_and_unfinished_runs_are_refused(tmp_path: Path) -> None:
    part = RUNS["write_self_instruct"](tmp_path / "part", answers=5, status="suspended", stop="")
    with pytest.raises(InputError, match="is suspended"):
        export_run(part, tmp_path / "out.jsonl")
    assert (
        export_run(part, tmp_path / "out.jsonl", ExportOptions(unfinished=True)).files[0].row_count
    )
    empty = RUNS["write_self_instruct"](tmp_path / "empty", answers=0)
    with pytest.raises(InputError, match="no accepted records"):
        export_run(empty, tmp_path / "nothing.jsonl")
    killed = RUNS["write_self_instruct"](tmp_path / "killed", answers=5, data_files=False)
    with pytest.raises(InputError, match="not ended"):
        export_run(killed, tmp_path / "nothing.jsonl")


def test_nothing_is_overwritten_without_force(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "train.jsonl"
    beside = tmp_path / "train.validation.jsonl"
    beside.write_text("mine")
    with pytest.raises(InputError, match=r"train\.validation\.jsonl` exists"):
        export_run(run, out, ExportOptions(validation=0.2))
    assert beside.read_text() == "mine"
    assert not out.exists()
    export_run(run, out, ExportOptions(validation=0.2, force=True))
    assert beside.read_text() != "mine"


def test_a_full_disk_leaves_no_file_behind(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(EnvironmentFailure, match="No space left"):
        export_run(run, tmp_path / "train.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_missing_packages_are_named_with_the_install_command(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra) as caught:
        export_run(run, tmp_path / "train.parquet")
    assert "selfsown[parquet]" in caught.value.fix
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtra) as caught:
        export_run(run, tmp_path / "train.jsonl", ExportOptions(tokenizer=tmp_path))
    assert "selfsown[local]" in caught.value.fix


def test_a_folder_that_is_missing_is_named(run: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        export_run(run, tmp_path / "no" / "train.jsonl")


def test_a_run_of_texts_is_exported_as_text_and_as_nothing_else(tmp_path: Path) -> None:
    rows = [document(number) for number in range(4)]
    run = rephrasing(tmp_path / "run", rows, styles=["easy"]).directory
    out = tmp_path / "texts.jsonl"
    result = export_run(run, out, ExportOptions(format="text"))
    accepted = _lines(run / "accepted.jsonl")
    assert _lines(out) == [{"text": row["text"]} for row in accepted] and accepted
    assert [told["id"] for told in _lines(result.files[0].provenance)] == [
        row["id"] for row in accepted
    ]
    lengths = {one.name: one.total for one in result.lengths}
    assert lengths["prompt words"] == 0
    assert lengths["tokens (estimated) in all"] == sum(
        estimate_tokens(row["text"]) for row in accepted
    )
    for options, fix in (
        (ExportOptions(format="messages"), "--format text"),
        (ExportOptions(format="text", validation=0.5), "selfsown mix --validation"),
    ):
        with pytest.raises(InputError, match="are texts") as caught:
            export_run(run, tmp_path / "other.jsonl", options)
        assert fix in caught.value.fix and not (tmp_path / "other.jsonl").exists()
