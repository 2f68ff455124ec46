"""The few numbers that matter, in the words of the page's head."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from selfsown.report import words
from selfsown.report.absent import NOT_WRITTEN, Absent
from selfsown.report.activity import Activity
from selfsown.report.funnel import Funnel
from selfsown.report.numbers import Numbers
from selfsown.report.spending import Spending
from selfsown.report.text_numbers import Shares


@dataclass(frozen=True, slots=True)
class Figure:
    """One number with its name."""

    name: str
    value: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Headline:
    """Head of the page."""

    title: str
    subtitle: str
    state: str
    """How the run stands, a few words."""
    ended_well: bool
    figures: tuple[Figure, ...]


def headline(numbers: Numbers) -> Headline:
    """Say what came out, from what, and in which state the run is."""
    run = numbers.run
    state = f"{run.status}: {run.stop or run.reason}".rstrip(": ")
    return Headline(
        title=_title(numbers),
        subtitle=_subtitle(numbers),
        state=state,
        ended_well=run.status == "finished",
        figures=tuple(_figures(numbers)),
    )


def _title(numbers: Numbers) -> str:
    seeds = f" from {words.plural(numbers.seed_count, 'seed')}" if numbers.seed_count else ""
    if isinstance(numbers.funnel, Absent) and numbers.funnel.absent == NOT_WRITTEN:
        return f"A run{seeds} that has not ended"
    return words.plural(numbers.accepted, "record") + seeds


def _subtitle(numbers: Numbers) -> str:
    run = numbers.run
    parts = [f"recipe {run.recipe or 'unknown'}"]
    if run.recipe_version:
        parts[0] += f" {run.recipe_version}"
    if run.preset:
        parts.append(f"preset {run.preset}")
    parts += [f"{model.role} {model.uri}" for model in run.models]
    if run.started:
        parts.append(run.started.replace("T", " ").replace("Z", " UTC"))
    return " · ".join(parts)


def _figures(numbers: Numbers) -> Iterator[Figure]:
    shares, funnel, spending = numbers.texts.shares, numbers.funnel, numbers.spending
    if isinstance(shares, Shares) and shares.instruction_count:
        per = words.decimal(shares.instances_per_instruction)
        yield Figure("instructions", words.count(shares.instruction_count), f"{per} records each")
    if isinstance(funnel, Funnel):
        rejected = sum(stage.rejected_count for stage in funnel.stages)
        failed = sum(stage.failed_count for stage in funnel.stages)
        yield Figure("rejected", words.count(rejected), f"and {words.count(failed)} failed")
    if isinstance(spending, Spending):
        per = f"{words.decimal(spending.calls_per_accepted)} per record"
        yield Figure("model calls", words.count(spending.calls), per if spending.accepted else "")
        tokens = spending.input_tokens + spending.output_tokens
        per = f"{words.decimal(spending.tokens_per_accepted)} per record"
        yield Figure("tokens", words.count(tokens), per if spending.accepted else "")
        per = f"{words.usd(spending.cost_usd_per_accepted)} per record"
        yield Figure("cost", words.usd(spending.cost_usd), per if spending.accepted else "")
    if isinstance(numbers.activity, Activity):
        rate = words.decimal(numbers.activity.answers_per_s)
        worked = words.duration(numbers.activity.working_s)
        yield Figure("working time", worked, f"{rate} answers per second")
