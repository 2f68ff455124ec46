"""From the scored answers of many prompts to their pairs, with a reason for every prompt without.

Prompts in = pairs + drops, always. The numbers that tell early whether a round is worth training on
are counted on the way: how many judgements could be read, how many prompts were ties, how many
became pairs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev

from selfsown.core.errors import ConservationError, InputError
from selfsown.core.request import JSON
from selfsown.preference.pickers import Picked, Picker
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Counts over the prompts of one round; rates are in [0, 1], and None where nothing counts."""

    prompts: int
    pairs: int
    comparable: int
    """Prompts with at least two candidates that have a reward."""
    ties: int
    """Those among them whose rewards are all equal, whatever the picker."""
    dropped: Mapping[str, int]
    """Reason -> prompts, by name."""
    candidates: int
    scored: int
    """Candidates that have a reward."""
    judgements: int
    histogram: Mapping[float, int]
    """What judgements said -> how often; those that could not be read are not in it."""
    mean_std: float
    """Mean standard deviation of the judgements of candidates with more than one that could be
    read; 0.0 where there are none."""
    mean_len_chosen: float | None
    """In characters."""
    mean_len_rejected: float | None

    @property
    def parsed(self) -> int:
        """Judgements that could be read."""
        return sum(self.histogram.values())

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

    def form(self) -> dict[str, JSON]:
        """All numbers as JSON, rates included; values of the histogram to one decimal."""
        histogram: Counter[float] = Counter()
        for value, count in self.histogram.items():
            histogram[round(value, 1)] += count
        return {
            "prompts": self.prompts,
            "pairs": self.pairs,
            "dropped": dict(self.dropped),
            "comparable": self.comparable,
            "ties": self.ties,
            "candidates": self.candidates,
            "scored": self.scored,
            "judgements": self.judgements,
            "parsed": self.parsed,
            "parse_rate": self.parse_rate,
            "tie_rate": self.tie_rate,
            "pair_yield": self.pair_yield,
            "mean_std": self.mean_std,
            "histogram": {f"{value:.15g}": count for value, count in sorted(histogram.items())},
            "mean_len_chosen": self.mean_len_chosen,
            "mean_len_rejected": self.mean_len_rejected,
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
    pairs: list[Pair] = []
    dropped: list[Dropped] = []
    for prompt_id, scored in groups.items():
        found = picker(scored)
        if isinstance(found, Picked):
            pairs.append(pair_from(found, picker.name))
        else:
            able = sum(one.reward is not None for one in scored)
            dropped.append(Dropped(prompt_id, found.reason, found.margin, able))
    return Pairing(tuple(pairs), tuple(dropped), _tally(groups, pairs, dropped))


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


def pair_from(found: Picked, picker: str) -> Pair:
    """The record of a picked pair.

    Args:
        found: the two.
        picker: who picked them.
    """
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
        model_depth=max(chosen.model_depth, rejected.model_depth),
        judge=found.chosen.judge,
        picker=picker,
    )


def _tally(
    groups: Mapping[str, Sequence[Scored]], pairs: Sequence[Pair], dropped: Sequence[Dropped]
) -> Tally:
    candidates = [one for scored in groups.values() for one in scored]
    rewards = [
        [one.reward for one in scored if one.reward is not None] for scored in groups.values()
    ]
    comparable = [values for values in rewards if len(values) >= 2]
    spreads = [pstdev(one.valid) for one in candidates if len(one.valid) > 1]
    return Tally(
        prompts=len(groups),
        pairs=len(pairs),
        comparable=len(comparable),
        ties=sum(max(values) - min(values) <= TOLERANCE for values in comparable),
        dropped=dict(sorted(Counter(one.reason for one in dropped).items())),
        candidates=len(candidates),
        scored=sum(map(len, rewards)),
        judgements=sum(len(one.values) for one in candidates),
        histogram=Counter(value for one in candidates for value in one.valid),
        mean_std=fmean(spreads) if spreads else 0.0,
        mean_len_chosen=fmean(len(one.chosen) for one in pairs) if pairs else None,
        mean_len_rejected=fmean(len(one.rejected) for one in pairs) if pairs else None,
    )
