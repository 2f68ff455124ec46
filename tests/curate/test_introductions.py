"""Claim: an output leaves the cleaner as the text alone, or with the reason why it cannot.

Scripted check 2 of WRAP (the table), and that no output makes the cleaner slow or lose text.
"""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfsown.curate.introductions import clean_introduction

TEXT = "The bridge was closed in 1902. It opened again two years later."
STAYS = (
    TEXT,
    "Rome: a city of seven hills. It was not built in a day.",
    "The rule is simple: never mix the two.",
    "Paraphrasing is a skill: it is learned by doing.",
    "Simplified Chinese: a set of characters used since 1956. Singapore uses it as well.",
    "Here is where the river bends: the ford lies a mile to the north.",
    "Here are three ways to save water: close the tap, fix leaks, collect rain.",
    "I have rewritten the letter three times, said Anna. She never sent it.",
    "The following year: a new start. Nobody expected it.",
    "This is a simplified model of the atom: a nucleus with electrons around it.",
    "Sure of himself, he went on. The ice broke.",
    "Of course, the cat came back.",
    "Question: Who closed it?\nAnswer: The city, in 1902.",
    "She said: 'I cannot help you with the plot.' Then she left.",
    "Note: the valve must be closed before the tank is opened.",
    'He asked, "Who?" and she said, "Me."',
    "# Bridges\n\nThe first was built of wood.",
    "- Close the tap\n- Open the valve",
    "| year | bridges |\n|---|---|\n| 1902 | 1 |",
    "Great: that was the word he used.",
    "The output of the plant rose.",
    "In high-quality English prose, rhythm matters.",
    "Okay is the most widely understood word in the world.",
    "My version of the story differs: I was there.",
)
CUT = (
    f"Here is a paraphrase of the text:\n\n{TEXT}",
    f"Here's a paraphrased version: {TEXT}",
    f"Sure! Here is the rewritten passage in simple words:\n{TEXT}",
    f"Certainly, here is a simplified version of the paragraph:\n\n{TEXT}",
    f"Of course! Below is the text rephrased for a small child.\n\n{TEXT}",
    f"The following is a paraphrase in high-quality English, as in Wikipedia: {TEXT}",
    f"The following text is written in high-quality English.\n\n{TEXT}",
    f"I have rewritten the text in terse language.\n\n{TEXT}",
    f"I've paraphrased the passage for you:\n{TEXT}",
    f"Paraphrase: {TEXT}",
    f"Paraphrased text:\n{TEXT}",
    f"**Paraphrased Text:**\n\n{TEXT}",
    f"**Paraphrase**\n\n{TEXT}",
    f"### Rewritten version\n\n{TEXT}",
    f"Simplified version: {TEXT}",
    f"This is a paraphrase of the passage. {TEXT}",
    f"Sure! {TEXT}",
    f"Output:\n{TEXT}",
    f'"{TEXT}"',
    f"\u201c{TEXT}\u201d",
    f'Here is the rephrased text:\n\n"{TEXT}"',
    f"```\n{TEXT}\n```",
    f"```text\n{TEXT}\n```",
    f"**{TEXT}**",
    f"  \n{TEXT}\n\n",
    f"{TEXT}\n\nI hope this helps!",
    f"{TEXT}\n\nLet me know if you would like another version.",
    f"{TEXT}\n\nNote: I have paraphrased the text and kept all dates.",
    f"{TEXT}\n(Note: This paraphrase keeps all numbers.)",
    f"Sure, here's a paraphrase:\n\n{TEXT}\n\nIs there anything else I can do? Let me know.",
    f"Okay, here is a version of the text rewritten in simple language:\n\nParaphrase: {TEXT}",
    f"As requested, here is the simplified text: {TEXT}",
    f"Let me rephrase the passage: {TEXT}",
    f"Here is the conversation between a teacher and a pupil: {TEXT}",
)
DROPPED = (
    ("", "empty"),
    (" \n ", "empty"),
    ("Here is a paraphrase of the text:", "empty"),
    ('""', "empty"),
    ("I'm sorry, but I can't help with that.", "refusal"),
    ("As an AI language model, I cannot paraphrase this text.", "refusal"),
    ("Unfortunately, I cannot provide this. The text is too short.", "refusal"),
    (f"{TEXT}\n\nHere is another paraphrase:\n\n{TEXT}", "introduction"),
    (f"{TEXT} Here is a simplified version: {TEXT}", "introduction"),
    (f"Version 1: {TEXT}\n\nVersion 2: {TEXT}", "several_versions"),
    (f"**Option 1**\n{TEXT}\n**Option 2**\n{TEXT}", "several_versions"),
    ("The bridge was closed in 1902. It opened again two years", "truncated"),
    ("The bridge was closed in 1902, and", "truncated"),
    (f"Here is a paraphrase:\n\n{TEXT} It was then", "truncated"),
    (f"<|assistant|> {TEXT}", "leaked_markup"),
    (f"[INST] {TEXT}", "leaked_markup"),
)


@pytest.mark.parametrize("output", STAYS)
def test_honest_text_is_left_as_it_is(output: str) -> None:
    cleaned = clean_introduction(output)
    assert (cleaned.text, cleaned.reason) == (output, None)


@pytest.mark.parametrize("output", CUT)
def test_what_the_writer_says_about_it_is_cut(output: str) -> None:
    cleaned = clean_introduction(output)
    assert (cleaned.text, cleaned.reason) == (TEXT, None)


@pytest.mark.parametrize(("output", "reason"), DROPPED)
def test_an_output_that_cannot_be_had_clean_is_dropped_with_its_reason(
    output: str, reason: str
) -> None:
    cleaned = clean_introduction(output)
    assert (cleaned.text, cleaned.reason) == (None, reason)


def test_a_list_without_full_stops_is_no_broken_end_where_prose_is_not_asked_for() -> None:
    assert clean_introduction("Three kinds of bridges", prose=False).text == (
        "Three kinds of bridges"
    )


PIECES = st.sampled_from(
    [
        "Here is ",
        "a paraphrase",
        ":",
        "\n",
        '"',
        "**",
        " ",
        "Sure! ",
        "text",
        "I hope this helps",
        ".",
    ]
)


@given(st.lists(PIECES | st.text(max_size=3), max_size=30).map("".join))
def test_cleaning_only_takes_away_and_a_clean_text_is_clean(output: str) -> None:
    cleaned = clean_introduction(output)
    assert (cleaned.text is None) is (cleaned.reason is not None)
    if cleaned.text is not None:
        assert cleaned.text in output
        assert clean_introduction(cleaned.text) == cleaned


@pytest.mark.parametrize(
    "piece",
    ["Here is ", "a ", "\n", '"', "sure, ", "here is a version ", "* ", "x", ". i ", "the "],
)
def test_long_hostile_outputs_take_no_longer_per_character(piece: str) -> None:
    output = piece * (200_000 // len(piece))
    start = time.perf_counter()
    clean_introduction(output)
    assert time.perf_counter() - start < 2.0
