"""Which instructions stand as examples in a prompt.

Two kinds: the demonstrations of a list prompt, drawn anew from the pool each time, and the worked
seed tasks of the other prompts (`choose_shots`), chosen once per run: their prompts share a prefix.
All choices are over lists in a fixed order with a generator of the run: reproducible, unlike the
released code's sampling of sets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, Protocol

from selfsown.recipes.grounded.reader import Passage
from selfsown.recipes.seeds.task import SeedTask
from selfsown.recipes.self_instruct.layouts import Shots
from selfsown.recipes.self_instruct.options import Options

_TRIES: Final = 64
"""Draws per place before the least crowded one seen is taken."""


@dataclass(frozen=True, slots=True)
class Member:
    """An instruction of the task pool."""

    id: str
    """`seed:<seed id>`, or the id of the accepted candidate."""
    instruction: str
    depth: int
    """Longest chain of parents back to a human seed; 0 for seeds."""
    passage: Passage | None = None
    """Of a document, from which it was made."""

    @property
    def shown(self) -> str:
        """The passage as prompts show it; empty without one."""
        return "" if self.passage is None else self.passage.text.strip()


class Sampler(Protocol):
    """Draws the demonstrations of one list prompt."""

    def add(self, member: Member) -> None:
        """Learn of a new pool instruction; seeds first, then in order of acceptance."""

    def sample(
        self, members: Sequence[Member], count: int, chosen: Sequence[Member], rng: Random
    ) -> list[Member]:
        """`count` different members (all, if fewer) beside the `chosen` ones of the same prompt."""


class UniformSampler:
    """Every instruction alike, as published: what is frequent in the pool feeds itself."""

    def add(self, member: Member) -> None:
        """Nothing to learn."""

    def sample(
        self, members: Sequence[Member], count: int, chosen: Sequence[Member], rng: Random
    ) -> list[Member]:
        """A uniform sample without replacement."""
        return rng.sample(members, min(count, len(members)))


class SpreadSampler:
    """Weight inverse to the density of an instruction's neighbourhood, with caps per prompt.

    At most `max_per_opening` demonstrations of a prompt share their first two words, and at most
    `max_per_verb_noun` their root verb and its object. A member is drawn uniformly and kept with
    the probability of its weight, which costs the same for every pool size; if nothing fits after
    64 draws, the best seen is taken, so a prompt is never short of demonstrations.
    """

    def __init__(self, max_per_opening: int, max_per_verb_noun: int, strength: float) -> None:
        """An empty sampler; `strength` is the power of the inverse density."""
        from selfsown.curate.clusters import DensityIndex

        self._density = DensityIndex()
        self._index: dict[str, int] = {}
        self._traits: dict[str, tuple[str, str | None]] = {}
        self._caps = (max_per_opening, max_per_verb_noun)
        self._strength = strength

    def add(self, member: Member) -> None:
        """Place the instruction among its neighbours."""
        self._index[member.id] = self._density.add(member.instruction)
        self._traits[member.id] = _traits(member.instruction)

    def sample(
        self, members: Sequence[Member], count: int, chosen: Sequence[Member], rng: Random
    ) -> list[Member]:
        """A weighted sample without replacement under the caps, as far as they can be kept."""
        free = len(members)
        picked: list[Member] = []
        taken = {member.id for member in chosen}
        used = Counter(trait for member in chosen for trait in enumerate(self._traits[member.id]))
        while len(picked) < min(count, free):
            member = self._next(members, taken, used, rng)
            picked.append(member)
            taken.add(member.id)
            used.update(enumerate(self._traits[member.id]))
        return picked

    def _next(
        self,
        members: Sequence[Member],
        taken: set[str],
        used: Counter[tuple[int, str | None]],
        rng: Random,
    ) -> Member:
        best: tuple[bool, float] = (False, -1.0)
        fallback: Member | None = None
        for _ in range(_TRIES):
            member = members[rng.randrange(len(members))]
            if member.id in taken:
                continue
            weight = self._density.weight(self._index[member.id]) ** self._strength
            fits = all(
                value is None or used[part, value] < self._caps[part]
                for part, value in enumerate(self._traits[member.id])
            )
            if fits and rng.random() < weight:
                return member
            if (fits, weight) > best:
                best, fallback = (fits, weight), member
        if fallback is not None:
            return fallback
        return rng.choice([member for member in members if member.id not in taken])


def make_sampler(options: Options) -> Sampler:
    """The sampler that option `demonstrations_from` names."""
    if options.demonstrations_from == "uniform":
        return UniformSampler()
    return SpreadSampler(
        options.max_per_opening, options.max_per_verb_noun, options.spread_strength
    )


def list_demonstrations(
    sampler: Sampler,
    human: Sequence[Member],
    machine: Sequence[Member],
    options: Options,
    rng: Random,
) -> list[Member]:
    """The demonstrations of one list prompt, shuffled (section 2.2).

    2 of 8 are machine-made as soon as there are 2; before that seeds take their places. With few
    seeds the prompt has fewer demonstrations rather than more machine-made ones.
    """
    made_count = min(options.machine_demonstrations, options.demonstrations, len(machine))
    made = sampler.sample(machine, made_count, (), rng)
    chosen = sampler.sample(human, options.demonstrations - len(made), made, rng) + made
    rng.shuffle(chosen)
    return chosen


def choose_shots(
    seeds: Sequence[SeedTask], options: Options, rng_for_prompt: Callable[[str], Random]
) -> Shots:
    """The worked seed tasks of the prompts that stay the same over a run.

    Kinds are balanced as far as the seeds go: yes and no for the question; with and without input
    for input first. Seeds that do not say whether they are classification stand only input first.
    """
    seeds = _short_enough(seeds, options.max_shot_bytes)
    worked = [seed for seed in seeds if seed.instances]
    yes = [seed for seed in seeds if seed.is_classification is True]
    no = [seed for seed in seeds if seed.is_classification is False]
    free = [seed for seed in worked if seed.is_classification is not True]
    bare = [seed for seed in free if not _has_input(seed)]
    with_input = [seed for seed in free if _has_input(seed)]
    bare_count = round(options.input_first_demonstrations * options.without_input_rate)
    return Shots(
        classification=_mixed(
            (yes, options.classification_yes),
            (no, options.classification_no),
            rng_for_prompt("classification"),
        ),
        input_first=_mixed(
            (with_input, options.input_first_demonstrations - bare_count),
            (bare, bare_count),
            rng_for_prompt("input_first"),
        ),
        output_first=_mixed(
            (
                [seed for seed in worked if seed.is_classification],
                options.output_first_demonstrations,
            ),
            ([], 0),
            rng_for_prompt("output_first"),
        ),
        answer=tuple(
            _mixed(
                (worked, options.answer_demonstrations), ([], 0), rng_for_prompt(f"answer-{number}")
            )
            for number in range(options.answer_votes)
        ),
    )


def _mixed(
    first: tuple[Sequence[SeedTask], int], second: tuple[Sequence[SeedTask], int], rng: Random
) -> tuple[SeedTask, ...]:
    """So many of each kind, evenly interleaved: dropping from the end keeps the balance."""
    ranked: list[tuple[float, SeedTask]] = []
    for tasks, count in (first, second):
        chosen = rng.sample(tasks, min(count, len(tasks)))
        ranked += [((k + 0.5) / len(chosen), task) for k, task in enumerate(chosen)]
    return tuple(task for _, task in sorted(ranked, key=lambda pair: pair[0]))


def _short_enough(seeds: Sequence[SeedTask], limit: int) -> Sequence[SeedTask]:
    """The seeds whose worked text has at most `limit` bytes; all seeds if none has."""
    return [seed for seed in seeds if _worked_bytes(seed) <= limit] or seeds


def _worked_bytes(seed: SeedTask) -> int:
    texts = [seed.instruction, *(text for i in seed.instances for text in (i.input, i.output))]
    return sum(len(text.encode()) for text in texts)


def _has_input(seed: SeedTask) -> bool:
    return any(instance.input.strip() for instance in seed.instances)


def _traits(instruction: str) -> tuple[str, str | None]:
    """(first two words, root verb and object or None), lower case."""
    from selfsown.curate.openings import opening, root_verb_noun

    verb, noun = root_verb_noun(instruction)
    return opening(instruction, 2), f"{verb} {noun}" if verb and noun else None
