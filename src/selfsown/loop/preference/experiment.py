"""Preference loops beside each other: arms times seeds, each a loop of its own, on one page.

For every seed a *ground* is made first, in `seed-N/ground`: what its arms share, such as initial
policy, reward models and files of prompts. Then come the arms, in `seed-N/KEY`, two processes at
most. Arms of one seed start from one policy, so its answers are asked for once (`reuse.py`). All
state is on disk: the same call goes on where it was killed, and leaves alone what is finished. An
arm that a gate refuses is a result: the others go on, and the page says so.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson
import yaml

from selfsown.core.errors import CheckFailed
from selfsown.core.request import JSON
from selfsown.core.rundir import locked, write_text
from selfsown.loop.preference.children import Children
from selfsown.loop.preference.config import (
    PreferenceLoopConfig,
    make_preference_loop_config,
)
from selfsown.loop.preference.over_seeds import ArmOf, experiment_numbers
from selfsown.loop.preference.places import PreferencePlaces
from selfsown.loop.preference.worker import GROUND, LOOP
from selfsown.report.preference_numbers import ExperimentNumbers
from selfsown.report.preference_page import write_preference_page

PROCESSES: Final = 2
_GROUND: Final = "ground"
_DONE: Final = ".done.json"
"""Ends the name of a file beside a ground or a loop: what that was made of; its last file."""

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One way of turning a preference loop."""

    key: str
    """Its folder: letters, digits, hyphens."""
    name: str
    about: str
    """What it is there for, in a sentence."""
    config: Callable[[Path, int], Mapping[str, Any]]
    """(ground of a seed, seed) -> keys of the loop's config; `out`, `seed` and `reuse` are set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """Arms that are compared."""

    about: str
    ground: str
    """`module:function` that makes a ground: (seed, folder, tell). It goes on where it stopped."""
    arms: tuple[Arm, ...]
    compared: tuple[tuple[str, str], ...] = ()
    """Keys of arms, the second of which is compared with the first at the end of the rounds."""


def run_experiment(
    experiment: Experiment,
    out: Path,
    seeds: Sequence[int],
    tell: Tell = lambda line: None,
    *,
    processes: int = PROCESSES,
) -> ExperimentNumbers:
    """Turn what is left of the loops, and write `loop.json` and `loop.html` over all of them.

    Args:
        experiment: arms and ground.
        out: directory.
        seeds: of the grounds and loops, each once.
        tell: receives one line per finished stage.
        processes: at once.

    Raises:
        InputError: an arm's config cannot be used.
        ConfigChanged: the directory holds loops of other configs.
        Suspended: environment or a signal stopped it; the same call resumes.
    """
    with locked(out):
        stages = _Stages(experiment, out, seeds, tell)
        stages.run(processes)
        return stages.write()


class _Stages:
    """One process's work on an experiment."""

    def __init__(self, experiment: Experiment, out: Path, seeds: Sequence[int], tell: Tell) -> None:
        self._experiment, self._out, self._seeds = experiment, out, seeds
        self._children = Children(1)
        self._lock = threading.Lock()
        self._told = tell
        self._refused: dict[str, str] = {}

    def run(self, processes: int) -> None:
        """All stages; the page is written whenever one has ended."""
        with ThreadPoolExecutor(processes) as pool:
            try:
                grounds = {seed: pool.submit(self._ground, seed) for seed in self._seeds}
                turned = [
                    pool.submit(self._arm, arm, seed, grounds[seed])
                    for arm in self._experiment.arms
                    for seed in self._seeds
                ]
                for future in as_completed([*grounds.values(), *turned]):
                    future.result()
                    self.write()
            except BaseException:
                self._children.stop()
                pool.shutdown(cancel_futures=True)
                raise

    def write(self) -> ExperimentNumbers:
        """Numbers and page of what there is by now."""
        arms = [
            ArmOf(one.name, one.about, {seed: self._home(seed) / one.key for seed in self._seeds})
            for one in self._experiment.arms
        ]
        names = {one.key: one.name for one in self._experiment.arms}
        compared = [(names[first], names[second]) for first, second in self._experiment.compared]
        with self._lock:
            refused = dict(self._refused)
        numbers = experiment_numbers(self._out, self._experiment.about, arms, compared, refused)
        places = PreferencePlaces(self._out)
        write_preference_page(numbers, places.numbers, places.page)
        return numbers

    def _ground(self, seed: int) -> None:
        """Make a ground, and see that every arm's config can be used on it."""
        place = self._experiment.ground
        home = self._home(seed) / _GROUND
        arguments = [GROUND, place, str(seed), str(home)]
        self._once(home, {"ground": place}, arguments, f"seed {seed}, {_GROUND}")
        for arm in self._experiment.arms:
            self._config(arm, seed)

    def _arm(self, arm: Arm, seed: int, ground: Future[None]) -> None:
        ground.result()
        config = self._config(arm, seed)
        path = self._home(seed) / f"{arm.key}.yaml"
        write_text(path, yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False))
        name = f"seed {seed}, {arm.name}"
        try:
            self._once(Path(config.out), _made_of(config), [LOOP, str(path)], name)
        except CheckFailed as error:
            self._tell(name, f"refused: {error.what}")
            with self._lock:
                self._refused[f"{arm.name}, seed {seed}"] = error.what

    def _config(self, arm: Arm, seed: int) -> PreferenceLoopConfig:
        home = self._home(seed)
        others = [home / one.key for one in self._experiment.arms if one.key != arm.key]
        ours = {
            "out": str(home / arm.key),
            "seed": seed,
            "reuse": [str(one) for one in others],
        }
        form = {**arm.config(home / _GROUND, seed), **ours}
        return make_preference_loop_config(form, source=f"arm `{arm.key}`")

    def _home(self, seed: int) -> Path:
        return self._out / f"seed-{seed}"

    def _once(
        self, home: Path, made_of: Mapping[str, JSON], arguments: Sequence[str], name: str
    ) -> None:
        """Run a stage in a child, unless it is finished and was made of the same."""
        done = home.with_name(f"{home.name}{_DONE}")
        if done.is_file() and orjson.loads(done.read_bytes()) == made_of:
            return
        log = home.with_name(f"{home.name}.log")
        self._children.run(arguments, log, lambda line: self._tell(name, line))
        write_text(done, orjson.dumps(made_of, option=orjson.OPT_INDENT_2).decode() + "\n")

    def _tell(self, name: str, line: str) -> None:
        with self._lock:
            self._told(f"{name}: {line}")


def _made_of(config: PreferenceLoopConfig) -> dict[str, JSON]:
    """What a finished loop was made of; with more rounds, say, it is not finished any more."""
    return {
        key: one for key, one in config.shown().items() if key not in ("out", "reuse", "limits")
    }
