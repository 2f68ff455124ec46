"""The additive five-point rubric: one answer, several samples, the mean of those that parsed.

Levels build on each other, and each that is reached adds a point; asked so, a model separates
answers far better than with the same levels as a choice (65 against 27 % agreement with people in
the paper). Samples cut the variance of one sampled number.

Source: Self-Rewarding Language Models (arXiv:2401.10020, figure 2; 3 samples at temperature 0.7 and
top-p 0.9).
Differs from the paper: the wording is ours; a reference is shown where there is one; how answers
are read and when a candidate counts as scored (`selfsown.judge.scores`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import ClassVar, Final

from selfsown.core.errors import CallFailed
from selfsown.core.request import JSON, Completion
from selfsown.judge.base import Asker, Item, Judgement, Scale, Source
from selfsown.judge.prompting import ROLE, Asking, at_least_one
from selfsown.judge.scores import POINTS, combine, parse_score

SAMPLES: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Rubric:
    """A model that grades one answer from 0 to 5, several times."""

    name: ClassVar[str] = "rubric"
    source: ClassVar[Source] = "judge"
    scale: ClassVar[Scale] = POINTS

    samples: int = SAMPLES
    """Judgements per candidate."""
    temperature: float | None = 0.7
    top_p: float | None = 0.9
    max_tokens: int = 512
    template: str | None = None
    """A template of the user's own: `{{ prompt }}`, `{{ answer }}`, perhaps `{{ reference }}`."""
    role: str = ROLE

    def __post_init__(self) -> None:
        """Refuse options that make no sense."""
        at_least_one("samples", self.samples)
        self._asking()

    @property
    def options(self) -> Mapping[str, JSON]:
        """Its effective options."""
        return asdict(self)

    @property
    def roles(self) -> tuple[str, ...]:
        """The one model that it asks."""
        return (self.role,)

    async def judge(self, run: Asker, item: Item) -> Judgement:
        """Grade one answer; each sample is a part of the judgement."""
        return await mean_of_samples(run, self._asking(), item, self.samples, self.scale)

    def _asking(self) -> Asking:
        return Asking(
            prompt="rubric",
            template=self.template,
            temperature=self.temperature,
            top_p=self.top_p,
            max_tokens=self.max_tokens,
            role=self.role,
        )


async def mean_of_samples(
    run: Asker, asking: Asking, item: Item, samples: int, scale: Scale
) -> Judgement:
    """Grade an answer several times at once, each sample a part of the judgement."""
    values = {"prompt": item.prompt, "answer": item.answer, "reference": item.reference}
    answers = await run.gather(*(asking.ask(run, values, sample) for sample in range(samples)))
    return mean_of([score_of(answer, scale) for answer in answers], scale)


def mean_of(parts: Sequence[Judgement], scale: Scale) -> Judgement:
    """Samples as one judgement: their mean, or missing where fewer than half parsed."""
    found = combine([part.value for part in parts])
    words = f"{found.parsed} of {found.asked} samples parsed"
    if found.value is None:
        return Judgement(
            value=None, source="judge", scale=scale, reason=f"unparsed: {words}", parts=tuple(parts)
        )
    reason = f"mean of samples: {words}, standard deviation {found.std:.2f}"
    return Judgement(
        value=found.value, source="judge", scale=scale, reason=reason, parts=tuple(parts)
    )


def score_of(answer: Completion | CallFailed, scale: Scale) -> Judgement:
    """One sample as a judgement: the score that it ends with, or missing with the reason."""
    if isinstance(answer, CallFailed):
        return Judgement(
            value=None, source="judge", scale=scale, reason=f"call_failed: {answer.kind}"
        )
    cut_off = answer.finish_reason == "length"
    score = parse_score(answer.text, scale, cut_off=cut_off)
    reason = "" if score is not None else "unparsed: cut off" if cut_off else "unparsed: no score"
    return Judgement(value=score, source="judge", scale=scale, raw=answer.text, reason=reason)
