"""Preference pairs of a run as a trainer's file, with their provenance and all that was left out.

Beside `FILE` lie `FILE.provenance.jsonl`, line by line where both answers of a pair came from, and
`FILE.left_out.jsonl`, the rejected records that gave none, each with its reason. Nothing appears
before everything is written.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from selfsown.core.errors import CheckFailed, InputError, TooFewRecords
from selfsown.core.request import JSON
from selfsown.export.example import Fields, fields_for
from selfsown.export.export import Admit, provenance_path
from selfsown.export.files import open_rows, refuse_overwrite
from selfsown.export.provenance import open_provenance
from selfsown.export.run_files import RunFiles, integer, mapping, open_run
from selfsown.preference.formats import find_pair_format
from selfsown.preference.negatives import LeftOut, Negative, NegativeSource
from selfsown.preference.reasons import honest_reasons


@dataclass(frozen=True, slots=True, kw_only=True)
class PairOptions:
    """What to write and how."""

    format: str = "records"
    """A name in `selfsown.extensions.PAIR_EXPORTERS`."""
    also: tuple[str, ...] = ()
    """Reasons beyond those known to make honest negatives."""
    without: tuple[str, ...] = ()
    """Known ones that are not to be used."""
    prompt_field: str | None = None
    """Field with the whole user turn; None for `instruction` and `input`."""
    completion_field: str | None = None
    """Field with the answer; None for `output` or else `completion`."""
    system_field: str | None = None
    """Field with the system text; None for none."""
    unfinished: bool = False
    """Read also a run that has not ended."""
    force: bool = False
    """Replace files that exist."""


@dataclass(slots=True)
class RunPairs:
    """What the rejected records of a run came to."""

    path: Path
    provenance: Path
    left_out_path: Path
    rejected: int = 0
    """Records that the run rejected; as many as pairs and left out together."""
    pairs: Counter[str] = field(default_factory=Counter)
    """Reason of the rejection -> pairs."""
    left_out: dict[str, Counter[str]] = field(default_factory=dict)
    """Reason of the rejection -> why it gives no pair -> records."""

    @property
    def pair_count(self) -> int:
        """Pairs that were written."""
        return self.pairs.total()

    @property
    def left_out_count(self) -> int:
        """Records that are listed with why they give no pair."""
        return sum(counts.total() for counts in self.left_out.values())

    @property
    def by_reason(self) -> dict[str, int]:
        """Reason of the rejection -> records, as the manifest counts them."""
        counts = self.pairs.copy()
        for reason, whys in self.left_out.items():
            counts[reason] += whys.total()
        return dict(sorted(counts.items()))


def pairs_of_run(
    run_dir: Path, out: Path, options: PairOptions | None = None, *, admit: Admit | None = None
) -> RunPairs:
    """Write the pairs of rejected and accepted records of a run.

    Args:
        run_dir: a run directory.
        out: file to write; Parquet if its name ends in `.parquet`, else JSONL.
        options: format, reasons, fields; the defaults of `PairOptions` if None.
        admit: asked about both examples of a pair; None admits all.

    Raises:
        InputError: the run has no accepted record or has not ended, a field or folder is missing,
            or a file exists.
        TooFewRecords: no rejected record gives a pair; says why, and writes no file.
        CheckFailed: the run's data file has other records than its manifest says.
        MissingExtra: Parquet needs a package that is not installed.
        EnvironmentFailure: the files cannot be written.
    """
    options = options or PairOptions()
    make_row = find_pair_format(options.format)
    reasons = honest_reasons(options.also, options.without)
    run = open_run(run_dir)
    _refuse_unfinished(run, options)
    fields = _fields(run, options)
    result = RunPairs(out, provenance_path(out), left_out_path(out))
    files = (result.path, result.provenance, result.left_out_path)
    refuse_overwrite(files, force=options.force)
    if not out.parent.is_dir():
        raise InputError(
            f"the folder `{out.parent}` does not exist",
            why="the pairs are written into it",
            fix=f"mkdir -p {out.parent}",
        )
    with contextlib.ExitStack() as stack:
        index = stack.enter_context(open_provenance(run.path))
        rows, sources, drops = (stack.enter_context(open_rows(path)) for path in files)
        for one in NegativeSource(run, fields, index, reasons, admit).outcomes():
            result.rejected += 1
            if isinstance(one, LeftOut):
                result.left_out.setdefault(one.reason, Counter())[one.why] += 1
                drops.write(asdict(one))
                continue
            result.pairs[one.pair.reason] += 1
            rows.write(make_row(one.pair))
            sources.write({"line": result.pair_count, **_source(one)})
        _check_against_manifest(run, result)
        _check_some(run, result)
    return result


def left_out_path(path: Path) -> Path:
    """Where it is listed which rejected records gave no pair."""
    return path.with_name(f"{path.name}.left_out.jsonl")


def _source(one: Negative) -> dict[str, JSON]:
    """The provenance line of a pair: what holds for both answers, and each record's own."""
    depths = [integer(origin.get("model_depth")) for origin in (one.chosen, one.rejected)]
    return {
        "id": f"{one.pair.chosen_id}>{one.pair.rejected_id}",
        "origin": "model",
        "model_depth": max(depths),
        "reason": one.pair.reason,
        "chosen": dict(one.chosen),
        "rejected": dict(one.rejected),
    }


def _check_against_manifest(run: RunFiles, result: RunPairs) -> None:
    """The manifest counted the rejected records when they were rejected."""
    stated = mapping(mapping(run.data.get("files")).get("rejected.jsonl")).get("rows")
    if isinstance(stated, int) and stated != result.rejected:
        raise CheckFailed(
            f"`{run.path / 'rejected.jsonl'}` has {result.rejected} records, the manifest says"
            f" {stated}",
            why="every rejected record becomes a pair or is listed, so none may be missing before",
            fix=f"run the command of `{run.path}` again: it writes the file from the journal",
        )


def _check_some(run: RunFiles, result: RunPairs) -> None:
    if result.pairs:
        return
    reasons = "; ".join(
        f"{reason}: " + ", ".join(f"{why} {count}" for why, count in sorted(whys.items()))
        for reason, whys in sorted(result.left_out.items())
    )
    raise TooFewRecords(
        f"no rejected record of `{run.path}` gives a pair ({reasons or 'nothing was rejected'})",
        why="a pair needs an answer that was rejected for its fault, and an accepted one beside it",
        fix="vouch for a reason with --also REASON, or ask for more answers per prompt",
    )


def _fields(run: RunFiles, options: PairOptions) -> Fields:
    first: Mapping[str, JSON] | None = next(run.rows("accepted"), None)
    if first is None:
        raise InputError(
            f"`{run.path}` has no accepted records",
            why="a rejected answer is compared with an accepted answer to the same prompt",
            fix=f"see what was rejected and why with `selfsown report {run.path}`",
        )
    fields = fields_for(
        first,
        prompt=options.prompt_field,
        completion=options.completion_field,
        system=options.system_field,
    )
    if not fields.instruction:
        raise InputError(
            f"the records of `{run.path}` do not say what was asked",
            why="accepted and rejected answers to the same prompt are looked for by that text",
            fix="name the field that holds the request with --prompt-field NAME",
        )
    return fields


def _refuse_unfinished(run: RunFiles, options: PairOptions) -> None:
    if not run.finished and not options.unfinished:
        raise InputError(
            f"the run in `{run.path}` is {run.run.get('status') or 'not ended'}",
            why="a rejected answer may yet get an accepted one beside it",
            fix="resume the run first, or take what is there with --unfinished",
        )
