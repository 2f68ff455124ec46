"""`selfsown recipes`: what can be run, and every option of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from textwrap import wrap
from typing import Any

import click

from selfsown.cli.option_table import Option, options_of


@dataclass(frozen=True, slots=True)
class RecipeFacts:
    """A recipe as data."""

    name: str
    version: str
    summary: str
    source: str
    """The paper; empty for recipes of our own."""
    inputs: str
    """`seeds` or `rows`."""
    takes_documents: bool
    """Whether its rows are documents, or, over seeds, documents may stand beside them."""
    target: int | None
    """Default target; None: it ends with its rows."""
    target_unit: str
    roles: Mapping[str, str]
    """Role → what it does; the first is what `--model` means."""
    presets: tuple[str, ...]
    options: tuple[Option, ...]


@click.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def recipes(name: str | None, as_json: bool) -> None:
    """List the recipes; with NAME, explain one: roles, presets, and every option."""
    if name is None:
        found = [recipe_facts(each) for each in recipe_names()]
        form: object = [_brief(facts) for facts in found]
        lines = _list_lines(found)
    else:
        facts = recipe_facts(name)
        form, lines = asdict(facts), facts_lines(facts)
    click.echo(json.dumps(form, indent=2, ensure_ascii=False) if as_json else "\n".join(lines))
    if name is None and not as_json:
        click.echo("next: selfsown recipes NAME", err=True)


def recipe_names() -> list[str]:
    """Names of the recipes, built-in ones first, then those of plug-ins."""
    from importlib.metadata import entry_points

    from selfsown.extensions import PLUGIN_GROUP, RECIPES

    prefix = "recipes."
    plugged = [entry.name for entry in entry_points(group=PLUGIN_GROUP)]
    return [*RECIPES, *sorted(n.removeprefix(prefix) for n in plugged if n.startswith(prefix))]


def recipe_facts(name: str) -> RecipeFacts:
    """Everything to know about a recipe.

    Raises:
        ConfigError: there is none of that name.
    """
    from selfsown.recipes.base import get_recipe

    recipe = get_recipe(name)
    return RecipeFacts(
        name=recipe.name,
        version=recipe.version,
        summary=recipe.summary,
        source=recipe.source,
        inputs=recipe.inputs,
        takes_documents=recipe.takes_documents,
        target=recipe.target,
        target_unit=recipe.target_unit,
        roles=dict(recipe.roles),
        presets=tuple(recipe.presets),
        options=tuple(options_of(recipe.options, recipe.presets)),
    )


def facts_lines(facts: RecipeFacts) -> list[str]:
    """A recipe in words."""
    lines = [f"{facts.name}: {facts.summary}"]
    lines += [f"source: {facts.source}"] if facts.source else []
    lines.append(f"starts from: {_start(facts)}")
    if facts.target is not None:
        lines.append(f"stops at: {facts.target} {facts.target_unit}s (`-n`)")
    lines.append("roles (`--model ROLE=URI`; the first is what `--model URI` means):")
    lines += [f"  {role}: {about}" for role, about in facts.roles.items()]
    lines.append(f"presets (`--preset NAME`): {', '.join(facts.presets)}")
    lines.append("options (`--set NAME=VALUE`, or under `options:` in a config):")
    for option in facts.options:
        value = "required" if option.is_required else f"default {_value(option.default)}"
        lines.append(f"  {option.name}: {option.kind}; {value}")
        for preset, other in option.presets.items():
            lines.append(f"      preset `{preset}`: {_value(other)}")
        lines += [f"      {line}" for line in wrap(option.about, 90)]
    return lines


def _list_lines(found: list[RecipeFacts]) -> list[str]:
    from selfsown.cli.summary import aligned

    return aligned([[facts.name, f"from {_first(facts)}", facts.summary] for facts in found])


def _first(facts: RecipeFacts) -> str:
    """What it starts from, in one word."""
    return "documents" if _is_over_documents(facts) else facts.inputs


def _start(facts: RecipeFacts) -> str:
    """What it starts from, with the options that name it."""
    if _is_over_documents(facts):
        return "documents (`--documents`), or rows with a `text` (`--rows`)"
    beside = " and documents, if you like (`--documents`)" if facts.takes_documents else ""
    return f"{facts.inputs} (`--{facts.inputs}`){beside}"


def _is_over_documents(facts: RecipeFacts) -> bool:
    return facts.inputs == "rows" and facts.takes_documents


def _brief(facts: RecipeFacts) -> dict[str, Any]:
    return {key: value for key, value in asdict(facts).items() if key != "options"}


def _value(value: object) -> str:
    return "empty" if value is None else json.dumps(value, ensure_ascii=False)
