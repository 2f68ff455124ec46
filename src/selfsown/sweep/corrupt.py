"""Text as the web has it: typing errors, markup, foreign lines, torn and shuffled sentences.

The noise of the experiment with rephrased text. Each kind has a stated rate, and a document's noise
depends on the seed and the document's id alone.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from selfsown.core.randomness import rng_for
from selfsown.documents.sentences import sentence_starts

KEYS: Final = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_TAGS: Final = ("b", "i", "em", "strong", "span", "u")
_ENTITIES: Final = ("&nbsp;", "&amp;", "&#8203;", "&quot;", "<br/>", "[edit]", "{{cn}}", "***")
BOILERPLATE: Final = (
    "Skip to main content",
    "Home > Archive > Page {n}",
    "This site uses cookies. Accept all | Settings",
    "Share this page: email print link",
    "Sign in or register to leave a comment ({n})",
    "Read more ...",
    "Posted {n} days ago | {n} views",
    "Subscribe to our newsletter and never miss a thing!",
    "Advertisement",
    "Back to top | Contact | Imprint",
    "You might also like: part {n}",
    "<div class=\"side\"> loading ... </div>",
)  # fmt: skip
"""Lines that belong to a page and not to its text; `{n}` becomes a number."""


@dataclass(frozen=True, slots=True)
class Noise:
    """How much of each kind."""

    typos: float = 0.06
    """Share of words with one letter doubled, dropped, exchanged or mistyped."""
    markup: float = 0.04
    """Share of words with a tag around them or an entity behind them."""
    boilerplate: float = 0.20
    """Foreign lines per sentence."""
    torn: float = 0.15
    """Share of sentences that are cut in two."""
    moved: float = 0.25
    """Share of the pieces that change places among each other."""


def corrupted(text: str, seed: int, document_id: str, noise: Noise | None = None) -> str:
    """The text with noise; the same arguments give the same text."""
    noise = noise or Noise()
    rng = rng_for(seed, f"noise {document_id}")
    pieces = [part for piece in _sentences(text) for part in _torn(piece, noise.torn, rng)]
    _move_some(pieces, noise.moved, rng)
    lines: list[str] = []
    for piece in pieces:
        if rng.random() < noise.boilerplate:
            lines.append("\n" + rng.choice(BOILERPLATE).format(n=rng.randint(1, 99)) + "\n")
        lines.append(" ".join(_noisy_word(word, noise, rng) for word in piece.split()))
    return " ".join(lines).replace(" \n", "\n").replace("\n ", "\n").strip()


def _sentences(text: str) -> list[str]:
    """Sentences of all lines."""
    found: list[str] = []
    for line in text.splitlines():
        starts = sentence_starts(line)
        found += [line[a:b] for a, b in zip(starts, [*starts[1:], len(line)], strict=True)]
    return [sentence for sentence in found if sentence.strip()]


def _torn(sentence: str, rate: float, rng: random.Random) -> list[str]:
    words = sentence.split()
    if len(words) < 4 or rng.random() >= rate:
        return [sentence]
    at = rng.randint(2, len(words) - 2)
    return [" ".join(words[:at]), " ".join(words[at:])]


def _move_some(pieces: list[str], rate: float, rng: random.Random) -> None:
    places = [at for at in range(len(pieces)) if rng.random() < rate]
    moved = rng.sample(places, len(places))
    for at, piece in zip(places, [pieces[other] for other in moved], strict=True):
        pieces[at] = piece


def _noisy_word(word: str, noise: Noise, rng: random.Random) -> str:
    if rng.random() < noise.typos:
        word = _mistyped(word, rng)
    if rng.random() >= noise.markup:
        return word
    if rng.random() < 0.5:
        return word + rng.choice(_ENTITIES)
    tag = rng.choice(_TAGS)
    return f"<{tag}>{word}</{tag}>"


def _mistyped(word: str, rng: random.Random) -> str:
    """The word with one fault at one of its letters; a word of one sign stays."""
    if len(word) < 2:
        return word
    at = rng.randrange(len(word) - 1)
    kind = rng.randrange(4)
    if kind == 0:
        return word[:at] + word[at] + word[at:]
    if kind == 1:
        return word[:at] + word[at + 1 :]
    if kind == 2:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return word[:at] + _neighbour(word[at], rng) + word[at + 1 :]


def _neighbour(letter: str, rng: random.Random) -> str:
    """The key beside a letter; other signs stay."""
    for row in KEYS:
        at = row.find(letter.lower())
        if at >= 0:
            near = row[max(0, at - 1) : at] + row[at + 1 : at + 2]
            found = rng.choice(near)
            return found.upper() if letter.isupper() else found
    return letter
