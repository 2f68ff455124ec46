"""How crowded the neighbourhood of each text is, for sampling demonstrations inversely to it.

Uniform sampling lets popular frames feed themselves: 16 per cent of one published re-run of
Self-Instruct begins with "create a". Exact neighbourhoods would need all pairs; three cheap lexical
keys stand for them here: how many texts share the opening words, how many share root verb and
object noun, and how common the text's rarest content word is (its topic). Ours; no paper.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from selfsown.core.errors import ConfigError
from selfsown.curate.openings import opening, root_verb_noun
from selfsown.curate.tokens import tokenize_unicode

_FUNCTION_WORDS = frozenset(
    """a an the this that these those and or but if in on at of to from for with without by about
    as into than then is are was were be been do does did have has can could should would will you
    your i it its they their we our he she his her not no each every all any some one two given
    following list word words sentence write give create make find""".split()  # noqa: SIM905
)
_NO_CONTENT = ""  # stands for the topic of texts that consist of function words


class _Keys(NamedTuple):
    opening: str
    root: tuple[str | None, str | None]
    content: tuple[str, ...]


class DensityIndex:
    """A growing set of texts that knows how crowded each text's neighbourhood is.

    Adding a text and asking for a weight cost some microseconds each, whatever the size. The same
    texts in the same order give the same weights.
    """

    def __init__(self) -> None:
        """An empty index."""
        self._texts: list[_Keys] = []
        self._openings: Counter[str] = Counter()
        self._roots: Counter[tuple[str | None, str | None]] = Counter()
        self._words: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._texts)

    def add(self, text: str) -> int:
        """Add `text` and return its number, from 0 in order."""
        tokens = dict.fromkeys(tokenize_unicode(text))
        keys = _Keys(
            opening(text, 2),
            root_verb_noun(text),
            tuple(token for token in tokens if token not in _FUNCTION_WORDS) or (_NO_CONTENT,),
        )
        self._texts.append(keys)
        self._openings[keys.opening] += 1
        self._roots[keys.root] += 1
        self._words.update(keys.content)
        return len(self._texts) - 1

    def density(self, index: int) -> float:
        """How many texts stand around text `index`, itself included: at least 1.

        The geometric mean of three counts: same opening, same root verb and noun (1 where neither
        is known, so that questions are not one cluster), same rarest content word.
        """
        if not 0 <= index < len(self._texts):
            raise ConfigError(
                f"there is no text {index} in a density index of {len(self._texts)}",
                why="texts are numbered from 0 in the order they were added",
                fix="use a number that `add` returned",
            )
        keys = self._texts[index]
        root = self._roots[keys.root] if keys.root[0] is not None else 1
        topic = min(self._words[word] for word in keys.content)
        return float((self._openings[keys.opening] * root * topic) ** (1 / 3))

    def weight(self, index: int) -> float:
        """Inverse density in (0, 1]: 1 for a text that stands alone."""
        return min(1.0, 1 / self.density(index))
