"""Claim: a sweep reads equal tokens, is kept student by student, and refuses what it cannot say."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

pytest.importorskip("torch")
pytest.importorskip("tokenizers")
pytest.importorskip("transformers")

from selfsown.cli.main import cli
from selfsown.core.errors import ConfigError, InputError
from selfsown.sweep.arms import Arm, Student
from selfsown.sweep.lab_mixture import SEED_TOKENS, MixtureWorld, mixture_design, written
from selfsown.sweep.lab_noise import NoiseWorld, noise_design
from selfsown.sweep.material import Design
from selfsown.sweep.noise_text import NoisyTexts
from selfsown.sweep.run import SweepOptions, run_sweep
from selfsown.sweep.student import Shape

WORLD = NoiseWorld(notes=30, held_out_notes=4, task_pairs=4)
DESIGN = replace(
    noise_design(WORLD), arms=tuple(noise_design(WORLD).arms[at] for at in (0, 2))
)  # fmt: skip
OPTIONS = SweepOptions(3_000, (0,), Shape(width=16, layers=1, row_tokens=128, points=2))


def _students(out: Path) -> list[Student]:
    found = sorted(out.glob("students/*/*/student.json"))
    return [Student.of_json(json.loads(path.read_bytes())) for path in found]


def test_a_sweep_trains_every_arm_on_equal_tokens_and_goes_on_where_it_was(tmp_path: Path) -> None:
    told: list[str] = []
    first = run_sweep(DESIGN, OPTIONS, tmp_path, told.append)
    students = _students(tmp_path)
    assert [student.tokens for student in students] == [3_000, 3_000]
    shares = {student.arm: student.human_share for student in students}
    assert shares["noisy only"] == 1
    assert shares["noisy and prose 1:1"] == pytest.approx(0.5, abs=0.05)
    assert {kind: len(done) for kind, done in students[0].answers.items()} == {
        "prose": 4,
        "questions": 4,
    }
    assert not list(tmp_path.glob("students/*/*/mixture"))
    assert json.loads((tmp_path / "comparison.json").read_bytes())["chosen"] == first.chosen
    told.clear()
    assert run_sweep(DESIGN, OPTIONS, tmp_path, told.append) == first
    assert not told
    with pytest.raises(ConfigError, match="other `tokens`"):
        run_sweep(DESIGN, replace(OPTIONS, tokens=4_000), tmp_path)
    more = run_sweep(DESIGN, replace(OPTIONS, seeds=(0, 1)), tmp_path, told.append)
    assert more.seeds == (0, 1)
    assert [line for line in told if "seed" in line] == [
        "noisy only, seed 1",
        "noisy and prose 1:1, seed 1",
    ]


def test_an_arm_that_cannot_be_mixed_is_refused(tmp_path: Path) -> None:
    other = Design(WORLD, (Arm("x", {"nothing": 1.0}),), "x", ("clean",))
    with pytest.raises(ConfigError, match="unknown source `nothing`"):
        run_sweep(other, OPTIONS, tmp_path / "a")
    with pytest.raises(InputError, match="`noisy` is too small"):
        run_sweep(DESIGN, replace(OPTIONS, tokens=100_000), tmp_path / "b")


def test_the_lab_writes_from_beginnings_of_documents_the_same_each_time() -> None:
    texts = ["Is Sweden in Europe? yes The language of Sweden is Swedish. The capital of"] * 2
    first = written(texts, 0, 0.8)
    assert first == written(texts, 0, 0.8)
    assert all(text.startswith("Is Sweden in Europe? yes") for text in first)
    assert first[0] != first[1]
    assert SEED_TOKENS < 20


def test_held_out_kinds_and_tasks_of_the_mixture_world_are_complete() -> None:
    world = MixtureWorld(held_out_documents=2, fact_tasks=5, suite_tasks=5)
    assert all(len(texts) == 2 for texts in world.held_out().values())
    assert [task.kind for task in world.tasks()] == ["facts"] * 5 + ["suite"] * 5
    assert mixture_design().arms[0].name == mixture_design().reference


def test_given_text_is_cut_into_passages_and_whole_documents_are_held_out(tmp_path: Path) -> None:
    texts = [
        " ".join(f"Document {n} says in line {k} that the garden is green." for k in range(60))
        for n in range(40)
    ]
    world = NoisyTexts(_write(tmp_path / "text.jsonl", texts, "d"), passages=50)
    sources = world.sources(tmp_path, 0)
    rows = [json.loads(line) for line in sources["clean"].path.read_text().splitlines()]
    noisy = [json.loads(line) for line in sources["noisy"].path.read_text().splitlines()]
    assert [row["doc_id"] for row in rows] == [row["doc_id"] for row in noisy]
    assert {row["kind"] for row in noisy} == {"real"}
    assert all(any(row["text"] in text for text in texts) for row in rows)
    held_out = {text.split()[1] for text in world.held_out()["clean"]}
    assert held_out
    assert held_out.isdisjoint(row["text"].split()[1] for row in rows)


def _write(path: Path, texts: list[str], name: str) -> Path:
    rows = (json.dumps({"id": f"{name}{n}", "text": text}) for n, text in enumerate(texts))
    path.write_text("\n".join(rows) + "\n")
    return path


def test_files_are_swept_from_the_command_line_and_the_mixture_is_named(tmp_path: Path) -> None:
    words = ["red", "blue", "green", "old", "new", "big", "small", "slow", "warm", "cold", "far"]
    texts = [f"The {a} house is {b}, and the {b} tree is {a}." for a in words for b in words]
    web = _write(tmp_path / "web.jsonl", texts[:110], "w")
    easy = _write(tmp_path / "easy.jsonl", [text.upper() for text in texts[:110]], "e")
    held = _write(tmp_path / "held.jsonl", texts[110:120], "h")
    tasks = tmp_path / "tasks.jsonl"
    tasks.write_text('{"prompt": "The red house is", "choices": [" red,", " the,"]}\n')
    line = ["mix", "sweep", "--real", f"web={web}", "--synthetic", f"easy={easy}", "--held-out",
            f"web={held}", "--tasks", str(tasks), "--ratio", "0", "--ratio", "0.5", "--tokens",
            "1500", "--seeds", "1", "--width", "16", "--layers", "1",
            "-o", str(tmp_path / "out")]  # fmt: skip
    done = CliRunner().invoke(cli, line, catch_exceptions=False)
    assert done.exit_code == 0
    assert "easy 50 %" in done.stdout
    assert "next: selfsown mix --real web=" in done.stderr
    seen = _write(tmp_path / "seen.jsonl", texts[109:120], "s")
    line[line.index(f"web={held}")] = f"web={seen}"
    refused = CliRunner().invoke(cli, [*line[:-1], str(tmp_path / "other")])
    assert refused.exit_code == 2
    assert "which is held out" in refused.stderr
