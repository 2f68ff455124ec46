"""Claim: every document and every text ends once, however often a run stops (check 8.7)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.recipes.cosmopedia.scribe import (
    asked,
    digests,
    documents,
    ends,
    grow,
    text_of,
    told,
)

from selfsown.core.config import make_config
from selfsown.core.errors import Interrupted
from selfsown.core.model import AttemptFailed, Capabilities
from selfsown.core.request import Completion, Request
from selfsown.documents.document import Unread
from selfsown.models.scripted import ScriptedModel
from selfsown.offline import replay
from selfsown.preference.reasons import HONEST, NOT_THE_ANSWER
from selfsown.runner import Start, execute, run_loop

UNREAD = [Unread("b.pdf", "encrypted", "a password").row(), Unread("c.bin", "binary").row()]


def moody(request: Request, seed: int) -> Any:
    """Texts, some of which cannot be used, some of which fail, and some are too short."""
    kind = len(asked(request)) % 7
    if kind == 0:
        return AttemptFailed("bad_request", "no")
    if kind == 1 or (kind == 3 and seed % 2):
        return "I'm sorry, but I cannot help with that."
    return text_of(f"{asked(request)} {seed}", 60 if kind == 2 else 170)


def mixed(count: int) -> list[dict[str, Any]]:
    """Rows of every kind, with documents among them."""
    rows: list[dict[str, Any]] = [
        {**row, "topic": f"t{n % 2}"} for n, row in enumerate(documents(count))
    ]
    rows[3:3] = [*UNREAD, {"id": "blank", "text": " \n"}, {**rows[0]}]
    rows.append({"id": "d0", "text": "Another text with an id that was there."})
    rows.append({"id": "again", "text": f"{rows[1]['text']} More.", "topic": "t1"})
    rows.append({"id": "made", "text": text_of("made"), "origin": "model"})
    return rows


def test_a_run_that_is_killed_at_any_call_ends_with_the_same_bytes(tmp_path: Path) -> None:
    rows = mixed(12)
    options: dict[str, Any] = {"ahead": 5, "filters": {"near_duplicate": {"words": 5}}}
    whole, _ = grow(tmp_path / "whole", rows, moody, **options)
    killed = tmp_path / "killed"
    for stop_after in (1, 3, 2, 5, 4):
        with pytest.raises(Interrupted):
            grow(killed, rows, moody, stop_after=stop_after, concurrency=1, **options)
    last, _ = grow(killed, rows, moody, concurrency=3, **options)
    assert digests(killed) == digests(tmp_path / "whole")
    assert last.manifest["data"] == whole.manifest["data"]
    assert replay(killed).identical and replay(tmp_path / "whole").identical
    again, idle = grow(killed, rows, moody, **options)
    assert idle.call_count == 0 and again.manifest["data"] == whole.manifest["data"]


def test_every_row_and_every_text_is_counted_once_with_its_reason(tmp_path: Path) -> None:
    rows = mixed(20)
    result, _ = grow(tmp_path / "run", rows, moody, per_document=2)
    seeds, texts = ends(result, "documents"), ends(result, "texts")
    assert seeds["in"] == len(rows) and texts["in"] == 2 * seeds["accepted"]
    assert seeds["rejected"] == {
        **{"binary": 1, "encrypted": 1, "empty": 1, "duplicate": 1, "duplicate_id": 1},
        **{"repeated_extract": 1, "synthetic": 1},
    }
    for stage in (seeds, texts):
        lost = sum(stage["rejected"].values()) + sum(stage["failed"].values())
        assert stage["in"] == stage["accepted"] + lost
    assert texts["failed"]["bad_request"] and texts["failed"]["unusable"]
    assert texts["rejected"].keys() == {"too_short"}


@pytest.mark.parametrize(("tokens", "is_kept"), [(149, False), (150, True), (151, True)])
def test_a_text_of_just_enough_tokens_is_in_exactly_one_set(
    tmp_path: Path, tokens: int, is_kept: bool
) -> None:
    result, _ = grow(tmp_path / "run", documents(1), lambda *_: text_of("x", tokens))
    assert (len(result.accepted), len(result.rejected)) == ((1, 0) if is_kept else (0, 1))
    assert not result.failed
    kept = [*result.accepted, *(line["record"] for line in result.rejected)]
    assert [record["n_tokens"] for record in kept] == [tokens]  # type: ignore[index,call-overload]


@pytest.mark.parametrize(
    ("answer", "attempts", "calls"),
    [
        ("I'm sorry, but I can't help with that.", 6, 6),
        ("Hello!", 6, 6),
        ("   \n", 1, 3),  # the engine itself takes no blank reply before the third
    ],
)
def test_what_cannot_be_used_is_asked_for_six_times_and_is_no_success(
    tmp_path: Path, answer: str, attempts: int, calls: int
) -> None:
    rows = documents(1)
    result, model = grow(tmp_path / "run", rows, lambda *_: Completion(answer), attempts=attempts)
    assert model.call_count == calls
    assert not result.accepted and not result.rejected
    (failed,) = result.failed
    assert "unusable" in str(failed["error"]) and failed["record"]["attempts"] == attempts  # type: ignore[index,call-overload]
    assert replay(tmp_path / "run").identical


def test_a_later_attempt_is_a_new_sample_and_is_kept(tmp_path: Path) -> None:
    seen: list[int] = []

    def late(request: Request, seed: int) -> str:
        seen.append(seed)
        return told(request, seed) if len(seen) == 4 else "As an AI language model, I cannot."

    result, model = grow(tmp_path / "run", documents(1), late)
    assert [record["attempts"] for record in result.accepted] == [4]
    assert model.call_count == 4 and len(set(seen)) == 4


def test_a_text_that_was_cut_off_is_rejected_unless_wanted(tmp_path: Path) -> None:
    def cut(request: Request, seed: int) -> Completion:
        return Completion(told(request, seed), finish_reason="length")

    result, _ = grow(tmp_path / "run", documents(2), cut)
    assert ends(result, "texts")["rejected"] == {"cut_off": 2}
    kept, _ = grow(tmp_path / "kept", documents(2), cut, keep_cut_off=True)
    assert len(kept.accepted) == 2


def test_repeated_texts_and_near_duplicates_are_kept_once_in_the_order_of_documents(
    tmp_path: Path,
) -> None:
    def alike(request: Request, seed: int) -> str:
        text = text_of("one", 300)
        return text if "Number 3." not in asked(request) else text.replace("sand", "glue", 1)

    result, _ = grow(tmp_path / "run", documents(5), alike, filters={"near_duplicate": {}})
    assert [record["doc_id"] for record in result.accepted] == ["d0"]
    assert ends(result, "texts")["rejected"] == {"duplicate": 3, "near_duplicate": 1}


def test_documents_below_the_floor_of_quality_or_without_one_are_left_out(tmp_path: Path) -> None:
    rows = documents(4)
    for row, quality in zip(rows, [3, 2.99, "high"], strict=False):
        row["quality"] = quality
    result, _ = grow(tmp_path / "run", rows, least_quality=3)
    assert ends(result, "documents")["rejected"] == {"low_quality": 1, "no_quality": 2}
    free, _ = grow(tmp_path / "free", rows)
    assert len(free.accepted) == 4


def test_similar_seeds_are_left_out_by_a_filter(tmp_path: Path) -> None:
    rows = documents(3)
    rows[1]["text"] = str(rows[0]["text"]).replace("Number 0", "Number 9")
    result, _ = grow(tmp_path / "run", rows, seed_filters={"near_duplicate": {}})
    assert ends(result, "documents")["rejected"] == {"near_duplicate": 1}


def test_the_record_says_where_a_text_comes_from(tmp_path: Path) -> None:
    row = {**documents(1)[0], "source": "a.txt", "licence": "CC0-1.0", "topic": "kilns"}
    result, _ = grow(tmp_path / "run", [row], topic_share=1.0)
    (record,) = result.accepted
    wanted = {
        *("doc_id", "seed_id", "seed_source", "seed_hash", "seed_data", "licence", "topic"),
        *("topic_in_prompt", "style", "audience", "template_id", "template_version", "prompt"),
        *("model", "sampling", "seed", "finish_reason", "n_tokens", "opening_hash", "flags"),
        *("grounding", "raw_text", "text", "attempts"),
    }
    assert wanted <= record.keys()
    assert (record["doc_id"], record["seed_source"], record["licence"]) == (
        "d0",
        "a.txt",
        "CC0-1.0",
    )
    assert record["topic_in_prompt"] is True and "kilns" in str(record["prompt"])
    seed, text = map(json.loads, (tmp_path / "run/provenance.jsonl").read_text().splitlines())
    assert text["parents"] == [seed["id"]] == [record["seed_id"]]
    assert (seed["origin"], text["origin"], text["parent_depth"]) == ("human", "model", 1)


def test_a_completion_model_gets_the_same_prompt_and_a_place_to_begin(tmp_path: Path) -> None:
    base = ScriptedModel(told, capabilities=Capabilities(chat=False, completion=True))
    form = {"recipe": "cosmopedia", "models": {"generator": "scripted"}, "out": str(tmp_path / "a")}
    config = make_config({**form, "options": {"styles": ["how_to"]}})
    result = run_loop(execute(config, Start(), rows=documents(2), opened={"generator": base}))
    prompts = [str(record["prompt"]) + "\n\nText:\n" for record in result.accepted]
    assert sorted(prompts) == sorted(str(request.prompt) for request in base.requests)


def test_what_the_recipe_wrote_is_no_seed_of_it(tmp_path: Path) -> None:
    first, _ = grow(tmp_path / "first", documents(2))
    result, model = grow(tmp_path / "second", [dict(record) for record in first.accepted])
    assert ends(result, "documents")["rejected"] == {"synthetic": 2} and not model.call_count


def test_every_reason_of_the_recipe_is_known_to_those_who_make_pairs() -> None:
    from selfsown.recipes.cosmopedia.findings import FLAGS

    assert {*FLAGS, "prompt_overlap", "other_form"} <= HONEST.keys() | NOT_THE_ANSWER.keys()
