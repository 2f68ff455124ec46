"""`docs/benchmarks.md` from `benchmarks/results/*.json`: every number on it comes from those files.

    python -m benchmarks.page            # write the page
    python -m benchmarks.page --check    # exit 1 if it is not what the files give

Files that a `Record` wrote show its tables, ratios and notes. Any other JSON object is shown as a
table of its names and values.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.record import cell

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
ORDER = (
    "calls",
    "stragglers",
    "faults",
    "replay",
    "tokens",
    "novelty",
    "near_duplicates",
    "local_generation",
    "scale",
)
"""Pages open with these, in this order; others follow by name."""

_HEAD = """\
# Benchmarks

This page is made by `python -m benchmarks.page` from the files in `benchmarks/results/`, which
the benchmarks write. `make bench` runs them all, and installs the programs that selfsown is
compared with in environments of their own. Absolute figures move between machines by a quarter;
ratios hold, since contenders run in turn on the same machine. Where a table speaks of a client's
CPU seconds, the server's are not in them.
"""


def page(results: Mapping[str, Mapping[str, Any]]) -> str:
    """The page for these results, by name of their file."""
    known = [name for name in ORDER if name in results]
    names = known + sorted(set(results) - set(known))
    blocks = [_HEAD, *_goals([results[name] for name in names])]
    for name in names:
        blocks += _section(name, results[name])
    return "\n".join(blocks).rstrip() + "\n"


def read_results(folder: Path) -> dict[str, Mapping[str, Any]]:
    """What the files of a folder say, by their names without `.json`."""
    return {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("*.json"))
    }


def _goals(results: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    ratios = [each for found in results for each in found.get("ratios", ()) if each["goal"]]
    if ratios:
        yield "## Goals\n"
        rows = [
            (each["name"], cell(each["value"]), each["goal"], "yes" if each["holds"] else "**no**")
            for each in ratios
        ]
        yield from _table(("what", "measured", "goal", "met"), rows)


def _section(name: str, found: Mapping[str, Any]) -> Iterator[str]:
    if "parts" not in found:
        yield f"## {name.replace('_', ' ').capitalize()}\n"
        yield f"`benchmarks/results/{name}.json`:\n"
        yield from _table(("what", "value"), list(flat(found)))
        return
    yield f"## {found['title']}\n"
    yield f"{_circumstances(found)}\n"
    for part in found["parts"]:
        if "note" in part:
            yield f"{part['note']}\n"
        else:
            yield f"**{part['title']}**\n"
            yield from _table(part["columns"], part["rows"])
    plain = [each for each in found["ratios"] if not each["goal"]]
    if plain:
        yield from _table(("what", "measured"), [(r["name"], cell(r["value"])) for r in plain])


def _circumstances(found: Mapping[str, Any]) -> str:
    machine, versions = found["machine"], found["versions"]
    times = found["repetitions"]
    named = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    return (
        f"`{found['command']}`, {found['date']}, "
        f"{'one run' if times == 1 else f'medians of {times} interleaved runs'}; "
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gb']} GB, "
        f"{machine['system']}, load {machine['load_at_start']} at the start; {named}."
    )


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    for row in (columns, ["---"] * len(columns), *rows):
        yield f"| {' | '.join(str(text).replace('|', '/') for text in row)} |"
    yield ""


def flat(found: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Names and values of nested JSON, names joined by a dot."""
    pairs: Any = ()
    if isinstance(found, Mapping):
        pairs = found.items()
    elif isinstance(found, list):
        pairs = enumerate(found)
    else:
        yield name, str(found) if isinstance(found, bool | None) else cell(found)
    for key, value in pairs:
        yield from flat(value, f"{name}.{key}" if name else str(key))


def main() -> int:
    """Write the page, or compare it."""
    made = page(read_results(RESULTS))
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(made, encoding="utf-8")
        return 0
    if PAGE.read_text(encoding="utf-8") == made:
        return 0
    print(f"{PAGE.name} is not what the results give; run `python -m benchmarks.page`")
    return 1


if __name__ == "__main__":
    sys.exit(main())
