"""One constraint on an answer: its parameters, the sentence that asks for it, and its verdict.

A verdict has three values: it holds, it does not, or it is *undecided* (None), which only the
checks of language know: a text of which the language cannot be told has neither met nor missed the
constraint. The release of IFEval counts such a text as a pass.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import ClassVar, Literal

from selfsown.core.errors import ConfigError

Relation = Literal["less than", "at least"]
"""How a count is compared; the words are those of IFEval's data."""


@dataclass(frozen=True, slots=True)
class Check(ABC):
    """A kind of constraint with its parameters, which are validated when it is made."""

    kind: ClassVar[str]
    """The name in rows and configs, for example `length_constraints:number_words`."""

    @property
    @abstractmethod
    def sentence(self) -> str:
        """The constraint as a sentence that can end a prompt."""

    @classmethod
    @abstractmethod
    def draw(cls, rng: Random, prompt: str) -> Check:
        """A check of this kind with random parameters, for an answer to `prompt`."""

    @abstractmethod
    def decide(self, text: str) -> bool | None:
        """The verdict on a text that is not blank and has no white space around it."""

    def holds(self, answer: str) -> bool | None:
        """The strict verdict: on the answer as it is. A blank answer meets nothing."""
        text = answer.strip()
        return self.decide(text) if text else False

    def holds_loosely(self, answer: str) -> bool | None:
        """True if the check holds for any of the `variants`; otherwise the strict verdict."""
        return True if any(self.holds(text) for text in variants(answer)) else self.holds(answer)

    @property
    def required_text(self) -> str:
        """Text that an answer that meets the check holds, letter case aside; may be empty.

        Of a choice it is every alternative, so that no other check takes one away.
        """
        return ""

    @property
    def is_ceiling(self) -> bool:
        """Whether an answer that breaks the check still does when text is added to it."""
        return False


def variants(answer: str) -> Iterator[str]:
    """The eight readings of a loose verdict, the answer itself first.

    As it is and without asterisks, and of each the whole, without its first line (a greeting),
    without its last line (an offer of more), and without both. Source: the release of IFEval.
    """
    for text in (answer, answer.replace("*", "")):
        lines = text.strip().split("\n")
        yield text
        yield "\n".join(lines[1:])
        yield "\n".join(lines[:-1])
        yield "\n".join(lines[1:-1])


def compared(found: int, relation: Relation, count: int) -> bool:
    """Whether `found` is less than, or at least, `count`."""
    return found < count if relation == "less than" else found >= count


def drawn_relation(rng: Random) -> Relation:
    """One of the two relations."""
    return rng.choice(("less than", "at least"))


def amount(relation: Relation, count: int, thing: str) -> str:
    """A comparison in words: `at least 3 words`, `fewer than 2 commas`."""
    return f"{'at least' if relation == 'at least' else 'fewer than'} {counted(count, thing)}"


def counted(count: int, thing: str) -> str:
    """A number with its noun: `1 word`, `3 words`."""
    return f"{count} {thing}{'' if count == 1 else 's'}"


def require(condition: bool, what: str, why: str) -> None:
    """Refuse a parameter that makes no sense."""
    if not condition:
        raise ConfigError(what, why=why, fix="correct the check's parameters")


def require_count(count: int, relation: Relation = "at least") -> None:
    """Refuse a count that every answer meets, or none."""
    least = 1 if relation == "at least" else 2
    require(count >= least, f"`count` is {count}", f"`{relation}` takes a count of {least} or more")
