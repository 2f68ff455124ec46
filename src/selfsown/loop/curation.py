"""From a round's run to training rows: exported with provenance, cleaned of evaluation items."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from selfsown.core.errors import TooFewRecords
from selfsown.core.rundir import read_lines, write_lines, write_text
from selfsown.curate.decontaminate import DecontaminationIndex
from selfsown.evaluate.overlap import Sieve
from selfsown.export.export import ExportOptions, export_run, provenance_path
from selfsown.loop.places import RoundPlaces
from selfsown.recipes.seeds import read_seeds


@dataclass(frozen=True, slots=True)
class Curated:
    """What curation left of a run."""

    accepted: int
    """Records of the run."""
    kept: int
    """Rows to train on."""
    overlaps: int
    """Rows that repeat an evaluation item."""


def curate(places: RoundPlaces, index: DecontaminationIndex) -> Curated:
    """Export the run's records and drop those that repeat an item of any suite in use."""
    if places.curated.is_file():
        return Curated(**orjson.loads(places.curated.read_bytes()))
    if any(True for _ in read_lines(places.run / "accepted.jsonl")):
        options = ExportOptions(format="alpaca", force=True)
        sieve = Sieve(index)
        try:
            written = export_run(places.run, places.data, options, admit=sieve.admits)
            kept = written.files[0].row_count
        except TooFewRecords:
            kept = 0
        sieve.write_removed(places.data)
        found = Curated(kept + len(sieve.removed), kept, len(sieve.removed))
    else:
        found = Curated(0, 0, 0)
    write_text(places.curated, orjson.dumps(asdict(found)).decode() + "\n")
    return found


def write_human_rows(seeds: str, out: Path, index: DecontaminationIndex) -> int:
    """Write the human seeds as training rows with provenance; returns how many were left out.

    A seed that repeats an evaluation item is left out of the training, not of the prompts.
    """
    rows: list[bytes] = []
    sources: list[bytes] = []
    sieve = Sieve(index)
    for task in read_seeds(seeds):
        for number, instance in enumerate(task.instances):
            row: Mapping[str, str] = {
                "instruction": task.instruction,
                "input": instance.input,
                "output": instance.output,
            }
            if not sieve.admits(row):
                continue
            rows.append(orjson.dumps(row))
            name = f"seed:{task.id}" if number == 0 else f"seed:{task.id}#{number}"
            source = {"line": len(rows), "id": name, "origin": "human", "model_depth": 0}
            sources.append(orjson.dumps(source))
    write_lines(provenance_path(out), sources)
    write_lines(out, rows)
    return len(sieve.removed)
