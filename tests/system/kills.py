"""Runs that are killed at random moments, and what each session asked and committed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import yaml
from tests.recipes.cosmopedia import scribe
from tests.recipes.gardener import SEEDS
from tests.recipes.grounded import scholar
from tests.recipes.rephrase import rivers
from tests.system.nursery import Nursery
from tests.system.processes import arrivals, committed, write_config
from tests.topics import worlds

from selfsown.core.rundir import DATA_FILES
from selfsown.testing.process import ServerProcess

MODEL = "test-model"


@dataclass(frozen=True)
class Case:
    """One recipe to be killed."""

    config: dict[str, Any]
    answer: str
    window: int | None = None
    """Most items of it that can be outstanding at once, where it is a constant."""
    inputs: str = ""
    rows: Sequence[Any] = field(default_factory=tuple)
    role: str = "generator"
    """The model that is asked."""
    is_independent: bool = False
    """Whether its rows are, so that in either order the bytes are those of any other run."""
    is_brief: bool = False
    """Whether the tests kill it a few times and in one order; `make chaos` does all of it."""


WARM = tuple(
    f"selfsown.recipes.{name}.recipe" for name in ("cosmopedia", "grounded", "rephrase", "topics")
)
"""What runs of the cases import beside what all do."""

CASES = {
    "growing": Case(
        {"recipe": "tests.core.growing:RECIPE", "target": 60},
        "tests.system.answers:word",
        window=8,
        inputs="rows",
        rows=[{"x": 1}],
    ),
    "self-instruct": Case(
        {"recipe": "self-instruct", "target": 90, "options": {"layout": "completion"}},
        "tests.system.answers:garden",
        inputs="seeds",
        rows=SEEDS,
    ),
    "self-instruct with votes": Case(
        {
            "recipe": "self-instruct",
            "target": 40,
            "options": {"layout": "completion", "answer_votes": 3},
        },
        "tests.system.answers:garden",
        inputs="seeds",
        rows=SEEDS,
    ),
    "complete": Case(
        {"recipe": "complete", "options": {"prompt": "Say {{ n }}."}},
        "",
        window=64,
        inputs="rows",
        rows=[{"n": n} for n in range(400)],
        is_independent=True,
    ),
    "self-rewarding": Case(
        {
            "recipe": "self-rewarding",
            "options": {
                "answers": [{"count": 1, "temperature": one / 2} for one in range(1, 4)],
                "scorer_options": {"samples": 2},
            },
        },
        "tests.system.answers:answer_and_grade",
        inputs="rows",
        rows=[{"prompt": f"Name {n}."} for n in range(40)],
        role="policy",
        is_independent=True,
    ),
    "rephrase": Case(
        {"recipe": "rephrase", "options": {"styles": ["medium", "qa"]}},
        "tests.chaos.writer:write",
        inputs="rows",
        rows=[rivers.document(n, 8) for n in range(30)],
        is_independent=True,
        is_brief=True,
    ),
    "cosmopedia": Case(
        {"recipe": "cosmopedia", "options": {"styles": scribe.PROSE, "quota": 5}},
        "tests.chaos.writer:write",
        inputs="rows",
        rows=scribe.documents(60),
        is_independent=True,
        is_brief=True,
    ),
    "grounded": Case(
        {
            "recipe": "grounded",
            "options": {"structured": "never", "passage_tokens": 150, "closed_book": "record"},
        },
        "tests.system.answers:about_places",
        inputs="rows",
        rows=[scholar.document(n) for n in range(10)],
        is_independent=True,
        is_brief=True,
    ),
    "topics": Case(
        {
            "recipe": "topics",
            "options": {
                "queries": {
                    f"{name} {n}": " ".join(worlds.vocabulary(name)[n::5])
                    for name in worlds.NAMES
                    for n in range(5)
                },
            },
        },
        "tests.system.answers:value",
        inputs="rows",
        rows=[{"id": f"d{n}", "text": text} for n, text in enumerate(worlds.topics(8, 20)[0])],
        is_independent=True,
        is_brief=True,
    ),
}


def config_for(case: Case, home: Path, server: ServerProcess, order: str, concurrency: int) -> Path:
    home.mkdir()
    inputs = home / "inputs.jsonl"
    inputs.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in case.rows))
    config = {
        **case.config,
        case.inputs: str(inputs),
        "models": {case.role: server.model_uri(MODEL)},
        "order": order,
        "limits": {"concurrency": concurrency, "resend": 0},
        "out": str(home / "run"),
    }
    return write_config(home / "config.yaml", config)


def run_until(
    nursery: Nursery, server: ServerProcess, config: Path, calls: int, delay_s: float
) -> bool:
    """Start or resume; kill once the server has seen so many calls, a moment later.

    The server keeps that call and all later ones waiting, so that the run cannot have ended by then
    unless it needs none of them. Whether it was killed.
    """
    server.hold(calls)
    nursery.start("run", config, "--quiet", "--yes")
    code = None
    while code is None and int(str(server.counters(bodies=False)["requests"])) < calls:
        code = nursery.wait(0.005)
    if code is None and (code := nursery.wait(delay_s)) is None:
        code = nursery.kill()
    assert code in (0, -9)
    return code == -9


@dataclass
class Tally:
    """What the kills cost."""

    kills: int = 0
    lost: int = 0
    """Calls that were sent and not committed at the kills."""
    most_lost: int = 0
    sessions: list[tuple[Counter[str], Counter[str]]] = field(default_factory=list)
    """What was committed before each session, and what the session sent."""


def kill_often(
    nursery: Nursery, config: Path, server: ServerProcess, whole: int, *, kills: int, seed: int
) -> Tally:
    """Kill a run at random moments and hold each session to what was committed before it."""
    rng, tally, out = random.Random(seed), Tally(), config.parent / "run"
    seen: Counter[str] = Counter()
    for moment in sorted(rng.sample(range(whole * 9 // 10), kills)):
        before = committed(out, MODEL)
        delay_s = rng.uniform(0, 0.04)
        while not run_until(nursery, server, config, moment + tally.lost, delay_s):
            extend(config)
        tally.kills += 1
        after, total = committed(out, MODEL), arrivals(server)
        sent, new = total - seen, after - before
        assert not before - after, "a committed call is gone"
        assert not new - sent, "an outcome without a call"
        tally.sessions.append((before, sent))
        lost = (sent - new).total()
        tally.lost += lost
        tally.most_lost = max(tally.most_lost, lost)
        seen = total
    server.hold(None)
    return tally


def extend(config: Path) -> None:
    """Raise the target by a quarter: in arrival order a run may need fewer calls than another."""
    form = yaml.safe_load(config.read_bytes())
    assert form["order"] == "arrival" and "target" in form, "the run ended before its time"
    write_config(config, {**form, "target": form["target"] * 5 // 4})


def run_whole(nursery: Nursery, config: Path, within_s: float = 120) -> None:
    nursery.start("run", config, "--quiet", "--yes")
    assert nursery.wait(within_s) == 0


def data(directory: Path) -> dict[str, bytes]:
    return {name: (directory / name).read_bytes() for name in DATA_FILES}
