"""selfsown: grow training data from a language model itself.

    import selfsown
    result = selfsown.run("complete", rows=[{"text": "..."}], prompt="Summarise: {{ text }}",
                          model="lab", out="runs/first")
    for record in result.accepted: ...

Names are imported when they are used, so that `import selfsown` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from selfsown.core.errors import SelfsownError
    from selfsown.core.request import Completion, Message, Request, message
    from selfsown.core.run import Run
    from selfsown.mixing.mix import mix
    from selfsown.mixing.options import MixOptions
    from selfsown.mixing.sources import MixSource
    from selfsown.offline import replay
    from selfsown.recipes.base import Recipe
    from selfsown.runner import RunResult, arun, run

__version__ = "0.1.0"

_HOMES = {
    "Completion": "selfsown.core.request",
    "Message": "selfsown.core.request",
    "MixOptions": "selfsown.mixing.options",
    "MixSource": "selfsown.mixing.sources",
    "Recipe": "selfsown.recipes.base",
    "Request": "selfsown.core.request",
    "Run": "selfsown.core.run",
    "RunResult": "selfsown.runner",
    "SelfsownError": "selfsown.core.errors",
    "arun": "selfsown.runner",
    "message": "selfsown.core.request",
    "mix": "selfsown.mixing.mix",
    "replay": "selfsown.offline",
    "run": "selfsown.runner",
}

__all__ = [
    "Completion",
    "Message",
    "MixOptions",
    "MixSource",
    "Recipe",
    "Request",
    "Run",
    "RunResult",
    "SelfsownError",
    "arun",
    "message",
    "mix",
    "replay",
    "run",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module `selfsown` has no attribute `{name}`")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
