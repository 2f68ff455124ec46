"""Sources for mixtures: made-up texts of a seed, and a reader of what was mixed."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from selfsown.mixing.sources import MixSource

WORDS = ("the", "of", "river", "stone", "market", "winter", "glass", "summer", "engine", "paper")


def text(number: int, least: int = 20, most: int = 120) -> str:
    """Words of a number; the same number, the same text."""
    rng = random.Random(number)
    words = " ".join(rng.choice(WORDS) for _ in range(rng.randint(least, most)))
    return f"{number} {words}."


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """Rows as JSONL."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def documents(path: Path, count: int) -> Path:
    """Documents `d0`, `d1`, ..."""
    return write_rows(path, ({"id": f"d{n}", "text": text(n)} for n in range(count)))


def rephrases(path: Path, count: int, style: str = "easy") -> Path:
    """A rephrase `easy0`, ... of each document."""
    rows = ({"id": f"{style}{n}", "doc_id": f"d{n}", "text": text(n + 10**6)} for n in range(count))
    return write_rows(path, rows)


def two_sources(
    folder: Path, count: int = 400, weights: tuple[float, float] = (1, 1)
) -> list[MixSource]:
    """Documents `web`, and their rephrases `easy`."""
    folder.mkdir(exist_ok=True)
    web, easy = folder / "web.jsonl", folder / "easy.jsonl"
    documents(web, count)
    rephrases(easy, count)
    return [
        MixSource("web", web, weights[0], "real"),
        MixSource("easy", easy, weights[1], "synthetic"),
    ]


def rows_of(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSONL file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def parts_of(*paths: Path) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Every text of data files: its row's provenance, and its own part of that."""
    for path in paths:
        for told in rows_of(path.with_name(f"{path.name}.provenance.jsonl")):
            for part in told["parts"]:
                yield told, part
