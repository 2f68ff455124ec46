"""Things that an answer must hold: placeholders, a postscript, one of given statements.

Groups `detectable_content` and, for the statements, `detectable_format`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random
from typing import ClassVar, Final

from selfsown.judge.verifiers.check import Check, counted, require, require_count

_PLACEHOLDER: Final = re.compile(r"\[([^\[\]\n]+)\](?!\()")
YES_NO_MAYBE: Final = ("My answer is yes.", "My answer is no.", "My answer is maybe.")
"""What `ConstrainedResponse` chooses from unless it is told otherwise."""


@dataclass(frozen=True, slots=True)
class NumberOfPlaceholders(Check):
    """At least `count` placeholders in square brackets, such as [name].

    Blank brackets and links in Markdown are none. (They are in the release of IFEval.)
    """

    kind: ClassVar[str] = "detectable_content:number_placeholders"
    count: int

    def __post_init__(self) -> None:
        """Refuse a count below one."""
        require_count(self.count)

    @property
    def sentence(self) -> str:
        """The constraint in words."""
        number = counted(self.count, "placeholder")
        return f"Leave at least {number} in square brackets to be filled in, such as [name]."

    @classmethod
    def draw(cls, rng: Random, prompt: str) -> NumberOfPlaceholders:
        """1 to 4 placeholders."""
        return cls(rng.randint(1, 4))

    def decide(self, text: str) -> bool:
        """Whether there are enough."""
        return sum(1 for name in _PLACEHOLDER.findall(text) if name.strip()) >= self.count


@dataclass(frozen=True, slots=True)
class Postscript(Check):
    """A line begins with the marker, `P.S.` or `P.P.S.`, and something follows it.

    Letter case, a space within the marker and its last stop do not matter.
    """

    kind: ClassVar[str] = "detectable_content:postscript"
    marker: str = "P.S."

    def __post_init__(self) -> None:
        """Refuse a marker that has no letter."""
        has_letter = any(char.isalnum() for char in self.marker)
        require(has_letter, f"`marker` is `{self.marker}`", "it has letters, such as `P.S.`")

    @property
    def sentence(self) -> str:
        """The constraint in words."""
        return f"Add a postscript on a line of its own that begins with {self.marker}"

    @classmethod
    def draw(cls, rng: Random, prompt: str) -> Postscript:
        """One of the two markers."""
        return cls(rng.choice(("P.S.", "P.P.S.")))

    def decide(self, text: str) -> bool:
        """Whether a postscript is there."""
        letters = [re.escape(piece) for piece in self.marker.strip().split(".") if piece.strip()]
        marker = r"\.\s?".join(letters)
        return re.search(rf"^[^\S\n]*{marker}(?!\w)[.:]*\s*\w", text, re.I | re.M) is not None

    @property
    def required_text(self) -> str:
        """The marker."""
        return self.marker


@dataclass(frozen=True, slots=True)
class ConstrainedResponse(Check):
    """The answer holds one of the statements, to the letter, and none of the others.

    The release of IFEval knows one triple of statements, and passes an answer that holds them all.
    """

    kind: ClassVar[str] = "detectable_format:constrained_response"
    options: tuple[str, ...] = YES_NO_MAYBE

    def __post_init__(self) -> None:
        """Refuse a choice without alternatives."""
        distinct = {option.strip() for option in self.options} - {""}
        is_choice = len(distinct) == len(self.options) >= 2
        require(is_choice, f"`options` is {list(self.options)}", "two different ones or more")

    @property
    def sentence(self) -> str:
        """The constraint in words."""
        listed = ", ".join(f"`{option.strip()}`" for option in self.options)
        return f"Let the answer hold exactly one of these statements, word for word: {listed}."

    @classmethod
    def draw(cls, rng: Random, prompt: str) -> ConstrainedResponse:
        """Yes, no or maybe."""
        return cls()

    def decide(self, text: str) -> bool:
        """Whether exactly one is there; one that is part of a longer one there does not count."""
        found = [option.strip() for option in self.options if option.strip() in text]
        longest = [one for one in found if not any(one != two and one in two for two in found)]
        return len(longest) == 1

    @property
    def required_text(self) -> str:
        """All statements."""
        return "\n".join(self.options)
