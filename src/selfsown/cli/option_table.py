"""Every option of a config model or recipe as data, read from the pydantic fields themselves."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Union, get_args, get_origin

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

_NAMES: Final = {str: "text", int: "whole number", float: "number", bool: "true or false"}
_BOUNDS: Final = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}


@dataclass(frozen=True, slots=True)
class Option:
    """One option."""

    name: str
    """With dots where it lies in a section, as `--set` takes it."""
    kind: str
    """Its type in words, with bounds."""
    is_required: bool
    default: Any
    """As JSON; None if it is required."""
    about: str
    presets: Mapping[str, Any]
    """Preset → value, for presets that set another than the default."""


def options_of(
    model: type[BaseModel], presets: Mapping[str, Mapping[str, Any]] | None = None
) -> list[Option]:
    """The options of a pydantic model in order; those of nested models with dotted names.

    Args:
        model: options of a recipe, or the config of a run.
        presets: preset → the values it sets, nested as in a config.
    """
    return list(_walk(model, "", presets or {}))


def _walk(
    model: type[BaseModel], prefix: str, presets: Mapping[str, Mapping[str, Any]], over: Any = None
) -> Iterator[Option]:
    for name, field in model.model_fields.items():
        below = {preset: values[name] for preset, values in presets.items() if name in values}
        default = _default(field)
        if over is not None:
            default = getattr(over, name)
        inner = _nested(field.annotation)
        if inner is not None:
            nested = {
                preset: value for preset, value in below.items() if isinstance(value, Mapping)
            }
            yield from _walk(inner, f"{prefix}{name}.", nested, default)
            continue
        plain = _plain(default)
        yield Option(
            name=prefix + name,
            kind=_kind(field.annotation) + _bounds(field),
            is_required=field.is_required() and over is None,
            default=plain,
            about=field.description or "",
            presets={
                preset: _plain(value) for preset, value in below.items() if _plain(value) != plain
            },
        )


def _default(field: FieldInfo) -> Any:
    return None if field.is_required() else field.get_default(call_default_factory=True)


def _nested(annotation: object) -> type[BaseModel] | None:
    from pydantic import BaseModel

    is_model = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    return annotation if is_model else None  # type: ignore[return-value]


def _kind(annotation: Any) -> str:
    """A type in words: `number or empty`, `arrival | strict`, `list of text`."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if annotation in _NAMES:
        return _NAMES[annotation]
    if annotation is type(None):
        return "empty"
    if origin is Literal:
        return " | ".join(str(choice) for choice in inner)
    if origin in (Union, types.UnionType):
        return " or ".join(_kind(each) for each in inner)
    if origin is typing.Annotated:
        return _kind(inner[0])
    if origin is dict or annotation is dict:
        return "mapping"
    if origin in (list, tuple, Sequence, frozenset, set):
        return f"list of {_kind(inner[0])}" if inner else "list"
    return getattr(annotation, "__name__", str(annotation))


def _bounds(field: FieldInfo) -> str:
    found = [
        f"{sign} {value:g}"
        for rule in field.metadata
        for word, sign in _BOUNDS.items()
        if (value := getattr(rule, word, None)) is not None
    ]
    return f" ({', '.join(found)})" if found else ""


def _plain(value: Any) -> Any:
    """A default as JSON has it."""
    from pydantic_core import to_jsonable_python

    return to_jsonable_python(value)
