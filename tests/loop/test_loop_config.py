"""Claim: a loop's config refuses what it does not know, and explains every key it has."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from selfsown.cli.loop import key_lines
from selfsown.cli.preference_loop import preference_models
from selfsown.core.errors import ConfigError
from selfsown.loop.config import OPERATIONAL, GateConfig, GuardConfig, LoopConfig, make_loop_config

LEAST: dict[str, Any] = {"seeds": "lab:25", "suites": ["lab-plain"], "out": "loops/x"}


def test_three_keys_are_enough() -> None:
    config = make_loop_config(LEAST)
    assert (config.base, config.data, config.human_data) == ("lab", "accumulate", True)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"sedes": "lab"}, "did you mean `seeds`?"),
        ({"guard": {"refrence": "x"}}, "did you mean `reference`?"),
        ({"rounds": 0}, "`rounds`"),
        ({"suites": []}, "`suites`"),
        ({"train": {"epoch": 3}}, "epoch"),
        ({"train": {"base": "other"}}, "`train.base`"),
        ({"train": {"suites": []}}, "`train.suites`"),
        ({"train": {"human_share": 0.5}, "human_data": False}, "`human_data` is off"),
        ({"models": {"generator": "openai:x"}}, "`models.generator` is set by the loop itself"),
    ],
)
def test_what_it_does_not_know_is_refused_by_name(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_loop_config({**LEAST, **given})
    assert said in str(caught.value)


def test_every_key_is_explained() -> None:
    models: list[type[BaseModel]] = [LoopConfig, GateConfig, GuardConfig]
    models += preference_models().values()
    fields = [field for model in models for field in model.model_fields.values()]
    assert all(field.description for field in fields)
    heading = ["", "With `recipe: self-rewarding` or `recipe: online-rlhf`:", ""]
    assert len(key_lines()) == len(fields) + len(heading)


def test_more_rounds_and_another_place_are_the_same_loop() -> None:
    one = make_loop_config(LEAST)
    other = make_loop_config({**LEAST, "rounds": 9, "out": "elsewhere"})
    assert one.identity() == other.identity()
    assert not set(one.identity()) & OPERATIONAL
    assert one.identity() != make_loop_config({**LEAST, "seed": 1}).identity()


def test_a_training_is_of_the_base_never_of_a_tuned_model() -> None:
    config = make_loop_config({**LEAST, "base": "models/mine", "train": {"epochs": 2}})
    training = config.training([{"path": "a.jsonl"}], "rounds/3/model")
    assert (training.base, training.epochs, training.seeds) == ("models/mine", 2, False)
    assert training.suites == ["lab-plain"], "every round is cleaned of what it is measured by"


def test_what_a_loop_writes_down_holds_no_key() -> None:
    settings = {"uri": "http://me:secret-1@host/v1?key=secret-2#m", "headers": {"X": "secret-3"}}
    given = {**LEAST, "models": {"labeler": {**settings, "api_key": "secret-4"}}}
    config = make_loop_config(given)
    assert "secret" not in str(config.shown())
    assert config.shown()["models"] == {"labeler": {"uri": "http://host/v1#m"}}
    plain = make_loop_config({**LEAST, "models": {"labeler": settings["uri"]}})
    assert plain.identity()["models"] == {"labeler": "http://host/v1#m"}
    assert config.models["labeler"]["api_key"] == "secret-4"
