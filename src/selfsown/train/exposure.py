"""Did a model see what it is about to be asked? Every training behind it, against the suites.

A training that was cleaned of a suite is believed by its record. Of others the data are read again,
if they still are what the record's hashes say, and compared.

Not covered: models that were trained elsewhere, and what a base was pretrained on; `--trained-on`
names such files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from selfsown.core.errors import InputError
from selfsown.core.request import JSON
from selfsown.curate.decontaminate import DecontaminationIndex
from selfsown.evaluate.overlap import (
    Sieve,
    TrainingOverlap,
    file_overlaps,
    overlap_error,
    suite_index,
)
from selfsown.evaluate.results import Exposure
from selfsown.evaluate.suite import Suite
from selfsown.train.decontamination import trainings_in
from selfsown.train.pair_records import read_pairs
from selfsown.train.plan import local_folder, read_training
from selfsown.train.records import read_sources, source_digests
from selfsown.train.settings import SourceConfig

IndexOf = Callable[[Suite], DecontaminationIndex]


def exposures(
    model: str, suites: Sequence[Suite], *, files: Iterable[Path] = (), allow: bool = False
) -> list[Exposure]:
    """What is known about every pair of a training behind a model and a suite.

    Args:
        model: URI; only of local models something is known.
        suites: that are asked.
        files: other training files of the model.
        allow: name overlaps instead of refusing them.

    Raises:
        CheckFailed: training data repeat items of a suite, and that is not allowed; lists them.
        InputError: a file of `files` cannot be read, or a record of a training is damaged.
    """
    index_of = cache(lambda suite: suite_index([suite]))
    found = [
        one
        for training in trainings_in(_record(model))
        for one in _of_training(training, suites, index_of, allow=allow)
    ]
    for path in files:
        for suite in suites:
            overlaps = list(file_overlaps(path, index_of(suite)))
            found.append(_compared(suite, str(path), overlaps, allow=allow, unit="line"))
    return found


def _record(model: str) -> Mapping[str, JSON]:
    folder = local_folder(model)
    return read_training(folder) if folder else {}


def _of_training(
    training: Mapping[str, Any], suites: Sequence[Suite], index_of: IndexOf, *, allow: bool
) -> Iterator[Exposure]:
    cleaned = {one["sha256"] for one in training["suites"]}
    configs = [SourceConfig.model_validate(one) for one in training["data"]]
    place = ", ".join(one.path for one in configs)
    others = {
        suite.name
        for suite in suites
        if (suite.whole_sha256 or suite.questions_sha256) not in cleaned
    }
    reason = _why_unreadable(configs, training) if others else ""
    records = _trained_on(configs, training) if others and not reason else []
    for suite in suites:
        if suite.name not in others:
            yield Exposure(suite.name, place, "cleaned", "what repeats its items was left out")
        elif reason:
            yield Exposure(suite.name, place, "unknown", reason)
        else:
            sieve = Sieve(index_of(suite))
            for columns in records:
                sieve.admits(columns)
            yield _compared(suite, place, sieve.removed, allow=allow, unit="record")


def _why_unreadable(configs: Sequence[SourceConfig], training: Mapping[str, Any]) -> str:
    """Why the data of a training cannot be compared now; empty if they can."""
    try:
        now = source_digests(configs, seeds=training["seeds"])
    except InputError as error:
        return error.what
    return "" if now == training["files"] else "the data changed since the training"


def _trained_on(
    configs: Sequence[SourceConfig], training: Mapping[str, Any]
) -> list[Mapping[str, JSON]]:
    """The texts of all records, without those that this training left out for a suite."""
    removed = {one["id"] for one in training["removed"]}
    if training.get("objective", "sft") != "sft":
        return [one.columns for one in read_pairs(configs) if one.id not in removed]
    sources = read_sources(configs, seeds=training["seeds"])
    return [one.columns for part in sources for one in part.records if one.id not in removed]


def _compared(
    suite: Suite, place: str, found: Sequence[TrainingOverlap], *, allow: bool, unit: str
) -> Exposure:
    if not found:
        return Exposure(suite.name, place, "compared", "no record repeats an item")
    if not allow:
        raise overlap_error(place, found, unit=unit)
    items = sorted({one.overlaps[0].item for one in found})
    shown = ", ".join(items[:10]) + (f" and {len(items) - 10} more" if len(items) > 10 else "")
    return Exposure(
        suite.name,
        place,
        "overlap",
        f"{len(found)} {unit}s repeat items, which was allowed: {shown}",
    )
