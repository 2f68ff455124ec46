"""A child process of an experiment: one stage of it, told line by line on standard output.

    python -m selfsown.loop.preference.worker ground MODULE:FUNCTION SEED DIR
    python -m selfsown.loop.preference.worker loop CONFIG

Each line is JSON: `{tell}` for a finished stage, and `{failure}` as the last one of a failure that
has a name. It stops when its standard input closes, as that does when the parent dies.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import orjson

from selfsown.core.config import read_config
from selfsown.core.errors import SelfsownError
from selfsown.loop.preference.config import make_preference_loop_config
from selfsown.loop.preference.rounds import turn_preferences

TELL: Final = "tell"
FAILURE: Final = "failure"
GROUND: Final = "ground"
LOOP: Final = "loop"


def main(arguments: Sequence[str]) -> int:
    """Do what is asked for; returns the exit status, which is that of the command line."""
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no line of ours
    threading.Thread(target=_stop_with_parent, daemon=True).start()

    def say(line: dict[str, Any]) -> None:
        out.write(orjson.dumps(line) + b"\n")

    try:
        _work(arguments, lambda text: say({TELL: text}))
    except SelfsownError as error:
        failure = {"what": error.what, "why": error.why, "fix": error.fix}
        say({FAILURE: {**failure, "status": error.exit_code}})
        return error.exit_code
    return 0


def _work(arguments: Sequence[str], tell: Callable[[str], None]) -> None:
    kind, *given = arguments
    if kind == GROUND:
        place, seed, folder = given
        ground_named(place)(int(seed), Path(folder), tell)
    else:
        path = Path(given[0])
        turn_preferences(make_preference_loop_config(read_config(path), source=str(path)), tell)


def ground_named(place: str) -> Callable[[int, Path, Callable[[str], None]], None]:
    """The function that makes what the arms of one seed share."""
    module, _, name = place.partition(":")
    found: Callable[[int, Path, Callable[[str], None]], None]
    found = getattr(import_module(module), name)
    return found


def _stop_with_parent() -> None:
    """Ask for a clean stop once nobody listens any more."""
    while os.read(0, 1):  # not the buffered file, whose lock a thread would hold at the end
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
