"""Claim: config.yaml starts the same run again, and no secret is anywhere in the run directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from selfsown.core.config import make_config
from selfsown.core.effective import StandIn, read_effective, write_effective
from selfsown.core.errors import InputError
from selfsown.core.model import AttemptFailed, Model
from selfsown.core.request import Request
from selfsown.models.uri import open_model
from selfsown.recipes.complete import RECIPE

CANARY = "canary-7f3a"


def written(directory: Path, given: Any) -> str:
    """The config.yaml of a run with this model."""
    config = make_config({"recipe": "complete", "models": {"generator": given}, "seed": 2**63 - 1})
    models: dict[str, Model] = {"generator": open_model(given)}
    options = RECIPE.resolve("default", {"prompt": "é {{ t }}"})
    write_effective(directory, config, models, {"seed": 1}, options)
    return (directory / "config.yaml").read_text()


@pytest.mark.parametrize(
    "given",
    [
        f"http://user:{CANARY}@host:8000/v1#name",
        f"http://host?key={CANARY}#name",
        f"http://host/v1?key={CANARY}&x=/{CANARY}#name",
        f"http://u:1/{CANARY}@host/v1#name",
        f"https://{CANARY}@host/v1#name",
        {"uri": f"http://u:{CANARY}@host/v1?k={CANARY}#name", "api_key": CANARY},
        {"uri": "http://host/v1#name", "headers": {"X-Key": CANARY}},
    ],
)
def test_no_secret_of_a_model_is_written(tmp_path: Path, given: Any) -> None:
    try:
        text = written(tmp_path, given)
    except InputError as error:  # refused: then the message must not hold it either
        assert CANARY not in str(error)
        return
    assert CANARY not in text
    assert "#name" in text


@pytest.mark.parametrize(
    "uri", ["http://host:8000/v1#org/name@rev", "https://host#name", "openai:gpt-x", "lab"]
)
def test_a_config_without_secrets_names_the_same_model_again(tmp_path: Path, uri: str) -> None:
    for given in (uri, {"uri": uri, "identity": "mine"} if uri != "lab" else uri):
        written(tmp_path, given)
        config, effective = read_effective(tmp_path)
        assert config.models["generator"] == given
        assert config.seed == 2**63 - 1
        assert config.options["prompt"] == "é {{ t }}"
        assert effective["models"]["generator"]["uri"] == uri


def test_a_directory_without_config_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no config\.yaml"):
        read_effective(tmp_path)


async def test_a_stand_in_can_be_described_and_not_asked(tmp_path: Path) -> None:
    written(tmp_path, "http://host/v1#name")
    _, effective = read_effective(tmp_path)
    model = StandIn(effective["models"]["generator"])
    opened = open_model("http://host/v1#name")
    assert isinstance(model, Model)
    assert (model.uri, model.identity, model.capabilities) == (
        opened.uri,
        opened.identity,
        opened.capabilities,
    )
    with pytest.raises(AttemptFailed, match="asks no model"):
        await model.attempt(Request(prompt="x"))
