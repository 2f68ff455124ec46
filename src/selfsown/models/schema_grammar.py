"""Which JSON-schema keywords are known, and what each one's argument must be."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

from selfsown.core.request import JSON

ANNOTATIONS: Final = frozenset(
    {
        *("$schema", "$id", "$comment", "$anchor", "$defs", "definitions", "title", "description"),
        *("default", "examples", "format", "deprecated", "readOnly", "writeOnly"),
        *("contentEncoding", "contentMediaType"),
    }
)
"""Keywords that are allowed and check nothing."""


# ---------------------------------------------------------------------------


def _is_number(value: JSON) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_count(value: JSON) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_list(value: JSON) -> bool:
    return isinstance(value, (list, tuple))


def _is_strings(value: JSON) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value)


def _is_type(value: JSON) -> bool:
    names = [value] if isinstance(value, str) else value
    return isinstance(names, (list, tuple)) and bool(names) and all(name in TYPES for name in names)


def _is_schema(value: JSON) -> bool:
    return isinstance(value, (bool, Mapping))


TYPES: Final[dict[str, Callable[[JSON], bool]]] = {
    "object": lambda value: isinstance(value, Mapping),
    "array": _is_list,
    "string": lambda value: isinstance(value, str),
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "integer": lambda value: (
        not isinstance(value, bool)
        and (isinstance(value, int) or (isinstance(value, float) and value.is_integer()))
    ),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
}
ONE_SCHEMA: Final = frozenset({"additionalProperties", "propertyNames", "items", "contains", "not"})
LISTS_OF_SCHEMAS: Final = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
MAPS_OF_SCHEMAS: Final = frozenset({"properties", "patternProperties", "$defs", "definitions"})
ARGUMENTS: Final[dict[str, Callable[[JSON], bool]]] = {
    "type": _is_type,
    "enum": _is_list,
    "const": lambda value: True,
    "required": _is_strings,
    "pattern": lambda value: isinstance(value, str),
    "uniqueItems": lambda value: isinstance(value, bool),
    "$ref": lambda value: isinstance(value, str) and (value == "#" or value.startswith("#/")),
    "multipleOf": lambda value: isinstance(value, (int, float)) and _is_number(value) and value > 0,
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _is_number),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems"), _is_count),
    **dict.fromkeys(("minProperties", "maxProperties"), _is_count),
    **dict.fromkeys(ONE_SCHEMA, _is_schema),
    **dict.fromkeys(
        LISTS_OF_SCHEMAS, lambda value: isinstance(value, (list, tuple)) and bool(value)
    ),
    **dict.fromkeys(MAPS_OF_SCHEMAS, lambda value: isinstance(value, Mapping)),
}
