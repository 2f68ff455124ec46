"""Claim: a round's run is made once, and a finished one never stands for another config."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from selfsown.core.config import RunConfig, make_config
from selfsown.core.errors import ConfigChanged
from selfsown.loop.generate import generate

ROWS = [{"text": text} for text in ("one", "two")]


def config_of(home: Path, **given: Any) -> RunConfig:
    script = home / "script.jsonl"
    script.write_text(json.dumps({"regex": ".", "text": "said"}) + "\n")
    form = {
        "recipe": "complete",
        "models": {"generator": f"scripted:{script}"},
        "options": {"prompt": "Say {{ text }}."},
        "out": str(home / "run"),
        "seed": 3,
    }
    return make_config({**form, **given})


def test_a_finished_run_is_taken_as_it_is(tmp_path: Path) -> None:
    first = generate(config_of(tmp_path), ROWS)
    written = (tmp_path / "run" / "manifest.json").stat().st_mtime_ns
    assert generate(config_of(tmp_path), ROWS) == first
    named = {"prompt": "Say {{ text }}.", "max_tokens": 1024}  # a default that is written out
    assert generate(config_of(tmp_path, options=named), ROWS) == first
    assert (tmp_path / "run" / "manifest.json").stat().st_mtime_ns == written


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"options": {"prompt": "Tell {{ text }}."}}, "options.prompt"),
        ({"seed": 4}, "seed: `3` → `4`"),
        ({"round": 1}, "round: `0` → `1`"),
    ],
)
def test_a_finished_run_of_another_config_is_refused(
    tmp_path: Path, given: dict[str, Any], named: str
) -> None:
    generate(config_of(tmp_path), ROWS)
    with pytest.raises(ConfigChanged, match="holds another run") as refused:
        generate(config_of(tmp_path, **given), ROWS)
    assert named in refused.value.what
