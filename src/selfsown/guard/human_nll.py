"""Held-out human NLL: how well the generator still predicts what people wrote, also the rarest.

A model that loses the tails of its language keeps a flat mean while rare human text becomes less
likely (2307.01850; mad-guard section 4: loss alone misses it). The rows are the held-out half of
the reference, the control; how rare a row is, the other half says.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from selfsown.curate.tokens import tokenize_unicode
from selfsown.guard.ngrams import HumanNgrams, ngrams_of
from selfsown.guard.reference import Reference
from selfsown.guard.sample import Metrics, SampleKind

Predict = Callable[[Sequence[str]], Sequence[tuple[int, float]]]
"""Texts to tokens and nats of each, under one model."""

MOST_ROWS: Final = 200
LEAST_ROWS: Final = 20
"""Below it the rarest decile is a row or two."""
_DIGITS: Final = 6


@dataclass(frozen=True, slots=True)
class Scored:
    """Numbers of a model."""

    scores: Mapping[str, float]
    """`human_nll`, `human_nll_tail` in nats per token, `effective_bias` in (0, 1]; or fewer."""
    unscored: str = ""
    """Why the first two are missing; empty if they are there."""


def human_nll(reference: Reference, predict: Predict, trained_on: Collection[str] = ()) -> Scored:
    """`human_nll` and `human_nll_tail`: average nats per token over all rows, and the rarest tenth.

    Args:
        reference: whose held-out half is predicted, 200 rows of it at most.
        predict: the model.
        trained_on: human texts that the model was trained on; they are not held out.
    """
    known = {text.strip() for text in trained_on}
    rows = [row.text for row in reference.control.rows if row.text.strip() not in known]
    texts = rows[:MOST_ROWS]
    if len(texts) < LEAST_ROWS:
        return Scored(
            {},
            f"it needs {LEAST_ROWS} held-out human rows that the model was not trained on, and has"
            f" {len(texts)}",
        )
    found = predict(texts)
    order = sorted(range(len(texts)), key=_rarity(reference.ngrams, texts).__getitem__)
    tail = order[-(len(order) // 10) :]
    rarest = [found[number] for number in tail]
    return Scored({"human_nll": _mean(found), "human_nll_tail": _mean(rarest)})


def with_bias(scored: Scored, metrics: Mapping[SampleKind, Metrics]) -> Scored:
    """The same with the effective bias, where both ways of sampling were measured.

    It is the ratio of their entropies of word pairs, at most 1.
    """
    unbiased, production = (
        metrics[kind].values.get("entropy_2") if kind in metrics else None
        for kind in ("unbiased", "raw")
    )
    if unbiased is None or production is None or not unbiased.value:
        return scored
    bias = {"effective_bias": min(1.0, production.value / unbiased.value)}
    return Scored({**scored.scores, **bias}, scored.unscored)


def _rarity(known: HumanNgrams, texts: Sequence[str]) -> list[float]:
    """Mean surprise of each text's n-grams by the reference's counts, in nats; 0.0 without any."""
    surprises = []
    for text in texts:
        grams = ngrams_of(tokenize_unicode(text), known.n)
        nats = [-math.log((known.counts[gram] + 0.5) / (known.total + 1)) for gram in grams]
        surprises.append(sum(nats) / len(nats) if nats else 0.0)
    return surprises


def _mean(found: Sequence[tuple[int, float]]) -> float:
    tokens = sum(count for count, _ in found)
    return round(sum(nats for _, nats in found) / max(1, tokens), _DIGITS)
