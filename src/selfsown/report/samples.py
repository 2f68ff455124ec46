"""Sample records with their lineage: demonstrations, the calls, every step down to the record.

The samples are the records whose ids have the smallest hashes: the same for the same data, and from
all over the run.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import orjson

from selfsown.core.journal import Journal
from selfsown.core.request import JSON
from selfsown.export.provenance import ProvenanceIndex, open_provenance
from selfsown.export.run_files import Row, RunFiles, mapping, record_id, sequence, string
from selfsown.report.payload import payload_fields, payload_text, value_text
from selfsown.report.rejects import spread
from selfsown.report.shown import shown, shown_line

SAMPLES: Final = 6
MAX_STEPS: Final = 8
MAX_CALLS: Final = 4
SEED_PREFIX: Final = "seed:"


@dataclass(frozen=True, slots=True)
class Step:
    """One ancestor of a record, or the record itself."""

    stage: str
    id: str


@dataclass(frozen=True, slots=True)
class Demonstration:
    """What the model was shown when it made the record."""

    id: str
    is_seed: bool
    text: str
    """Its instruction; empty where the run directory does not hold it."""


@dataclass(frozen=True, slots=True)
class CallShown:
    """A model call behind a record."""

    stage: str
    """The first stage of the lineage that the call stands behind."""
    key: str
    model: str
    prompt: str
    answer: str


@dataclass(frozen=True, slots=True)
class Sample:
    """One accepted record and where it came from."""

    id: str
    fields: Mapping[str, str]
    demonstrations: tuple[Demonstration, ...]
    steps: tuple[Step, ...]
    """From the oldest ancestor in this run down to the record."""
    calls: tuple[CallShown, ...]
    parent_depth: int
    """Longest chain of parents back to a human seed."""


def read_samples(run: RunFiles) -> tuple[Sample, ...]:
    """Choose the samples and follow their parents up; empty for a run without accepted records."""
    chosen = heapq.nsmallest(SAMPLES, run.rows("accepted"), key=lambda row: spread(record_id(row)))
    with open_provenance(run.path) as index, run.journal() as journal:
        lineages = [(row, _lineage(index, record_id(row))) for row in chosen]
        wanted = {parent for _, rows in lineages if rows for parent in _parents(rows[0])}
        texts = _instructions(run, index, wanted)
        return tuple(_sample(row, rows, texts, journal) for row, rows in lineages)


def _lineage(index: ProvenanceIndex, identifier: str) -> list[Row]:
    """Provenance rows from the oldest single ancestor down to the record."""
    rows: list[Row] = []
    stages: set[str] = set()
    while len(rows) < MAX_STEPS and (row := index.find(identifier)) is not None:
        stage = string(row.get("stage"))
        if stage in stages:  # a demonstration that went through the same stages earlier
            break
        stages.add(stage)
        rows.insert(0, row)
        parents = _parents(row)
        if len(parents) != 1:
            break
        identifier = parents[0]
    return rows


def _sample(
    row: Row, lineage: list[Row], texts: Mapping[str, str], journal: Journal | None
) -> Sample:
    parents = _parents(lineage[0]) if lineage else []
    depth = lineage[-1].get("parent_depth") if lineage else 0
    return Sample(
        id=record_id(row),
        fields=payload_fields(row),
        demonstrations=tuple(
            Demonstration(parent, parent.startswith(SEED_PREFIX), texts.get(parent, ""))
            for parent in parents
        ),
        steps=tuple(Step(string(step.get("stage")), string(step.get("id"))) for step in lineage),
        calls=tuple(_calls(lineage, journal)) if journal is not None else (),
        parent_depth=depth if isinstance(depth, int) else 0,
    )


def _calls(lineage: list[Row], journal: Journal) -> Iterator[CallShown]:
    seen: set[str] = set()
    for step in lineage:
        for key in map(string, sequence(step.get("keys"))):
            if key in seen or len(seen) == MAX_CALLS:
                continue
            seen.add(key)
            stored = journal.glance(bytes.fromhex(key))
            if stored is not None and stored.kind == "call":
                yield CallShown(
                    stage=string(step.get("stage")),
                    key=key,
                    model=shown_line(stored.model),
                    prompt=shown(_prompt(orjson.loads(stored.request)), 4000),
                    answer=shown(_answer(orjson.loads(stored.outcome)), 2000),
                )


def _prompt(request: Mapping[str, JSON]) -> str:
    if "prompt" in request:
        return string(request["prompt"])
    turns = (mapping(turn) for turn in sequence(request.get("messages")))
    return "\n\n".join(
        f"[{string(turn.get('role'))}]\n{value_text(turn.get('content'))}" for turn in turns
    )


def _answer(outcome: Mapping[str, JSON]) -> str:
    if "error" in outcome:
        return "failed: " + ": ".join(map(value_text, sequence(outcome["error"])))
    return string(outcome.get("text"))


def _instructions(run: RunFiles, index: ProvenanceIndex, wanted: set[str]) -> dict[str, str]:
    """Texts of demonstrations: seeds from their file, earlier instructions from the provenance."""
    texts: dict[str, str] = {}
    for row in run.seeds():
        if (identifier := f"{SEED_PREFIX}{row.get('id')}") in wanted:
            texts[identifier] = payload_text(row)
    for identifier in sorted(wanted - texts.keys()):
        if (found := index.find(identifier)) is not None and (kept := mapping(found.get("record"))):
            texts[identifier] = payload_text(kept)
    return texts


def _parents(row: Row) -> list[str]:
    return [string(parent) for parent in sequence(row.get("parents"))]
