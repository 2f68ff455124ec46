"""The 25 kinds by name, and checks as JSON: `{"kind": "length_constraints:number_words", ...}`.

A row holds the kind and the check's parameters under their names; a parameter with a default may
be left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from types import MappingProxyType
from typing import Final

from selfsown.core.errors import ConfigError
from selfsown.core.nearest import did_you_mean
from selfsown.core.request import JSON
from selfsown.judge.options import made
from selfsown.judge.verifiers.check import Check
from selfsown.judge.verifiers.content import ConstrainedResponse, NumberOfPlaceholders, Postscript
from selfsown.judge.verifiers.keywords import (
    Existence,
    ForbiddenWords,
    Frequency,
    LetterFrequency,
)
from selfsown.judge.verifiers.layout import (
    JsonFormat,
    MultipleSections,
    NumberOfBullets,
    NumberOfHighlights,
    Title,
)
from selfsown.judge.verifiers.lengths import (
    NthParagraphFirstWord,
    NumberOfParagraphs,
    NumberOfSentences,
    NumberOfWords,
)
from selfsown.judge.verifiers.letters import (
    CapitalWordFrequency,
    EnglishCapital,
    EnglishLowercase,
    ResponseLanguage,
)
from selfsown.judge.verifiers.whole import (
    EndChecker,
    NoComma,
    Quotation,
    RepeatPrompt,
    TwoResponses,
)

_CLASSES: Final[tuple[type[Check], ...]] = (
    *(Existence, Frequency, ForbiddenWords, LetterFrequency),
    ResponseLanguage,
    *(NumberOfSentences, NumberOfParagraphs, NumberOfWords, NthParagraphFirstWord),
    *(NumberOfPlaceholders, Postscript),
    *(NumberOfBullets, ConstrainedResponse, NumberOfHighlights, MultipleSections),
    *(JsonFormat, Title),
    *(TwoResponses, RepeatPrompt),
    *(EndChecker, Quotation),
    *(CapitalWordFrequency, EnglishCapital, EnglishLowercase),
    NoComma,
)
KINDS: Final[Mapping[str, type[Check]]] = MappingProxyType({one.kind: one for one in _CLASSES})
"""Every kind of check, in the order of IFEval's groups."""


def row_of(check: Check) -> dict[str, JSON]:
    """The check as a row: kind first, then every parameter."""
    row: dict[str, JSON] = {"kind": check.kind}
    for parameter in fields(check):
        value = getattr(check, parameter.name)
        row[parameter.name] = list(value) if isinstance(value, tuple) else value
    return row


def check_from(row: JSON) -> Check:
    """The check that a row describes.

    Raises:
        ConfigError: it is no such row, its kind or a parameter is unknown, a parameter is missing
            or of the wrong type, or makes no sense.
    """
    if not isinstance(row, Mapping) or not isinstance(row.get("kind"), str):
        raise ConfigError(
            f"`{row}` is no check",
            why='a check is an object such as `{"kind": "punctuation:no_comma"}`',
            fix="name its kind, and give its parameters beside it",
        )
    kind = str(row["kind"])
    if kind not in KINDS:
        raise ConfigError(
            f"there is no check `{kind}`",
            why=f"known kinds: {', '.join(KINDS)}",
            fix=did_you_mean(kind, KINDS) or "use one of the known kinds",
        )
    given = {name: value for name, value in row.items() if name != "kind"}
    return made(KINDS[kind], given, f"check `{kind}`")


def checks_from(rows: JSON) -> tuple[Check, ...]:
    """The checks of a list of rows; see `check_from`."""
    if not isinstance(rows, Sequence) or isinstance(rows, str):
        raise ConfigError(
            f"`{rows}` is no list of checks",
            why='checks are a list of objects such as `{"kind": "punctuation:no_comma"}`',
            fix="put the checks into a list",
        )
    return tuple(check_from(row) for row in rows)
