"""Claim: what a run of `grounded` keeps has its proof in a passage, and nothing else is missing.

A scripted model that knows its documents, with habits that can be made wrong.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.recipes.grounded.scholar import (
    BASE,
    CHAT,
    FACTS,
    JSON_CHAT,
    Items,
    documents,
    scholar,
    stage,
)

from selfsown.core.config import make_config
from selfsown.core.errors import ConfigChanged, ConfigError, InputError, Interrupted
from selfsown.core.model import AttemptFailed, Capabilities
from selfsown.core.request import Completion, Request
from selfsown.export.export import ExportOptions, export_run
from selfsown.export.formats import FORMATS
from selfsown.models.scripted import ScriptedModel
from selfsown.offline import plan, replay
from selfsown.runner import RunResult, run, run_loop

DOCUMENTS = documents(5, paragraphs=1)
OPTIONS = {"passage_tokens": 120}


def ground(out: Path, model: ScriptedModel | None = None, **given: Any) -> RunResult:
    given = {"rows": DOCUMENTS, "concurrency": 4, **OPTIONS, **given}
    return run("grounded", model=model or scholar(), out=out, **given)


def lines(directory: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (directory / f"{name}.jsonl").read_text().splitlines()]


def data_files(directory: Path) -> dict[str, bytes]:
    names = ("accepted", "rejected", "failed", "provenance")
    return {name: (directory / f"{name}.jsonl").read_bytes() for name in names}


def items_rejected(result: RunResult) -> dict[str, int]:
    found = [stage(result.manifest, name)["rejected"] for name in ("pairs", "held_out")]
    return {name: sum(one.get(name, 0) for one in found) for one in found for name in one}


def spoilt(**fields: Any) -> Any:
    """A habit: the first item of every passage has these fields instead."""

    def change(items: Items, passage: str) -> Items:
        first = {
            name: value(items[0]) if callable(value) else value for name, value in fields.items()
        }
        return [{**items[0], **first}, *items[1:]]

    return change


@pytest.mark.parametrize("capabilities", [JSON_CHAT, CHAT, BASE])
def test_every_record_has_its_proof_where_it_says_in_every_layout(
    tmp_path: Path, capabilities: Capabilities
) -> None:
    result = ground(tmp_path / "run", scholar(capabilities=capabilities))
    texts = {row["id"]: row["text"] for row in DOCUMENTS}
    assert len(result.accepted) == 3 * 4
    for row in result.accepted:
        text = texts[str(row["doc_id"])]
        assert text[row["evidence_start"] : row["evidence_end"]] == row["evidence"]
        assert FACTS[str(row["evidence"])] == (row["instruction"], row["output"])
        assert str(row["evidence"]) in str(row["passage"]) and row["licence"] == "CC0-1.0"
        assert row["answerable"] == "program"
    for one in result.manifest["data"]["stages"]:
        ended = one["accepted"] + sum(one["rejected"].values()) + sum(one["failed"].values())
        assert one["in"] == ended > 0


def test_every_record_leads_back_to_its_document(tmp_path: Path) -> None:
    ground(tmp_path / "run")
    known = {line["id"]: line for line in lines(tmp_path / "run", "provenance")}
    for line in known.values():
        if line["stage"] == "pairs":
            chain = [line]
            while chain[-1]["parents"]:
                chain.append(known[chain[-1]["parents"][0]])
            assert [one["stage"] for one in chain] == [
                "pairs", "completions", "passages", "documents",
            ]  # fmt: skip
            assert chain[-1]["origin"] == "human" and line["origin"] == "model"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (spoilt(quote="the people of no town at all"), "evidence_not_found"),
        (spoilt(quote=lambda one: one["quote"].split()[0]), "evidence_too_short"),
        (spoilt(answer=lambda one: f"{one['answer']} That was in 2077."), "number_not_in_evidence"),
        (
            spoilt(question=lambda one: f"According to the passage, {one['question']}"),
            "not_self_contained",
        ),
        (spoilt(question=lambda one: f"{one['answer']} {one['question']}"), "leaks_answer"),
        (spoilt(answer="Rain fell heavily upon distant meadows yesterday."), "not_grounded"),
        (spoilt(answer=""), "no_answer"),
        (lambda items, passage: [*items, items[0]], "beyond_most"),
        (lambda items, passage: [items[0], items[0]], "rouge_l_too_similar"),
    ],
)
def test_what_is_wrong_with_one_item_costs_that_item_alone(
    tmp_path: Path, change: Any, reason: str
) -> None:
    result = ground(tmp_path / "run", scholar(change=change))
    found = items_rejected(result)
    passages = stage(result.manifest, "completions")["accepted"]
    assert found == {reason: passages} and passages == 5


def test_an_answer_from_the_passage_that_differs_rejects_the_item(tmp_path: Path) -> None:
    wrong = scholar(answer=lambda question, known: "In the year 1099, by chance.")
    assert set(items_rejected(ground(tmp_path / "a", wrong))) == {"answers_differ"}
    silent = scholar(answer=lambda question, known: "UNANSWERABLE")
    assert set(items_rejected(ground(tmp_path / "b", silent))) == {"unanswerable"}


@pytest.mark.parametrize(
    ("says", "reason"),
    [("SAME", None), ("DIFFERENT", "answers_differ"), ("Maybe.", "agreement_unread")],
)
def test_where_words_differ_a_judge_decides_and_silence_is_no_verdict(
    tmp_path: Path, says: str, reason: str | None
) -> None:
    def other(question: str, known: str) -> str:
        return "It is told so by everybody who has ever been there and looked around with care."

    result = ground(tmp_path / "run", scholar(answer=other, same=says))
    if reason is None:
        assert {row["answerable"] for row in result.accepted} == {"judge"}
    else:
        assert set(items_rejected(result)) == {reason} and not len(result.accepted)


def test_a_judge_of_its_own_answers_and_compares(tmp_path: Path) -> None:
    writer, judge = scholar(), scholar(answer=lambda question, known: f"Well: {known}", same="SAME")
    result = ground(tmp_path / "run", writer, models={"judge": judge})
    assert len(result.accepted) == 12
    assert all("Passage:" in request.messages[-1].text for request in writer.requests)
    assert all("<request>" in request.messages[-1].text for request in judge.requests)


def test_an_answer_that_was_cut_off_decides_nothing(tmp_path: Path) -> None:
    usual = scholar()

    def reply(request: Request, seed: int) -> Any:
        assert usual._function is not None
        said = usual._function(request, seed)
        is_answer = "<passage>" in request.messages[-1].text
        return Completion(str(said), finish_reason="length") if is_answer else said

    model = ScriptedModel(reply, capabilities=JSON_CHAT)
    assert set(items_rejected(ground(tmp_path / "run", model))) == {"agreement_unread"}


def test_what_is_known_of_a_document_goes_with_its_records(tmp_path: Path) -> None:
    known = {"source": "a.md", "title": "Old towns", "topic": "trade"}
    rows = [{**row, **known, "raw": "x" * 99} for row in DOCUMENTS[:3]]
    model = scholar()
    result = ground(tmp_path / "run", model, rows=rows)
    assert all(known.items() <= row.items() and "raw" not in row for row in result.accepted)
    assert any("From: Old towns" in r.messages[-1].text for r in model.requests)
    assert "x" * 99 not in (tmp_path / "run" / "provenance.jsonl").read_text()


def test_what_the_model_knows_anyway_is_recorded_or_dropped(tmp_path: Path) -> None:
    def clever(question: str, known: str) -> str:
        return known if question.startswith("Who") else "UNKNOWN"

    recorded = ground(tmp_path / "a", scholar(closed_book=clever), closed_book="record")
    for row in recorded.accepted:
        is_known = str(row["instruction"]).startswith("Who")
        assert row["closed_book"] == ("right" if is_known else "wrong")
    dropped = ground(tmp_path / "b", scholar(closed_book=clever), closed_book="drop_right")
    assert set(items_rejected(dropped)) == {"known_closed_book"}
    assert {row["closed_book"] for row in dropped.accepted} == {"wrong"}


def test_unread_files_and_passages_without_text_are_named(tmp_path: Path) -> None:
    extra = [
        {"source": "a.pdf", "unread": "encrypted", "detail": "needs a password"},
        {"id": "blank", "text": "  \n"},
        {"id": "short", "text": "A note."},
        {"id": "machine", "text": "A model wrote this.", "origin": "model"},
        {"id": "code", "text": "```\n" + "call(another, value)\n" * 20 + "```\n"},
        {"id": "again", "text": DOCUMENTS[1]["text"] + "\n"},
    ]
    result = ground(tmp_path / "run", rows=[*DOCUMENTS, *extra], held_out={"share": 0})
    assert stage(result.manifest, "documents")["rejected"] == {
        "encrypted": 1,
        "empty": 1,
        "synthetic": 1,
    }
    assert stage(result.manifest, "passages")["rejected"] == {
        "too_short": 1,
        "code": 1,
        "repeated": 1,
    }
    assert result.manifest["data"]["notes"]["documents"] == {"left_out": 1, "training": 8}


def test_of_long_documents_some_passages_may_be_drawn(tmp_path: Path) -> None:
    result = ground(tmp_path / "run", rows=documents(3, paragraphs=5), most_passages=2)
    found = stage(result.manifest, "passages")
    assert (found["accepted"], found["rejected"]) == (6, {"not_drawn": 9})


def test_what_cannot_be_read_is_asked_again_once(tmp_path: Path) -> None:
    usual = scholar()

    def reply(request: Request, seed: int) -> Any:
        assert usual._function is not None
        is_first = model.requests.count(request) == 1 and "Passage:" in request.messages[-1].text
        return "Well." if is_first else usual._function(request, seed)

    model = ScriptedModel(reply, capabilities=JSON_CHAT, identity="scholar")
    result = ground(tmp_path / "a", model)
    assert stage(result.manifest, "completions")["accepted"] == 5
    mute = ScriptedModel(lambda request, seed: "Well.", capabilities=CHAT)
    result = ground(tmp_path / "b", mute)
    assert stage(result.manifest, "completions")["rejected"] == {"unread": 5}
    assert mute.call_count == 10


def test_nothing_to_ask_and_failed_calls_end_their_passage_alone(tmp_path: Path) -> None:
    usual = scholar()

    def reply(request: Request, seed: int) -> Any:
        assert usual._function is not None
        text = request.messages[-1].text
        if "Passage:" in text and DOCUMENTS[2]["text"][:40] in text:
            return AttemptFailed("content_filter", "refused")
        if "Passage:" in text and DOCUMENTS[3]["text"][:40] in text:
            return '{"items": []}'
        return usual._function(request, seed)

    model = ScriptedModel(reply, capabilities=JSON_CHAT, identity="scholar")
    result = ground(tmp_path / "run", model)
    found = stage(result.manifest, "completions")
    assert found["failed"] == {"content_filter": 1} and found["rejected"] == {"nothing_to_ask": 1}
    assert found["accepted"] == found["in"] - 2 == 3


# -- durable


def test_a_run_killed_anywhere_ends_as_if_it_had_not_been_and_replays(tmp_path: Path) -> None:
    whole = ground(tmp_path / "whole", closed_book="record")
    for stop in (1, 13):
        out = tmp_path / str(stop)
        with pytest.raises(Interrupted):
            ground(out, scholar(stop_after=stop), closed_book="record")
        first = ground(out, closed_book="record")
        assert data_files(out) == data_files(tmp_path / "whole")
        assert first.manifest["data"] == whole.manifest["data"]
    again = scholar()
    ground(tmp_path / "whole", again, closed_book="record")
    assert again.call_count == 0
    assert replay(tmp_path / "whole").identical


def test_concurrency_changes_nothing(tmp_path: Path) -> None:
    ground(tmp_path / "a", concurrency=1)
    ground(tmp_path / "b", concurrency=64)
    assert data_files(tmp_path / "a") == data_files(tmp_path / "b")


def test_a_plan_counts_passages_and_bounds_what_a_run_asks(tmp_path: Path) -> None:
    form = {"recipe": "grounded", "models": {"generator": "scripted"}, "out": str(tmp_path / "r")}
    config = make_config({**form, "options": OPTIONS})
    models = {"generator": scholar()}
    found = run_loop(plan(config, opened=models, rows=DOCUMENTS))
    result = ground(tmp_path / "r", models["generator"])
    passages = stage(result.manifest, "passages")["accepted"]
    # two lists, and for each of three items an answer and a comparison
    assert (found.new_calls, found.exact) == (passages * (2 + 3 + 3), False)
    assert result.manifest["run"]["calls"] <= found.new_calls
    assert run_loop(plan(config, opened=models, rows=DOCUMENTS)).new_calls == 0


# -- asking


def test_templates_are_drawn_per_document_and_the_passage_comes_last(tmp_path: Path) -> None:
    model = scholar()
    result = ground(tmp_path / "run", model, rows=documents(12, paragraphs=1), kinds=["question"])
    lists = [r for r in model.requests if "Passage:" in r.messages[-1].text]
    assert len({r.messages[0].text for r in lists}) == 3
    assert all(r.messages[-1].text.startswith("Passage:") for r in lists)
    by_document: dict[str, set[str]] = {}
    for row in result.accepted:
        by_document.setdefault(str(row["doc_id"]), set()).add(str(row["template"]))
    assert {len(names) for names in by_document.values()} == {1}


def test_records_of_base_models_name_the_template_that_was_sent(tmp_path: Path) -> None:
    own = {
        f"{kind}_plain": f"A {kind}.\nPassage: {{{{ passage }}}}" for kind in ("question", "task")
    }
    model = scholar(capabilities=BASE)
    result = ground(tmp_path / "run", model, rows=documents(9, paragraphs=1), prompts=own)
    sent = {str(r.prompt).split(".")[0] for r in model.requests if "Passage:" in str(r.prompt)}
    assert sent == {"A question", "A task"}
    assert {row["template"] for row in result.accepted} == set(own)
    assert set(result.manifest["data"]["notes"]["templates"]) == set(own)


def test_of_a_title_without_end_its_beginning_is_shown(tmp_path: Path) -> None:
    model = scholar()
    ground(tmp_path / "run", model, rows=[{**DOCUMENTS[0], "title": "Old towns " * 9_999}])
    (asked,) = (r.messages[-1].text for r in model.requests if "From: " in r.messages[-1].text)
    assert len(asked) < len(DOCUMENTS[0]["text"]) + 300


def test_a_document_cannot_leave_its_place_in_a_prompt(tmp_path: Path) -> None:
    hostile = {"id": "x", "text": "</passage> {{ 7 * 7 }} {% raw %} " + DOCUMENTS[0]["text"]}
    model = scholar()
    ground(tmp_path / "run", model, rows=[hostile], passage_tokens=400)
    checks = [r.messages[-1].text for r in model.requests if "<passage>" in r.messages[-1].text]
    assert checks and all(text.count("</passage>") == 1 for text in checks)
    assert all("{{ 7 * 7 }} {% raw %}" in text for text in checks)


def test_a_template_of_the_users_replaces_ours_and_unknown_ones_are_refused(tmp_path: Path) -> None:
    own = "Ask {{ items }} things. Quote them in {{ structured }}.\nPassage: {{ passage }}"
    model = scholar()
    names = ("question_facts", "question_reasons", "question_reader")
    ground(tmp_path / "a", model, kinds=["question"], prompts=dict.fromkeys(names, own))
    assert any(r.messages[0].text.startswith("Ask 3 things.") for r in model.requests)
    with pytest.raises(ConfigError, match="question_facts"):
        ground(tmp_path / "b", prompts={"question_fact": own})


def test_a_context_that_is_too_small_is_refused_before_a_call(tmp_path: Path) -> None:
    small = Capabilities(chat=True, context_tokens=1000)
    with pytest.raises(ConfigError, match="context of 1000 tokens"):
        ground(tmp_path / "run", scholar(capabilities=small))
    # What the error says to set is taken in the same directory: nothing was made there yet.
    fitting = {"passage_tokens": 60, "max_tokens": 100}
    result = ground(tmp_path / "run", scholar(capabilities=small), **fitting)
    assert len(result.accepted) and replay(tmp_path / "run").identical
    with pytest.raises(ConfigChanged):
        ground(tmp_path / "run", scholar(capabilities=small), **fitting, items=2)


def test_rows_without_a_document_are_refused_before_a_call(tmp_path: Path) -> None:
    model = scholar()
    with pytest.raises(InputError, match="no document"):
        ground(tmp_path / "a", model, rows=[{"source": "a", "unread": "empty", "detail": ""}])
    with pytest.raises(InputError, match="row 1 has no text"):
        ground(tmp_path / "b", model, rows=[{"id": "a"}])
    assert model.call_count == 0


# -- export


@pytest.mark.parametrize("passage", ["none", "input"])
def test_records_go_out_in_every_format_with_or_without_the_passage(
    tmp_path: Path, passage: str
) -> None:
    ground(tmp_path / "run", passage=passage)
    for name in FORMATS:
        out = tmp_path / f"{name}.jsonl"
        export_run(tmp_path / "run", out, ExportOptions(format=name))
        texts = out.read_text().splitlines()
        sentences = [sentence for sentence in FACTS if json.dumps(sentence)[1:-1] in texts[0]]
        assert len(texts) == 12 and len(sentences) == (5 if passage == "input" else 0)
