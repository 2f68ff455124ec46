"""What is known about the accepted texts: lengths, openings, verbs, shares, likeness to seeds."""

from __future__ import annotations

from dataclasses import dataclass

from selfsown.report.absent import Absent
from selfsown.report.histogram import Histogram


@dataclass(frozen=True, slots=True)
class Lengths:
    """Lengths in words, per text field of the records."""

    fields: dict[str, Histogram]
    """Instructions count once each; empty inputs are left out."""


@dataclass(frozen=True, slots=True)
class Opening:
    """The first two words of instructions, and how common they are."""

    words: str
    count: int
    rate: float
    """Share of the accepted instructions, in [0, 1]."""
    seed_rate: float | None
    """Share of the seeds; None without seeds."""


@dataclass(frozen=True, slots=True)
class Openings:
    """How instructions begin, and whether one beginning takes over."""

    instruction_count: int
    distinct_count: int
    top: tuple[Opening, ...]
    seed_top: str
    """Most common opening of the seeds; empty without seeds."""
    seed_top_rate: float
    drift: tuple[float, ...]
    """Share of the most common opening in each eighth of the instructions, oldest first."""


@dataclass(frozen=True, slots=True)
class Verb:
    """A root verb and its most frequent objects."""

    verb: str
    count: int
    """Instructions with this verb and any object."""
    nouns: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class VerbNouns:
    """Diversity of tasks by root verb and direct object."""

    instruction_count: int
    parsed_count: int
    """Instructions in which a verb with an object was found."""
    pair_count: int
    """Distinct pairs among them."""
    verbs: tuple[Verb, ...]


@dataclass(frozen=True, slots=True)
class Shares:
    """Parts of the whole, in [0, 1]; None where the records do not say."""

    record_count: int
    instruction_count: int
    classification_rate: float | None
    """Share of the instructions."""
    empty_input_rate: float | None
    """Share of the records."""
    instances_per_instruction: float | None


@dataclass(frozen=True, slots=True)
class Texts:
    """All of it."""

    shares: Shares | Absent
    lengths: Lengths | Absent
    openings: Openings | Absent
    verb_nouns: VerbNouns | Absent
    novelty: Histogram | Absent
    """Highest ROUGE-L of each instruction to any seed."""
