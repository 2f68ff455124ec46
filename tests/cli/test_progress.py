"""Claim: the live view tells the truth about a run, reads a few times a second, and never per call.

The terminal tests run the program on a pseudo-terminal.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from selfsown.cli import progress
from selfsown.cli.progress import LiveView, panel, plain_line
from selfsown.cli.snapshot import Pace, Snapshot, snapshot
from selfsown.core.config import make_config
from selfsown.models.scripted import ScriptedModel
from selfsown.recipes.base import Recipe, get_recipe
from selfsown.runner import Start, execute

pty = pytest.importorskip("pty", reason="this system has no pseudo-terminals")

MOMENT = Snapshot(
    elapsed_s=75.0,
    accepted=34,
    target=200,
    unit="task",
    rejected={"too_similar": 8, "too_short": 4, "media": 2, "rare": 1},
    failed={"bad_request": 1},
    calls=45,
    from_journal=12,
    input_tokens=12345,
    output_tokens=678,
    spent_usd=0.012,
    in_flight=7,
    limit=16,
    waiting=3,
    backing_off=1,
    retries=2,
    silent_s=20.0,
    calls_per_s=3.25,
    eta_s=125.4,
)


def test_a_plain_line_holds_every_number() -> None:
    assert plain_line(MOMENT) == (
        "1 min 15 s  accepted 34/200  rejected 15 (too_similar 8, too_short 4, media 2, ...)"
        "  failed 1 (bad_request 1)  calls 45  from the journal 12  tokens 12,345 + 678  $0.012"
        "  3.2 calls/s  about 2 min 5 s left"
    )


def test_where_a_row_gives_many_units_rows_and_units_are_counted_apart() -> None:
    of_documents = replace(
        MOMENT, target=None, unit="rephrase", rows_name="documents", rows_done=18, rows_total=93
    )
    assert plain_line(of_documents).startswith("1 min 15 s  documents 18/93  accepted 34  rejected")


@pytest.mark.parametrize("name", ["rephrase", "cosmopedia", "grounded"])
async def test_documents_are_counted_when_nothing_of_them_is_open(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    text = "The old tower of Ardel has 100 steps and a bell from Keldon. " * 4
    rows = [{"id": f"d{n}", "text": f"Number {n}. {text}"} for n in range(5)]
    rows.append({"source": "a.bin", "unread": "binary", "detail": "it has a zero byte"})
    form = {"recipe": name, "models": {"generator": "scripted"}, "out": str(tmp_path / "run")}
    recipe = get_recipe(name)
    view = LiveView(recipe, recipe.resolve("default", {}), terminal=False)
    opened = {"generator": ScriptedModel(lambda request, seed: "Nothing.")}
    await execute(make_config(form), Start(view=view), rows=rows, opened=opened)
    last = capsys.readouterr().err.splitlines()[-1]
    assert "documents 6/6  accepted 0  rejected" in last, last


def test_the_panel_holds_every_number_and_fits_a_narrow_terminal() -> None:
    from rich.console import Console

    console = Console(width=60, record=True, file=open(os.devnull, "w"))  # noqa: SIM115, PTH123
    with console.file:
        console.print(panel(MOMENT, "self-instruct"))
    text = console.export_text()
    for part in (
        *("self-instruct", "34/200 tasks", "too_similar 8", "45 made, 12 from the journal"),
        *("2 retried", "7 in flight of 16, 3 waiting", "1 backing off", "no reply for 20 s"),
        *("$0.012", "3.2 calls/s", "about 2 min 5 s left"),
    ):
        assert part in " ".join(re.sub(r"[│╭╮╰╯─━╸]", " ", text).split()), part
    assert max(len(line) for line in text.splitlines()) <= 60


def test_a_reason_from_outside_cannot_move_the_cursor() -> None:
    assert "\x1b" not in plain_line(replace(MOMENT, rejected={"\x1b[2J": 1}))


def test_the_pace_is_that_of_the_last_minute_and_ignores_what_the_journal_answered() -> None:
    pace = Pace()
    assert pace.look(0.0, 0, 500, 1000) == (0.0, None)
    assert pace.look(1.0, 0, 600, 1000) == (0.0, None)  # replayed: no call was made
    for second in range(1, 200):
        rate, eta = pace.look(1.0 + second, 2 * second, 600 + second, 1000)
    assert rate == pytest.approx(2.0)
    assert eta == pytest.approx((1000 - 799) / 1.0)


async def test_the_view_looks_by_the_clock_and_not_by_the_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    looks = 0
    real = snapshot

    def counted(*given: object) -> Snapshot:
        nonlocal looks
        looks += 1
        return real(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(progress, "snapshot", counted)
    elapsed_s = await _run(tmp_path / "out", rows=2000)
    assert looks <= elapsed_s / progress.FRAME_S + 3
    lines = capsys.readouterr().err.splitlines()
    assert "accepted 2,000/2,000" in lines[-1]
    assert len(lines) <= 2 + elapsed_s / progress.LINE_S + 3  # start, end, changes of phase


async def test_a_warning_is_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from selfsown.core.run import Run

    class Warned(LiveView):
        def start(self, run: Run, caller: object) -> None:
            run.progress.warnings.append("the endpoint \x1b[31m is slow")
            super().start(run, caller)  # type: ignore[arg-type]

    view = Warned(*_recipe(), terminal=False)
    await _run(tmp_path / "out", rows=5, view=view)
    view.tell_rest()
    warned = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert warned == ["warning: the endpoint ␛[31m is slow"]


def test_a_terminal_gets_a_panel_that_leaves_one_line_behind(tmp_path: Path) -> None:
    arguments = _slow_run(tmp_path)
    code, screen = on_terminal(arguments, tmp_path)
    assert code == 0
    assert "╭" in screen
    assert "accepted 20/20" in screen.rpartition("╯")[2]


def test_no_color_is_honoured(tmp_path: Path) -> None:
    arguments = _slow_run(tmp_path)
    _, screen = on_terminal(arguments, tmp_path, {"NO_COLOR": "1"})
    assert not re.search(r"\x1b\[(?:\d+;)*(?:3[0-7]|9[0-7])m", screen)


@pytest.mark.parametrize(("answer", "code"), [("n", 1), ("y", 0)])
def test_a_run_that_costs_and_has_no_budget_asks_first(
    tmp_path: Path, answer: str, code: int
) -> None:
    arguments = _priced_run(tmp_path)
    got, screen = on_terminal(arguments, tmp_path, answers=[answer])
    assert got == code
    assert "cost, at most: $" in screen and "--budget-usd X would be a hard cap" in screen
    assert (tmp_path / "out" / "accepted.jsonl").exists() == (answer == "y")


def test_asking_first_does_not_use_up_the_rows_of_a_run_directory(tmp_path: Path) -> None:
    on_terminal([*_priced_run(tmp_path), "--yes"], tmp_path)
    code, screen = on_terminal(["run", "out/config.yaml"], tmp_path)
    assert code == 0
    assert "go on?" not in screen  # the journal has every answer
    changed = ["run", "out/config.yaml", "--set", "max_tokens=9", "--update"]
    code, screen = on_terminal(changed, tmp_path, answers=["y"])
    assert code == 0
    assert "go on?" in screen
    assert len((tmp_path / "out" / "accepted.jsonl").read_text().splitlines()) == 1


@pytest.mark.parametrize("flags", [["--yes"], ["--budget-usd", "5"], ["--budget-tokens", "99999"]])
def test_a_run_with_a_cap_or_consent_does_not_ask(tmp_path: Path, flags: list[str]) -> None:
    code, screen = on_terminal([*_priced_run(tmp_path), *flags], tmp_path)
    assert code == 0
    assert "go on?" not in screen


def _recipe() -> tuple[Recipe[Any], BaseModel]:
    recipe = get_recipe("complete")
    return recipe, recipe.resolve("default", {"prompt": "Say {{ n }}"})


async def _run(directory: Path, *, rows: int, view: LiveView | None = None) -> float:
    """Run `complete` with a view and return its wall time in seconds."""
    from selfsown.core.config import make_config

    config = make_config(
        {"recipe": "complete", "options": {"prompt": "Say {{ n }}"}, "out": str(directory)}
    )
    start = Start(view=view or LiveView(*_recipe(), terminal=False))
    given = [{"n": n} for n in range(rows)]
    result = await execute(config, start, opened={"generator": ScriptedModel()}, rows=given)
    assert len(result.accepted) == rows
    wall_s: float = result.manifest["run"]["wall_s"]
    return wall_s


def _slow_run(folder: Path) -> list[str]:
    (folder / "rows.jsonl").write_text("".join(f'{{"n": {n}}}\n' for n in range(20)))
    (folder / "slow.jsonl").write_text('{"text": "done", "delay_s": 0.3}\n')
    given = ["--rows", "rows.jsonl", "--prompt", "Do {{ n }}", "--model", "scripted:slow.jsonl"]
    return ["run", "complete", *given, "--concurrency", "10", "-o", "out"]


def _priced_run(folder: Path) -> list[str]:
    (folder / "rows.jsonl").write_text('{"n": 1}\n')
    (folder / "script.jsonl").write_text('{"text": "done"}\n')
    model = {"uri": "scripted:script.jsonl", "price": {"input": 1.0, "output": 2.0}}
    config = {
        "recipe": "complete",
        "rows": "rows.jsonl",
        "models": {"generator": model},
        "options": {"prompt": "Do {{ n }}"},
        "out": "out",
    }
    (folder / "config.yaml").write_text(json.dumps(config))
    return ["run", "config.yaml"]


def on_terminal(
    arguments: Sequence[str],
    folder: Path,
    environment: Mapping[str, str] | None = None,
    *,
    answers: Sequence[str] = (),
) -> tuple[int, str]:
    """Run the program on a pseudo-terminal; its exit code and everything the screen got."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "selfsown", *arguments],
        cwd=folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", **(environment or {})},
        start_new_session=True,
    )
    os.close(theirs)
    guard = threading.Timer(60, child.kill)
    guard.start()
    for answer in answers:
        os.write(ours, f"{answer}\n".encode())
    screen = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # Linux says so when the other side is closed
            break
        if not part:
            break
        screen += part
    guard.cancel()
    os.close(ours)
    return child.wait(), screen.decode()


def test_a_batch_that_is_waited_for_is_on_the_line() -> None:
    waits = ("waiting for batch b1, 1,200 of 5,000 done", "waiting for batch b2, 0 of 3 done")
    line = plain_line(replace(MOMENT, batches=waits))
    assert "waiting for batch b1, 1,200 of 5,000 done  and 1 more" in line
