"""What every page's template gets: escaping, harmless text, and the filters for numbers."""

from __future__ import annotations

from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from selfsown.report import words
from selfsown.report.compiled import Compiled
from selfsown.report.shown import harmless, shown_line

_WORDS: Final = ("count", "rate", "decimal", "usd", "duration", "plural", "amount_of_bytes")


def page_environment() -> Environment:
    """An environment for templates of this room; a page adds filters of its own.

    Everything that a model wrote is made harmless and escaped; only our own SVG is marked as safe.
    """
    environment = Environment(
        loader=PackageLoader("selfsown.report"),
        bytecode_cache=Compiled("page"),
        optimized=False,
        autoescape=True,
        finalize=harmless,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in _WORDS:
        environment.filters[name] = getattr(words, name)
    environment.filters["shown"] = lambda value: shown_line(str(value), 300)
    return environment
