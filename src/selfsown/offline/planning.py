"""Say what a run would ask before anything is spent."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from selfsown.core.asking import Missing
from selfsown.core.batch_book import open_batches
from selfsown.core.batch_model import BatchModel
from selfsown.core.config import RunConfig
from selfsown.core.cost import NANO, Tariff
from selfsown.core.epochs import changes, last_epoch, orders_to_prefer
from selfsown.core.journal import JOURNAL_NAME, Journal
from selfsown.core.model import Model
from selfsown.core.progress import RunSettings
from selfsown.core.request import JSON
from selfsown.core.run import Run
from selfsown.core.stages import Stage
from selfsown.offline.rebuilding import make_run, open_journal, run_recipe, scratch
from selfsown.preparation import Watch, data_form, open_models, prepare_inputs, with_true_depth
from selfsown.recipes.base import CallBound, Recipe, get_recipe


@dataclass(frozen=True, slots=True)
class Plan:
    """What starting a config would ask, given what its directory already has."""

    exact: bool
    """Whether `new_calls` is exact (independent rows) rather than a bound (growing pool, or rows
    whose later calls depend on answers)."""
    cached_calls: int
    """Asks that the journal, or one named with `reuse`, answers."""
    new_calls: int
    """Calls to pay for; an upper bound unless `exact`."""
    expected_calls: int | None
    """Best guess: the directory's own calls per accepted unit so far, else the recipe's usual
    figure. None if neither is known; equal to `new_calls` if `exact`."""
    bounds: tuple[CallBound, ...]
    """The same by kind."""
    input_tokens: int
    """Upper bound of prompt tokens of the new calls that can be seen; estimated beyond."""
    output_tokens: int
    """Upper bound of generated tokens."""
    worst_usd: float | None
    """Upper bound of the cost; None if a price is unknown."""
    first_divergent_draw: int | None
    """Growing pool after a change: first recorded draw whose request is not in the journal."""
    changes: tuple[str, ...]
    """What differs from the directory's config; `--update` is needed if any."""
    waiting_calls: int = 0
    """Calls that batches at the provider hold: asked already, and paid out of their reservation."""
    batch_price: float | None = None
    """Share of the price that is paid in batches; None without them."""
    is_per_row: bool = False
    """The bound is so many calls for each row: some of them depend on answers."""
    keys: frozenset[str] = field(default=frozenset(), repr=False)
    """Hex keys of the calls that would be made first (all of them if `exact`)."""


async def plan(
    config: RunConfig,
    *,
    recipe: Recipe[Any] | None = None,
    retry_failed: bool = False,
    opened: Mapping[str, Model] | None = None,
    rows: Iterable[Mapping[str, JSON]] | None = None,
    seeds: Iterable[Mapping[str, JSON]] | None = None,
    watch: Watch = iter,
) -> Plan:
    """Say what a run of this config would ask. Nothing is sent and no directory is written."""
    recipe = recipe or get_recipe(config.recipe)
    options = recipe.resolve(config.preset, config.options)
    directory = Path(config.out) if config.out else None
    async with open_models(config, recipe, opened or {}) as models:
        config = with_true_depth(config, models)
        with scratch() as place:
            inputs = prepare_inputs(config, recipe, place, rows, seeds, watch)
            if recipe.check is not None:
                recipe.check(options, models.keys(), inputs.rows())
            inputs.adopt()
            with contextlib.ExitStack() as stack:
                journal = stack.enter_context(_planning_journal(directory, place))
                reuse = [(p, stack.enter_context(open_journal(Path(p)))) for p in config.reuse]
                form = data_form(config, recipe, options, models, inputs)
                changed = tuple(changes(journal, form))
                epoch = last_epoch(journal)
                number = (epoch.number if epoch else 0) + bool(changed or retry_failed)
                settings = RunSettings(
                    seed=config.seed,
                    order=config.order,
                    target=config.target or recipe.target,
                    mode="plan",
                    epoch=number,
                    earlier_epochs=orders_to_prefer(journal, number, form),
                )
                run = make_run(place, journal, models, settings, config, recipe, inputs, reuse)
                run.asking.forget_failures = retry_failed
                await run_recipe(run, recipe, options)
                run.close()
                share = config.batch.price_factor if config.batch.enabled else None
                return _planned(run, journal, recipe, options, models, changed, share)


