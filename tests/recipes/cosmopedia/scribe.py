"""A scripted writer of texts, documents to write about, and runs of `cosmopedia` on both."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

from selfsown.core.config import make_config
from selfsown.core.request import JSON, Request
from selfsown.models.scripted import ScriptedModel
from selfsown.results import RunResult
from selfsown.runner import Start, execute, run_loop

Script = Callable[[Request, int], Any]
PROSE = ["blog_post", "how_to"]
_WORDS = (
    "sand river clay valley wind winter seed root stone lamp wool bread salt grain "
    "copper tide wheel thread harbour roof ladder kettle orchard bridge candle mirror "
    "saddle anchor basket hammer needle ribbon pepper garden meadow chimney barrel "
    "bottle carpet drawer"
)
WORDS = _WORDS.split()


def text_of(key: str, tokens: int = 160) -> str:
    """A text of exactly so many tokens by the estimate, unlike those of other keys."""
    rng = Random(key)
    words: list[str] = []
    while sum(map(len, words)) + len(words) < 4 * tokens:
        words.append(rng.choice(WORDS))
    return (" ".join(words).capitalize())[: 4 * tokens - 1].rstrip().ljust(
        4 * tokens - 1, "s"
    ) + "."


def told(request: Request, seed: int) -> str:
    """A text that follows from the prompt."""
    return text_of(asked(request) + str(seed))


def asked(request: Request) -> str:
    """All that a request says."""
    return request.prompt or "\n".join(turn.text for turn in request.messages)


def documents(count: int, **fields: JSON) -> list[dict[str, JSON]]:
    """Documents that differ from their first word on."""
    return [
        {"id": f"d{number}", "text": f"Number {number}. {text_of(f'd{number}', 300)}", **fields}
        for number in range(count)
    ]


def grow(
    out: Path,
    rows: Sequence[dict[str, JSON]],
    script: Script = told,
    *,
    concurrency: int = 8,
    stop_after: int | None = None,
    seed: int = 0,
    **options: Any,
) -> tuple[RunResult, ScriptedModel]:
    """A run over rows, in styles of prose unless told otherwise."""
    model = ScriptedModel(script, stop_after=stop_after)
    options = {"styles": PROSE, **options}
    form = {
        "recipe": "cosmopedia",
        "models": {"generator": "scripted"},
        "out": str(out),
        "seed": seed,
        "limits": {"concurrency": concurrency},
        "options": options,
    }
    result = run_loop(execute(make_config(form), Start(), rows=rows, opened={"generator": model}))
    return result, model


def ends(result: RunResult, stage: str) -> dict[str, Any]:
    """How the candidates of a stage ended."""
    (found,) = [one for one in result.manifest["data"]["stages"] if one["stage"] == stage]
    return dict(found)


def digests(folder: Path) -> dict[str, str]:
    """The data files of a run, by their hashes."""
    names = ("accepted", "rejected", "failed", "provenance")
    files = [folder / f"{name}.jsonl" for name in names]
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
