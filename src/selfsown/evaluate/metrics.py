"""Every metric on one screen: a function from an instance and an answer to a number in [0, 1].

A new metric is one function and one line in `METRICS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from selfsown.core.errors import ConfigError
from selfsown.evaluate.exact_match import exact_match
from selfsown.evaluate.rouge import best_rouge_l
from selfsown.evaluate.suite import Instance


@dataclass(frozen=True, slots=True)
class Metric:
    """A named score; 1 is best."""

    score: Callable[[Instance, str], float]
    about: str


def _rouge_l(instance: Instance, answer: str) -> float:
    return best_rouge_l(answer, instance.references, stemmed=False)


def _rouge_l_stem(instance: Instance, answer: str) -> float:
    return best_rouge_l(answer, instance.references, stemmed=True)


def _exact_match(instance: Instance, answer: str) -> float:
    return exact_match(answer, instance.references)


def _oracle(instance: Instance, answer: str) -> float:
    from selfsown.lab.oracle import check

    return float(check(instance.instruction, instance.input, answer).is_correct)


METRICS: Final[Mapping[str, Metric]] = MappingProxyType(
    {
        "rouge_l": Metric(_rouge_l, "ROUGE-L F without stemmer, best over references"),
        "rouge_l_stem": Metric(_rouge_l_stem, "ROUGE-L F with stemmer, as SuperNI is scored"),
        "exact_match": Metric(_exact_match, "equal to a reference, case and punctuation aside"),
        "oracle": Metric(_oracle, "right by the oracle of the lab's micro-world"),
    }
)


def metric_named(name: str) -> Metric:
    """The metric of a name.

    Raises:
        ConfigError: there is none.
    """
    if name not in METRICS:
        raise ConfigError(
            f"there is no metric `{name}`",
            why=f"known metrics are {', '.join(f'`{known}`' for known in METRICS)}",
            fix="correct the name",
        )
    return METRICS[name]