def _planned(
    run: Run,
    journal: Journal,
    recipe: Recipe[Any],
    options: Any,
    models: Mapping[str, Model],
    changed: tuple[str, ...],
    share: float | None,
) -> Plan:
    held = {key for batch in open_batches(journal) for key in batch.left}
    asked = {missing.key: missing for missing in run.asking.missing}
    distinct = {key: missing for key, missing in asked.items() if key not in held}
    exact = recipe.bound is None
    cached = run.progress.from_journal + run.progress.reused
    done = left = 0
    if recipe.bound is None:
        bounds = _by_role(distinct.values())
    elif run.target is None:
        done, left = _rows_done(run, recipe)
        bounds = recipe.bound(options, left, 0)
    else:
        counted = recipe.target_stage(options) if recipe.target_stage else ""
        done = next((s.counts.kept for s in run.stages if s.name == counted), 0)
        left = max(0, (run.target or 0) - done)
        over = bool(run.stop_reason)
        bounds = () if over else recipe.bound(options, left, len(run.seeds))
    prompt = [missing.prompt_bytes for missing in distinct.values()] or [0]
    new = sum(bound.calls for bound in bounds)
    input_tokens = sum(prompt) if exact else _prompt_tokens(bounds, max(prompt))
    output_tokens = sum(bound.calls * bound.max_tokens for bound in bounds)
    return Plan(
        exact=exact,
        cached_calls=cached,
        new_calls=new,
        expected_calls=new if exact else _expected(recipe, options, cached, done, left),
        bounds=bounds,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        worst_usd=_worst_usd(
            bounds, models, max(prompt), distinct.values() if exact else None, share
        ),
        first_divergent_draw=_first_divergent(run, journal, distinct.values()),
        changes=changed,
        waiting_calls=len(asked) - len(distinct),
        batch_price=share,
        is_per_row=not exact and run.target is None,
        keys=frozenset(key.hex() for key in distinct),
    )


def _rows_done(run: Run, recipe: Recipe[Any]) -> tuple[int, int]:
    """Rows, or the units that the recipe cuts them into, that are done, and that are not."""
    if recipe.units is None:
        done = sum(stage.counts.entered for stage in run.stages if _has_rows(stage, recipe))
        return done, sum(1 for _ in run.rows()) - done
    cut, ended = recipe.units
    counts = {stage.name: stage.counts for stage in run.stages}
    return counts[ended].entered, counts[cut].kept - counts[ended].entered


def _has_rows(stage: Stage, recipe: Recipe[Any]) -> bool:
    """Whether a stage has one candidate for each row."""
    return stage.name == recipe.row_stage if recipe.row_stage else stage.counts.output


def _expected(recipe: Recipe[Any], options: Any, calls: int, done: int, left: int) -> int | None:
    usual = recipe.calls_per_unit
    per_unit = calls / done if done and calls else usual(options) if usual is not None else None
    return None if per_unit is None else round(per_unit * left)


def _prompt_tokens(bounds: Iterable[CallBound], longest_prompt: int) -> int:
    return sum(bound.calls * (longest_prompt + bound.more_bytes) for bound in bounds)


def _by_role(missing: Iterable[Missing]) -> tuple[CallBound, ...]:
    grouped: dict[tuple[str, int], int] = {}
    for call in missing:
        grouped[call.role, call.max_tokens] = grouped.get((call.role, call.max_tokens), 0) + 1
    return tuple(
        CallBound("calls", role, count, most) for (role, most), count in sorted(grouped.items())
    )


def _first_divergent(run: Run, journal: Journal, missing: Iterable[Missing]) -> int | None:
    """The first draw that was handed over before and now asks for something new."""
    draws = [
        call.draw
        for call in missing
        if call.flow
        and any(
            next(journal.deliveries(epoch, call.flow, draw=call.draw), None)
            for epoch in (run.settings.epoch, *run.settings.earlier_epochs)
        )
    ]
    return min(draws, default=None)


def _worst_usd(
    bounds: Iterable[CallBound],
    models: Mapping[str, Model],
    longest_prompt: int,
    exact: Iterable[Missing] | None,
    share: float | None,
) -> float | None:
    total = 0
    calls = (
        [(call.role, 1, call.prompt_bytes, call.max_tokens) for call in exact]
        if exact is not None
        else [
            (bound.role, bound.calls, longest_prompt + bound.more_bytes, bound.max_tokens)
            for bound in bounds
        ]
    )
    for role, count, prompt, most in calls:
        model = models.get(role) or next(iter(models.values()))
        batched = share is not None and isinstance(model, BatchModel)
        tariff = Tariff.of(model.price, share if batched and share is not None else 1.0)
        if tariff is None:
            return None
        total += count * tariff.worst(prompt, most)
    return total / NANO


@contextlib.contextmanager
def _planning_journal(directory: Path | None, place: Path) -> Iterator[Journal]:
    """The directory's journal for reading, or an empty one if there is none yet."""
    if directory is not None and (directory / JOURNAL_NAME).exists():
        with open_journal(directory) as journal:
            yield journal
        return
    Journal(place / JOURNAL_NAME).close()
    with open_journal(place) as journal:
        yield journal
