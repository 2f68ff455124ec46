"""Turn the crank: rounds of generate, curate, guard, train, evaluate, promote or roll back.

All state is on disk. A stage is finished when its last file exists, so the same call goes on where
it was killed, at any point. Each round trains the original base on the human seeds and all records
that were kept so far; the model that it promotes writes the next round.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from selfsown.core.errors import ConfigError, TooFewRecords
from selfsown.core.request import JSON
from selfsown.core.rundir import locked, write_text
from selfsown.evaluate.open_suite import SuiteChanges, open_suites
from selfsown.evaluate.overlap import suite_index
from selfsown.evaluate.results import Results, read_results
from selfsown.evaluate.suite import Suite
from selfsown.guard.lineage import Mixture
from selfsown.loop.base import base_uri, check_base, tuned_uri
from selfsown.loop.config import LoopConfig, refuse_another_loop
from selfsown.loop.curation import curate, write_human_rows
from selfsown.loop.ending import Ending, gate, guard_stop, read_ending, write_ending
from selfsown.loop.generate import generate, run_config, write_machine_seeds
from selfsown.loop.guarding import Watch
from selfsown.loop.places import LoopPlaces
from selfsown.loop.rehearsal import write_lists
from selfsown.loop.scores import scored
from selfsown.loop.summary import write_summary
from selfsown.models.lineage import read_lineage
from selfsown.recipes.base import get_recipe
from selfsown.train.plan import find_base
from selfsown.train.sft import train

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class LoopResult:
    """What came of a loop."""

    places: LoopPlaces
    endings: tuple[Ending, ...]

    @property
    def stopped(self) -> Ending | None:
        """The round in which the guard ended the loop; None if it did not."""
        return next((one for one in self.endings if one.decision == "stopped"), None)

    @property
    def promoted(self) -> Ending | None:
        """The round whose model is the promoted one; None while that is the base."""
        kept = [one for one in self.endings if one.decision == "promoted"]
        return kept[-1] if kept else None


def turn(config: LoopConfig, tell: Tell = lambda line: None) -> LoopResult:
    """Turn all rounds of a config, or what is left of them, and write page and numbers.

    Args:
        config: the loop.
        tell: receives one line per finished stage.

    Raises:
        InputError: something given cannot be used; nothing was spent.
        ConfigChanged: the directory holds another loop.
        Suspended: environment or a signal stopped it; the same call resumes.
    """
    with locked(Path(config.out)):
        return _Crank(config, tell).turn()


class _Crank:
    """One process's work on a loop directory."""

    def __init__(self, config: LoopConfig, tell: Tell) -> None:
        self._config, self._tell = config, tell
        self._places = LoopPlaces(Path(config.out))
        refuse_another_loop(self._places.config, config.identity())
        changes = SuiteChanges(limit=config.suite_limit)
        self._suites: Sequence[Suite] = open_suites(config.suites, changes)
        self._check_gate()
        check_base(config, config.training([{"path": "data.jsonl"}], "model"))
        self._watch = Watch(config, self._places)
        options = get_recipe(config.recipe).resolve(config.preset, config.options)
        self._recipe_options: Mapping[str, JSON] = options.model_dump(mode="json")
        self._index = suite_index(open_suites(config.suites))
        left_out = write_human_rows(config.seeds, self._places.human, self._index)
        text = yaml.safe_dump(config.shown(), sort_keys=False)
        write_text(self._places.config, text)  # not before all of it is known to be usable
        self._write_lists(self._places.human, self._places.human_lists)
        if left_out:
            tell(f"{left_out} human seeds repeat evaluation items: not trained on")
        self._endings: list[Ending] = []

    def turn(self) -> LoopResult:
        """Every round; the summary is written after each."""
        self._scores(base_uri(self._config), self._places.base_scores, "base")
        for number in range(self._config.rounds):
            ending = read_ending(self._places.round(number)) or self._round(number)
            self._endings.append(ending)
            self._tell(f"round {number}: {ending.decision}: {ending.reason}")
            write_summary(self._config, self._places, self._endings)
            if ending.decision == "stopped":
                break
        return LoopResult(self._places, tuple(self._endings))

    def _round(self, number: int) -> Ending:
        places = self._places.round(number)
        self._generate(number, self._generator)
        found = curate(places, self._index)
        self._tell(
            f"round {number}: curated: {found.accepted} records, {found.overlaps} repeat an"
            f" evaluation item, {found.kept} kept"
        )
        ending = self._guarded(number, found.kept) or self._trained(number)
        write_ending(places, ending)
        return ending

    def _generate(self, number: int, generator: str) -> None:
        places = self._places.round(number)
        if self._config.demonstrations == "machine" and number:
            earlier = [self._places.round(one) for one in range(number)]
            write_machine_seeds(self._config, earlier, places)
        manifest = generate(run_config(self._config, places, number, generator))
        records = manifest["data"]["files"]["accepted.jsonl"]["rows"]
        self._tell(f"round {number}: generated: {records} records by `{generator}`")

    def _guarded(self, number: int, kept: int) -> Ending | None:
        """The ending if nothing may be trained; else None."""
        if kept:
            places = self._places.round(number)
            self._write_lists(places.data, places.lists)
        else:
            return self._ending(number, "rolled_back", "no record was left to train on")
        try:
            mixture = self._mixture(number)
        except TooFewRecords as error:
            return self._ending(number, "rolled_back", error.what)
        record = self._watch.record(number, self._generator, mixture)
        verdict = record.verdict
        assert verdict is not None
        rules = ", ".join(f"{alarm.rule} ({alarm.level})" for alarm in verdict.alarms)
        self._tell(f"round {number}: guard: {verdict.level}{': ' if rules else ''}{rules}")
        reason = guard_stop(record)
        if reason and self._config.guard.acts:
            return self._ending(number, "stopped", reason)
        return None

    def _trained(self, number: int) -> Ending:
        places = self._places.round(number)
        config = self._config.training(self._data(number), str(places.model))
        result = train(config)
        if result.failure is not None and result.failure.kind == "diverged":
            return self._ending(number, "rolled_back", result.failure.what)
        result.raise_for_failure()
        uri = tuned_uri(self._config, places.model)
        self._tell(f"round {number}: trained: `{places.model}`, depth {result.model_depth}")
        after = self._scores(uri, places.scores, f"round {number}")
        decision, reason, test = gate(self._config.gate, self._incumbent, after)
        return Ending(
            number,
            decision,
            reason,
            self._generator,
            self._depth,
            model=uri,
            model_depth=result.model_depth,
            test=test,
        )

    def _ending(self, number: int, decision: str, reason: str) -> Ending:
        return Ending(number, decision, reason, self._generator, self._depth)  # type: ignore[arg-type]

    def _scores(self, uri: str, out: Path, name: str) -> Results:
        limits = self._config.limits.model_dump()
        return scored(uri, self._suites, out, self._tell, f"{name}: evaluated", limits=limits)

    @property
    def _promoted(self) -> Ending | None:
        return LoopResult(self._places, tuple(self._endings)).promoted

    @property
    def _generator(self) -> str:
        return self._promoted.model if self._promoted else base_uri(self._config)

    @property
    def _depth(self) -> int:
        if self._promoted:
            return self._promoted.model_depth
        lineage = read_lineage(find_base(self._config.base))
        return lineage.model_depth if lineage else 0

    @property
    def _incumbent(self) -> Results:
        home = self._places.base_scores
        return read_results(
            self._places.round(self._promoted.round).scores if self._promoted else home
        )

    def _data(self, number: int) -> list[Mapping[str, JSON]]:
        """The sources of a round's training: human seeds, kept rounds, and the round itself."""
        kept = [one.round for one in self._endings if one.decision == "promoted"]
        rounds = [*kept, number] if self._config.data == "accumulate" else [number]
        answers = [self._places.round(one).data for one in rounds]
        lists = [self._places.round(one).lists for one in rounds]
        if self._config.human_data:
            answers.insert(0, self._places.human)
            lists.insert(0, self._places.human_lists)
        return [{"path": str(path)} for path in (*answers, *lists) if path.is_file()]

    def _write_lists(self, data: Path, out: Path) -> None:
        """Rows that rehearse writing tasks, if any are wanted."""
        if self._config.rehearsal and not out.is_file():
            write_lists(data, out, self._recipe_options, passes=self._config.rehearsal)

    def _mixture(self, number: int) -> Mixture:
        config = self._config.training(self._data(number), str(self._places.round(number).model))
        trained = [one for one in self._endings if one.model]
        earlier = [self._places.human] if trained and self._config.human_data else []
        return self._watch.mixture(config, number, earlier)

    def _check_gate(self) -> None:
        """Refuse a gate on what is not measured, before anything is spent.

        Raises:
            ConfigError: the suite is not in use, or has not that metric.
        """
        asked = self._config.gate
        name = asked.suite or self._suites[0].name
        suite = next((one for one in self._suites if one.name == name), None)
        if suite is None or (asked.metric and asked.metric not in suite.metrics):
            known = [f"{one.name}: {', '.join(one.metrics)}" for one in self._suites]
            raise ConfigError(
                f"loop config: the gate asks for `{asked.metric or 'a metric'}` on `{name}`",
                why=f"the suites in use measure {'; '.join(known)}",
                fix="correct `gate.suite` or `gate.metric`",
            )
