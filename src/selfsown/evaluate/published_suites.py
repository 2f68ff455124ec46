"""Fetch published suites from their public repositories, pinned by commit and checksum.

They are for evaluation only and are not part of the package. The 252 user-oriented tasks are one
file whose sha256 is pinned here. Super-NaturalInstructions is 119 task files: the list of their
names is pinned by sha256, the files by the commit, and the sha256 of each file as first fetched is
kept in `FILE.sha256` and checked whenever it is fetched again.

Not covered: the first fetch of the 119 files trusts the repository's host.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from selfsown.core.download import Unreachable, download
from selfsown.core.errors import ConfigError, EnvironmentFailure, InputError
from selfsown.core.rundir import sha256_of, whole_file, write_lines
from selfsown.evaluate.lines import Row
from selfsown.evaluate.superni import TEST_LIST, compact_form

_SIZE_LIMIT_BYTES: Final = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class PublishedSuite:
    """A suite that others published."""

    name: str
    base: str
    """Address of the repository's files at the pinned commit."""
    file: str
    """The file whose checksum is pinned, relative to `base`."""
    sha256: str
    license: str
    """SPDX identifier of the repository."""
    about: str


PUBLISHED: Final = {
    "user-oriented": PublishedSuite(
        name="user-oriented",
        base="https://raw.githubusercontent.com/yizhongw/self-instruct/"
        "0b26ccaa415992100fa32df62d41b994cf928e23/",
        file="human_eval/user_oriented_instructions.jsonl",
        sha256="81d60a117db495cecedecd9193504fd07c5b5a42f6699ef6b0f9da10fc22f42e",
        license="Apache-2.0",
        about="252 user-oriented tasks of Self-Instruct (arXiv:2212.10560); evaluation only",
    ),
    "superni": PublishedSuite(
        name="superni",
        base="https://raw.githubusercontent.com/allenai/natural-instructions/"
        "55a365637381ce7f3748fa2eac7aef1a113bbb82/",
        file=TEST_LIST,
        sha256="8b2068c1e0c5e545abd1172fcf83b17935a791dae19912b5cf68e29355af3cba",
        license="Apache-2.0",
        about="Super-NaturalInstructions, 119 English test tasks, zero-shot (arXiv:2204.07705); "
        "evaluation only",
    ),
}
"""Suites that `get_suite` knows, by name."""


def suite_file(name: str) -> Path:
    """Where `selfsown suites get NAME` puts a suite and `--suite NAME` looks for it."""
    return Path("suites") / f"{name}.jsonl"


def get_suite(
    name: str,
    out: Path | None = None,
    *,
    base: str | None = None,
    timeout_s: float = 60.0,
    say: Callable[[str], None] = lambda _: None,
) -> Path:
    """Fetch a published suite and return its file.

    A file that is there already with the pinned checksum is left alone without a network.

    Args:
        name: a key of `PUBLISHED`.
        out: file to write; `suites/NAME.jsonl` if None.
        base: a mirror instead of the public address; checksums stay the same.
        timeout_s: of the connection and of each read.
        say: is told about progress.

    Raises:
        ConfigError: there is no such suite.
        InputError: the file exists and is another one.
        EnvironmentFailure: it cannot be fetched or written, or is not what was published.
    """
    if name not in PUBLISHED:
        raise ConfigError(
            f"there is no published suite `{name}`",
            why=f"known are {', '.join(f'`{known}`' for known in PUBLISHED)}",
            fix="selfsown suites list",
        )
    published = PUBLISHED[name]
    path = out or suite_file(name)
    address = base or published.base
    path.parent.mkdir(parents=True, exist_ok=True)
    if name == "superni":
        return _get_superni(published, path, address, timeout_s, say)
    if path.exists():
        if sha256_of(path) == published.sha256:
            return path
        raise _other_file(path)
    data = _pinned(published, address, timeout_s)
    with whole_file(path) as handle:
        handle.write(data)
    return path


def _get_superni(
    published: PublishedSuite,
    path: Path,
    address: str,
    timeout_s: float,
    say: Callable[[str], None],
) -> Path:
    lock = path.with_name(f"{path.name}.sha256")
    known = _read_lock(lock)
    if path.exists():
        if known.get(path.name) == sha256_of(path):
            return path
        raise _other_file(path)
    names = _pinned(published, address, timeout_s).decode().split()
    parts = path.with_name(f"{path.name}.parts")
    parts.mkdir(exist_ok=True)
    for number, task in enumerate(names, 1):
        file, part = f"tasks/{task}.json", parts / f"{task}.json"
        if part.exists():  # from a fetch that was interrupted
            continue
        data = _download(address + file, published, timeout_s)
        digest = hashlib.sha256(data).hexdigest()
        if known.get(file, digest) != digest:
            raise _changed(address + file, digest, known[file])
        write_lines(part, [digest.encode(), orjson.dumps(_task(data, address + file, task))])
        say(f"fetched {number} of {len(names)}: {task}")
    return _joined(path, lock, [parts / f"{task}.json" for task in names])


def _task(data: bytes, url: str, name: str) -> Row:
    """The compact form of a task file as fetched."""
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise EnvironmentFailure(
            f"`{url}` is not JSON: {error}",
            why="a proxy or the host answered with something else than the task file",
            fix="try again without proxy or mirror; what was fetched so far is kept",
        ) from error
    return compact_form(value, f"`{url}`", name)


def _joined(path: Path, lock: Path, parts: list[Path]) -> Path:
    """Write the suite and its checksums from the fetched tasks, and remove these."""
    digests, tasks = zip(*(part.read_bytes().splitlines() for part in parts), strict=True)
    sums = {
        f"tasks/{part.name}": digest.decode() for part, digest in zip(parts, digests, strict=True)
    }
    sums[path.name] = write_lines(path, tasks).sha256
    write_lines(lock, [f"{digest}  {file}".encode() for file, digest in sorted(sums.items())])
    shutil.rmtree(parts[0].parent)
    return path


def _pinned(published: PublishedSuite, address: str, timeout_s: float) -> bytes:
    data = _download(address + published.file, published, timeout_s)
    digest = hashlib.sha256(data).hexdigest()
    if digest != published.sha256:
        raise _changed(address + published.file, digest, published.sha256)
    return data


def _read_lock(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    pairs = (line.split("  ", 1) for line in path.read_text(encoding="utf-8").splitlines())
    return {file: digest for digest, file in pairs}


def _download(url: str, published: PublishedSuite, timeout_s: float) -> bytes:
    try:
        return download(url, limit_bytes=_SIZE_LIMIT_BYTES, timeout_s=timeout_s)
    except Unreachable as error:
        raise EnvironmentFailure(
            f"cannot fetch `{url}`: {error}",
            why=f"suite `{published.name}` is not part of the package",
            fix=f"check the network and run the command again; or fetch the repository elsewhere"
            f" and give `--suite {published.name}=PATH`",
        ) from error


def _changed(url: str, found: str, expected: str) -> EnvironmentFailure:
    return EnvironmentFailure(
        f"`{url}` is not the published file: its sha256 is {found}",
        why=f"expected {expected}; other data would not compare with published numbers",
        fix="try without proxy or mirror; nothing was written",
    )


def _other_file(path: Path) -> InputError:
    return InputError(
        f"`{path}` exists and is not the published file",
        why="it may be yours, and a suite that differs does not compare",
        fix="remove it, or name another place with `-o FILE`",
    )
