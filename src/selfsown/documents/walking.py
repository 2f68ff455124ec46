"""Files under the paths that were given, in sorted order, and everything that is left out of them.

Links are followed. Hidden files and folders, run directories, links in a circle and what is no
file are reported with a reason and not looked into. A `LICENSE` of a folder holds for all below it
that has none of its own.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from selfsown.core.errors import InputError
from selfsown.core.journal import JOURNAL_NAME
from selfsown.core.request import clean_text
from selfsown.core.rundir import CONFIG
from selfsown.documents.document import Unread
from selfsown.documents.licences import stated_licence, states_licence


@dataclass(frozen=True, slots=True)
class Found:
    """A file that may hold documents."""

    path: Path
    licence: str
    """What the nearest folder above it states; empty if none does."""

    @property
    def source(self) -> str:
        """The path as it is shown and stored, in text that can be encoded."""
        return shown_path(self.path)


@dataclass(frozen=True, slots=True)
class _Folder:
    path: Path
    licence: str
    above: frozenset[tuple[int, int]]
    """Device and number of this folder and those above it, to know a circle."""


def walk(paths: str | Path | Iterable[str | Path]) -> Iterator[Found | Unread]:
    """Every file of a path or several, folders in depth; memory for names in the folders in work.

    Raises:
        InputError: a path does not exist, or none was given.
    """
    given = [Path(one) for one in ((paths,) if isinstance(paths, (str, Path)) else paths)]
    for path in given:
        if not os.path.exists(path):  # noqa: PTH110 it is False where the system refuses to look
            raise InputError(
                f"`{path}` does not exist",
                why="documents are read from it",
                fix="give files or folders that exist",
            )
    if not given:
        raise InputError(
            "no path was given", why="documents are read from files", fix="--documents PATH"
        )
    for path in given:
        if _is_folder(path):
            yield from _folders(_Folder(path, "", frozenset()))
        else:
            yield _file(path, _licence_beside(path.parent, ""))


def shown_path(path: Path) -> str:
    """A path as text that can be encoded, whatever bytes it is made of."""
    return clean_text(os.fsencode(path).decode("utf-8", "replace"))


def _folders(top: _Folder) -> Iterator[Found | Unread]:
    """Depth first, by a stack of iterators: folders may be nested deeper than calls."""
    stack = [_entries(top)]
    while stack:
        one = next(stack[-1], None)
        if one is None:
            stack.pop()
        elif isinstance(one, _Folder):
            stack.append(_entries(one))
        else:
            yield one


def _entries(folder: _Folder) -> Iterator[Found | Unread | _Folder]:
    """What lies in a folder, sorted by name."""
    source = shown_path(folder.path)
    try:
        facts = folder.path.stat()
        names = sorted(path.name for path in folder.path.iterdir())
    except OSError as error:
        yield Unread(source, "damaged", f"the folder cannot be read: {error.strerror or error}")
        return
    place = (facts.st_dev, facts.st_ino)
    if place in folder.above:
        yield Unread(source, "unsupported", "a link to a folder that it is in")
        return
    if JOURNAL_NAME in names and CONFIG in names:
        yield Unread(source, "unsupported", "a run directory; its files are read if named")
        return
    licence = _licence_beside(folder.path, folder.licence)
    for name in names:
        path = folder.path / name
        if name.startswith("."):
            yield Unread(shown_path(path), "unsupported", "hidden")
        elif _is_folder(path):
            yield _Folder(path, licence, folder.above | {place})
        elif states_licence(name):
            yield Unread(shown_path(path), "unsupported", f"states a licence: {licence}")
        else:
            yield _file(path, licence)


def _is_folder(path: Path) -> bool:
    """False also where the system refuses to look, as below a folder or behind a path too long."""
    return os.path.isdir(path)  # noqa: PTH112 `Path.is_dir` raises there


def _file(path: Path, licence: str) -> Found | Unread:
    try:
        is_file = stat.S_ISREG(path.stat().st_mode)
    except OSError as error:
        is_link = os.path.islink(path)  # noqa: PTH114 as above
        what = "a link that leads nowhere" if is_link else str(error.strerror or error)
        return Unread(shown_path(path), "damaged", what)
    return (
        Found(path, licence) if is_file else Unread(shown_path(path), "unsupported", "not a file")
    )


def _licence_beside(folder: Path, inherited: str) -> str:
    """What the folder's own file states, the first by name; else what was inherited."""
    try:
        names = sorted(path.name for path in folder.iterdir() if states_licence(path.name))
    except OSError:
        return inherited
    for name in names:
        if os.path.isfile(folder / name):  # noqa: PTH113 as above
            return stated_licence(folder / name)
    return inherited
