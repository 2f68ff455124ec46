"""What can be said of a text without a model: forbidden parts, and what its extract does not say.

Everything found is listed with the record. None of it is proof of a fault: a story may have names
of its own. Which findings reject a text is the option `gates`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, get_args

from selfsown.curate.faithful_listed import arithmetic, listed
from selfsown.curate.tokens import tokenize_unicode

if TYPE_CHECKING:
    from selfsown.core.request import JSON

Flag = Literal[
    "banned_opening", "title", "image", "reference", "new_number", "new_name", "new_date",
    "wrong_arithmetic",
]  # fmt: skip
FLAGS: Final[tuple[Flag, ...]] = get_args(Flag)
"""`banned_opening`: begins as the prompt forbids; `title`: has one; `image` and `reference`: to
something that the extract does not have; `new_...`: stands in the text and not in the extract;
`wrong_arithmetic`: a calculation that comes to something else."""

_LISTED: Final = 20
"""Of each kind, kept with a record."""
_TITLE: Final = re.compile(
    r"\s*(?:\#{1,6}[ \t]+\S|\*\*[^*\n]{1,120}\*\*[ \t]*(?:\n|$)|__[^_\n]{1,120}__[ \t]*(?:\n|$)"
    r"|(?:title|chapter|section|unit)\b[^\n.]{0,80}:[^\n]{0,120}\n)",
    re.IGNORECASE,
)
_IMAGE: Final = re.compile(
    r"!\[[^\]\n]{0,999}\]\([^)\n]{0,999}\)|<img\b"
    r"|\[(?:image|figure|illustration|photo|picture)\b[^\]\n]{0,999}\]"
    r"|\b(?:see|in|as)\ (?:the\ )?fig(?:ure|\.)\ ?\d",
    re.IGNORECASE | re.VERBOSE,
)
_REFERENCE: Final = re.compile(
    r"https?://[^\s)>\]]+|\bwww\.[^\s)>\]]+|\bdoi:\s?\S+|\b10\.\d{4,9}/\S+"
    r"|\b[A-Z][\w'-]{1,99}\ et\ al\b"
    r"|\([A-Z][\w'-]+(?:,?\ (?:and|&)\ [A-Z][\w'-]+){0,2},?\ (?:19|20)\d\d[a-z]?\)"
    r"|\[\d{1,3}(?:,\ ?\d{1,3})*\](?!\()",
)


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found in one text."""

    flags: tuple[Flag, ...]
    """In the order of `FLAGS`, each once."""
    grounding: Mapping[str, JSON]
    """`numbers`, `names`, `dates` and `references` that the extract does not have, and wrong
    `arithmetic`: at most 20 of each, in the order of the text; kinds without any are left out."""


def findings(text: str, extract: str, topic: str, banned: Sequence[str]) -> Findings:
    """Look through one text.

    Args:
        text: as it is kept.
        extract: that its prompt showed.
        topic: that its prompt may have named.
        banned: openings that its prompt forbids.
    """
    new = listed(f"{extract}\n{topic}", text)
    wrong = [one.statement for one in arithmetic(text) if not one.is_right]
    references = [found[0] for found in _REFERENCE.finditer(text) if found[0] not in extract]
    found: dict[Flag, bool] = {
        "banned_opening": begins_with(text, banned) is not None,
        "title": _TITLE.match(text) is not None,
        "image": any(one[0] not in extract for one in _IMAGE.finditer(text)),
        "reference": bool(references),
        "new_number": bool(new.numbers),
        "new_name": bool(new.names),
        "new_date": bool(new.dates),
        "wrong_arithmetic": bool(wrong),
    }
    lists: dict[str, Sequence[str]] = {
        "numbers": new.numbers,
        "names": new.names,
        "dates": new.dates,
        "references": references,
        "arithmetic": wrong,
    }
    return Findings(
        tuple(flag for flag in FLAGS if found[flag]),
        {name: list(values[:_LISTED]) for name, values in lists.items() if values},
    )


def begins_with(text: str, openings: Sequence[str]) -> str | None:
    """The first of these openings with which a text begins, word by word; None if with none."""
    longest = max((len(tokenize_unicode(one)) for one in openings), default=0)
    head = tokenize_unicode(text[: 40 * (longest + 1)])
    for opening in openings:
        words = tokenize_unicode(opening)
        if words and head[: len(words)] == words:
            return opening
    return None
