"""Prompts of a recipe as Jinja templates: ours from its `prompts/`, any of them replaceable.

Templates come from us or from the user's config; model output and documents are only ever variables
in them, never templates. The environment is sandboxed all the same, and an undefined name is an
error.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Final

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from selfsown.core.errors import ConfigError
from selfsown.core.nearest import did_you_mean
from selfsown.core.request import Message, Role, message

_ROLES: Final[tuple[Role, ...]] = ("system", "user", "assistant")


class PromptFiles:
    """The compiled prompts of one run."""

    def __init__(self, package: str, names: Collection[str], replaced: Mapping[str, str]) -> None:
        """Compile all prompts.

        Args:
            package: whose folder `prompts/` holds ours.
            names: of all prompts.
            replaced: name → the user's own template text.

        Raises:
            ConfigError: a template of the user's does not parse.
        """
        self._templates = {name: _compile(package, name, replaced.get(name)) for name in names}

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


def read_replaced(prompts: Mapping[str, str], names: Collection[str]) -> dict[str, str]:
    """The user's templates as texts, so that the effective config shows what is sent.

    Args:
        prompts: name → Jinja text, or path of a file that ends in `.j2`.
        names: of all prompts.

    Raises:
        ValueError: a name is unknown, or a file cannot be read.
    """
    return {_known(name, names): _template_text(name, value) for name, value in prompts.items()}


def _known(name: str, names: Collection[str]) -> str:
    if name in names:
        return name
    hint = did_you_mean(name, list(names)) or f"known are {', '.join(names)}"
    raise ValueError(f"there is no prompt `{name}`; {hint}")


def _template_text(name: str, value: str) -> str:
    if "\n" in value or not value.endswith(".j2"):
        return value
    try:
        return Path(value).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"the template of prompt `{name}`, `{value}`, cannot be read: {error}"
        ) from error


def _compile(package: str, name: str, own: str | None) -> Template:
    if own is None:
        return _ours(package, name)
    try:
        return _environment().from_string(own)
    except TemplateSyntaxError as error:
        raise ConfigError(
            f"the template of prompt `{name}` does not parse: line {error.lineno}: {error.message}",
            why="prompts are Jinja templates",
            fix=f"correct option `prompts.{name}`, or drop it to use ours",
        ) from error


@lru_cache(maxsize=256)
def _ours(package: str, name: str) -> Template:
    folder = resources.files(package) / "prompts"
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
