"""Claim: `demo` tells what it does, does it offline on the shipped model, and can go on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from selfsown.cli import demo
from selfsown.cli.demo import demo_run, sampled
from selfsown.models.lab import WEIGHTS

Program = Callable[..., tuple[int, str, str]]

pytest.importorskip("torch", reason="the lab model needs the extra `local`")
pytestmark = pytest.mark.skipif(
    not (WEIGHTS / "model.safetensors").exists(), reason="the lab weights are not in this checkout"
)


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.slow
def test_the_demo_explains_itself_before_and_after_and_is_reproducible(
    selfsown: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, stdout, stderr = selfsown("demo", "--no-loop", "-n", 12, "-o", "first")
    assert (code, stdout) == (0, "")
    lines = stderr.splitlines()
    assert lines[0].startswith("The lab model")
    assert any("It stops at 12 tasks, in roughly" in line for line in lines)
    assert [line.partition(":")[0] for line in lines[-5:]] == [
        *("report", "explain", "verify", "export", "your own"),
    ]
    assert Path("first/report.html").exists()
    selfsown("demo", "--no-loop", "-n", 12, "-o", "second")
    first, second = (Path(name, "accepted.jsonl").read_bytes() for name in ("first", "second"))
    assert first == second
    assert selfsown("replay", "first")[0] == 0
    code, stdout, _ = selfsown("demo", "--no-loop", "-n", 15, "-o", "first", "--json")
    assert code == 0
    assert json.loads(stdout)["run"]["calls_from_journal"] > 0
    monkeypatch.setattr(demo, "loop_lines", interrupted)
    code, _, stderr = selfsown("demo", "-n", 15, "-o", "first")
    assert code == 130 and any(line.startswith("resume: ") for line in stderr.splitlines())


def test_the_demo_is_a_plain_run_of_the_public_recipe() -> None:
    asked = demo_run("runs/demo", 100, 7)
    assert (asked.recipe.name, asked.config.models) == ("self-instruct", {"generator": "lab"})
    assert asked.config.options == {}


def test_samples_are_spread_over_the_run(tmp_path: Path) -> None:
    lines = [json.dumps({"id": f"r-{n}"}) + "\n" for n in range(7)]
    (tmp_path / "accepted.jsonl").write_text("".join(lines))
    assert [record["id"] for record in sampled(tmp_path, 3)] == ["r-0", "r-3", "r-6"]
    (tmp_path / "accepted.jsonl").write_text(lines[0])
    assert [record["id"] for record in sampled(tmp_path, 3)] == ["r-0"]
