"""What a record costs in tokens: Self-Instruct by default and by `paper`; what each choice saves.

All grow tasks on the lab model from the same seeds; `token_counts` reads the prompts of every
attempt from their journals. A choice that is an option is measured by runs without it. The order of
a prompt's parts, and that instructions are judged before anything else is asked about them, are no
options: the calls of the same runs are rewritten to what would have been asked otherwise.

    python -m benchmarks.tokens [--target 100] [--seeds 1 2 3 4 5] [--json FILE]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.record import Cell, Record
from benchmarks.token_counts import (
    Rewrite,
    Spent,
    as_asked,
    calls_of,
    with_judging_last,
    with_task_first,
)

import selfsown
from selfsown.recipes.self_instruct.presets import PAPER

DEFAULT = "default"
COLUMNS = ("calls", "prompt", "cached prefix", "fresh", "generated")
MONEY = ("USD per 1M records", "USD, nothing cached")
FITTED: Mapping[str, Any] = {
    "preset": "paper",
    "lists": {**PAPER["lists"], "max_tokens": 512},  # type: ignore[dict-item]  # a mapping
}
"""Preset `paper`, and what it needs to fit into the lab model's context of 1,024 tokens."""
EXAMPLES: Mapping[str, Any] = {"classification_yes": 8, "classification_no": 8}
PER_LIST = (1, 3, 7, 10, 14, 20)
"""New instructions asked for at once; 7 is the default."""


Ways = Mapping[str, Rewrite]
"""Under which names runs are counted, and how."""
CHOICES: tuple[tuple[Mapping[str, Any], Ways], ...] = (
    (
        {},
        {
            DEFAULT: as_asked,
            "task before the worked examples": with_task_first,
            "instructions judged after all calls": with_judging_last,
        },
    ),
    ({"new_per_request": 1}, {"one new instruction a request": as_asked}),
    (EXAMPLES, {"8 and 8 examples in the yes-no question": as_asked}),
)
"""Options of the runs; the default, then the default without one of its choices each."""
LISTS = tuple(({"new_per_request": count}, {str(count): as_asked}) for count in PER_LIST)


def grow(
    options: Mapping[str, Any], ways: Ways, seed: int, target: int
) -> Iterator[tuple[str, Spent]]:
    """One run, counted in several ways."""
    from selfsown.lab import oracle

    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "run"
        result = selfsown.run(
            "self-instruct",
            model="lab",
            seeds="lab:25",
            target=target,
            seed=seed,
            order="strict",
            out=out,
            **options,
        )
        kept = list(result.accepted)
        right = oracle.right_count(kept)
        yields = result.manifest["data"]["notes"]["accepted_per_request"]
        calls = list(calls_of(out))
        for name, rewrite in ways.items():
            spent = Spent(len(kept), right, len(yields), sum(yields))
            spent.count(rewrite(calls, out))
            yield name, spent


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", type=int, default=100)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--json", type=Path, help="write the result here")
    given = parser.parse_args()
    record = Record("Tokens per accepted record: Self-Instruct, default and `paper`")
    asked = (*CHOICES, (FITTED, {"paper": as_asked}), *LISTS)
    found = {name: Spent() for _, ways in asked for name in ways}
    for seed in given.seeds:
        for options, ways in asked:
            for name, spent in grow(options, ways, seed, given.target):
                found[name].add(spent)
    runs = f"lab model, target {given.target}, run seeds {', '.join(map(str, given.seeds))}"
    _presets(record, found, runs)
    _choices(record, found)
    _lists(record, found)
    record.write(given.json)


def _presets(record: Record, found: Mapping[str, Spent], runs: str) -> None:
    """Default against `paper`."""
    ours, paper = found[DEFAULT], found["paper"]
    shown = {DEFAULT: ours, "paper": paper}
    columns = ("preset", *COLUMNS, "records")
    rows: list[tuple[Cell, ...]] = [
        (name, *each.per(each.records), each.records) for name, each in shown.items()
    ]
    record.table(f"per accepted record: {runs}", columns, rows)
    rows = [(name, *each.per(each.right), each.right) for name, each in shown.items()]
    record.table("per record that is right by the lab's oracle", columns, rows)
    record.note(
        "`paper` sends lists of at most 512 tokens here instead of 1,024, for the lab's context."
    )
    whose = (
        ("accepted record", ours.per(ours.records), paper.per(paper.records)),
        ("right record", ours.per(ours.right), paper.per(paper.right)),
    )
    for what, mine, theirs in whose:
        for name, one, other in zip(COLUMNS, mine, theirs, strict=True):
            record.ratio(f"tokens: {name} per {what}, default / paper", one / other)


def _choices(record: Record, found: Mapping[str, Spent]) -> None:
    """The default, and what it costs without each choice."""
    shown = {name: found[name] for _, ways in CHOICES for name in ways}
    columns = ("choice", *COLUMNS, "right", *MONEY)
    rows: list[tuple[Cell, ...]] = [(name, *_cells(each)) for name, each in shown.items()]
    record.table("the default, and without each of its choices, per accepted record", columns, rows)
    rows = [(name, *each.per(each.right)) for name, each in shown.items()]
    record.table("the same per right record", columns[: 1 + len(COLUMNS)], rows)
    record.note(
        "USD are for a million accepted records at list prices like those of Claude Haiku 4.5: "
        "1.00 for a million prompt tokens, 0.10 where cached, 5.00 generated. OpenAI caches "
        "prefixes of 1,024 tokens and more only: of prompts as short as these, nothing. The rows "
        "about the order of parts and about judging are the default's own calls, rewritten. The "
        "yes-no question shows 4 and 4 examples; the lab's seeds have 6 for yes at most."
    )
    ours = found[DEFAULT]
    for name, each in shown.items():
        if each is not ours:
            for caches, which in ((True, "prefixes cached"), (False, "nothing cached")):
                ratio = each.usd(caches=caches) / ours.usd(caches=caches)
                record.ratio(f"tokens: cost of a record, {name} / default, {which}", ratio)


def _lists(record: Record, found: Mapping[str, Spent]) -> None:
    """What asking for more at once does."""
    columns = ("new per request", "accepted per request", *COLUMNS, "right", *MONEY)
    rows: list[tuple[Cell, ...]] = [
        (name, each.instructions / each.lists, *_cells(each))
        for name, each in ((str(count), found[str(count)]) for count in PER_LIST)
    ]
    record.table("instructions asked for at once, per accepted record", columns, rows)
    record.note(
        "The lab's context leaves 256 tokens for an answer, about 14 instructions; lists of 20 are "
        "cut off."
    )


def _cells(spent: Spent) -> tuple[float, ...]:
    """Tokens per accepted record, the share of right records, and the cost of a million."""
    return (
        *spent.per(spent.records),
        spent.right / spent.records,
        spent.usd(caches=True),
        spent.usd(caches=False),
    )


if __name__ == "__main__":
    main()
