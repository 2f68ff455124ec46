"""The table of metrics: what each needs, which way is bad, and how it is computed for one sample.

Every metric of a sample is an `Estimate`, value and
standard error. `measure` joins a sample's with those of a human control.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Final, Literal

from selfsown.curate.boilerplate import is_refusal
from selfsown.guard import form, lexical, semantic, topics, two_sample
from selfsown.guard.embedding import hashed, unit
from selfsown.guard.intervals import Estimate, estimate, half_samples, spread
from selfsown.guard.near_copies import NearCopies
from selfsown.guard.ngrams import NgramTable
from selfsown.guard.reference import Reference, Rows

if TYPE_CHECKING:
    from selfsown.guard.intervals import Mask, Statistic

Found = Iterator[tuple[str, Estimate]]
Worse = Literal["falls", "rises", "either"]

BLOCKS: Final = 10
"""Parts whose spread gives the interval of MTLD and of the moving window."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What one computation sees: a sample, its part of fixed token count, the human reference."""

    sample: Rows
    budgeted: Rows
    """The first rows of the sample up to the token budget, the last one cut."""
    reference: Reference
    masks: Sequence[Mask]
    """Half-samples of `sample`."""
    trained_on: NearCopies | None


@dataclass(frozen=True, slots=True)
class Group:
    """Metrics that are computed together and need equally much."""

    name: str
    metrics: Mapping[str, Worse]
    compute: Callable[[Subject], Found]
    least_rows: int
    """Rows of the sample."""
    least_against: int = 0
    """Rows of the reference to compare with."""


def _lexical(subject: Subject) -> Found:
    rows, masks = subject.budgeted, _masks_of(subject)
    for n in (1, 2, 3):
        table = NgramTable(rows.tokens, n)
        yield f"distinct_{n}", estimate(table.distinct, masks)
        yield f"entropy_{n}", estimate(table.entropy, masks)
    texts = [row.text for row in rows.rows]

    def ratio(mask: Mask) -> float:
        return lexical.compression_ratio(
            [text for text, inside in zip(texts, mask, strict=True) if inside]
        )

    yield "compression_ratio", estimate(ratio, masks)
    blocks = [list(chain.from_iterable(rows.tokens[start::BLOCKS])) for start in range(BLOCKS)]
    yield "mtld", _mean([lexical.mtld(block) for block in blocks])
    yield "moving_ttr", _mean([lexical.moving_ttr(block) for block in blocks])


def _self_bleu(subject: Subject) -> Found:
    scored = subject.reference.settings.bleu_rows
    yield "self_bleu_4", _mean(lexical.self_bleu(subject.sample.tokens, scored))


def _semantic(subject: Subject) -> Found:
    points = subject.reference.lsa.place(subject.sample.tokens)
    cosines = points @ points.T
    nearest = _nearest(cosines)
    yield "vendi", estimate(lambda mask: semantic.vendi(points[mask]), subject.masks)
    yield "mean_cosine", estimate(lambda mask: semantic.mean_cosine(points[mask]), subject.masks)
    yield "nearest_cosine", estimate(lambda mask: float(nearest(mask).mean()), subject.masks)
    yield (
        "crowded_share",
        estimate(lambda mask: float((nearest(mask) > semantic.CROWDED).mean()), subject.masks),
    )


def _support(subject: Subject) -> Found:
    import numpy as np

    reference, masks = subject.reference, subject.masks
    points = reference.lsa.place(subject.sample.tokens)
    human = reference.points[: len(points)]  # equal sizes
    test = semantic.SupportTest(human, points, reference.settings.neighbours)
    whole = test.test(np.ones(len(points), dtype=bool))
    parts = [test.test(mask) for mask in masks]
    for name in semantic.Support._fields:
        value = float(getattr(whole, name))
        yield name, Estimate(value, spread(value, [float(getattr(part, name)) for part in parts]))


def _topics(subject: Subject) -> Found:
    human = subject.reference.topics
    members = human.of(subject.reference.lsa.place(subject.sample.tokens))

    def covered(mask: Mask) -> float:
        return topics.covered_mass(human.shares, human.spread(members[mask]))

    def divergence(mask: Mask) -> float:
        return topics.js_divergence(human.shares, human.spread(members[mask]))

    yield "topic_mass", estimate(covered, subject.masks)
    yield "topic_js", estimate(divergence, subject.masks)


def _classifier(subject: Subject) -> Found:
    sample, human = (
        unit(hashed(rows.tokens, longest=2))
        for rows in (subject.sample, subject.reference.against.first(len(subject.sample)))
    )
    seed = subject.reference.settings.seed
    machine, people = two_sample.held_out_scores(sample, human, seed)
    yield "auc", estimate(lambda mask: two_sample.auc(machine[mask], people), subject.masks)


def _tails(subject: Subject) -> Found:
    words, human = subject.reference.words, subject.reference.ngrams
    single = NgramTable(subject.sample.tokens, words.n)
    yield "rare_word_recall", estimate(words.rare_recall(single), subject.masks)
    table = NgramTable(subject.sample.tokens, human.n)
    yield "rare_ngram_recall", estimate(human.rare_recall(table), subject.masks)
    covered = estimate(human.covered_mass(table), subject.masks)
    yield "missing_ngram_mass", Estimate(1 - covered.value, covered.error)


