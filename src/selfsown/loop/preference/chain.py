"""One round after the other: answers, pairs, gates, DPO, probe, promote or roll back.

Each round trains the policy that was promoted before it on the pairs of its own answers to prompts
that no other round has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from selfsown.core.config import RunConfig, make_config
from selfsown.core.request import JSON
from selfsown.loop.base import base_uri, tuned_uri
from selfsown.loop.generate import generate, round_seed
from selfsown.loop.preference.anchor import Anchored, judge_anchor
from selfsown.loop.preference.config import PreferenceLoopConfig, policy_role
from selfsown.loop.preference.ending import (
    Best,
    Ending,
    Standing,
    best_of,
    gate,
    read_ending,
    write_ending,
)
from selfsown.loop.preference.measure import Probe, probe
from selfsown.loop.preference.pairs import Gated, pair_up
from selfsown.loop.preference.places import ChainPlaces, PolicyPlaces, RoundPlaces
from selfsown.loop.preference.probing import Policy, Probed
from selfsown.loop.preference.reuse import equal_runs
from selfsown.loop.preference.setup import Setup
from selfsown.models.fingerprint import model_hash
from selfsown.train.plan import find_base, find_reference, read_training
from selfsown.train.reference import KEY as REFERENCE
from selfsown.train.settings import TrainConfig
from selfsown.train.sft import train

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Held:
    """A policy, and where what is known of it lies."""

    policy: Policy
    places: PolicyPlaces
    round: int | None
    """Whose training made it; None for the initial policy."""


class Desk:
    """What rounds and controls share: training and measuring of policies, each once."""

    def __init__(self, setup: Setup, tell: Tell) -> None:
        self.setup, self._tell = setup, tell
        self.initial = Held(self._initial_policy(), setup.places.start, None)

    def tell(self, line: str) -> None:
        """Say that a stage is finished."""
        self._tell(line)

    def held(self, places: PolicyPlaces, number: int | None = None) -> Held:
        """The policy that was trained into a folder."""
        uri = tuned_uri(self.setup.config, places.model)
        return Held(Policy(uri, places.model), places, number)

    def measured(self, held: Held, name: str) -> Probe:
        """The probe of a policy; made once, then read."""
        first = self.initial
        return probe(
            held.policy,
            held.places.probe,
            self.setup.probing,
            initial=None if held is first else Probed(first.policy, first.places.probe),
            reference=None if held is first else reference_folder(held.policy.folder),
            tell=lambda line: self._tell(f"{name}: probed: {line}"),
        )

    def anchored(self, held: Held, name: str) -> Anchored | None:
        """How a policy judges the anchor; None without one."""
        judge = self.setup.judge
        if judge is None:
            return None
        config = self.setup.config
        return judge_anchor(
            self.setup.labels,
            judge,
            held.policy.uri,
            held.places.anchor,
            seed=config.seed,
            limits=config.limits.model_dump(),
            tell=lambda line: self._tell(f"{name}: {line}"),
        )

    def standing(self, held: Held, name: str) -> Standing:
        """What the gate knows of a policy."""
        scores = self.measured(held, name).by_prompt
        return Standing(
            scores={one: scores[one] for one in ("gold", "second") if one in scores},
            anchor=self.anchored(held, name),
        )

    def _initial_policy(self) -> Policy:
        """The base, tuned on the records of `start` if there are any."""
        config, places = self.setup.config, self.setup.places.start
        if not config.start:
            return Policy(base_uri(config), find_base(config.base))
        data: list[Any] = [{"path": path} for path in config.start]
        result = train(config.tuning(data, str(places.model)))
        result.raise_for_failure()
        if result.is_new:
            self._tell(f"start: tuned: `{places.model}`")
        return Policy(tuned_uri(config, places.model), places.model)


class Chain:
    """Rounds that follow each other, with one kind of reference."""

    def __init__(
        self,
        desk: Desk,
        places: ChainPlaces,
        reference: str,
        name: str = "",
        first: Path | None = None,
    ) -> None:
        """A chain from the initial policy.

        Args:
            desk: what it shares with others.
            places: where it lies.
            reference: what DPO stays close to.
            name: of the chain in messages; empty for the loop's own.
            first: the run of its first round, if that was made elsewhere.
        """
        self._desk, self._setup, self._places = desk, desk.setup, places
        self._reference, self._name, self._first = reference, name, first
        self.endings: list[Ending] = []

    @property
    def current(self) -> Held:
        """The policy that writes the next round: the promoted one, else the initial one."""
        kept = [one.round for one in self.endings if one.decision == "promoted"]
        return self._desk.held(self.round(kept[-1]), kept[-1]) if kept else self._desk.initial

    @property
    def best(self) -> Best:
        """The best of the initial policy and those that were promoted."""
        kept = [one.round for one in self.endings if one.decision == "promoted"]
        held = [self._desk.initial, *(self._desk.held(self.round(one), one) for one in kept)]
        probes = {
            one.round: (one.policy.folder, self._desk.measured(one, self._called(one.round)))
            for one in held
        }
        return best_of(probes, self._setup.config.promotion.best_by)

    def round(self, number: int) -> RoundPlaces:
        """Where a round lies."""
        home = self._places.round(number).home
        return RoundPlaces(home, self._first if number == 0 else None)

    def turn(self, number: int) -> Ending:
        """A round, or what is left of it.

        Raises:
            CheckFailed: a gate refuses to train on its pairs.
            Suspended: environment or a signal stopped it; the same call resumes.
        """
        places = self.round(number)
        ending = read_ending(places.ending)
        if ending is None:
            ending = self._turned(number, places)
            write_ending(places.ending, ending)
        self.endings.append(ending)
        self._desk.tell(f"{self._called(number)}: {ending.decision}: {ending.reason}")
        return ending

    def _turned(self, number: int, places: RoundPlaces) -> Ending:
        before = self.current
        training = self._training(places, before)
        find_reference(training, before.policy.folder)  # known to be there before answers are paid
        gated = self._paired(number, places, before)
        result = train(training)
        common: dict[str, Any] = {
            "round": number,
            "policy": before.policy.uri,
            "policy_hash": model_hash(before.policy.folder),
            "pairs": gated.pairs,
        }
        failure = result.failure
        if failure is not None and failure.kind in ("diverged", "collapsed"):
            return Ending(decision="rolled_back", reason=failure.what, **common)
        result.raise_for_failure()
        after = self._desk.held(places, number)
        self._desk.tell(f"{self._called(number)}: trained: `{places.model}`")
        decision, reason, tests = gate(
            self._setup.config.promotion,
            self._desk.standing(before, self._called(before.round)),
            self._desk.standing(after, self._called(number)),
        )
        return Ending(
            decision=decision,
            reason=reason,
            model=after.policy.uri,
            model_hash=result.model_hash,
            model_depth=result.model_depth,
            reference=cast("Mapping[str, JSON]", result.record[REFERENCE]),
            tests=tests,
            **common,
        )

    def _paired(self, number: int, places: RoundPlaces, before: Held) -> Gated:
        """Answers, scores and pairs of a round, which passed the gates."""
        setup, name = self._setup, self._called(number)
        rows = setup.prompts.rows(number)
        if places.finished_run is None:
            generate(answering(setup.config, places.run, before.policy.uri, number), rows)
        floors = setup.config.floors.floors()
        is_new = not places.gates.is_file()
        found = pair_up(places.run, places, setup.options, floors)
        if is_new:
            self._desk.tell(f"{name}: {found.pairs} pairs of {len(rows)} prompts")
        for warning in found.warnings if is_new else ():
            self._desk.tell(f"{name}: warning: {warning['what']}")
        return found

    def _training(self, places: RoundPlaces, before: Held) -> TrainConfig:
        return self._setup.config.preferring(
            [{"path": str(places.pairs)}],
            str(before.policy.folder),
            str(places.model),
            encoding=self._setup.encoding,
            reference=self._reference,
        )

    def _called(self, number: int | None) -> str:
        name = "initial policy" if number is None else f"round {number}"
        return f"{self._name}, {name}" if self._name else name


def answering(config: PreferenceLoopConfig, out: Path, policy: str, number: int) -> RunConfig:
    """The config of a run of the recipe by a policy."""
    return make_config(
        {
            "recipe": config.recipe,
            "preset": config.preset,
            "models": {policy_role(config): policy, **config.models},
            "seed": round_seed(config.seed, number),
            "order": "strict",
            "options": config.options,
            "limits": config.limits.model_dump(),
            "max_failure_rate": 1.0,  # a policy that answers nothing is a result, not an outage
            "round": number,
            "reuse": [] if number else equal_runs(config.homes),
            "out": str(out),
        },
        source="loop config",
    )


def reference_folder(folder: Path) -> Path | None:
    """What the training of a policy stayed close to, as it began; None if it had no reference."""
    found = read_training(folder).get(REFERENCE)
    return Path(str(found["folder"])) if isinstance(found, Mapping) else None
