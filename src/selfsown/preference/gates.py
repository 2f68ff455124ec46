"""What is checked between the stages of a preference recipe, before any training time is spent.

Two kinds. *Faults* are errors whatever the config says: numbers of answers or judgements that
differ between stages, no pairs at all, prompts that two iterations share, a judge that never can be
read or always says the same. *Floors* are numbers below which a round is rarely worth training on:
missing the floor of yield refuses the round, missing one of the others warns, or refuses if the
config says so.

Yield is the early symptom: without judge training, when scores pile up at one value, Self-Rewarding
Language Models (arXiv:2401.10020) had 541 pairs instead of 3,964. The paper gives no floors; these
are ours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from selfsown.core.errors import CheckFailed, ConfigError, InputError, TooFewRecords
from selfsown.preference.pairing import Pairing, Tally
from selfsown.preference.records import Pair, Prompt, plain_text

Breach = Literal["warn", "refuse"]

LEAST_JUDGEMENTS: Final = 8
"""Judgements below which a judge that said one thing only is not called constant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Floors:
    """Bounds of what a round has to reach; all in [0, 1]."""

    parse_rate: float = 0.8
    """Least part of the judgements that can be read."""
    tie_rate: float = 0.6
    """Largest part of the comparable prompts whose candidates are all equally good."""
    pair_yield: float = 0.1
    """Least pairs per prompt, else there is no training."""
    on_breach: Breach = "warn"
    """What missing one of the first two means."""

    def __post_init__(self) -> None:
        """Refuse bounds that are no rates."""
        for name in ("parse_rate", "tie_rate", "pair_yield"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ConfigError(
                    f"`{name}` is {value}",
                    why="it bounds a rate, which lies between 0 and 1",
                    fix="give a part of all, for example 0.8",
                )


@dataclass(frozen=True, slots=True)
class Warned:
    """A floor that a round missed."""

    floor: str
    """`parse_rate`, `tie_rate` or `pair_yield`."""
    what: str
    why: str
    fix: str


def check_pairing(pairing: Pairing, floors: Floors | None = None) -> list[Warned]:
    """Refuse a round whose pairs are not worth training on.

    Returns:
        The floors that were missed, where that only warns; for the record of the round.

    Raises:
        CheckFailed: the yield is below its floor, another floor was missed and `on_breach` refuses,
            or the judge is no judge.
        TooFewRecords: there are no pairs.
    """
    floors = floors or Floors()
    tally = pairing.tally
    check_judge(tally)
    check_some_pairs(pairing.pairs, tally.dropped)
    missed = list(_missed(tally, floors))
    if missed and (floors.on_breach == "refuse" or missed[-1].floor == "pair_yield"):
        what = "; ".join(one.what for one in missed)
        raise CheckFailed(what, why=missed[0].why, fix=missed[0].fix)
    return missed


def check_judge(tally: Tally) -> None:
    """Make sure that somebody judged.

    Raises:
        CheckFailed: no judgement could be read, or all of them, at least 8, are one number.
    """
    if tally.judgements and not tally.parsed:
        raise CheckFailed(
            f"not one of {tally.judgements} judgements could be read",
            why="without scores there is no better and no worse answer, hence no pair",
            fix="read some of the judge's texts; give it more tokens, or another rubric or model",
        )
    if len(tally.histogram) == 1 and tally.parsed >= LEAST_JUDGEMENTS:
        only = next(iter(tally.histogram))
        raise CheckFailed(
            f"the judge said {only:g} in all of {tally.parsed} judgements",
            why="a judge that always says the same prefers nothing, so every prompt is a tie",
            fix="use an additive rubric, a stronger judge, or a program that checks the answers",
        )


def check_some_pairs(pairs: Sequence[Pair], dropped: Mapping[str, int]) -> None:
    """Make sure that there is something to train on.

    Raises:
        TooFewRecords: there are no pairs; names the reasons.
    """
    if pairs:
        return
    reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(dropped.items()))
    raise TooFewRecords(
        f"there are no pairs: {reasons or 'there were no prompts'}",
        why="training on no pairs would hand the same model on as if it had learnt",
        fix="see what was dropped and why; more answers per prompt or more judgements of each"
        " leave fewer ties",
    )


