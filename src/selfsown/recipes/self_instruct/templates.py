"""The prompts as Jinja templates: ours from `prompts/`, any of them replaceable by the user.

Templates come from us or from the user's config; model output is only ever a variable in them,
never a template. The environment is sandboxed all the same, and an undefined name is an error.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from typing import Final

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from selfsown.core.errors import ConfigError
from selfsown.core.request import Message, Role, message
from selfsown.recipes.self_instruct.options import PROMPT_NAMES

_ROLES: Final[tuple[Role, ...]] = ("system", "user", "assistant")


class Templates:
    """The compiled prompts of one run."""

    def __init__(self, replaced: Mapping[str, str]) -> None:
        """Compile all prompts; `replaced` maps names to the user's own template texts.

        Raises:
            ConfigError: a template of the user's does not parse.
        """
        self._templates = {name: _compile(name, replaced.get(name)) for name in PROMPT_NAMES}

    def text(self, name: str, values: Mapping[str, object]) -> str:
        """A completion prompt. One newline at the end of the template file is not part of it."""
        try:
            return self._templates[name].render(values)
        except TemplateError as error:
            raise _cannot_render(name, error) from error

    def messages(self, name: str, values: Mapping[str, object]) -> tuple[Message, ...]:
        """A chat prompt: the template's blocks `system`, `user` and `assistant`, in that order.

        A template without blocks is one user message; an empty block is left out.
        """
        template = self._templates[name]
        if not any(role in template.blocks for role in _ROLES):
            return (message("user", self.text(name, values).strip()),)
        turns: list[Message] = []
        for role in _ROLES:
            if role in template.blocks:
                text = self._block(name, role, values).strip()
                turns += [message(role, text)] if text else []
        return tuple(turns)

    def _block(self, name: str, role: Role, values: Mapping[str, object]) -> str:
        template = self._templates[name]
        try:
            return "".join(template.blocks[role](template.new_context(dict(values))))
        except TemplateError as error:
            raise _cannot_render(name, error) from error


def _compile(name: str, own: str | None) -> Template:
    if own is None:
        return _ours(name)
    try:
        return _environment().from_string(own)
    except TemplateSyntaxError as error:
        raise ConfigError(
            f"the template of prompt `{name}` does not parse: line {error.lineno}: {error.message}",
            why="prompts are Jinja templates",
            fix=f"correct option `prompts.{name}`, or drop it to use ours",
        ) from error


@lru_cache(maxsize=len(PROMPT_NAMES))
def _ours(name: str) -> Template:
    folder = resources.files("selfsown.recipes.self_instruct") / "prompts"
    return _environment().from_string((folder / f"{name}.j2").read_text(encoding="utf-8"))


@lru_cache(maxsize=1)
def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # prompts are plain text, not HTML
    )
    environment.filters["json"] = lambda value: json.dumps(value, ensure_ascii=False)
    return environment


def _cannot_render(name: str, error: TemplateError) -> ConfigError:
    return ConfigError(
        f"the template of prompt `{name}` cannot be rendered: {error}",
        why="it uses a name or an operation that the recipe does not offer",
        fix=f"compare option `prompts.{name}` with the names that our own template uses",
    )
