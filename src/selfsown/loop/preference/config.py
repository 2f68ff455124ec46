"""Everything that defines a preference loop, as one config file; unknown keys are refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from selfsown.core.config import LimitsConfig, validated
from selfsown.core.errors import ConfigError
from selfsown.core.request import JSON
from selfsown.loop.config import shown_model
from selfsown.loop.preference.sections import (
    FloorsConfig,
    ProbeConfig,
    PromotionConfig,
    PromptsConfig,
)
from selfsown.models.answer_tokens import AnswerEncoding
from selfsown.recipes.base import get_recipe
from selfsown.train.settings import TrainConfig

RecipeName = Literal["self-rewarding", "online-rlhf"]
Control = Literal["offline", "equal_data", "other_reference", "sft_chosen"]

RECIPE_NAMES: Final = ("self-rewarding", "online-rlhf")
OPERATIONAL: Final = frozenset({"out", "rounds", "limits", "controls", "offline_pairs", "reuse"})
"""Keys that may change between two starts: more rounds and controls extend a loop."""
DEFAULT_REFERENCES: Final[Mapping[RecipeName, str]] = {
    "self-rewarding": "previous",  # arXiv:2401.10020, section 2.4, as its re-implementations say
    "online-rlhf": "initial",  # arXiv:2405.07863, section 3, and its maintainers
}

_OURS: Final = ("data", "base", "out", "seeds", "seed", "objective", "reference")
"""Keys of a training that the loop sets itself."""


class PreferenceLoopConfig(BaseModel):
    """A loop of rounds; each trains the promoted policy on pairs of its own answers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    recipe: RecipeName = Field(description="`self-rewarding` or `online-rlhf`.")
    base: str = Field("lab", description="Model to begin with: `lab`, or a folder.")
    backend: Literal["auto", "lab", "hf"] = Field(
        "auto",
        description="What runs trained models: `hf` (transformers) or `lab` (plain Llama models,"
        " batch-invariant); `auto`: `lab` for the base `lab`, else `hf`.",
    )
    start: list[str] = Field(
        default_factory=list,
        description="Runs or files that the base is tuned on first; empty: the base is the initial"
        " policy.",
    )
    sft: dict[str, Any] = Field(
        default_factory=dict,
        description="How to tune on records: keys of `selfsown train`; for `start` and the control"
        " `sft_chosen`.",
    )
    prompts: PromptsConfig = Field(description="Prompts of the rounds.")
    rounds: int = Field(3, ge=1, le=100, description="Rounds to turn; a larger number extends.")
    preset: str = Field("default", description="Named set of options of the recipe.")
    options: dict[str, Any] = Field(
        default_factory=dict, description="Options of the recipe: answers, scorer, picker, ..."
    )
    models: dict[str, str | dict[str, Any]] = Field(
        default_factory=dict,
        description="Models of the recipe's other roles, the same in each round.",
    )
    reference: str | None = Field(
        None,
        description="What DPO stays close to: `initial`, `previous`, `ema` or a model. Empty:"
        " `initial` for online-rlhf, `previous` for self-rewarding.",
    )
    train: dict[str, Any] = Field(
        default_factory=dict,
        description="How to train on pairs: keys of `selfsown train` (preset, beta, epochs, ...).",
    )
    floors: FloorsConfig = Field(
        default_factory=lambda: FloorsConfig(), description="Before any training time is spent."
    )
    probe: ProbeConfig = Field(description="How policies are measured.")
    anchor: str | None = Field(
        None,
        description="File of labelled answers that nothing is trained on: how well the policy"
        " judges, where it judges itself.",
    )
    promotion: PromotionConfig = Field(
        default_factory=lambda: PromotionConfig(), description="Promote or roll back."
    )
    controls: list[Control] = Field(
        default_factory=list, description="What the loop is compared with."
    )
    offline_pairs: str | None = Field(
        None, description="Labelled pairs of the control `offline`: a JSONL file."
    )
    allow_equal_judges: bool = Field(
        False,
        description="Let the scorer that pairs are made by, or the model behind it, evaluate, too.",
    )
    seed: int = Field(0, ge=0, le=2**31, description="Seed of every random choice.")
    limits: LimitsConfig = Field(
        default_factory=lambda: LimitsConfig(), description="Limits of model calls."
    )
    reuse: list[str] = Field(
        default_factory=list,
        description="Directories of other loops from the same initial policy: what it answered"
        " there to equal prompts, and how that was scored, is copied.",
    )
    out: str = Field(description="Directory of the loop.")

    @property
    def homes(self) -> list[Path]:
        """Directories of this loop and of those whose answers are copied."""
        return [Path(self.out), *map(Path, self.reuse)]

    def shown(self) -> dict[str, JSON]:
        """The config as it may be written: no key, no header, no user info or query of a URL."""
        form: dict[str, JSON] = self.model_dump(mode="json")
        prompts = form["prompts"]
        assert isinstance(prompts, dict)
        if self.prompts.writer is not None:
            prompts["writer"] = shown_model(self.prompts.writer)
        return form | {"models": {role: shown_model(one) for role, one in self.models.items()}}

    def identity(self) -> dict[str, JSON]:
        """What may not change between two starts."""
        return {name: value for name, value in self.shown().items() if name not in OPERATIONAL}

    @property
    def kept_close_to(self) -> str:
        """What DPO stays close to in every round."""
        return self.reference or DEFAULT_REFERENCES[self.recipe]

    @property
    def other_reference(self) -> str:
        """What the control of that name stays close to: a moving policy where ours is fixed."""
        return "initial" if self.kept_close_to in ("previous", "ema") else "previous"

    def tuning(
        self,
        data: list[Mapping[str, JSON]],
        out: str,
        *,
        base: str | None = None,
        encoding: AnswerEncoding | None = None,
    ) -> TrainConfig:
        """A training of a model on records.

        Args:
            data: sources of records.
            out: folder of the trained model.
            base: folder of the model; None for the loop's base.
            encoding: what the policy is asked with; None: as the config says.

        Raises:
            ConfigError: a key of `sft` is unknown, or the loop's own.
        """
        ours: dict[str, Any] = {"data": data, "base": base or self.base, "out": out}
        return self._training("sft", ours if encoding is None else {**ours, "encoding": encoding})

    def preferring(
        self,
        data: list[Mapping[str, JSON]],
        base: str,
        out: str,
        *,
        encoding: AnswerEncoding | None = None,
        reference: str | None = None,
        rounds: int = 1,
    ) -> TrainConfig:
        """A training of a policy on pairs.

        Args:
            data: sources of pairs.
            base: folder of the policy.
            out: folder of the trained one.
            encoding: what the policy is asked with; None: as the config says.
            reference: other than that of the config; for controls.
            rounds: whose pairs they are; `max_steps` is per round.

        Raises:
            ConfigError: a key of `train` is unknown, or the loop's own.
        """
        ours: dict[str, Any] = {"data": data, "base": base, "out": out, "objective": "dpo"}
        ours["reference"] = reference or self.kept_close_to
        if encoding is not None:
            ours["encoding"] = encoding
        if isinstance(self.train.get("max_steps"), int):
            ours["max_steps"] = rounds * self.train["max_steps"]
        return self._training("train", ours)

    def _training(self, name: Literal["sft", "train"], ours: Mapping[str, Any]) -> TrainConfig:
        given: Mapping[str, Any] = getattr(self, name)
        named = [key for key in _OURS if key in given]
        if named:
            raise ConfigError(
                f"loop config: `{name}.{named[0]}` is set by the loop itself",
                why="each round trains the promoted policy on what the round left behind",
                fix=f"remove `{name}.{named[0]}`"
                + (": `reference` is a key of the loop" if named[0] == "reference" else ""),
            )
        form = {**given, **ours, "seed": self.seed, "seeds": False}
        return validated(TrainConfig, form, f"loop config: {name}")


