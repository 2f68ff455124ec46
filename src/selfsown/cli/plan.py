"""`selfsown plan`: what a run would ask and cost, before anything is spent."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import click

from selfsown.cli.arguments import Asked, resolve
from selfsown.cli.run_options import RunArguments, run_arguments

if TYPE_CHECKING:
    from selfsown.core.config import RunConfig
    from selfsown.offline import Plan


_CALLS_PER_RUN: Final = 10_000_000
"""What one event loop and one journal are good for."""


@click.command()
@run_arguments
@click.option("--retry-failed", is_flag=True, help="As if `run` were started with it.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
def plan(retry_failed: bool, as_json: bool, **given: Any) -> None:
    """Print calls, tokens and cost of a run before anything is spent. Nothing is written.

    Takes what `run` takes. With the directory of an earlier run it says what the journal already
    answers, what changed since, and from which draw on a growing pool would differ.
    """
    asked = resolve(RunArguments(**given))
    found = planned(asked, retry_failed=retry_failed)
    if as_json:
        click.echo(plan_json(found))
    else:
        click.echo("\n".join(plan_lines(found, asked.config)))


def planned(asked: Asked, *, retry_failed: bool = False) -> Plan:
    """The plan of what was asked for."""
    from selfsown.cli.reading import counted
    from selfsown.offline import plan as make_plan
    from selfsown.runner import run_loop

    found: Plan = run_loop(
        make_plan(
            asked.config,
            retry_failed=retry_failed,
            rows=asked.rows,
            seeds=asked.seeds,
            watch=counted,
        )
    )
    return found


def plan_json(found: Plan) -> bytes:
    """A plan as JSON; numbers without a bound are null."""
    import orjson

    form = asdict(found)
    form["keys"] = sorted(found.keys)
    for name in ("new_calls", "input_tokens", "output_tokens"):
        form[name] = _bounded(form[name])
    for bound in form["bounds"]:
        bound["calls"] = _bounded(bound["calls"])
    form["worst_usd"] = found.worst_usd if _bounded(found.new_calls) is not None else None
    return orjson.dumps(form, option=orjson.OPT_INDENT_2)


def plan_lines(found: Plan, config: RunConfig) -> list[str]:
    """A plan in words and a table."""
    from selfsown.cli.summary import aligned
    from selfsown.report.words import count, plural

    lines = [f"plan: {config.recipe} into `{config.out or 'no directory yet'}`"]
    if found.bounds:
        word = "exactly" if found.exact else "at most"
        rows = [["", "role", f"calls, {word}", "tokens per answer, at most"]]
        rows += [
            [bound.kind, bound.role, _number(bound.calls), count(bound.max_tokens)]
            for bound in found.bounds
        ]
        lines += aligned(rows, right=(2, 3))
    lines.append(f"new calls: {_calls(found)}")
    if not found.exact and found.expected_calls is not None:
        lines.append(f"expected: about {count(found.expected_calls)}")
    lines += [
        f"answered by the journal: {plural(found.cached_calls, 'call')}",
        f"tokens, at most: {_number(found.input_tokens)} in, {_number(found.output_tokens)} out",
        f"cost, at most: {_cost(found)}",
    ]
    if found.batch_price is not None:
        lines[-1] += f" (in batches, at {found.batch_price:g} of the price)"
    if found.waiting_calls:
        lines.append(
            f"at the provider, in batches: {plural(found.waiting_calls, 'call')}, not asked again"
        )
    if found.exact and found.new_calls > _CALLS_PER_RUN:
        shards = -(-found.new_calls // _CALLS_PER_RUN)
        lines.append(f"more than one run should hold: split it with `run … --shards {shards}`")
    if found.changes:
        lines.append("changed since the directory's last start (`run` needs --update):")
        lines += [f"  {change}" for change in found.changes]
    if found.first_divergent_draw is not None:
        lines.append(
            f"first divergent draw: {found.first_divergent_draw} (those before it keep their"
            " answers)"
        )
    return lines


def _calls(found: Plan) -> str:
    if found.exact:
        return f"exactly {_number(found.new_calls)}"
    if _bounded(found.new_calls) is None:
        return "no bound; the saturation options are off, so set a budget"
    if found.is_per_row:
        return f"at most {_number(found.new_calls)} (some may depend on answers)"
    return (
        f"at most {_number(found.new_calls)} (the worst that saturation lets happen; a run that"
        " goes well needs a small part)"
    )


def _cost(found: Plan) -> str:
    from selfsown.report.words import usd

    if not found.new_calls or found.worst_usd == 0:
        return usd(0.0)
    if found.worst_usd is None:
        return "unknown, since a model has no known price (give `price:` in its settings)"
    if _bounded(found.new_calls) is None:
        return "no bound"
    return usd(found.worst_usd)


def _number(value: int) -> str:
    from selfsown.report.words import count

    return "no bound" if _bounded(value) is None else count(value)


def _bounded(value: int) -> int | None:
    """The number, or None where it stands for "no bound"."""
    return value if value < sys.maxsize else None
