"""The answer as a whole: two answers, the prompt repeated, its start and end, no comma.

Groups `combination`, `startend` and `punctuation`.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import ClassVar, Final

from selfsown.judge.verifiers.check import Check, require
from selfsown.judge.verifiers.units import parts
from selfsown.judge.verifiers.vocabulary import END_PHRASES

_COMMAS: Final = frozenset(",\uff0c\u060c\u3001")
_QUOTES: Final = " \n\"'\u201c\u201d\u2018\u2019"


@dataclass(frozen=True, slots=True)
class TwoResponses(Check):
    """Exactly two different answers, divided by six asterisks."""

    kind: ClassVar[str] = "combination:two_responses"

    @property
    def sentence(self) -> str:
        """The constraint in words."""
        return "Give two different answers, with a line `******` between them and nowhere else."

    @classmethod
    def draw(cls, rng: Random, prompt: str) -> TwoResponses:
        """The only one."""
        return cls()

    def decide(self, text: str) -> bool:
        """Whether there are two, and white space is not all they differ in."""
        found = parts(text, stars=6)
        if found is None or len(found) != 2:
            return False
        return found[0].split() != found[1].split()


@dataclass(frozen=True, slots=True)
class RepeatPrompt(Check):
    """The answer begins with `prompt`, in any letter case."""

    kind: ClassVar[str] = "combination:repeat_prompt"
    prompt: str

    def __post_init__(self) -> None:
        """Refuse a blank prompt."""
        require(bool(self.prompt.strip()), "`prompt` is blank", "every answer begins with nothing")

    @property
    def sentence(self) -> str:
        """The constraint in words."""
        return f"Before you answer, repeat this request word for word: {self.prompt.strip()}"

    @classmethod
    def draw(cls, rng: Random, prompt: str) -> RepeatPrompt:
        """The prompt itself."""
        return cls(prompt)

    def decide(self, text: str) -> bool:
        """Whether it is repeated at the start."""
        return text.lower().startswith(self.prompt.strip().lower())

    @property
    def required_text(self) -> str:
        """The prompt."""
        return self.prompt


@dataclass(frozen=True, slots=True)
class EndChecker(Check):
    """The answer ends with `phrase`; quotation marks around them and letter case do not matter."""

    kind: ClassVar[str] = "startend:end_checker"
    phrase: str

    def __post_init__(self) -> None:
        """Refuse a blank phrase."""
        require(
            bool(self.phrase.strip(_QUOTES)), "`phrase` is blank", "every answer ends with nothing"
        )

    @property
    def sentence(self) -> str:
        """The constraint in words."""
        return f"End with exactly this phrase and write nothing after it: {self.phrase.strip()}"

    @classmethod
    def draw(cls, rng: Random, prompt: str) -> EndChecker:
        """A phrase of the vocabulary."""
        return cls(rng.choice(END_PHRASES))

    def decide(self, text: str) -> bool:
        """Whether it ends so."""
        return text.rstrip(_QUOTES).lower().endswith(self.phrase.strip(_QUOTES).lower())

    @property
    def required_text(self) -> str:
        """The phrase."""
        return self.phrase


@dataclass(frozen=True, slots=True)
class Quotation(Check):
    """The first and the last character are double quotation marks."""

    kind: ClassVar[str] = "startend:quotation"

    @property
    def sentence(self) -> str:
        """The constraint in words."""
        return "Put the whole answer in double quotation marks."

    @classmethod
    def draw(cls, rng: Random, prompt: str) -> Quotation:
        """The only one."""
        return cls()

    def decide(self, text: str) -> bool:
        """Whether both are there, and something between them."""
        return text.startswith('"') and text.endswith('"') and bool(text.strip('" \n'))


@dataclass(frozen=True, slots=True)
class NoComma(Check):
    """No comma, also none of Arabic or East Asian scripts, and none within a number."""

    kind: ClassVar[str] = "punctuation:no_comma"

    @property
    def sentence(self) -> str:
        """The constraint in words."""
        return "Use no comma at all."

    @classmethod
    def draw(cls, rng: Random, prompt: str) -> NoComma:
        """The only one."""
        return cls()

    def decide(self, text: str) -> bool:
        """Whether there is none."""
        return _COMMAS.isdisjoint(text)

    @property
    def is_ceiling(self) -> bool:
        """A comma that is there stays there."""
        return True
