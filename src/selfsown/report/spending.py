"""What the run cost over all its sessions: calls, attempts, tokens and money, from the journal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from selfsown.core.journal import Journal
from selfsown.core.request import JSON
from selfsown.export.run_files import RunFiles, integer, mapping
from selfsown.report.absent import Absent

NANO: Final = 1e-9
_SUMMED: Final = (
    *("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens", "cost_nano_usd"),
)
_STANDING: Final = "seq NOT IN (SELECT outcome_seq FROM voids)"
_CALLS: Final = "SELECT count(*) FROM outcomes WHERE kind='call'"


@dataclass(frozen=True, slots=True)
class Spending:
    """Sums over the journal; per-record numbers are None without accepted records."""

    calls: int
    """Model calls with an outcome, made by this run."""
    reused: int
    """Outcomes copied from another run's journal."""
    failed_calls: int
    """Calls whose outcome is a final failure that has not been asked again."""
    effects: int
    attempts: int
    attempts_by_kind: Mapping[str, int]
    """How attempts ended: `ok` or the kind of failure, most frequent first."""
    input_tokens: int
    """Prompt tokens, those from a cache included."""
    cached_input_tokens: int
    output_tokens: int
    """Generated tokens, hidden reasoning included."""
    reasoning_tokens: int
    cost_usd: float
    shared: int
    """Asks answered by an equal request in flight, in the last session."""
    unused: int
    """Answers that were paid for and not needed any more when the run ended."""
    from_journal: int
    """Outcomes that the last session found in the journal."""
    budget: Mapping[str, JSON]
    """The caps of the config; empty without one."""
    accepted: int
    calls_per_accepted: float | None
    tokens_per_accepted: float | None
    cost_usd_per_accepted: float | None


def read_spending(run: RunFiles, accepted: int) -> Spending | Absent:
    """Add up the journal's attempts.

    Args:
        run: the run.
        accepted: records in the data set.
    """
    with run.journal() as journal:
        if journal is None:
            return Absent("the directory has no journal")
        return _spending(run, journal, accepted)


def _spending(run: RunFiles, journal: Journal, accepted: int) -> Spending:
    kinds: Counter[str] = Counter()
    sums: Counter[str] = Counter()
    columns = ", ".join(f"sum({name})" for name in _SUMMED)
    by_kind = f"SELECT kind, count(*), {columns} FROM attempts GROUP BY kind"  # noqa: S608 fixed
    for kind, count, *amounts in journal.query(by_kind):
        kinds[str(kind or "ok")] += integer(count)
        for name, amount in zip(_SUMMED, amounts, strict=True):
            sums[name] += integer(amount)
    calls = journal.scalar(f"{_CALLS} AND source=''")
    cost = sums["cost_nano_usd"] * NANO
    tokens = sums["input_tokens"] + sums["output_tokens"]
    return Spending(
        calls=calls,
        reused=journal.scalar("SELECT count(*) FROM outcomes WHERE source<>''"),
        failed_calls=journal.scalar(f"{_CALLS} AND source='' AND ok=0 AND {_STANDING}"),
        effects=journal.scalar("SELECT count(*) FROM outcomes WHERE kind='effect' AND source=''"),
        attempts=kinds.total(),
        attempts_by_kind=dict(sorted(kinds.items(), key=lambda pair: (-pair[1], pair[0]))),
        input_tokens=sums["input_tokens"],
        cached_input_tokens=sums["cached_input_tokens"],
        output_tokens=sums["output_tokens"],
        reasoning_tokens=sums["reasoning_tokens"],
        cost_usd=round(cost, 9),
        shared=integer(run.run.get("shared")),
        unused=integer(run.run.get("unused")),
        from_journal=integer(run.run.get("calls_from_journal")),
        budget={k: v for k, v in mapping(run.config.get("budget")).items() if v is not None},
        accepted=accepted,
        calls_per_accepted=_per(calls, accepted, 3),
        tokens_per_accepted=_per(tokens, accepted, 1),
        cost_usd_per_accepted=_per(cost, accepted, 9),
    )


def _per(amount: float, records: int, digits: int) -> float | None:
    return round(amount / records, digits) if records else None
