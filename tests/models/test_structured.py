"""A structured answer is parsed strictly, else repaired, and counts only if it meets its schema."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfsown.core.errors import ConfigError
from selfsown.core.request import JSON
from selfsown.models.structured import SchemaMissed, compiled_schema, parse_structured, read_json

NAME: dict[str, JSON] = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "n": {"type": "integer"}},
    "required": ["name"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ('{"name": "a"}', "strict"),
        (' \n{"name":"a"}\n', "strict"),
        ('```json\n{"name": "a"}\n```', "repaired"),
        ('Here you are: {"name": "a"} I hope this helps!', "repaired"),
        ("{'name': 'a'}", "repaired"),
        ('{"name": "a",}', "repaired"),
        ('{name: "a"}', "repaired"),
        ('{"name": "a"', "repaired"),
    ],
)
def test_answers_are_read_strictly_or_repaired(text: str, mode: str) -> None:
    assert parse_structured(text, NAME) == ({"name": "a"}, mode)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no",
        "null",
        "[]",
        '"name"',
        '{"name": 3}',
        '{"n": 1}',
        '{"name": "a", "x": 1}',
        "{" * 3000,
    ],
)
def test_what_misses_the_schema_fails_with_a_reason(text: str) -> None:
    with pytest.raises(SchemaMissed, match="misses the schema"):
        parse_structured(text, NAME)


def test_prose_is_never_repaired_into_a_value() -> None:
    with pytest.raises(SchemaMissed):
        parse_structured("The name is a.", {})


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "piece", ["{", "[", '{"a":', "{'a", '{"a', "{,", '"', '\\"', "{}", '{"a": "b"', "[[]"]
)
def test_hostile_texts_do_not_stall_the_repair(piece: str) -> None:
    with pytest.raises(SchemaMissed):
        parse_structured('{"name": ' + piece * 50_000, NAME)
    with pytest.raises(SchemaMissed):
        parse_structured('{"x": "' + piece * 3_000, NAME)


def test_without_repair_only_whole_json_counts() -> None:
    with pytest.raises(SchemaMissed):
        parse_structured('{"name": "a"', NAME, repair=False)


def test_a_schema_that_cannot_be_checked_is_the_users_error() -> None:
    with pytest.raises(ConfigError):
        parse_structured("{}", {"if": {}})


def test_a_schema_is_compiled_once_and_remembered_by_object() -> None:
    schema: dict[str, JSON] = {"type": "object"}
    assert compiled_schema(schema) is compiled_schema(schema)
    for _ in range(200):
        compiled_schema({"type": "string"})
    assert compiled_schema(schema).problems([]) != []


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(JSON_VALUES)
def test_every_json_value_is_read_strictly(value: JSON) -> None:
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
        assert parse_structured(text, {}) == (value, "strict")


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", "{", "[1,]", "[" * 100_000])
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read_json(text)
