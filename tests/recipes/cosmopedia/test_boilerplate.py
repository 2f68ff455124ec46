"""Claim: stripping keeps the rest byte for byte, and the raw text (cosmopedia.md, check 8.6)."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.recipes.cosmopedia.scribe import asked, documents, grow, text_of

from selfsown.core.request import Request
from selfsown.recipes.cosmopedia.boilerplate import without_boilerplate

REST = "The kiln has to be dry.  \tLet it stand;\r\nthen light it.\n\n- slowly\n  \u00e9\u0301 "


@pytest.mark.parametrize(
    "before",
    [
        "Hello, dear readers! ",
        "hi everyone, glad you are here.\n",
        "**Welcome, young potters!** ",
        "Welcome to the world of clay.\n\n",
        "WELCOME, friends of the kiln! ",
        "My name is Clay and I am a pot. ",
        "You've just arrived in the workshop. ",
        "You\u2019ve just arrived. ",
        "Warning: this text is about fire. ",
        "**Warning:** hot things ahead.\n",
        "We're thrilled to have you here! ",
        "We are thrilled that you came. Hello there! ",
        "Sure, here is the text:\n\n",
        "Certainly! ",
        "Of course. ",
        "Here is a passage for undergraduates:\n\n",
        "Sure thing! Hello, my dear pupils. Welcome to class. ",
    ],
)
def test_what_does_not_belong_to_the_text_is_cut_and_the_rest_is_as_it_was(before: str) -> None:
    assert without_boilerplate(before + REST) == REST


@pytest.mark.parametrize(
    "text",
    [
        REST,
        '"Hello," said the kiln, "are you cold?"',
        "Hello said the kiln to nobody.",
        "Hippopotami like clay. Hello, they say.",
        "Surely a kiln has to be dry: wet bricks burst.",
        "Here is where the river bends: the water is slow.",
        "Warnings were given. Nobody came.",
        "Welcoming guests is work.",
        "Greatness is rare.",
        "Okayama lies by the sea.",
        "My names are many.",
        "",
    ],
)
def test_what_belongs_to_the_text_stays(text: str) -> None:
    assert without_boilerplate(text) == text


@given(st.text(st.sampled_from("Hello, my name is Warning:!.\n*S ureo"), max_size=200))
def test_what_is_left_is_always_an_end_of_the_raw_text(raw: str) -> None:
    assert raw.endswith(without_boilerplate(raw))


def test_the_record_keeps_the_raw_text_beside_the_cleaned_one(tmp_path: Path) -> None:
    def polite(request: Request, seed: int) -> str:
        return "Sure, here it is:\n\nHello, dear readers! " + text_of(asked(request)) + "  \n"

    result, _ = grow(tmp_path / "run", documents(3), polite)
    for record in result.accepted:
        raw, text = str(record["raw_text"]), str(record["text"])
        assert raw == "Sure, here it is:\n\nHello, dear readers! " + text
        assert text.endswith("  \n")


def test_an_answer_that_is_nothing_else_is_asked_for_again(tmp_path: Path) -> None:
    def polite(request: Request, seed: int) -> str:
        return "Hello, dear readers!"

    result, model = grow(tmp_path / "run", documents(1), polite)
    assert model.call_count == 6 and not result.accepted
    assert "the last one: empty" in str(next(iter(result.failed))["error"])
