"""Fetch published seed sets from their public repositories, pinned by commit and checksum.

The published 175 Self-Instruct seeds are not part of this package; whoever wants to reproduce the
paper asks for them here, and nothing is downloaded without having been asked for.
"""

from __future__ import annotations

import hashlib
import shlex
from dataclasses import dataclass
from pathlib import Path

from selfsown.core.download import Unreachable, download
from selfsown.core.errors import EnvironmentFailure, InputError
from selfsown.core.nearest import did_you_mean
from selfsown.recipes.seeds.writing import write_atomically

_SIZE_LIMIT_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class PublishedSeeds:
    """One seed set that others published."""

    name: str
    """Name on the command line."""
    url: str
    """Where the exact file lies, pinned to a commit."""
    sha256: str
    """Checksum of the file's bytes, lower-case hex."""
    license: str
    """SPDX identifier."""
    about: str
    """One line: what it is and how to cite it."""


PUBLISHED = {
    "self-instruct": PublishedSeeds(
        name="self-instruct",
        url="https://raw.githubusercontent.com/yizhongw/self-instruct/"
        "0b26ccaa415992100fa32df62d41b994cf928e23/data/seed_tasks.jsonl",
        sha256="7779004fa198fdf27cf70a159363879d8a26c53329e11b436af17b3941875f48",
        license="Apache-2.0",
        about="the 175 human seeds of Self-Instruct (Wang et al. 2022, arXiv:2212.10560)",
    ),
}
"""Seed sets that `get_seeds` knows, by name."""


class FetchError(EnvironmentFailure):
    """A published file cannot be had, or is not the file that was published."""


def get_seeds(
    name: str,
    out: str | Path,
    *,
    overwrite: bool = False,
    url: str | None = None,
    timeout_s: float = 30.0,
) -> Path:
    """Fetch the seed set `name` to the file `out` and return its path.

    If `out` already holds exactly the published bytes, nothing is fetched: a file carried there
    by hand is thereby verified without a network.

    Args:
        name: A key of `PUBLISHED`.
        out: File to write; its folder must exist.
        overwrite: Whether a different file at `out` may be replaced.
        url: A mirror to ask instead of the public repository; the checksum stays the same.
        timeout_s: Seconds to wait for the connection and for each read.

    Raises:
        InputError: if the name is unknown, the folder is missing, or `out` holds something else.
        FetchError: if the file cannot be reached or written, or its checksum is another one;
            nothing is written then.
    """
    published = _published(name)
    path = Path(out)
    if _already_there(path, published, overwrite):
        return path
    address = url or published.url
    try:
        data = download(address, limit_bytes=_SIZE_LIMIT_BYTES, timeout_s=timeout_s)
    except Unreachable as error:
        raise _unreachable(published, address, path, str(error)) from error
    digest = hashlib.sha256(data).hexdigest()
    if digest != published.sha256:
        raise _tampered(published, address, digest, len(data))
    try:
        write_atomically(path, data)
    except OSError as error:
        raise FetchError(
            f"cannot write `{path}`: {error.strerror or error}",
            why=f"the seed set `{name}` was fetched and verified, but not stored",
            fix="free some space or name another place: `-o FILE`",
        ) from error
    return path


def _published(name: str) -> PublishedSeeds:
    if name in PUBLISHED:
        return PUBLISHED[name]
    raise InputError(
        f"there is no published seed set `{name}`",
        why=f"known are {', '.join(f'`{known}`' for known in PUBLISHED)}",
        fix=did_you_mean(name, PUBLISHED)
        or "`selfsown seeds list` shows all; `lab` and `starter` need no fetching",
    )


def _already_there(path: Path, published: PublishedSeeds, overwrite: bool) -> bool:
    """Tell whether `path` holds the published bytes; refuse to lose anything else there."""
    if path.is_dir() or not path.parent.is_dir():
        raise InputError(
            f"`{path}` cannot be written",
            why="it is a folder" if path.is_dir() else f"the folder `{path.parent}` is missing",
            fix="name a file in an existing folder: `-o FILE`",
        )
    if not path.exists():
        return False
    if hashlib.sha256(path.read_bytes()).hexdigest() == published.sha256:
        return True
    if overwrite:
        return False
    raise InputError(
        f"`{path}` exists and is not the published file",
        why=f"its sha256 is not {published.sha256}; it may be yours",
        fix="name another place (`-o FILE`), or replace it with `--force`",
    )


def _unreachable(published: PublishedSeeds, url: str, path: Path, reason: str) -> FetchError:
    place = shlex.quote(str(path))
    again = f"selfsown seeds get {published.name} -o {place}"
    return FetchError(
        f"cannot fetch `{url}`: {reason}",
        why=f"{published.about} are not part of the package",
        fix=f"check the network; or, where there is one, run `curl -L {published.url} -o "
        f"seed_tasks.jsonl`, put the file at `{path}` here, and run `{again}` to verify it; "
        "or use `--seeds starter`, which needs no network",
    )


def _tampered(published: PublishedSeeds, url: str, digest: str, size: int) -> FetchError:
    return FetchError(
        f"`{url}` is not the published file ({size} bytes, sha256 {digest})",
        why=f"expected sha256 {published.sha256}; another file would not reproduce the paper",
        fix="try without proxy or mirror; nothing was written",
    )
