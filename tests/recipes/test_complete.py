"""Claim: rows with equal prompts share an answer unless they say that they want one each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from selfsown.core.config import make_config
from selfsown.core.request import JSON, Request
from selfsown.models.scripted import ScriptedModel
from selfsown.offline import replay
from selfsown.recipes.base import get_recipe
from selfsown.results import RunResult
from selfsown.runner import Start, execute, run_loop

ROWS: list[dict[str, JSON]] = [
    {"id": 0, "word": "dark", "draw": 0},
    {"id": 1, "word": "dark", "draw": 1},
    {"id": 2, "word": "dark", "draw": 1},
    {"id": 3, "word": "cold", "draw": 0},
]


def told(request: Request, seed: int) -> str:
    return f"{request.prompt or request.messages} {seed}"


def answers(out: Path, rows: list[dict[str, JSON]], **options: Any) -> tuple[RunResult, int]:
    model = ScriptedModel(told)
    form = {"recipe": "complete", "models": {"generator": "scripted"}, "out": str(out)}
    config = make_config({**form, "options": {"prompt": "{{ word }}", **options}})
    result = run_loop(execute(config, Start(), rows=rows, opened={"generator": model}))
    return result, len(model.requests)


def test_equal_prompts_are_one_call(tmp_path: Path) -> None:
    result, calls = answers(tmp_path / "run", ROWS)
    texts = [row["completion"] for row in result.accepted]
    assert calls == 2 and texts[0] == texts[1] == texts[2] != texts[3]


def test_another_number_of_the_draw_is_another_answer_and_replays(tmp_path: Path) -> None:
    result, calls = answers(tmp_path / "run", ROWS, sample_field="draw")
    texts = [row["completion"] for row in result.accepted]
    assert calls == 3 and texts[1] == texts[2] != texts[0]
    assert replay(tmp_path / "run").identical


def test_a_row_without_its_number_fails_alone(tmp_path: Path) -> None:
    bad: list[dict[str, JSON]] = [{"id": 9, "word": "warm", "draw": "1"}, {"id": 10, "word": "wet"}]
    result, calls = answers(tmp_path / "run", [*ROWS, *bad], sample_field="draw")
    assert calls == 3 and len(result.accepted) == 4
    assert ["`draw` is" in str(row["error"]) for row in result.failed] == [True, True]


def test_runs_that_do_not_use_it_keep_their_identity() -> None:
    recipe = get_recipe("complete")
    assert "sample_field" not in recipe.data_options(recipe.options(prompt="x"))
    assert "sample_field" in recipe.data_options(recipe.options(prompt="x", sample_field="n"))
