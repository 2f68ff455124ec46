"""What judges accepted records over all shards at once, in the order of the merge, keep-first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final, Protocol

from selfsown.core.errors import ConfigError
from selfsown.core.request import JSON
from selfsown.curate.verdict import Verdict, drop, keep
from selfsown.scale.streams import Key

if TYPE_CHECKING:
    from selfsown.curate.decontaminate import DecontaminationIndex
    from selfsown.recipes.base import Across

Record = Mapping[str, JSON]

PREFIX: Final = "merge_"
"""How the reasons begin for which the merge rejects."""
MIX: Final = f"{PREFIX}mix"


class GlobalFilter(Protocol):
    """A filter with memory over the whole job; one that needs none may keep nothing."""

    @property
    def name(self) -> str:
        """What it is, with its settings, for the manifest."""

    def judge(self, record: Record, key: Key) -> Verdict:
        """Whether the record stays, as far as this filter is concerned."""

    def kept(self, record: Record, key: Key) -> None:
        """The record stays; it was judged just before."""


class Compared:
    """Compares one field with the records kept so far, and with the seeds.

    Records of one shard and ordinal with the same text (the instances of one task) are one text.
    """

    def __init__(
        self,
        name: str,
        field: str,
        admit: Callable[[str], Verdict],
        add: Callable[[str], object],
        seeds: Iterable[str] = (),
    ) -> None:
        """Start from the seeds' texts; `admit` judges a text by those that `add` was given."""
        self.name, self._field = f"{name} of `{field}`", field
        self._admit, self._add = admit, add
        for text in seeds:
            add(text)
        self._last: tuple[object, ...] = ()
        self._verdict, self._added = keep(), False

    def judge(self, record: Record, key: Key) -> Verdict:
        """Whether the text is new."""
        text = record.get(self._field)
        if not isinstance(text, str):
            raise ConfigError(
                f"record `{key.id}` has no text `{self._field}` to compare by",
                why=f"its fields are {', '.join(f'`{name}`' for name in record)}",
                fix="--field NAME",
            )
        group = (key.epoch, key.ordinal, key.shard, text)
        if group != self._last:
            self._last = group
            found = self._admit(text)
            self._verdict = keep() if found.ok else drop(f"{PREFIX}{found.reason}", found.score)
            self._added = False
        return self._verdict

    def kept(self, record: Record, key: Key) -> None:
        """Remember the text, once per task."""
        if not self._added:
            self._add(str(record[self._field]))
            self._added = True


class Decontamination:
    """Drops records that repeat an item of a benchmark."""

    def __init__(self, index: DecontaminationIndex) -> None:
        """Look records up in an index."""
        self._index = index
        self.name = f"decontamination against {', '.join(index.benchmarks)}"

    def judge(self, record: Record, key: Key) -> Verdict:
        """Whether the record repeats nothing."""
        from selfsown.evaluate.overlap import row_overlaps

        found = row_overlaps(record, self._index)
        return drop(f"{PREFIX}repeats_suite", found[0].ratio) if found else keep()

    def kept(self, record: Record, key: Key) -> None:
        """Nothing to remember."""


class OfRecipe:
    """What the recipe of the runs demands of their records together."""

    def __init__(self, across: Across) -> None:
        """Ask this."""
        self.name, self._across = across.name, across

    def judge(self, record: Record, key: Key) -> Verdict:
        """Whether the record stays beside those of the other runs."""
        found = self._across.judge(record)
        return keep() if found.ok else drop(f"{PREFIX}{found.reason}", found.score)

    def kept(self, record: Record, key: Key) -> None:
        """Nothing to remember."""


@dataclass(frozen=True, slots=True)
class Mix:
    """Shares of the values of a field; records with a value that is not named are left out."""

    field: str
    shares: Mapping[str, Fraction]
    """Value → its weight, above 0; only their ratios matter."""

    def value(self, record: Record) -> str:
        """The value that a record counts for."""
        value = record.get(self.field)
        return value if isinstance(value, str) else str(value)

    def require(self, counts: Counter[str], others: Iterable[str]) -> None:
        """Make sure that every value has records; without those of one the mix would be empty.

        Args:
            counts: records of each value that is named.
            others: some values of the field that are not.

        Raises:
            ConfigError: one has none.
        """
        missing = [value for value in self.shares if not counts[value]]
        if missing:
            there = ", ".join(f"`{value}`" for value in [*counts, *others])
            raise ConfigError(
                f"no record that is left has `{missing[0]}` as its `{self.field}`",
                why="each value has its share, so the largest set without one of them is empty",
                fix=f"values of `{self.field}` are {there}; correct --mix"
                if there
                else "name a field that the records have, and its values",
            )

    def quotas(self, counts: Counter[str]) -> dict[str, int]:
        """How many records of each value make the largest set with these shares."""
        whole = min(counts[value] / share for value, share in self.shares.items())
        return {value: int(share * whole) for value, share in self.shares.items()}

    @property
    def name(self) -> str:
        """What it is, for the manifest."""
        shares = ", ".join(f"{value} {share}" for value, share in self.shares.items())
        return f"mix of `{self.field}`: {shares}"


def read_mix(text: str) -> Mix:
    """A mix from `FIELD=VALUE:WEIGHT,VALUE:WEIGHT`.

    Raises:
        ConfigError: it is not of that form, or a weight is not above 0.
    """
    field, _, pairs = text.partition("=")
    try:
        split = [pair.rpartition(":") for pair in pairs.split(",")]
        shares = {value: Fraction(weight) for value, _, weight in split}
        if not field or not all(shares) or min(shares.values()) <= 0 or len(shares) < len(split):
            raise ValueError(text)
    except (ValueError, ZeroDivisionError) as error:
        raise ConfigError(
            f"`--mix {text}` is no mix",
            why="it names a field, and for each value once a weight above 0",
            fix="--mix style=faq:0.3,story:0.7",
        ) from error
    return Mix(field, shares)
