"""Several checks that one answer can meet at once: the table of conflicts, and random compositions.

Two things keep checks apart. Kinds conflict where they want another form of the whole answer
(JSON and a postscript), read the same marks differently, or are known to contradict each other.
And what one check requires, another may forbid: every check that limits from above is tried on the
text that the others require.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from random import Random
from typing import Final

from selfsown.core.errors import ConfigError
from selfsown.judge.verifiers.check import Check
from selfsown.judge.verifiers.kinds import KINDS

_ATTEMPTS: Final = 50
_DRAWS: Final = 8

_SENTENCES: Final = "length_constraints:number_sentences"
_PARAGRAPHS: Final = "length_constraints:number_paragraphs"
_WORDS: Final = "length_constraints:number_words"
_NTH: Final = "length_constraints:nth_paragraph_first_word"
_BULLETS: Final = "detectable_format:number_bullet_lists"
_CHOICE: Final = "detectable_format:constrained_response"
_SECTIONS: Final = "detectable_format:multiple_sections"
_JSON: Final = "detectable_format:json_format"
_TITLE: Final = "detectable_format:title"
_POSTSCRIPT: Final = "detectable_content:postscript"
_TWO: Final = "combination:two_responses"
_REPEAT: Final = "combination:repeat_prompt"
_LETTER: Final = "keywords:letter_frequency"
_CAPITALS: Final = "change_case:capital_word_frequency"
_UPPER: Final = "change_case:english_capital"
_LOWER: Final = "change_case:english_lowercase"

_WITH_JSON: Final = frozenset(
    {"keywords:existence", "keywords:frequency", "keywords:forbidden_words", _LETTER, _WORDS}
)
_CONFLICTS: Final[dict[str, frozenset[str]]] = {
    _JSON: frozenset(KINDS) - _WITH_JSON,
    # Our words and phrases are English, and some languages have no case and other letters.
    "language:response_language": frozenset(
        {"keywords:existence", "keywords:frequency", _LETTER, _CHOICE, _SECTIONS, _POSTSCRIPT}
        | {"startend:end_checker", _REPEAT, _CAPITALS, _UPPER, _LOWER, _NTH}
    ),
    # Case against case, and against statements and names that are taken to the letter.
    _UPPER: frozenset({_LOWER, _CAPITALS, _CHOICE, _SECTIONS}),
    _LOWER: frozenset({_CAPITALS, _CHOICE, _SECTIONS, _POSTSCRIPT}),
    # Each line of these is a sentence, or more.
    _SENTENCES: frozenset({_PARAGRAPHS, _NTH, _BULLETS, _CHOICE, _SECTIONS, _TITLE, _TWO, _REPEAT}),
    # Hundreds of words with hardly an "e": possible, and no test of following instructions.
    _LETTER: frozenset({_WORDS, _SENTENCES}),
    # Blank lines would divide what these put on lines of their own.
    _NTH: frozenset({_PARAGRAPHS, _SECTIONS, _TITLE, _POSTSCRIPT, _REPEAT}),
    # Of two answers, which one is meant?
    _TWO: frozenset(
        {_PARAGRAPHS, _NTH, _BULLETS, _CHOICE, _SECTIONS, _TITLE, _POSTSCRIPT, _REPEAT}
    ),
    "startend:quotation": frozenset({_REPEAT}),
}


def conflict(one: str, other: str) -> bool:
    """Whether two kinds cannot be asked of the same answer; a kind conflicts with itself."""
    nothing: frozenset[str] = frozenset()
    return (
        one == other
        or other in _CONFLICTS.get(one, nothing)
        or one in _CONFLICTS.get(other, nothing)
    )


def compatible(checks: Sequence[Check]) -> bool:
    """Whether an answer may meet all of these checks, as far as kinds and required text tell."""
    kinds = [check.kind for check in checks]
    if any(conflict(one, other) for i, one in enumerate(kinds) for other in kinds[:i]):
        return False
    required = "\n\n".join(check.required_text for check in checks if check.required_text)
    return not required or all(check.decide(required) for check in checks if check.is_ceiling)


def compose(
    rng: Random, n: int, *, prompt: str = "", kinds: Collection[str] = tuple(KINDS)
) -> tuple[Check, ...]:
    """`n` random checks that one answer to `prompt` can meet at once.

    Their sentences behind the prompt (`asked`) make a task whose reward is free, since judge
    `verifiable` decides it; some kinds can be held out to see whether what was learnt carries over.

    Args:
        rng: where randomness comes from.
        n: how many checks, >= 1.
        prompt: the task; without one, `combination:repeat_prompt` is not drawn.
        kinds: those to draw from, each at most once.

    Raises:
        ConfigError: an unknown kind, or no `n` checks of these kinds go together.
    """
    unknown = sorted(set(kinds) - set(KINDS))
    usable = [kind for kind in KINDS if kind in kinds and (prompt.strip() or kind != _REPEAT)]
    if unknown or n < 1:
        raise ConfigError(
            f"kinds {unknown} are unknown" if unknown else f"`n` is {n}",
            why=f"known kinds: {', '.join(KINDS)}" if unknown else "a task has at least one check",
            fix="correct what is to be composed",
        )
    for _ in range(_ATTEMPTS):
        found = _attempt(rng, n, prompt, usable)
        if len(found) == n:
            return tuple(found)
    raise ConfigError(
        f"no {n} checks of {len(usable)} kinds go together in {_ATTEMPTS} attempts",
        why="each kind is used once, and many exclude each other",
        fix="ask for fewer checks, or allow more kinds",
    )


def asked(prompt: str, checks: Sequence[Check]) -> str:
    """The prompt with the sentences of the checks behind it, each on a line."""
    return "\n".join([prompt.strip(), "", *(check.sentence for check in checks)])


def _attempt(rng: Random, n: int, prompt: str, kinds: Sequence[str]) -> list[Check]:
    """Up to `n` checks, added in random order where they fit to those before."""
    found: list[Check] = []
    for kind in rng.sample(kinds, len(kinds)):
        if any(conflict(kind, check.kind) for check in found):
            continue
        draws = (KINDS[kind].draw(rng, prompt) for _ in range(_DRAWS))
        fitting = next((check for check in draws if compatible([*found, check])), None)
        if fitting is not None:
            found.append(fitting)
        if len(found) == n:
            break
    return found
