"""Claim: held-out documents give an evaluation suite, and no training record touches one of them.

Checked with copies of held-out documents, whole, cut and changed, among the training documents.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.recipes.grounded.scholar import FACTS, Items, document, documents, scholar, stage

from selfsown.cli.main import cli
from selfsown.core.errors import InputError
from selfsown.core.request import Request
from selfsown.curate.item_store import Words
from selfsown.evaluate.open_suite import open_suite
from selfsown.evaluate.overlap import row_overlaps, suite_index
from selfsown.evaluation import evaluate
from selfsown.export.export import export_run
from selfsown.models.scripted import ScriptedModel
from selfsown.recipes.grounded.suite import write_suite
from selfsown.runner import RunResult, run
from selfsown.scale.data_set import Asked, merge_directories

DOCUMENTS = documents(10, paragraphs=2)
SHARE = {"held_out": {"share": 0.3}}


def ground(out: Path, rows: list[dict[str, Any]], **given: Any) -> RunResult:
    given = {"passage_tokens": 120, **SHARE, **given}
    model = given.pop("model", None) or scholar()
    return run("grounded", model=model, out=out, rows=rows, **given)


def lines(directory: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (directory / f"{name}.jsonl").read_text().splitlines()]


def ended(directory: Path, name: str) -> list[dict[str, Any]]:
    """The kept records of a stage that is not the output."""
    return [
        line["record"]
        for line in lines(directory, "provenance")
        if line["stage"] == name and line["end"] == "passed"
    ]


def held_out_ids(directory: Path) -> set[str]:
    return {row["id"] for row in ended(directory, "documents") if row["side"] == "held_out"}


def test_no_document_is_on_both_sides(tmp_path: Path) -> None:
    result = ground(tmp_path / "run", DOCUMENTS)
    held_out = held_out_ids(tmp_path / "run")
    assert held_out and {str(row["doc_id"]) for row in result.accepted}.isdisjoint(held_out)
    assert {row["doc_id"] for row in ended(tmp_path / "run", "held_out")} == held_out
    counts = result.manifest["data"]["notes"]["documents"]
    assert counts == {"held_out": len(held_out), "training": 10 - len(held_out)}


def test_the_order_of_documents_and_the_runs_seed_move_none(tmp_path: Path) -> None:
    ground(tmp_path / "a", DOCUMENTS)
    ground(tmp_path / "b", DOCUMENTS[::-1], seed=9)
    assert held_out_ids(tmp_path / "a") == held_out_ids(tmp_path / "b")


def test_no_training_record_repeats_what_is_held_out(tmp_path: Path) -> None:
    ground(tmp_path / "first", DOCUMENTS)
    held_out = held_out_ids(tmp_path / "first")
    texts = {row["id"]: row["text"] for row in DOCUMENTS if row["id"] in held_out}
    first, *_ = texts.values()
    words = first.split()
    copies = [
        {"id": "whole", "text": f"A copy with another beginning follows.\n\n{first}"},
        {"id": "cut", "text": " ".join(words[11:60])},
        {"id": "changed", "text": " ".join(w if k % 10 else "so" for k, w in enumerate(words))},
    ]
    # Copies first: what is held out is known before anything is asked, wherever it stands.
    result = ground(tmp_path / "run", [*copies, *DOCUMENTS])
    out = tmp_path / "run"
    assert held_out <= held_out_ids(out)
    rejected = [row for row in lines(out, "rejected") if row["reason"] == "near_held_out"]
    copied = {"whole", "cut", "changed"} - held_out_ids(out)
    assert len(copied) >= 2 and {row["record"]["doc_id"] for row in rejected} == copied
    _assert_apart(out, result, tmp_path / "suite.jsonl")


def test_a_single_sentence_of_a_held_out_document_is_no_proof_of_a_training_record(
    tmp_path: Path,
) -> None:
    """In a passage of its own words, so that the passage is taken, and asked about nowhere else."""
    ground(tmp_path / "first", DOCUMENTS)
    away = held_out_ids(tmp_path / "first")
    (first, *_) = (row["text"] for row in DOCUMENTS if row["id"] in away)
    sentence = next(one for one in FACTS if one in first)
    own = document(77, paragraphs=1)["text"]
    mixed = {"id": "mixed", "text": own.replace(". ", f". {sentence} ", 1)}

    def change(items: Items, passage: str) -> Items:
        question, known = FACTS[sentence]
        if sentence not in passage:
            return items
        copied = [{"quote": sentence, "question": question, "answer": known}]
        return copied if own[:30] in passage else [i for i in items if i["quote"] != sentence]

    rows = [*DOCUMENTS, mixed]
    result = ground(tmp_path / "run", rows, model=scholar(change=change), passage_tokens=300)
    assert "mixed" not in held_out_ids(tmp_path / "run")
    rejected = [row for row in lines(tmp_path / "run", "rejected")
                if row["record"].get("doc_id") == "mixed"]  # fmt: skip
    assert [row["reason"] for row in rejected] == ["repeats_held_out"]
    _assert_apart(tmp_path / "run", result, tmp_path / "suite.jsonl")


def _assert_apart(out: Path, result: RunResult, suite_path: Path) -> None:
    """No training record repeats a held-out item, or 8 words in a row of a held-out text."""
    write_suite(out, suite_path)
    index = suite_index([open_suite(str(suite_path))])
    ids = held_out_ids(out)
    rows = lines(out / "inputs", "rows")
    runs = {code for row in rows if row["id"] in ids for code in Words(row["text"]).codes(8)}
    assert runs
    for record in result.accepted:
        shown = {name: record[name] for name in ("instruction", "input", "output")}
        assert not row_overlaps(shown, index)
        for name in ("evidence", "output", "instruction"):
            assert not runs.intersection(Words(str(record[name])).codes(8)), record


def test_a_question_that_a_held_out_item_asks_is_no_training_record(tmp_path: Path) -> None:
    """A generator that asks the same of every passage, with the answer of the passage."""

    def same(items: Items, passage: str) -> Items:
        return [{**items[0], "question": "What do people of old towns say about their trade?"}]

    def answer(question: str, known: str) -> str:
        return "It is as it has always been in those parts of the world, they say."

    model = scholar(change=same, answer=answer, same="SAME")
    result = ground(tmp_path / "run", DOCUMENTS, model=model, duplicate_threshold=1.0)
    assert stage(result.manifest, "held_out")["accepted"] > 1
    found = stage(result.manifest, "pairs")
    assert found["rejected"] == {"repeats_held_out": found["in"]} and not len(result.accepted)


def test_what_a_named_suite_holds_is_in_no_passage_and_no_item(tmp_path: Path) -> None:
    facts = [fact for sentence, fact in FACTS.items() if sentence in DOCUMENTS[4]["text"]]
    suite = tmp_path / "exam.jsonl"
    rows = [{"instruction": question, "output": known} for question, known in facts]
    suite.write_text("".join(json.dumps(row) + "\n" for row in rows))
    result = ground(tmp_path / "run", DOCUMENTS, suites=[str(suite)], held_out={"share": 0})
    rejected = [
        row for row in lines(tmp_path / "run", "rejected") if "instruction" in row["record"]
    ]
    assert {row["reason"] for row in rejected} == {"benchmark_overlap"}
    assert {row["record"]["instruction"] for row in rejected} <= {question for question, _ in facts}
    assert len(rejected) >= 5 and "doc-4" not in {str(row["doc_id"]) for row in result.accepted}


# -- the suite


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("held") / "run"
    ground(out, DOCUMENTS)
    return out


def test_a_model_is_scored_on_the_held_out_items(finished: Path, tmp_path: Path) -> None:
    """By a model that knows all answers to questions, and shows that it saw the passage."""
    path = tmp_path / "exam.jsonl"
    done = CliRunner().invoke(cli, ["suites", "held-out", str(finished), "-o", str(path)])
    assert done.exit_code == 0, done.output
    suite = open_suite(str(path))
    assert len(suite.instances) == len(ended(finished, "held_out")) > 5
    assert {one.cluster for one in suite.instances} == held_out_ids(finished)

    def known(request: Request, seed: int) -> str:
        text = request.prompt or request.messages[0].text
        return next(answer for question, answer in FACTS.values() if question in text)

    model, trained_on = ScriptedModel(known), tmp_path / "train.jsonl"
    export_run(finished, trained_on)
    (scores,) = evaluate(model, [suite], tmp_path / "eval", trained_on=[trained_on]).suites
    assert scores.metrics["exact_match"].mean == 1.0
    assert not any(sentence in (r.prompt or r.messages[0].text) for r in model.requests
                   for sentence in FACTS)  # fmt: skip


def test_with_open_book_the_passage_is_shown(finished: Path, tmp_path: Path) -> None:
    path = tmp_path / "exam.jsonl"
    write_suite(finished, path, open_book=True)
    for one in open_suite(str(path)).instances:
        (sentence,) = (s for s, (question, _) in FACTS.items() if question == one.instruction)
        assert sentence in one.input and sentence in one.prompt


def test_runs_over_parts_of_the_documents_merge_and_keep_their_held_out_items(
    tmp_path: Path,
) -> None:
    halves = [tmp_path / "even", tmp_path / "odd"]
    for number, half in enumerate(halves):
        ground(half, DOCUMENTS[number::2])
    merged, path = tmp_path / "merged", tmp_path / "exam.jsonl"
    done = CliRunner().invoke(cli, ["merge", *map(str, halves), "-o", str(merged)])
    assert done.exit_code == 0, done.output
    write_suite(merged, path)
    items = sum(len(ended(half, "held_out")) for half in halves)
    assert len(open_suite(str(path)).instances) == items > 5


def test_a_merge_drops_what_repeats_the_held_out_documents_of_another_run(tmp_path: Path) -> None:
    """Of copies that the run over them takes for training, since it does not know the originals."""
    a, b, merged = (tmp_path / name for name in ("a", "b", "merged"))
    ground(a, DOCUMENTS)
    away = held_out_ids(a)
    copies = [
        {**row, "id": f"copy of {row['id']}", "text": f"A copy follows.\n\n{row['text']}"}
        for row in DOCUMENTS
        if row["id"] in away
    ]
    others = [{**document(number), "id": row["id"]}
              for number, row in enumerate(DOCUMENTS, 40)]  # fmt: skip
    result = ground(b, [*copies, *others], held_out={"share": 0})
    copied = [row for row in result.accepted if str(row["doc_id"]).startswith("copy")]
    manifest = merge_directories([a, b], merged, Asked())
    rejected = lines(merged, "rejected")
    assert {row["reason"] for row in rejected} == {"merge_near_held_out"}
    assert len(rejected) == len(copied) > 5
    assert {row["record"]["doc_id"] for row in rejected} == {row["id"] for row in copies}
    facts: Any = manifest["data"]
    assert facts["notes"]["merge"]["rejected"] == {"merge_near_held_out": len(copied)}


def test_a_merge_of_one_run_is_that_run(finished: Path, tmp_path: Path) -> None:
    merge_directories([finished], tmp_path / "merged", Asked())
    assert lines(tmp_path / "merged", "accepted") == lines(finished, "accepted")


def test_hard_items_are_those_that_a_model_gets_wrong_without_the_passage(
    finished: Path, tmp_path: Path
) -> None:
    def clever(question: str, known: str) -> str:
        return known if question.startswith("Who") else "UNKNOWN"

    model = scholar(closed_book=clever)
    ground(tmp_path / "run", DOCUMENTS, model=model, closed_book="record")
    path = tmp_path / "hard.jsonl"
    write_suite(tmp_path / "run", path, hard=True)
    asked = [one.instruction for one in open_suite(str(path)).instances]
    assert asked and not any(question.startswith("Who") for question in asked)
    with pytest.raises(InputError, match="closed_book=record"):
        write_suite(finished, path, hard=True)


def test_the_same_run_writes_the_same_suite(finished: Path, tmp_path: Path) -> None:
    ground(tmp_path / "again", DOCUMENTS)
    facts = [write_suite(d, tmp_path / "s.jsonl") for d in (finished, tmp_path / "again")]
    assert facts[0] == facts[1]


def test_a_run_without_held_out_items_has_no_suite(finished: Path, tmp_path: Path) -> None:
    ground(tmp_path / "none", DOCUMENTS[:2], held_out={"share": 0})
    with pytest.raises(InputError, match="no held-out items"):
        write_suite(tmp_path / "none", tmp_path / "s.jsonl")
    path = tmp_path / "there.jsonl"
    path.write_text("{}")
    done = CliRunner().invoke(cli, ["suites", "held-out", str(finished), "-o", str(path)])
    assert isinstance(done.exception, InputError) or done.exit_code == 2
