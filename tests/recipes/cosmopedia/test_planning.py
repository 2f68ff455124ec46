"""Claim: prompts and costs are seen before they are paid, and a sample of texts can be judged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.recipes.cosmopedia.scribe import documents, grow, text_of, told

from selfsown.cli.main import cli
from selfsown.core.config import make_config
from selfsown.core.errors import ConfigError
from selfsown.models.scripted import ScriptedModel
from selfsown.offline import plan
from selfsown.runner import Start, execute, run_loop


def planned(out: Path, rows: list[dict[str, Any]], **options: Any) -> Any:
    form = {"recipe": "cosmopedia", "models": {"generator": "scripted"}, "out": str(out)}
    config = make_config({**form, "options": {"styles": ["blog_post"], **options}})
    return run_loop(plan(config, opened={"generator": ScriptedModel(told)}, rows=rows))


def test_a_plan_bounds_the_calls_and_expects_one_per_text(tmp_path: Path) -> None:
    found = planned(tmp_path / "new", documents(9), per_document=2, styles=["blog_post", "faq"])
    assert (found.new_calls, found.expected_calls) == (9 * 2 * 6, 18)
    assert found.output_tokens == 9 * 2 * 6 * 2_500


def test_a_row_that_is_unread_says_nothing_about_the_calls_of_others(
    tmp_path: Path,
) -> None:
    unread = {"source": "a.bin", "unread": "binary", "detail": "no text"}
    assert planned(tmp_path / "new", [unread, *documents(9)]).expected_calls == 9


def test_a_plan_counts_documents_that_are_done_whatever_texts_they_have(tmp_path: Path) -> None:
    rows = documents(4)
    options: dict[str, Any] = {"per_document": 3, "styles": ["blog_post"]}
    grow(tmp_path / "run", rows, **options)
    found = planned(tmp_path / "run", rows, **options)
    assert (found.new_calls, found.cached_calls) == (0, 12)


def test_few_documents_are_in_work_while_none_is_done_unless_more_are_asked_for(
    tmp_path: Path,
) -> None:
    rows = documents(90)
    assert len(planned(tmp_path / "new", rows).keys) == 64
    assert len(planned(tmp_path / "new", rows, ahead=7).keys) == 7
    assert len(planned(tmp_path / "new", rows, ahead=500).keys) == 90


def test_a_preview_shows_prompts_in_full(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps(row) + "\n" for row in documents(5)))
    script = tmp_path / "answers.jsonl"
    script.write_text(json.dumps({"text": "An answer."}) + "\n")
    given = ["--rows", str(rows), "--model", f"scripted:{script}", "-n", "1"]
    shown = CliRunner().invoke(cli, ["preview", "cosmopedia", *given], catch_exceptions=False)
    assert shown.exit_code == 0, shown.output
    assert "<extract>" in shown.output and "Number 0." in shown.output
    assert "--- documents" in shown.output and "--- texts" in shown.output


def test_a_finished_run_names_the_way_to_a_mixture_with_real_text(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps(documents(1)[0]) + "\n")
    script = tmp_path / "answers.jsonl"
    script.write_text(json.dumps({"text": text_of("x")}) + "\n")
    given = ["--rows", str(rows), "--model", f"scripted:{script}", "--set", "styles=[how_to]"]
    out = str(tmp_path / "run")
    done = CliRunner().invoke(cli, ["run", "cosmopedia", *given, "-o", out])
    assert done.exit_code == 0, done.output
    assert f"mix --real documents={rows}:1 --synthetic texts={out}:1" in done.output


def audited(out: Path, models: dict[str, ScriptedModel], share: float) -> Any:
    form = {"recipe": "cosmopedia", "models": dict.fromkeys(models, "scripted"), "out": str(out)}
    audit = {"share": share, "judge": "rubric"}
    config = make_config({**form, "options": {"styles": ["blog_post"], "audit": audit}})
    return run_loop(execute(config, Start(), rows=documents(30), opened=models))


def test_a_judge_sees_a_sample_with_the_extract_and_rejects_nothing(tmp_path: Path) -> None:
    judge = ScriptedModel(lambda *_: "It is sound.\nScore: 4")
    models = {"generator": ScriptedModel(told), "judge": judge}
    result = audited(tmp_path / "run", models, 0.4)
    note = result.manifest["data"]["notes"]["audit"]
    judged = [record["audit"] for record in result.accepted if "audit" in record]
    assert len(result.accepted) == 30 and 4 < len(judged) < 20
    assert judge.call_count >= len(judged)
    assert {one["judge"] for one in judged} == {"rubric"}
    assert note == {"judged": len(judged), "missing": 0, "mean": 4.0}


def test_an_audit_without_a_judge_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    model = ScriptedModel(told)
    with pytest.raises(ConfigError, match="the audit asks role `judge`"):
        audited(tmp_path / "run", {"generator": model}, 0.5)
    assert model.call_count == 0
