"""One protocol for everything that judges an answer: an item in, a judgement out, nothing guessed.

A judge that cannot tell says so: the value is None, with a reason. That is *missing*, which is
neither the lowest score nor a failure, and whoever uses judgements counts it as what it is. A model
judge asks through the run (`await run.ask("judge", request, sample=k)`), so that the call is
journaled, and reads the answer with a pure function of its text; verifiers never ask.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal, Protocol, TypeVar

from selfsown.core.request import JSON, Completion, Request

Source = Literal["verifier", "judge", "human", "oracle"]
"""Who decided: a program, a model, a person, or the lab's oracle. Reports keep them apart."""
Result = TypeVar("Result")
_NOTHING: Final[Mapping[str, JSON]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Scale:
    """The range of a judgement's value, both ends included; more is better."""

    low: float
    high: float

    def __post_init__(self) -> None:
        """Refuse a scale with one end missing or on the wrong side."""
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError(f"a scale goes up from a number to another, not {self}")

    def __contains__(self, value: float) -> bool:
        """Whether `value` is a number of the scale."""
        return math.isfinite(value) and self.low <= value <= self.high


UNIT: Final = Scale(0.0, 1.0)
"""Right or wrong, shares, and preferences (1.0: the answer, 0.0: its rival, 0.5: a tie)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What is judged: an answer to a prompt, and what else a judge may be shown."""

    prompt: str
    answer: str
    reference: str | None = None
    """A right answer, where one is known."""
    rival: str | None = None
    """The answer to compare with: for judges of pairs."""
    metadata: Mapping[str, JSON] = field(default_factory=lambda: _NOTHING)
    """Anything else of the row: `checks` for verifiers, `instruction` and `input` for the lab's
    oracle (where `prompt` is both in one), `references`, `sources`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What one judge says about one item."""

    value: float | None
    """A number of the scale; None where the judge cannot tell, which is missing, never low."""
    source: Source
    scale: Scale = UNIT
    raw: str = ""
    """What the judge wrote, unchanged; empty for programs."""
    reason: str = ""
    """Why, in words a person can check. For a missing value a short stable word comes first:
    `unparsed`, `undecided`, `no_reference`, `call_failed`, ..."""
    parts: tuple[Judgement, ...] = ()
    """What it was made from: repeated samples, both orders of a pair, or single checks."""

    def __post_init__(self) -> None:
        """Refuse a value outside the scale: parsers drop such a value, they never clamp it."""
        if self.value is not None and self.value not in self.scale:
            raise ValueError(f"{self.value} is no value from {self.scale.low} to {self.scale.high}")
        if self.value is None and not self.reason:
            raise ValueError("a missing judgement says why it is missing")

    @property
    def is_missing(self) -> bool:
        """Whether the judge could not tell."""
        return self.value is None

    @property
    def fraction(self) -> float | None:
        """The value as a share of the scale, from 0.0 to 1.0; None if missing."""
        if self.value is None:
            return None
        return (self.value - self.scale.low) / (self.scale.high - self.scale.low)


class Asker(Protocol):
    """The verbs of a run that a judge uses; `selfsown.core.run.Run` has them all."""

    async def ask(self, role: str, request: Request, sample: int = 0) -> Completion:
        """One journaled model call; raises `CallFailed` for a final failure."""

    async def gather(self, *branches: Awaitable[Result]) -> list[Result]:
        """Several calls at once, results in the order given."""

    def is_chat(self, role: str) -> bool:
        """Whether to ask this role with messages rather than with a bare prompt."""


class Judge(Protocol):
    """A configured judge. It keeps no state: equal items get equal requests and judgements."""

    @property
    def name(self) -> str:
        """The name it is registered under, as a config says it."""

    @property
    def options(self) -> Mapping[str, JSON]:
        """Its effective options, defaults included, so that a run can be described exactly."""

    @property
    def source(self) -> Source:
        """Who decides where it decides."""

    @property
    def scale(self) -> Scale:
        """The scale of its judgements."""

    @property
    def roles(self) -> tuple[str, ...]:
        """The run's models that it asks, for example `judge`; empty for verifiers."""

    async def judge(self, run: Asker, item: Item) -> Judgement:
        """Judge one item; a failed call (`CallFailed`) is the caller's to keep or to count."""
