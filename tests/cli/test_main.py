"""Claim: the program explains itself, ends with true exit codes, and prints nothing dangerous."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib import import_module

import click
import pytest

from selfsown.cli import main as program
from selfsown.core.errors import BudgetExhausted, CheckFailed, ConfigError, Interrupted

HELP = """\
Usage: selfsown [OPTIONS] COMMAND [ARGS]...

  Grow training data from a language model: journaled, curated, budgeted,
  reproducible.

  Nothing paid for is lost: the same command again resumes. `selfsown demo`
  shows it all.

Options:
  --version   Show the version and exit.
  -h, --help  Show this message and exit.

Start:
  demo       The whole loop on the embedded lab model.
  init       Write a config with every key explained.
  recipes    List recipes; explain one.
  seeds      Check, show and fetch seed tasks.
  documents  What files give as documents, and what they do not.

Run:
  plan     Calls, tokens and cost, before any is spent.
  preview  A tiny run, shown in full.
  run      Run a recipe; again: resume or extend it.
  merge    Runs and sharded jobs as one data set.
  cancel   Give up batches at the provider.

Look:
  status  How far a run is, also while it runs.
  why     The lineage of one record, calls included.
  diff    What differs between two runs.
  report  Write the page about a run.

Clean:
  dedup          Remove near-duplicates from a file.
  decontaminate  Keep data apart from what evaluations ask.

Improve:
  mix       Real and synthetic text by tokens.
  train     Tune a model on a run or an export.
  evaluate  Score a model on suites.
  suites    List, fetch and show suites.
  rate      Let people rate answers blindly.
  judge     How far can a judge be trusted?
  guard     Measure a run beside human text.
  loop      Rounds of all that; again: resume.
  mad       Simulate models that feed on themselves.

Use:
  export  Write accepted records for a trainer.
  pairs   Write preference pairs for a trainer.
  serve   Serve a local model over HTTP.

Check:
  replay  Rebuild a run offline and compare.
  doctor  Check the set-up, or mend a run.
  lab     Look into the micro-world and its model.
"""


def test_help_lists_every_command_by_chapter(selfsown: Callable[..., tuple[int, str, str]]) -> None:
    assert selfsown("--help") == (0, HELP, "")


@pytest.mark.parametrize("verb", program.VERBS, ids=lambda verb: verb.name)
def test_every_command_of_the_table_can_be_loaded_and_explains_itself(verb: program.Verb) -> None:
    module, _, attribute = verb.home.partition(":")
    command = getattr(import_module(module), attribute)
    assert isinstance(command, click.Command)
    assert command.name == verb.name
    assert command.get_short_help_str(200)


def test_an_unknown_command_names_the_nearest_and_exits_2(
    selfsown: Callable[..., tuple[int, str, str]],
) -> None:
    code, stdout, stderr = selfsown("rnu")
    assert (code, stdout) == (2, "")
    assert (
        stderr == "error: there is no command `rnu`; did you mean `run`?\nhint: selfsown --help\n"
    )


def test_an_unknown_option_names_the_nearest_and_exits_2(
    selfsown: Callable[..., tuple[int, str, str]],
) -> None:
    code, _, stderr = selfsown("run", "complete", "--modle", "lab")
    assert code == 2
    assert "--modle" in stderr and "--model" in stderr
    assert "hint: selfsown run --help" in stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("`x` is wrong", why="it must be right", fix="write `y`"), 2),
        (CheckFailed("no"), 1),
        (BudgetExhausted("the cap is reached"), 3),
        (Interrupted("stopped"), 130),
        (KeyboardInterrupt(), 130),
        (ZeroDivisionError("a defect"), 3),
        (PermissionError(13, "Permission denied", "some/file"), 3),
        (click.Abort(), 130),
    ],
)
def test_each_kind_of_failure_has_its_exit_code(
    error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _main_of(error, monkeypatch) == code


def test_an_error_says_what_why_and_fix_in_that_order(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _main_of(ConfigError("`x` is wrong", why="it must be right", fix="write `y`"), monkeypatch)
    expected = "error: `x` is wrong\nwhy: it must be right\nhint: write `y`\n"
    assert capsys.readouterr() == ("", expected)


def test_a_defect_says_how_to_report_it_and_shows_its_traceback_when_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _main_of(ZeroDivisionError("a defect"), monkeypatch)
    short = capsys.readouterr().err
    assert "SELFSOWN_TRACEBACK=1" in short
    assert "Traceback" not in short
    monkeypatch.setenv("SELFSOWN_TRACEBACK", "1")
    _main_of(ZeroDivisionError("a defect"), monkeypatch)
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_terminal_escapes_in_an_error_become_visible_signs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _main_of(ConfigError("\x1b]0;owned\x07 \x9b2J \u202e \ud800"), monkeypatch)
    printed = capsys.readouterr().err
    assert not set(printed) & set("\x1b\x07\x9b\u202e\ud800")


def test_a_reader_that_has_had_enough_is_no_error() -> None:
    command = f"{sys.executable} -m selfsown recipes self-instruct | head -n 1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("self-instruct:")


def test_examples_in_help_keep_their_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["mix", "sweep", "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "    selfsown mix sweep --lab noise -o noise" in lines
    assert not any("\\b" in line for line in lines)


def test_python_dash_m_is_the_same_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "selfsown", "--help"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, HELP)


def _main_of(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> int:
    """What the program makes of an error inside a command."""

    @click.command()
    def broken() -> None:
        raise error

    monkeypatch.setattr(program.Program, "get_command", lambda *_: broken)
    return program.main(["broken"])
