"""Sums over a run, in whole numbers, so that the order of arrival cannot show in them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from selfsown.core.request import JSON
from selfsown.judge.base import Judgement
from selfsown.recipes.rephrase.desk import Rephrase

_BINS: Final = 10
_MILLION: Final = 1_000_000
_MOST_TOPICS: Final = 500
"""That are listed; the rest is one line."""


def share(part: int, whole: int) -> float:
    """A share in [0, 1] to 4 places; of nothing, 0."""
    return round(part / whole, 4) if whole else 0.0


@dataclass(slots=True)
class Coverage:
    """How much of the documents is in the data, by tokens of the chunks."""

    documents: int = 0
    kept: int = 0
    tokens: int = 0
    bins: list[int] = field(default_factory=lambda: [0] * (_BINS + 1))
    """Documents by tenths of their tokens that are in the data; the last bin: all of them."""
    covered: Counter[str] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)

    def add(
        self, kept: int, tokens: int, covered: Mapping[str, int], asked: Mapping[str, int]
    ) -> None:
        """Count a document."""
        self.documents += 1
        self.kept += kept
        self.tokens += tokens
        self.bins[_BINS * kept // tokens if tokens else 0] += 1
        self.covered.update(covered)
        self.asked.update(asked)

    def form(self) -> dict[str, JSON]:
        """For the manifest."""
        return {
            "documents": self.documents,
            "share": share(self.kept, self.tokens),
            "documents_by_tenths": list(self.bins),
            "by_style": {
                name: share(self.covered[name], tokens)
                for name, tokens in sorted(self.asked.items())
            },
        }


@dataclass(slots=True)
class Topics:
    """How rephrases ended, by topic: what is dropped more often leaves a gap there."""

    ends: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def add(self, topic: JSON, end: str | None) -> None:
        """Count a rephrase and why it was dropped; nothing where the document has no topic."""
        if topic is not None:
            self.ends[str(topic)][end or ""] += 1

    def form(self) -> dict[str, JSON]:
        """For the manifest: the largest topics, by size and name."""
        ranked = sorted(self.ends.items(), key=lambda item: (-item[1].total(), item[0]))
        found: dict[str, JSON] = {name: _topic(ends) for name, ends in ranked[:_MOST_TOPICS]}
        if len(ranked) > _MOST_TOPICS:
            rest: Counter[str] = Counter()
            for _, ends in ranked[_MOST_TOPICS:]:
                rest.update(ends)
            found[f"({len(ranked) - _MOST_TOPICS} more)"] = _topic(rest)
        return found


def _topic(ends: Counter[str]) -> JSON:
    entered, kept = ends.total(), ends[""]
    return {
        "in": entered,
        "kept": kept,
        "drop_rate": share(entered - kept, entered),
        "dropped": {end: count for end, count in sorted(ends.items()) if end},
    }


@dataclass(slots=True)
class Tokens:
    """What the answers took, and what was kept of them; as the backend counts, if it does."""

    prompt: int = 0
    generated: int = 0
    kept: int = 0
    by_style: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def add(self, one: Rephrase) -> None:
        """Count an answer."""
        style = self.by_style[one.style.name]
        style["asked"] += one.completion is not None or one.error is not None
        if one.completion is not None:
            self.prompt += one.completion.usage.input_tokens
            self.generated += one.completion.usage.output_tokens
            style["generated"] += one.completion.usage.output_tokens

    def keep(self, style: str, n_tokens: int) -> None:
        """Count a kept text; `n_tokens` as the run counts them."""
        self.kept += n_tokens
        self.by_style[style]["kept"] += n_tokens

    def form(self) -> dict[str, JSON]:
        """For the manifest; cost in dollars is `cost_usd` of its other part, over `kept`."""
        per_kept = {
            f"{name}_per_kept": round(count / self.kept, 4)
            for name, count in (("prompt", self.prompt), ("generated", self.generated))
            if self.kept
        }
        return {
            "prompt": self.prompt,
            "generated": self.generated,
            "kept": self.kept,
            **per_kept,
            "by_style": {
                name: dict(sorted(of.items())) for name, of in sorted(self.by_style.items())
            },
        }


@dataclass(slots=True)
class Audit:
    """What a model said of rephrases that the gate passed, and of those that it rejected."""

    said: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def add(self, is_passed: bool, judgement: Judgement) -> None:
        """Count a judgement."""
        counts = self.said["passed" if is_passed else "rejected"]
        counts["audited"] += 1
        value = judgement.fraction
        if value is None:
            counts["missing"] += 1
        else:
            counts["judged"] += 1
            counts["whole"] += value == 1.0
            counts["micro"] += round(value * _MILLION)

    def form(self) -> dict[str, JSON]:
        """For the manifest: of each, how many were audited, and how faithful they were found."""
        return {
            name: {
                "audited": of["audited"],
                "missing": of["missing"],
                "mean": round(of["micro"] / _MILLION / of["judged"], 4) if of["judged"] else None,
                "wholly_faithful": share(of["whole"], of["judged"]),
            }
            for name, of in sorted(self.said.items())
        }
