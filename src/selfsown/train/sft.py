"""Tuning of a model on a run, or on preference pairs: `train(TrainConfig) -> TrainResult`.

The training itself runs in a child process: its memory returns, and its crash is a result to be
looked at, not the end of whatever called. The same config again finishes what was begun, or does
nothing if it is done.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Final, Literal

import orjson

from selfsown.core.errors import (
    CheckFailed,
    EnvironmentFailure,
    InputError,
    Interrupted,
    MissingExtra,
)
from selfsown.core.request import JSON
from selfsown.core.rundir import translated_os_errors
from selfsown.models.fingerprint import model_hash
from selfsown.train.checkpoints import last_checkpoint
from selfsown.train.child import CHECKPOINTS, FAILURE, WATCH_PARENT, remove_leftovers
from selfsown.train.decontamination import suite_words
from selfsown.train.plan import RECORD, Plan, make_plan, refuse_change, write_plan
from selfsown.train.settings import TrainConfig

FailureKind = Literal["crashed", "diverged", "collapsed", "environment"]
Progress = Callable[[Mapping[str, JSON]], None]

LOG: Final = "log.txt"
_PACKAGES: Final = ("torch", "transformers", "trl", "peft", "accelerate", "datasets")
_LOG_TAIL_BYTES: Final = 4_000
_STOP_S: Final = 20.0
_REUSED_BYTES: Final = 256 * 2**20
"""Freed memory is kept for the next step instead of handed back: a seventh of the lab's CPU time
(with glibc; others ignore it)."""


@dataclass(frozen=True, slots=True)
class TrainFailure:
    """Why a training did not end well."""

    kind: FailureKind
    what: str
    why: str
    fix: str
    exit_status: int
    """Of the child; negative: the signal that ended it."""
    log: Path
    log_tail: str
    """The last lines of the log."""
    checkpoint: Path | None
    """The last whole checkpoint, from which the same command goes on; None if there is none."""


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What came of a training."""

    out: Path
    is_new: bool
    """False: it was done before, and nothing was run."""
    record: Mapping[str, JSON]
    """`training.json`; empty if the training failed."""
    failure: TrainFailure | None

    @property
    def model_hash(self) -> str:
        """Identity of the tuned model; empty if the training failed."""
        return str(self._model.get("model_hash", ""))

    @property
    def model_depth(self) -> int:
        """Trainings on machine data behind the tuned model; 0 if the training failed."""
        depth = self._model.get("model_depth", 0)
        return depth if isinstance(depth, int) else 0

    @property
    def _model(self) -> Mapping[str, JSON]:
        model = self.record.get("model")
        return model if isinstance(model, Mapping) else {}

    def raise_for_failure(self) -> None:
        """Turn a failure into an error, for callers that cannot go on without the model.

        Raises:
            CheckFailed: the numbers diverged, or chosen answers became unlikely.
            EnvironmentFailure: the child crashed, the disk or memory is full, or another process
                trains into the folder.
        """
        if self.failure is None:
            return
        is_check = self.failure.kind in ("diverged", "collapsed")
        raised = CheckFailed if is_check else EnvironmentFailure
        raise raised(self.failure.what, why=self.failure.why, fix=self.failure.fix)


def train(config: TrainConfig, *, on_progress: Progress | None = None) -> TrainResult:
    """Tune a model on the records, or the preference pairs, of a run, an export or a file.

    Args:
        config: what to train on what.
        on_progress: receives `{clean_of}` (in words), `{rows, left_out}` (texts by reason), then
            `{step, steps, loss}` and `{checkpoint}`.

    Returns:
        The result, also of a training that crashed or diverged: see `TrainResult.failure`.

    Raises:
        InputError: config, base, tokenizer or data cannot be used; nothing was trained.
        ConfigChanged: the folder holds a training with other values.
        MissingExtra: torch, transformers, trl, peft, accelerate or datasets is not installed.
        Interrupted: Ctrl-C; the same call goes on from the last checkpoint.
    """
    require_training_packages()
    plan = make_plan(config)
    refuse_change(plan)
    done = _finished(plan)
    if done is not None:
        remove_leftovers(plan)
        return TrainResult(plan.out, False, done, None)
    path = write_plan(plan)
    report = on_progress or (lambda line: None)
    report({"clean_of": suite_words(plan.cleaned_of)})
    status, said = _run_child(plan, path, report)
    record = _finished(plan)
    if record is not None:  # it is written last; what an interpreter does at its end is no matter
        return TrainResult(plan.out, True, record, None)
    if said.get("kind") == "input":
        if last_checkpoint(plan.work / CHECKPOINTS) is None:
            path.unlink()  # nothing was trained: a corrected command may use the folder
        raise InputError(said["what"], why=said["why"], fix=said["fix"])
    return TrainResult(plan.out, True, {}, _failure(plan, status, said))


