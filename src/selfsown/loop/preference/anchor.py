"""The anchor: how well a policy judges labelled answers that nothing is ever trained on.

Where the policy judges itself, its scores may rise while it judges worse; only labels from outside
tell. An answer that cannot be read counts like a tie, one half: it told no two answers apart.

Source: Self-Rewarding Language Models (arXiv:2401.10020, section 3.1) measures pairwise accuracy on
held-out rankings in each round, and acts on none of it.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, Final

import orjson

from selfsown.core.config import difference
from selfsown.core.errors import ConfigChanged, InputError, TooFewRecords
from selfsown.core.request import JSON
from selfsown.core.rundir import write_text
from selfsown.judge.base import Judge
from selfsown.judge.comparisons import final, order, side
from selfsown.judge.labels import Label, read_labels
from selfsown.judge.verdicts import label_rows, with_verdicts
from selfsown.judging import judgements_of, judging_config
from selfsown.loop.generate import generate
from selfsown.preference.records import plain_text

ANCHOR: Final = "anchor.json"
"""The last file of an anchor's directory."""
TIE: Final = 0.5
LEAST_GROUPS: Final = 2
"""Prompts below which there is no standard error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchored:
    """How a policy judges the anchor."""

    accuracy: float
    """On how many of the pairs that people decided it agrees, as a share of those of each prompt,
    in the mean over prompts; a tie counts one half."""
    standard_error: float
    """Of the accuracy, between prompts."""
    parse_rate: float
    """Part of the labelled rows of which everything could be read."""
    groups: Mapping[str, float]
    """Prompt -> its share, by which two policies are compared."""


def read_anchor(path: Path) -> list[Label]:
    """The labels of an anchor: a file as `selfsown judge calibrate` takes it.

    Raises:
        InputError: it cannot be read.
        TooFewRecords: no two prompts have answers that people told apart.
    """
    labels = read_labels(path)
    decided = len(_shares(labels))
    if decided < LEAST_GROUPS:
        raise TooFewRecords(
            f"`{path}`: prompts with answers that people told apart: {decided}",
            why="agreement is counted on such answers, and its error between prompts",
            fix="label answers to more prompts, with one better than the other",
        )
    return labels


def refuse_trained_on(labels: Sequence[Label], trained_on: Collection[str]) -> None:
    """Stop if the prompt of a label is one that something trains on.

    Raises:
        InputError: names the first.
    """
    known = {plain_text(text) for text in trained_on}
    shared = [label for label in labels if plain_text(label.item.prompt) in known]
    if shared:
        raise InputError(
            f"anchor: {len(shared)} of {len(labels)} labels are of prompts that are trained on, the"
            f" first is `{shared[0].id}`",
            why="an anchor says nothing about a policy that was trained on it",
            fix="take them out of the anchor, or out of the prompts and of `start`",
        )


def judge_anchor(
    labels: Sequence[Label],
    judge: Judge,
    policy: str,
    out: Path,
    *,
    seed: int,
    limits: Mapping[str, JSON],
    tell: Callable[[str], None] = lambda line: None,
) -> Anchored:
    """Ask a policy about the anchor, or read what it said.

    Args:
        labels: of the anchor.
        judge: how it is asked.
        policy: URI of the model.
        out: directory; the same call goes on where it was killed.
        seed: of the sampling.
        limits: of model calls.
        tell: receives one line if the policy was asked now.

    Raises:
        ConfigChanged: `out` holds what it said of other labels, or asked by another judge.
        Suspended: environment or a signal stopped it; the same call resumes.
    """
    identity = _identity(labels, judge, seed)
    known = _stored(out)
    if known is not None:
        lines = difference(known["identity"], identity)
        if lines:
            raise ConfigChanged(
                f"`{out / ANCHOR}` is of another anchor: " + "; ".join(lines),
                why="policies are compared on the same labels, asked alike",
                fix="restore the file of labels, or give another directory with `-o`",
            )
        return Anchored(**known["anchored"])
    config = judging_config(
        judge, policy, out / "run", seed=seed, order="strict", limits=dict(limits)
    )
    generate(config, list(label_rows(labels, judge)))
    found = anchored(with_verdicts(labels, judge, judgements_of(out / "run")))
    form = {"identity": identity, "anchored": asdict(found)}
    write_text(out / ANCHOR, orjson.dumps(form, option=orjson.OPT_INDENT_2).decode() + "\n")
    tell(
        f"judges {found.accuracy:.1%} of the anchor as people did, {found.parse_rate:.0%} readable"
    )
    return found


def read_anchored(out: Path) -> Anchored | None:
    """How a policy judged the anchor; None where it has not, or not to the end."""
    known = _stored(out)
    return None if known is None else Anchored(**known["anchored"])


def anchored(told: Sequence[Label]) -> Anchored:
    """The accuracy of judged labels, with its error."""
    shares = _shares(told)
    values = list(shares.values())
    return Anchored(
        accuracy=fmean(values),
        standard_error=stdev(values) / math.sqrt(len(values)),
        parse_rate=sum(not one.missing for one in told) / len(told),
        groups=shares,
    )


def change(before: Anchored, after: Anchored) -> tuple[float, float]:
    """By how much the accuracy rose, and the standard error of that, over the same prompts."""
    names = sorted(before.groups.keys() & after.groups.keys())
    differences = [after.groups[name] - before.groups[name] for name in names]
    return fmean(differences), stdev(differences) / math.sqrt(len(differences))


def _stored(out: Path) -> dict[str, Any] | None:
    path = out / ANCHOR
    found: dict[str, Any] | None = orjson.loads(path.read_bytes()) if path.is_file() else None
    return found


def _identity(labels: Sequence[Label], judge: Judge, seed: int) -> dict[str, JSON]:
    """What the numbers depend on, the policy apart."""
    rows = [[*label_rows([one], judge), one.group, one.human] for one in labels]
    return {
        "labels": hashlib.sha256(orjson.dumps(rows)).hexdigest(),
        "judge": judge.name,
        "options": orjson.loads(orjson.dumps(dict(judge.options))),
        "seed": seed,
    }


def _shares(told: Sequence[Label]) -> dict[str, float]:
    """Group of prompts -> mean agreement over its decided pairs; others are left out."""
    found: dict[str, list[float]] = defaultdict(list)
    for group, human, judged in _compared(told):
        if human != TIE:
            said = TIE if judged is None else side(judged)
            found[group].append(TIE if said == TIE else float(said == human))
    return {name: fmean(values) for name, values in found.items()}


def _compared(labels: Sequence[Label]) -> Iterator[tuple[str, float, float | None]]:
    """Group, people's preference and the judge's, of pairs and of any two scored answers.

    The judge's is None where it was not asked or could not be read.
    """
    alone: dict[str, list[Label]] = defaultdict(list)
    for label in labels:
        if label.kind == "scores":
            alone[label.item.prompt].append(label)
        else:
            yield label.group, label.human, final(label) if _is_read(label) else None
    for members in alone.values():
        for one, other in combinations(members, 2):
            judged = None
            if _is_read(one) and _is_read(other):
                judged = order(_score(one), _score(other))
            yield one.group, order(one.human, other.human), judged


def _is_read(label: Label) -> bool:
    return label.asked and not label.missing


def _score(label: Label) -> float:
    score = label.said[0]
    assert score is not None
    return score
