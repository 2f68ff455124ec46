"""The sections of a preference loop's config: prompts, floors, probe and promotion."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from selfsown.preference.gates import Floors

Score = Literal["gold", "second", "proxy"]
"""What policies are scored by: what evaluates, a second scorer, and the one that makes pairs."""
Measured = Literal["anchor", "gold", "second"]
"""What must not fall."""


class ScorerConfig(BaseModel):
    """Who scores answers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scorer: str = Field(description="Name of a judge, `tournament`, or `reward`.")
    options: dict[str, Any] = Field(default_factory=dict, description="Its options.")


class PromptsConfig(BaseModel):
    """Where the prompts of the rounds come from: `file`, `files` or `writer`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str | None = Field(
        None, description="All prompts in one file, which is split into disjoint sets once."
    )
    files: list[str] = Field(
        default_factory=list, description="Or a file per round, no prompt in two of them."
    )
    writer: str | dict[str, Any] | None = Field(
        None,
        description="Or a model, the same in all rounds, that writes new ones by Self-Instruct.",
    )
    seeds: str | None = Field(None, description="Human seed tasks that the writer starts from.")
    preset: str = Field(
        "self-rewarding", description="Named set of options of the writer's Self-Instruct."
    )
    options: dict[str, Any] = Field(
        default_factory=dict, description="Options of the writer's Self-Instruct."
    )
    per_round: int = Field(
        500, ge=1, description="Prompts of each round, of `file` or by the writer."
    )


class FloorsConfig(BaseModel):
    """What a round has to reach before any training time is spent; all from 0 to 1."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    parse_rate: float = Field(
        0.8, ge=0, le=1, description="Least part of the judgements that can be read."
    )
    tie_rate: float = Field(
        0.6, ge=0, le=1, description="Largest part of the prompts whose answers are all as good."
    )
    pair_yield: float = Field(0.1, ge=0, le=1, description="Least pairs per prompt.")
    on_breach: Literal["warn", "refuse"] = Field(
        "warn", description="What missing one of the first two means; the yield always refuses."
    )

    def floors(self) -> Floors:
        """As the gates take them."""
        return Floors(**self.model_dump())


class ProbeConfig(BaseModel):
    """How every policy is measured: the same recipe on prompts that are never trained on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompts: str = Field(description="File of validation prompts.")
    limit: int | None = Field(None, ge=1, description="Use only so many, spread evenly.")
    gold: ScorerConfig | None = Field(
        None, description="What evaluates; it may not be the scorer that pairs are made by."
    )
    second: ScorerConfig | None = Field(
        None, description="A second scorer that pairs are never made by, to see over-optimisation."
    )
    answers: list[dict[str, Any]] | None = Field(
        None, description="Answers per prompt, as the recipe's `answers`; empty: the same."
    )


class PromotionConfig(BaseModel):
    """When a trained policy writes the next round."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    on: tuple[Measured, ...] = Field(
        ("anchor", "gold", "second"),
        description="What must not fall; what is not measured decides nothing.",
    )
    acts: bool = Field(True, description="Roll back if one fell; off: only write it down.")
    standard_errors: float = Field(
        2.0, gt=0, description="The anchor fell if by more than so many of its standard errors."
    )
    best_by: Score | None = Field(
        None,
        description="Score on the validation prompts that says which iteration is the best."
        " Empty: the first of gold, second, proxy that is measured.",
    )
