"""Does a JSON value meet a JSON schema? A subset, checked exactly; anything else is refused.

Covered: type (also a list of types), enum, const, properties, required, additionalProperties,
patternProperties, propertyNames, minProperties, maxProperties, items, prefixItems, minItems,
maxItems, uniqueItems, contains, minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf,
minLength, maxLength, pattern, anyOf, oneOf, allOf, not, local `$ref` (`#/...`), `$defs`,
`definitions`, and `true`/`false` as schemas. Annotations (title, description, default, examples,
format, ...) are allowed and check nothing. Numbers follow JSON Schema: 1.0 is an integer, true is
not 1.

Not covered, refused with `ConfigError`: remote references, if/then/else, dependent*, unevaluated*,
$dynamicRef. Patterns are Python regular expressions, searched anywhere in the string.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from selfsown.core.errors import ConfigError
from selfsown.core.nearest import did_you_mean
from selfsown.core.request import JSON, canonical_json
from selfsown.models.schema_grammar import (
    ANNOTATIONS,
    ARGUMENTS,
    LISTS_OF_SCHEMAS,
    MAPS_OF_SCHEMAS,
    ONE_SCHEMA,
    TYPES,
)

_DEEPEST: Final = 200

Check = Callable[[JSON, JSON, "Schema", int], Iterator[str]]
"""(keyword's argument, value, schema, depth) -> what is wrong, as text that follows a path."""


class Schema:
    """A JSON schema that has been read and found to use nothing this module cannot check."""

    def __init__(self, schema: Mapping[str, JSON] | bool) -> None:
        self._root: JSON = schema
        self._patterns: dict[str, re.Pattern[str]] = {}
        self._read(schema, "#", set())

    def problems(self, value: JSON) -> list[str]:
        """What is wrong with a value, each with its path from `$`; empty if it meets the schema."""
        return [
            f"$ {problem}" if problem[0] not in ".[" else f"${problem}"
            for problem in self.walk(self._root, value, 0)
        ]

    def walk(self, schema: JSON, value: JSON, depth: int) -> Iterator[str]:
        """Yield the problems of one value under one subschema."""
        if depth > _DEEPEST:
            yield f"is nested deeper than {_DEEPEST} levels"
            return
        if isinstance(schema, bool):
            if not schema:
                yield "is not allowed here"
            return
        assert isinstance(schema, Mapping)
        for keyword, argument in schema.items():
            check = _CHECKS.get(keyword)
            if check is not None:
                yield from check(argument, value, self, depth + 1)
        yield from _check_object(schema, value, self, depth + 1)
        yield from _check_array(schema, value, self, depth + 1)

    def holds(self, schema: JSON, value: JSON, depth: int) -> bool:
        """Whether a value meets a subschema."""
        return next(self.walk(schema, value, depth), None) is None

    def pattern(self, text: str) -> re.Pattern[str]:
        """A compiled pattern of this schema."""
        return self._patterns[text]

    def target(self, reference: str) -> JSON:
        """The subschema a local reference points to."""
        here: JSON = self._root
        for step in reference[1:].split("/")[1:]:
            step = step.replace("~1", "/").replace("~0", "~")
            if isinstance(here, Mapping) and step in here:
                here = here[step]
            elif isinstance(here, (list, tuple)) and step.isdecimal() and int(step) < len(here):
                here = here[int(step)]
            else:
                raise _refuse(
                    "#", f"the reference `{reference}` points to nothing", "correct the reference"
                )
        return here

    def _read(self, schema: JSON, where: str, seen: set[int]) -> None:
        """Check a subschema and everything below it once."""
        if isinstance(schema, bool) or id(schema) in seen:
            return
        if not isinstance(schema, Mapping):
            raise _refuse(where, "a schema is an object, true or false", "correct the schema")
        seen.add(id(schema))
        for keyword, argument in schema.items():
            if keyword not in ARGUMENTS and keyword not in ANNOTATIONS:
                fix = (
                    did_you_mean(keyword, ARGUMENTS)
                    or "express it with the keywords above, or check it in the recipe"
                )
                raise _refuse(f"{where}/{keyword}", f"keyword `{keyword}` is not supported", fix)
            if keyword in ARGUMENTS and not ARGUMENTS[keyword](argument):
                raise _refuse(
                    f"{where}/{keyword}",
                    f"`{keyword}` has an argument it cannot take",
                    "correct it",
                )
            self._read_parts(keyword, argument, f"{where}/{keyword}", seen)

    def _read_parts(self, keyword: str, argument: JSON, where: str, seen: set[int]) -> None:
        if keyword in ONE_SCHEMA:
            self._read(argument, where, seen)
        elif keyword in LISTS_OF_SCHEMAS:
            assert isinstance(argument, (list, tuple))
            for number, part in enumerate(argument):
                self._read(part, f"{where}/{number}", seen)
        elif keyword in MAPS_OF_SCHEMAS:
            assert isinstance(argument, Mapping)
            for name, part in argument.items():
                self._read(part, f"{where}/{name}", seen)
                if keyword == "patternProperties":
                    self._compile(name, where)
        elif keyword == "pattern":
            self._compile(str(argument), where)
        elif keyword == "$ref":
            self._read(self.target(str(argument)), str(argument), seen)

    def _compile(self, text: str, where: str) -> None:
        try:
            self._patterns[text] = re.compile(text)
        except re.error as error:
            raise _refuse(
                where, f"the pattern `{text}` cannot be read: {error}", "correct the pattern"
            ) from error


def _refuse(where: str, why: str, fix: str) -> ConfigError:
    return ConfigError(f"JSON schema at `{where}` cannot be used", why=why, fix=fix)


# --- what each keyword asks of a value
# ------------------------------------------------------------------------------


def _same(left: JSON, right: JSON) -> bool:
    return canonical_json(_plain_numbers(left)) == canonical_json(_plain_numbers(right))


def _plain_numbers(value: JSON) -> JSON:
    """1.0 as 1, so that equal numbers are equal texts."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: _plain_numbers(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain_numbers(item) for item in value]
    return value


def _type(argument: JSON, value: JSON, schema: Schema, depth: int) -> Iterator[str]:
    names = [argument] if isinstance(argument, str) else list(argument)  # type: ignore[arg-type]
    if not any(TYPES[str(name)](value) for name in names):
        yield f"is not {' or '.join(str(name) for name in names)}"


def _enum(argument: JSON, value: JSON, schema: Schema, depth: int) -> Iterator[str]:
    assert isinstance(argument, (list, tuple))
    if not any(_same(value, allowed) for allowed in argument):
        yield "is none of the allowed values"


def _const(argument: JSON, value: JSON, schema: Schema, depth: int) -> Iterator[str]:
    if not _same(value, argument):
        yield "is not the required value"


def _any_of(argument: JSON, value: JSON, schema: Schema, depth: int) -> Iterator[str]:
    assert isinstance(argument, (list, tuple))
    if not any(schema.holds(part, value, depth) for part in argument):
        yield "meets none of the alternatives of `anyOf`"


def _one_of(argument: JSON, value: JSON, schema: Schema, depth: int) -> Iterator[str]:
    assert isinstance(argument, (list, tuple))
    met = sum(schema.holds(part, value, depth) for part in argument)
    if met != 1:
        yield f"meets {met} alternatives of `oneOf` instead of one"


def _all_of(argument: JSON, value: JSON, schema: Schema, depth: int) -> Iterator[str]:
    assert isinstance(argument, (list, tuple))
    for part in argument:
        yield from schema.walk(part, value, depth)


def _not(argument: JSON, value: JSON, schema: Schema, depth: int) -> Iterator[str]:
    if schema.holds(argument, value, depth):
        yield "meets what `not` excludes"


def _ref(argument: JSON, value: JSON, schema: Schema, depth: int) -> Iterator[str]:
    yield from schema.walk(schema.target(str(argument)), value, depth)


def _pattern(argument: JSON, value: JSON, schema: Schema, depth: int) -> Iterator[str]:
    if isinstance(value, str) and not schema.pattern(str(argument)).search(value):
        yield f"does not match the pattern `{argument}`"


def _multiple_of(argument: JSON, value: JSON, schema: Schema, depth: int) -> Iterator[str]:
    if (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and isinstance(argument, (int, float))
    ):
        quotient = value / argument
        if not math.isfinite(quotient) or abs(quotient - round(quotient)) > 1e-9:
            yield f"is not a multiple of {argument}"


def _bound(
    measure: Callable[[JSON], float | None], broken: Callable[[float, float], bool], words: str
) -> Check:
    def check(argument: JSON, value: JSON, schema: Schema, depth: int) -> Iterator[str]:
        size = measure(value)
        assert isinstance(argument, (int, float))
        if size is not None and broken(size, argument):
            yield words.format(argument)

    return check


def _as_number(value: JSON) -> float | None:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _length_of(kind: type | tuple[type, ...]) -> Callable[[JSON], float | None]:
    return lambda value: len(value) if isinstance(value, kind) else None  # type: ignore[arg-type]


_STRING, _ARRAY, _OBJECT = _length_of(str), _length_of((list, tuple)), _length_of(Mapping)
_CHECKS: Final[dict[str, Check]] = {
    "$ref": _ref,
    "type": _type,
    "enum": _enum,
    "const": _const,
    "anyOf": _any_of,
    "oneOf": _one_of,
    "allOf": _all_of,
    "not": _not,
    "pattern": _pattern,
    "multipleOf": _multiple_of,
    "minimum": _bound(_as_number, lambda size, limit: size < limit, "is below {}"),
    "maximum": _bound(_as_number, lambda size, limit: size > limit, "is above {}"),
    "exclusiveMinimum": _bound(_as_number, lambda size, limit: size <= limit, "is not above {}"),
    "exclusiveMaximum": _bound(_as_number, lambda size, limit: size >= limit, "is not below {}"),
    "minLength": _bound(_STRING, lambda size, limit: size < limit, "is shorter than {} characters"),
    "maxLength": _bound(_STRING, lambda size, limit: size > limit, "is longer than {} characters"),
    "minItems": _bound(_ARRAY, lambda size, limit: size < limit, "has fewer than {} items"),
    "maxItems": _bound(_ARRAY, lambda size, limit: size > limit, "has more than {} items"),
    "minProperties": _bound(_OBJECT, lambda size, limit: size < limit, "has fewer than {} keys"),
    "maxProperties": _bound(_OBJECT, lambda size, limit: size > limit, "has more than {} keys"),
}


def _below(step: str, problems: Iterator[str]) -> Iterator[str]:
    for problem in problems:
        yield step + problem if problem[0] in ".[" else f"{step} {problem}"


def _check_object(
    rules: Mapping[str, JSON], value: JSON, schema: Schema, depth: int
) -> Iterator[str]:
    if not isinstance(value, Mapping):
        return
    required = rules.get("required", ())
    assert isinstance(required, Sequence)
    for name in required:
        if name not in value:
            yield f"has no key `{name}`"
    named, by_pattern = rules.get("properties", {}), rules.get("patternProperties", {})
    assert isinstance(named, Mapping)
    assert isinstance(by_pattern, Mapping)
    for name, item in value.items():
        parts = [named[name]] if name in named else []
        parts += [part for text, part in by_pattern.items() if schema.pattern(text).search(name)]
        if not parts and "additionalProperties" in rules:
            parts = [rules["additionalProperties"]]
        for part in parts:
            yield from _below(f".{name}", schema.walk(part, item, depth))
        if "propertyNames" in rules:
            yield from _below(f".{name}", schema.walk(rules["propertyNames"], name, depth))


def _check_array(
    rules: Mapping[str, JSON], value: JSON, schema: Schema, depth: int
) -> Iterator[str]:
    if not isinstance(value, (list, tuple)):
        return
    first = rules.get("prefixItems", ())
    assert isinstance(first, Sequence)
    for number, item in enumerate(value):
        part = first[number] if number < len(first) else rules.get("items", True)
        yield from _below(f"[{number}]", schema.walk(part, item, depth))
    if "contains" in rules and not any(
        schema.holds(rules["contains"], item, depth) for item in value
    ):
        yield "has no item that meets `contains`"
    if rules.get("uniqueItems"):
        texts = [canonical_json(_plain_numbers(item)) for item in value]
        if len(set(texts)) < len(texts):
            yield "has equal items"
