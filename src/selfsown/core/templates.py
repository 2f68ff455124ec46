"""Prompt templates: sandboxed Jinja2 in which data can never become template."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from selfsown.core.errors import CallFailed, ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jinja2 import Environment, Template

    from selfsown.core.request import JSON


@lru_cache(maxsize=256)
def template(text: str) -> Template:
    """A compiled template. A variable that a row does not have is an error, never an empty string.

    Raises:
        ConfigError: the template's syntax is wrong (with the line).
    """
    from jinja2 import TemplateSyntaxError

    try:
        return _environment().from_string(text)
    except TemplateSyntaxError as error:
        raise ConfigError(
            f"prompt template, line {error.lineno}: {error.message}",
            why="prompts are Jinja2 templates: `{{ field }}` stands for a field of the row",
            fix="correct the template; write literal braces as `{{ '{{' }}`",
        ) from error


def render(text: str, variables: Mapping[str, JSON]) -> str:
    """Fill a template.

    Raises:
        ConfigError: the template cannot be compiled.
        CallFailed: this row cannot be rendered, for example because a field is absent; the row
            fails alone.
    """
    from jinja2 import TemplateError

    try:
        return _filler(text)(variables)
    except TemplateError as error:
        raise CallFailed(
            "template",
            f"the prompt cannot be rendered: {error.message or type(error).__name__}",
            why=f"the row has the fields {', '.join(f'`{name}`' for name in variables) or 'none'}",
            fix="name only fields that every row has, or use `{{ field | default('') }}`",
        ) from error


@lru_cache(maxsize=256)
def _filler(text: str) -> Callable[[Mapping[str, object]], str]:
    """What fills a template.

    `Template.render` does the same, but looks up what every template has through a chain of maps
    each time, which costs as much as the rest of it.
    """
    known = template(text)
    always = dict(known.globals)

    def fill(variables: Mapping[str, object]) -> str:
        context = known.new_context({**always, **variables}, shared=True)
        return "".join(known.root_render_func(context))

    return fill


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False
    )
