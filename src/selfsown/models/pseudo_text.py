"""Text and JSON values that are pure functions of some bytes: answers for models of tests.

They mean nothing and need no download; equal bytes give equal text on every machine.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from typing import Final

from selfsown.core.request import JSON

_WORDS: Final = (
    *("amber", "anchor", "apple", "autumn", "basket", "beacon", "birch", "bridge", "bronze"),
    *("candle", "canyon", "cedar", "chalk", "cherry", "cloud", "clover", "comet", "copper"),
    *("coral", "cotton", "dawn", "desert", "drift", "eagle", "ember", "falcon", "fern", "field"),
    *("flint", "forest", "garden", "glacier", "granite", "harbor", "hazel", "heron", "island"),
    *("ivory", "jasmine", "juniper", "kettle", "lantern", "lemon", "linen", "maple", "marble"),
    *("meadow", "mint", "moss", "nectar", "olive", "orchard", "otter", "pebble", "pepper"),
    *("pine", "quartz", "raven", "reed", "river", "saffron", "sail", "silver", "tide"),
)
_LONGEST_STRING: Final = 12


def pseudo_text(data: bytes, *, most_words: int = 31) -> str:
    """One sentence of 8 to 31 words, or of `most_words` if that is less."""
    digest = hashlib.blake2b(data, digest_size=32).digest()
    words = [_WORDS[byte % len(_WORDS)] for byte in digest[1 : 9 + digest[0] % 24]]
    return " ".join(words[: max(1, most_words)]).capitalize() + "."


def pseudo_value(data: bytes, schema: JSON) -> JSON:
    """A JSON value for a schema: types, enum, const, properties, items, bounds, first of anyOf.

    Patterns, `not` and `allOf` are not looked at, so a value for a schema that has them may miss
    it.
    """
    seed = int.from_bytes(hashlib.blake2b(data, digest_size=16).digest())
    return _value(random.Random(seed), schema, schema, 0)


def _value(rng: random.Random, schema: JSON, root: JSON, depth: int) -> JSON:
    if not isinstance(schema, Mapping) or depth > 20:
        return None
    reference = schema.get("$ref")
    if isinstance(reference, str):
        here = root
        for step in reference.split("/")[1:]:
            here = here[step] if isinstance(here, Mapping) else None
        return _value(rng, here, root, depth + 1)
    if "const" in schema:
        return schema["const"]
    for choices in ("enum", "anyOf", "oneOf"):
        options = schema.get(choices)
        if isinstance(options, (list, tuple)) and options:
            picked: JSON = options[rng.randrange(len(options))] if choices == "enum" else options[0]
            return picked if choices == "enum" else _value(rng, picked, root, depth + 1)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, (list, tuple)):
        kind = kind[0]
    return _of_type(rng, kind, schema, root, depth)


def _of_type(
    rng: random.Random, kind: JSON, schema: Mapping[str, JSON], root: JSON, depth: int
) -> JSON:
    if kind == "object":
        properties = schema.get("properties")
        named = properties if isinstance(properties, Mapping) else {}
        return {name: _value(rng, part, root, depth + 1) for name, part in named.items()}
    if kind == "array":
        least = _bound(schema, "minItems", 1)
        count = rng.randint(least, max(least, min(_bound(schema, "maxItems", 3), least + 2)))
        return [_value(rng, schema.get("items", {}), root, depth + 1) for _ in range(count)]
    if kind in ("integer", "number"):
        least = _bound(schema, "minimum", 0)
        number = rng.randint(least, max(least, _bound(schema, "maximum", least + 99)))
        return number if kind == "integer" else float(number)
    if kind == "boolean":
        return rng.random() < 0.5
    if kind == "null":
        return None
    words = " ".join(
        _WORDS[rng.randrange(len(_WORDS))] for _ in range(rng.randint(1, _LONGEST_STRING))
    )
    words = words.ljust(_bound(schema, "minLength", 0), ".")
    return words[: _bound(schema, "maxLength", len(words))]


def _bound(schema: Mapping[str, JSON], name: str, default: int) -> int:
    value = schema.get(name)
    return (
        int(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else default
    )