def _labels(subject: Subject) -> Found:
    labels, human = subject.sample.labels, subject.reference.labels
    yield "rare_label_recall", estimate(lambda mask: human.recall(labels, mask), subject.masks)


def _form(subject: Subject) -> Found:
    import numpy as np

    masks, rows = subject.masks, subject.sample
    lengths = np.array([len(tokens) for tokens in rows.tokens], dtype=np.float64)
    refusals = np.array([is_refusal(row.text) for row in rows.rows])
    statistics_: dict[str, Statistic] = {
        "length_mean": lambda mask: float(lengths[mask].mean()),
        "length_sd": lambda mask: float(lengths[mask].std()),
        "length_q05": lambda mask: float(np.quantile(lengths[mask], 0.05)),
        "length_q95": lambda mask: float(np.quantile(lengths[mask], 0.95)),
        "refusal_rate": lambda mask: float(refusals[mask].mean()),
        "opening_share": lambda mask: form.opening_share(
            [tokens for tokens, inside in zip(rows.tokens, mask, strict=True) if inside]
        ),
    }
    for name, statistic in statistics_.items():
        yield name, estimate(statistic, masks)


def _length_gap(subject: Subject) -> Found:
    import numpy as np

    lengths, human = (
        np.array([len(tokens) for tokens in rows.tokens], dtype=np.float64)
        for rows in (subject.sample, subject.reference.against)
    )
    yield (
        "length_ks",
        estimate(lambda mask: form.ks_distance(lengths[mask], human), subject.masks),
    )


def _memory(subject: Subject) -> Found:
    import numpy as np

    assert subject.trained_on is not None
    copies = np.array([subject.trained_on.is_copy(tokens) for tokens in subject.sample.tokens])
    yield "near_copy_rate", estimate(lambda mask: float(copies[mask].mean()), subject.masks)


GROUPS: Final = (
    Group(
        "lexical",
        {
            **dict.fromkeys(("distinct_1", "distinct_2", "distinct_3"), "falls"),
            **dict.fromkeys(("entropy_1", "entropy_2", "entropy_3"), "falls"),
            "compression_ratio": "rises",
            "mtld": "falls",
            "moving_ttr": "falls",
        },
        _lexical,
        20,
    ),
    Group("self-BLEU", {"self_bleu_4": "rises"}, _self_bleu, 20),
    Group(
        "semantic",
        {
            "vendi": "falls",
            "mean_cosine": "rises",
            "nearest_cosine": "rises",
            "crowded_share": "rises",
        },
        _semantic,
        20,
        50,
    ),
    Group(
        "support",
        {"precision": "either", "recall": "falls", "density": "either", "coverage": "falls"},
        _support,
        50,
        50,
    ),
    Group("topics", {"topic_mass": "falls", "topic_js": "rises"}, _topics, 50, 50),
    Group("classifier", {"auc": "rises"}, _classifier, 50, 50),
    Group(
        "tails",
        {
            "rare_word_recall": "falls",
            "rare_ngram_recall": "falls",
            "missing_ngram_mass": "rises",
        },
        _tails,
        50,
        50,
    ),
    Group("labels", {"rare_label_recall": "falls"}, _labels, 50, 50),
    Group(
        "form",
        {
            "length_mean": "either",
            "length_sd": "either",
            "length_q05": "either",
            "length_q95": "either",
            "opening_share": "rises",
            "refusal_rate": "rises",
        },
        _form,
        20,
    ),
    Group("length gap", {"length_ks": "rises"}, _length_gap, 20, 20),
    Group("memory", {"near_copy_rate": "rises"}, _memory, 20),
)
"""Every group; the least sizes are ours: below them an interval is wider than a stop threshold."""

UNBOUNDED: Final = frozenset(
    ("entropy_1", "entropy_2", "entropy_3", "compression_ratio", "mtld", "vendi", "density")
) | {"length_mean", "length_sd", "length_q05", "length_q95"}
"""Metrics that may exceed 1; all others are shares, probabilities or cosines."""

WORSE: Final = {name: way for group in GROUPS for name, way in group.metrics.items()}
"""Metric → which way is bad."""


def _masks_of(subject: Subject) -> Sequence[Mask]:
    """Half-samples of the rows within the token budget."""
    if len(subject.budgeted) == len(subject.sample):
        return subject.masks
    settings = subject.reference.settings
    return half_samples(len(subject.budgeted), settings.replicates, settings.seed)


def _nearest(cosines: semantic.Distances) -> Callable[[Mask], semantic.Distances]:
    import numpy as np

    return lambda mask: semantic.nearest_cosines(cosines[np.ix_(mask, mask)])


def _mean(values: Sequence[float]) -> Estimate:
    """A mean with the standard error of independent values."""
    return Estimate(statistics.fmean(values), statistics.stdev(values) / len(values) ** 0.5)
