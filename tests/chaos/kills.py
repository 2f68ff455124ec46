"""The kill matrix: SIGKILL at random points of every stage, and what came of it.

Stages of asking are killed at a call that a server keeps waiting; commits a random moment after
they began; what writes files (the end of a run, export, report, merge) before a random one of its
file operations, so that every boundary is met; runs in batches by the clock, under faults; workers
and drivers of jobs of shards while they ask. Loops: `tests/system/test_loop_kill.py`.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson
from tests.chaos import trap
from tests.chaos.plan import Plan, Table
from tests.scale import killing
from tests.system.batch_scene import PROVIDERS, Scene, scenery
from tests.system.kills import CASES, MODEL, WARM, config_for, data, kill_often, run_whole
from tests.system.nursery import Nursery
from tests.system.processes import arrivals, committed, write_config

from selfsown.core.rundir import DATA_FILES
from selfsown.offline import replay
from selfsown.testing.process import ServerProcess

COLUMNS = (
    *("stage", "kills", "replay differs", "bytes differ", "committed asked again"),
    *("lost in flight", "half files"),
)
BATCH_FAULTS = (
    *("--batch-looks", "6", "--batch-expire", "0.1", "--batch-error", "0.1"),
    *("--batch-lost-reply", "0.3", "--batch-api-error", "0.05", "--batch-short-results", "2"),
)
ASKING = [(name, order) for name in CASES for order in ("arrival", "strict")]


def tables(plan: Plan, home: Path) -> list[Table]:
    """The matrix."""
    table = Table("Kill matrix (SIGKILL)", COLUMNS)
    table.note = (
        "Bytes are compared with an uninterrupted run where the order is strict or rows are"
        " independent. Lost in flight: calls sent and not committed at a kill, asked again."
    )
    asking(plan, home, table)
    writing(plan, home, table)
    batches(plan, home, table)
    shards(plan, home, table)
    kills = sum(int(row[1]) for row in table.rows)
    table.add("all", kills, *(sum(int(row[n]) for row in table.rows) for n in range(2, 7)))
    for row in table.rows[:-1]:
        zeros = [*row[2:5], row[6]]
        table.check(zeros == ["0"] * 4, f"kills in `{row[0]}`")
    if plan.share == 1:
        table.check(kills >= 200, "fewer than 200 kills")
    return [table]


def asking(plan: Plan, home: Path, table: Table) -> None:
    """Runs of every recipe, in both orders, killed while they ask."""
    cases = ASKING if plan.share == 1 else plan.rng("cases").sample(ASKING, 1)
    with Nursery(*WARM) as nursery:
        for name, order in cases:
            table.add(f"asking: {name}, {order}", *asked(plan, home, nursery, name, order))


def asked(plan: Plan, home: Path, nursery: Nursery, name: str, order: str) -> Sequence[int]:
    """The cells of one recipe."""
    case, place = CASES[name], home / f"{name} {order}"
    place.mkdir()
    answers = ("--answer", case.answer) if case.answer else ()
    with ServerProcess("--latency-median-s", "0.02", "--model", MODEL, *answers) as server:
        config = config_for(case, place / "whole", server, order, 5)
        run_whole(nursery, config)
        whole = arrivals(server).total()
        server.reset()
        config = config_for(case, place / "killed", server, order, 16)
        seed = plan.rng(name + order).randrange(1 << 32)
        tally = kill_often(nursery, config, server, whole, kills=plan.count(10), seed=seed)
        before, seen = committed(place / "killed/run", MODEL), arrivals(server)
        run_whole(nursery, config)
        end, total = committed(place / "killed/run", MODEL), arrivals(server)
    again = ((total - seen) - (end - before)).total()
    ordered = order == "strict" or case.is_independent
    if ordered:
        for had, sent in tally.sessions:
            again += sum(
                max(0, count - (end[body] - had[body])) for body, count in sent.items() if had[body]
            )
    again += max(0, (total - end).total() - tally.lost)
    differ = ordered and data(place / "killed/run") != data(place / "whole/run")
    same = replay(place / "killed/run").identical
    return tally.kills, int(not same), int(differ), again, tally.lost, 0


@dataclass(frozen=True)
class Verb:
    """A command that writes files."""

    name: str
    command: Sequence[str | Path]
    made: Path
    """File or directory that it makes."""
    trap: str = "file"
    kept: Sequence[str] = DATA_FILES
    """Names of the files whose bytes must be those of an uninterrupted command."""


def writing(plan: Plan, home: Path, table: Table) -> None:
    """Commits, the end of a run, export, report and merge."""
    place = home / "writing"
    place.mkdir()
    order, run = place / "trap", place / "run"
    with (
        ServerProcess("--latency-median-s", "0.005", "--model", MODEL) as server,
        Nursery(
            *("tests.chaos.trap", "selfsown.cli.export", "selfsown.cli.report"),
            *("selfsown.cli.merge", "selfsown.scale.data_set"),
            quiet=True,
            **{trap.FILE: str(order)},
        ) as nursery,
    ):
        config = small_run(place, "run", range(60), server)
        stage = Stage(plan, nursery, server, order, place)
        run_whole(nursery, config)
        run_whole(nursery, small_run(place, "other", range(60, 90), server))
        out, command = place / "train.jsonl", ("run", config, "--quiet", "--yes")
        export = ("export", run, "--format", "messages", "--no-decontaminate", "--force", "-o", out)
        merge = ("merge", run, place / "other", "-o", place / "merged")
        pages = ("report.json", "report.html", "README.md")
        verbs = (
            (40, Verb("run: files", command, run)),
            (40, Verb("run: commit", command, run, "commit")),
            (20, Verb("export", export, out, kept=(out.name,))),
            (20, Verb("report", ("report", run, "--card"), run, kept=pages)),
            (20, Verb("merge", merge, place / "merged")),
        )
        for kills, verb in verbs if plan.share == 1 else plan.rng("verbs").sample(verbs, 2):
            table.add(*stage.kill(verb, plan.count(kills)))


def small_run(place: Path, name: str, numbers: Sequence[int], server: ServerProcess) -> Path:
    """The config of a run that takes a moment."""
    rows = place / f"{name}.jsonl"
    rows.write_bytes(b"".join(orjson.dumps({"n": n}) + b"\n" for n in numbers))
    form = {
        "recipe": "complete",
        "rows": str(rows),
        "options": {"prompt": "Say {{ n }}."},
        "models": {"generator": server.model_uri(MODEL)},
        "limits": {"concurrency": 4, "resend": 0},
        "out": str(place / name),
    }
    return write_config(place / f"{name}.yaml", form)


@dataclass
class Stage:
    """Kills of one verb after the other."""

    plan: Plan
    nursery: Nursery
    server: ServerProcess
    order: Path
    """The trap's file."""
    place: Path

    def kill(self, verb: Verb, kills: int) -> Sequence[object]:
        """The row of a verb: killed so often, each time from the start, and ended afterwards."""
        rng, counts = self.plan.rng(verb.name), Counter[str]()
        steps = self._steps(verb)
        whole = contents(verb)
        assert len(whole) == len(verb.kept)
        while counts["kills"] < kills:
            remove(verb)
            self.server.reset()
            delay = f" {rng.uniform(0, 0.004):.5f}" if verb.trap == "commit" else ""
            self.order.write_text(f"{verb.trap} {rng.randint(1, steps)}{delay}")
            self.nursery.start(*verb.command)
            code = self.nursery.wait(60)
            self.order.unlink()
            if code == 0:
                continue  # the last moment was after the end
            assert code == -9, f"{verb.name} ended with {code}"
            counts["kills"] += 1
            counts["inside"] += Path(f"{self.order}.in").read_bytes() == b"1"
            counts["half"] += sum(whole[name] != half for name, half in contents(verb).items())
            self._end(verb, counts)
            counts["bytes"] += contents(verb) != whole
        name = verb.name
        if verb.trap == "commit":
            name += f" ({counts['inside']} inside one)"
        return (
            name, kills, counts["replay"], counts["bytes"], counts["again"], counts["lost"],
            counts["half"],
        )  # fmt: skip

    def _steps(self, verb: Verb) -> int:
        """How many operations a whole one has, about, by halving; then the verb has run whole."""
        low, high = 1, 2
        while self._dies_at(verb, high):
            low, high = high, high * 2
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._dies_at(verb, middle) else (low, middle)
        assert not self._dies_at(verb, 1 << 30)
        return low

    def _dies_at(self, verb: Verb, step: int) -> bool:
        remove(verb)
        self.order.write_text(f"{verb.trap} {step}")
        self.nursery.start(*verb.command)
        code = self.nursery.wait(60)
        self.order.unlink()
        assert code in (0, -9), f"{verb.name} ended with {code}"
        return code == -9

    def _end(self, verb: Verb, counts: Counter[str]) -> None:
        """The same command again, to its end."""
        is_run = verb.command[0] == "run"
        before = committed(verb.made, MODEL) if is_run else Counter[str]()
        seen = arrivals(self.server)
        counts["lost"] += (seen - before).total() if is_run else 0
        self.nursery.start(*verb.command)
        assert self.nursery.wait(60) == 0, f"{verb.name} does not go on"
        sent = arrivals(self.server) - seen
        if not is_run:
            counts["again"] += sent.total()
            return
        end = committed(verb.made, MODEL)
        counts["again"] += (sent - (end - before)).total() + (before - end).total()
        counts["replay"] += not replay(verb.made).identical


