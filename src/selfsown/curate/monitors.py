"""What a generator repeats, seen while it writes: openings, closings, frames, cliches and more.

A `Monitor` sees every generated text once and says at once when a share is above its gate with
statistical support (`curate.sequential`): over all groups, kinds, phrases and looks together a
false alarm comes with probability at most `Gates.alpha`, as long as texts of a group are drawn
independently of each other. Then a recipe acts: it rejects texts that are over quota (`quota`),
draws a template variant less often (`weight`), or stops (`Alarm.error`).

Deterministic: the same texts in the same order give the same alarms. So a recipe adds texts where
it consumes them, in draw order. One exception: `redundant` is measured by zlib, whose builds differ
by a few per cent; what must replay on other machines does not act on it.

Memory is bounded: a group keeps `Gates.capacity` openings and closings and four times as many
frames, about 1 MB at 512; groups beyond `max_groups` share one called `(others)`. A share is off by
at most 1 / capacity (a frame's by 10 / capacity where every text has 40), and never too low.
Source: the gates of 1 % and 0.5 % are ours. Cosmopedia's authors report such openings and cliches
and forbade them in their prompts, which made them rarer, not absent.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final, Literal, NamedTuple, get_args

from selfsown.core.errors import ConfigError, GateClosed
from selfsown.core.request import JSON
from selfsown.curate.cliches import CLICHES, Cliches
from selfsown.curate.heavy_hitters import HeavyHitters, Hits
from selfsown.curate.phrases import MAX_FRAMES, Phrases, compressed_bytes, phrases_of
from selfsown.curate.sequential import ShareTest, wilson

Kind = Literal["opening", "closing", "frame", "cliche", "refusal", "length", "redundant"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
PHRASES: Final[tuple[Kind, ...]] = ("opening", "closing", "frame", "cliche")
"""Kinds whose alarms are about a phrase; `quota` acts on these."""
ALL: Final = "all"
"""The group that every text is in."""
OTHERS: Final = "(others)"
_WINDOW_BYTES: Final = 32_768
_TOP: Final = 5


@dataclass(frozen=True, slots=True)
class Gates:
    """Shares of a group's texts that must not be exceeded, each in (0, 1); None: not watched."""

    opening: float | None = 0.01
    """Texts that begin with the same five words."""
    closing: float | None = 0.01
    """Texts that end with the same five words."""
    frame: float | None = 0.1
    """Texts in which some sentence begins with the same four words."""
    cliche: float | None = 0.005
    """Texts with the same phrase of `cliches`."""
    refusal: float | None = 0.01
    """Texts that begin with a refusal."""
    length: float | None = 0.25
    """Texts of a block that are shorter than the 10th percentile of the first block, or longer than
    its 90th."""
    redundant: float | None = 0.05
    """Texts that compress to less than half their own compressed size after the ones before."""
    alpha: float = 0.01
    """Probability of any false alarm in a whole run."""
    block: int = 200
    """Texts whose lengths are the reference, and are compared with it."""
    capacity: int = 512
    """Openings and closings that a group keeps count of; four times as many frames."""
    max_groups: int = 64
    """Groups that are told apart."""
    cliches: tuple[str, ...] = CLICHES

    def __post_init__(self) -> None:
        """Refuse what no share can be compared with."""
        named = {kind: getattr(self, kind) for kind in KINDS} | {"alpha": self.alpha}
        for name, value in named.items():
            if value is not None and not 0 < value < 1:
                raise ConfigError(
                    f"gate `{name}` is {value}",
                    why="it is a share, above 0 and below 1",
                    fix=f"for example `{name}: 0.01`; null switches a gate off",
                )
        if min(self.block, self.capacity, self.max_groups) < 1:
            raise ConfigError(
                "a monitor's block, capacity or number of groups is below 1",
                why="it would remember nothing",
                fix="use the defaults: 200, 512 and 64",
            )

    def of(self, kind: Kind) -> float | None:
        """The gate of a kind."""
        gate: float | None = getattr(self, kind)
        return gate


