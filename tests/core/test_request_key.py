"""Claim: the journal key changes with what can change an answer, and with nothing else."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfsown.core.request import (
    Image,
    Message,
    Request,
    Text,
    call_key,
    canonical_json,
    clean_text,
    message,
    request_form,
)


def key(request: Request, identity: str = "m", sample: int = 0) -> str:
    return call_key(identity, request_form(request), sample).hex()


GOLDEN = {
    "completion": (
        Request(prompt="hi", temperature=0),
        "52738179b5d73d2cf92bad75926d6c3f03bd0b8590b44be60c2998c05d8ee7cc",
    ),
}


def test_golden_keys_do_not_move() -> None:
    """A change here would make every existing journal ask everything again."""
    for request, expected in GOLDEN.values():
        assert key(request) == expected


BASE = Request(messages=(message("user", "hi"),), temperature=0.5)
CHANGES = {
    "model identity": key(BASE, identity="n"),
    "sample": key(BASE, sample=1),
    "text": key(Request(messages=(message("user", "hi!"),), temperature=0.5)),
    "role": key(Request(messages=(message("system", "hi"),), temperature=0.5)),
    "system text": key(
        Request(messages=(message("system", "s"), message("user", "hi")), temperature=0.5)
    ),
    "layout": key(Request(prompt="hi", temperature=0.5)),
    "max_tokens": key(Request(messages=BASE.messages, temperature=0.5, max_tokens=7)),
    "temperature": key(Request(messages=BASE.messages, temperature=0.6)),
    "no temperature": key(Request(messages=BASE.messages)),
    "top_p": key(Request(messages=BASE.messages, temperature=0.5, top_p=0.9)),
    "presence": key(Request(messages=BASE.messages, temperature=0.5, presence_penalty=1)),
    "frequency": key(Request(messages=BASE.messages, temperature=0.5, frequency_penalty=1)),
    "stop": key(Request(messages=BASE.messages, temperature=0.5, stop=("\n",))),
    "seed": key(Request(messages=BASE.messages, temperature=0.5, seed=0)),
    "schema": key(Request(messages=BASE.messages, temperature=0.5, schema={"type": "object"})),
    "tools": key(Request(messages=BASE.messages, temperature=0.5, tools=({"name": "f"},))),
    "logprobs": key(Request(messages=BASE.messages, temperature=0.5, logprobs=1)),
    "extra": key(Request(messages=BASE.messages, temperature=0.5, extra={"top_k": 5})),
    "image": key(
        Request(
            messages=(Message("user", (Text("hi"), Image("ab", "image/png"))),), temperature=0.5
        )
    ),
}


def test_each_setting_that_can_change_an_answer_changes_the_key() -> None:
    keys = [key(BASE), *CHANGES.values()]
    assert len(set(keys)) == len(keys)


def test_equal_requests_written_differently_have_one_key() -> None:
    one = Request(prompt="x", temperature=1, extra={"a": 1, "b": [1, 2]})
    two = Request(prompt="x", temperature=1.0, extra={"b": (1, 2), "a": 1}, stop=())
    assert key(one) == key(two)


@given(st.text())
def test_any_text_can_be_hashed_once_cleaned(text: str) -> None:
    assert len(key(Request(prompt=clean_text(text)))) == 64


def test_lone_surrogates_become_replacement_characters() -> None:
    assert clean_text("a\ud800b") == "a�b"
    assert clean_text("a😀b") == "a😀b"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(exclude_categories=("Cs",))),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner),
        max_leaves=10,
    )
)  # fmt: skip
def test_canonical_json_reads_back_as_the_same_value(value: object) -> None:
    assert json.loads(canonical_json(value)) == value  # type: ignore[arg-type]


def test_numbers_that_json_cannot_carry_are_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"x": float("nan")})


@pytest.mark.parametrize(
    "bad",
    [
        {},
        {"prompt": "x", "messages": (message("user", "y"),)},
        {"prompt": "x", "max_tokens": 0},
        {"prompt": "x", "temperature": -1},
        {"prompt": "x", "top_p": 0},
    ],
)
def test_a_request_no_model_could_answer_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="`"):
        Request(**bad)  # type: ignore[arg-type]


def test_prompt_bytes_bound_the_tokens_of_a_byte_level_tokenizer() -> None:
    request = Request(messages=(message("user", "äö"), message("system", "x")))
    # 64 for the request, 16 per message, 4 + 1 bytes of text.
    assert request.prompt_bytes() == 64 + 2 * 16 + 5