def remove(verb: Verb) -> None:
    """Away with what a verb made: the whole directory, or its files in that of another."""
    if verb.made.is_dir() and verb.kept == DATA_FILES:
        shutil.rmtree(verb.made)
    for name in contents(verb):
        (verb.made / name if verb.made.is_dir() else verb.made).unlink()


def contents(verb: Verb) -> dict[str, bytes]:
    """Bytes of the files that a verb made, as far as they are there."""
    home = verb.made.parent if verb.made.suffix else verb.made
    return {name: (home / name).read_bytes() for name in verb.kept if (home / name).exists()}


def batches(plan: Plan, home: Path, table: Table) -> None:
    """Runs in batches, killed while they submit, poll and read."""
    providers = PROVIDERS if plan.share == 1 else plan.rng("provider").sample(PROVIDERS, 1)
    for provider in providers:
        rng, kills = plan.rng(provider), 0
        with scenery(*BATCH_FAULTS) as (server, nursery):
            whole = Scene(home / f"{provider} whole", server, nursery, provider, rows=80)
            whole.finish("--no-batch")
            scene = Scene(home / provider, server, nursery, provider, rows=80, requests=15)
            wanted = plan.count(20)
            for _ in range(3 * wanted):
                if kills == wanted:
                    break
                kills += scene.kill_after(rng.uniform(0.05, 0.3))
            scene.finish()
            made = scene.made()
            table.add(
                f"batches: {provider}", kills, int(not replay(scene.run_dir).identical),
                int(scene.data() != whole.data()), sum(made.values()) - len(made), 0, 0,
            )  # fmt: skip


def shards(plan: Plan, home: Path, table: Table) -> None:
    """Workers and drivers of jobs."""
    if plan.share < 1:
        return  # `tests/scale/test_chaos.py` is the short form
    rng, counts = plan.rng("shards"), Counter[str]()
    place = home / "shards"
    place.mkdir()
    with ServerProcess(*killing.SLOW) as server:
        whole = killing.whole(place, server)
        for name in ("one", "two"):
            server.reset()
            kills = killing.kill_often(place, name, server, rng)
            counts["kills"] += kills
            counts["bytes"] += killing.merged(place, name) != whole
            lost = arrivals(server).total() - killing.answered(place, name)
            counts["again"] += max(0, lost - kills * killing.CONCURRENCY * killing.WORKERS)
            counts["again"] += abs(killing.answered(place, name) - killing.ROWS)
            counts["lost"] += lost
    cells = ("kills", "replay", "bytes", "again", "lost", "half")
    table.add("shards: workers and driver", *(counts[cell] for cell in cells))
