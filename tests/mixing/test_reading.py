"""Claim: of every text it is known who wrote it and which document it says, or it is refused."""

from __future__ import annotations

import json
import runpy
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.mixing.texts import parts_of, rows_of, text, write_rows
from tests.recipes.rephrase.rivers import document, rephrasing

import selfsown
from selfsown.core.errors import InputError
from selfsown.core.token_counts import estimate_tokens
from selfsown.export.export import ExportOptions, export_run
from selfsown.mixing.mix import mix
from selfsown.mixing.options import MixOptions
from selfsown.mixing.reading import Found, LeftOut, read_source
from selfsown.mixing.sources import MixSource
from selfsown.mixing.units import Kind, Passage, Unit, clash
from selfsown.models.scripted import ScriptedModel

RUNS = runpy.run_path(str(Path(__file__).parents[1] / "report" / "run_fixture.py"))


def read(path: Path, kind: Kind | None = None) -> list[Found]:
    return list(read_source(MixSource("it", path, 1, kind), estimate_tokens))


def units(path: Path, kind: Kind | None = None) -> list[Unit]:
    found = read(path, kind)
    assert all(isinstance(one, Unit) for one in found)
    return [one for one in found if isinstance(one, Unit)]


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ({"origin": "web", "kind": "synthetic"}, "synthetic"),
        ({"kind": "real"}, "real"),
        ({"kind": "synthetic"}, "synthetic"),
        ({"origin": "human"}, "real"),
        ({"origin": "model"}, "synthetic"),
    ],
)
def test_a_row_may_say_who_wrote_it(tmp_path: Path, told: dict[str, str], kind: Kind) -> None:
    (unit,) = units(write_rows(tmp_path / "a.jsonl", [{"id": "a", "text": "Text.", **told}]))
    assert (unit.kind, unit.id, unit.doc_id) == (kind, "a", "a")


@pytest.mark.parametrize("told", [{}, {"kind": "prose"}, {"origin": 3}])
def test_a_row_that_says_nothing_of_it_needs_a_declaration(
    tmp_path: Path, told: dict[str, Any]
) -> None:
    path = write_rows(tmp_path / "a.jsonl", [{"text": "Text.", **told}])
    with pytest.raises(InputError, match="row 1 does not say who wrote it"):
        read(path)
    assert [unit.kind for unit in units(path, "real")] == ["real"]
    assert [unit.kind for unit in units(path, "synthetic")] == ["synthetic"]


def test_no_declaration_makes_machine_text_human(tmp_path: Path) -> None:
    run = RUNS["write_self_instruct"](tmp_path / "run", answers=9)
    for path in (run, write_rows(tmp_path / "a.jsonl", [{"text": "T.", "kind": "synthetic"}])):
        with pytest.raises(InputError, match="was written by a model"):
            read(path, "real")


def test_records_of_a_run_bring_their_text_origin_and_parents(tmp_path: Path) -> None:
    run = RUNS["write_self_instruct"](tmp_path / "run", answers=9)
    found = units(run)
    assert len(found) == len(rows_of(run / "accepted.jsonl"))
    assert {unit.kind for unit in found} == {"synthetic"} and all(unit.parents for unit in found)
    exported = tmp_path / "text.jsonl"
    export_run(run, exported, ExportOptions(format="text"))
    assert [unit.text for unit in units(exported)] == [unit.text for unit in found]
    assert [unit.id for unit in units(exported)] == [unit.id for unit in found]


def test_of_a_run_over_texts_the_answers_are_mixed_and_not_what_was_asked(tmp_path: Path) -> None:
    run = selfsown.run(
        "complete",
        rows=[{"text": "Human text."}],
        prompt="Continue: {{ text }}",
        model=ScriptedModel([{"text": "Machine text."}]),
        out=tmp_path / "run",
    ).directory
    (unit,) = units(run)
    assert unit.kind == "synthetic" and unit.text.endswith("\n\nMachine text.")


def test_records_of_a_run_over_documents_say_those_documents(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"id": f"d{number}", "text": text(number)} for number in range(3)]
    run = selfsown.run(
        "complete",
        rows=rows,
        prompt="Say again: {{ text }}",
        model=ScriptedModel([{"text": "Machine text."}]),
        out=tmp_path / "run",
    ).directory
    exported = tmp_path / "text.jsonl"
    export_run(run, exported, ExportOptions(format="text"))
    for path in (run, exported):
        found = units(path)
        assert [unit.doc_id for unit in found] == ["d0", "d1", "d2"]
        document = units(write_rows(tmp_path / "web.jsonl", rows), "real")[1]
        assert [clash(document, unit) for unit in found] == [False, True, False]


