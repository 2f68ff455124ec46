"""A judge's own judgements as examples to train it on, where people agree with their order.

Nobody has to write justifications: a model grades answers that people ranked, and what it wrote is
kept for a prompt only if its scores put the answers in the people's order. A part of the prompts is
held out, as labels for `selfsown judge calibrate`, on which a trained judge is measured.

Source: Self-Rewarding Language Models (arXiv:2401.10020, "EFT seed data" of section 3.1).
Differs from the paper, which leaves these open:
1. Answers that people ranked apart need different scores: a tie does not agree with an order.
   Answers that people ranked alike may have any.
2. A judge with several samples is taken at the first sample whose scores, one for each answer,
   agree; so each answer gives one example at most. A sample with a score that cannot be read does
   not agree.
3. The most frequent score is down-sampled, at random, to the number of the second most frequent.
4. What was written behind the score is cut off. Without reasons before it, it is no example.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from random import Random
from typing import Final, Literal

from selfsown.core.errors import CheckFailed, ConfigError, InputError
from selfsown.core.randomness import rng_for
from selfsown.export.split import Split
from selfsown.judge.base import Judge, Judgement, Scale
from selfsown.judge.labels import Label
from selfsown.judge.scores import parse_score
from selfsown.judge.verdicts import compares

HELD_OUT: Final = 0.25
"""Share of the prompts that is held out: 541 of 2,171 examples in the paper."""
WHYS: Final[Mapping[str, str]] = {
    "unread": "a score of the prompt's answers could not be read, in any sample",
    "order": "the scores are not in the people's order, in any sample",
    "no_reasons": "fewer than three words, the score among them",
    "most_frequent_score": "down-sampled, so that one score does not rule",
}
"""Why a judgement gives no example -> in words."""

_LEAST_WORDS: Final = 3
"""`Final score: 2` has two."""
_WORD: Final = re.compile(r"[^\W\d_]+")
Why = Literal["unread", "order", "no_reasons", "most_frequent_score"]


@dataclass(frozen=True, slots=True)
class Ranking:
    """A prompt with answers that people ranked, not all of them alike."""

    id: str
    answers: tuple[Label, ...]
    """Scores; in the order of the file."""
    labels: tuple[Label, ...]
    """What people said of them: the same scores, or the pair that the two answers were."""

    @property
    def prompt(self) -> str:
        """What all of them answer."""
        return self.answers[0].item.prompt

    def rank(self, answer: Label) -> int:
        """How many answers are better; 0 for the best."""
        return sum(one.human > answer.human for one in self.answers)


@dataclass(frozen=True, slots=True)
class Example:
    """A judgement to learn."""

    answer: Label
    group: str
    human_rank: int
    score: float
    text: str
    """Reasons and score, as the judge wrote them."""
    sample: int
    """Which of the judge's samples it is."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A judgement that is none."""

    answer: Label
    group: str
    human_rank: int
    scores: tuple[float | None, ...]
    """Of every sample."""
    why: Why


