"""Claim: with documents, Self-Instruct grows in their domain, and held-out ones are never shown.

Without documents it is what it was: its golden tests stand elsewhere.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.recipes.gardener import BASE, JSON_CHAT, SEEDS, gardener
from tests.recipes.grounded.scholar import documents, scholar, stage

from selfsown.cli.main import cli
from selfsown.core.errors import ConfigError, InputError, Interrupted, SelfsownError
from selfsown.core.model import Capabilities
from selfsown.core.request import Request
from selfsown.curate.decontaminate import DecontaminationIndex, Item
from selfsown.curate.index_file import write_index
from selfsown.models.scripted import ScriptedModel
from selfsown.offline import replay
from selfsown.recipes.base import get_recipe
from selfsown.runner import RunResult, run

DOCUMENTS = documents(12, paragraphs=1)


def grow(out: Path, model: ScriptedModel | None = None, **given: Any) -> RunResult:
    given = {"seeds": SEEDS, "rows": DOCUMENTS, "target": 12, **given}
    return run("self-instruct", model=model or gardener(capabilities=JSON_CHAT), out=out, **given)


def lines(directory: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (directory / f"{name}.jsonl").read_text().splitlines()]


def held_out(directory: Path) -> set[str]:
    return {
        (line.get("record") or {}).get("id", line.get("row_id"))
        for line in lines(directory, "provenance")
        if line["stage"] == "documents" and line["end"] == "rejected"
    }


def text_of(request: Request) -> str:
    return request.prompt or "\n".join(turn.text for turn in request.messages)


def shown_in(request: Request) -> set[str]:
    """Ids of the documents that a prompt shows anything of."""
    text = text_of(request)
    return {row["id"] for row in DOCUMENTS if row["text"].split(". ")[0] in text}


@pytest.mark.parametrize("capabilities", [JSON_CHAT, BASE])
def test_lists_and_instances_show_a_passage_and_never_a_held_out_one(
    tmp_path: Path, capabilities: Capabilities
) -> None:
    model = gardener(capabilities=capabilities)
    result = grow(tmp_path / "run", model)
    away = held_out(tmp_path / "run")
    assert away and result.stop == "target"
    for request in model.requests:
        text = text_of(request)
        is_question = "Is it classification?" in text and "Passage:" not in text
        assert is_question or len(shown_in(request) - away) == 1, text
        assert not shown_in(request) & away
    assert {str(row["doc_id"]) for row in result.accepted}.isdisjoint(away)
    for row in result.accepted:
        assert row["passage_end"] > row["passage_start"] >= 0 and row["licence"] == "CC0-1.0"


def test_the_held_out_documents_are_those_of_grounded(tmp_path: Path) -> None:
    grow(tmp_path / "a")
    run("grounded", model=scholar(), out=tmp_path / "b", rows=DOCUMENTS, seed=5)
    sides = [
        {line["record"]["id"] for line in lines(tmp_path / "b", "provenance")
         if line["stage"] == "documents" and line["record"]["side"] == "held_out"}
    ]  # fmt: skip
    assert held_out(tmp_path / "a") == sides[0]


def test_records_lead_to_their_document_and_nothing_is_lost(tmp_path: Path) -> None:
    result = grow(tmp_path / "run")
    known = {line["id"]: line for line in lines(tmp_path / "run", "provenance")}
    (first, *_) = (line for line in known.values() if line["stage"] == "completions")
    passages = [name for name in first["parents"] if not name.startswith("seed:")]
    document = known[known[passages[-1]]["parents"][0]]
    assert document["record"]["id"] == first["record"]["doc_id"]
    found = stage(result.manifest, "documents")
    assert found["in"] == 12 and sum(found["rejected"].values()) + found["accepted"] == 12
    for one in result.manifest["data"]["stages"]:
        ended = one["accepted"] + sum(one["rejected"].values()) + sum(one["failed"].values())
        assert one["in"] == ended > 0


def test_a_killed_run_resumes_and_replays(tmp_path: Path) -> None:
    whole = grow(tmp_path / "whole", order="strict")
    part = gardener(capabilities=JSON_CHAT)
    part._stop_after = 9
    with pytest.raises(Interrupted):
        grow(tmp_path / "part", part, order="strict")
    resumed = grow(tmp_path / "part", order="strict")
    assert resumed.manifest["data"]["files"] == whole.manifest["data"]["files"]
    assert replay(tmp_path / "part").identical


def test_tasks_that_point_at_the_passage_are_rejected(tmp_path: Path) -> None:
    usual = gardener(capabilities=JSON_CHAT)

    def reply(request: Request, seed: int) -> Any:
        assert usual._function is not None
        said = usual._function(request, seed)
        if request.schema and "tasks" in request.schema["properties"]:  # type: ignore[operator]
            tasks = json.loads(str(said))["tasks"]
            return json.dumps({"tasks": ["What does the author say about ropes?", *tasks]})
        return said

    result = grow(tmp_path / "run", ScriptedModel(reply, capabilities=JSON_CHAT))
    assert stage(result.manifest, "instructions")["rejected"]["not_self_contained"] > 1


def test_outputs_with_numbers_of_their_own_are_rejected(tmp_path: Path) -> None:
    usual = gardener(capabilities=JSON_CHAT)

    def reply(request: Request, seed: int) -> Any:
        assert usual._function is not None
        said = str(usual._function(request, seed))
        return said.replace('"done"', '"It was done in 2077"')

    model = ScriptedModel(reply, capabilities=JSON_CHAT)
    result = grow(tmp_path / "a", model, target=3, saturation_window=8)
    rejected = stage(result.manifest, "instances")["rejected"]
    assert rejected.get("number_not_in_passage", 0) > 3
    free = grow(tmp_path / "b", model, target=3, grounding={"check_outputs": False})
    assert "number_not_in_passage" not in stage(free.manifest, "instances")["rejected"]


def test_of_many_passages_a_fixed_sample_is_shown(tmp_path: Path) -> None:
    shown = []
    for name in ("a", "b"):
        model = gardener(capabilities=JSON_CHAT, fresh=0.2)
        result = grow(tmp_path / name, model, order="strict", grounding={"passages": 3})
        shown.append(set().union(*map(shown_in, model.requests)))
        notes = result.manifest["data"]["notes"]
        assert notes["passages"] == {"taken": notes["documents"]["training"], "in_library": 3}
    assert shown[0] == shown[1] and len(shown[0]) == 3


def test_a_passage_that_repeats_a_benchmark_is_not_shown(tmp_path: Path) -> None:
    items = DecontaminationIndex()
    items.add(Item("exam", "1", "question", DOCUMENTS[3]["text"].split(". ")[1]))
    write_index(tmp_path / "exam.index", items.own)
    model = gardener(capabilities=JSON_CHAT)
    filters = {"benchmark_overlap": {"indexes": [str(tmp_path / "exam.index")]}}
    result = grow(tmp_path / "run", model, filters=filters, held_out={"share": 0})
    assert stage(result.manifest, "passages")["rejected"] == {"benchmark_overlap": 1}
    assert "doc-3" not in set().union(*map(shown_in, model.requests))


def test_a_growing_pool_with_documents_is_not_sharded(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(DOCUMENTS[0]["text"])
    words = ["run", "self-instruct", "--documents", str(tmp_path / "a.txt"), "--model", "lab"]
    done = CliRunner().invoke(cli, [*words, "-o", str(tmp_path / "run"), "--shards", "2"])
    assert done.exit_code == 2 or isinstance(done.exception, ConfigError), done.output


def test_without_documents_nothing_of_this_is_in_prompts_or_data(tmp_path: Path) -> None:
    model = gardener(capabilities=JSON_CHAT)
    result = grow(tmp_path / "run", model, rows=None)
    assert not any("assage" in text_of(request) for request in model.requests)
    assert "documents" not in {one["stage"] for one in result.manifest["data"]["stages"]}
    recipe = get_recipe("self-instruct")
    assert not {"grounding", "held_out"} & recipe.data_options(recipe.options()).keys()
    assert not (tmp_path / "run" / "inputs" / "rows.jsonl").exists()


def test_documents_belong_to_what_the_data_depend_on(tmp_path: Path) -> None:
    grow(tmp_path / "run")
    with pytest.raises(SelfsownError, match=r"inputs\.rows"):
        grow(tmp_path / "run", rows=None)
    result = grow(tmp_path / "run", rows=None, update=True)
    assert result.stop == "target" and replay(tmp_path / "run").identical


def test_documents_without_a_usable_passage_and_contexts_without_room_are_refused(
    tmp_path: Path,
) -> None:
    with pytest.raises(InputError, match="no passage"):
        grow(tmp_path / "a", rows=[{"id": "x", "text": "A short note."}])
    with pytest.raises(InputError, match="no document was given"):
        grow(tmp_path / "none", rows=[])
    with pytest.raises(ConfigError, match="shows no passage"):
        grow(tmp_path / "blind", prompts={"chat_list": "{{ header }} {{ new_count }}"})
    small = Capabilities(chat=True, context_tokens=1024)
    with pytest.raises(ConfigError, match=r"grounding\.passage_tokens"):
        grow(tmp_path / "b", gardener(capabilities=small))


def test_a_folder_alone_is_enough_on_the_command_line(tmp_path: Path) -> None:
    """Seeds are the built-in ones then; the model is a script of pseudo-random text."""
    folder = tmp_path / "docs"
    folder.mkdir()
    for row in DOCUMENTS:
        (folder / f"{row['id']}.txt").write_text(row["text"])
    script = tmp_path / "script.jsonl"
    script.write_text(json.dumps({"text": "Explain how salt is sold in old towns."}) + "\n")
    out = tmp_path / "run"
    words = ["run", "self-instruct", "--documents", str(folder), "--model", f"scripted:{script}"]
    words += ["-n", "1", "-o", str(out), "--set", "max_requests=2", "--set", "structured=never"]
    done = CliRunner().invoke(cli, [*words, "--quiet", "--yes"])
    assert done.exit_code == 0, done.output
    assert len(lines(out / "inputs", "rows")) == 12 and lines(out / "inputs", "seeds")
    again = CliRunner().invoke(cli, ["run", str(out / "config.yaml"), "--quiet", "--yes"])
    assert again.exit_code == 0, again.output
