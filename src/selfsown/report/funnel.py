"""Candidates per stage and how they ended: in = accepted + rejected + failed, with reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from selfsown.core.request import JSON
from selfsown.export.run_files import RunFiles, integer, mapping, sequence, string
from selfsown.report.absent import NOT_WRITTEN, Absent
from selfsown.report.shown import shown_line


@dataclass(frozen=True, slots=True)
class StageNumbers:
    """One stage of the funnel."""

    stage: str
    unit: str
    """What its candidates are, for example `instruction`."""
    output: bool
    """Whether its accepted candidates are the data set."""
    entered: int
    accepted: int
    rejected: Mapping[str, int]
    """Reason → count, most frequent first."""
    failed: Mapping[str, int]
    """Kind of failure → count, most frequent first."""

    @property
    def rejected_count(self) -> int:
        """All rejected ones."""
        return sum(self.rejected.values())

    @property
    def failed_count(self) -> int:
        """All failed ones."""
        return sum(self.failed.values())

    @property
    def acceptance_rate(self) -> float:
        """Accepted per candidate, in [0, 1]; 0 for an empty stage."""
        return self.accepted / self.entered if self.entered else 0.0


@dataclass(frozen=True, slots=True)
class Funnel:
    """All stages, in the order of the recipe."""

    stages: tuple[StageNumbers, ...]
    accepted: int
    """Records in the data set."""


def read_funnel(run: RunFiles) -> Funnel | Absent:
    """The funnel from the manifest; of a run without one it is counted from the provenance."""
    listed = sequence(run.data.get("stages"))
    stages = tuple(_listed(mapping(stage)) for stage in listed) if listed else _counted(run)
    if not stages:
        return Absent("no candidate has ended" if run.manifest else NOT_WRITTEN)
    return Funnel(stages, sum(stage.accepted for stage in stages if stage.output))


def _listed(stage: Mapping[str, JSON]) -> StageNumbers:
    return StageNumbers(
        stage=string(stage.get("stage")),
        unit=string(stage.get("unit")),
        output=stage.get("output") is True,
        entered=integer(stage.get("in")),
        accepted=integer(stage.get("accepted")),
        rejected=_by_count(mapping(stage.get("rejected"))),
        failed=_by_count(mapping(stage.get("failed"))),
    )


@dataclass(slots=True)
class _Tally:
    output: bool = False
    accepted: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)


def _counted(run: RunFiles) -> tuple[StageNumbers, ...]:
    tallies: dict[str, _Tally] = {}
    for row in run.rows("provenance"):
        tally = tallies.setdefault(string(row.get("stage")), _Tally())
        match row.get("end"):
            case "rejected":
                tally.rejected[string(row.get("reason"))] += 1
            case "failed":
                tally.failed[string(row.get("error"))] += 1
            case end:
                tally.accepted += 1
                tally.output |= end == "accepted"
    return tuple(
        StageNumbers(
            stage=name,
            unit="candidate",
            output=tally.output,
            entered=tally.accepted + tally.rejected.total() + tally.failed.total(),
            accepted=tally.accepted,
            rejected=_by_count(tally.rejected),
            failed=_by_count(tally.failed),
        )
        for name, tally in tallies.items()
    )


def _by_count(counts: Mapping[str, JSON] | Counter[str]) -> dict[str, int]:
    pairs = [(shown_line(name, 80), integer(count)) for name, count in counts.items()]
    return dict(sorted(pairs, key=lambda pair: (-pair[1], pair[0])))
