"""Claim: `selfsown loop CONFIG` really trains a round on pairs of the policy's own answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from tests.loop.preference.small_loop import form

from selfsown.cli.main import cli
from selfsown.lab.weights import weights_folder
from selfsown.loop.preference.places import PreferencePlaces
from selfsown.models.fingerprint import model_hash

pytest.importorskip("trl", reason="training needs the extra `local`")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        not any(weights_folder().glob("*.safetensors")), reason="the lab weights are not here"
    ),
]


def test_a_round_is_trained_and_kept_close_to_the_first_policy(tmp_path: Path) -> None:
    """Two rounds that are really trained are in `tests/system/test_preference_kill.py`."""
    config = tmp_path / "loop.yaml"
    config.write_text(yaml.safe_dump(form(tmp_path, rounds=1)), encoding="utf-8")
    places, first = PreferencePlaces(tmp_path / "loop"), model_hash(weights_folder())
    done = CliRunner().invoke(cli, ["loop", str(config), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["best"]["folder"] in done.stderr
    record = json.loads((places.round(0).model / "training.json").read_bytes())
    assert record["policy"]["model_hash"] == record["reference"]["model_hash"] == first
    assert record["settings"]["encoding"]["value"] == "task"
    trained = model_hash(places.round(0).model)
    assert trained != first
    assert json.loads(places.round(0).ending.read_bytes())["model_hash"] == trained
    again = CliRunner().invoke(cli, ["loop", str(config)])
    assert again.exit_code == 0 and ": trained: " not in again.stderr
