"""What all preference recipes hand on: a prompt, a candidate answer, its scores, and a pair.

Self-rewarding, online RLHF, SPIN and pairs from rejected records differ in who scores and which
pair is picked, not in these records. As JSON lines they have the fields that section 4 of both
papers' descriptions names; what follows from other fields (`n_chars`, `reward`, `std`, ...) is
written for readers and computed anew when read.

Sources: Self-Rewarding Language Models (arXiv:2401.10020, section 2.4), RLHF Workflow
(arXiv:2405.07863, section 3).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Final

from selfsown.core.request import JSON
from selfsown.export.example import Example
from selfsown.judge.scores import combine

TOLERANCE: Final = 1e-9
"""Rewards that differ by no more are equal: means of the same scores differ by rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What is answered."""

    id: str
    """Equal ids mean equal prompts, in all files of a recipe."""
    text: str
    """The instruction, or the whole user turn."""
    input: str = ""
    """What an instruction is applied to; empty when it needs nothing else."""
    system: str = ""
    """System text; empty for none."""

    def example(self, answer: str) -> Example:
        """The prompt with an answer to it, as the trainers' encodings and formats take it."""
        return Example(self.text, self.input, answer, self.system)

    @property
    def request(self) -> str:
        """Text and input as one user turn."""
        return self.example("").request

    def row(self) -> dict[str, JSON]:
        """Its part of every JSON line."""
        return {
            "prompt_id": self.id,
            "prompt": self.text,
            "input": self.input,
            "system": self.system,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How one answer was sampled; None where the server's default was left."""

    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    """What tells repeated calls apart: a seed, or the number of the sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One answer to a prompt, not yet judged."""

    prompt: Prompt
    index: int
    """Its number among the answers to its prompt, from 0; decides ties that nothing else does."""
    text: str
    model: str
    """Identity of the policy that wrote it; `human` for an answer of a data set."""
    model_depth: int = 0
    """Trainings on machine data behind that model; 0 for a human."""
    round: int = 0
    """Iteration whose policy it is; 0 for the first."""
    sampling: Sampling = field(default_factory=Sampling)
    n_tokens: int | None = None
    finish_reason: str = ""

    def __post_init__(self) -> None:
        """Refuse a number that is none."""
        if self.index < 0:
            raise ValueError(f"answers are numbered from 0, not from {self.index}")

    @property
    def id(self) -> str:
        """Unique in all files of one round."""
        return f"{self.prompt.id}#{self.index}"

    @property
    def n_chars(self) -> int:
        """Length of the answer; what all length control measures."""
        return len(self.text)

    def row(self) -> dict[str, JSON]:
        """Its JSON line."""
        return {
            **self.prompt.row(),
            "cand_id": self.id,
            "index": self.index,
            "text": self.text,
            "model": self.model,
            "model_depth": self.model_depth,
            "round": self.round,
            "sampling": asdict(self.sampling),
            "n_tokens": self.n_tokens,
            "n_chars": self.n_chars,
            "finish_reason": self.finish_reason,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """A candidate with everything that one judge, reward model or program said about it."""

    candidate: Candidate
    values: tuple[float | None, ...]
    """One number per judgement, K in all; None where it could not be read. More is better."""
    judge: str
    """Who judged: name and model of the judge, or the reward model."""
    is_truncated: bool = False
    """Whether the judge saw only a part of the answer."""

    def __post_init__(self) -> None:
        """Refuse scores that are no numbers, and none at all."""
        if not self.values:
            raise ValueError("a scored candidate was judged at least once")
        if not all(math.isfinite(value) for value in self.valid):
            raise ValueError(f"a score is a finite number or missing: {self.values}")

    @property
    def valid(self) -> tuple[float, ...]:
        """The judgements that could be read, in order."""
        return tuple(value for value in self.values if value is not None)

    @property
    def reward(self) -> float | None:
        """Mean of what could be read; None unless that is at least half of the judgements.

        A judgement that could not be read is missing: it is neither 0 nor the lowest score.
        """
        return combine(self.values).value

    @property
    def std(self) -> float | None:
        """Population standard deviation of what could be read; None if nothing could."""
        found = combine(self.values)
        return found.std if found.parsed else None

    def row(self) -> dict[str, JSON]:
        """Its JSON line: that of the candidate, and the scores."""
        return {
            **self.candidate.row(),
            "values": list(self.values),
            "reward": self.reward,
            "n_valid": len(self.valid),
            "std": self.std,
            "judge": self.judge,
            "truncated": self.is_truncated,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two answers to one prompt, the better one first."""

    prompt: Prompt
    chosen: str
    rejected: str
    chosen_id: str
    """Id of the candidate or record."""
    rejected_id: str
    reward_chosen: float | None = None
    """None where nothing was scored: pairs of accepted and rejected records."""
    reward_rejected: float | None = None
    margin: float | None = None
    """By how much the picker found the chosen better; less a penalty, where it has one."""
    round: int = 0
    policy: str = ""
    """Models that wrote the two answers, that of the chosen first; one name if it is the same."""
    model_depth: int = 0
    """Of the deeper of the two."""
    judge: str = ""
    """Who scored; for pairs of records the recipe that rejected."""
    picker: str = ""
    """Name of the picker; `rejected_record` for pairs of records."""
    reason: str = ""
    """Why the rejected record was rejected; empty for picked pairs."""

    def row(self) -> dict[str, JSON]:
        """Its JSON line."""
        return {
            **self.prompt.row(),
            "chosen": self.chosen,
            "rejected": self.rejected,
            "reward_chosen": self.reward_chosen,
            "reward_rejected": self.reward_rejected,
            "margin": self.margin,
            "len_chosen": len(self.chosen),
            "len_rejected": len(self.rejected),
            "round": self.round,
            "policy": self.policy,
            "model_depth": self.model_depth,
            "judge": self.judge,
            "picker": self.picker,
            "reason": self.reason,
            "chosen_id": self.chosen_id,
            "rejected_id": self.rejected_id,
        }


def plain_text(text: str) -> str:
    """The text with every run of white space as one space, and none around it."""
    return " ".join(text.split())


def fault_of(chosen: str, rejected: str) -> str | None:
    """Why two answers make no pair whatever their scores; None if they do.

    `blank_text`: one of them says nothing. `equal_texts`: they differ in white space alone.
    """
    if not chosen.strip() or not rejected.strip():
        return "blank_text"
    return "equal_texts" if plain_text(chosen) == plain_text(rejected) else None


def policy_of(chosen: str, rejected: str) -> str:
    """The models that wrote a pair, as `Pair.policy` has them."""
    return chosen if chosen == rejected else f"{chosen} + {rejected}"
