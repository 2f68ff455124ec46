"""Everything that defines a loop, as one config file; unknown keys are refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from selfsown.core.config import LimitsConfig, difference, read_config, validated
from selfsown.core.effective import redacted
from selfsown.core.errors import ConfigChanged, ConfigError
from selfsown.core.request import JSON
from selfsown.models.uri import parse_uri
from selfsown.recipes.base import get_recipe
from selfsown.train.settings import TrainConfig

OPERATIONAL: Final = frozenset({"out", "rounds", "limits"})
"""Keys that may change between two starts of a loop; more rounds extend it."""

_OURS: Final = ("data", "base", "out", "seeds", "seed", "suites", "objective")
"""Keys of a training that the loop sets itself."""


class GateConfig(BaseModel):
    """When a tuned model becomes the generator of the next round."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    suite: str | None = Field(None, description="Suite that decides; empty: the first one.")
    metric: str | None = Field(
        None, description="Metric that decides; empty: the first of that suite."
    )
    acts: bool = Field(
        True, description="Roll back if the metric fell; off: promote every model that was trained."
    )


class GuardConfig(BaseModel):
    """What the guard compares with, and whether it may end the loop."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reference: str | None = Field(
        None,
        description="Human text to compare with: a JSONL file with `instruction` or `text`, `lab`"
        " (instructions of the micro-world), or empty: the human seeds.",
    )
    m: int = Field(1000, ge=2, description="Rows of each sample, at most.")
    seed: int = Field(0, ge=0, description="Seed of draws, splits and intervals.")
    audit: int = Field(
        64,
        ge=0,
        description="Answers to the list prompts of each run that are drawn again at temperature 1,"
        " to see the model without its sampling; 0: none. Chat models are not audited.",
    )
    acts: bool = Field(
        True, description="End the loop when the guard says stop; off: only write it down."
    )
    has_verifier: bool = Field(
        False, description="A verifier filters the data, so lineage depth warns and never stops."
    )


class LoopConfig(BaseModel):
    """A loop of rounds; each trains the original base, never a tuned checkpoint."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base: str = Field(
        "lab", description="Model that writes round 0 and is tuned in each: `lab`, or a folder."
    )
    backend: Literal["auto", "lab", "hf"] = Field(
        "auto",
        description="What runs tuned models: `hf` (transformers) or `lab` (plain Llama models,"
        " batch-invariant); `auto`: `lab` for the base `lab`, else `hf`.",
    )
    seeds: str = Field(description="Human seed tasks: a file, `lab`, `lab:25`, or `starter`.")
    suites: list[str] = Field(
        min_length=1, description="Held-out suites; training data are cleaned of all of them."
    )
    suite_limit: int | None = Field(
        None, ge=1, description="Use only so many instances of each suite, spread evenly."
    )
    rounds: int = Field(3, ge=1, le=100, description="Rounds to turn; a larger number extends.")
    recipe: str = Field("self-instruct", description="Recipe that generates; it starts from seeds.")
    preset: str = Field("default", description="Named set of options of the recipe.")
    options: dict[str, Any] = Field(default_factory=dict, description="Options of the recipe.")
    models: dict[str, str | dict[str, Any]] = Field(
        default_factory=dict,
        description="Models of the recipe's other roles, the same in each round.",
    )
    target: int = Field(100, ge=1, description="Accepted units of each round's run.")
    seed: int = Field(0, ge=0, le=2**31, description="Seed of every random choice.")
    data: Literal["accumulate", "replace"] = Field(
        "accumulate",
        description="Train on the machine records of all promoted rounds and this one, or of this"
        " one alone (which collapses: for experiments).",
    )
    human_data: bool = Field(True, description="Train on the human seeds, too.")
    demonstrations: Literal["human", "machine"] = Field(
        "human",
        description="What later rounds' runs start from: the human seeds, or as many tasks of the"
        " round before (which collapses: for experiments).",
    )
    train: dict[str, Any] = Field(
        default_factory=dict,
        description="How to tune: the keys of `selfsown train` (preset, epochs, human_share, ...).",
    )
    rehearsal: int = Field(
        1,
        ge=0,
        le=100,
        description="How often each instruction is written in a list that is trained on, too, so"
        " that the tuned model still can write tasks; 0: never (large models, other recipes).",
    )
    gate: GateConfig = Field(default_factory=lambda: GateConfig(), description="Promotion.")
    guard: GuardConfig = Field(default_factory=lambda: GuardConfig(), description="Collapse.")
    limits: LimitsConfig = Field(
        default_factory=lambda: LimitsConfig(), description="Limits of model calls."
    )
    out: str = Field(description="Directory of the loop.")

    def shown(self) -> dict[str, JSON]:
        """The config as it may be written: no key, no header, no user info or query of a URL."""
        form: dict[str, JSON] = self.model_dump(mode="json")
        return form | {"models": {role: shown_model(one) for role, one in self.models.items()}}

    def identity(self) -> dict[str, JSON]:
        """What may not change between two starts."""
        return {name: value for name, value in self.shown().items() if name not in OPERATIONAL}

    def training(self, data: list[Mapping[str, JSON]], out: str) -> TrainConfig:
        """The training of one round.

        Raises:
            ConfigError: a key of `train` is unknown, or the loop's own.
        """
        named = [name for name in _OURS if name in self.train]
        if named:
            raise ConfigError(
                f"loop config: `train.{named[0]}` is set by the loop itself",
                why="each round trains the original base on what the rounds left behind",
                fix=f"remove `train.{named[0]}`",
            )
        given = {**self.train, "data": data, "base": self.base, "out": out, "seed": self.seed}
        ours = {"seeds": False, "suites": self.suites}
        return validated(TrainConfig, {**given, **ours}, "loop config: train")


def shown_model(given: str | Mapping[str, Any]) -> JSON:
    """A model as it may be written: no key, no header, no user info or query of a URL."""
    uri = given if isinstance(given, str) else str(given.get("uri") or "")
    return redacted(given, str(parse_uri(uri)))


def make_loop_config(given: Mapping[str, Any], *, source: str = "loop config") -> LoopConfig:
    """A checked config from a mapping.

    Raises:
        ConfigError: an unknown key (with the nearest known one), or a value out of range.
    """
    config = validated(LoopConfig, given, source)
    training = config.training([{"path": "data.jsonl"}], "model")
    if training.human_share and not config.human_data:
        raise ConfigError(
            f"{source}: `train.human_share` is {training.human_share}, `human_data` is off",
            why="without human records no share of the tokens can be theirs",
            fix="remove one of the two",
        )
    role = writer(config)
    if role in config.models:
        raise ConfigError(
            f"{source}: `models.{role}` is set by the loop itself",
            why="`base` writes round 0, and a tuned model each later one",
            fix=f"name that model as `base` and remove `models.{role}`",
        )
    return config


def refuse_another_loop(path: Path, now: Mapping[str, JSON]) -> None:
    """Stop if a loop's directory was made with another config.

    Args:
        path: of the config there; nothing is refused if there is none.
        now: what may not change between two starts.

    Raises:
        ConfigChanged: names every key that differs.
    """
    if not path.is_file():
        return
    before = read_config(path)
    lines = difference({key: before.get(key) for key in now}, dict(now))
    if lines:
        raise ConfigChanged(
            f"`{path.parent}` holds another loop: " + "; ".join(lines),
            why="one directory is one loop, so that its rounds compare",
            fix="give another directory with `-o`, or go back to the old values",
        )


def writer(config: LoopConfig) -> str:
    """The role of the recipe that the base plays, and the tuned models after it: its first one."""
    return next(iter(get_recipe(config.recipe).roles))
