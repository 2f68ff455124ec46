"""What one contender used: run in the contender's own process, standard library only.

A script beside this one ends with `contender(load)`. `load` imports what the program needs, so that
the imports are its start-up, and returns the function that makes the calls:
`calls(url, count, concurrency, folder)`, which gives back how many rows have an answer. Call number
n is a chat of the one user message `Say number n` with at most 64 tokens.
"""

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

Calls = Callable[[str, int, int, Path], int]


def contender(load: Callable[[], Calls], after: Callable[[Path], dict] | None = None) -> None:
    """Run the contender of the command line `URL CALLS CONCURRENCY FOLDER`; print its figures.

    Args:
        load: Imports, then returns the function that makes the calls.
        after: More figures, measured when the calls are over.
    """
    url, count, concurrency, folder = sys.argv[1:5]
    calls = load()
    startup_s = time.process_time()
    began, cpu_s, own_s = time.perf_counter(), used_s(), time.thread_time()
    rows = calls(url, int(count), int(concurrency), Path(folder))
    figures = {
        "startup_s": startup_s,
        "cpu_s": used_s() - cpu_s,
        "main_s": time.thread_time() - own_s,
        "wall_s": time.perf_counter() - began,
        "peak_mb": max(peak_mb(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024),
        "rows": rows,
    }
    figures |= after(Path(folder)) if after else {}
    print("\n" + json.dumps(figures))


def used_s() -> float:
    """CPU seconds of this process and of its children that have ended."""
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def peak_mb() -> float:
    """Most memory this process held, in MB.

    Not `ru_maxrss` where there is better: it starts at what the process held that started this one.
    """
    status = Path("/proc/self/status")
    lines = status.read_text(encoding="utf-8").splitlines() if status.exists() else []
    held = [float(line.split()[1]) for line in lines if line.startswith("VmHWM:")]
    return (held or [resource.getrusage(resource.RUSAGE_SELF).ru_maxrss])[0] / 1024
