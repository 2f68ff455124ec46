"""The visible form of an answer: bullets, highlights, sections, JSON, title.

Group `detectable_format`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from random import Random
from typing import ClassVar, Final

from selfsown.judge.verifiers.check import Check, counted, require, require_count

_BULLET: Final = re.compile(r"\s*[-*\u2022]\s+\S")
_RULE: Final = re.compile(r"[-*\s]+")
_SIGNATURE: Final = re.compile(r"\s*-\s+[A-Z][\w.'-]*(?:\s+[A-Z][\w.'-]*){0,3}")
_HIGHLIGHT: Final = re.compile(r"(?<![\w*])(\*{1,3})(?=[^\s*])[^*\n]*(?<=[^\s*])\1(?!\*)")
_FENCED: Final = re.compile(r"```(?:\w*[ \t]*\n|json\b)?(.*)```", re.DOTALL | re.IGNORECASE)
_TITLE: Final = re.compile(r"<<([^<>\n]+)>>")


@dataclass(frozen=True, slots=True)
class NumberOfBullets(Check):
    """Exactly `count` lines are list items, marked by `*`, `-` or a bullet sign and a space.

    Rules (`---`, `* * *`) are no items, and neither is a signature: a last line such as
    "- Ada Lovelace" after a blank line or a closing formula. (Both are in the release of IFEval.)
    """

    kind: ClassVar[str] = "detectable_format:number_bullet_lists"
    count: int

    def __post_init__(self) -> None:
        """Refuse a count below one."""
        require_count(self.count)

    @property
    def sentence(self) -> str:
        """The constraint in words."""
        number = counted(self.count, "bullet point")
        return f"Include exactly {number}, each on a line that begins with `* ` or `- `."

    @classmethod
    def draw(cls, rng: Random, prompt: str) -> NumberOfBullets:
        """1 to 5 bullet points."""
        return cls(rng.randint(1, 5))

    def decide(self, text: str) -> bool:
        """Whether the number of items is as asked."""
        lines = text.split("\n")
        return sum(map(_is_item, lines)) - _is_signed(lines) == self.count


@dataclass(frozen=True, slots=True)
class NumberOfHighlights(Check):
    """At least `count` passages are emphasised as in Markdown, by *one*, **two** or ***three***."""

    kind: ClassVar[str] = "detectable_format:number_highlighted_sections"
    count: int

    def __post_init__(self) -> None:
        """Refuse a count below one."""
        require_count(self.count)

    @property
    def sentence(self) -> str:
        """The constraint in words."""
        number = counted(self.count, "passage")
        return f"Highlight at least {number} of the answer with asterisks, *like this*."

    @classmethod
    def draw(cls, rng: Random, prompt: str) -> NumberOfHighlights:
        """1 to 4 passages."""
        return cls(rng.randint(1, 4))

    def decide(self, text: str) -> bool:
        """Whether there are enough."""
        return sum(1 for _ in _HIGHLIGHT.finditer(text)) >= self.count


@dataclass(frozen=True, slots=True)
class MultipleSections(Check):
    """At least `count` sections, each begun by `name` and its number; repeated numbers are one.

    So "as Section 1 says" opens no second one. (It does in the release of IFEval.)
    """

    kind: ClassVar[str] = "detectable_format:multiple_sections"
    name: str
    count: int

    def __post_init__(self) -> None:
        """Refuse a count below one and a blank name."""
        require_count(self.count)
        require(bool(self.name.strip()), f"`name` is `{self.name}`", "it is a word, as `Section`")

    @property
    def sentence(self) -> str:
        """The constraint in words."""
        number = counted(self.count, "section")
        return (
            f"Divide the answer into at least {number}, and begin each with `{self.name}` and its "
            f"number, the first with `{self.name} 1`."
        )

    @classmethod
    def draw(cls, rng: Random, prompt: str) -> MultipleSections:
        """1 to 5 sections, in one of two spellings."""
        return cls(rng.choice(("Section", "SECTION")), rng.randint(1, 5))

    def decide(self, text: str) -> bool:
        """Whether there are enough."""
        found = re.findall(rf"(?<!\w){re.escape(self.name.strip())}\s?([0-9]+)", text)
        return len({number.lstrip("0") for number in found}) >= self.count

    @property
    def required_text(self) -> str:
        """The name, as often as there are sections."""
        return " ".join(f"{self.name} {number + 1}" for number in range(self.count))


@dataclass(frozen=True, slots=True)
class JsonFormat(Check):
    """The whole answer is JSON, with or without a code fence around it."""

    kind: ClassVar[str] = "detectable_format:json_format"

    @property
    def sentence(self) -> str:
        """The constraint in words."""
        return "Give the whole answer as valid JSON; a code fence around it is allowed."

    @classmethod
    def draw(cls, rng: Random, prompt: str) -> JsonFormat:
        """The only one."""
        return cls()

    def decide(self, text: str) -> bool:
        """Whether it parses; NaN and Infinity are no JSON."""
        fenced = _FENCED.fullmatch(text)
        try:
            json.loads(fenced[1] if fenced else text, parse_constant=_no_json, parse_int=str)
        except (ValueError, RecursionError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class Title(Check):
    """A title in double angle brackets, such as <<On Rivers>>, on one line and not blank."""

    kind: ClassVar[str] = "detectable_format:title"

    @property
    def sentence(self) -> str:
        """The constraint in words."""
        return "Give the answer a title in double angle brackets, such as <<On Rivers>>."

    @classmethod
    def draw(cls, rng: Random, prompt: str) -> Title:
        """The only one."""
        return cls()

    def decide(self, text: str) -> bool:
        """Whether a title is there."""
        return any(title.strip() for title in _TITLE.findall(text))


def _is_item(line: str) -> bool:
    return _BULLET.match(line) is not None and _RULE.fullmatch(line) is None


def _is_signed(lines: list[str]) -> bool:
    """Whether the last line is a signature: behind no item, and not announced by a colon."""
    if len(lines) < 2 or not _SIGNATURE.fullmatch(lines[-1]):
        return False
    if lines[-2].strip():
        return lines[-2].rstrip().endswith(",") and not _is_item(lines[-2])
    before = next(line for line in reversed(lines[:-1]) if line.strip())
    return not _is_item(before) and not before.rstrip().endswith(":")


def _no_json(constant: str) -> object:
    raise ValueError(f"{constant} is no JSON")
