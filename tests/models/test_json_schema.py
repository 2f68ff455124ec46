"""The schema checker accepts and refuses as JSON Schema says, and refuses what it cannot check."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfsown.core.errors import ConfigError
from selfsown.core.request import JSON
from selfsown.models.json_schema import Schema
from selfsown.models.pseudo_text import pseudo_value

# keyword by keyword: (schema, values that meet it, values that do not)
CASES: list[tuple[dict[str, JSON], list[JSON], list[JSON]]] = [
    ({}, [None, 1, "a", [], {}], []),
    ({"type": "integer"}, [1, -1, 1.0, 10**30], [1.5, True, "1", None]),
    ({"type": "number"}, [1, 1.5], [False, "1"]),
    ({"type": "string"}, ["", "a"], [1, None]),
    ({"type": "boolean"}, [True, False], [0, "true"]),
    ({"type": "null"}, [None], [0, ""]),
    ({"type": "array"}, [[]], [{}, "a"]),
    ({"type": "object"}, [{}], [[], "a"]),
    ({"type": ["string", "null"]}, ["a", None], [1]),
    ({"enum": ["a", 1, None, [1]]}, ["a", 1, 1.0, None, [1]], ["b", True, [2]]),
    ({"const": {"a": 1}}, [{"a": 1}, {"a": 1.0}], [{"a": True}, {}]),
    ({"required": ["a"]}, [{"a": None}, 3], [{}, {"b": 1}]),
    ({"properties": {"a": {"type": "string"}}}, [{"a": "x"}, {"b": 1}, 3], [{"a": 1}]),
    (
        {"properties": {"a": {}}, "additionalProperties": False},
        [{"a": 1}, {}],
        [{"b": 1}, {"a": 1, "b": 2}],
    ),
    ({"additionalProperties": {"type": "integer"}}, [{"x": 1}], [{"x": "1"}]),
    (
        {"patternProperties": {"^n_": {"type": "integer"}}, "additionalProperties": False},
        [{"n_a": 1}],
        [{"n_a": "x"}, {"other": 1}],
    ),
    ({"propertyNames": {"pattern": "^[a-z]+$"}}, [{"ab": 1}], [{"A": 1}]),
    ({"minProperties": 1, "maxProperties": 2}, [{"a": 1}, "x"], [{}, {"a": 1, "b": 1, "c": 1}]),
    ({"items": {"type": "integer"}}, [[], [1, 2], "x"], [[1, "2"]]),
    (
        {"prefixItems": [{"type": "string"}], "items": False},
        [["a"], []],
        [[1], ["a", 2]],
    ),
    ({"minItems": 1, "maxItems": 2}, [[1], [1, 2]], [[], [1, 2, 3]]),
    (
        {"uniqueItems": True},
        [[1, 2], [1, True], [{"a": 1}, {"a": 2}]],
        [[1, 1.0], [{"a": 1}, {"a": 1}]],
    ),
    ({"contains": {"const": 1}}, [[0, 1]], [[], [2]]),
    ({"minimum": 1, "maximum": 2}, [1, 2, 1.5, "a"], [0.99, 3]),
    ({"exclusiveMinimum": 1, "exclusiveMaximum": 2}, [1.5], [1, 2]),
    ({"multipleOf": 0.1}, [0.3, 1], [0.35]),
    ({"minLength": 1, "maxLength": 2}, ["a", "éé", 3], ["", "abc"]),
    ({"pattern": "b+"}, ["abc", 3], ["ac"]),
    ({"anyOf": [{"type": "string"}, {"minimum": 5}]}, ["a", 6], [3]),
    ({"oneOf": [{"type": "integer"}, {"minimum": 5}]}, [3, 5.5], [6, 2.5]),
    ({"allOf": [{"minimum": 1}, {"maximum": 3}]}, [2], [0, 4]),
    ({"not": {"type": "string"}}, [1], ["a"]),
    (
        {"$defs": {"name": {"minLength": 2}}, "properties": {"a": {"$ref": "#/$defs/name"}}},
        [{"a": "xx"}],
        [{"a": "x"}],
    ),
    (
        {"properties": {"next": {"$ref": "#"}}, "additionalProperties": False},
        [{"next": {"next": {}}}],
        [{"next": {"other": 1}}],
    ),
]


@pytest.mark.parametrize(
    ("schema", "good", "bad"), CASES, ids=[str(case[0])[:40] for case in CASES]
)
def test_each_keyword_accepts_and_refuses_as_specified(
    schema: dict[str, JSON], good: list[JSON], bad: list[JSON]
) -> None:
    compiled = Schema(schema)
    for value in good:
        assert compiled.problems(value) == [], value
    for value in bad:
        assert compiled.problems(value) != [], value


def test_a_problem_is_named_with_its_path() -> None:
    schema = Schema({"properties": {"rows": {"items": {"required": ["id"]}}}, "required": ["n"]})
    assert schema.problems({"rows": [{"id": 1}, {}]}) == [
        "$ has no key `n`",
        "$.rows[1] has no key `id`",
    ]


@pytest.mark.parametrize(
    "schema",
    [
        {"if": {}, "then": {}},
        {"$ref": "https://elsewhere/schema.json"},
        {"$ref": "#/$defs/missing"},
        {"properties": {"a": {"dependentRequired": {}}}},
        {"type": "text"},
        {"type": []},
        {"required": "a"},
        {"minimum": "1"},
        {"minLength": -1},
        {"pattern": "("},
        {"patternProperties": {"(": {}}},
        {"anyOf": []},
        {"items": 3},
        {"multipleOf": 0},
        {"$defs": {"a": {"unevaluatedProperties": False}}},
    ],
)
def test_what_cannot_be_checked_is_refused_when_the_schema_is_read(schema: dict[str, JSON]) -> None:
    with pytest.raises(ConfigError) as caught:
        Schema(schema)
    assert caught.value.fix


def test_endless_references_end_in_a_problem_instead_of_a_crash() -> None:
    schema = Schema({"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"})
    assert schema.problems(1) == ["$ is nested deeper than 200 levels"]


SCHEMAS = st.recursive(
    st.one_of(
        st.just({"type": "string"}),
        st.just({"type": "boolean"}),
        st.just({"type": "null"}),
        st.just({"type": "integer", "minimum": -3, "maximum": 9}),
        st.just({"type": "number", "minimum": 2}),
        st.just({"type": "string", "minLength": 3, "maxLength": 5}),
        st.just({"enum": ["a", "b", 3]}),
        st.just({"const": None}),
    ),
    lambda inner: st.one_of(
        st.builds(lambda item: {"type": "array", "items": item, "maxItems": 3}, inner),
        st.builds(lambda *parts: {"anyOf": list(parts)}, inner, inner),
        st.dictionaries(st.sampled_from("abc"), inner, max_size=3).map(
            lambda named: {
                "type": "object",
                "properties": named,
                "required": list(named),
                "additionalProperties": False,
            }
        ),
    ),
    max_leaves=6,
)


@settings(max_examples=60)
@given(SCHEMAS, st.binary(max_size=8))
def test_generated_values_meet_the_schema_they_were_generated_for(
    schema: dict[str, JSON], data: bytes
) -> None:
    assert Schema(schema).problems(pseudo_value(data, schema)) == []
