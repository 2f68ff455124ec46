"""A policy is asked for answers: the loop's recipe on validation prompts, with a few changes.

Answers of people take no part, an answer that was cut off counts as any, and a scorer that says one
number everywhere ends nothing, since a policy may well be right everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from selfsown.core.config import make_config
from selfsown.core.errors import ConfigError
from selfsown.core.request import JSON
from selfsown.loop.generate import generate
from selfsown.loop.preference.config import PreferenceLoopConfig
from selfsown.loop.preference.reuse import equal_runs
from selfsown.loop.preference.standing import Answers, policy_answers
from selfsown.models.answer_tokens import AnswerEncoding
from selfsown.recipes.base import get_recipe
from selfsown.recipes.preference.options import Options
from selfsown.recipes.preference.reading import answers_of

PROXY: Final = "proxy"
GOLD: Final = "gold"
SECOND: Final = "second"
"""The loop's scorer, and the names of the recipe's observers that a probe reads."""
_RUN: Final = "run"


@dataclass(frozen=True, slots=True)
class Policy:
    """A model that is measured."""

    uri: str
    """Opens it for a run."""
    folder: Path
    """Of its weights, as transformers opens them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probing:
    """How the policies of a loop are measured: the same for all of them."""

    recipe: str
    """The loop's; its first role is the policy."""
    options: Mapping[str, Any]
    """Of the recipe: all those of the rounds, with the probe's `observers`."""
    models: Mapping[str, str | Mapping[str, Any]]
    """Of the recipe's other roles; without a judge the policy judges itself, where it may."""
    prompts: Path
    """Validation prompts as rows of the recipe."""
    encoding: AnswerEncoding
    """How the trainings write prompt and answer."""
    seed: int = 0
    limits: Mapping[str, JSON] = field(default_factory=dict)
    """Of model calls, as in a config."""
    answers: Sequence[Mapping[str, Any]] | None = None
    """Answers to each prompt, as the recipe's option; None: those of the rounds."""
    reuse: tuple[str, ...] = ()
    """Run directories whose equal answers are copied."""

    def effective(self) -> Options:
        """The recipe's options as the policy is asked with them.

        Raises:
            ConfigError: nothing scores an answer.
        """
        recipe = get_recipe(self.recipe)
        rounds: Options = recipe.resolve("default", self.options)
        changes: dict[str, Any] = {"human": "none", "cut_off": "as_any", "check_after": 0}
        if self.answers is not None:
            changes["answers"] = self.answers
        elif rounds.own_answers == 1:  # its rival was a person's answer
            changes["answers"] = [{**rounds.answers[0].model_dump(), "count": 2}]
        if not rounds.is_scored:
            changes |= _scored_by_observer(rounds)
        found: Options = recipe.resolve("default", {**self.options, **changes})
        return found

    @property
    def has_proxy(self) -> bool:
        """Whether the rounds' pairs are made of scores."""
        rounds: Options = get_recipe(self.recipe).resolve("default", self.options)
        return rounds.is_scored


@dataclass(frozen=True, slots=True)
class Probed:
    """The initial policy and the directory of its probe, which is finished."""

    policy: Policy
    out: Path


def probing_of(config: PreferenceLoopConfig, prompts: Path, encoding: AnswerEncoding) -> Probing:
    """How the policies of a loop are measured.

    Args:
        config: of the loop.
        prompts: file of the validation prompts.
        encoding: in which pairs are trained on.
    """
    given = config.probe
    named = {GOLD: given.gold, SECOND: given.second}
    changes: dict[str, Any] = {
        "observers": {
            name: one.model_dump(mode="json") for name, one in named.items() if one is not None
        }
    }
    rounds = get_recipe(config.recipe).resolve(config.preset, config.options)
    return Probing(
        recipe=config.recipe,
        options={**rounds.model_dump(mode="json"), **changes},
        models=config.models,
        answers=given.answers,
        prompts=prompts,
        encoding=encoding,
        seed=config.seed,
        limits=config.limits.model_dump(),
        reuse=tuple(equal_runs(config.homes)),
    )


def ask(policy: Policy, out: Path, probing: Probing) -> Answers:
    """The policy's answers and their rewards; it is asked for what is missing.

    Raises:
        Suspended: environment or a signal stopped it; the same call resumes.
    """
    role = next(iter(get_recipe(probing.recipe).roles))
    config = make_config(
        {
            "recipe": probing.recipe,
            "models": {**probing.models, role: policy.uri},
            "rows": str(probing.prompts),
            "seed": probing.seed,
            "order": "strict",
            "options": probing.effective().model_dump(mode="json"),
            "limits": probing.limits,
            "reuse": list(probing.reuse),
            "max_failure_rate": 1.0,  # a policy that answers nothing is a result, not an outage
            "out": str(out / _RUN),
        },
        source="probe",
    )
    out.mkdir(parents=True, exist_ok=True)
    generate(config)
    return answered(out, probing)


def answered(out: Path, probing: Probing) -> Answers:
    """What a policy answered in a finished probe."""
    return policy_answers(answers_of(out / _RUN), PROXY if probing.has_proxy else None)


def _scored_by_observer(rounds: Options) -> dict[str, Any]:
    """The scorer of a probe whose loop has none, since its pairs need no scores.

    Raises:
        ConfigError: there is no observer either.
    """
    for name in (GOLD, SECOND):
        if name in rounds.observers:
            one = rounds.observers[name]
            return {"scorer": one.scorer, "scorer_options": one.options}
    raise ConfigError(
        "loop config: nothing scores the answers to the validation prompts",
        why="pairs with a person's answer are made without scores, but policies compare by scores",
        fix="name a scorer as `probe.gold`",
    )
