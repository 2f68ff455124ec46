"""Where a text negates, clause by clause, and where it may do so in other words.

Negating words are those of `NEGATIONS`, without phrases that negate nothing ("not only", "no later
than") and without names of options, settings and commands ("--no-wait", "`never`", "NOT NULL").
Words that may say the same are hints: `HINTS`, and what begins with "un-" or ends in "-less".
`faithful_denial` compares two texts by them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

from selfsown.curate.faithful_reading import Reading, Token, stem
from selfsown.curate.faithful_words import (
    FUNCTION_WORDS,
    HINTS,
    NEGATIONS,
    NEGATIVE_PREFIXES,
    words,
)

_HEAD: Final = 4
"""Content words after a negating word that may be what it negates."""
_CLAUSE_ENDS: Final = frozenset(".,;:!?()\u2026\u2014\u2013\n")
_CONJUNCTIONS: Final = words(
    "but because although though while whereas whilst since so which who unless until however if "
    "when where"
)
_NO_NEGATION: Final = {
    "not": words("only just merely simply until before infrequently uncommonly all every"),
    "no": words("longer sooner later earlier more less fewer doubt matter lesser"),
    "never": words("before"),
}
"""What after a negating word makes it something else: "not only", "no later than"."""
_NOT_ABLE = re.compile(r"i[mnrl]\w{2,36}(?:[aiu]bl|[aiu]ble|ibility|ffici|fficient)")
"""Words that say of something that it cannot be: `insoluble`, and their stems."""
_JOINTS: Final = frozenset("-_/=`\\")
_QUOTES: Final = frozenset("'\"\u2018\u2019\u201c\u201d")
_NEAR: Final = 10
_SOON: Final = 4
_COMPARED: Final = words("so as")
_NONE: Final = words("no none nothing nobody never")
_COMPARING: Final = words("as than else other lesser such comparable")
"""What after "no" or "nothing" makes a superlative of it: "no other", "nothing else"."""
_CONTRAST: Final = 14
"""Tokens after "not" within which a "but" makes it "not this but that"."""


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of a sentence, up to a sign or a conjunction."""

    sentence: int
    """Number of its sentence."""
    stems: frozenset[str]
    """Of its content words."""


@dataclass(frozen=True, slots=True)
class Cue:
    """A negating word."""

    index: int
    """Of its token."""
    clause: int
    """Number of its clause."""
    head: tuple[str, ...]
    """Stems of the content words after it, at most four, within its clause."""


class Polarity:
    """Where a text negates, and where it may."""

    def __init__(self, reading: Reading) -> None:
        """Find both."""
        self.reading = reading
        self.sentences = reading.sentences
        self.cues: list[Cue] = []
        self.markers: list[Cue] = []
        self.negative: set[int] = set()
        self.clauses: list[Clause] = []
        self.questions = frozenset(
            token.sentence
            for token in reading.tokens
            if token.kind == "mark" and token.text[0] == "?"
        )
        self._read(reading.tokens)

    def _read(self, tokens: Sequence[Token]) -> None:
        stems: set[str] = set()
        last_cue, denied = -2, (-1, 0)
        for index, token in enumerate(tokens):
            if last_cue != index - 1 and _begins_clause(tokens, index):
                sentence = tokens[index - 1].sentence if index else 0
                self.clauses.append(Clause(sentence, frozenset(stems)))
                stems = set()
            if token.kind == "mark":
                continue
            if is_negation(token) and not _is_name(self.reading.text, tokens, index):
                last_cue = index
                cue = Cue(index, len(self.clauses), _head(tokens, index))
                self.markers.append(cue)
                self.negative.add(cue.clause)
                denied = (token.sentence, cue.clause)
                if not _is_other(tokens, index):
                    self.cues.append(cue)
            elif token.key == "or" and denied[0] == token.sentence:
                self.negative.update(range(denied[1], len(self.clauses) + 1))
            if token.key not in FUNCTION_WORDS:
                stems.add(stem(token.key))
        sentence = tokens[-1].sentence if tokens else 0
        self.clauses.append(Clause(sentence, frozenset(stems)))

    def around(self, index: int, reach: int) -> frozenset[str]:
        """The content stems within so many tokens of one, in its sentence."""
        tokens = self.reading.tokens
        sentence = tokens[index].sentence
        return frozenset(
            stem(token.key)
            for token in tokens[max(0, index - reach) : index + reach + 1]
            if token.sentence == sentence
            and token.kind != "mark"
            and token.key not in FUNCTION_WORDS
        )

    def place(self, index: int) -> float:
        """Where a token stands, as a share of the text in [0, 1)."""
        return index / len(self.reading.tokens)

    def key(self, index: int) -> str:
        """Of a token."""
        return self.reading.tokens[index].key

    @cached_property
    def hedges(self) -> dict[int, frozenset[str]]:
        """The stems of the hints of each sentence that has any."""
        found: dict[int, set[str]] = {}
        for token in self.reading.tokens:
            is_hint = token.kind == "word" and (
                hints(token.key) or (token.key not in FUNCTION_WORDS and _is_prefixed(token.key))
            )
            if is_hint:
                found.setdefault(token.sentence, set()).add(stem(token.key))
        return {sentence: frozenset(stems) for sentence, stems in found.items()}

    @cached_property
    def clauses_by_stem(self) -> dict[str, list[int]]:
        """Numbers of the clauses that hold a stem."""
        return _places([clause.stems for clause in self.clauses])

    @cached_property
    def sentences_by_stem(self) -> dict[str, list[int]]:
        """Numbers of the sentences that hold a stem."""
        return _places(self.sentences)

    @cached_property
    def weights(self) -> dict[str, float]:
        """1 / number of sentences that hold a stem."""
        return {each: 1 / len(places) for each, places in self.sentences_by_stem.items()}


