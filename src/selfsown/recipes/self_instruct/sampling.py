"""How each kind of call is sampled; the defaults are measured on the embedded lab model."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict, Field, JsonValue

RETRY_TEMPERATURE: Final = 0.7
"""Of a question asked again after a greedy answer, which would only repeat itself."""


class Sampling(BaseModel):
    """How one kind of call is sampled."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_tokens: int | None = Field(
        default=None,
        ge=1,
        description="Most tokens of one answer. Empty: 1,024 for lists, 16 for the classification"
        " question, 512 for instances and votes (chat, where hidden reasoning counts: 2,048, 512,"
        " 2,048); at most a quarter of the model's context where it is known.",
    )
    temperature: float | None = Field(
        default=None, ge=0, description="0 is greedy; empty leaves it to the server."
    )
    top_p: float | None = Field(
        default=None, gt=0, le=1, description="Nucleus sampling; empty leaves it to the server."
    )
    presence_penalty: float = Field(
        default=0.0, ge=-2, le=2, description="0: measured without need."
    )
    frequency_penalty: float = Field(default=0.0, ge=-2, le=2, description="0: as published.")
    stop: tuple[str, ...] | None = Field(
        default=None,
        description="Strings that end an answer. Empty: derived from the layout, anchored at line"
        " starts (the published `16.` also fires inside `2016.`); none for chat models.",
    )
    extra: dict[str, JsonValue] = Field(
        default_factory=dict,
        description="Provider-specific body parameters, for example `reasoning_effort`.",
    )


class ListSampling(Sampling):
    """Lists want variety. The values are measured on the embedded lab model."""

    temperature: float | None = Field(
        default=0.9, ge=0, description="0.9: measured on the lab model."
    )
    top_p: float | None = Field(
        default=0.95, gt=0, le=1, description="0.95: measured on the lab model."
    )


class ClassificationSampling(Sampling):
    """The yes-no question wants the most likely answer."""

    temperature: float | None = Field(default=0.0, ge=0, description="0: as published (section 2).")


class InstanceSampling(Sampling):
    """Instances want to be right more than varied. The values are measured on the lab model."""

    temperature: float | None = Field(
        default=0.4, ge=0, description="0.4: measured on the lab model."
    )
    top_p: float | None = Field(
        default=0.95, gt=0, le=1, description="0.95: measured on the lab model."
    )


class AnswerSampling(Sampling):
    """Votes want to differ where the model is unsure. The values are measured on the lab model."""

    temperature: float | None = Field(
        default=0.7,
        ge=0,
        description="0.7: measured on the lab model, where two of three greedy answers agree on"
        " 99 % of instances, right or wrong; within the 0.5 to 0.7 of arXiv:2203.11171.",
    )
    top_p: float | None = Field(
        default=0.95, gt=0, le=1, description="0.95: measured on the lab model."
    )
