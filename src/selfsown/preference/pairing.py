"""From the scored answers of many prompts to their pairs, with a reason for every prompt without.

Prompts in = pairs + drops, always. The numbers that tell early whether a round is worth training on
are counted on the way: how many judgements could be read, how many prompts were ties, how many
became pairs.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from selfsown.core.errors import ConservationError, InputError
from selfsown.core.request import JSON
from selfsown.preference.pickers import NoPair, Picked, Picker
from selfsown.preference.records import TOLERANCE, Pair, Prompt, Scored, policy_of


@dataclass(frozen=True, slots=True)
class Dropped:
    """A prompt that gave no pair."""

    prompt_id: str
    reason: str
    """As `selfsown.preference.pickers.NoPair.reason` has it."""
    margin: float | None
    scored: int
    """Candidates that have a reward."""

    def row(self) -> dict[str, JSON]:
        """Its JSON line."""
        return {
            "prompt_id": self.prompt_id,
            "reason": self.reason,
            "margin": self.margin,
            "scored": self.scored,
        }


@dataclass(slots=True)
class Tally:
    """Counts over the prompts of one round; rates are in [0, 1], and None where nothing counts."""

    prompts: int = 0
    pairs: int = 0
    candidates: int = 0
    unscored: int = 0
    """Candidates of whose judgements fewer than half could be read."""
    judgements: int = 0
    parsed: int = 0
    """Judgements that could be read."""
    comparable: int = 0
    """Prompts with at least two candidates that have a reward."""
    ties: int = 0
    """Those among them whose rewards are all equal, whatever the picker."""
    histogram: Counter[float] = field(default_factory=Counter)
    """Value of a judgement, to one decimal -> how often it was given."""
    lowest: float = math.inf
    highest: float = -math.inf
    """Of all judgements; infinite where none could be read."""
    dropped: Counter[str] = field(default_factory=Counter)
    """Reason -> prompts."""
    std_sum: float = 0.0
    """Sum over candidates, of the spread of the judgements of each."""
    std_count: int = 0
    chosen_chars: int = 0
    rejected_chars: int = 0

    @property
    def parse_rate(self) -> float | None:
        """Part of the judgements that could be read."""
        return self.parsed / self.judgements if self.judgements else None

    @property
    def tie_rate(self) -> float | None:
        """Part of the comparable prompts whose candidates are all equally good."""
        return self.ties / self.comparable if self.comparable else None

    @property
    def pair_yield(self) -> float | None:
        """Pairs per prompt."""
        return self.pairs / self.prompts if self.prompts else None

    @property
    def mean_std(self) -> float | None:
        """Mean over candidates of the standard deviation of a candidate's judgements."""
        return self.std_sum / self.std_count if self.std_count else None

    def form(self) -> dict[str, JSON]:
        """All numbers as JSON, rates included; the same for the same prompts in any order."""
        return {
            "prompts": self.prompts,
            "pairs": self.pairs,
            "dropped": dict(sorted(self.dropped.items())),
            "candidates": self.candidates,
            "unscored": self.unscored,
            "judgements": self.judgements,
            "parsed": self.parsed,
            "ties": self.ties,
            "parse_rate": self.parse_rate,
            "tie_rate": self.tie_rate,
            "pair_yield": self.pair_yield,
            "mean_std": self.mean_std,
            "histogram": {f"{value:g}": count for value, count in sorted(self.histogram.items())},
            "mean_len_chosen": self.chosen_chars / self.pairs if self.pairs else None,
            "mean_len_rejected": self.rejected_chars / self.pairs if self.pairs else None,
        }


@dataclass(frozen=True, slots=True)
class Pairing:
    """What the prompts of one round came to."""

    pairs: tuple[Pair, ...]
    """In the order of the prompts."""
    dropped: tuple[Dropped, ...]
    tally: Tally


def make_pairs(groups: Mapping[str, Sequence[Scored]], picker: Picker) -> Pairing:
    """At most one pair per prompt.

    Args:
        groups: prompt id -> its scored candidates; `by_prompt` makes it.
        picker: which two.
    """
    tally = Tally()
    pairs: list[Pair] = []
    dropped: list[Dropped] = []
    for prompt_id, scored in groups.items():
        _count(tally, scored)
        found = picker(scored)
        if isinstance(found, NoPair):
            able = sum(one.reward is not None for one in scored)
            dropped.append(Dropped(prompt_id, found.reason, found.margin, able))
            tally.dropped[found.reason] += 1
            continue
        pairs.append(_pair(found, picker.name))
        tally.pairs += 1
        tally.chosen_chars += found.chosen.candidate.n_chars
        tally.rejected_chars += found.rejected.candidate.n_chars
    return Pairing(tuple(pairs), tuple(dropped), tally)


def by_prompt(scored: Iterable[Scored]) -> dict[str, list[Scored]]:
    """The scored candidates of each prompt, in the order in which prompts first appear.

    Raises:
        ConservationError: a candidate appears twice.
        InputError: one prompt id stands for two prompts.
    """
    groups: dict[str, list[Scored]] = {}
    prompts: dict[str, Prompt] = {}
    seen: set[str] = set()
    for one in scored:
        prompt = one.candidate.prompt
        if one.candidate.id in seen:
            raise ConservationError(
                f"candidate `{one.candidate.id}` is scored twice",
                why="a pair is picked among different answers, each scored once",
                fix="number the answers to a prompt from 0, and give each its scores once",
            )
        if prompts.setdefault(prompt.id, prompt) != prompt:
            raise InputError(
                f"the prompt id `{prompt.id}` stands for two different prompts",
                why="answers are compared with answers to the same prompt alone",
                fix="give every prompt an id of its own",
            )
        seen.add(one.candidate.id)
        groups.setdefault(prompt.id, []).append(one)
    return groups


def _count(tally: Tally, scored: Sequence[Scored]) -> None:
    rewards = [one.reward for one in scored if one.reward is not None]
    tally.prompts += 1
    tally.candidates += len(scored)
    tally.unscored += len(scored) - len(rewards)
    if len(rewards) >= 2:
        tally.comparable += 1
        tally.ties += max(rewards) - min(rewards) <= TOLERANCE
    for one in scored:
        tally.judgements += len(one.values)
        tally.parsed += len(one.valid)
        tally.lowest = min(tally.lowest, *one.valid, math.inf)
        tally.highest = max(tally.highest, *one.valid, -math.inf)
        tally.histogram.update(round(value, 1) for value in one.valid)
        if one.std is not None:
            tally.std_sum += one.std
            tally.std_count += 1


def _pair(found: Picked, picker: str) -> Pair:
    chosen, rejected = found.chosen.candidate, found.rejected.candidate
    return Pair(
        prompt=chosen.prompt,
        chosen=chosen.text,
        rejected=rejected.text,
        chosen_id=chosen.id,
        rejected_id=rejected.id,
        reward_chosen=found.chosen.reward,
        reward_rejected=found.rejected.reward,
        margin=found.margin,
        round=max(chosen.round, rejected.round),
        policy=policy_of(chosen.model, rejected.model),
        judge=found.chosen.judge,
        picker=picker,
    )
