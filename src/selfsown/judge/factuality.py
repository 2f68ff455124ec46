"""The metric *factuality*: the share of an answer's claims that the given sources support.

One call takes the answer apart into claims, one per claim compares it with the sources: supported,
contradicted, or not found, which is not the same. The sources are the row's `sources` (a text or a
list of texts), else the item's reference; without any the judgement is missing, since a model's
memory is no source. All sources are shown with every claim, so they have to fit into its context.

Source: claims one by one, FActScore (arXiv:2305.14251).
Differs from the paper: no retrieval and no penalty for short answers; three verdicts instead of
two; the number of claims is the number of the judgement's parts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import ClassVar, Final, Literal, cast

from selfsown.core.errors import CallFailed
from selfsown.core.request import JSON, Completion
from selfsown.judge.base import UNIT, Asker, Item, Judgement, Scale, Source
from selfsown.judge.prompting import ROLE, Asking, at_least_one
from selfsown.judge.scores import without_emphasis

Support = Literal["supported", "contradicted", "not found"]

_CLAIM: Final = re.compile(r"^[ \t]*(?:[-*\u2022]|\d+[.)])[ \t]+(\S.*)$", re.MULTILINE)
_NONE: Final = re.compile(r"\W*none\W*", re.IGNORECASE)
_VERDICT: Final = re.compile(
    r"\bverdict\b(?:\s*(?:is\b|[:=]))+\s*[\[(<{\"']*(supported|contradicted|not\s+found)\b"
    r"(?!\s*[/|,]|\s+or\b)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Factuality:
    """A model that compares every claim of an answer with sources."""

    name: ClassVar[str] = "factuality"
    source: ClassVar[Source] = "judge"
    scale: ClassVar[Scale] = UNIT

    max_claims: int = 40
    """Claims beyond this many are left out, which the reason says."""
    temperature: float | None = 0.0
    max_tokens: int = 1024
    role: str = ROLE

    def __post_init__(self) -> None:
        """Refuse options that make no sense."""
        at_least_one("max_claims", self.max_claims)
        self._asking("claims")

    @property
    def options(self) -> Mapping[str, JSON]:
        """Its effective options."""
        return asdict(self)

    @property
    def roles(self) -> tuple[str, ...]:
        """The one model that it asks."""
        return (self.role,)

    @property
    def most_calls(self) -> int:
        """One for the list of claims, and one for each claim."""
        return 1 + self.max_claims

    async def judge(self, run: Asker, item: Item) -> Judgement:
        """Take the answer apart and compare; each claim is a part of the judgement."""
        sources = sources_of(item)
        if not sources:
            return _missing("no_sources: there is nothing to compare claims with")
        values = {"prompt": item.prompt, "answer": item.answer}
        listed = await self._asking("claims").ask(run, values)
        if isinstance(listed, CallFailed):
            return _missing(f"call_failed: {listed.kind}")
        claims = parse_claims(listed.text, cut_off=listed.finish_reason == "length")
        if claims is None:
            return _missing("unparsed: no list of claims", raw=listed.text)
        if not claims:
            return _missing("no_claims: the answer claims nothing", raw=listed.text)
        together = "\n\n".join(sources)
        asked = claims[: self.max_claims]
        parts = await run.gather(*(self._compare(run, claim, together) for claim in asked))
        return _share(parts, len(claims), listed.text)

    async def _compare(self, run: Asker, claim: str, sources: str) -> Judgement:
        answer = await self._asking("support").ask(run, {"source": sources, "claim": claim})
        if isinstance(answer, CallFailed):
            return _missing(f"call_failed: {answer.kind}: {claim}")
        verdict = parse_support(answer)
        if verdict is None:
            return _missing(f"unparsed: {claim}", raw=answer.text)
        return Judgement(
            value=float(verdict == "supported"),
            source="judge",
            raw=answer.text,
            reason=f"{verdict}: {claim}",
        )

    def _asking(self, prompt: str) -> Asking:
        return Asking(
            prompt=prompt,
            temperature=self.temperature,
            max_tokens=self.max_tokens,
            role=self.role,
        )


def sources_of(item: Item) -> list[str]:
    """What claims are compared with."""
    given = item.metadata.get("sources")
    if isinstance(given, str):
        given = [given]
    if isinstance(given, Sequence):
        return [text for text in map(str, given) if text.strip()]
    return [item.reference] if item.reference and item.reference.strip() else []


def parse_claims(text: str, *, cut_off: bool = False) -> list[str] | None:
    """The claims of a list, equal ones once; None if the text is no list, empty if it says `none`.

    Args:
        text: what the model wrote.
        cut_off: generation ended at the token limit; then the last line is not whole.
    """
    whole = text[: text.rfind("\n") + 1] if cut_off else text
    claims = [match[1].strip() for match in _CLAIM.finditer(whole)]
    claims = [claim for claim in dict.fromkeys(claims) if not _NONE.fullmatch(claim)]
    return claims or ([] if _NONE.fullmatch(text.strip()) else None)


def parse_support(answer: Completion) -> Support | None:
    """The last verdict of an answer; None where there is none."""
    plain = without_emphasis(answer.text)
    if answer.finish_reason == "length":
        plain = plain[: plain.rfind("\n") + 1]
    found = _VERDICT.findall(plain)
    return cast("Support", " ".join(found[-1].lower().split())) if found else None


def _share(parts: Sequence[Judgement], claimed: int, raw: str) -> Judgement:
    """Supported of the compared claims; missing where fewer than half could be compared."""
    values = [part.value for part in parts if part.value is not None]
    if 2 * len(values) < len(parts):
        reason = f"unparsed: {len(values)} of {len(parts)} claims compared"
        return Judgement(value=None, source="judge", reason=reason, raw=raw, parts=tuple(parts))
    contradicted = sum(part.reason.startswith("contradicted") for part in parts)
    reason = f"{sum(values):g} of {len(values)} claims supported, {contradicted} contradicted"
    if claimed > len(parts):
        reason += f"; {claimed - len(parts)} more left out"
    share = sum(values) / len(values)
    return Judgement(value=share, source="judge", reason=reason, raw=raw, parts=tuple(parts))


def _missing(reason: str, raw: str = "") -> Judgement:
    return Judgement(value=None, source="judge", reason=reason, raw=raw)
