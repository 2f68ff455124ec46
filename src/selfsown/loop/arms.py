"""Arms beside each other on the lab: does a model get better from data it wrote itself?

For each seed one Self-Instruct run from the human seeds; then the same base is tuned, for the same
number of steps, on the seeds alone, on seeds and run, and on seeds and as many rows by the oracle;
with `variants` also on runs whose recipe has other options.
The untuned base is asked without and with demonstrations. All answer the same held-out questions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from selfsown.core.randomness import rng_for
from selfsown.core.request import JSON, short_id
from selfsown.core.rundir import read_lines, write_lines
from selfsown.evaluate.open_suite import SuiteChanges, open_suites
from selfsown.evaluate.overlap import row_overlaps, suite_index
from selfsown.evaluate.results import Results
from selfsown.evaluate.suite import Suite
from selfsown.lab import oracle
from selfsown.lab.world import sample_instruction, sample_item
from selfsown.loop.base import tuned_uri
from selfsown.loop.config import LoopConfig, make_loop_config
from selfsown.loop.curation import curate, write_human_rows
from selfsown.loop.generate import generate, run_config
from selfsown.loop.places import RoundPlaces
from selfsown.loop.scores import scored
from selfsown.loop.summary import before_and_after
from selfsown.recipes.base import get_recipe
from selfsown.report.intervals import crossed
from selfsown.report.loop_numbers import ArmScore, Before, Comparison, Difference
from selfsown.train.sft import train

TASK: Final = "lab-task"
BASE: Final = "base, zero-shot"
FEW: Final = "base, few-shot"
SEEDS: Final = "human seeds only"
SELF: Final = "Self-Instruct"
ORACLE: Final = "oracle data"
TUNED: Final[Mapping[str, str]] = {SELF: "self-instruct", SEEDS: "seeds-only", ORACLE: "oracle"}
ABOUT: Final[Mapping[str, str]] = {
    BASE: "asked without examples",
    FEW: "asked with examples in the prompt: the ceiling of eliciting",
    SEEDS: "tuned on the seeds, as many steps",
    SELF: "tuned on the seeds and what it wrote itself",
    ORACLE: "tuned on the seeds and as many right answers",
}
PAIRS: Final = ((BASE, SELF), (SEEDS, SELF), (SELF, ORACLE), (FEW, SELF))


@dataclass(frozen=True, slots=True)
class ArmsConfig:
    """What is compared."""

    out: Path
    seeds: tuple[int, ...] = (0,)
    """Of the runs; each gives every tuned arm once."""
    target: int = 100
    """Tasks of each run."""
    first_run: Path | None = None
    """A finished run from the same human seeds that serves as the first one; None: make it."""
    human: str = "lab:25"
    suites: tuple[str, ...] = ("lab-plain", TASK)
    """Lab suites without demonstrations; the first is the one the examples come from."""
    suite_limit: int | None = None
    shots: int = 8
    """Demonstrations of the few-shot arm, which is asked in the Task layout only: pretraining has
    no document of bare questions and answers, and with such a prompt the base says nothing.
    """
    train: Mapping[str, Any] = field(default_factory=lambda: {"preset": "lab", "threads": 1})
    options: Mapping[str, JSON] = field(default_factory=dict)
    """Of the recipe."""
    variants: Mapping[str, Mapping[str, JSON]] = field(default_factory=dict)
    """Name of a further arm → the options that its run changes."""


def compare_arms(config: ArmsConfig, tell: Callable[[str], None]) -> Comparison:
    """Make every arm, or what is left of it, and compare them.

    Raises:
        Suspended: environment or a signal stopped it; the same call resumes.
    """
    return _Arms(config, tell).compare()


class _Arms:
    """One process's work on a comparison; a stage is finished when its last file exists."""

    def __init__(self, config: ArmsConfig, tell: Callable[[str], None]) -> None:
        self._config, self._tell = config, tell
        changes = SuiteChanges(limit=config.suite_limit)
        self._suites = open_suites(config.suites, changes)
        self._few = open_suites([f"{TASK}-{config.shots}"], changes)
        self._index = suite_index(open_suites(config.suites))
        for given in config.variants.values():  # refuses a wrong option before anything is made
            loop = self._loop(config.seeds[0], config.out, given)
            get_recipe(loop.recipe).resolve(loop.preset, loop.options)
        changed = {
            name: f"as {SELF}, with {', '.join(f'{key} {value}' for key, value in given.items())}"
            for name, given in config.variants.items()
        }
        self._about = {**ABOUT, **changed}
        self._rows: dict[str, list[int]] = {}
        self._precision: dict[str, float] = {}

    def compare(self) -> Comparison:
        """Every arm, then the table."""
        base = self._scored("lab", self._config.out / "base", self._suites, BASE)
        few = self._scored("lab", self._config.out / "few-shot", self._few, FEW)
        results: dict[str, list[Results]] = {BASE: [base]}
        for seed in self._config.seeds:
            for arm, found in self._seed(seed).items():
                results.setdefault(arm, []).append(found)
        values = {
            (arm, suite, metric): [_values(one, place, metric) for one in found]
            for arm, found in results.items()
            for place, suite in enumerate(self._config.suites)
            for metric in base.suites[place].metrics
        }
        for metric in few.suites[0].metrics:
            values[FEW, TASK, metric] = [_values(few, 0, metric)]
        places = {name: place for place, name in enumerate(self._config.suites)}
        arms = list(self._about)
        order = sorted(values, key=lambda key: (places.get(key[1], 0), key[2], arms.index(key[0])))
        return Comparison(
            scores=tuple(self._score(key, values[key]) for key in order),
            differences=tuple(self._differences(values)),
            precision=self._precision,
            examples=self._examples(),
        )

    def _seed(self, seed: int) -> dict[str, Results]:
        """The tuned arms of one seed."""
        home = self._config.out / f"seed-{seed}"
        is_first = seed == self._config.seeds[0]
        places = RoundPlaces(home, self._config.first_run if is_first else None)
        loop = self._loop(seed, home, {})
        kept = self._written(seed, SELF, loop, places)
        human, right = home / "human.jsonl", home / "oracle.jsonl"
        write_human_rows(self._config.human, human, self._index)
        self._write_oracle_rows(right, kept, seed)
        self._precision[str(seed)] = precision(places.data)
        data = {SELF: [human, places.data], SEEDS: [human], ORACLE: [human, right]}
        for name, given in self._config.variants.items():
            changed = RoundPlaces(home / _folder(name))
            self._written(seed, name, self._loop(seed, changed.home, given), changed)
            data[name] = [human, changed.data]
        found: dict[str, Results] = {}
        steps: int | None = None
        for arm, paths in data.items():
            folder = home / _folder(arm)
            rows, made = self._tuned(loop, paths, folder / "model", steps)
            steps = steps or made
            self._rows.setdefault(arm, []).append(rows)
            uri = tuned_uri(loop, folder / "model")
            found[arm] = self._scored(uri, folder, self._suites, f"seed {seed}: {arm}")
        return found

    def _written(self, seed: int, arm: str, loop: LoopConfig, places: RoundPlaces) -> int:
        """Make the run of an arm and its training rows; returns how many."""
        places.home.mkdir(parents=True, exist_ok=True)
        if places.finished_run is None:
            generate(run_config(loop, places, 0, "lab"))
        kept = curate(places, self._index).kept
        right = precision(places.data)
        self._tell(f"seed {seed}: {arm}: {kept} records, {right:.1%} right by the oracle")
        return kept

    def _tuned(
        self, loop: LoopConfig, data: Sequence[Path], out: Path, steps: int | None
    ) -> tuple[int, int]:
        """Train one arm; its rows per epoch and optimiser steps."""
        config = loop.training([{"path": str(path)} for path in data], str(out))
        if steps is not None:
            config = config.model_copy(update={"max_steps": steps})
        result = train(config)
        result.raise_for_failure()
        form: Any = result.record
        return int(form["data"]["rows"]), int(form["result"]["steps"])

    def _loop(self, seed: int, home: Path, changed: Mapping[str, JSON]) -> LoopConfig:
        """The settings that runs and trainings of the arms share with a loop."""
        return make_loop_config(
            {
                "seeds": self._config.human,
                "suites": list(self._config.suites),
                "target": self._config.target,
                "seed": seed,
                "options": {**self._config.options, **changed},
                "train": dict(self._config.train),
                "out": str(home),
            }
        )

    def _scored(self, uri: str, home: Path, suites: Sequence[Suite], name: str) -> Results:
        return scored(uri, suites, home / "eval", self._tell, name)

    def _write_oracle_rows(self, path: Path, count: int, seed: int) -> None:
        """So many instances of the world with right answers, none of them in a suite."""
        rng = rng_for(seed, "oracle-arm")
        rows: list[bytes] = []
        while len(rows) < count:
            item = sample_item(rng, sample_instruction(rng))
            row: dict[str, JSON] = {
                "instruction": item.instruction.text,
                "input": item.input,
                "output": item.answer,
            }
            if not row_overlaps(row, self._index):
                rows.append(orjson.dumps(row))
        write_lines(path, rows)

    def _score(self, key: tuple[str, str, str], found: list[list[float]]) -> ArmScore:
        arm, suite, metric = key
        rows = self._rows.get(arm, [])
        mean = round(sum(rows) / len(rows)) if rows else 0
        return ArmScore(arm, self._about[arm], suite, metric, crossed(found), len(found), mean)

    def _differences(
        self, values: Mapping[tuple[str, str, str], list[list[float]]]
    ) -> list[Difference]:
        found = []
        keys = [(suite, metric) for arm, suite, metric in values if arm == SELF]
        variants = [
            pair for name in self._config.variants for pair in ((SEEDS, name), (SELF, name))
        ]
        for first, second in (*PAIRS, *variants):
            for suite, metric in keys:
                if (first, suite, metric) not in values:
                    continue
                one, other = values[first, suite, metric], values[second, suite, metric]
                count = max(len(one), len(other))  # the base has one answer for all seeds
                pairs = zip(one * (count // len(one)), other * (count // len(other)), strict=True)
                changes = [
                    [after - before for before, after in zip(a, b, strict=True)] for a, b in pairs
                ]
                by_seed = tuple(sum(change) / len(change) for change in changes)
                found.append(Difference(first, second, suite, metric, crossed(changes), by_seed))
        return found

    def _examples(self) -> tuple[Before, ...]:
        seed = self._config.seeds[0]
        after = self._config.out / f"seed-{seed}" / TUNED[SELF] / "eval"
        before = self._config.out / "base" / "eval"
        return before_and_after(before, after, self._config.suites[0], seed)


def precision(data: Path) -> float:
    """Share of the rows of a training file that the oracle calls right; 0.0 of none."""
    rows = [row for row in read_lines(data) if isinstance(row, dict)]
    return oracle.right_count(rows) / len(rows) if rows else 0.0


def _folder(arm: str) -> str:
    """The folder of a tuned arm.

    A variant's is its name in letters and digits with a hash: `x=1` and `x=-1` look alike then.
    """
    plain = re.sub(r"[^a-z0-9]+", "-", arm.lower()).strip("-")
    return TUNED.get(arm) or f"variant-{plain}-{short_id(arm)}"


def _values(results: Results, place: int, metric: str) -> list[float]:
    return [one.values[metric] for one in results.suites[place].instances]
