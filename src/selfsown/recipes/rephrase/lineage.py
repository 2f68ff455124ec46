"""Originals only: what a model wrote is never rephrased again.

A rephrase of a rephrase loses a little of its source each time, and nobody sees it. So a row is
refused that says that it comes from a model, or from a run directory. Runs that label documents and
write none (`topics`) hand originals on.

What is not noticed: a text that was copied out of a run without the fields beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final

import orjson

from selfsown.core.errors import InputError
from selfsown.core.journal import JOURNAL_NAME
from selfsown.core.request import JSON
from selfsown.core.rundir import MANIFEST
from selfsown.documents.document import Document
from selfsown.recipes.rephrase.style import NAMES, UNCHANGED

_LABELLING: Final = frozenset({"topics"})
"""Recipes whose records are their documents, unchanged."""
_STYLES: Final = frozenset((*NAMES, UNCHANGED))


def refuse_rephrase(document: Document, place: str) -> None:
    """Make sure that a document is an original.

    Raises:
        InputError: it is a model's, or a record of a run; names `place`.
    """
    sign = _sign(document.fields) or _run_of(document.source)
    if sign:
        raise InputError(
            f"{place}, document `{document.id}`, is no original: {sign}",
            why="a rephrase is made of originals only: a rephrase of a rephrase loses a little more"
            " of its source each time",
            fix="give the documents that were rephrased, and mix what the run made of them into the"
            " training data",
        )


def _sign(fields: Mapping[str, JSON]) -> str:
    """What says that a model wrote it, or that a run did; empty if nothing does."""
    for name, value in (("origin", "model"), ("kind", "synthetic")):
        if fields.get(name) == value:
            return f"its `{name}` is `{value}`"
    if fields.get("template_id") is not None:
        return "it has a `template_id`, as what a model wrote has"
    style = fields.get("style")
    if isinstance(style, str) and (style in _STYLES or "doc_id" in fields):
        return f"its `style` is `{style}`, as in records of this recipe"
    depth = fields.get("model_depth")
    if isinstance(depth, int) and depth > 0 and "keys" in fields:
        return "it is a line of provenance"
    return ""


def _run_of(source: str) -> str:
    """What says that its file belongs to a run directory; empty if nothing does."""
    folder = _run_above(str(Path(source).parent)) if source else ""
    return f"it comes from `{source}`, in the run directory `{folder}`" if folder else ""


@lru_cache(maxsize=1024)
def _run_above(folder: str) -> str:
    """The run directory that a folder is or lies in; a run's `inputs` are originals."""
    path = Path(folder)
    if path.name == "inputs":
        return ""
    if not (path / "provenance.jsonl").is_file() or not (path / JOURNAL_NAME).is_file():
        return ""
    return "" if _recipe_of(path) in _LABELLING else folder


def _recipe_of(directory: Path) -> str:
    """The recipe of a run directory; empty where its manifest does not say."""
    try:
        manifest = orjson.loads((directory / MANIFEST).read_bytes())
        return str(manifest["data"]["recipe"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
