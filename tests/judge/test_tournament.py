"""Claim: a round robin finds the order of answers, and neither bias nor silence gives one."""

from __future__ import annotations

from itertools import permutations

import pytest
from tests.judge.asking import Model, Says, refused

from selfsown.judge.base import Item
from selfsown.judge.pairwise import Pairwise
from selfsown.judge.tournament import round_robin

ANSWERS = ("ant", "bee", "cat", "dog")


def shown(text: str, letter: str) -> str:
    return text.split(f"<answer_{letter}>\n")[1].split(f"\n</answer_{letter}>")[0]


def by_order(better_first: str) -> Says:
    """Prefers the answer that comes earlier in a string of first letters."""
    return lambda text, _: (
        "Verdict: A"
        if better_first.index(shown(text, "a")[0]) < better_first.index(shown(text, "b")[0])
        else "Verdict: B"
    )


async def standings(says: Says, answers: tuple[str, ...] = ANSWERS) -> list[float | None]:
    items = [Item(prompt="Name an animal.", answer=answer) for answer in answers]
    return [one.value for one in await round_robin(Model(says), Pairwise(), items)]


@pytest.mark.parametrize("order", permutations("abcd"))
async def test_scores_follow_the_order_that_the_judge_has_in_mind(order: tuple[str, ...]) -> None:
    scores = await standings(by_order("".join(order)))
    # the best wins all 3 contests, the next 2 of 3, and so on
    assert scores == [pytest.approx((3 - order.index(one[0])) / 3) for one in ANSWERS]


async def test_each_pair_is_asked_in_both_orders_once() -> None:
    model = Model(by_order("abcd"))
    items = [Item(prompt="p", answer=answer) for answer in ANSWERS]
    found = await round_robin(model, Pairwise(), items)
    assert len(model.asked) == 4 * 3
    assert [len(one.parts) for one in found] == [3, 3, 3, 3]


async def test_a_judge_of_places_leaves_all_answers_equal() -> None:
    assert await standings(lambda *_: "Verdict: A") == [0.5] * 4


async def test_answers_whose_contests_cannot_be_judged_are_missing() -> None:
    assert await standings(refused) == [None] * 4

    def shy_of_dogs(text: str, sample: int) -> str:
        about_dog = "dog" in (shown(text, "a"), shown(text, "b"))
        return "I like dogs." if about_dog else str(by_order("abcd")(text, sample))

    assert await standings(shy_of_dogs) == [1.0, 0.5, 0.0, None]
    assert await standings(by_order("abcd"), ("ant",)) == [None]
