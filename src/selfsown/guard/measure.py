"""Measure one sample of text beside the human reference, at equal sizes, with intervals."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from selfsown.core.errors import InputError
from selfsown.curate.tokens import tokenize_unicode
from selfsown.guard.intervals import Estimate, half_samples
from selfsown.guard.metrics import GROUPS, UNBOUNDED, Group, Subject
from selfsown.guard.near_copies import NearCopies
from selfsown.guard.reference import LEAST_CONTROL, Reference, Rows
from selfsown.guard.sample import Metrics, Settings, TextRow, Value, drawn, first_tokens

BUDGET_STEPS: Final = 20
"""The token budget is a whole number of twentieths of the human control's tokens."""


class Ruler:
    """Measures samples against one reference; what the reference gives is computed once."""

    def __init__(self, reference: Sequence[TextRow], settings: Settings | None = None) -> None:
        """Prepare the reference.

        Raises:
            InputError: the reference has fewer than two rows with text.
            MissingExtra: numpy is not installed.
        """
        self.settings = settings or Settings()
        self.reference = Reference(reference, self.settings)
        self._controls: dict[tuple[int, int, str], dict[str, Estimate]] = {}

    def measure(
        self, sample: Sequence[TextRow], trained_on: Iterable[TextRow] | None = None
    ) -> Metrics:
        """Every metric that the sizes allow.

        Args:
            sample: any number of rows; `m` of them are drawn, seeded.
            trained_on: rows the generator was trained on, for the near-copy rate.

        Raises:
            InputError: fewer than two rows of the sample hold text.
        """
        rows = self.rows_of(sample)
        index = None
        if trained_on is not None:
            index = NearCopies(tokenize_unicode(row.text) for row in trained_on)
        return self._measure(rows, index)

    def rows_of(self, sample: Sequence[TextRow]) -> Rows:
        """The rows of a sample that are measured: `m` of those with text, drawn with the seed.

        Raises:
            InputError: fewer than two rows hold text.
        """
        given = [row for row in sample if row.text.strip()]
        most = self.settings.m if self.reference.is_small else len(self.reference.control)
        m = min(len(given), most)
        if len(given) < 2:
            raise InputError(
                f"the sample has {len(given)} rows with text",
                why="diversity is a property of many rows",
                fix="generate at least 50 rows, better 1,000",
            )
        return Rows(drawn(given, m, self.settings.seed, "guard-sample"))

    def _measure(self, rows: Rows, trained_on: NearCopies | None) -> Metrics:
        control = None if self.reference.is_small else self.reference.control.first(len(rows))
        budget = _token_budget(rows, control)
        subject = self._subject(rows, budget, trained_on)
        normal = self._subject(control, budget, trained_on) if control else None
        values: dict[str, Value] = {}
        skipped: dict[str, str] = {}
        for group in GROUPS:
            if reason := _why_not(group, subject):
                skipped.update(dict.fromkeys(group.metrics, reason))
                continue
            baseline = self._control(group, normal, budget) if normal else {}
            for name, found in group.compute(subject):
                values[name] = _value(name, found, baseline.get(name))
        return Metrics(len(rows), values, skipped)

    def _subject(self, rows: Rows, budget: int, trained_on: NearCopies | None) -> Subject:
        masks = half_samples(len(rows), self.settings.replicates, self.settings.seed)
        return Subject(rows, _within(rows, budget), self.reference, masks, trained_on)

    def _control(self, group: Group, control: Subject, budget: int) -> Mapping[str, Estimate]:
        if group.name == "memory":  # depends on the training rows, which change
            return dict(group.compute(control))
        key = (len(control.sample), budget if group.name == "lexical" else 0, group.name)
        if key not in self._controls:
            self._controls[key] = dict(group.compute(control))
        return self._controls[key]


def measure(
    sample: Sequence[TextRow], reference: Sequence[TextRow], settings: Settings | None = None
) -> Metrics:
    """Every metric of a sample beside a human reference; `Ruler` does many samples faster.

    The size of the comparison is m = min(`settings.m`, rows of the sample, half of the reference).
    A reference of fewer than 100 rows shows nothing: then only metrics of the sample alone are
    taken, at m = min(`settings.m`, rows of the sample), without a human baseline. Metrics for
    which a size is too small are named in `skipped` with the reason. Same arguments, same numbers.
    Cost: about a second for m = 300, some seconds for m = 1,000.

    Raises:
        InputError: fewer than two rows of the sample or of the reference hold text.
        MissingExtra: numpy is not installed.
    """
    return Ruler(reference, settings).measure(sample)


def _value(name: str, found: Estimate, normal: Estimate | None) -> Value:
    if normal is None:
        return Value(found.value, found.error, *_ends(name, found), None, 0.0, 0.0, 0.0)
    ends = (_ends(name, found), _ends(name, normal))
    return Value(found.value, found.error, *ends[0], normal.value, normal.error, *ends[1])


def _ends(name: str, side: Estimate) -> tuple[float, float]:
    """The interval within the metric's bounds."""
    top = math.inf if name in UNBOUNDED else 1.0
    return max(min(0.0, side.value), side.lo), min(max(top, side.value), side.hi)


def _token_budget(rows: Rows, control: Rows | None) -> int:
    """Tokens that both sides have, rounded down to a step of the control's."""
    have = sum(map(len, rows.tokens))
    if control is None:
        return have
    normal = sum(map(len, control.tokens))
    if have >= normal:
        return normal
    steps = math.floor(BUDGET_STEPS * have / normal)
    return normal * steps // BUDGET_STEPS if steps else have


def _within(rows: Rows, budget: int) -> Rows:
    """The first rows up to a number of tokens; the last row is cut."""
    tokens = list(first_tokens(rows.tokens, budget))
    part = rows.first(len(tokens))
    part.tokens = tokens
    return part


def _why_not(group: Group, subject: Subject) -> str:
    """Why a group cannot be computed; empty if it can."""
    have, against = len(subject.sample), len(subject.reference.against)
    if group.least_against and subject.reference.is_small:
        return (
            f"needs {2 * LEAST_CONTROL} rows of human reference, half of them to show what is"
            f" normal, and has {subject.reference.size}"
        )
    if min(have, len(subject.budgeted)) < group.least_rows:
        return f"needs {group.least_rows} rows and has {have}"
    if against < group.least_against:
        return f"needs {group.least_against} reference rows to compare with and has {against}"
    if group.name == "labels":
        return _why_no_labels(subject)
    if group.name == "memory" and subject.trained_on is None:
        return "the rows that the model was trained on are not given"
    return ""


def _why_no_labels(subject: Subject) -> str:
    if len(subject.reference.labels.counts) < 2:
        return "the reference has fewer than two labels"
    labelled = sum(bool(label) for label in subject.sample.labels)
    return "" if 2 * labelled >= len(subject.sample) else "most rows of the sample have no label"
