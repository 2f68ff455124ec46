"""Claim: `recipes` and `init` explain every option there is, and what `init` writes can be run."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from selfsown.cli.init import config_text
from selfsown.cli.option_table import options_of
from selfsown.core.config import RunConfig, make_config
from selfsown.extensions import RECIPES
from selfsown.recipes.base import get_recipe

Program = Callable[..., tuple[int, str, str]]


def test_the_list_names_every_recipe(selfsown: Program) -> None:
    _, stdout, _ = selfsown("recipes")
    assert [line.split()[0] for line in stdout.splitlines()] == list(RECIPES)
    _, stdout, _ = selfsown("recipes", "--json")
    assert [each["name"] for each in json.loads(stdout)] == list(RECIPES)


@pytest.mark.parametrize("name", RECIPES)
def test_every_option_is_explained(selfsown: Program, name: str) -> None:
    code, stdout, _ = selfsown("recipes", name, "--json")
    facts = json.loads(stdout)
    assert code == 0
    fields = get_recipe(name).options.model_fields
    assert {option["name"].partition(".")[0] for option in facts["options"]} == set(fields)
    assert all(option["about"] for option in facts["options"])
    _, text, _ = selfsown("recipes", name)
    assert all(f"  {option['name']}: " in text for option in facts["options"])


@pytest.mark.parametrize("name", ["rephrase", "cosmopedia", "grounded", "topics"])
def test_recipes_over_documents_say_so(selfsown: Program, name: str) -> None:
    _, stdout, _ = selfsown("recipes", name)
    assert "starts from: documents (`--documents`)" in stdout
    form = yaml.safe_load(config_text(get_recipe(name)))
    assert (form["documents"], form["rows"]) == ("documents", None)
    code, _, stderr = selfsown("run", name, "--model", "lab", "-o", "out")
    assert code == 2 and "needs documents" in stderr and "--documents PATH" in stderr


def test_presets_show_what_they_change() -> None:
    recipe = get_recipe("self-instruct")
    options = {option.name: option for option in options_of(recipe.options, recipe.presets)}
    assert options["block"].default is None
    assert options["block"].presets == {"paper": 5}
    assert options["lists.temperature"].presets == {"paper": 0.7, "self-rewarding": 0.6}
    assert options["lists.temperature"].kind == "number or empty (>= 0)"
    assert options["demonstrations_from"].kind == "uniform | spread"


def test_an_unknown_recipe_exits_2_and_names_the_nearest(selfsown: Program) -> None:
    code, _, stderr = selfsown("recipes", "self-instrct")
    assert code == 2
    assert "did you mean `self-instruct`?" in stderr


@pytest.mark.parametrize("name", RECIPES)
def test_the_written_config_loads_and_means_the_defaults(name: str) -> None:
    recipe = get_recipe(name)
    form = yaml.safe_load(config_text(recipe))
    assert set(form) <= set(RunConfig.model_fields)
    config = make_config({key: value for key, value in form.items() if value is not None})
    plain = RunConfig(recipe=name)
    assert (config.budget, config.limits, config.order) == (plain.budget, plain.limits, plain.order)
    recipe.resolve(config.preset, config.options)


@pytest.mark.parametrize("name", RECIPES)
def test_its_options_uncommented_are_the_recipes_defaults(name: str) -> None:
    recipe = get_recipe(name)
    text = re.sub(r"^  #(?! \S)", "  ", config_text(recipe), flags=re.MULTILINE)
    given = yaml.safe_load(text)["options"]
    assert set(given) == set(recipe.options.model_fields)
    required = {
        key: given[key] for key, f in recipe.options.model_fields.items() if f.is_required()
    }
    assert recipe.resolve("default", given) == recipe.resolve("default", required)


def test_init_writes_a_config_that_can_be_planned_and_never_overwrites(selfsown: Program) -> None:
    code, stdout, _ = selfsown("init", "mine.yaml")
    assert (code, stdout) == (0, "mine.yaml\n")
    before = Path("mine.yaml").read_bytes()
    code, _, stderr = selfsown("init", "mine.yaml")
    assert code == 2
    assert "`mine.yaml` exists" in stderr
    assert Path("mine.yaml").read_bytes() == before
    Path("model.jsonl").write_text('{"text": "x"}\n')
    code, stdout, _ = selfsown("plan", "mine.yaml", "--model", "scripted:model.jsonl")
    assert code == 0
    assert "new calls: at most" in stdout
