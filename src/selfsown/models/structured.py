"""An answer that must meet a JSON schema: strict parse first, then repair; the way is recorded."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final, Literal

import orjson

from selfsown.core.request import JSON
from selfsown.models.json_schema import Schema

ParseMode = Literal["strict", "repaired"]

_FENCE: Final = re.compile(r"\A\s*```[A-Za-z0-9]*\s*\n(.*?)\n?\s*```\s*\Z", re.DOTALL)
_LONGEST_REPAIR: Final = 50_000
_DEEPEST_REPAIR: Final = 64
"""json-repair is quadratic on some hostile texts; within both bounds it takes under a second."""
_BRACKET: Final = re.compile(r"[{}\[\]]")
_CACHE_SIZE: Final = 64
_compiled: dict[int, tuple[Mapping[str, JSON], Schema]] = {}


class SchemaMissed(ValueError):
    """A text holds no JSON value that meets the schema.

    The message says in one line what is wrong.
    """


def compiled_schema(schema: Mapping[str, JSON]) -> Schema:
    """The schema, checked; remembered by object, since one schema serves thousands of calls.

    Raises:
        ConfigError: the schema uses a keyword that cannot be checked here.
    """
    found = _compiled.get(id(schema))
    if found is None or found[0] is not schema:
        if len(_compiled) >= _CACHE_SIZE:
            _compiled.clear()
        found = _compiled[id(schema)] = (schema, Schema(schema))
    return found[1]


def parse_structured(
    text: str, schema: Mapping[str, JSON], *, repair: bool = True
) -> tuple[JSON, ParseMode]:
    """The JSON value in a model's answer, and how it was read.

    `strict`: the whole text, white space aside, is JSON that meets the schema. `repaired`: it was
    found inside a Markdown fence or prose, or json-repair closed, quoted or completed something. A
    repair never turns a text without any brace or bracket into a container. Texts over 50,000
    characters, or nested deeper than 64, are not repaired.

    Raises:
        SchemaMissed: neither way gives a value that meets the schema.
        ConfigError: the schema uses a keyword that cannot be checked.
    """
    compiled = compiled_schema(schema)
    missed = "is not JSON"
    fenced = _FENCE.match(text)
    for candidate, mode in ((text, "strict"), (fenced.group(1) if fenced else None, "repaired")):
        if candidate is None:
            continue
        try:
            value = read_json(candidate)
        except ValueError:
            continue
        problems = compiled.problems(value)
        if not problems:
            return value, "strict" if mode == "strict" else "repaired"
        missed = problems[0]
    if repair and _is_repairable(text):
        value = _repair(text)
        if value is not None:
            problems = compiled.problems(value)
            if not problems:
                return value, "repaired"
            missed = problems[0] if missed == "is not JSON" else missed
    raise SchemaMissed(f"the answer misses the schema: {missed}")


def read_json(text: str) -> JSON:
    """A JSON text as a value.

    Raises:
        ValueError: it is no JSON (NaN and infinities included), or nested too deep.
    """
    try:
        value: JSON = orjson.loads(text)
    except ValueError:
        # orjson refuses lone surrogates and integers beyond 64 bits, which are JSON all the same
        try:
            value = json.loads(text, parse_constant=_refuse_constant)
        except RecursionError as error:
            raise ValueError("nested too deep") from error
    return value


def read_loosely(text: str) -> JSON:
    """The JSON object or array that a text is, without a schema, repaired if need be.

    None if it is none, has over 50,000 characters, or is nested deeper than 64.
    """
    if not _is_repairable(text):
        return None
    try:
        value = read_json(text)
    except ValueError:
        return _repair(text)
    return value if isinstance(value, (Mapping, list)) else None


def _refuse_constant(name: str) -> JSON:
    raise ValueError(f"{name} is not JSON")


def _is_repairable(text: str) -> bool:
    """Whether a text holds a brace or bracket, and is neither too long nor nested too deep."""
    if len(text) > _LONGEST_REPAIR:
        return False
    depth = deepest = 0
    for bracket in _BRACKET.findall(text):
        depth += 1 if bracket in "{[" else -1
        deepest = max(deepest, depth)
    return 0 < deepest <= _DEEPEST_REPAIR


def _repair(text: str) -> JSON:
    """What json-repair makes of a text, starting at the first brace or bracket; None if nothing."""
    import json_repair

    start = min(place for place in (text.find("{"), text.find("[")) if place >= 0)
    try:
        value: JSON = json_repair.loads(text[start:], skip_json_loads=True)
        orjson.dumps(value)
    except (ValueError, TypeError, RecursionError, IndexError):
        return None
    return value if isinstance(value, (Mapping, list)) and value else None
