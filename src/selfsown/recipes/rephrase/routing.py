"""Which styles a document gets, by its quality.

Source: Nemotron-CC (arXiv:2412.02595, section 3): low-quality documents are written anew to take
the noise out, high-quality ones are worth several variants, and what is between is left as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from selfsown.core.errors import InputError
from selfsown.core.request import JSON

Level = Literal["low", "middle", "high"]


class Routing(BaseModel):
    """Quality of a document -> its styles."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    field: str = Field("quality", description="Field of a document that holds its quality.")
    low: float = Field(description="Documents up to here are of low quality.")
    high: float = Field(description="Documents from here on are of high quality.")
    low_styles: tuple[str, ...] = Field(
        ("wikipedia",), description="Styles of low-quality documents; they take noise out."
    )
    middle_styles: tuple[str, ...] = Field(
        (), description="Styles of those between; none: they are left as they are."
    )
    high_styles: tuple[str, ...] = Field(
        ("diverse_qa", "distil", "extract_knowledge", "knowledge_list"),
        description="Styles of high-quality documents; they are variants.",
    )
    missing: Literal["error", "low", "middle", "high"] = Field(
        "error", description="What a document without quality counts as."
    )

    @model_validator(mode="after")
    def _check(self) -> Routing:
        if not self.low < self.high:
            raise ValueError(f"`low` is {self.low}, which is not below `high`, {self.high}")
        return self

    def level(self, fields: Mapping[str, JSON], place: str) -> Level:
        """Where a document belongs.

        Raises:
            InputError: it has no quality and `missing` is `error`, or its quality is no number;
                names `place`.
        """
        value = fields.get(self.field)
        if value is None and self.missing != "error":
            return self.missing
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InputError(
                f"{place} has the quality {value!r} (field `{self.field}`)",
                why="`routing` chooses the styles of a document by its quality, a number",
                fix="give every document one (`selfsown run topics` does), or say what those"
                " without count as: `routing.missing: middle`",
            )
        return "low" if value <= self.low else "high" if value >= self.high else "middle"

    def styles(self, level: Level) -> tuple[str, ...]:
        """The styles of a level."""
        return {"low": self.low_styles, "middle": self.middle_styles, "high": self.high_styles}[
            level
        ]

    @property
    def all_styles(self) -> tuple[str, ...]:
        """Every style that some document may get, each once."""
        return tuple(dict.fromkeys((*self.low_styles, *self.middle_styles, *self.high_styles)))
