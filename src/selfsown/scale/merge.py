"""Many runs become one data set: one pass in the order of the merge, filters keep-first.

What the filters drop becomes a rejected record of the stage that had accepted it, so that for every
stage in = accepted + rejected + failed still holds, and every id has one line of provenance.
"""

from __future__ import annotations

import json
import math
import shutil
import time
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from selfsown.core.clock import SystemClock
from selfsown.core.errors import InputError
from selfsown.core.finish import MANIFEST_VERSION, Ending, json_text
from selfsown.core.journal import JOURNAL_NAME
from selfsown.core.request import JSON
from selfsown.core.rundir import (
    DATA_FILES,
    MANIFEST,
    locked,
    read_manifest,
    sync_directory,
    translated_os_errors,
    write_text,
)
from selfsown.core.stages import data_line
from selfsown.scale.filters import MIX, GlobalFilter, Mix
from selfsown.scale.line_file import LineFile
from selfsown.scale.places import JobPlaces
from selfsown.scale.streams import Entry, Merged, Source

_SUMMED: Final = (
    *("calls", "effects", "attempts", "calls_from_journal", "shared", "reused", "unused"),
    *("input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens", "cost_usd"),
)
"""Numbers of a manifest's `run` part that add up."""
_VALUES_SHOWN: Final = 5
"""Values of a field that are named where the mix asks for one that is not there."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is merged and how."""

    sources: Sequence[Source]
    filters: Sequence[GlobalFilter] = ()
    mix: Mix | None = None


def merge(plan: Plan, out: Path) -> dict[str, JSON]:
    """Write the merge of runs into a directory and return its manifest.

    The same runs and the same plan give the same data files and the same data part of the manifest.

    Raises:
        InputError: a run has not finished, is of another recipe, or `out` is a run or job itself.
        ConfigError: a filter cannot judge the records, or no record has a value of the mix.
        EnvironmentFailure: `out` cannot be written.
    """
    if (out / JOURNAL_NAME).exists() or JobPlaces(out).job.exists():
        raise InputError(
            f"`{out}` is the directory of a {'run' if (out / JOURNAL_NAME).exists() else 'job'}",
            why="the merge would put its data files among those of what it merges",
            fix=f"give another directory with `-o`, for example `-o {out / 'merged'}`",
        )
    began, started = time.monotonic(), SystemClock().stamp()
    head = _Head(plan.sources)
    scratch = out / ".merge"
    with locked(out):
        with translated_os_errors(out / MANIFEST):
            (out / MANIFEST).unlink(missing_ok=True)
            sync_directory(out)
        try:
            data = _write(plan, head, Merged(plan.sources, head.numbers, scratch), out)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        wall_s = round(time.monotonic() - began, 3)
        ending = Ending("finished", "merged", started, SystemClock().stamp(), wall_s, "")
        run = {**asdict(ending), **head.totals, "warnings": []}
        manifest: dict[str, JSON] = {"version": MANIFEST_VERSION, "data": data, "run": run}
        write_text(out / MANIFEST, json_text(manifest) + "\n")
    return manifest


