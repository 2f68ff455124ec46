"""`selfsown mix` prints files on stdout, shares on stderr; its exit code tells of a shortfall."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.conftest import Program
from tests.mixing.texts import two_sources

SIZE = ("--tokens", "4000")


@pytest.fixture
def sources(tmp_path: Path) -> list[str]:
    """Documents and their rephrases, as options."""
    two_sources(tmp_path, 50)
    return ["--real", "web=web.jsonl:1", "--synthetic", "easy=easy.jsonl:1"]


def test_a_mixture_is_written_and_its_shares_are_shown(
    selfsown: Program, sources: list[str], tmp_path: Path
) -> None:
    done = selfsown("mix", *sources, *SIZE, "-o", "out", "--validation", "0.1")
    assert done.code == 0, done.stderr
    assert done.stdout == "out/train.jsonl\nout/validation.jsonl\n"
    record = json.loads((tmp_path / "out" / "mixture.json").read_bytes())
    assert f"people wrote {record['human_share']:.1%} of the tokens" in done.stderr
    again = selfsown("mix", *sources, *SIZE, "-o", "out")
    assert again.code == 2 and "exists" in again.stderr and "--force" in again.stderr
    replaced = selfsown("mix", *sources, *SIZE, "-o", "out", "--force", "--json")
    assert replaced.code == 0
    assert json.loads(replaced.stdout)["train"]["files"] == ["train.jsonl"]


def test_shares_that_whole_texts_miss_are_told(selfsown: Program, sources: list[str]) -> None:
    done = selfsown("mix", *sources, "--tokens", "100", "-o", "few")
    assert done.code == 0 and "since texts come whole" in done.stderr
    done = selfsown("mix", *sources, "--tokens", "9000", "-o", "many")
    assert "since texts come whole" not in done.stderr


def test_a_shortfall_is_told_and_exits_with_one(selfsown: Program, sources: list[str]) -> None:
    done = selfsown("mix", *sources, "--tokens", "90000", "--epochs", "web=1.5", "-o", "out")
    assert done.code == 1 and "shortfall: " in done.stderr
    assert "`web` has no more" in done.stderr and done.stdout == "out/train.jsonl\n"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--real", "web=web.jsonl"], "Missing option '-o'"),
        (["--real", "web.jsonl", "-o", "out"], "is no source"),
        (["-o", "out"], "needs a source"),
        (["--real", "web=web.jsonl", "--epochs", "easy=2", "-o", "out"], "names no source: `easy`"),
        (["--real", "web=absent.jsonl", "-o", "out"], "absent.jsonl"),
        (["--source", "web=web.jsonl", "-o", "out"], "does not say who wrote it"),
        (["--real", "web=web.jsonl", "sweep"], "options of `sweep` stand behind it"),
        (["--real", "web=web.jsonl", "--only", "web=1", "-o", "out"], "takes NAME:FIELD=VALUE"),
    ],
)
def test_what_cannot_be_mixed_is_refused_with_a_hint(
    selfsown: Program, sources: list[str], given: list[str], said: str
) -> None:
    done = selfsown("mix", *given)
    assert done.code == 2 and said in done.stderr and "hint: " in done.stderr


def test_machine_text_alone_needs_its_flag(selfsown: Program, sources: list[str]) -> None:
    alone = [*sources[2:], "-o", "out"]
    done = selfsown("mix", *alone)
    assert done.code == 1 and "--allow-all-synthetic" in done.stderr
    assert selfsown("mix", *alone, "--allow-all-synthetic").code == 0
