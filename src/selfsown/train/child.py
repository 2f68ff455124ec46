"""The child process of a training: `python -m selfsown.train.child PLAN.json`.

It reads the plan, prepares the rows, trains, and writes the model folder; `training.json` comes
last and says that everything before it is whole. Progress goes to stdout as JSON lines, anything
else to stderr. A failure that has a name is the last of those lines; all others are a crash.
The process ends by itself when its standard input closes, as it does when the parent dies.
"""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import shutil
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import orjson

from selfsown.core.clock import SystemClock
from selfsown.core.config import difference
from selfsown.core.errors import EnvironmentFailure, InputError, SelfsownError
from selfsown.core.request import JSON
from selfsown.core.rundir import locked, write_lines, write_text
from selfsown.models.fingerprint import model_hash
from selfsown.models.lineage import ModelLineage, write_lineage
from selfsown.train.checkpoints import TrainingDiverged
from selfsown.train.decontamination import EARLIER, TRAINED_ON, decontamination_of, trained_on
from selfsown.train.fit import Devices, Fitted, fit
from selfsown.train.mixture import depth_after, human_token_share
from selfsown.train.pairs import prepare_pairs
from selfsown.train.pairwise import Comparisons
from selfsown.train.plan import RECORD, Plan, find_reference, identity_of, read_plan
from selfsown.train.preference import ChosenCollapsed, Preferences
from selfsown.train.prepare import Prepared, prepare
from selfsown.train.records import read_sources
from selfsown.train.reference import KEY, POLICY
from selfsown.train.reward import Rewards
from selfsown.train.tokens import Encoder
from selfsown.train.trainable import Completions, Report, Trainable

FAILURE: Final = "failure"
"""Key of the line that names a failure."""
CHECKPOINTS: Final = "checkpoints"
STEPS: Final = "steps.jsonl"
"""Of trainings on pairs: what the log says of each step."""
ORPHANED: Final = 70
"""Exit status after the parent's death."""
WATCH_PARENT: Final = "SELFSOWN_TRAIN_WATCH_PARENT"
"""Set by the parent: end when standard input closes."""
_PART: Final = "model.part"
_APART: Final = ("losses", "outcome")
_TOKENIZER: Final = "tokenizer"
_LOCK_TRIES, _LOCK_WAIT_S = 20, 0.5
_DISK: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})
_PACKAGES: Final = ("selfsown", "torch", "transformers", "trl", "peft", "accelerate")
_FROM_TOKENIZER: Final = (
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    *("vocab.json", "merges.txt", "chat_template.json", "chat_template.jinja", "*.model"),
)


def main(arguments: list[str]) -> int:
    """Run the plan in the file that is named; returns the exit status."""
    if os.environ.get(WATCH_PARENT):
        threading.Thread(target=_end_with_parent, daemon=True).start()
    progress = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what libraries print is log, not progress

    def report(line: Mapping[str, JSON]) -> None:
        progress.write(orjson.dumps(line) + b"\n")

    plan = read_plan(Path(arguments[0]))
    is_first = os.environ.get("RANK", "0") == "0"
    try:
        if is_first:
            with _locked_soon(plan.work):
                if not _was_finished_meanwhile(plan):
                    run(plan, report, is_first=True)
        else:
            run(plan, report, is_first=False)
    except Exception as error:
        failure = _named(error, plan.work)
        if failure is None:
            raise
        if is_first:
            report({FAILURE: failure})
        return 1
    return 0


def run(plan: Plan, report: Report, *, is_first: bool = True) -> None:
    """Train as planned; only the first of several processes writes.

    Raises:
        SelfsownError: what is wrong with the input, the disk or the numbers.
    """
    started = time.monotonic()
    if is_first:
        _keep_tokenizer(plan)
    encoder = Encoder(plan.tokenizer, plan.base)
    prepared, trainable = _prepared(plan, encoder)
    if is_first:
        prepared.write_left_out(plan.work)
        report({"rows": len(prepared.rows), "left_out": prepared.reasons})
    part = plan.work / _PART
    fitted = fit(
        plan.base,
        encoder.tokenizer,
        trainable,
        plan.settings,
        checkpoints=plan.work / CHECKPOINTS,
        save_to=part,
        devices=Devices(plan.config.threads, plan.config.checkpoint_every_s),
        report=report if is_first else lambda line: None,
        when_loaded=lambda: _refuse_changed_inputs(plan),
    )
    if is_first:
        _publish(plan, prepared, fitted, time.monotonic() - started)


