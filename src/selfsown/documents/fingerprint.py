"""Whether files are still those that were read: names, sizes and times, without opening them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import orjson

from selfsown.documents.document import Unread
from selfsown.documents.options import ReadOptions
from selfsown.documents.walking import walk


def fingerprint(paths: Iterable[str | Path], options: ReadOptions) -> str:
    """A hash over the options and every file below the paths, 32 hex digits.

    Raises:
        InputError: a path does not exist, or there is none.
    """
    digest = hashlib.blake2b(orjson.dumps(asdict(options)), digest_size=16)
    for found in walk(paths):
        if isinstance(found, Unread):
            line: list[object] = [found.source, found.reason, found.detail]
        else:
            line = [found.source, found.licence, *_facts(found.path)]
        digest.update(orjson.dumps(line) + b"\n")
    return digest.hexdigest()


def _facts(path: Path) -> tuple[int, int]:
    """Size and time of a file; zeros of one that has gone since it was listed."""
    try:
        facts = path.stat()
    except OSError:
        return 0, 0
    return facts.st_size, facts.st_mtime_ns
