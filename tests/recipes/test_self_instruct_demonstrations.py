"""Demonstrations are reproducible, of the published mix, and `spread` keeps clusters small."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.recipes.gardener import WORDS, instruction

from selfsown.core.randomness import rng_for
from selfsown.curate.openings import opening, root_verb_noun
from selfsown.recipes.seeds.task import Instance, SeedTask
from selfsown.recipes.self_instruct.demonstrations import (
    Member,
    Sampler,
    SpreadSampler,
    UniformSampler,
    choose_shots,
    list_demonstrations,
)
from selfsown.recipes.self_instruct.options import Options

HUMAN = [Member(f"seed:{k}", instruction(Random(k)), 0) for k in range(30)]
MACHINE = [Member(f"r-{k}", instruction(Random(1000 + k)), 1) for k in range(30)]


def filled(sampler: Sampler, members: list[Member]) -> Sampler:
    for member in members:
        sampler.add(member)
    return sampler


def both() -> list[Sampler]:
    return [
        filled(sampler, HUMAN + MACHINE) for sampler in (UniformSampler(), SpreadSampler(2, 1, 2.0))
    ]


@pytest.mark.parametrize(("made", "mix"), [(0, (8, 0)), (1, (7, 1)), (2, (6, 2)), (30, (6, 2))])
def test_the_mix_goes_from_eight_human_over_seven_to_six(made: int, mix: tuple[int, int]) -> None:
    for sampler in both():
        for draw in range(20):
            chosen = list_demonstrations(
                sampler, HUMAN, MACHINE[:made], Options(), rng_for(1, "d", draw)
            )
            human = sum(member.depth == 0 for member in chosen)
            assert (human, len(chosen) - human) == mix
            assert len({member.id for member in chosen}) == 8


def test_the_same_draw_is_the_same_prompt_and_another_draw_is_not() -> None:
    for sampler in both():
        draws = [
            [
                m.id
                for m in list_demonstrations(sampler, HUMAN, MACHINE, Options(), rng_for(1, "d", k))
            ]
            for k in (0, 1, 0)
        ]
        assert draws[0] == draws[2] != draws[1]


def test_demonstrations_are_shuffled() -> None:
    places: Counter[int] = Counter()
    for draw in range(300):
        chosen = list_demonstrations(
            UniformSampler(), HUMAN, MACHINE, Options(), rng_for(1, "d", draw)
        )
        places.update(k for k, member in enumerate(chosen) if member.depth)
    assert min(places[k] for k in range(8)) > 40  # 600 places over 8 positions: 75 expected


@given(st.integers(0, 6), st.integers(0, 6), st.integers(0, 9))
def test_small_pools_give_shorter_prompts_without_repeats(
    human: int, machine: int, draw: int
) -> None:
    for sampler in both():
        chosen = list_demonstrations(
            sampler, HUMAN[:human], MACHINE[:machine], Options(), rng_for(1, "d", draw)
        )
        assert len(chosen) == len({member.id for member in chosen}) == human + min(2, machine)


def test_uniform_draws_every_member_alike() -> None:
    counts: Counter[str] = Counter()
    for draw in range(3000):
        counts.update(m.id for m in UniformSampler().sample(HUMAN, 6, (), rng_for(2, "u", draw)))
    expected = 3000 * 6 / 30  # 600; standard deviation about 22
    assert all(abs(counts[member.id] - expected) < 110 for member in HUMAN)


def crowded(share: float, size: int = 200) -> list[Member]:
    """A pool in which a share of the instructions opens with "Create a"."""
    rng = Random(5)
    made = []
    for k in range(size):
        text = instruction(rng)
        if k < share * size:
            text = f"Create a {' '.join(rng.sample(WORDS, 4))} again."
        made.append(Member(f"r-{k}", text, 1))
    rng.shuffle(made)
    return made


def test_defect_9_spread_gives_a_crowded_opening_much_less_room_than_uniform() -> None:
    pool = crowded(0.5)
    shares = {}
    for name, sampler in (("uniform", UniformSampler()), ("spread", SpreadSampler(2, 1, 2.0))):
        filled(sampler, pool)
        picked = [
            member.instruction.startswith("Create a")
            for draw in range(400)
            for member in sampler.sample(pool, 2, (), rng_for(3, name, draw))
        ]
        shares[name] = sum(picked) / len(picked)
    assert abs(shares["uniform"] - 0.5) < 0.06
    assert shares["spread"] < 0.3 * shares["uniform"]


def test_spread_keeps_its_caps_within_a_prompt() -> None:
    human = [Member(f"seed:c{k}", f"Create a poem about {WORDS[k]}.", 0) for k in range(10)]
    pool = human + HUMAN + crowded(0.3)
    sampler = filled(SpreadSampler(2, 1, 2.0), pool)
    for draw in range(100):
        chosen = list_demonstrations(
            sampler, human + HUMAN, crowded(0.3), Options(), rng_for(4, "c", draw)
        )
        openings = Counter(opening(member.instruction, 2) for member in chosen)
        pairs = Counter(
            pair for member in chosen if all(pair := root_verb_noun(member.instruction))
        )
        assert max(openings.values()) <= 2 and max(pairs.values(), default=0) <= 1


def test_spread_fills_a_prompt_even_where_the_caps_cannot_be_kept() -> None:
    alike = [Member(f"r-{k}", f"Create a poem about {word}.", 1) for k, word in enumerate(WORDS)]
    sampler = filled(SpreadSampler(1, 1, 2.0), alike)
    assert len(sampler.sample(alike, 8, (), rng_for(5, "x", 0))) == 8


# -- worked examples of the other prompts


def task(k: int, *, label: bool | None, bare: bool = False, size: int = 10) -> SeedTask:
    return SeedTask(
        f"t{k}", "", f"Do thing {k}.", (Instance("" if bare else "x" * size, "y"),), label
    )


def rng(prompt: str) -> Random:
    return rng_for(7, prompt)


def test_shots_are_balanced_and_every_prefix_nearly_so() -> None:
    seeds = [task(k, label=k % 2 == 0) for k in range(60)]
    shots = choose_shots(seeds, Options(classification_yes=12, classification_no=19), rng)
    labels = [seed.is_classification for seed in shots.classification]
    assert (labels.count(True), labels.count(False)) == (12, 19)
    for end in range(4, 32):
        assert abs(labels[:end].count(True) - end * 12 / 31) <= 1.5


def test_shots_take_what_the_seeds_have() -> None:
    seeds = [task(k, label=k == 0) for k in range(5)]
    shots = choose_shots(seeds, Options(), rng)
    assert len(shots.classification) == 5
    assert [seed.id for seed in shots.output_first] == ["t0"]
    assert all(not seed.is_classification for seed in shots.input_first)


def test_a_seed_that_does_not_say_its_kind_stands_only_input_first() -> None:
    shots = choose_shots([task(k, label=None) for k in range(5)], Options(), rng)
    assert shots.classification == shots.output_first == ()
    assert len(shots.input_first) == 5


def test_input_first_shots_mix_tasks_with_and_without_input() -> None:
    seeds = [task(k, label=False, bare=k % 2 == 0) for k in range(40)]
    shots = choose_shots(seeds, Options(input_first_demonstrations=11), rng)
    bare = [not seed.instances[0].input for seed in shots.input_first]
    assert (len(bare), sum(bare)) == (11, 4)


def test_very_long_seeds_are_no_worked_examples_unless_all_are() -> None:
    seeds = [task(k, label=False, size=5000 if k % 2 else 10) for k in range(20)]
    shots = choose_shots(seeds, Options(), rng)
    assert all(len(seed.instances[0].input) == 10 for seed in shots.input_first)
    long = [task(k, label=False, size=5000) for k in range(4)]
    assert len(choose_shots(long, Options(), rng).input_first) == 4


def test_shots_depend_on_the_run_seed_alone() -> None:
    seeds = [task(k, label=k % 2 == 0, bare=k % 3 == 0) for k in range(60)]
    again = choose_shots(seeds, Options(), rng)
    assert choose_shots(seeds, Options(), rng) == again
    assert choose_shots(seeds, Options(), lambda prompt: rng_for(8, prompt)) != again
