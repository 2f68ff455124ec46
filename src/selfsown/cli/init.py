"""`selfsown init`: a config file in which every key and option is explained."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from selfsown.cli.option_table import Option
    from selfsown.recipes.base import Recipe

_WIDTH: Final = 98
_EXAMPLES: Final = {
    "prompt": "Summarise in one sentence: {{ text }}",
    "models": {"generator": "lab"},
    "rows": "rows.jsonl",
    "seeds": "lab:25",
}
"""Values that the template gives to keys that have no usable default."""


@click.command()
@click.argument("file", default="selfsown.yaml", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--recipe", "recipe_name", default="self-instruct", show_default=True)
def init(file: Path, recipe_name: str) -> None:
    """Write a config FILE (YAML) for a recipe, with every key explained.

    An existing file is never overwritten.
    """
    from selfsown.cli.run import program
    from selfsown.core.errors import EnvironmentFailure, InputError
    from selfsown.recipes.base import get_recipe

    text = config_text(get_recipe(recipe_name))
    try:
        with file.open("x", encoding="utf-8") as handle:
            handle.write(text)
    except FileExistsError as error:
        raise InputError(
            f"`{file}` exists",
            why="it may hold your changes, so it is not overwritten",
            fix="name another file",
        ) from error
    except OSError as error:
        raise EnvironmentFailure(
            f"`{file}` cannot be written: {error.strerror}",
            why="the config was to be written there",
            fix="name a file in an existing, writable folder",
        ) from error
    click.echo(str(file))
    quoted = shlex.quote(str(file))
    click.echo(f"next: {program()} plan {quoted}, then {program()} run {quoted}", err=True)


def config_text(recipe: Recipe[Any]) -> str:
    """A config of a recipe as YAML: keys at their defaults, options in comments, all explained."""
    from selfsown.cli.option_table import options_of

    lines = [
        f"# {recipe.name}: {recipe.summary}",
        "# Flags of `selfsown run` override what stands here. To set an option, remove its `#`.",
    ]
    for key, about, value in _config_keys(recipe):
        lines += ["", *_comment(about)]
        if key == "options":
            lines += list(_option_lines(options_of(recipe.options, recipe.presets)))
        elif isinstance(value, Mapping) and key in ("budget", "limits", "batch"):
            lines += [f"{key}:", *_section_lines(key)]
        else:
            lines.append(f"{key}: {_yaml(value)}")
    return "\n".join(lines) + "\n"


def _config_keys(recipe: Recipe[Any]) -> Iterator[tuple[str, str, Any]]:
    """Key, explanation and value of each key of a run's config, without those it does not use."""
    from selfsown.core.config import RunConfig

    given = {
        **_EXAMPLES,
        "recipe": recipe.name,
        "target": recipe.target,
        "out": f"runs/{recipe.name}",
        "models": {next(iter(recipe.roles)): "lab"},
    }
    other = "rows" if recipe.inputs == "seeds" else "seeds"
    if recipe.inputs == "rows" and recipe.takes_documents:
        given |= {"rows": None, "documents": "documents"}
    for name, field in RunConfig.model_fields.items():
        if name == other or (name == "target" and recipe.target is None):
            continue
        default: Any = None if field.is_required() else field.get_default(call_default_factory=True)
        about = field.description or ""
        if name == "models":
            roles = "; ".join(f"`{role}` {what}" for role, what in recipe.roles.items())
            about = f"{about} Roles: {roles}."
        if hasattr(default, "model_dump"):
            default = default.model_dump(mode="json")
        yield name, about, given.get(name, default)


def _section_lines(key: str) -> Iterator[str]:
    """The keys of a nested section of the config."""
    from selfsown.cli.option_table import options_of
    from selfsown.core.config import RunConfig

    inner: Any = RunConfig.model_fields[key].annotation
    for option in options_of(inner):
        yield from _comment(f"{option.about} ({option.kind})", "  ")
        yield f"  {option.name}: {_yaml(option.default)}"


def _option_lines(options: list[Option]) -> Iterator[str]:
    """The options: required ones with an example, others in comments with their default.

    `#` without a blank after it stands before what may be uncommented.
    """
    yield "options:"
    section = ""
    for option in options:
        head, _, name = option.name.rpartition(".")
        if head and head != section:
            yield f"  #{head}:"
        section = head
        presets = "".join(f"; preset {p}: {_yaml(v)}" for p, v in option.presets.items())
        must = "; required" if option.is_required else ""
        indent = "    " if head else "  "
        yield from _comment(f"{option.about} ({option.kind}{must}{presets})", indent)
        if option.is_required:
            yield f"  {name}: {_yaml(_EXAMPLES.get(name, ''))}"
        else:
            yield f"  #{'  ' if head else ''}{name}: {_yaml(option.default)}"


def _comment(text: str, indent: str = "") -> list[str]:
    return [f"{indent}# {line}" for line in wrap(text, _WIDTH - len(indent))]


def _yaml(value: Any) -> str:
    """A value on one line, bare where YAML reads a bare word as text; JSON is YAML too."""
    import json

    import yaml

    bare = isinstance(value, str) and value.replace("-", "").replace("/", "").isalnum()
    if bare and yaml.safe_load(value) == value:
        return str(value)
    return json.dumps(value, ensure_ascii=False)
