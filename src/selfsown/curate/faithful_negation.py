"""A negation of the source that its rephrase lost, or one that it has too many.

Polarity cannot be compared word by word: "does not dissolve" is "insoluble", "remained silent" is
"said nothing". So a loss needs evidence, of one of two kinds.

- A *clause* of the text has the word that was negated and much of the source's clause, and neither
  its sentence nor another clause with that word negates or hints at it ("fails", "only", "un-").
- A source *sentence* has more negations than the text's sentences on the same matter, and those
  after them, have negations and hints together, and they have most of its words.

An added negation is one of the text that the source lost, with less caution: honest texts put
negations in other words more often than they bring them in.

Not covered: most negations whose sentence was put in other words, or stands beside another negation
or hint; `tests/curate/test_faithful_rates.py` prints how many are caught. What is reported is right
nearly always, what is not reported proves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import fsum
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
LEAST_CLAUSE: Final = 0.6
"""Least share of a clause's weight that a clause of the other side must have to deny it."""
LEAST_LOST: Final = 0.7
"""Least share of a source sentence's weight that the text's sentences on it must have."""
LEAST_ADDED: Final = 0.5
"""The same for a sentence of the text: texts add negations less often than they reword them."""
BEARER: Final = 0.6
"""From which share, of the denying clause's, on another clause may bear the negation."""
_COMMON: Final = 64
"""Places of a word from which on it is no sign of the matter."""
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
_OPPOSITE: Final = ("a", "il", "im", "in", "ir")
"""What before the very word that is negated negates it, too: "not polar", "apolar"."""
_NOT_ABLE = re.compile(r"i[mnrl]\w{2,36}(?:[aiu]bl|[aiu]ble|ibility|ffici|fficient)")
"""Words that say of something that it cannot be: `insoluble`, and their stems."""
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
    is_negative: bool
    """Whether it negates, or may do so in another way."""


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
        self.clauses: list[Clause] = []
        self.questions = frozenset(
            token.sentence
            for token in reading.tokens
            if token.kind == "mark" and token.text[0] == "?"
        )
        self._read(reading.tokens)

    def _read(self, tokens: Sequence[Token]) -> None:
        stems: set[str] = set()
        is_negative, last_cue = False, -2
        for index, token in enumerate(tokens):
            if last_cue != index - 1 and _begins_clause(tokens, index):
                sentence = tokens[index - 1].sentence if index else 0
                self.clauses.append(Clause(sentence, frozenset(stems), is_negative))
                stems, is_negative = set(), False
            if token.kind == "mark":
                continue
            if is_negation(token):
                is_negative, last_cue = True, index
                if not _is_other(tokens, index):
                    self.cues.append(Cue(index, len(self.clauses), _head(tokens, index)))
            elif hints(token.key):
                is_negative = True
            if token.key not in FUNCTION_WORDS:
                stems.add(stem(token.key))
        sentence = tokens[-1].sentence if tokens else 0
        self.clauses.append(Clause(sentence, frozenset(stems), is_negative))

    @cached_property
    def unsure(self) -> frozenset[int]:
        """Sentences of which no clause states anything plainly: with a negation, or questions."""
        negative = {clause.sentence for clause in self.clauses if clause.is_negative}
        return self.questions | negative

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

    def negative_count(self, sentences: Collection[int]) -> int:
        """Negations, hints and negative prefixes in some sentences."""
        return sum(
            token.sentence in sentences
            and (
                is_negation(token)
                or hints(token.key)
                or (token.key not in FUNCTION_WORDS and _is_prefixed(token.key))
            )
            for token in self.reading.tokens
        )


def lost(source: Polarity, text: Polarity) -> list[Cue]:
    """The negations of the source that the text does not have."""
    return _together(
        _denied(source, text, text.unsure), _outnumbered(source, text, LEAST_LOST, reach=1)
    )


def added(source: Polarity, text: Polarity) -> list[Cue]:
    """The negations of the text that the source does not have."""
    return _together(
        _denied(text, source, source.questions), _outnumbered(text, source, LEAST_ADDED, reach=0)
    )


def _together(one: Sequence[Cue], other: Sequence[Cue]) -> list[Cue]:
    """All of both, each once, in the order of the text."""
    return [cue for _, cue in sorted({cue.index: cue for cue in (*one, *other)}.items())]


