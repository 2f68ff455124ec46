"""The record of a text: where it comes from, how it was asked for, and what it is."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from selfsown.curate.openings import opening

if TYPE_CHECKING:
    from selfsown.core.request import JSON
    from selfsown.core.run import Run
    from selfsown.recipes.cosmopedia.options import Options
    from selfsown.recipes.cosmopedia.writing import Task, Written

_OPENING_WORDS: Final = 5


def record_of(
    run: Run, options: Options, task: Task, written: Written, head: Mapping[str, JSON], seed_id: str
) -> dict[str, JSON]:
    """The payload of a text, whether it is kept or not.

    Args:
        run: whose seed and model it has.
        options: of the run.
        task: what was asked for.
        written: what came of it.
        head: of its document.
        seed_id: the id of the document in provenance.
    """
    prompt = task.prompt
    sampling = {name: value for name, value in options.sampling().items() if value not in _UNSET}
    begins: dict[str, JSON] = {"opening_hash": opening_hash(written.text)} if written.text else {}
    return {
        "doc_id": head["id"],
        "seed_id": seed_id,
        "seed_source": head.get("source", ""),
        "seed_hash": head["seed_hash"],
        "seed_data": task.extract,
        "licence": head.get("licence", ""),
        "topic": task.topic,
        "topic_in_prompt": prompt.topic_in_prompt,
        "style": prompt.style,
        "audience": prompt.audience,
        "template_id": prompt.template_id,
        "template_version": prompt.template_version,
        "prompt": prompt.text,
        "model": run.origin.models["generator"],
        "sampling": sampling,
        "seed": run.seed,
        "origin": "model",
        **begins,
        **written.fields,
    }


_UNSET: Final[tuple[object, ...]] = (None, (), {})
"""Values that say nothing about how a text was sampled."""


def extract_hash(extract: str) -> str:
    """The content address of an extract: 16 hex digits, equal for equal extracts."""
    return _digest(extract).hex()


def opening_hash(text: str) -> str:
    """16 hex digits, equal for texts with the same first five words."""
    return _digest(opening(text, _OPENING_WORDS)).hex()


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=8).digest()
