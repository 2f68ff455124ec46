"""Claim: documents feed a run like rows; the run keeps a copy and resumes from it."""

from __future__ import annotations

import itertools
import json
import signal
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from selfsown.cli.main import cli
from selfsown.cli.reading import counted
from selfsown.core.config import make_config
from selfsown.core.errors import ConfigChanged, ConfigError
from selfsown.core.request import JSON
from selfsown.documents.document import Unread
from selfsown.models.scripted import ScriptedModel
from selfsown.offline import plan, replay
from selfsown.preparation import copied_documents
from selfsown.recipes.base import get_recipe
from selfsown.results import RunResult
from selfsown.runner import Start, execute, run_loop
from selfsown.scale.split import deal, digest_rows


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Three documents, and a file that is none."""
    folder = tmp_path / "library"
    folder.mkdir()
    (folder / "a.txt").write_text("The first text.")
    (folder / "b.md").write_text("# The second\n\ntext")
    (folder / "c.jsonl").write_text('{"text": "The third.", "id": "c3", "quality": 4}\n')
    (folder / "d.bin").write_bytes(b"\0")
    return folder


def form(out: Path, documents: object, **more: Any) -> dict[str, Any]:
    return {
        "recipe": "complete", "models": {"generator": "scripted"}, "out": str(out),
        "documents": documents, "options": {"prompt": "Sum up: {{ text }}"}, **more,
    }  # fmt: skip


def executed(given: dict[str, Any], **start: Any) -> tuple[RunResult, int]:
    model = ScriptedModel(lambda request, seed: "a summary")
    work = execute(make_config(given), Start(**start), opened={"generator": model})
    return run_loop(work), len(model.requests)


def test_documents_feed_any_recipe_over_rows_and_none_is_missing(
    tmp_path: Path, library: Path
) -> None:
    result, calls = executed(form(tmp_path / "run", str(library)))
    assert calls == 3 and len(result.accepted) == 3
    (gone,) = result.rejected
    assert (gone["reason"], gone["record"]["unread"]) == ("unsupported", "unsupported")
    assert {row["format"] for row in result.accepted} == {"text", "markdown", "jsonl"}
    assert replay(tmp_path / "run").identical


def test_a_resume_reads_the_copy_and_a_changed_file_is_refused(
    tmp_path: Path, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = form(tmp_path / "run", {"paths": [str(library)], "licence": "MIT"})
    first, _ = executed(given)
    assert {row["licence"] for row in first.accepted} == {"MIT"}
    with monkeypatch.context() as patched:
        patched.setattr("selfsown.documents.reading.read_documents", None)
        _, calls = executed(given)
        model = ScriptedModel(lambda request, seed: "a summary")
        planned = run_loop(plan(make_config(given), opened={"generator": model}))
    assert calls == planned.new_calls == 0 and not planned.changes
    (library / "a.txt").write_text("Another first text.")
    with pytest.raises(ConfigChanged, match="rows"):
        executed(given)
    result, calls = executed(given, update=True)
    assert calls == 1 and len(result.accepted) == 3
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"text": "The first text."}\n')
    other = {name: value for name, value in given.items() if name != "documents"}
    assert executed({**other, "rows": str(rows)}, update=True)[1] == 0
    again, calls = executed(given, update=True)  # the copy is of other rows now, so it is not used
    assert calls == 0 and len(again.accepted) == 3


def test_a_run_directory_is_planned_and_resumed_without_the_documents(
    tmp_path: Path, library: Path
) -> None:
    given = form(tmp_path / "run", str(library))
    found = run_loop(plan(make_config(given), opened={"generator": ScriptedModel([])}))
    assert found.new_calls == 3 and found.exact
    executed(given)
    for path in library.iterdir():
        path.unlink()
    assert replay(tmp_path / "run").identical


def test_rows_and_documents_together_and_documents_as_seeds_are_refused(
    tmp_path: Path, library: Path
) -> None:
    with pytest.raises(ConfigError, match="both `rows` and `documents`"):
        executed(form(tmp_path / "run", str(library), rows="rows.jsonl"))
    with pytest.raises(ConfigError, match="paths"):
        make_config(form(tmp_path / "run", []))


def test_the_command_line_takes_documents_for_run_and_plan(tmp_path: Path, library: Path) -> None:
    script = tmp_path / "answers.jsonl"
    script.write_text('{"text": "fine"}\n')
    asked = [
        "complete", "--documents", str(library), "--model", f"scripted:{script}",
        "--prompt", "Sum up: {{ text }}", "--set", "documents.licence=CC0-1.0",
    ]  # fmt: skip
    found = CliRunner().invoke(cli, ["plan", *asked, "--json"])
    assert json.loads(found.output)["new_calls"] == 3, found.output


def test_a_job_of_shards_goes_on_with_the_copy_that_it_was_split_from(
    tmp_path: Path, library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config(form(tmp_path, str(library)))
    dealt = deal(copied_documents(config, get_recipe("complete"), tmp_path), 2, tmp_path / "parts")
    monkeypatch.setattr("selfsown.documents.reading.read_documents", None)
    again = copied_documents(config, get_recipe("complete"), tmp_path)
    assert dealt.rows == 4 and dealt == digest_rows(again)


def test_check_says_what_is_read_and_what_is_not(tmp_path: Path, library: Path) -> None:
    found = CliRunner().invoke(cli, ["documents", "check", str(library), "--json"])
    facts = json.loads(found.stdout)
    assert found.exit_code == 0
    assert (facts["documents"], facts["unread"]) == (3, {"unsupported": 1})
    assert facts["formats"] == {"text": 1, "markdown": 1, "jsonl": 1}
    gone = Unread(str(library / "d.bin"), "unsupported", "`.bin` is no form that is read")
    assert facts["unread_sources"]["unsupported"] == [gone.row()]
    text = CliRunner().invoke(cli, ["documents", "check", str(library), "--licence", "MIT"]).stdout
    assert "documents: 3" in text and "MIT" in text and "d.bin: `.bin` is no form" in text
    assert "rows read" not in text
    none = CliRunner().invoke(cli, ["documents", "check", str(library / "d.bin")])
    assert none.exit_code == 1 and "no document can be read" in none.stderr
    assert none.stdout.startswith("documents: 0\nnot read: 1 source\n")


def test_reading_tells_now_and_then_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    times = itertools.count(0, 4)
    assert list(counted("abcdefg", now=lambda: next(times))) == list("abcdefg")
    assert capsys.readouterr().err.startswith("files and rows read: 3, 1")
    list(counted("abcdefg", quiet=True, now=lambda: next(times)))
    assert not capsys.readouterr().err


def test_ctrl_c_while_documents_are_read_ends_the_run_at_once(
    tmp_path: Path, library: Path
) -> None:
    seen: list[object] = []

    def pressed(rows: Iterable[Mapping[str, JSON]]) -> Iterator[Mapping[str, JSON]]:
        for row in rows:
            seen.append(row)
            signal.raise_signal(signal.SIGINT)
            yield row

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        executed(form(tmp_path / "run", str(library)), watch=lambda rows: counted(pressed(rows)))
    assert len(seen) == 1 and signal.getsignal(signal.SIGINT) == before
    result, _ = executed(form(tmp_path / "run", str(library)))
    assert len(result.accepted) == 3
