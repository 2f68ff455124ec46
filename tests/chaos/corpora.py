"""Real documents through both recipes over documents, killed and resumed; where every row went.

`python -m tests.chaos --only documents --documents FOLDER ...` takes folders of any size. Without
one, the guides of this repository are read. The writer behind the local server is `writer`; it
makes one fault in some passages, and the second table says what became of those.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.chaos import writer
from tests.chaos.plan import Plan, Table
from tests.curate.planted import FAULTS
from tests.system.kills import MODEL, data, kill_often, run_whole
from tests.system.nursery import Nursery
from tests.system.processes import REPOSITORY, arrivals, committed, write_config

from selfsown.core.rundir import read_lines, read_manifest
from selfsown.offline import replay
from selfsown.testing.process import ServerProcess

OWN = REPOSITORY / "docs" / "guides"
LONG_S = 3_600
"""Within which a run over a large folder ends."""
WARM = (
    "selfsown.documents.reading",
    "selfsown.recipes.cosmopedia.recipe",
    "selfsown.recipes.rephrase.recipe",
)
OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "rephrase": {"styles": ["medium", "qa"]},
    "cosmopedia": {
        "per_document": 3,
        "filters": {"near_duplicate": {}},
        "monitors": {"act": "note"},
    },
}


def tables(plan: Plan, home: Path) -> list[Table]:
    """Both tables."""
    kills = Table(
        f"Documents: {', '.join(map(str, plan.documents)) or 'the guides of this repository'}",
        (
            *("recipe", "files", "calls", "kills", "replay differs", "bytes differ"),
            *("asked again", "lost in flight", "rows unaccounted"),
        ),
    )
    rows = Table(
        "Where every row went", ("recipe: stage", "in", "kept", "rejected", "failed", "by")
    )
    faults = Table("Faults of the writer", ("fault", "rephrases", "rejected", "by"))
    with Nursery(*WARM) as nursery:
        for recipe in OPTIONS:
            found = killed(plan, home / recipe, nursery, recipe)
            kills.add(recipe, *found.cells)
            kills.check(found.cells[3:6] == (0, 0, 0), f"{recipe} was killed and is another run")
            kills.check(found.cells[7] == 0, f"{recipe} lost rows")
            account(rows, recipe, found.run)
    caught(faults, home / "rephrase" / "whole" / "run", at_scale=plan.share == 1)
    return [kills, rows, faults]


@dataclass(frozen=True)
class Killed:
    """A run that was killed."""

    run: Path
    cells: tuple[int, ...]


def killed(plan: Plan, home: Path, nursery: Nursery, recipe: str) -> Killed:
    """Run once undisturbed, once killed again and again; what differs."""
    home.mkdir()
    answers = ("--answer", "tests.chaos.writer:write", "--max-seconds", str(4 * LONG_S))
    with ServerProcess("--model", MODEL, *answers) as server:
        run_whole(nursery, config_for(plan, home / "whole", server, recipe), within_s=LONG_S)
        whole = arrivals(server).total()
        server.reset()
        config = config_for(plan, home / "killed", server, recipe)
        seed = plan.rng(recipe).randrange(1 << 32)
        kills = plan.count(10, least=2)
        tally = kill_often(nursery, config, server, whole, kills=kills, seed=seed)
        run_whole(nursery, config, within_s=LONG_S)
        end, total = committed(home / "killed/run", MODEL), arrivals(server)
    again = sum(
        max(0, count - (end[body] - had[body]))
        for had, sent in tally.sessions
        for body, count in sent.items()
        if had[body]
    )
    again += max(0, (total - end).total() - tally.lost)
    run = home / "killed" / "run"
    same, equal = replay(run).identical, data(run) == data(home / "whole/run")
    files = sum(1 for _ in read_lines(run / "inputs" / "rows.jsonl"))
    lost = unaccounted(run, files)
    return Killed(
        run, (files, whole, tally.kills, int(not same), int(not equal), again, tally.lost, lost)
    )


def config_for(plan: Plan, home: Path, server: ServerProcess, recipe: str) -> Path:
    """The config of one run."""
    home.mkdir()
    config = {
        "recipe": recipe,
        "documents": [str(one) for one in plan.documents or (OWN,)],
        "options": dict(OPTIONS[recipe]),
        "models": {"generator": server.model_uri(MODEL)},
        "limits": {"concurrency": 16, "resend": 0},
        "out": str(home / "run"),
    }
    return write_config(home / "config.yaml", config)


def unaccounted(run: Path, files: int) -> int:
    """Rows that went into a stage and did not come out, or files that no stage saw."""
    stages = read_manifest(run)["data"]["stages"]
    missing = abs(files - next(one["in"] for one in stages if one["stage"] == "documents"))
    ends: Counter[str] = Counter()
    for row in rows_of(run / "provenance.jsonl"):
        ends[row["stage"]] += 1
    for one in stages:
        out = one["accepted"] + sum(one["rejected"].values()) + sum(one["failed"].values())
        missing += abs(one["in"] - out) + abs(one["in"] - ends[one["stage"]])
    return missing


def account(table: Table, recipe: str, run: Path) -> None:
    """One row per stage."""
    for one in read_manifest(run)["data"]["stages"]:
        reasons = Counter({**one["rejected"], **one["failed"]})
        table.add(
            f"{recipe}: {one['stage']}",
            *(one["in"], one["accepted"]),
            *(sum(one["rejected"].values()), sum(one["failed"].values())),
            ", ".join(f"{reason} {count}" for reason, count in reasons.most_common(6)),
        )


def caught(table: Table, run: Path, *, at_scale: bool) -> None:
    """What became of the passages that the writer was careless with, and of the others."""
    ends: dict[str, Counter[str]] = {}
    for source, style, reason in rephrases(run):
        _, fault = writer.said_again(source, as_questions=style == "qa")
        ends.setdefault(fault or "none: honest", Counter())[reason] += 1
    for fault in (*FAULTS, *writer.OTHERS, "none: honest"):
        reasons = ends.get(fault, Counter())
        rejected = reasons.total() - reasons[""]
        said = ", ".join(f"{name} {n}" for name, n in reasons.most_common(5) if name)
        table.add(fault, reasons.total(), f"{rejected / max(1, reasons.total()):.0%}", said)
    if at_scale:
        honest = ends["none: honest"]
        table.check(honest[""] > honest.total() / 2, "most honest rephrases are rejected")


def rephrases(run: Path) -> Iterator[tuple[str, str, str]]:
    """(passage, style, reason) of all that was written; without a reason it was accepted."""
    passages: dict[str, str] = {}
    for row in rows_of(run / "provenance.jsonl"):
        record = row.get("record", {})
        if row["stage"] == "chunks" and "chunk_id" in record:
            passages[record["chunk_id"]] = record["text"]
    for row in rows_of(run / "accepted.jsonl"):
        if row["kind"] == "synthetic":
            yield passages[row["chunk_id"]], row["style"], ""
    for row in rows_of(run / "rejected.jsonl"):
        if row["stage"] in ("answers", "rephrases"):
            record = row["record"]
            yield passages[record["chunk_id"]], record["style"], row["reason"]


def rows_of(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a data file."""
    for row in read_lines(path):
        assert isinstance(row, dict)
        yield row