@dataclass(frozen=True, slots=True)
class Alarm:
    """A share above its gate, at the moment when that was beyond chance."""

    group: str
    kind: Kind
    phrase: str
    """The phrase; of `length` which way, else empty."""
    count: int
    """Texts with it, at least; of `length` those of the block."""
    total: int
    """Texts looked at."""
    gate: float

    @property
    def share(self) -> float:
        """Of the texts, in [0, 1]."""
        return self.count / self.total

    @property
    def reason(self) -> str:
        """Why a text that is over quota is rejected: `repeated_opening`, ..."""
        return f"repeated_{self.kind}"

    def row(self) -> dict[str, JSON]:
        """As a JSON object."""
        return {
            "group": self.group,
            "kind": self.kind,
            "phrase": self.phrase,
            "count": self.count,
            "total": self.total,
            "share": round(self.share, 4),
            "gate": self.gate,
        }

    def error(self) -> GateClosed:
        """The alarm as what stops a run."""
        what = f'{self.kind} "{self.phrase}"' if self.phrase else self.kind
        return GateClosed(
            f"{what} in {self.share:.1%} of {self.total:,} texts of `{self.group}`:"
            f" the gate is {self.gate:.1%}",
            why="a corpus that repeats itself teaches the repetition",
            fix="change or add template variants, or let the monitor reject such texts instead",
        )


class _Rule(NamedTuple):
    """How a kind is tested."""

    test: ShareTest
    needed: float
    """Logarithm of the evidence that an alarm needs in the first of all groups."""


@dataclass(slots=True)
class _Group:
    """What is counted of one group."""

    name: str
    spent: float
    """Logarithm of how much more evidence alarms of this group need than those of the first."""
    tables: dict[Kind, HeavyHitters]
    texts: int = 0
    words: int = 0
    singles: dict[Kind, int] = field(default_factory=lambda: {"refusal": 0, "redundant": 0})
    alarms: dict[tuple[Kind, str], Alarm] = field(default_factory=dict)
    refused: int = 0
    refused_phrases: dict[tuple[Kind, str], int] = field(default_factory=dict)
    before: bytes = b""
    raw_bytes: int = 0
    packed_bytes: int = 0
    lengths: list[int] = field(default_factory=list)
    """Of the first block."""
    bounds: tuple[int, int] | None = None
    blocks: int = 0
    in_block: int = 0
    outside: list[int] = field(default_factory=lambda: [0, 0])