def make_preference_loop_config(
    given: Mapping[str, Any], *, source: str = "loop config"
) -> PreferenceLoopConfig:
    """A checked config from a mapping.

    Raises:
        ConfigError: an unknown key (with the nearest known one), a value out of range, or values
            that contradict each other.
    """
    config = validated(PreferenceLoopConfig, given, source)
    config.preferring([{"path": "pairs.jsonl"}], "policy", "model")
    config.tuning([{"path": "data.jsonl"}], "model")
    _check_prompts(config, source)
    _check_roles(config, source)
    _check_controls(config, source)
    _check_promotion(config, source)
    return config


def policy_role(config: PreferenceLoopConfig) -> str:
    """The role of the recipe that the policy plays: its first one."""
    return next(iter(get_recipe(config.recipe).roles))


def _check_prompts(config: PreferenceLoopConfig, source: str) -> None:
    prompts = config.prompts
    given = [name for name in ("file", "files", "writer") if getattr(prompts, name)]
    if len(given) != 1:
        raise ConfigError(
            f"{source}: `prompts` names {', '.join(f'`{name}`' for name in given) or 'no source'}",
            why="the rounds' prompts come from one source",
            fix="give one of `prompts.file`, `prompts.files` and `prompts.writer`",
        )
    if prompts.files and len(prompts.files) < config.rounds:
        raise ConfigError(
            f"{source}: {len(prompts.files)} `prompts.files` for {config.rounds} rounds",
            why="every round has prompts of its own",
            fix="give a file for every round, or fewer `rounds`",
        )
    if (prompts.writer is None) != (prompts.seeds is None):
        raise ConfigError(
            f"{source}: `prompts.writer` and `prompts.seeds` go together",
            why="the writer starts from human seed tasks",
            fix="give both, or none of them",
        )


def _check_roles(config: PreferenceLoopConfig, source: str) -> None:
    role = policy_role(config)
    if role in config.models:
        raise ConfigError(
            f"{source}: `models.{role}` is set by the loop itself",
            why="the initial policy writes the first round, and a promoted one each later",
            fix=f"name that model as `base` and remove `models.{role}`",
        )


def _check_controls(config: PreferenceLoopConfig, source: str) -> None:
    if "offline" in config.controls and config.offline_pairs is None:
        raise ConfigError(
            f"{source}: the control `offline` has no pairs",
            why="it trains the initial policy on labelled pairs that other models wrote",
            fix="name the file as `offline_pairs`, or leave the control out",
        )


def _check_promotion(config: PreferenceLoopConfig, source: str) -> None:
    """Refuse a decision by what is not measured; the default names all that might be."""
    asked = config.promotion
    measured = {"gold": config.probe.gold, "second": config.probe.second, "anchor": config.anchor}
    is_default = asked.on == type(asked).model_fields["on"].default
    wanted: dict[str, tuple[str, ...]] = {"on": () if is_default else asked.on}
    if asked.best_by in measured:
        wanted["best_by"] = (asked.best_by,)
    for key, names in wanted.items():
        for name in names:
            if measured[name] is None:
                raise ConfigError(
                    f"{source}: `promotion.{key}` asks for `{name}`, which is not measured",
                    why="a decision by a number that nobody has would always be the same",
                    fix=f"give `{'anchor' if name == 'anchor' else f'probe.{name}'}`, or remove it",
                )
