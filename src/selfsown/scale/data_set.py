"""From directories, as people name them, to a merged one that reports and exports like a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from selfsown.core.effective import read_effective
from selfsown.core.errors import ConfigError
from selfsown.core.inputs import adopt_rows, copy_rows
from selfsown.core.request import JSON
from selfsown.core.rundir import CONFIG, INPUTS, read_lines, write_text
from selfsown.curate.near_duplicates import REASON as NEAR_DUPLICATE
from selfsown.curate.near_duplicates import NearDuplicates
from selfsown.curate.rouge_l import NoveltyPool
from selfsown.curate.steps import InstructionFilter, filter_named
from selfsown.recipes.base import Recipe, get_recipe
from selfsown.scale.filters import Compared, Decontamination, GlobalFilter, OfRecipe, read_mix
from selfsown.scale.job import is_job, read_facts
from selfsown.scale.merge import Plan, merge
from selfsown.scale.places import JobPlaces
from selfsown.scale.streams import Source

if TYPE_CHECKING:
    from selfsown.evaluate.suite import Suite

_FIELD: Final = "instruction"
_SEEDS: Final = "seeds.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a merge is to do, beside putting runs together."""

    novelty: float | None = None
    """ROUGE-L above which a record is too similar; None: what the recipe uses, if it does."""
    no_novelty: bool = False
    """Leave out novelty, and what else of the recipe compares records with each other."""
    field: str = _FIELD
    """The field that novelty and near-duplicates are judged by."""
    near_duplicates: float | None = None
    """Jaccard likeness from which on a record repeats an earlier one; None: not looked for."""
    suites: Sequence[Suite] = ()
    """Evaluation suites whose items must not be repeated."""
    indexes: Sequence[str] = ()
    """Index files, or their names, of benchmarks whose items must not be repeated."""
    mix: str = ""
    """As `--mix` takes it."""


def merge_directories(directories: Sequence[Path], out: Path, asked: Asked) -> dict[str, JSON]:
    """Merge runs and sharded jobs into `out`, and write its report and card.

    Raises:
        ConfigError: a setting cannot be used.
        InputError: a directory holds no finished run, or an index cannot be used.
        MissingIndex: a benchmark has no index.
    """
    sources = list(sources_of(directories))
    plan = Plan(sources, filters_for(sources, asked), read_mix(asked.mix) if asked.mix else None)
    manifest = merge(plan, out)
    _keep_inputs(sources, out)
    _keep_config(sources[0].directory, out)
    _describe(out)
    return manifest


def sources_of(directories: Sequence[Path]) -> Iterator[Source]:
    """The runs that directories stand for: a job's shards in their epochs, or the run itself."""
    number = 0
    for directory in directories:
        if is_job(directory):
            facts = read_facts(directory)
            for shard in range(facts.shards * facts.epochs):
                place = JobPlaces(directory).shard(shard)
                yield Source(place, shard // facts.shards, number)
                number += 1
        else:
            yield Source(directory, 0, number)
            number += 1


def filters_for(sources: Sequence[Source], asked: Asked) -> list[GlobalFilter]:
    """The filters of a merge: those that remember nothing first, then those that do."""
    filters: list[GlobalFilter] = []
    if asked.suites or asked.indexes:
        from selfsown.curate.index_file import named_index
        from selfsown.evaluate.overlap import suite_index

        stores = [named_index(name) for name in asked.indexes]
        filters.append(Decontamination(suite_index(asked.suites, stores=stores)))
    if asked.no_novelty and asked.novelty is not None:
        raise ConfigError(
            "`--novelty` does not go with `--no-novelty`",
            why="one asks for what the other turns off",
            fix="give one of them",
        )
    recipe, options = _recipe_of(sources[0].directory)
    if recipe.across is not None:
        filters.append(OfRecipe(recipe.across(options, [one.directory for one in sources])))
    own = None if asked.no_novelty else options
    seeds = [str(row["instruction"]) for row in _human_seeds(sources)]
    if (novelty := _novelty(own, asked)) is not None:
        pool = NoveltyPool(**novelty)
        name = f"ROUGE-L novelty at {novelty['threshold']:g}"
        filters.append(Compared(name, asked.field, pool.admit, pool.add, seeds))
    if asked.near_duplicates is not None:
        near = NearDuplicates(asked.near_duplicates, method="auto")
        name = f"near-duplicates at {asked.near_duplicates:g}"
        filters.append(Compared(name, asked.field, near.admit, near.add, seeds))
    for one in _remembering(own):
        if one.name != NEAR_DUPLICATE or asked.near_duplicates is None:
            filters.append(Compared(f"`{one.name}`", asked.field, one, one.add, seeds))
    return filters


def _recipe_of(directory: Path) -> tuple[Recipe[Any], Any]:
    """A run's recipe and its options."""
    config, _ = read_effective(directory)
    recipe = get_recipe(config.recipe)
    return recipe, recipe.resolve(config.preset, config.options)


def _novelty(own: Any, asked: Asked) -> dict[str, Any] | None:
    """The settings of the novelty filter: the recipe's, with what was asked for; None for none."""
    settings: dict[str, Any] = {}
    if hasattr(own, "novelty_threshold"):
        settings["threshold"] = own.novelty_threshold
        more = ("tokenizer", "keep_equal")
        settings |= {name: getattr(own, name) for name in more if hasattr(own, name)}
    if asked.novelty is not None:
        settings["threshold"] = asked.novelty
    return settings or None


def _remembering(own: Any) -> Iterator[InstructionFilter]:
    """The further filters of the recipe that compare: each shard had a memory of its own."""
    for name, given in getattr(own, "filters", {}).items():
        one = filter_named(name, **given)
        if one.remembers:
            yield one


def _human_seeds(sources: Sequence[Source]) -> Iterator[dict[str, JSON]]:
    """The seeds that people wrote, each id once, in the order of the runs."""
    seen: set[str] = set()
    for source in sources:
        for row in read_lines(source.directory / INPUTS / _SEEDS):
            assert isinstance(row, dict)
            if not row.get("depth") and str(row["id"]) not in seen:
                seen.add(str(row["id"]))
                yield row


def _keep_inputs(sources: Sequence[Source], out: Path) -> None:
    """The human seeds of all runs, which report and guard compare with."""
    if (sources[0].directory / INPUTS / _SEEDS).exists():
        copy_rows(_human_seeds(sources), out, _SEEDS)
        adopt_rows(out, _SEEDS)


def _keep_config(first: Path, out: Path) -> None:
    """The config of the first run, without what was its alone."""
    form = yaml.safe_load((first / CONFIG).read_text(encoding="utf-8"))
    form |= {"out": None, "rows": None, "documents": None, "seeds": None, "reuse": []}
    text = yaml.safe_dump(form, sort_keys=False, allow_unicode=True, width=100)
    head = "# The config of the first of the merged runs. `effective` is for reading.\n"
    write_text(out / CONFIG, head + text)


def _describe(out: Path) -> None:
    from selfsown.report.card import write_card
    from selfsown.report.numbers import read_numbers
    from selfsown.report.page import write_report

    numbers = read_numbers(out)
    write_report(out, numbers)
    write_card(out, numbers)
