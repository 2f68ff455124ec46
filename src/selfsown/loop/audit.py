"""An unbiased draw from a round's generator: its own list prompts, asked again at temperature 1.

What production writes is narrowed on purpose (temperature, top-p); the guard wants to see the model
itself too (2307.01850: sampling bias hides the loss, and speeds it). Only for text prompts: a model
that chats is not audited.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import orjson

from selfsown.core.config import make_config
from selfsown.core.journal import JOURNAL_NAME, Journal
from selfsown.core.request import JSON
from selfsown.core.rundir import read_lines
from selfsown.loop.generate import generate
from selfsown.recipes.self_instruct.parse import read_list


def draw(run: Path, out: Path, generator: str, count: int, seed: int) -> list[str]:
    """Instructions by the generator at temperature 1 and top-p 1.

    Args:
        run: the finished run whose list prompts are asked again, in turn.
        out: run directory of the draw; the same call again asks nothing.
        generator: URI of the model that wrote the run.
        count: answers to draw.
        seed: of the sampling.

    Returns:
        What was read from the answers; empty if the run has no list prompts as text.
    """
    asked = list(list_requests(run, count))
    if not asked:
        return []
    options: dict[str, Any] = {
        "prompt": "{{ prompt }}",
        "max_tokens": asked[0]["max_tokens"],
        "stop": asked[0].get("stop", []),
        "temperature": 1.0,
        "top_p": 1.0,
        "keep_cut_off": True,
        "sample_field": "sample",
    }
    form = {"recipe": "complete", "models": {"generator": generator}, "options": options}
    config = make_config({**form, "seed": seed, "order": "strict", "out": str(out)})
    generate(config, audit_rows([str(one["prompt"]) for one in asked], count))
    return list(_instructions(out))


def audit_rows(prompts: Sequence[str], count: int) -> list[dict[str, JSON]]:
    """`count` rows that ask the prompts in turn, each time for another answer.

    Prompts of a run from few seeds repeat; a repeated one is one more draw of the same.
    """
    seen = Counter[str]()
    rows: list[dict[str, JSON]] = []
    for number, prompt in zip(range(count), cycle(prompts), strict=False):
        rows.append({"id": number, "prompt": prompt, "sample": seen[prompt]})
        seen[prompt] += 1
    return rows


def list_requests(run: Path, count: int) -> Iterator[Mapping[str, Any]]:
    """The first list requests of a run that are text to continue, as they were sent."""
    journal = Journal(run / JOURNAL_NAME, read_only=True)
    try:
        for row in read_lines(run / "provenance.jsonl"):
            if count <= 0:
                return
            if isinstance(row, dict) and row.get("stage") == "completions":
                request = _request(journal, row.get("keys"))
                if "prompt" in request:
                    count -= 1
                    yield request
    finally:
        journal.close()


def _request(journal: Journal, keys: JSON) -> Mapping[str, Any]:
    if not isinstance(keys, list) or len(keys) != 1:
        return {}
    stored = journal.lookup(bytes.fromhex(str(keys[0])))
    found = orjson.loads(stored.request) if stored is not None else {}
    return found if isinstance(found, dict) else {}


def _instructions(directory: Path) -> Iterator[str]:
    """Every whole item of the answers; the last of each may be cut off and is left out."""
    for row in read_lines(directory / "accepted.jsonl"):
        assert isinstance(row, dict)
        items = read_list(str(row["completion"]), cut_off=True, open_item=True)
        yield from (item for item in items if isinstance(item, str))
