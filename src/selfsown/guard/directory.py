"""One round as the guard sees it: from a run directory and a human reference to a record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from selfsown.core.request import JSON
from selfsown.export.run_files import RunFiles, integer, mapping, open_run, record_id, string
from selfsown.guard.human_nll import Predict, Scored, human_nll, with_bias
from selfsown.guard.lineage import Depths, Lineage, Mixture, TrainedRow, Training
from selfsown.guard.losses import losses_of, rejections_by_topic
from selfsown.guard.measure import Ruler
from selfsown.guard.record import GuardRecord
from selfsown.guard.sample import SampleKind, Settings, TextRow
from selfsown.guard.texts import (
    Reading,
    Row,
    RunTexts,
    field_of,
    read_reference,
    read_run,
    settle,
)


@dataclass(frozen=True, slots=True)
class RoundFacts:
    """What a run directory cannot know about its round; everything is optional."""

    round: int | None = None
    """None takes the round stamped on the run's provenance."""
    base_model: str = ""
    parent_checkpoint: str = ""
    trained: Sequence[TrainedRow] = ()
    """The mixture that this round's training used, epochs counted."""
    mixture: Mixture | None = None
    """The same, where it is counted already."""
    earlier: Sequence[TrainedRow] = ()
    """Rows of earlier trainings, to tell which human rows are fresh."""
    trainings: Sequence[Training] = ()
    """All trainings behind the generators, for the depth."""
    provenance: Sequence[Path] = ()
    """Run directories of earlier rounds, whose rows are in the mixtures."""
    human_ids: Iterable[str] = ()
    """Ids of human rows beside the runs' own seeds."""
    unbiased: Sequence[Row] = ()
    """Rows drawn from the generator at temperature 1 and top-p 1."""
    trained_on: Sequence[Row] | None = None
    """Texts that the generator was trained on, for the near-copy rate."""
    predict: Predict | None = None
    """Likelihoods under the generator, for the NLL of held-out human text."""


NOTHING_KNOWN = RoundFacts()


def guard_directory(
    run_dir: Path,
    reference: Path | Sequence[Row],
    *,
    settings: Settings | None = None,
    facts: RoundFacts = NOTHING_KNOWN,
    reading: Reading | None = None,
) -> GuardRecord:
    """Measure a run directory, or a JSONL, JSON or CSV file, against human rows.

    The record is not judged yet: `judge` needs those of earlier rounds too. Human share and depth
    are counted from provenance rows; the mixture is absent unless `facts` say what was trained on.

    Raises:
        InputError: the run or the reference cannot be read, or has too little text.
        MissingExtra: numpy is not installed.
    """
    settings = settings or Settings()
    human = read_reference(reference)
    reading = settle(run_dir, human, reading or Reading())
    texts = read_run(run_dir, reading)
    ruler = Ruler(reading.text_rows(human, reading.reference_field or texts.field), settings)
    samples = _samples(texts, facts, reading)
    trained_on = None
    if facts.trained_on is not None:
        trained_on = reading.text_rows(facts.trained_on, field_of(facts.trained_on, texts.field))
    metrics = {kind: ruler.measure(rows, trained_on) for kind, rows in samples.items()}
    run = open_run(run_dir) if run_dir.is_dir() else None
    lineage = _lineage(run, facts)
    scored = Scored({})
    if facts.predict is not None:
        seen = [row.text for row in trained_on or ()]
        scored = human_nll(ruler.reference, facts.predict, seen)
    scored = with_bias(scored, metrics)
    return GuardRecord(
        round=_round(run) if facts.round is None else facts.round,
        fields=(texts.field, reading.reference_field or texts.field),
        m=settings.m,
        sample_seed=settings.seed,
        reference_hash=ruler.reference.hash,
        metrics=metrics,
        depths=_depths(run, lineage),
        losses={
            kind: losses_of(ruler.rows_of(rows), ruler.reference) for kind, rows in samples.items()
        },
        base_model=facts.base_model,
        parent_checkpoint=facts.parent_checkpoint,
        data=lineage.mixture(facts.trained, facts.earlier) if facts.trained else facts.mixture,
        decoding=_decoding(run),
        scores=scored.scores or None,
        unscored=scored.unscored,
        rejections=rejections_by_topic(texts.kept, texts.rejected, ruler.reference)
        if texts.rejected
        else (),
    )


def _samples(
    texts: RunTexts, facts: RoundFacts, reading: Reading
) -> dict[SampleKind, Sequence[TextRow]]:
    samples: dict[SampleKind, Sequence[TextRow]] = {}
    if facts.unbiased:
        samples["unbiased"] = reading.text_rows(
            facts.unbiased, field_of(facts.unbiased, texts.field)
        )
    samples["raw"] = texts.raw
    is_filtered = bool(texts.rejected) or texts.curated is not texts.kept
    if len(texts.curated) >= 2 and is_filtered:
        samples["curated"] = texts.curated
    return samples


def _lineage(run: RunFiles | None, facts: RoundFacts) -> Lineage:
    runs = [open_run(path) for path in facts.provenance] + ([run] if run else [])
    rows = (row for one in runs for row in one.rows("provenance"))
    seeds = (string(row.get("id")) for one in runs for row in one.seeds())
    return Lineage(rows, [*seeds, *facts.human_ids], facts.trainings)


def _depths(run: RunFiles | None, lineage: Lineage) -> Depths:
    """Of the accepted rows."""
    return lineage.depths([record_id(row) for row in run.rows("accepted")] if run else [])


def _round(run: RunFiles | None) -> int:
    first = next(run.rows("provenance"), {}) if run else {}
    return integer(first.get("round"))


def _decoding(run: RunFiles | None) -> Mapping[str, JSON] | None:
    """The sampling options of the run's config, where it has some under that name."""
    if run is None:
        return None
    options = mapping(run.config.get("options"))
    found = {
        name: value
        for name, value in options.items()
        if any(word in name for word in ("temperature", "top_p", "top_k", "min_p", "sampling"))
    }
    return found or None
