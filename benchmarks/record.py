"""What a benchmark found: printed as it comes, and kept as JSON with what it was measured on.

`docs/benchmarks.md` is made from these files and nothing else (`benchmarks/page.py`). A benchmark
makes one `Record`, adds tables, ratios and notes to it in the order of reading, and ends with
`record.write(PATH)`; without a path nothing is written. Cells are text, so that the page shows what
was printed.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

Cell = str | int | float
_VERSIONS = ("selfsown", "aiohttp", "orjson", "uvloop", "numpy", "torch", "transformers")


class Record:
    """The result of one benchmark. Tables, ratios and notes are printed when they are added."""

    def __init__(self, title: str, *, repetitions: int = 1) -> None:
        self._found: dict[str, Any] = {
            "title": title,
            "command": _command(),
            "date": datetime.now(UTC).strftime("%Y-%m-%d"),
            "repetitions": repetitions,
            "machine": machine(),
            "versions": {name: _version(name) for name in _VERSIONS} | {"python": _python()},
            "parts": [],
            "ratios": [],
        }
        print(title, flush=True)

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
        """Add a table. Floats are shown with three significant digits."""
        shown = [[cell(each) for each in row] for row in rows]
        self._found["parts"].append({"title": title, "columns": list(columns), "rows": shown})
        widths = [max(map(len, column)) for column in zip(columns, *shown, strict=True)]
        print(f"\n{title}")
        for row in (columns, *shown):
            first, *rest = (text.ljust(width) for text, width in zip(row, widths, strict=True))
            print(f"  {first}  {'  '.join(text.strip().rjust(len(text)) for text in rest)}")
        sys.stdout.flush()

    def ratio(
        self,
        name: str,
        value: float,
        *,
        at_most: float | None = None,
        at_least: float | None = None,
    ) -> bool:
        """Add a number that stands for itself, with the goal it was held against, if any.

        Returns:
            Whether it meets its goal.
        """
        holds = (at_most is None or value <= at_most) and (at_least is None or value >= at_least)
        goal = "" if at_most is None else f"at most {cell(at_most)}"
        goal = goal if at_least is None else f"at least {cell(at_least)}"
        self._found["ratios"].append(
            {"name": name, "value": value, "goal": goal, "holds": holds if goal else None}
        )
        print(f"{name}: {cell(value)}{f' (goal: {goal})' if goal else ''}", flush=True)
        return holds

    def note(self, text: str) -> None:
        """Add a sentence: what was left out, scaled, or absent, and why."""
        self._found["parts"].append({"note": text})
        print(text, flush=True)

    def write(self, path: Path | None) -> None:
        """Write the JSON file; with None, do nothing."""
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(self._found, indent=1, ensure_ascii=False) + "\n", "utf-8")


def machine() -> Mapping[str, Cell]:
    """The processor, its cores, memory in GB, system, and how busy it was (load of a minute)."""
    names = [
        line.partition(":")[2].strip()
        for line in _lines(Path("/proc/cpuinfo"))
        if line.startswith("model name")
    ]
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": names[0] if names else platform.processor() or platform.machine(),
        "cores": os.cpu_count() or 1,
        "memory_gb": round(pages / 2**30),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "load_at_start": round(os.getloadavg()[0], 1),
    }


def cell(value: Cell) -> str:
    """A number as people read it: three significant digits, thousands separated; text as it is."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{round(value):,}"
    return f"{value:.3g}"


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def _command() -> str:
    """The command line without the path of the result, which says nothing."""
    main = sys.modules["__main__"]
    name = getattr(getattr(main, "__spec__", None), "name", None) or Path(sys.argv[0]).stem
    given = sys.argv[1:]
    if "--json" in given:
        at = given.index("--json")
        given = given[:at] + given[at + 2 :]
    return " ".join(["python -m", str(name).removesuffix(".__main__"), *given])


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "absent"


def _python() -> str:
    return platform.python_version()
