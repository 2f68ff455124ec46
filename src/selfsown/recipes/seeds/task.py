"""What a seed task is, what can be wrong with one, and how that is said."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from selfsown.core.errors import InputError
from selfsown.core.request import JSON

Severity = Literal["error", "warning"]

SHOWN_PROBLEM_LIMIT = 5


@dataclass(frozen=True, slots=True)
class Instance:
    """One worked example of a task."""

    input: str
    """What the instruction is applied to; empty when the instruction needs nothing else."""
    output: str
    """The right answer, never empty. For a classification task it is the label."""


@dataclass(frozen=True, slots=True)
class SeedTask:
    """One task a run starts from, written by a human unless `depth` says otherwise."""

    id: str
    """Unique within one seed set."""
    name: str
    """A short title for people; may be empty and need not be unique."""
    instruction: str
    """The task statement, exactly as written."""
    instances: tuple[Instance, ...]
    """Worked examples in file order; empty only where the caller allowed that."""
    is_classification: bool | None
    """True if the outputs are a closed set of labels; None if the source does not say."""
    depth: int = 0
    """Longest chain of parents back to a human seed; 0 for one that a human wrote."""

    def to_mapping(self) -> dict[str, JSON]:
        """Return the task in the Self-Instruct JSON shape, keys in the published order."""
        form: dict[str, JSON] = {
            "id": self.id,
            "name": self.name,
            "instruction": self.instruction,
            "instances": [{"input": i.input, "output": i.output} for i in self.instances],
            "is_classification": self.is_classification,
        }
        return {**form, "depth": self.depth} if self.depth else form


@dataclass(frozen=True, slots=True)
class SeedProblem:
    """One finding about one place of a seed source."""

    rule: str
    """Stable name of the check, for example `no-instances`."""
    severity: Severity
    """An error keeps the seed out of a run; a warning does not."""
    what: str
    """What was found, without the place."""
    why: str
    """Why it matters."""
    fix: str
    """What to do about it."""
    line: int | None = None
    """1-based line where the seed begins (1-based position for rows given from Python)."""
    seed_id: str | None = None
    """Id of the seed, if it has one."""

    def place(self, unit: str = "line") -> str:
        """Say where the problem is, for example "line 3 (seed `a`)"; "" for the whole file."""
        where = f"{unit} {self.line}" if self.line is not None else ""
        if self.seed_id is None:
            return where
        return f"{where} (seed `{shown(self.seed_id)}`)".strip()

    def headline(self, unit: str = "line") -> str:
        """Return place and finding on one line."""
        place = self.place(unit)
        return f"{place}: {self.what}" if place else self.what


@dataclass(frozen=True, slots=True)
class SeedReport:
    """Everything learned from reading one seed source."""

    source: str
    """Path or name as the user gave it."""
    unit: str
    """What `SeedProblem.line` counts: "line", or "row" for rows given from Python."""
    row_count: int
    """Rows found, valid or not; blank lines are not rows."""
    tasks: tuple[SeedTask, ...]
    """The tasks without an error, in file order."""
    problems: tuple[SeedProblem, ...]
    """All findings, in file order; findings about the whole file come first."""

    @property
    def errors(self) -> tuple[SeedProblem, ...]:
        """The problems that keep a seed out of a run."""
        return tuple(p for p in self.problems if p.severity == "error")


class SeedFileError(InputError):
    """Seeds cannot be used as they are; `problems` holds every error found."""

    problems: tuple[SeedProblem, ...] = ()


LONGEST_PATH: Final = 4096
"""Characters of a file's name that a message shows: one that is cut cannot be copied."""


def seed_file_error(report: SeedReport) -> SeedFileError:
    """Build the one error that stands for all errors of `report` (at least one)."""
    errors = report.errors
    if len(errors) == 1:
        problem = errors[0]
        place = problem.place(report.unit)
        what = f"`{shown(report.source, LONGEST_PATH)}` {place}".rstrip() + f": {problem.what}"
        why, fix = problem.why, problem.fix
        if problem.line is not None and report.unit == "line":
            fix += f"; or keep the valid rest: `{_drop_command(report.source)}`"
    else:
        what = _listing(report.source, report.unit, report.row_count, errors)
        why = "a run starts from every seed, so none is skipped without your say"
        fix = _fix_for_many(report)
    error = SeedFileError(what, why=why, fix=fix)
    error.problems = errors
    return error


def shown(text: str, limit: int = 80) -> str:
    """Make untrusted text safe and short enough for one line of a message."""
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode("ascii")
        for c in text
    )


def _listing(source: str, unit: str, row_count: int, errors: Sequence[SeedProblem]) -> str:
    lines = [f"`{shown(source, LONGEST_PATH)}` has {len(errors)} errors in {row_count} seed rows:"]
    lines += [f"  {p.headline(unit)}" for p in errors[:SHOWN_PROBLEM_LIMIT]]
    if len(errors) > SHOWN_PROBLEM_LIMIT:
        lines.append(f"  and {len(errors) - SHOWN_PROBLEM_LIMIT} more")
    return "\n".join(lines)


def _fix_for_many(report: SeedReport) -> str:
    if report.unit != "line":
        return "correct these rows, or leave them out, before passing them as seeds"
    check = f"selfsown seeds check {shlex.quote(report.source)}"
    return f"`{check}` explains each one; `{_drop_command(report.source)}` keeps the valid ones"


def _drop_command(source: str) -> str:
    return f"selfsown seeds check {shlex.quote(source)} --drop-invalid -o clean.jsonl"
