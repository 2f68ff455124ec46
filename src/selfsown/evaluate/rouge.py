"""ROUGE-L of an answer against its references, number for number as `rouge_score` 0.1.2.

With the stemmer it is the metric of Super-NaturalInstructions (arXiv:2204.07705) and of
Self-Instruct's evaluation; without, the one of Self-Instruct's novelty filter.
"""

from __future__ import annotations

from collections.abc import Sequence

from selfsown.curate.porter import stem
from selfsown.curate.rouge_l import rouge_l, tokenize_paper

STEMMED_FROM = 4
"""Shortest token that is stemmed."""


def rouge_tokens(text: str, *, stemmed: bool) -> list[str]:
    """The tokens that are compared: lower-case runs of a-z and 0-9, stemmed if asked for.

    Text in other scripts has none and scores 0 against everything.
    """
    tokens = tokenize_paper(text)
    if not stemmed:
        return tokens
    return [stem(token) if len(token) >= STEMMED_FROM else token for token in tokens]


def best_rouge_l(answer: str, references: Sequence[str], *, stemmed: bool) -> float:
    """The highest F-measure over the references, in [0, 1]; 0.0 without references."""
    tokens = rouge_tokens(answer, stemmed=stemmed)
    return max(
        (rouge_l(tokens, rouge_tokens(one, stemmed=stemmed)) for one in references), default=0.0
    )