def is_negation(token: Token) -> bool:
    """Whether a word negates by itself."""
    return token.key in NEGATIONS or token.key.endswith("n't")


@lru_cache(maxsize=1 << 16)
def hints(key: str) -> bool:
    """Whether a word may negate: one of `HINTS`, or one that ends in `less`."""
    return key in HINTS or (key.endswith("less") and len(key) > 5)


def _places(groups: Sequence[frozenset[str]]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for number, stems in enumerate(groups):
        for each in stems:
            found.setdefault(each, []).append(number)
    return found


@lru_cache(maxsize=1 << 16)
def _is_prefixed(word: str) -> bool:
    return _NOT_ABLE.match(word) is not None or any(
        word.startswith(prefix) and len(word) - len(prefix) >= 3 for prefix in NEGATIVE_PREFIXES
    )


def _is_name(text: str, tokens: Sequence[Token], index: int) -> bool:
    """Whether a negating word is part of a name: an option, a value in quotes, a keyword."""
    token = tokens[index]
    before, after = text[max(0, token.start - 1) : token.start], text[token.end : token.end + 1]
    following = tokens[index + 2].key if index + 2 < len(tokens) else ""
    if following != "one" and (before in _JOINTS or after in _JOINTS):
        return True
    if before in _QUOTES and after in _QUOTES:
        return True
    near = (*tokens[max(0, index - 1) : index], *tokens[index + 1 : index + 2])
    return _is_shouted(token) and any(map(_is_shouted, near))


def _is_shouted(token: Token) -> bool:
    return token.kind == "word" and len(token.text) > 1 and token.text.isupper()


def is_contrast(tokens: Sequence[Token], index: int) -> bool:
    """Whether a negation is one half of "not this but that"."""
    sentence = tokens[index].sentence
    return any(
        token.key == "but" and token.sentence == sentence
        for token in tokens[index + 1 : index + _CONTRAST]
    )


def _begins_clause(tokens: Sequence[Token], index: int) -> bool:
    token = tokens[index]
    if token.kind == "mark":
        return token.text[0] in _CLAUSE_ENDS
    return token.key in _CONJUNCTIONS or (index > 0 and tokens[index - 1].sentence < token.sentence)


def _is_other(tokens: Sequence[Token], index: int) -> bool:
    """Whether a negating word is part of a phrase that negates nothing, or only compares."""
    key = tokens[index].key
    before = tokens[index - 1].key if index else ""
    after = _rest(tokens, index, _NEAR)
    if after[:1] and after[0] in _NO_NEGATION.get(key, ()):
        return True
    if key == "no" and tokens[index + 1 : index + 2] and tokens[index + 1].key == ",":
        return True
    if key == "not" and "than" in after[:_SOON]:
        return True
    if (key == "not" and before in ("or", ",")) or not _COMPARED.isdisjoint(after[:_SOON]):
        return True
    if key in _NONE and not _COMPARING.isdisjoint(after):
        return True
    earlier = [token.key for token in tokens[max(0, index - _NEAR) : index]]
    if "or" in earlier[-3:]:
        return True
    if key == "nor":
        return "neither" in earlier
    is_double = key == "without" or "without" in after
    return is_double and any(each in NEGATIONS for each in (*earlier, key) if each != "without")


def _rest(tokens: Sequence[Token], index: int, count: int) -> list[str]:
    """Keys of the next words of the sentence."""
    sentence = tokens[index].sentence
    return [
        token.key for token in tokens[index + 1 : index + 1 + count] if token.sentence == sentence
    ]


def _head(tokens: Sequence[Token], index: int) -> tuple[str, ...]:
    found: list[str] = []
    for token in tokens[index + 1 : index + 13]:
        if token.kind == "mark":
            if token.text[0] in _CLAUSE_ENDS:
                break
        elif token.key not in FUNCTION_WORDS:
            found.append(stem(token.key))
            if len(found) == _HEAD:
                break
    return tuple(found)
