"""Claim: `selfsown loop CONFIG` really trains rounds on pairs of the policy's own answers."""

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


def test_two_rounds_are_trained_from_each_other_and_kept_close_to_the_first_policy(
    tmp_path: Path,
) -> None:
    config = tmp_path / "loop.yaml"
    config.write_text(yaml.safe_dump(form(tmp_path, promotion={"acts": False})), encoding="utf-8")
    places, first = PreferencePlaces(tmp_path / "loop"), model_hash(weights_folder())
    done = CliRunner().invoke(cli, ["loop", str(config), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["best"]["folder"] in done.stderr
    hashes = [first]
    for number in range(2):
        record = json.loads((places.round(number).model / "training.json").read_bytes())
        assert record["policy"]["model_hash"] == hashes[-1]
        assert record["reference"]["model_hash"] == first
        assert record["settings"]["encoding"]["value"] == "task"
        assert record["model"]["model_depth"] == number + 1
        hashes.append(model_hash(places.round(number).model))
        assert json.loads(places.round(number).ending.read_bytes())["model_hash"] == hashes[-1]
    assert len(set(hashes)) == 3
    again = CliRunner().invoke(cli, ["loop", str(config)])
    assert again.exit_code == 0 and ": trained: " not in again.stderr