def _prepared(plan: Plan, encoder: Encoder) -> tuple[Prepared[Any], Trainable]:
    """The rows, and what is done with them."""
    settings, index = plan.settings, plan.cleaned_of.index()
    if settings.objective == "sft":
        sources = read_sources(plan.config.data, seeds=plan.config.seeds)
        records = prepare(sources, settings, encoder, index)
        return records, Completions(records.rows)
    pairs = prepare_pairs(plan.config.data, settings, encoder, index)
    if settings.objective == "reward":
        return pairs.trained, Rewards(pairs, settings)
    if settings.objective == "pairwise":
        return pairs.trained, Comparisons(pairs, settings)
    assert plan.reference is not None
    return pairs.trained, Preferences(pairs, settings, plan.reference)


def _publish(plan: Plan, prepared: Prepared[Any], fitted: Fitted, seconds: float) -> None:
    """Complete the model, move it to its place, and write the record."""
    part = plan.work / _PART
    try:
        for file in (plan.work / _TOKENIZER).iterdir():
            shutil.copyfile(file, part / file.name)
        lineage = _lineage(plan, prepared, model_hash(part), fitted)
        write_lineage(part, lineage)
        for path in sorted(part.iterdir()):
            target = plan.out / path.name
            if target.is_dir():
                shutil.rmtree(target)
            path.replace(target)
        part.rmdir()
    except OSError as error:
        raise EnvironmentFailure(
            f"the model cannot be written to `{plan.out}`: {error.strerror}",
            why="it is copied there when the training has ended",
            fix="free space on that disk, then run the same command again",
        ) from error
    record = _record(plan, prepared, fitted, lineage, seconds)
    if fitted.outcome.steps:
        write_lines(plan.work / STEPS, (orjson.dumps(line) for line in fitted.outcome.steps))
    write_text(plan.out / RECORD, orjson.dumps(record, option=orjson.OPT_INDENT_2).decode() + "\n")
    remove_leftovers(plan)


def remove_leftovers(plan: Plan) -> None:
    """Remove what only an unfinished training needs."""
    for name in (CHECKPOINTS, _TOKENIZER, _PART):
        shutil.rmtree(plan.work / name, ignore_errors=True)


def _keep_tokenizer(plan: Plan) -> None:
    """Copy the tokenizer's files as they are now, byte by byte, for the tuned model."""
    folder = plan.work / _TOKENIZER
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for pattern in _FROM_TOKENIZER:
        for file in plan.tokenizer.glob(pattern):
            shutil.copyfile(file, folder / file.name)


def _refuse_changed_inputs(plan: Plan) -> None:
    """Stop if base, tokenizer, data or suites are not what was planned, now that they are read."""
    cleaned_of = decontamination_of(plan.config, plan.tokenizer)
    reference = find_reference(plan.config, plan.base)
    now = identity_of(plan.config, plan.settings, plan.base, plan.tokenizer, cleaned_of, reference)
    lines = difference(dict(plan.identity), dict(now))
    if lines:
        raise InputError(
            "base, tokenizer, data or suites changed while they were read: " + "; ".join(lines),
            why="the model would be of one state and its record of another",
            fix="wait until nothing writes to them, then run the same command again",
        )


def _lineage(plan: Plan, prepared: Prepared[Any], own_hash: str, fitted: Fitted) -> ModelLineage:
    return ModelLineage(
        model_hash=own_hash,
        model_depth=depth_after(plan.base_depth, prepared.rows),
        human_share=human_token_share(prepared.shares),
        base=plan.config.base,
        base_hash=plan.base_hash,
        base_depth=plan.base_depth,
        training_depth=max(row.model_depth for row in prepared.rows),
        epochs=_epochs(plan, prepared, fitted),
    )


