"""`guard.json`: what was measured about one round, and what the guard said about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final, cast

import orjson

from selfsown.core.errors import InputError
from selfsown.core.request import JSON
from selfsown.core.rundir import whole_file
from selfsown.guard.lineage import Depths, Mixture
from selfsown.guard.losses import Loss, TopicRejection
from selfsown.guard.policy import Level
from selfsown.guard.sample import SAMPLE_KINDS, Metrics, SampleKind, Value

GUARD_FILE: Final = "guard.json"


@dataclass(frozen=True, slots=True)
class Alarm:
    """One rule that was broken."""

    rule: str
    level: Level
    message: str
    """What happened, with the numbers."""
    sample: SampleKind | None = None
    """In which sample; None for rules on lineage and mixture."""
    change: float | None = None
    """Relative worsening, for rules that compare."""
    p_value: float | None = None
    """Holm-adjusted over all comparisons of the round."""
    evidence: tuple[Loss, ...] = ()
    """What was lost."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """Something to do about an alarm."""

    name: str
    action: str
    """An imperative sentence."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the guard says about a round."""

    level: Level
    alarms: tuple[Alarm, ...] = ()
    remedies: tuple[Remedy, ...] = ()
    """In the order in which to try them."""
    notes: tuple[str, ...] = ()
    """What was not compared and why, trends, hints."""


@dataclass(frozen=True, slots=True)
class GuardRecord:
    """One round as the guard saw it."""

    round: int
    m: int
    """Rows of each sample, as asked for; each sample says how many it had."""
    sample_seed: int
    reference_hash: str
    metrics: Mapping[SampleKind, Metrics]
    depths: Depths
    losses: Mapping[SampleKind, tuple[Loss, ...]]
    fields: tuple[str, str] = ("text", "text")
    """What was measured: the field of the run, and of the human reference."""
    base_model: str = ""
    parent_checkpoint: str = ""
    data: Mixture | None = None
    """The mixture that was trained on; None before a training."""
    decoding: Mapping[str, JSON] | None = None
    scores: Mapping[str, float] | None = None
    """Numbers of the model: `human_nll`, `human_nll_tail` (nats), `effective_bias`."""
    unscored: str = ""
    """Why the NLL of human text was not measured; empty if it was, or nobody asked."""
    rejections: tuple[TopicRejection, ...] = ()
    verdict: Verdict | None = None
    """None until judged."""

    def judged(self, verdict: Verdict) -> GuardRecord:
        """The same with a verdict."""
        return replace(self, verdict=verdict)

    def to_json(self) -> dict[str, JSON]:
        """As plain JSON values; `from_json` reads them back to an equal record.

        Metrics are flat: `metrics["raw.distinct_2"]` has value, error, lo, hi, baseline and ratio.
        """
        form: dict[str, JSON] = {
            "round": self.round,
            "base_model": self.base_model,
            "parent_checkpoint": self.parent_checkpoint,
            "data": _mixture_form(self.data),
            "lineage": asdict(self.depths),
            "decoding": dict(self.decoding or {}),
            "sample_seed": self.sample_seed,
            "m": self.m,
            "reference_hash": self.reference_hash,
            "fields": list(self.fields),
            "samples": {
                kind: {"m": metrics.m, "skipped": dict(metrics.skipped)}
                for kind, metrics in self.metrics.items()
            },
            "metrics": {
                f"{kind}.{name}": {**asdict(value), "ratio": value.ratio}
                for kind, metrics in self.metrics.items()
                for name, value in metrics.values.items()
            },
            "scores": dict(self.scores or {}),
            "unscored": self.unscored,
            "losses": {kind: [asdict(loss) for loss in lost] for kind, lost in self.losses.items()},
            "rejections": [asdict(rejection) for rejection in self.rejections],
        }
        if self.verdict is not None:
            verdict = asdict(self.verdict)
            form |= {
                "alarms": verdict["alarms"],
                "remedies": verdict["remedies"],
                "notes": verdict["notes"],
                "verdict": self.verdict.level,
            }
        return form

    @classmethod
    def from_json(cls, form: Mapping[str, JSON]) -> GuardRecord:
        """The record of a JSON object that `to_json` made.

        Raises:
            InputError: a key is missing or has another type.
        """
        try:
            return _record(form)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"a guard record cannot be read: {type(error).__name__} {error}",
                why="`guard.json` is written by selfsown as a whole",
                fix="run `selfsown guard` again for that round",
            ) from error


