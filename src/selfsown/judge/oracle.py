"""The lab's oracle as a judge: it knows every right answer of the micro-world.

The instruction stands in the item's row as `instruction`, or is the prompt itself; the task's
input, where it has one, in the row as `input`. With `noise` it errs like a judge that is right in
1 - `noise` of the cases: it then says the opposite, and says so of equal items every time. With
`length_share` it pays for length, too, so that length control has something to control, and with
`in_words` a right answer may stand within one of the corpus' phrases.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import ClassVar, Final

from selfsown.core.randomness import rng_for
from selfsown.core.request import JSON
from selfsown.judge.base import UNIT, Asker, Item, Judgement, Scale, Source
from selfsown.judge.prompting import require
from selfsown.lab.oracle import check, without_words

LONG_CHARS: Final = 80
"""An answer of so many characters, or more, gets all that there is for length."""


@dataclass(frozen=True, slots=True)
class Oracle:
    """1.0 for a right answer, 0.0 for a wrong one; missing where the task is none of the world.

    With a `length_share` of s: (1 - s) of that, and s times its part of a long answer.
    """

    name: ClassVar[str] = "oracle"
    source: ClassVar[Source] = "oracle"
    scale: ClassVar[Scale] = UNIT
    roles: ClassVar[tuple[str, ...]] = ()

    noise: float = 0.0
    """Share of the items, from 0 to 1, of which it says the opposite of the truth."""
    seed: int = 0
    """Decides which items those are."""
    length_share: float = 0.0
    """Share of the value, from 0 to 1, that is paid for length, right or wrong."""
    in_words: bool = False
    """Whether `Well, I would say red here.` is as right as `red`."""

    def __post_init__(self) -> None:
        """Refuse a share that is none."""
        for name, share in (("noise", self.noise), ("length_share", self.length_share)):
            require(0 <= share <= 1, f"`{name}` is {share}", "it is a share from 0 to 1")

    @property
    def options(self) -> Mapping[str, JSON]:
        """Its effective options."""
        return asdict(self)

    async def judge(self, run: Asker, item: Item) -> Judgement:
        """Judge one item; nothing is asked."""
        instruction = str(item.metadata.get("instruction") or item.prompt)
        text = str(item.metadata.get("input") or "")
        answer = without_words(item.answer) if self.in_words else item.answer
        grade = check(instruction, text, answer)
        if not grade.is_input_valid:
            return Judgement(value=None, source=self.source, reason=grade.reason)
        errs = rng_for(self.seed, f"{instruction}\0{text}\0{item.answer}").random() < self.noise
        reason = f"{grade.reason}, and it says the opposite" if errs else grade.reason
        length = min(1.0, len(item.answer) / LONG_CHARS)
        value = (1 - self.length_share) * (grade.is_correct ^ errs) + self.length_share * length
        return Judgement(value=value, source=self.source, reason=reason)