def _epochs(plan: Plan, prepared: Prepared[Any], fitted: Fitted) -> float:
    """Passes over the mixture that were made."""
    if not plan.settings.max_steps:
        return plan.settings.epochs
    return round(fitted.steps * plan.settings.batch_size / len(prepared.rows), 6)


def _record(
    plan: Plan, prepared: Prepared[Any], fitted: Fitted, lineage: ModelLineage, seconds: float
) -> dict[str, JSON]:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    epochs = lineage.epochs
    return {
        "version": 1,
        "status": "finished",
        "model": asdict(lineage),
        "settings": {
            name: {"value": value, "source": plan.sources[name]}
            for name, value in plan.settings.as_record().items()
        },
        "data": {
            "records": prepared.record_count,
            "records_without_provenance": prepared.declared_count,
            "rows": len(prepared.rows),
            "left_out": prepared.reasons,
            "mixture": [
                {**asdict(share), "epochs": round(share.repeat * epochs, 6)}
                for share in prepared.shares
            ],
        },
        TRAINED_ON: trained_on(
            plan.config, plan.cleaned_of, plan.identity["data"], prepared.left_out
        ),
        EARLIER: list(plan.earlier),
        "result": {
            **{key: value for key, value in asdict(fitted).items() if key not in _APART},
            "losses": [list(pair) for pair in fitted.losses],
            "seconds": round(seconds, 3),
            "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 3),
            "peak_memory_bytes": usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
        },
        "config": plan.config.model_dump(mode="json"),
        "identity": dict(plan.identity),
        **fitted.outcome.record,
        **_anchor(plan),
        "versions": {name: version(name) for name in _PACKAGES},
        "ended": SystemClock().stamp(),
    }


def _anchor(plan: Plan) -> dict[str, JSON]:
    """Reference and start of a DPO training: which weights, and where they lay."""
    reference = plan.reference
    if reference is None:
        return {}
    return {
        KEY: {
            "kind": reference.kind,
            "folder": str(reference.folder.resolve()),
            "model_hash": reference.model_hash,
        },
        POLICY: {"folder": str(plan.base.resolve()), "model_hash": plan.base_hash},
    }


def _named(error: Exception, folder: Path) -> dict[str, JSON] | None:
    """A failure that has a name, as JSON; None for a defect."""
    import torch

    if isinstance(error, torch.OutOfMemoryError):
        error = EnvironmentFailure(
            f"the device has no memory left: {str(error).partition('. ')[0]}",
            why="weights, gradients and optimiser take about 16 bytes per parameter, plus the rows",
            fix="set a smaller `micro_batch_size`, `gradient_checkpointing`, or `method: lora`",
        )
    elif isinstance(error, OSError) and error.errno in _DISK:
        error = EnvironmentFailure(
            f"`{error.filename or folder}` cannot be written: {error.strerror}",
            why="a training keeps all that it needs to go on in its folder",
            fix="free space on that disk, then run the same command again",
        )
    if not isinstance(error, SelfsownError):
        return None
    kinds = (
        (TrainingDiverged, "diverged"),
        (ChosenCollapsed, "collapsed"),
        (InputError, "input"),
        (EnvironmentFailure, "environment"),
    )
    kind = next((name for known, name in kinds if isinstance(error, known)), None)
    if kind is None:
        return None
    return {"kind": kind, "what": error.what, "why": error.why, "fix": error.fix}


@contextlib.contextmanager
def _locked_soon(folder: Path) -> Iterator[None]:
    """The folder's lock; the child of a parent that was killed holds it for a moment longer."""
    for left in reversed(range(_LOCK_TRIES)):
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(locked(folder))
            except EnvironmentFailure:
                if not left:
                    raise
                time.sleep(_LOCK_WAIT_S)
                continue
            yield
            return


def _was_finished_meanwhile(plan: Plan) -> bool:
    """Whether another process finished the training while this one waited for the lock.

    Several processes of one training cannot decide that apart, and train once more.
    """
    return os.environ.get("WORLD_SIZE", "1") == "1" and (plan.out / RECORD).is_file()


def _end_with_parent() -> None:
    while os.read(0, 1024):
        continue
    os._exit(ORPHANED)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