def check_disjoint(
    iterations: Mapping[str, Collection[Prompt]], declared: Collection[Prompt] | None = None
) -> None:
    """Make sure that no prompt is used in two iterations, by id or by what it says.

    Args:
        iterations: name of an iteration -> its prompts.
        declared: all prompts that there are; None: whatever the iterations have.

    Raises:
        CheckFailed: two iterations share prompts, one has a prompt twice or that is not declared.
    """
    known = None if declared is None else {identity(one) for one in declared}
    seen_texts: dict[tuple[str, str, str], str] = {}
    seen_ids: dict[str, str] = {}
    clashes: list[tuple[Prompt, str, str]] = []
    strangers: list[tuple[Prompt, str]] = []
    for name, prompts in iterations.items():
        for prompt in prompts:
            text = identity(prompt)
            first = seen_texts.get(text) or seen_ids.get(prompt.id)
            if first is not None:
                clashes.append((prompt, first, name))
            seen_texts[text] = seen_ids[prompt.id] = name
            if known is not None and text not in known:
                strangers.append((prompt, name))
    if clashes:
        prompt, first, second = clashes[0]
        pairs = Counter((first, second) for _, first, second in clashes)
        where = ", ".join(f"`{a}` and `{b}` {count}" for (a, b), count in pairs.items())
        raise CheckFailed(
            f"prompt `{prompt.id}` is in `{first}` and in `{second}`; shared prompts: {where}",
            why="a prompt that was trained on in one iteration is no fresh one in the next",
            fix="split the prompts once, without repeats, before the first iteration",
        )
    if strangers:
        prompt, name = strangers[0]
        raise CheckFailed(
            f"prompt `{prompt.id}` of `{name}` is not declared, as are {len(strangers) - 1} others",
            why="the prompts of all iterations together are a part of the declared ones",
            fix="add it to the declared set, or take the iterations' prompts from there",
        )


def check_judges_differ(training: str, evaluating: str, *, allow_equal: bool = False) -> None:
    """Make sure that the judge whose scores are trained on is not the one that evaluates.

    Raises:
        InputError: they are the same and the config does not say that they may be.
    """
    if training == evaluating and not allow_equal:
        raise InputError(
            f"`{training}` scores the pairs and evaluates the model that is trained on them",
            why="a model that learns to please a judge looks better to that judge, and to no other",
            fix="name another judge for the evaluation, or allow this one there explicitly",
        )


def _missed(tally: Tally, floors: Floors) -> Iterator[Warned]:
    """The floors that were missed; that of yield last, since the others are what lowers it."""
    if tally.parse_rate is not None and tally.parse_rate < floors.parse_rate:
        yield Warned(
            "parse_rate",
            f"{tally.parse_rate:.0%} of {tally.judgements} judgements could be read, the floor"
            f" is {floors.parse_rate:.0%}",
            "what cannot be read is missing, and what is left may be the easy part",
            "read some of the judge's texts; give it more tokens or a clearer last line",
        )
    if tally.tie_rate is not None and tally.tie_rate > floors.tie_rate:
        yield Warned(
            "tie_rate",
            f"{tally.tie_rate:.0%} of {tally.comparable} prompts are ties, the bound is"
            f" {floors.tie_rate:.0%}",
            "scores that pile up at one value say that the judge no longer tells answers apart",
            "more judgements per answer, a finer rubric, or another judge",
        )
    if tally.pair_yield is not None and tally.pair_yield < floors.pair_yield:
        yield Warned(
            "pair_yield",
            f"pairs of {tally.prompts} prompts: {tally.pairs} ({tally.pair_yield:.0%}), the floor"
            f" is {floors.pair_yield:.0%}",
            "the few prompts that still give pairs are not like the others",
            "see the reasons of what was dropped; a smaller `min_margin` drops less",
        )


def identity(prompt: Prompt) -> tuple[str, str, str]:
    """What a prompt says, white space apart: equal for prompts that ask the same."""
    return plain_text(prompt.text), plain_text(prompt.input), plain_text(prompt.system)
