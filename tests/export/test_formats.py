"""Each format has exactly the columns its trainers expect, whatever the texts hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfsown.core.errors import InputError
from selfsown.core.request import JSON
from selfsown.export.example import Example, Fields, fields_for
from selfsown.export.formats import FORMATS, find_format

PLAIN = Example("Sort the words.", "pear apple", "apple pear")
BARE = Example("Name a colour.", "", "blue")
TOLD = Example("Name a colour.", "", "bleu", system="Answer in French.")


def test_messages_end_with_the_assistant() -> None:
    to_row = find_format("messages")
    assert to_row(PLAIN) == {
        "messages": [
            {"role": "user", "content": "Sort the words.\n\npear apple"},
            {"role": "assistant", "content": "apple pear"},
        ]
    }
    assert to_row(TOLD)["messages"][0] == {"role": "system", "content": "Answer in French."}


def test_prompt_and_completion_are_text_that_joins_to_the_text_format() -> None:
    pair = find_format("prompt-completion")(PLAIN)
    assert pair == {"prompt": "Sort the words.\n\npear apple\n\n", "completion": "apple pear"}
    assert find_format("text")(PLAIN) == {"text": pair["prompt"] + pair["completion"]}
    assert (
        find_format("prompt-completion")(TOLD)["prompt"]
        == "Answer in French.\n\nName a colour.\n\n"
    )


def test_conversational_pairs_split_before_the_assistant() -> None:
    assert find_format("prompt-completion-chat")(TOLD) == {
        "prompt": [
            {"role": "system", "content": "Answer in French."},
            {"role": "user", "content": "Name a colour."},
        ],
        "completion": [{"role": "assistant", "content": "bleu"}],
    }


def test_alpaca_has_its_three_columns_also_without_input() -> None:
    to_row = find_format("alpaca")
    assert to_row(PLAIN) == {
        "instruction": "Sort the words.",
        "input": "pear apple",
        "output": "apple pear",
    }
    assert to_row(BARE) == {"instruction": "Name a colour.", "input": "", "output": "blue"}


def test_sharegpt_is_from_human_and_gpt() -> None:
    assert find_format("sharegpt")(TOLD) == {
        "conversations": [
            {"from": "system", "value": "Answer in French."},
            {"from": "human", "value": "Name a colour."},
            {"from": "gpt", "value": "bleu"},
        ]
    }


@given(st.text(min_size=1), st.text(), st.text(min_size=1))
def test_no_format_changes_the_answer(instruction: str, given_input: str, output: str) -> None:
    example = Example(instruction, given_input, output)
    last = (
        find_format("messages")(example)["messages"][-1]["content"],
        find_format("sharegpt")(example)["conversations"][-1]["value"],
        find_format("prompt-completion")(example)["completion"],
        find_format("prompt-completion-chat")(example)["completion"][-1]["content"],
        find_format("alpaca")(example)["output"],
    )
    assert set(last) == {output}
    assert find_format("text")(example)["text"].endswith(output)


def test_an_unknown_format_names_the_known_ones() -> None:
    with pytest.raises(InputError, match="unknown export format `chatml`") as caught:
        find_format("chatml")
    assert all(name in caught.value.fix for name in FORMATS)


def test_a_package_outside_can_add_a_format(monkeypatch: pytest.MonkeyPatch) -> None:
    class Entry:
        def load(self) -> object:
            return lambda example: {"q": example.request, "a": example.output}

    def entry_points(*, group: str, name: str) -> list[Entry]:
        assert group == "selfsown.plugins"
        return [Entry()] if name == "exporters.qa" else []

    monkeypatch.setattr("importlib.metadata.entry_points", entry_points)
    assert find_format("qa")(BARE) == {"q": "Name a colour.", "a": "blue"}


def test_texts_alone_are_told_from_texts_beside_an_answer() -> None:
    def of(row: dict[str, JSON], completion: str | None = None) -> Fields:
        return fields_for(row, prompt=None, completion=completion, system=None)

    text: dict[str, JSON] = {"id": "a", "text": "A text to pretrain on."}
    assert of(text) == Fields("", "", "text", is_text=True)
    assert of({**text, "completion": "An answer."}) == Fields("", "", "completion")
    assert not of(text, completion="text").is_text, "the answer to what was sent, if one says so"
    assert find_format("text")(Example("", "", "As it is.\n")) == {"text": "As it is.\n"}