def _finished(plan: Plan) -> Mapping[str, JSON] | None:
    """The record of a finished training; None if there is none.

    Raises:
        InputError: the model is not the one that was written.
    """
    path = plan.out / RECORD
    if not path.is_file():
        return None
    record: dict[str, JSON] = orjson.loads(path.read_bytes())
    model = record["model"]
    assert isinstance(model, Mapping)
    if model["model_hash"] != model_hash(plan.out):
        raise InputError(
            f"the model in `{plan.out}` is not the one that `{RECORD}` describes",
            why="weights, tokenizer or config were changed after the training",
            fix="delete the folder and train again, or give another with `-o`",
        )
    return record


def _run_child(plan: Plan, path: Path, report: Progress) -> tuple[int, Mapping[str, str]]:
    """The exit status of the child, and the failure that it named, if it did."""
    said: dict[str, str] = {}
    with _opened_log(plan) as log:
        child = subprocess.Popen(  # noqa: S603  # our own interpreter and module
            _command(plan, path),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=_environment(plan),
            start_new_session=True,  # Ctrl-C reaches us alone; the child ends with its input
        )
        assert child.stdout is not None and child.stdin is not None
        try:
            for line in _progress_lines(child.stdout, log):
                failure = line.get(FAILURE)
                if isinstance(failure, Mapping):
                    said = {name: str(text) for name, text in failure.items()}
                else:
                    report(line)
            return child.wait(), said
        except KeyboardInterrupt:
            raise Interrupted(
                f"the training into `{plan.out}` was interrupted",
                why="Ctrl-C",
                fix="run the same command again: it goes on from the last checkpoint",
            ) from None
        finally:
            _stop(child)
            child.stdin.close()
            child.stdout.close()


def _opened_log(plan: Plan) -> IO[bytes]:
    path = plan.work / LOG
    with translated_os_errors(path):
        return path.open("ab")


def _progress_lines(stream: IO[bytes], log: IO[bytes]) -> Iterator[Mapping[str, JSON]]:
    """JSON lines of the child; whatever else comes goes to the log."""
    for line in stream:
        try:
            found = orjson.loads(line)
        except orjson.JSONDecodeError:
            found = None
        if isinstance(found, dict):
            yield found
        else:
            log.write(line)


def _stop(child: subprocess.Popen[bytes]) -> None:
    """End the child and what it started, if it still runs."""
    if child.poll() is not None:
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(_STOP_S)
            return


def _command(plan: Plan, path: Path) -> Sequence[str]:
    if plan.config.accelerate is None:
        return [sys.executable, "-m", "selfsown.train.child", str(path)]
    file = Path(plan.config.accelerate)
    if not file.is_file():
        raise InputError(
            f"`{file}` does not exist",
            why="it says on which devices `accelerate` trains",
            fix="write one with `accelerate config --config_file FILE`",
        )
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(file)]
    return [*launch, "-m", "selfsown.train.child", str(path)]


def _environment(plan: Plan) -> dict[str, str]:
    own = {
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONHASHSEED": "0",
        WATCH_PARENT: "1",
        "MALLOC_MMAP_THRESHOLD_": str(_REUSED_BYTES),
        "MALLOC_TRIM_THRESHOLD_": str(_REUSED_BYTES),
    }
    if plan.config.threads is not None:
        own["OMP_NUM_THREADS"] = str(plan.config.threads)
    return {**os.environ, **own}


def _failure(plan: Plan, status: int, said: Mapping[str, str]) -> TrainFailure:
    log = plan.work / LOG
    tail = log.read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace")
    checkpoint = last_checkpoint(plan.work / CHECKPOINTS)
    if said:
        kind: FailureKind = said["kind"]  # type: ignore[assignment]
        return TrainFailure(
            kind, said["what"], said["why"], said["fix"], status, log, tail, checkpoint
        )
    how = f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
    went_on = f"`{checkpoint.name}`" if checkpoint else "the start"
    what = f"the training into `{plan.out}` crashed: {how}"
    last = tail.strip().rpartition("\n")[2]
    why = "the system ends processes so when memory runs out" if status == -9 else last
    fix = f"see `{log}`; the same command goes on from {went_on}"
    return TrainFailure("crashed", what, why, fix, status, log, tail, checkpoint)


def require_training_packages() -> None:
    """Make sure that models can be trained here.

    Raises:
        MissingExtra: names what is not installed.
    """
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        raise MissingExtra(
            f"training needs {', '.join(f'`{name}`' for name in missing)}, not installed here",
            why="models are tuned with TRL on torch",
            fix="pip install 'selfsown[local]'",
        )
