"""Claim: prompts follow from the run's seed and the document alone (cosmopedia.md, check 8.1)."""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.recipes.cosmopedia.scribe import asked, documents, grow, told

from selfsown.core.randomness import rng_for
from selfsown.core.request import Request
from selfsown.recipes.cosmopedia.prompts import Prompt, Prompts, extract_of
from selfsown.recipes.cosmopedia.registry import registry

OURS = registry({}, {}, None)
CELLS = OURS.cells({}, {})


class Steady:
    """Earlier texts teach nothing."""

    def weigh(self, wording: str) -> float:
        return 1.0

    def forbidden(self, style: str) -> Sequence[str]:
        return ()


class Taught(Steady):
    """All wordings but one are worn out."""

    def weigh(self, wording: str) -> float:
        return 1.0 if wording == "blog_post/2" else 1e-9

    def forbidden(self, style: str) -> Sequence[str]:
        return ("rain fell all night",)


def prompt_of(number: int, seed: int = 0, extract: str = "Sand.", topic: str = "rivers") -> Prompt:
    cell = CELLS[number % len(CELLS)]
    rng = rng_for(seed, f"document d{number}", 1)
    return Prompts(OURS, 0.5, Steady()).prompt(extract, topic, cell, rng)


def test_the_topic_is_named_in_half_of_ten_thousand_prompts_within_three_sigma() -> None:
    prompts = [prompt_of(number) for number in range(10_000)]
    named = sum(prompt.topic_in_prompt for prompt in prompts)
    assert abs(named - 5_000) <= 3 * math.sqrt(10_000 / 4)
    assert all(("rivers" in prompt.text) == prompt.topic_in_prompt for prompt in prompts)


def test_a_document_without_a_topic_never_names_one() -> None:
    assert not any(prompt_of(number, topic="").topic_in_prompt for number in range(200))


def test_wordings_of_a_style_are_drawn_alike() -> None:
    drawn = [prompt_of(37 * number).number for number in range(2_000)]
    for number in range(4):
        assert abs(drawn.count(number) - 500) < 4 * math.sqrt(2_000 * 3 / 16)


def test_equal_seeds_give_equal_prompts_and_others_other_ones() -> None:
    assert [prompt_of(n) for n in range(50)] == [prompt_of(n) for n in range(50)]
    assert [prompt_of(n).text for n in range(50)] != [prompt_of(n, seed=1).text for n in range(50)]


@given(st.text(max_size=1_300), st.integers(min_value=50, max_value=1_000))
def test_an_extract_is_a_beginning_and_never_longer_than_the_limit(text: str, most: int) -> None:
    extract = extract_of(text, most)
    assert len(extract) <= most
    assert text.lstrip().startswith(extract)
    extract.encode()


def test_an_extract_ends_at_a_word_where_it_can() -> None:
    text = "stone " * 300
    extract = extract_of(text)
    assert extract == ("stone " * 166).rstrip() and len(extract) <= 1_000
    assert len(extract_of("x" * 3_000)) == 1_000
    assert extract_of("x" * 1_000) == "x" * 1_000
    assert extract_of("  short \n") == "short"


def test_an_extract_does_not_tear_a_character_apart() -> None:
    text = "x" * 999 + "e\u0301" + "y" * 50
    assert extract_of(text) == "x" * 999
    families = "\U0001f469\u200d\U0001f467" * 500
    assert not extract_of(families).endswith("\u200d")
    assert not any(unicodedata.combining(one) for one in extract_of(text)[-1])
    assert extract_of("a \ud83d b").isprintable()


def test_what_stands_in_a_document_is_no_template_and_cannot_leave_its_tags() -> None:
    prompt = prompt_of(3, extract="{{ 7 * 7 }} </extract> {% raw %}", topic="")
    assert "{{ 7 * 7 }}" in prompt.text and "{% raw %}" in prompt.text
    assert prompt.text.count("</extract>") == 1 and prompt.text.endswith("</extract>")


def test_what_many_prompts_share_comes_first() -> None:
    one, other = prompt_of(0, extract="Sand."), prompt_of(0, extract="Clay.")
    assert one.text.split("<extract>")[0] == other.text.split("<extract>")[0]


def test_worn_out_wordings_are_drawn_less_and_openings_forbidden() -> None:
    (cell,) = OURS.cells({"blog_post": 1.0}, {"general": 1.0})
    prompts = Prompts(OURS, 0.5, Taught())
    for number in range(20):
        prompt = prompts.prompt("Sand.", "", cell, Random(number))
        assert prompt.wording_id == "blog_post/2"
        assert '"rain fell all night"' in prompt.text
        assert "rain fell all night" in prompt.banned_openings


@pytest.mark.parametrize("per_document", [1, 3])
def test_the_number_of_workers_changes_no_prompt(tmp_path: Path, per_document: int) -> None:
    def moody(request: Request, seed: int) -> str:
        """Some texts are too short, so that later documents make up for them."""
        text = told(request, seed)
        return text if len(asked(request)) % 3 else text[:80]

    rows = documents(40, topic="rivers")
    options = {"ahead": 8, "per_document": per_document}
    one, _ = grow(tmp_path / "one", rows, moody, concurrency=1, **options)
    eight, _ = grow(tmp_path / "eight", rows, moody, concurrency=8, **options)
    assert one.rejected and list(one.accepted) == list(eight.accepted)
    assert list(one.rejected) == list(eight.rejected)


def test_a_prompt_of_a_run_is_the_one_that_is_built_by_hand(tmp_path: Path) -> None:
    result, model = grow(tmp_path / "run", documents(5), seed=3)
    sent = {asked(request) for request in model.requests}
    assert {str(record["prompt"]) for record in result.accepted} == sent
    for record in result.accepted:
        assert str(record["seed_data"]) in str(record["prompt"])
        assert json.loads(json.dumps(record["seed"])) == 3
