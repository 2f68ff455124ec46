"""A worker process: one task per line on stdin, one outcome per line on stdout.

    python -m selfsown.scale.worker

When stdin ends while a shard is in work, the driver is gone: the shard is stopped cleanly, so that
the next driver finds its directory free.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading

import orjson

from selfsown.scale.shard import work


def main() -> None:
    """Work until stdin ends."""
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no outcome
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    is_busy = threading.Event()

    def read() -> None:
        for line in iter(sys.stdin.buffer.readline, b""):
            is_busy.set()
            lines.put(line)
        if is_busy.is_set():
            os.kill(os.getpid(), signal.SIGTERM)
        lines.put(b"")

    threading.Thread(target=read, daemon=True).start()
    for line in iter(lines.get, b""):
        outcome = work(orjson.loads(line))
        is_busy.clear()
        out.write(orjson.dumps(outcome) + b"\n")


if __name__ == "__main__":
    main()
