"""Every extension point on one screen, as lazy import strings: nothing loads before it is used.

A package outside adds one with an entry point of the group `selfsown.plugins`, named
`<point>.<name>`:

    [project.entry-points."selfsown.plugins"]
    "models.mycloud" = "my_package.backend:open_mycloud"

Built-in names cannot be replaced by a plug-in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Final

MODELS: Final[dict[str, str]] = {
    "openai": "selfsown.models.endpoint:open_openai",
    "anthropic": "selfsown.models.anthropic:open_anthropic",
    "http": "selfsown.models.endpoint:open_http",
    "https": "selfsown.models.endpoint:open_http",
    "ollama": "selfsown.models.endpoint:open_ollama",
    "hf": "selfsown.models.hf:open_hf",
    "lab": "selfsown.models.lab:open_lab",
    "scripted": "selfsown.models.scripted:open_scripted",
}
"""URI scheme -> function from `ModelSettings` to a `Model`."""

RECIPES: Final[dict[str, str]] = {
    "complete": "selfsown.recipes.complete:RECIPE",
    "self-instruct": "selfsown.recipes.self_instruct.recipe:RECIPE",
}
"""Recipe name -> `selfsown.recipes.base.Recipe`."""

PLUGIN_GROUP: Final = "selfsown.plugins"


def load_extension(
    point: str, builtin: Mapping[str, str], name: str, *, plugins: bool = True
) -> Callable[..., Any] | None:
    """What is registered as `name` at an extension point, imported now; None if nothing is."""
    if name in builtin:
        module, _, attribute = builtin[name].partition(":")
        found: Callable[..., Any] = getattr(import_module(module), attribute)
        return found
    if not plugins:
        return None
    from importlib.metadata import entry_points

    for entry in entry_points(group=PLUGIN_GROUP, name=f"{point}.{name}"):
        loaded: Callable[..., Any] = entry.load()
        return loaded
    return None