@dataclass(frozen=True, slots=True)
class Found:
    """What the judgements of some rankings come to: each is an example or left out."""

    examples: tuple[Example, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def by_why(self) -> Counter[str]:
        """Why judgements were left out -> how many."""
        return Counter(one.why for one in self.left_out)

    @property
    def by_score(self) -> Counter[float]:
        """Score -> examples."""
        return Counter(one.score for one in self.examples)


def check_samples(judge: Judge) -> None:
    """Refuse a judge that writes no reasons with a score for a single answer.

    Raises:
        ConfigError: it is such a one.
    """
    if not judge.roles or "samples" not in judge.options or compares(judge):
        raise ConfigError(
            f"judge `{judge.name}` writes no reasons with a score for one answer",
            why="an example is a rubric with an answer, and what the judge wrote about it",
            fix="--judge rubric",
        )


def rankings(labels: Sequence[Label]) -> list[Ranking]:
    """The prompts with at least two answers that people ranked apart, in the order of the file.

    A pair is two answers, unless people called it a tie.

    Raises:
        InputError: there is none.
    """
    groups: dict[tuple[str, str, str], list[Label]] = defaultdict(list)
    for label in labels:
        pair = "" if label.item.rival is None else label.id
        groups[label.group, label.item.prompt, pair].append(label)
    made = [_ranking(*key, members) for key, members in groups.items()]
    found = [one for one in made if len({answer.human for answer in one.answers}) > 1]
    if not found:
        raise InputError(
            f"no prompt of {len(groups)} has two answers that people ranked apart",
            why="a judgement is kept if its scores put the answers to a prompt in their order",
            fix="give several rows with the same `prompt`, each with an `answer` and a `label` or"
            " `rank`, or pairs with `a`, `b` and `label`",
        )
    return found


def apart(found: Sequence[Ranking], known: Iterable[str]) -> list[Ranking]:
    """The rankings of prompts that are not known, but for white space.

    Args:
        found: all of them.
        known: prompts that something else is trained on: an answer that is learnt there would be
            judged as any other here.

    Raises:
        InputError: none is left.
    """
    texts = {" ".join(text.split()) for text in known}
    left = [one for one in found if " ".join(one.prompt.split()) not in texts]
    if not left:
        raise InputError(
            f"all {len(found)} prompts with ranked answers are in the files to keep apart from",
            why="what a model learns to answer is not what it learns to judge",
            fix="rank answers to other prompts, or drop `--without`",
        )
    return left


def split(
    found: Sequence[Ranking], share: float = HELD_OUT, *, seed: int = 0
) -> tuple[list[Ranking], list[Ranking]]:
    """Rankings to make examples of, and held-out ones; no prompt is on both sides.

    Args:
        found: all of them.
        share: of the rankings that are held out, in [0, 1); 0 holds none out.
        seed: another seed, another choice.

    Raises:
        InputError: the share is out of range, or there are not two different prompts to split.
    """
    prompts = [one.prompt for one in found]
    if share and len(set(prompts)) < 2:
        raise InputError(
            "one prompt cannot be on both sides",
            why="a judge is measured on prompts that it was not trained on",
            fix="give more prompts with ranked answers, or hold none out with `--held-out 0`",
        )
    sides = Split(prompts, share, seed)
    train = [one for one in found if not sides.is_validation(one.prompt)]
    held_out = [one for one in found if sides.is_validation(one.prompt)]
    return train, held_out


def examples(
    found: Sequence[Ranking], judgements: Mapping[str, Judgement], scale: Scale, *, seed: int = 0
) -> Found:
    """The judgements that agree with people, as examples.

    Args:
        found: the rankings whose answers were judged.
        judgements: id of an answer -> its judgement, whose parts are the judge's samples; one that
            is not there counts as unread.
        scale: of the scores.
        seed: of the down-sampling.

    Raises:
        CheckFailed: all scores that could be read, or that agree, are one number, or nothing is
            left.
    """
    kept: list[Example] = []
    left_out: list[LeftOut] = []
    for ranking in found:
        more, rest = _of_ranking(ranking, judgements, scale)
        kept += more
        left_out += rest
    _refuse_one_score(_read(found, judgements))
    _refuse_one_score([one.score for one in kept])
    kept, frequent = _down_sampled(kept, rng_for(seed, "eft"))
    left_out += [_left_out(one, judgements) for one in frequent]
    result = Found(tuple(kept), tuple(left_out))
    if not kept:
        whys = ", ".join(f"`{why}` {count}" for why, count in sorted(result.by_why.items()))
        raise CheckFailed(
            f"none of the judge's {len(left_out)} judgements gives an example: {whys}",
            why="examples are judgements with reasons whose scores put the answers to a prompt in"
            " the order in which people ranked them",
            fix="take more samples (`--set samples=8`), more prompts, or a model that follows the"
            " rubric better: `unread` asks for a larger `max_tokens`, `order` for a better judge",
        )
    return result


def trained_text(text: str, score: float, scale: Scale) -> str | None:
    """What of a judge's answer is learnt: all of it up to its score; None without reasons.

    Args:
        text: what the judge wrote, perhaps cut off.
        score: what was read from it.
        scale: of the score.
    """
    lines = text.rstrip().split("\n")
    ends = [number for number, line in enumerate(lines, 1) if parse_score(line, scale) == score]
    kept = "\n".join(lines[: max(ends, default=len(lines))]).rstrip()
    if parse_score(kept, scale) != score:
        kept = text.rstrip()  # the number stands on a line of its own, below "Score:"
    is_read = parse_score(kept, scale) == score
    return kept if is_read and len(_WORD.findall(kept)) >= _LEAST_WORDS else None


def _ranking(group: str, prompt: str, pair: str, labels: Sequence[Label]) -> Ranking:
    name = _group_id(group, prompt)
    answers = tuple(answer for label in labels for answer in _alone(label))
    return Ranking(f"{name}#{pair}" if pair else name, answers, tuple(labels))


def _alone(label: Label) -> Iterator[Label]:
    """The answers of a label, each with its place in people's order."""
    if label.item.rival is None:
        yield label
        return
    item = replace(label.item, rival=None)
    yield replace(label, id=f"{label.id}#a", item=item)
    rival = replace(item, answer=label.item.rival)
    yield replace(label, id=f"{label.id}#b", item=rival, human=1.0 - label.human)


def _group_id(group: str, prompt: str) -> str:
    """The name that the file gives; a hash where it gives none, so that the group is the prompt."""
    if group != prompt:
        return group
    return "g-" + hashlib.blake2b(prompt.encode(), digest_size=8).hexdigest()


def _of_ranking(
    ranking: Ranking, judgements: Mapping[str, Judgement], scale: Scale
) -> tuple[list[Example], list[LeftOut]]:
    """Examples of the first sample that agrees, and what it leaves out; else all left out."""
    told = [judgements.get(one.id) for one in ranking.answers]
    parts = [one.parts if one is not None else () for one in told]
    read = False
    for sample, row in enumerate(zip(*parts, strict=False)):
        scores = [part.value for part in row]
        known = [score for score in scores if score is not None]
        read = read or len(known) == len(scores)
        if len(known) == len(scores) and _agree(ranking, known):
            texts = [
                trained_text(part.raw, score, scale) for part, score in zip(row, known, strict=True)
            ]
            return _examples(ranking, known, texts, sample, judgements)
    why: Why = "order" if read else "unread"
    return [], [_gone(ranking, one, judgements, why) for one in ranking.answers]


def _agree(ranking: Ranking, scores: Sequence[float]) -> bool:
    """Whether of any two answers that people ranked apart the better one has the higher score."""
    pairs = combinations(zip(ranking.answers, scores, strict=True), 2)
    return all(
        one.human == other.human or _sign(score - rival) == _sign(one.human - other.human)
        for (one, score), (other, rival) in pairs
    )


def _sign(difference: float) -> int:
    return (difference > 1e-9) - (difference < -1e-9)


def _examples(
    ranking: Ranking,
    scores: Sequence[float],
    texts: Sequence[str | None],
    sample: int,
    judgements: Mapping[str, Judgement],
) -> tuple[list[Example], list[LeftOut]]:
    kept, left_out = [], []
    for answer, score, text in zip(ranking.answers, scores, texts, strict=True):
        if text is None:
            left_out.append(_gone(ranking, answer, judgements, "no_reasons"))
        else:
            rank = ranking.rank(answer)
            kept.append(Example(answer, ranking.id, rank, score, text, sample))
    return kept, left_out


def _gone(
    ranking: Ranking, answer: Label, judgements: Mapping[str, Judgement], why: Why
) -> LeftOut:
    scores = _scores(answer, judgements)
    return LeftOut(answer, ranking.id, ranking.rank(answer), scores, why)


def _left_out(one: Example, judgements: Mapping[str, Judgement]) -> LeftOut:
    scores = _scores(one.answer, judgements)
    return LeftOut(one.answer, one.group, one.human_rank, scores, "most_frequent_score")


def _scores(answer: Label, judgements: Mapping[str, Judgement]) -> tuple[float | None, ...]:
    told = judgements.get(answer.id)
    return () if told is None else tuple(part.value for part in told.parts)


def _down_sampled(kept: Sequence[Example], rng: Random) -> tuple[list[Example], list[Example]]:
    """Examples of which no score has more than the second most frequent; and the ones taken out."""
    counts = Counter(one.score for one in kept).most_common(2)
    if len(counts) < 2:
        return list(kept), []
    (score, most), (_, second) = counts
    places = [place for place, one in enumerate(kept) if one.score == score]
    gone = set(rng.sample(places, most - second))
    return (
        [one for place, one in enumerate(kept) if place not in gone],
        [one for place, one in enumerate(kept) if place in gone],
    )


def _refuse_one_score(scores: Sequence[float]) -> None:
    if len(scores) > 1 and len(set(scores)) == 1:
        raise CheckFailed(
            f"the judge always says {scores[0]:g}, {len(scores)} times",
            why="a judge that is trained on one score learns to say it, whatever it reads",
            fix="sample warmer (`--set temperature=1`), give the rubric a `template` of your own,"
            " or take another model",
        )


def _read(found: Sequence[Ranking], judgements: Mapping[str, Judgement]) -> list[float]:
    """Every score that could be read."""
    answers = [answer for ranking in found for answer in ranking.answers]
    said = [score for answer in answers for score in _scores(answer, judgements)]
    return [score for score in said if score is not None]