class _Head:
    """What the manifests of the sources say, summed; one at a time, so that memory stays flat."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.recipe: tuple[JSON, JSON] | None = None
        self.seed: JSON = 0
        self.stages: dict[str, dict[str, Any]] = {}
        self.totals: dict[str, Any] = dict.fromkeys(_SUMMED, 0)
        for source in sources:
            self._add(source.directory, read_manifest(source.directory))
        self.numbers: Mapping[str, int] = {name: n for n, name in enumerate(self.stages)}

    def _add(self, directory: Path, manifest: Any) -> None:
        data, run = manifest["data"], manifest["run"]
        if run["status"] != "finished":
            raise InputError(
                f"`{directory}` has not finished",
                why="what it would still make would be missing",
                fix="run the command that made it again: it resumes",
            )
        recipe = (data["recipe"], data["recipe_version"])
        if self.recipe is None:
            self.recipe, self.seed = recipe, data["seed"]
        names = [stage["stage"] for stage in data["stages"]]
        if recipe != self.recipe or (self.stages and names != list(self.stages)):
            raise InputError(
                f"`{directory}` is of recipe {recipe[0]} {recipe[1]}, the first of"
                f" {self.recipe[0]} {self.recipe[1]}",
                why="their stages would not be comparable",
                fix="merge runs of one recipe, and one version of it",
            )
        for stage in data["stages"]:
            known = self.stages.get(stage["stage"])
            if known is None:
                self.stages[stage["stage"]] = {
                    **stage,
                    "rejected": Counter(stage["rejected"]),
                    "failed": Counter(stage["failed"]),
                }
                continue
            known["in"] += stage["in"]
            known["accepted"] += stage["accepted"]
            known["rejected"].update(stage["rejected"])
            known["failed"].update(stage["failed"])
        for name in _SUMMED:
            self.totals[name] += run[name]


def _write(plan: Plan, head: _Head, merged: Merged, out: Path) -> dict[str, JSON]:
    """The data files, and the data part of the manifest."""
    names = list(head.stages)
    accepted = sum(stage["accepted"] for stage in head.stages.values() if stage["output"])
    dropped: Counter[str] = Counter()
    with ExitStack() as stack:
        files = {name: stack.enter_context(LineFile(out / name)) for name in DATA_FILES}
        for entry, reason, score in _judged(plan, merged):
            if reason:
                stage = names[entry.key.stage]
                dropped[reason] += 1
                head.stages[stage]["accepted"] -= 1
                head.stages[stage]["rejected"][reason] += 1
                entry = _dropped(entry, stage, reason, score)
            files["provenance.jsonl"].put(entry.provenance)
            if entry.end != "passed":
                files[f"{entry.end}.jsonl"].put(entry.line)
    kept = files["accepted.jsonl"].facts.rows
    assert kept + dropped.total() == accepted, "the merge lost a record"
    assert head.recipe is not None
    stages: list[JSON] = [
        {
            **stage,
            "rejected": dict(sorted(stage["rejected"].items())),
            "failed": dict(sorted(stage["failed"].items())),
        }
        for stage in head.stages.values()
    ]
    filters: list[JSON] = [one.name for one in plan.filters]
    if plan.mix is not None:
        filters.append(plan.mix.name)
    return {
        "recipe": head.recipe[0],
        "recipe_version": head.recipe[1],
        "seed": head.seed,
        "stop": "merged",
        "files": {name: asdict(file.facts) for name, file in files.items()},
        "stages": stages,
        "notes": {
            "merge": {
                "runs": len(plan.sources),
                "in": accepted,
                "accepted": kept,
                "rejected": dict(sorted(dropped.items())),
                "filters": filters,
            }
        },
    }


def _judged(plan: Plan, merged: Merged) -> Iterator[tuple[Entry, str, float | None]]:
    """Every candidate with the reason for which the merge drops it, and the score."""
    if plan.mix is None:
        for entry in merged:
            reason, score, _ = _judge(plan, entry)
            yield entry, reason, score
        return
    reasons = [""]
    verdicts, scores, counts = array("B"), array("d"), Counter[str]()
    others: dict[str, None] = {}
    for entry in merged:
        if entry.end != "accepted":
            continue
        reason, score, record = _judge(plan, entry)
        value = plan.mix.value(record)
        if not reason and value in plan.mix.shares:
            counts[value] += 1
        elif not reason and plan.mix.field in record and len(others) < _VALUES_SHOWN:
            others[value] = None
        if reason not in reasons:
            reasons.append(reason)
        verdicts.append(reasons.index(reason))
        scores.append(math.nan if score is None else score)
    plan.mix.require(counts, others)
    quotas, at = plan.mix.quotas(counts), 0
    for entry in merged:
        if entry.end != "accepted":
            yield entry, "", None
            continue
        reason, score = reasons[verdicts[at]], None if math.isnan(scores[at]) else scores[at]
        at += 1
        value = "" if reason else plan.mix.value(orjson.loads(entry.line))
        if not reason and quotas.get(value, 0) <= 0:
            reason = MIX
        elif not reason:
            quotas[value] -= 1
        yield entry, reason, score


def _judge(plan: Plan, entry: Entry) -> tuple[str, float | None, Mapping[str, JSON]]:
    """Reason (empty if it stays), score and record of a candidate; filters see accepted ones."""
    if entry.end != "accepted" or not (plan.filters or plan.mix):
        return "", None, {}
    record: Mapping[str, JSON] = orjson.loads(entry.line)
    for one in plan.filters:
        verdict = one.judge(record, entry.key)
        if not verdict.ok:
            return verdict.reason or "merge", verdict.score, record
    for one in plan.filters:
        one.kept(record, entry.key)
    return "", None, record


def _dropped(entry: Entry, stage: str, reason: str, score: float | None) -> Entry:
    """An accepted candidate as a rejected one: what a run would have written for it."""
    record = json.loads(entry.line)
    record.pop(next(iter(record)))  # our id, which stands first
    line = {"id": entry.key.id, "stage": stage, "reason": reason, "score": score, "record": record}
    row = json.loads(entry.provenance)
    provenance: dict[str, JSON] = {}
    for name, value in row.items():
        if name == "end":
            provenance |= {"end": "rejected", "reason": reason}
        elif name != "score":
            provenance[name] = value
    return Entry(entry.key, "rejected", data_line(provenance), data_line(line))
