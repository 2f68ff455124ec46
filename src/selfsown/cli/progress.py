"""How a run is doing, read from its counters a few times a second and never told about a call.

`LiveView` draws a panel on a terminal and writes a plain line now and then elsewhere. It runs as a
task of the run's event loop that only reads, so a call costs it nothing.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from selfsown.cli.main import shown
from selfsown.cli.snapshot import Pace, Snapshot, row_count, snapshot
from selfsown.report.shown import shown_line
from selfsown.report.words import count, duration, usd

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.console import RenderableType
    from rich.live import Live

    from selfsown.core.caller import Caller
    from selfsown.core.run import Run
    from selfsown.recipes.base import Recipe

FRAME_S: Final = 0.25
"""Between two looks on a terminal."""
LINE_S: Final = 10.0
"""Between two plain lines."""


class LiveView:
    """Shows a run on stderr while it goes on; see `selfsown.runner.View`."""

    def __init__(
        self, recipe: Recipe[Any], options: BaseModel, *, terminal: bool | None = None
    ) -> None:
        """Get ready.

        Args:
            recipe: what is run.
            options: of the recipe.
            terminal: draw a panel; None asks stderr whether it is a terminal.
        """
        self._recipe = recipe
        self._counted = recipe.target_stage(options) if recipe.target_stage else ""
        self._terminal = sys.stderr.isatty() if terminal is None else terminal
        self._task: asyncio.Task[None] | None = None
        self._live: Live | None = None
        self._pace = Pace()
        self._told = 0
        self._last_line = -LINE_S
        self._phase: tuple[object, ...] = ()

    def start(self, run: Run, caller: Caller | None) -> None:
        """Begin to look."""
        self._run, self._caller, self._began = run, caller, time.monotonic()
        self._rows = row_count(run.directory) if self._recipe.inputs == "rows" else None
        if self._terminal:
            from rich.console import Console
            from rich.live import Live

            console = Console(stderr=True, highlight=False)
            self._live = Live(console=console, auto_refresh=False, transient=True)
            self._live.start()
        self._task = asyncio.get_running_loop().create_task(self._watch())

    def stop(self) -> None:
        """Look once more and end; what the panel said stays as one line."""
        if self._task is not None:
            self._task.cancel()
        self._tell_warnings()
        if self._live is not None:
            self._live.stop()
            self._live = None
        now = self._now()
        self._say(plain_line(now))
        if now.is_stopping and now.in_flight:
            self._say(
                f"stopping: {count(now.in_flight)} calls in flight get 10 s to end, so that their"
                " answers are kept; Ctrl-C again stops at once"
            )

    def tell_rest(self) -> None:
        """Print warnings that came after `stop`; none if the run never began."""
        if self._task is not None:
            self._tell_warnings()

    async def _watch(self) -> None:
        while True:
            self._look()
            await asyncio.sleep(FRAME_S)

    def _look(self) -> None:
        self._tell_warnings()
        now = self._now()
        if self._live is not None:
            self._live.update(panel(now, self._recipe.name), refresh=True)
            return
        phase = (now.stages, now.is_stopping, now.calls > 0)
        if phase != self._phase or now.elapsed_s - self._last_line >= LINE_S:
            self._phase, self._last_line = phase, now.elapsed_s
            self._say(plain_line(now))

    def _now(self) -> Snapshot:
        now = snapshot(self._run, self._caller, self._recipe, self._counted, self._rows)
        elapsed = time.monotonic() - self._began
        done, total = (now.accepted, now.target)
        if now.rows_total is not None:
            done, total = (now.rows_done, now.rows_total)
        rate, eta = self._pace.look(elapsed, now.calls, done, total)
        return replace(now, elapsed_s=elapsed, calls_per_s=rate, eta_s=eta)

    def _tell_warnings(self) -> None:
        warnings = self._run.progress.warnings
        while self._told < len(warnings):
            self._say(f"warning: {shown(warnings[self._told])}")
            self._told += 1

    def _say(self, line: str) -> None:
        if self._live is not None:
            self._live.console.print(line, markup=False)
            return
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


def plain_line(now: Snapshot) -> str:
    """A moment on one line, for logs."""
    parts = [
        duration(now.elapsed_s),
        *([f"{now.rows_name} {_share(now.rows_done, now.rows_total)}"] if now.rows_name else []),
        f"accepted {_share(now.accepted, now.target)}",
        *_counted("rejected", now.rejected),
        *_counted("failed", now.failed),
        f"calls {count(now.calls)}",
    ]
    if now.from_journal:
        parts.append(f"from the journal {count(now.from_journal)}")
    parts.append(f"tokens {count(now.input_tokens)} + {count(now.output_tokens)}")
    parts.append(usd(now.spent_usd))
    parts += now.batches[:1]
    if len(now.batches) > 1:
        parts.append(f"and {len(now.batches) - 1} more")
    parts += _pace_words(now)
    return "  ".join(parts)


def panel(now: Snapshot, title: str) -> RenderableType:
    """A moment as a panel for a terminal."""
    from rich.panel import Panel
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column()
    parts = {"accepted": (now.accepted, now.target, f" {now.unit}s")}
    if now.rows_name:
        parts = {now.rows_name: (now.rows_done, now.rows_total, ""), **parts}
    for name, (done, total, unit) in parts.items():
        grid.add_row(name, _share(done, total) + unit)
        if total:
            grid.add_row("", ProgressBar(total=total, completed=min(done, total)))
    for word, counts in (("rejected", now.rejected), ("failed", now.failed)):
        if counts:
            grid.add_row(word, Text(_counted(word, counts, most=12)[0].partition(" ")[2]))
    grid.add_row(
        "calls",
        f"{count(now.calls)} made, {count(now.from_journal)} from the journal,"
        f" {count(now.retries)} retried",
    )
    grid.add_row("tokens", f"{count(now.input_tokens)} in, {count(now.output_tokens)} out")
    grid.add_row("cost", usd(now.spent_usd))
    grid.add_row("now", _traffic(now))
    if now.batches:
        grid.add_row("batches", Text("\n".join(now.batches)))
    grid.add_row("pace", "  ".join(_pace_words(now)) or "-")
    state = " stopping" if now.is_stopping else ""
    return Panel(grid, title=f"{title}{state}  {duration(now.elapsed_s)}", title_align="left")


def _traffic(now: Snapshot) -> str:
    words = f"{count(now.in_flight)} in flight of {count(now.limit)}, {count(now.waiting)} waiting"
    if now.backing_off:
        words += f", {count(now.backing_off)} backing off"
    if now.silent_s is not None and now.silent_s > 10 and now.in_flight:
        words += f"; no reply for {duration(now.silent_s)}"
    return words


def _pace_words(now: Snapshot) -> list[str]:
    words = []
    if now.calls_per_s:
        words.append(f"{now.calls_per_s:.1f} calls/s")
    if now.eta_s is not None and now.eta_s > 0:
        words.append(f"about {duration(max(1, round(now.eta_s)))} left")
    return words


def _share(done: int, total: int | None) -> str:
    return count(done) if total is None else f"{count(done)}/{count(total)}"


def _counted(word: str, counts: Mapping[str, int], most: int = 3) -> list[str]:
    """`rejected 12 (too_similar 8, too_short 4)`; empty for none."""
    total = sum(counts.values())
    if not total:
        return []
    largest = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    named = [f"{shown_line(reason, 40)} {count(n)}" for reason, n in largest[:most]]
    if len(largest) > most:
        named.append("...")
    return [f"{word} {count(total)} ({', '.join(named)})"]
