"""The guard's record of one round: measured before anything is trained on it, then judged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from selfsown.core.randomness import rng_for
from selfsown.core.request import JSON
from selfsown.core.rundir import read_lines
from selfsown.evaluate.lines import read_objects
from selfsown.export.export import provenance_path
from selfsown.guard.human_nll import Scored, human_nll, with_bias
from selfsown.guard.judge import judge
from selfsown.guard.lineage import Lineage, Mixture, TrainedRow
from selfsown.guard.losses import losses_of, rejections_by_topic
from selfsown.guard.measure import Ruler
from selfsown.guard.policy import Policy
from selfsown.guard.record import GUARD_FILE, GuardRecord, read_record, write_record
from selfsown.guard.sample import SampleKind, Settings, TextRow, drawn
from selfsown.guard.texts import Reading, read_run
from selfsown.lab import oracle
from selfsown.lab.world import sample_instruction
from selfsown.loop.audit import draw
from selfsown.loop.config import LoopConfig
from selfsown.loop.places import LoopPlaces, RoundPlaces
from selfsown.loop.rehearsal import list_prompt
from selfsown.models.likelihood import likelihoods
from selfsown.recipes.base import get_recipe
from selfsown.recipes.seeds import read_seeds
from selfsown.train.mixture import Row
from selfsown.train.plan import local_folder, make_plan
from selfsown.train.prepare import prepare
from selfsown.train.records import read_sources
from selfsown.train.settings import TrainConfig
from selfsown.train.tokens import Encoder

LAB_REFERENCE: Final = "lab"


class Watch:
    """Measures and judges the rounds of one loop against one reference."""

    def __init__(self, config: LoopConfig, places: LoopPlaces) -> None:
        """Read the reference.

        Raises:
            InputError: it has fewer than two rows with text.
            MissingExtra: numpy is not installed.
        """
        self._config, self._places = config, places
        guard = config.guard
        self._settings = Settings(m=guard.m, seed=guard.seed)
        self._ruler = Ruler(list(self._reference()), self._settings)

    def record(self, number: int, generator: str, mixture: Mixture | None) -> GuardRecord:
        """The judged record of a round; made once, then read.

        Args:
            number: of the round, whose run is finished.
            generator: URI of the model that wrote it.
            mixture: what would be trained on; None if there is nothing.
        """
        places = self._places.round(number)
        if (places.home / GUARD_FILE).is_file():
            return read_record(places.home)
        record = self._measured(places, number, generator, mixture)
        history = [*self.history(number), record]
        verdict = judge(history, self._policy(history))
        judged = record.judged(verdict)
        write_record(judged, places.home)
        return judged

    def history(self, before: int) -> list[GuardRecord]:
        """The records of the rounds before one."""
        homes = [self._places.round(number).home for number in range(before)]
        return [read_record(home) for home in homes if (home / GUARD_FILE).is_file()]

    def _policy(self, history: Sequence[GuardRecord]) -> Policy:
        """Rounds by the base are not compared; the first one by a tuned model is the baseline."""
        tuned = [one.round for one in history if one.depths.model_depth_max > 0]
        first = tuned[0] if tuned else history[-1].round
        return Policy(baseline_round=first, has_verifier=self._config.guard.has_verifier)

    def _measured(
        self, places: RoundPlaces, number: int, generator: str, mixture: Mixture | None
    ) -> GuardRecord:
        texts = read_run(places.run, Reading("instruction", ""))
        samples: dict[SampleKind, Sequence[TextRow]] = {
            "unbiased": self._unbiased(places, generator),
            "raw": self._rows(texts.raw),
            "curated": self._rows(texts.curated),
        }
        measured = {
            kind: self._equal(kind, rows, number) for kind, rows in samples.items() if len(rows) > 1
        }
        reference = self._ruler.reference
        written = list(provenance(places.run))
        lineage = Lineage(self._all_provenance(number), self._human_ids())
        metrics = {kind: self._ruler.measure(rows) for kind, rows in measured.items()}
        scored = with_bias(self._human_nll(generator), metrics)
        return GuardRecord(
            round=number,
            m=self._settings.m,
            sample_seed=self._settings.seed,
            reference_hash=reference.hash,
            metrics=metrics,
            depths=lineage.depths([str(row["id"]) for row in written]),
            losses={
                kind: losses_of(self._ruler.rows_of(rows), reference)
                for kind, rows in measured.items()
            },
            base_model=self._config.base,
            parent_checkpoint=generator,
            data=mixture,
            decoding=self._config.options,
            scores=scored.scores or None,
            unscored=scored.unscored,
            rejections=rejections_by_topic(
                self._rows(texts.kept), self._rows(texts.rejected), reference
            ),
        )

    def mixture(self, training: TrainConfig, number: int, earlier: Sequence[Path]) -> Mixture:
        """What a training would be trained on, from provenance, repeats and epochs counted.

        Args:
            training: what would be trained.
            number: of the round.
            earlier: data files of earlier trainings, to tell which human rows are fresh.
        """
        plan = make_plan(training)
        sources = read_sources(training.data, seeds=False)
        encoder = Encoder(plan.tokenizer, plan.base)
        prepared = prepare(sources, plan.settings, encoder, plan.cleaned_of.index())
        rows = [
            TrainedRow(name, tokens, plan.settings.epochs * seen / tokens)
            for name, (tokens, seen) in _tokens_by_record(prepared.rows).items()
        ]
        lineage = Lineage(self._all_provenance(number), self._human_ids())
        used = [TrainedRow(name, 0) for path in earlier for name in row_ids(path)]
        return lineage.mixture(rows, used)

    def _all_provenance(self, number: int) -> Iterator[dict[str, JSON]]:
        for earlier in range(number + 1):
            places = self._places.round(earlier)
            yield from provenance(places.run)
            yield from told_rows(places.lists)

    def _human_ids(self) -> list[str]:
        return [*row_ids(self._places.human), *row_ids(self._places.human_lists)]

    def _unbiased(self, places: RoundPlaces, generator: str) -> list[TextRow]:
        guard = self._config.guard
        texts = draw(places.run, places.audit, generator, guard.audit, guard.seed)
        return self._rows([TextRow(text) for text in texts])

    def _human_nll(self, generator: str) -> Scored:
        """NLL of held-out human tasks under the generator.

        Where lists are rehearsed, a task stands as the first of a list, so that a tuned model is
        not measured by how well it remembers texts without any layout.
        """
        folder = local_folder(generator)
        if folder is None:
            return Scored({}, f"`{generator}` is no model in this process")
        seen: list[str] = []
        if self._config.human_data:
            seen = [str(row["instruction"]) for row in _objects(self._places.human)]
        before, lead = "", ""
        if self._config.rehearsal:
            recipe = get_recipe(self._config.recipe)
            options = recipe.resolve(self._config.preset, self._config.options)
            before, lead = list_prompt((), options.model_dump(mode="json")), " "

        def predict(texts: Sequence[str]) -> list[tuple[int, float]]:
            found = likelihoods(folder, [f"{lead}{text}" for text in texts], before=before)
            return [(one.tokens, one.nats) for one in found]

        return human_nll(self._ruler.reference, predict, seen)

    def _equal(self, kind: SampleKind, rows: Sequence[TextRow], number: int) -> Sequence[TextRow]:
        """At most as many rows as the baseline round had: only equal sizes compare."""
        tuned = [one for one in self.history(number) if one.depths.model_depth_max > 0]
        if not tuned or kind not in tuned[0].metrics:
            return rows
        return drawn(rows, tuned[0].metrics[kind].m, self._settings.seed, "loop-guard")

    def _rows(self, rows: Sequence[TextRow]) -> list[TextRow]:
        return [TextRow(row.text, self._label(row.text)) for row in rows]

    def _label(self, text: str) -> str:
        """The family of a lab task: the label whose loss is watched there."""
        if self._config.guard.reference != LAB_REFERENCE:
            return ""
        program = oracle.parse(text)
        return program.family if program else "none"

    def _reference(self) -> Iterator[TextRow]:
        given = self._config.guard.reference
        if given == LAB_REFERENCE:
            rng = rng_for(self._config.guard.seed, "lab-reference")
            for _ in range(3 * self._config.guard.m):
                found = sample_instruction(rng)
                yield TextRow(found.text, found.program.family)
        elif given is not None:
            for _, row in read_objects(Path(given), "human reference"):
                yield TextRow(str(row.get("instruction") or row.get("text") or ""))
        else:
            yield from (TextRow(task.instruction) for task in read_seeds(self._config.seeds))


def _tokens_by_record(rows: Sequence[Row]) -> dict[str, tuple[int, int]]:
    """Record id → tokens of its distinct texts, and of all its rows in one epoch."""
    distinct: dict[str, set[tuple[int, ...]]] = {}
    seen: dict[str, int] = {}
    for row in rows:
        distinct.setdefault(row.id, set()).add(row.input_ids)
        seen[row.id] = seen.get(row.id, 0) + len(row.input_ids)
    return {name: (sum(map(len, texts)), seen[name]) for name, texts in distinct.items()}


def provenance(directory: Path) -> Iterator[dict[str, JSON]]:
    """The provenance rows of a run."""
    yield from _objects(directory / "provenance.jsonl")


def row_ids(data: Path) -> list[str]:
    """The record ids of a training file, from the provenance beside it."""
    return [str(row["id"]) for row in told_rows(data)]


def told_rows(data: Path) -> Iterator[dict[str, JSON]]:
    """The provenance rows beside a training file; none where there is no such file."""
    yield from _objects(provenance_path(data))


def _objects(path: Path) -> Iterator[dict[str, JSON]]:
    for row in read_lines(path):
        assert isinstance(row, dict)
        yield row
