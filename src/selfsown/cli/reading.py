"""Reading many documents, for people: how many they are so far, and Ctrl-C that works at once."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from selfsown.report.words import count, duration

T = TypeVar("T")
LINE_S: Final = 10.0
"""Between two lines; what is read in less time says nothing."""


def counted(
    items: Iterable[T], *, quiet: bool = False, now: Callable[[], float] = time.monotonic
) -> Iterator[T]:
    """The same items; stderr is told every 10 s how many they are so far.

    Args:
        items: what is read: documents, and files and rows that are none.
        quiet: tell nothing.
        now: seconds of a clock.
    """
    began = last = now()
    with _interruptible():
        for number, item in enumerate(items, 1):
            if not quiet and now() - last >= LINE_S:
                last = now()
                sys.stderr.write(
                    f"files and rows read: {count(number)}, {duration(last - began)}\n"
                )
                sys.stderr.flush()
            yield item


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C raises at once, where an event loop would take note of it and wait for an `await`.

    A process that ignores Ctrl-C (behind `nohup`, or in the background of a script) goes on to.
    """
    before = signal.getsignal(signal.SIGINT)
    if not callable(before):
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
