"""Claim: what is journaled comes back as it was, whatever a model or a provider says."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfsown.core.codec import (
    decode_completion,
    decode_value,
    encode_completion,
    encode_error,
    encode_value,
)
from selfsown.core.errors import CallFailed
from selfsown.core.request import Completion, Usage

TEXT = st.text(st.characters(exclude_categories=()), max_size=20)  # lone surrogates, NUL, escapes
COUNT = st.integers(0, 10**9)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
COMPLETIONS = st.builds(
    Completion,
    text=TEXT,
    finish_reason=st.sampled_from(["stop", "length", "content_filter", "tool_calls", "unknown"]),
    usage=st.builds(
        Usage,
        input_tokens=COUNT,
        output_tokens=COUNT,
        cached_input_tokens=COUNT,
        reasoning_tokens=COUNT,
        estimated=st.booleans(),
    ),
    model=TEXT,
    reasoning=TEXT,
    parsed=VALUES,
    parse_mode=st.sampled_from(["", "native", "strict", "repaired"]),
    logprobs=st.lists(
        st.dictionaries(TEXT, st.floats(max_value=0, allow_infinity=False), max_size=3), max_size=3
    ).map(tuple),
)


@settings(deadline=None)
@given(COMPLETIONS)
def test_a_completion_comes_back_as_it_was(completion: Completion) -> None:
    assert decode_completion(encode_completion(completion)) == completion


@settings(deadline=None)
@given(VALUES)
def test_an_effects_value_comes_back_as_it_was(value: object) -> None:
    assert decode_value(encode_value(value)) == value  # type: ignore[arg-type]


@settings(deadline=None)
@given(kind=TEXT, what=TEXT)
def test_a_failure_comes_back_as_one(kind: str, what: str) -> None:
    for decode in (decode_completion, decode_value):
        with pytest.raises(CallFailed) as caught:
            decode(encode_error(CallFailed(kind, what)))
        assert (caught.value.kind, caught.value.what) == (kind, what)


def test_a_value_may_look_like_a_failure() -> None:
    value = {"error": ["schema", "not one"]}
    assert decode_value(encode_value(value)) == value


def test_defaults_are_not_written() -> None:
    assert encode_completion(Completion("a")) == '{"text":"a"}'


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [float("-inf")]])
def test_numbers_that_json_cannot_carry_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        encode_value(value)
