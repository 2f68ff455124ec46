"""From JSON to a validated record: how judges and checks are made from a config or a row."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import orjson

from selfsown.core.errors import ConfigError
from selfsown.core.nearest import did_you_mean
from selfsown.core.request import JSON

if TYPE_CHECKING:
    from pydantic import TypeAdapter

Made = TypeVar("Made")


def made(make: Callable[..., Made], given: Mapping[str, JSON], what: str) -> Made:
    """An instance made with the given options.

    Of a dataclass, the types of its fields are checked strictly, and lists become tuples; whether
    values make sense is its own `__post_init__`'s to say. Another function checks for itself.

    Args:
        make: a dataclass, or a function that takes the options by name.
        given: the options.
        what: how to call it in errors, for example "judge `rubric`".

    Raises:
        ConfigError: an option is unknown, missing, of the wrong type, or makes no sense.
    """
    known = inspect.signature(make).parameters
    listed = ", ".join(f"`{name}`" for name in known) or "none"
    for name in given:
        if name not in known:
            raise ConfigError(
                f"{what} has no option `{name}`",
                why=f"its options: {listed}",
                fix=did_you_mean(name, known) or "remove it",
            )
    for name, option in known.items():
        if option.default is option.empty and name not in given:
            raise ConfigError(
                f"{what} lacks its option `{name}`",
                why=f"its options: {listed}",
                fix=f"give `{name}`",
            )
    return _typed(make, given, what) if _is_record(make) else make(**given)


def _is_record(make: object) -> bool:
    return is_dataclass(make)


def _typed(make: Callable[..., Made], given: Mapping[str, JSON], what: str) -> Made:
    from pydantic import ValidationError

    try:
        found: Made = _adapter(make).validate_json(orjson.dumps(dict(given)), strict=True)
        return found
    except ValidationError as error:
        wrong = error.errors()[0]
        place = ".".join(map(str, wrong["loc"]))
        raise ConfigError(
            f"{what}: `{place}` is `{wrong['input']}`",
            why=wrong["msg"],
            fix=f"correct `{place}`",
        ) from None


@lru_cache(maxsize=128)
def _adapter(make: Any) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(make)