def write_record(record: GuardRecord, directory: Path) -> Path:
    """Write `guard.json` as a whole and return its path; the same record, the same bytes.

    Raises:
        EnvironmentFailure: it cannot be written.
    """
    path = directory / GUARD_FILE
    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS
    with whole_file(path) as file:
        file.write(orjson.dumps(record.to_json(), option=options))
    return path


def read_record(path: Path) -> GuardRecord:
    """The record of a `guard.json`, or of the directory that holds one.

    Raises:
        InputError: it is missing or cannot be read.
    """
    file = path / GUARD_FILE if path.is_dir() else path
    try:
        form = orjson.loads(file.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise InputError(
            f"`{file}` cannot be read as a guard record: {error}",
            why="an earlier round is what this one is compared with",
            fix=f"run `selfsown guard {file.parent} --reference FILE` first",
        ) from error
    return GuardRecord.from_json(form)


def _mixture_form(data: Mixture | None) -> JSON:
    if data is None:
        return None
    depths = {str(depth): count for depth, count in data.synth_rows_by_depth.items()}
    return {**asdict(data), "synth_rows_by_depth": depths}


def _record(form: Mapping[str, JSON]) -> GuardRecord:
    given = cast("dict[str, dict[str, dict[str, float]]]", form)
    samples = cast("dict[SampleKind, dict[str, JSON]]", form["samples"])
    values: dict[SampleKind, dict[str, Value]] = {kind: {} for kind in samples}
    for key, value in given["metrics"].items():
        kind, _, name = key.partition(".")
        values[_kind(kind)][name] = Value(**{k: v for k, v in value.items() if k != "ratio"})
    metrics = {
        kind: Metrics(
            cast(int, samples[kind]["m"]), found, cast("dict[str, str]", samples[kind]["skipped"])
        )
        for kind, found in values.items()
    }
    losses = cast("dict[SampleKind, list[JSON]]", form["losses"])
    return GuardRecord(
        round=cast(int, form["round"]),
        m=cast(int, form["m"]),
        sample_seed=cast(int, form["sample_seed"]),
        reference_hash=cast(str, form["reference_hash"]),
        metrics=metrics,
        depths=Depths(**cast("dict[str, float]", form["lineage"])),  # type: ignore[arg-type]
        losses={kind: _losses(lost) for kind, lost in losses.items()},
        fields=cast("tuple[str, str]", tuple(cast("list[str]", form["fields"]))),
        base_model=cast(str, form["base_model"]),
        parent_checkpoint=cast(str, form["parent_checkpoint"]),
        data=_mixture(form["data"]),
        decoding=cast("dict[str, JSON]", form["decoding"]) or None,
        scores=cast("dict[str, float]", form["scores"]) or None,
        unscored=cast(str, form["unscored"]),
        rejections=tuple(
            TopicRejection(**row)  # type: ignore[arg-type]
            for row in cast("list[dict[str, JSON]]", form["rejections"])
        ),
        verdict=_verdict(form) if "verdict" in form else None,
    )


def _kind(name: str) -> SampleKind:
    for kind in SAMPLE_KINDS:
        if kind == name:
            return kind
    raise ValueError(f"sample `{name}`")


def _mixture(form: JSON) -> Mixture | None:
    if form is None:
        return None
    fields = dict(cast("dict[str, JSON]", form))
    depths = cast("dict[str, int]", fields.pop("synth_rows_by_depth"))
    by_depth = {int(depth): count for depth, count in depths.items()}
    return Mixture(synth_rows_by_depth=by_depth, **fields)  # type: ignore[arg-type]


def _losses(rows: Sequence[JSON]) -> tuple[Loss, ...]:
    return tuple(Loss(**row) for row in cast("list[dict[str, JSON]]", rows))  # type: ignore[arg-type]


def _verdict(form: Mapping[str, JSON]) -> Verdict:
    alarms = []
    for row in cast("list[dict[str, JSON]]", form["alarms"]):
        fields = dict(row)
        evidence = _losses(cast("list[JSON]", fields.pop("evidence")))
        alarms.append(Alarm(evidence=evidence, **fields))  # type: ignore[arg-type]
    remedies = cast("list[dict[str, str]]", form["remedies"])
    return Verdict(
        cast(Level, form["verdict"]),
        tuple(alarms),
        tuple(Remedy(**row) for row in remedies),
        tuple(cast("list[str]", form["notes"])),
    )