class Monitor:
    """Watches one run's texts."""

    def __init__(self, gates: Gates | None = None) -> None:
        """Begin without texts."""
        self.gates = gates or Gates()
        self.alarms: list[Alarm] = []
        """All so far, oldest first; each group, kind and phrase once."""
        self._cliches = Cliches(self.gates.cliches)
        self._groups: dict[str, _Group] = {}
        self._rules = {kind: rule for kind in KINDS if (rule := self._rule(kind)) is not None}
        self._read: tuple[str, Phrases] | None = None
        self._group(ALL)

    def add(self, text: str, groups: str | Iterable[str] = ()) -> list[Alarm]:
        """Count a text, and say which alarms it raises.

        Args:
            text: a generated text that is good apart from what it repeats.
            groups: what it belongs to beside `all`, as `style=story` or `variant=story/2`.
        """
        phrases = self._phrases(text)
        alone = compressed_bytes(phrases.sample) if "redundant" in self._rules else 0
        new = [alarm for group in self._of(groups) for alarm in self._count(group, phrases, alone)]
        self.alarms += new
        return new

    def quota(self, text: str, groups: str | Iterable[str] = ()) -> Alarm | None:
        """The alarm under which a text that was just added has to go; None: it may stay.

        A phrase under alarm stays in as many texts as its gate allows of those that stay. Asked
        once per text; a text that has to go is counted as gone.
        """
        phrases = self._phrases(text)
        of = self._of(groups)
        for group in of:
            for kind, phrase in _named(phrases):
                alarm = group.alarms.get((kind, phrase))
                if alarm is not None and self._is_over(group, alarm):
                    _refuse(of, phrases)
                    return alarm
        return None

    def weight(self, group: str) -> float:
        """How often to draw what a group stands for, in (0, 1]: half as often with every alarm."""
        known = self._groups.get(group)
        return 0.5 ** min(len(known.alarms), 6) if known is not None else 1.0

    def now(self, alarm: Alarm) -> Alarm:
        """An alarm of this monitor with the counts of this moment; of `length` as it was."""
        group = self._groups[alarm.group]
        if alarm.kind == "length":
            return alarm
        singles = group.singles.get(alarm.kind)
        table = group.tables.get(alarm.kind)
        count = singles if table is None else table.hits(alarm.phrase).least
        return replace(alarm, count=count or 0, total=group.texts)

    def summary(self) -> dict[str, JSON]:
        """Counts, shares with 95 % intervals, and alarms, for a manifest or a page."""
        groups: dict[str, JSON] = {
            name: self._group_summary(group) for name, group in sorted(self._groups.items())
        }
        return {"groups": groups, "alarms": [alarm.row() for alarm in self.alarms]}

    # --- counting ----------------------------------------------------------------------------

    def _phrases(self, text: str) -> Phrases:
        if self._read is None or self._read[0] != text:
            self._read = text, phrases_of(text, self._cliches)
        return self._read[1]

    def _of(self, groups: str | Iterable[str]) -> list[_Group]:
        names = (groups,) if isinstance(groups, str) else groups
        found = [self._group(name) for name in (ALL, *names) if name]
        return list({group.name: group for group in found}.values())  # a text counts once in each

    def _group(self, name: str) -> _Group:
        known = self._groups.get(name)
        if known is not None:
            return known
        if len(self._groups) > self.gates.max_groups and name != OTHERS:
            return self._group(OTHERS)
        number, capacity = len(self._groups) + 1, self.gates.capacity
        group = self._groups[name] = _Group(
            name,
            # The sum of 1 / (n (n + 1)) over all n is 1.
            math.log(number * (number + 1)),
            {kind: HeavyHitters(capacity * (4 if kind == "frame" else 1)) for kind in PHRASES},
        )
        return group

    def _rule(self, kind: Kind) -> _Rule | None:
        gate = self.gates.of(kind)
        if gate is None:
            return None
        test, needed = ShareTest(gate), math.log(len(KINDS) / self.gates.alpha)
        if kind in ("opening", "closing"):
            needed += math.log(test.family(1))
        elif kind == "frame":
            needed += math.log(test.family(MAX_FRAMES))
        elif kind == "cliche":
            needed += math.log(max(1, len(self._cliches.phrases)))
        elif kind == "length":
            needed += math.log(2)
        return _Rule(test, needed)

    def _count(self, group: _Group, phrases: Phrases, alone: int) -> list[Alarm]:
        """Count a text in a group; `alone` is the compressed size of its sample by itself."""
        group.texts += 1
        group.words += phrases.words
        found: list[Alarm | None] = []
        for kind, phrase in _named(phrases):
            hits = group.tables[kind].add(phrase)
            found.append(self._look(group, kind, phrase, hits.least))
        found.append(self._single(group, "refusal", phrases.is_refusal))
        if "redundant" in self._rules:
            found.append(self._single(group, "redundant", _is_redundant(group, phrases, alone)))
        if "length" in self._rules:
            found += self._length(group, phrases.words)
        return [alarm for alarm in found if alarm is not None]

    def _single(self, group: _Group, kind: Kind, happened: bool) -> Alarm | None:
        group.singles[kind] += happened
        return self._look(group, kind, "", group.singles[kind]) if happened else None

    def _look(
        self, group: _Group, kind: Kind, phrase: str, count: int, block: int = 0
    ) -> Alarm | None:
        """An alarm if there is evidence for one, and there was none of this phrase.

        Args:
            group: where it was counted.
            kind: what was counted.
            phrase: of it.
            count: texts with it, at least.
            block: of `length` the number of the block, whose texts alone are looked at.
        """
        rule = self._rules.get(kind)
        total = group.in_block if block else group.texts
        if rule is None or (kind, phrase) in group.alarms:
            return None
        spent = group.spent + (math.log(block * (block + 1)) if block else 0.0)
        if rule.test.evidence(count, total) < rule.needed + spent:
            return None
        alarm = Alarm(group.name, kind, phrase, count, total, rule.test.gate)
        group.alarms[kind, phrase] = alarm
        return alarm

    def _length(self, group: _Group, words: int) -> list[Alarm | None]:
        """Compare a length with the first block's; evidence begins anew with every block."""
        if group.bounds is None:
            group.lengths.append(words)
            if len(group.lengths) == self.gates.block:
                ordered = sorted(group.lengths)
                tenth = len(ordered) // 10
                group.bounds = ordered[tenth], ordered[-1 - tenth]
                group.lengths.clear()
            return []
        if group.in_block in (0, self.gates.block):
            group.blocks, group.in_block, group.outside = group.blocks + 1, 0, [0, 0]
        group.in_block += 1
        beyond = (words < group.bounds[0], words > group.bounds[1])
        group.outside = [a + b for a, b in zip(group.outside, beyond, strict=True)]
        return [
            self._look(group, "length", way, count, group.blocks)
            for way, count, is_beyond in zip(
                ("shorter", "longer"), group.outside, beyond, strict=True
            )
            if is_beyond
        ]

    # --- quota and summary -------------------------------------------------------------------

    def _is_over(self, group: _Group, alarm: Alarm) -> bool:
        hits = group.tables[alarm.kind].hits(alarm.phrase)
        kept = hits.most - group.refused_phrases.get((alarm.kind, alarm.phrase), 0)
        return kept > alarm.gate * (group.texts - group.refused)

    def _group_summary(self, group: _Group) -> JSON:
        tables: dict[str, JSON] = {
            kind: {
                "distinct": len(table),
                "max_error": table.max_error,
                "top": [_hit(phrase, hits, group.texts) for phrase, hits in table.top(_TOP)],
            }
            for kind, table in group.tables.items()
        }
        return {
            "texts": group.texts,
            "refused": group.refused,
            "mean_words": round(group.words / max(1, group.texts), 1),
            "refusal_rate": round(group.singles["refusal"] / max(1, group.texts), 4),
            "redundant_rate": round(group.singles["redundant"] / max(1, group.texts), 4),
            "compression_ratio": round(group.raw_bytes / max(1, group.packed_bytes), 2),
            **tables,
        }


