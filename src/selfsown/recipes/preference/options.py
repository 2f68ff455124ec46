"""What is asked, who scores, which pair is picked: the options of the preference recipes.

Two classes, since the two papers differ in defaults alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from selfsown.core.errors import ConfigError
from selfsown.evaluate.layouts import layout_named
from selfsown.preference.pickers import Picker, picker_named
from selfsown.recipes.preference.scorers import Scorer, scorer_named

POLICY: Final = "policy"
JUDGE: Final = "judge"
OBSERVER: Final = "observer"

Human = Literal["none", "candidate", "chosen"]
CutOff = Literal["never_chosen", "as_any", "rejected"]


class Draws(BaseModel):
    """Answers that are sampled alike."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    count: int = Field(ge=1, le=1000, description="How many.")
    temperature: float | None = Field(None, ge=0, description="Empty: the server's default.")
    top_p: float | None = Field(None, gt=0, le=1, description="Empty: the server's default.")


class Observer(BaseModel):
    """Who scores the answers, too, without a say in the pairs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scorer: str = Field(description="As `scorer`.")
    options: dict[str, Any] = Field({}, description="As `scorer_options`.")

    def scoring(self) -> Scorer:
        """The scorer."""
        return scorer_named(self.scorer, self.options)


class Options(BaseModel):
    """Options of `online-rlhf`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    answers: tuple[Draws, ...] = Field(
        (
            Draws(count=4, temperature=1.0, top_p=1.0),  # arXiv:2405.07863, algorithm 1: n/2 each
            Draws(count=4, temperature=0.7, top_p=1.0),
        ),
        min_length=1,
        description="Answers to each prompt, by how they are sampled: a list of `count`,"
        " `temperature`, `top_p`.",
    )
    max_tokens: int = Field(1024, ge=1, description="Most generated tokens per answer.")
    stop: tuple[str, ...] = Field((), description="Strings that end an answer.")
    layout: str = Field(
        "bare",
        description="How a completion model is asked: `bare`, `task`, `plain` or `published`."
        " Chat models get a user turn.",
    )
    extra: dict[str, Any] = Field(
        {}, description="Provider-specific body parameters of the policy's calls."
    )
    cut_off: CutOff = Field(
        "never_chosen",
        description="What becomes of an answer that was cut off at `max_tokens`. It is scored and"
        " may be the worse one of a pair, but is never chosen, since training on it would teach"
        " the policy to stop in mid-sentence; or it counts as any other; or it is rejected before"
        " anybody scores it.",
    )
    scorer: str = Field(
        "reward",
        description="Who scores: a judge by name; `tournament`, where a judge compares each answer"
        " with each; or, in this process, `reward`, a reward model, or `preference`, a preference"
        " model.",
    )
    scorer_options: dict[str, Any] = Field(
        {}, description="Its options; `reward` and `preference` need `model`, a folder."
    )
    self_judging: bool = Field(
        False, description="Let the policy judge itself where the role `judge` has no model."
    )
    picker: str = Field(
        "max_min",
        description="Which two of the scored answers: max_min, max_random, max_max, random,"
        " length_penalised or rho_window.",
    )
    picker_options: dict[str, Any] = Field({}, description="Its options; all take `min_margin`.")
    human: Human = Field(
        "none",
        description="What the `output` of a row is for: nothing; one more candidate; or the chosen"
        " answer, against one of the policy's own, which needs no score (SPIN).",
    )
    observers: dict[str, Observer] = Field(
        {},
        description="Others who score every answer, by a name of yours, each with `scorer` and"
        " `options`. No pair depends on them.",
    )
    check_after: int = Field(
        32,
        ge=0,
        description="Prompts after which the run stops if no judgement could be read or all are"
        " one number; 0: never.",
    )

    @property
    def own_answers(self) -> int:
        """Answers of the policy to each prompt."""
        return sum(draws.count for draws in self.answers)

    @property
    def candidates(self) -> int:
        """Answers to each prompt, that of a human included."""
        return self.own_answers + (self.human != "none")

    @property
    def is_scored(self) -> bool:
        """Whether pairs are made of scores."""
        return self.human != "chosen"

    def scoring(self) -> Scorer | None:
        """Who scores; None where nothing is scored."""
        return scorer_named(self.scorer, self.scorer_options) if self.is_scored else None

    def picking(self) -> Picker:
        """Who picks."""
        return picker_named(self.picker, **self.picker_options)

    @model_validator(mode="after")
    def _check(self) -> Options:
        """Refuse what cannot give pairs, before anything is asked."""
        layout_named(self.layout)
        self.picking()
        self.scoring()
        for observer in self.observers.values():
            observer.scoring()
        _check_answers(self)
        return self


class SelfRewardingOptions(Options):
    """Options of `self-rewarding`."""

    answers: tuple[Draws, ...] = Field(
        (Draws(count=4, temperature=0.7, top_p=0.9),),  # arXiv:2401.10020, section 3.1.3
        min_length=1,
        description=Options.model_fields["answers"].description,
    )
    scorer: str = Field("rubric", description=Options.model_fields["scorer"].description)
    self_judging: bool = Field(True, description=Options.model_fields["self_judging"].description)


SPIN: Final[Mapping[str, Any]] = {
    "human": "chosen",
    "answers": [{"count": 1, "temperature": 0.7, "top_p": 0.9}],
}
"""Self-play: the human answer against one of the policy's own (arXiv:2401.01335)."""


def _check_answers(options: Options) -> None:
    greedy = sum(draws.count for draws in options.answers if draws.temperature == 0)
    if greedy > 1:
        raise ConfigError(
            f"`answers` asks for {greedy} answers at temperature 0",
            why="greedy answers to one prompt are the same text, and make no pair",
            fix="sample all but one of them at a temperature above 0",
        )
    if options.human == "chosen" and options.own_answers != 1:
        raise ConfigError(
            f"`human: chosen` with {options.own_answers} answers to each prompt",
            why="the human answer is paired with one answer of the policy; more would be paid for"
            " and not used",
            fix="--preset spin, or `answers: [{count: 1, temperature: 0.7, top_p: 0.9}]`",
        )
    if options.candidates < 2:
        raise ConfigError(
            "`answers` asks for one answer to each prompt",
            why="a pair needs two",
            fix="ask for more, or let the rows' own answers take part with `human: candidate`",
        )
