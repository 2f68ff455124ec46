"""Bulk calls from Python: one prompt per row, and no answer is ever paid for twice.

    python examples/complete_rows.py

Prints:

    30 rows: 29 accepted, 0 rejected, 1 failed
    {'id': 'row-0', 'country': 'France', 'completion': 'Paris', 'record_id': 'r-...'}
    failed: row-7: the prompt cannot be rendered: 'country' is undefined
    calls: 3 made, for 29 rows; equal requests share an answer
    the same again: 3 calls in the journal, no new one

The scripted model stands for an endpoint. For a real one give `model="openai:NAME"`,
`model="http://localhost:8000/v1#NAME"` or `model="lab"`; nothing else changes.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping

import selfsown
from selfsown.models.scripted import ScriptedModel

CAPITALS = {"France": "Paris", "Japan": "Tokyo", "Peru": "Lima"}
MODEL_RULES = [{"match": country, "text": city} for country, city in CAPITALS.items()]


def rows() -> Iterator[Mapping[str, str]]:
    """Thirty rows, read as the run goes on; one of them lacks the field that the prompt names."""
    countries = list(CAPITALS)
    for number in range(30):
        row = {"id": f"row-{number}", "country": countries[number % 3]}
        yield row if number != 7 else {"id": row["id"]}


def ask(out: str, model: ScriptedModel) -> selfsown.RunResult:
    """One bulk run; the same directory again resumes it."""
    return selfsown.run(
        "complete",
        rows=rows(),
        prompt="What is the capital of {{ country }}?",
        model=model,
        out=out,
        concurrency=8,
    )


def main(out: str) -> None:
    """Run twice and say what came of it."""
    model = ScriptedModel(MODEL_RULES)
    result = ask(out, model)
    counts = [len(part) for part in (result.accepted, result.rejected, result.failed)]
    print(f"{sum(counts)} rows: {counts[0]} accepted, {counts[1]} rejected, {counts[2]} failed")
    first = next(iter(result.accepted))
    print({key: first[key] for key in ("id", "country", "completion", "record_id")})
    for row in result.failed:
        print(f"failed: {row['record']['id']}: {row['error']['what']}")
    print(f"calls: {model.call_count} made, for {counts[0]} rows; equal requests share an answer")
    before = model.call_count
    again = ask(out, model).manifest["run"]["calls"]
    new = model.call_count - before
    print(f"the same again: {again} calls in the journal, {new or 'no'} new one")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        main(sys.argv[1] if len(sys.argv) > 1 else f"{scratch}/capitals")
