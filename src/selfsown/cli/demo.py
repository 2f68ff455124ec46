"""`selfsown demo`: Self-Instruct on the embedded lab model, then the loop closed, on one page."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from selfsown.cli.arguments import Asked
from selfsown.cli.main import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

SEEDS: Final = "lab:25"
RECORDS_SHOWN: Final = 3
FED_TASKS: Final = 100
FED_STEPS: Final = 60
LOOP_OPENING: Final = (
    "Now the loop is closed: the base is tuned on what it wrote, on the seeds alone, and on right",
    "answers, for equally many steps, and all answer the same questions that none has seen. Then",
    "two models write their own next data: one from its own tasks alone, one beside human tasks.",
    "This takes roughly 4 min on two cores; the same command goes on where it was stopped.",
)
_START_S: Final = 5.0
_PER_TASK_S: Final = 0.1
"""Loading, then per accepted task: 100 take an idle two-core server 5 s and a busy one 17 s."""


@click.command()
@click.option("-o", "--out", default="runs/demo", show_default=True, metavar="DIR")
@click.option("-n", "target", default=100, show_default=True, type=click.IntRange(min=1))
@click.option("--seed", default=7, show_default=True, type=click.IntRange(min=0))
@click.option(
    "--loop/--no-loop",
    "with_loop",
    default=True,
    help="Train on the data, measure, and feed the model on itself; some minutes.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what came of the run as JSON.")
@click.pass_context
def demo(
    ctx: click.Context, /, out: str, target: int, seed: int, with_loop: bool, as_json: bool
) -> int:
    """Grow an instruction data set from 25 seeds on the embedded lab model, and train on it.

    Needs the extra `local` (torch, trl); no key, no network, no cost. Again: resume or extend it.
    Then the base is compared with models tuned on the data it wrote, on the seeds alone, and on
    right answers; and two short loops show what happens to a model that feeds on itself.
    """
    from selfsown.cli.progress import LiveView
    from selfsown.cli.run import perform, resume_command
    from selfsown.core.errors import Suspended
    from selfsown.runner import Start

    asked = demo_run(out, target, seed)
    click.echo("\n".join(opening_lines(asked)), err=True)
    start = Start(
        view=LiveView(asked.recipe, asked.options), signals=True, resume=resume_command(ctx)
    )
    code = perform(asked, start, as_json=as_json, hints=False)
    if code == 0:
        click.echo("\n".join(["", *sample_lines(Path(out)), "", *closing_lines(out)]), err=True)
    if code or not with_loop:
        return code
    try:
        click.echo("\n".join(loop_lines(out, target, seed)), err=True)
    except (Suspended, KeyboardInterrupt):
        click.echo(f"resume: {start.resume}", err=True)
        raise
    return 0


def loop_lines(out: str, target: int, seed: int) -> list[str]:
    """Close the loop over the demo's run, a line per stage; then its tables and its page.

    Raises:
        Suspended: environment or a signal stopped it; the same command resumes.
    """
    from selfsown.cli.loop import comparison_lines
    from selfsown.loop.arms import ArmsConfig
    from selfsown.loop.experiment import experiment
    from selfsown.loop.feeding import FeedingConfig
    from selfsown.loop.places import ARMS

    place = Path(f"{out}-loop-{target}")
    tell = _Stages()
    click.echo("\n".join(["", *LOOP_OPENING, ""]), err=True)
    arms = ArmsConfig(
        place / ARMS, (seed,), target=target, first_run=Path(out), human=SEEDS, suite_limit=150
    )
    feeding = FeedingConfig(
        place / "feeding",
        (seed,),
        rounds=3,
        target=FED_TASKS,
        suite_limit=60,
        m=400,
        audit=64,
        human_share=None,
        train={"preset": "lab", "threads": 1, "micro_batch_size": 4, "max_steps": FED_STEPS},
    )
    numbers = experiment(arms, feeding, place, tell.tell)
    took = f"the loop took {tell.seconds:.0f} s"
    return ["", *comparison_lines(numbers), "", took, f"page: {place / 'loop.html'}"]


class _Stages:
    """Prints each finished stage with the time it took."""

    def __init__(self) -> None:
        self._start = self._last = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._start

    def tell(self, line: str) -> None:
        """Print one line."""
        now = time.monotonic()
        click.echo(f"{now - self._last:4.0f} s  {shown(line)}", err=True)
        self._last = now


def demo_run(out: str, target: int, seed: int) -> Asked:
    """The demo as a run: everything else is the recipe's own default."""
    from selfsown.core.config import make_config
    from selfsown.recipes.base import get_recipe

    recipe = get_recipe("self-instruct")
    config = make_config(
        {
            "recipe": recipe.name,
            "preset": "lab" if "lab" in recipe.presets else "default",
            "models": {"generator": "lab"},
            "seeds": SEEDS,
            "target": target,
            "seed": seed,
            "order": "strict",
            "out": out,
        }
    )
    return Asked(config, recipe, recipe.resolve(config.preset, config.options))


def opening_lines(asked: Asked) -> list[str]:
    """What is about to happen, and how long it takes."""
    from selfsown.recipes.seeds import read_seeds
    from selfsown.report.words import duration

    target = asked.config.target or 0
    seconds = _START_S + _PER_TASK_S * target
    seeds = len(read_seeds(str(asked.config.seeds)))
    return [
        f"The lab model (a small base model that ships with selfsown) reads {seeds} human-written",
        "tasks of a micro-world and writes new ones, a few demonstrations at a time. Each new",
        "instruction must be well formed and differ from all others; the model then says whether",
        "it is a classification task and writes its inputs and outputs, which are filtered too.",
        f"It stops at {target} tasks, in roughly {duration(max(10.0, seconds))} on two cores,",
        "without network or cost. Ctrl-C stops it; the same command resumes.",
        "",
    ]


def sample_lines(directory: Path, shown_count: int = RECORDS_SHOWN) -> list[str]:
    """A few accepted records, evenly spread over the run."""
    lines = []
    for record in sampled(directory, shown_count):
        lines.append(f"{record['id']}  {shown(str(record['instruction']))}")
        if record["input"]:
            lines += _labelled("input", str(record["input"]))
        lines += _labelled("output", str(record["output"]))
    return lines


def sampled(directory: Path, most: int) -> Sequence[dict[str, Any]]:
    """At most so many accepted records of a run, from its first to its last."""
    from selfsown.core.rundir import read_lines

    records = [line for line in read_lines(directory / "accepted.jsonl") if isinstance(line, dict)]
    step = max(1, (len(records) - 1) // max(1, most - 1))
    return records[::step][:most]


def closing_lines(out: str) -> list[str]:
    """Where to look and what to try next."""
    from selfsown.cli.run import program

    name, where = program(), shlex.quote(out)
    record = sampled(Path(out), RECORDS_SHOWN)[-1]["id"]
    return [
        f"report:   {out}/report.html",
        f"explain:  {name} why {where} {record}",
        f"verify:   {name} replay {where} --shuffle",
        f"export:   {name} export {where} --format messages -o train.jsonl",
        f"your own: {name} run self-instruct --seeds FILE --model URI -n 200 -o runs/mine",
    ]


def _labelled(label: str, text: str) -> list[str]:
    first, *rest = shown(text).splitlines() or [""]
    return [f"    {label + ':':<8}{first}", *(f"    {'':<8}{line}" for line in rest)]