def test_an_export_that_was_changed_is_noticed(tmp_path: Path) -> None:
    run = RUNS["write_self_instruct"](tmp_path / "run", answers=9)
    exported = tmp_path / "text.jsonl"
    export_run(run, exported, ExportOptions(format="text"))
    exported.write_bytes(exported.read_bytes() + b'{"text": "One more."}\n')
    with pytest.raises(InputError, match="has no such line"):
        read(exported)


def test_a_run_that_is_not_done_is_refused(tmp_path: Path) -> None:
    run = RUNS["write_self_instruct"](tmp_path / "run", answers=9, status="suspended")
    with pytest.raises(InputError, match="is suspended"):
        read(run)


def test_documents_of_a_folder_have_the_ids_that_recipes_see(tmp_path: Path) -> None:
    from selfsown.documents.reading import read_documents

    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "a.md").write_text("# Title\n\nSome text.", encoding="utf-8")
    (folder / "b.txt").write_text("Other text.", encoding="utf-8")
    write_rows(folder / "c.jsonl", [{"text": "A row."}, {"text": "  "}])
    found = read(folder, "real")
    names = [one.id for one in found if isinstance(one, Unit)]
    assert names == [one.id for one in read_documents([folder]) if hasattr(one, "text")]
    assert [one.reason for one in found if isinstance(one, LeftOut)] == ["empty"]
    assert names[-1] == units_of_rows(folder / "c.jsonl")


def units_of_rows(path: Path) -> str:
    (name,) = [one.id for one in read(path, "real") if isinstance(one, Unit)]
    return name


def test_ids_may_be_numbers_and_text_may_be_broken(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"id": 7, "text": "A \\ud800 b."}\n{"doc_id": 7, "text": "Once more."}\n')
    first, second = units(path, "synthetic")
    assert first.text == "A \ufffd b." and first.doc_id == second.doc_id == "7"


def test_rows_of_requests_and_answers_are_one_text(tmp_path: Path) -> None:
    rows = [
        {"prompt": "Q: ", "completion": "A"},
        {"instruction": "Add.", "input": "1 2", "output": "3"},
    ]
    found = units(write_rows(tmp_path / "a.jsonl", rows), "synthetic")
    assert [unit.text for unit in found] == ["Q: A", "Add.\n\n1 2\n\n3"]
    with pytest.raises(InputError, match="row 1 has no text"):
        read(write_rows(tmp_path / "b.jsonl", [{"body": "Text."}]), "real")


def test_a_rephrase_run_and_its_documents_mix_document_by_document(tmp_path: Path) -> None:
    code = "\n\n```\nfor x in range(9):\n    print(x, x * x, x * x * x)\n```\n"
    rows = [document(number, sentences=4) for number in range(12)]
    rows[3]["text"] = f"{rows[3]['text']}{code}"
    web = write_rows(tmp_path / "web.jsonl", rows)
    run = rephrasing(tmp_path / "run", rows, styles=["easy"], chunk_tokens=40).directory
    passages = [one for one in read(run) if isinstance(one, Passage)]
    assert len(passages) == len(rows_of(run / "accepted.jsonl")) > 24
    assert Counter(one.unit.kind for one in passages)["real"] == 1, "the code passed unchanged"
    sources = [MixSource("web", web, 1, "real"), MixSource("easy", run, 1)]
    result = mix(sources, tmp_path / "out", MixOptions(pass_over="web", window=300))
    assert result.human_share == pytest.approx(0.5, abs=0.05)  # twelve documents
    by_doc = {part["doc_id"] for _, part in parts_of(*result.train) if part["source"] == "easy"}
    assert len(by_doc) > 8 and by_doc <= {f"d{number}" for number in range(12)}
    for told in rows_of(tmp_path / "out" / "train.jsonl.provenance.jsonl"):
        names = [part["doc_id"] for part in told["parts"]]
        assert len(names) == len(set(names))
    only = [one for one in read_source(replace(sources[1], only={"style": ("qa",)}), len)
            if isinstance(one, Passage)]  # fmt: skip
    assert [one.unit.kind for one in only] == ["real"], "what passed unchanged has no style"
    texts = json.dumps([row["text"] for row in rows_of(result.train[0])])
    assert texts.count("print(x") == 2 if "d3" in by_doc else 1
