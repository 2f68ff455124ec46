"""One passage after the other: its answers in all its styles, read, held against it, and audited.

What happens here sees its passage alone; what is counted over passages is in `accounts`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from selfsown.core.errors import CallFailed
from selfsown.core.request import JSON, Completion, short_id
from selfsown.core.run import Run
from selfsown.core.token_counts import Counter
from selfsown.curate.faithful import Findings
from selfsown.curate.steps import InstructionFilter, first_drop
from selfsown.judge.base import Item as Judged
from selfsown.judge.base import Judge, Judgement
from selfsown.recipes.preference.answers import Voices
from selfsown.recipes.rephrase.options import AUDITED, GENERATOR, JUDGE, Options
from selfsown.recipes.rephrase.passages import Item, Passage, is_long_enough
from selfsown.recipes.rephrase.prompting import Prompting
from selfsown.recipes.rephrase.reading import Read, read_answer
from selfsown.recipes.rephrase.style import Style

if TYPE_CHECKING:
    from selfsown.models.embedding import Embedder, Vector

_EFFECT: Final = ("rephrase_similarity", "1")


@dataclass(frozen=True, slots=True)
class Rephrase:
    """One passage in one style, as far as it came."""

    style: Style
    number: int
    """Of the instruction that was drawn."""
    keys: tuple[str, ...] = ()
    """Hex keys of what was asked for it."""
    completion: Completion | None = None
    error: CallFailed | None = None
    """The call failed, and nothing else of the passage does."""
    read: Read | None = None
    """None where nothing was asked, or nothing came."""
    findings: Findings | None = None
    """None where there is no text."""
    similarity: float | None = None
    reason: str | None = None
    """Why the gate or a filter rejects it; None where it passes, or never came so far."""
    score: float | None = None
    audit: Judgement | None = None


class Desk:
    """The config of a run, put to work on one passage after the other."""

    def __init__(
        self,
        run: Run,
        options: Options,
        prompting: Prompting,
        count: Counter,
        filters: Sequence[InstructionFilter],
    ) -> None:
        self._run, self._options = run, options
        self._prompting, self._count, self._filters = prompting, count, filters
        self._embedder = encoder_of(options)
        self._judge: Judge = options.auditor()
        self._audited = audit_share(options, has_judge=run.has_role(JUDGE))
        self._lock = threading.Lock()

    async def work(self, item: Item) -> list[Rephrase]:
        """All rephrases of a passage, in the order of its styles; none of what is left out."""
        if not isinstance(item, Passage):
            return []
        asked = await self._run.gather(*(self._asked(item, style) for style in item.styles))
        compared = await self._compared(item, asked)
        gated = [self._gated(item, one) for one in compared]
        return await self._run.gather(*(self._checked(item, one) for one in gated))

    async def _asked(self, passage: Passage, style: Style) -> Rephrase:
        """The answer in one style, read."""
        place = f"{style.name} {passage.id}"
        number = self._run.rng(f"rephrase-template {place}").randrange(len(style.templates))
        one = Rephrase(style, number)
        if not is_long_enough(style, passage.n_tokens, passage.original.n_tokens):
            return one
        voices = Voices(self._run, {})
        try:
            completion = await voices.ask(
                GENERATOR, self._prompting.request(passage, style, number)
            )
        except CallFailed as error:
            return replace(one, keys=tuple(voices.keys), error=error)
        rng = self._run.rng(f"rephrase-pairs {place}")
        read = read_answer(completion, style, passage.text, self._count, rng)
        return replace(one, keys=tuple(voices.keys), completion=completion, read=read)

    async def _compared(self, passage: Passage, asked: Sequence[Rephrase]) -> list[Rephrase]:
        """The same with similarities, where there is an encoder; one journaled effect for all."""
        texts = [one.read.said for one in asked if one.read and one.read.text is not None]
        embedder = self._embedder
        if embedder is None or not texts:
            return list(asked)
        voices = Voices(self._run, {})
        told: list[JSON] = [short_id(text) for text in (passage.text, *texts)]

        async def cosines() -> JSON:
            return await asyncio.to_thread(self._cosines, embedder, [passage.text, *texts])

        inputs: JSON = {"encoder": embedder.identity, "texts": told}
        found = await voices.effect(*_EFFECT, inputs, cosines)
        assert isinstance(found, list)
        left = iter(found)
        return [
            replace(one, keys=(*one.keys, *voices.keys), similarity=_number(next(left)))
            if one.read and one.read.text is not None
            else one
            for one in asked
        ]

    def _cosines(self, embedder: Embedder, texts: Sequence[str]) -> list[float]:
        """Of the first text and each of the others; to 6 places."""
        with self._lock:  # one batch at a time: threads of their own would only share the cores
            first, *others = embedder.embed(texts)
        return [round(_dot(first, other), 6) for other in others]

    def _gated(self, passage: Passage, one: Rephrase) -> Rephrase:
        """The same with what the faithfulness gate and the filters say; pure."""
        if one.read is None or one.read.text is None:
            return one
        gate = one.style.faithful
        if self._embedder is not None and gate.least_similarity is None:
            gate = replace(gate, least_similarity=self._options.least_similarity)
        findings = gate.check(passage.text, one.read.said, similarity=one.similarity)
        if findings.all:
            first = findings.all[0]
            return replace(one, findings=findings, reason=first.reason, score=first.score)
        verdict = first_drop(self._filters, one.read.text)
        if not verdict.ok:
            return replace(
                one, findings=findings, reason=verdict.reason or "filter", score=verdict.score
            )
        return replace(one, findings=findings)

    async def _checked(self, passage: Passage, one: Rephrase) -> Rephrase:
        """The same with the judgement of the audit, if it is drawn for one."""
        if one.findings is None or one.read is None or not self._audited:
            return one
        draw = self._run.rng(f"rephrase-audit {one.style.name} {passage.id}").random()
        if draw >= self._audited:
            return one
        item = Judged(
            prompt=one.style.templates[one.number],
            answer=one.read.said,
            reference=passage.text,
            metadata={"sources": passage.text},
        )
        try:
            audit = await self._judge.judge(self._run, item)
        except CallFailed as error:
            missing = f"call_failed: {error.kind}"
            audit = Judgement(value=None, source=self._judge.source, reason=missing)
        return replace(one, audit=audit)


def audit_share(options: Options, *, has_judge: bool) -> float:
    """Share of the rephrases that are audited."""
    if options.audit_share is None:
        return AUDITED if has_judge else 0.0
    return options.audit_share


def encoder_of(options: Options) -> Embedder | None:
    """The encoder of a run, loaded; None where similarity is not measured.

    Raises:
        InputError: the folder holds no encoder.
        MissingExtra: its packages are not installed.
    """
    if not options.encoder:
        return None
    from selfsown.models.embedding import Embedder

    return Embedder(Path(options.encoder))


def _dot(one: Vector, other: Vector) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def _number(value: JSON) -> float | None:
    return float(value) if isinstance(value, int | float) else None
