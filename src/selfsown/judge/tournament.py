"""Several answers to one prompt scored by comparing each with each: a round robin.

An answer's score is its mean preference over its contests, so it lies in [0, 1] and is 0.5 on
average; a contest whose two orders disagree is a tie. With n answers that is n (n - 1) calls and
more where a verdict has to be asked for again; rubric scores are cheaper, comparisons tell close
answers apart better.

Differs from RLHF Workflow (arXiv:2405.07863), which runs a knock-out: that is linear in n, but it
finds only the best answer, where pairs need the worst one, too, and one wrong verdict decides it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

from selfsown.judge.base import UNIT, Asker, Item, Judge, Judgement
from selfsown.judge.pairwise import outcome


async def round_robin(run: Asker, judge: Judge, items: Sequence[Item]) -> list[Judgement]:
    """One judgement per answer, in the order given; its contests are its parts.

    An answer is missing if fewer than half of its contests could be judged, and if it is alone.

    Args:
        run: asks the judge's model.
        judge: a judge of pairs.
        items: answers to one prompt.
    """
    places = list(combinations(range(len(items)), 2))
    contests = await run.gather(
        *(judge.judge(run, replace(items[i], rival=items[j].answer)) for i, j in places)
    )
    parts: list[list[Judgement]] = [[] for _ in items]
    for (i, j), contest in zip(places, contests, strict=True):
        preference = _preference(contest)
        parts[i].append(replace(contest, value=preference))
        parts[j].append(replace(contest, value=None if preference is None else 1.0 - preference))
    return [_standing(contests_of, judge) for contests_of in parts]


def _preference(contest: Judgement) -> float | None:
    """For the first answer; a tie where the orders disagree."""
    return 0.5 if outcome(contest) == "tie" else contest.value


def _standing(contests: Sequence[Judgement], judge: Judge) -> Judgement:
    known = [one.value for one in contests if one.value is not None]
    words = f"{len(known)} of {len(contests)} contests judged"
    if not known or 2 * len(known) < len(contests):
        return Judgement(
            value=None, source=judge.source, reason=f"unparsed: {words}", parts=tuple(contests)
        )
    return Judgement(
        value=math.fsum(known) / len(known),
        source=judge.source,
        scale=UNIT,
        reason=f"mean of contests: {words}",
        parts=tuple(contests),
    )
