"""From a document, a style and an audience to a prompt; the same on every machine and for any load.

All that is drawn (wordings, topic clause) comes from a generator of the run's seed and the id of
the document, so it depends neither on other documents nor on the number of workers. The part that
many prompts share comes first, which endpoints with a prefix cache read once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Final, Protocol

from selfsown.core.request import clean_text
from selfsown.core.templates import render
from selfsown.documents.sentences import cut_before

if TYPE_CHECKING:
    from selfsown.recipes.cosmopedia.registry import Cell, Registry

EXTRACT: Final = 1000
"""Characters of an extract (Cosmopedia, web samples)."""
_TAG: Final = re.compile(r"<(?=\s*/?\s*extract\b)", re.IGNORECASE)
_WORD_WITHIN: Final = 0.8
"""Share of the limit behind which an extract may end at a word."""


class Steer(Protocol):
    """What earlier texts teach about later prompts."""

    def weigh(self, wording: str) -> float:
        """How often to draw a wording (`STYLE/NUMBER`), in (0, 1]."""

    def forbidden(self, style: str) -> Sequence[str]:
        """Openings that prompts of a style forbid beside its own."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is asked for one text."""

    text: str
    style: str
    audience: str
    number: int
    """Of the wording among those of the style, from 0."""
    template_version: str
    """Versions of style, audience and what all prompts share: `1.1.1`."""
    topic_in_prompt: bool
    banned_openings: tuple[str, ...]

    @property
    def template_id(self) -> str:
        """`STYLE/AUDIENCE/NUMBER`."""
        return f"{self.style}/{self.audience}/{self.number}"

    @property
    def wording_id(self) -> str:
        """`STYLE/NUMBER`."""
        return f"{self.style}/{self.number}"


def extract_of(text: str, most: int = EXTRACT) -> str:
    """The beginning of a document, at most so many characters, without blanks around it.

    It ends at a word if there is one in its last fifth, and never within a character that is
    written as several code points.
    """
    text = clean_text(text.lstrip()[: most + 1])
    if len(text) <= most:
        return text.rstrip()
    end = cut_before(text, most)
    if not text[end].isspace():
        gap = re.search(r"\s(?=\S*\Z)", text[:end])
        if gap is not None and gap.start() >= _WORD_WITHIN * most:
            end = gap.start()
    return text[:end].rstrip()


class Prompts:
    """Makes the prompts of one run."""

    def __init__(self, registry: Registry, topic_share: float, steer: Steer) -> None:
        """Prepare.

        Args:
            registry: of texts.
            topic_share: probability with which a prompt names a topic that is known.
            steer: asked whenever a wording is drawn.
        """
        self._registry = registry
        self._topic_share = topic_share
        self._steer = steer

    def prompt(self, extract: str, topic: str, cell: Cell, rng: Random) -> Prompt:
        """The prompt of a text.

        Args:
            extract: of the document.
            topic: of the document; empty: not known.
            cell: style and audience.
            rng: of the document and the text; its first number decides whether the topic is named.
        """
        names_topic = rng.random() < self._topic_share and bool(topic)
        shared = self._registry.wording
        style, audience = self._registry.styles[cell.style], self._registry.audiences[cell.audience]
        numbers = range(len(style.variants))
        weights = [self._steer.weigh(f"{cell.style}/{number}") for number in numbers]
        (number,) = rng.choices(numbers, weights)
        is_prose = style.form == "prose"
        banned = (*style.banned_openings, *self._steer.forbidden(cell.style))
        rules = shared.requirements if is_prose else shared.structured_requirements
        parts = [
            render(style.variants[number], {"audience": audience.name}),
            audience.criteria,
            rng.choice(rules),
            self._ban(banned),
        ]
        clause, before = (
            rng.choice(shared.topic_clauses),
            rng.choice(shared.extracts[style.extract]),
        )
        if names_topic:
            parts.append(render(clause, {"topic": _fenced(topic)}))
        parts.append(f"{before}\n<extract>\n{_fenced(extract)}\n</extract>")
        return Prompt(
            text="\n\n".join(part.strip() for part in parts if part),
            style=cell.style,
            audience=cell.audience,
            number=number,
            template_version=f"{style.version}.{audience.version}.{shared.version}",
            topic_in_prompt=names_topic,
            banned_openings=banned,
        )

    def _ban(self, openings: Sequence[str]) -> str:
        if not openings:
            return ""
        listed = ", ".join(f'"{opening}"' for opening in openings)
        return render(self._registry.wording.banned_openings, {"openings": listed})


def _fenced(text: str) -> str:
    """A text of a document, which cannot close the tag that it stands in."""
    return _TAG.sub("\u2039", text)
