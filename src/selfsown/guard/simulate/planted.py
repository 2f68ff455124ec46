"""A made-up source of texts whose collapse is set by knobs: the positive control of the guard.

Rows are sequences of made-up words: a topic (40, Zipf), a label (24, Zipf) that sets how the row
opens, and words of the topic and common words (Zipf). With all knobs at rest it stands for human
text, and two draws differ by chance only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from selfsown.core.randomness import rng_for
from selfsown.guard.sample import TextRow

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TOPICS: Final = 40
LABELS: Final = 24
TOPIC_WORDS: Final = 60
COMMON_WORDS: Final = 300
MODES: Final = 10
"""Rows that a model in mode repetition repeats."""
_SYLLABLES: Final = ("ba", "do", "fe", "gu", "hi", "ka", "lo", "me", "nu", "pi", "ra", "so", "tu")


@dataclass(frozen=True, slots=True)
class Knobs:
    """How a generator departs from the human source."""

    temperature: float = 1.0
    """Of topics, labels and words: probabilities to the power 1 / temperature."""
    repeated: float = 0.0
    """Share of rows that repeat one of ten."""
    topics_lost: float = 0.0
    """Share of human rows whose topic is never produced; the rarest topics go first."""
    labels_lost: float = 0.0
    """Likewise for labels."""


HUMAN: Final = Knobs()

PLANTED: Final[Mapping[str, Callable[[int], Knobs]]] = {
    "temperature decay": lambda round_: Knobs(temperature=1 - 0.10 * round_),
    "mode repetition": lambda round_: Knobs(repeated=0.10 * round_),
    "topic loss": lambda round_: Knobs(topics_lost=0.15 * round_),
    "label loss": lambda round_: Knobs(labels_lost=0.06 * round_),
    "healthy": lambda _: HUMAN,
}
"""Name → the knobs of a round, 0 being healthy in all."""


class PlantedSource:
    """One made-up language; different draws of it are independent."""

    def __init__(self, seed: int = 0) -> None:
        """Make up the words."""
        rng = rng_for(seed, "planted-words")
        words: set[str] = set()
        needed = TOPICS * TOPIC_WORDS + COMMON_WORDS + 2 * LABELS
        while len(words) < needed:
            words.add("".join(rng.choice(_SYLLABLES) for _ in range(rng.randint(2, 5))))
        bag = sorted(words)
        rng.shuffle(bag)
        self._seed = seed
        self._topic_words = [
            bag[topic * TOPIC_WORDS : (topic + 1) * TOPIC_WORDS] for topic in range(TOPICS)
        ]
        rest = bag[TOPICS * TOPIC_WORDS :]
        self._openings = [rest[2 * label : 2 * label + 2] for label in range(LABELS)]
        self._common = rest[2 * LABELS :]

    def draw(self, count: int, draw: int, knobs: Knobs = HUMAN) -> list[TextRow]:
        """`count` rows; another `draw` gives independent ones."""
        import numpy as np

        rng = np.random.default_rng(rng_for(self._seed, "planted-draw", draw).getrandbits(64))
        power = 1 / knobs.temperature
        topics = rng.choice(TOPICS, count, p=_zipf(TOPICS, power, knobs.topics_lost))
        labels = rng.choice(LABELS, count, p=_zipf(LABELS, power, knobs.labels_lost))
        rows = [
            self._row(rng, topic, label, power) for topic, label in zip(topics, labels, strict=True)
        ]
        modes = rows[:MODES]
        repeats = np.flatnonzero(rng.random(count) < knobs.repeated)
        for place in repeats:
            rows[place] = modes[int(rng.integers(len(modes)))]
        return rows

    def _row(self, rng: np.random.Generator, topic: int, label: int, power: float) -> TextRow:
        length = int(rng.integers(6, 17))
        own = rng.random(length) < 0.5
        near = rng.choice(TOPIC_WORDS, length, p=_zipf(TOPIC_WORDS, power))
        far = rng.choice(COMMON_WORDS, length, p=_zipf(COMMON_WORDS, power))
        words = [
            self._topic_words[topic][one] if mine else self._common[other]
            for mine, one, other in zip(own, near, far, strict=True)
        ]
        return TextRow(" ".join([*self._openings[label], *words]), f"label {label}")


def _zipf(types: int, power: float, lost: float = 0.0) -> NDArray[np.float64]:
    """Probabilities 1/rank, sharpened, without the rarest types that hold `lost` of the mass."""
    import numpy as np

    human = 1 / np.arange(1, types + 1)
    human /= human.sum()
    kept = np.cumsum(human) <= 1 - lost + 1e-9
    shares = np.where(kept, human, 0.0) ** power
    total: NDArray[np.float64] = shares / shares.sum()
    return total