def is_negation(token: Token) -> bool:
    """Whether a word negates by itself."""
    return token.key in NEGATIONS or token.key.endswith("n't")


@lru_cache(maxsize=1 << 16)
def hints(key: str) -> bool:
    """Whether a word may negate: one of `HINTS`, or one that ends in `less`."""
    return key in HINTS or (key.endswith("less") and len(key) > 5)


def _denied(theirs: Polarity, ours: Polarity, unsure: frozenset[int]) -> list[Cue]:
    """Negations of one side that a clause of the other states without, in no unsure sentence."""
    return [cue for cue in theirs.cues if cue.head and _is_denied(cue, theirs, ours, unsure)]


def _is_denied(cue: Cue, theirs: Polarity, ours: Polarity, unsure: frozenset[int]) -> bool:
    if any(prefix + each in ours.clauses_by_stem for each in cue.head for prefix in _OPPOSITE):
        return False
    stems = theirs.clauses[cue.clause].stems
    shares = _shares(stems, theirs.weights, ours.clauses_by_stem)
    negative = {
        number
        for number in shares
        if ours.clauses[number].is_negative
        or any(_is_prefixed(each) for each in ours.clauses[number].stems - stems)
    }
    best = max(
        (
            share
            for number, share in shares.items()
            if number not in negative
            and cue.head[0] in ours.clauses[number].stems
            and ours.clauses[number].sentence not in unsure
        ),
        default=0.0,
    )
    return best >= LEAST_CLAUSE and not any(
        shares[number] >= BEARER * best or ours.clauses[number].stems.intersection(cue.head)
        for number in negative
    )


def _outnumbered(theirs: Polarity, ours: Polarity, least: float, *, reach: int) -> list[Cue]:
    """Negations of sentences that have more of them than their counterparts have together.

    With `reach` sentences after each counterpart, which may go on with the matter.
    """
    by_sentence: dict[int, list[Cue]] = {}
    for cue in theirs.cues:
        if not _is_contrast(theirs.reading.tokens, cue.index):
            by_sentence.setdefault(theirs.clauses[cue.clause].sentence, []).append(cue)
    if not by_sentence:
        return []
    groups = _counterparts(theirs, ours)
    found: list[Cue] = []
    for sentence, cues in by_sentence.items():
        group = groups.get(sentence, [])
        said = frozenset().union(*(ours.sentences[number] for number in group))
        matter = theirs.sentences[sentence]
        total = fsum(theirs.weights[each] for each in matter)
        if not group or fsum(theirs.weights[each] for each in matter & said) < least * total:
            continue
        further = {number + step for number in group for step in range(1, reach + 1)}
        bearing = {*group, *further, *_bearers(cues, ours)}
        if ours.negative_count(bearing) < len(cues):
            found.append(cues[0])
    return found


def _bearers(cues: Sequence[Cue], ours: Polarity) -> set[int]:
    """Sentences with a negative clause that has a word which one of the cues negates."""
    return {
        ours.clauses[number].sentence
        for cue in cues
        for each in cue.head
        for number in ours.clauses_by_stem.get(each, ())[:_COMMON]
        if ours.clauses[number].is_negative
    }


def _counterparts(theirs: Polarity, ours: Polarity) -> dict[int, list[int]]:
    """For sentences of one side those of the other that are nearer to it than to any other."""
    groups: dict[int, list[int]] = {}
    for number, stems in enumerate(ours.sentences):
        shares: dict[int, float] = {}
        for each in sorted(stems):
            places = theirs.sentences_by_stem.get(each, ())
            if len(places) <= _COMMON:
                for place in places:
                    shares[place] = shares.get(place, 0.0) + theirs.weights[each]
        if shares:
            nearest = max(shares, key=lambda place: (shares[place], -place))
            groups.setdefault(nearest, []).append(number)
    return groups


def _shares(
    stems: frozenset[str], weights: dict[str, float], by_stem: dict[str, list[int]]
) -> dict[int, float]:
    """Places with the share of the stems' weight that they hold."""
    total = fsum(weights[each] for each in stems)
    found: dict[int, float] = {}
    for each in sorted(stems):
        places = by_stem.get(each, ())
        if len(places) <= _COMMON:
            for number in places:
                found[number] = found.get(number, 0.0) + weights[each] / total
    return found


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


def _is_contrast(tokens: Sequence[Token], index: int) -> bool:
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