def _named(phrases: Phrases) -> Iterable[tuple[Kind, str]]:
    """Everything about a text that is a phrase."""
    if phrases.opening:
        yield "opening", phrases.opening
        yield "closing", phrases.closing
    for frame in phrases.frames:
        yield "frame", frame
    for cliche in phrases.cliches:
        yield "cliche", cliche


def _refuse(groups: Iterable[_Group], phrases: Phrases) -> None:
    """Count a text as gone, for every phrase under alarm that it has."""
    for group in groups:
        group.refused += 1
        for key in _named(phrases):
            if key in group.alarms:
                group.refused_phrases[key] = group.refused_phrases.get(key, 0) + 1


def _is_redundant(group: _Group, phrases: Phrases, alone: int) -> bool:
    """Whether the texts before say most of a text already; it joins them."""
    packed = compressed_bytes(phrases.sample, group.before)
    is_redundant = bool(group.before) and 2 * packed < alone
    group.raw_bytes += len(phrases.sample)
    group.packed_bytes += packed
    group.before = (group.before + phrases.sample)[-_WINDOW_BYTES:]
    return is_redundant


def _hit(phrase: str, hits: Hits, texts: int) -> JSON:
    low, high = wilson(min(hits.most, texts), texts)
    return {
        "phrase": phrase,
        "count": hits.most,
        "error": hits.error,
        "share": round(hits.most / texts, 4) if texts else 0.0,
        "low": round(low, 4),
        "high": round(high, 4),
    }
