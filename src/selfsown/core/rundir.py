"""The run directory: its file names, its lock, and files that are either whole or absent."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import orjson

from selfsown.core.errors import EnvironmentFailure, InputError
from selfsown.core.request import JSON

CONFIG: Final = "config.yaml"
MANIFEST: Final = "manifest.json"
INPUTS: Final = "inputs"
BLOBS: Final = "blobs"
DATA_FILES: Final = ("accepted.jsonl", "rejected.jsonl", "failed.jsonl", "provenance.jsonl")
"""Files whose bytes follow from config and journal alone."""

_LOCK: Final = "run.lock"


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What the manifest says about a file."""

    sha256: str
    rows: int
    bytes: int


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the one writer's lock of a run directory, which is made if absent.

    The lock belongs to the process and goes with it, also after `kill -9`. What a writer that was
    killed left half written is removed.

    Raises:
        EnvironmentFailure: another process holds it, or the directory cannot be written.
    """
    with held(directory / _LOCK, directory):
        with translated_os_errors(directory):
            _sweep(directory)
        yield


@contextlib.contextmanager
def held(lock: Path, place: Path) -> Iterator[None]:
    """Hold the lock of one writer of a place, with a lock file that is made if absent and stays.

    Args:
        lock: the lock file; it names the process that holds it.
        place: what is written, for messages.

    Raises:
        EnvironmentFailure: another process holds it, or the lock file cannot be written.
    """
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        handle = lock.open("a+")
    except OSError as error:
        raise EnvironmentFailure(
            f"`{place}` cannot be written: {error.strerror}",
            why="a journal is kept there",
            fix="give another place with `-o`, or change its permissions",
        ) from error
    with handle:
        _take(handle, place)
        handle.seek(0)
        handle.truncate()
        with translated_os_errors(lock):
            os.write(handle.fileno(), str(os.getpid()).encode())
        yield


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """A file of a run directory that appears under its name only when the block ends well.

    Raises:
        EnvironmentFailure: it cannot be written.
    """
    with translated_os_errors(path), replaced_file(path) as handle:
        yield handle


@contextlib.contextmanager
def replaced_file(path: Path) -> Iterator[IO[bytes]]:
    """A file that is replaced as a whole: temporary name beside it, fsync, rename.

    Raises:
        OSError: it cannot be written; what was there is untouched.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as handle:
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)
        sync_directory(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def sync_directory(directory: Path) -> None:
    """Make renames, creations and removals in a directory durable, where the system can."""
    if os.name != "nt":
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


_FIXES: Final = {
    **dict.fromkeys(
        (errno.ENOENT, errno.ENOTDIR, errno.EEXIST), "make its folder, or name another place"
    ),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "make its folder writable"),
}


@contextlib.contextmanager
def translated_os_errors(path: Path) -> Iterator[None]:
    """What the system says about a file that could not be written, in our words."""
    try:
        yield
    except OSError as error:
        raise EnvironmentFailure(
            f"`{path}` cannot be written: {error.strerror or error}",
            why="it is written whole or not at all, and what it is made from is intact",
            fix=f"{_FIXES.get(error.errno or 0, 'free space on that disk')}, then run the same"
            " command again",
        ) from error


def write_text(path: Path, text: str) -> None:
    """Write a whole text file, or none."""
    with whole_file(path) as handle:
        handle.write(text.encode())


def write_lines(path: Path, lines: Iterable[bytes]) -> FileFacts:
    """Write a whole file of lines (newlines are added) and say what is in it."""
    digest, rows, size = hashlib.sha256(), 0, 0
    with whole_file(path) as handle:
        for line in lines:
            whole = line + b"\n"
            digest.update(whole)
            handle.write(whole)
            rows += 1
            size += len(whole)
    return FileFacts(digest.hexdigest(), rows, size)


def read_lines(path: Path) -> Iterator[JSON]:
    """The JSON values of a JSONL file that selfsown wrote; nothing if it is absent.

    Raises:
        InputError: a line is no JSON, because something else wrote to the file.
    """
    if not path.exists():
        return
    with path.open("rb") as handle:
        for number, line in enumerate(handle, 1):
            yield _parsed(line, f"`{path}` line {number}", path)


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def read_manifest(directory: Path) -> dict[str, JSON]:
    """The manifest of a run directory.

    Raises:
        InputError: there is none, so the directory holds no finished or cleanly stopped run.
    """
    path = directory / MANIFEST
    if not path.exists():
        known = (directory / "journal.sqlite").exists()
        raise InputError(
            f"`{directory}` has no {MANIFEST}",
            why="it is written when a run ends or is stopped cleanly",
            fix="run the command that made it again: it resumes"
            if known
            else "give a run directory, for example `runs/demo`",
        )
    value = _parsed(path.read_bytes(), f"`{path}`", path)
    if not isinstance(value, dict) or not {"data", "run"} <= value.keys():
        raise _not_ours(f"`{path}` is no manifest", path)
    return value


def put_blob(directory: Path, data: bytes) -> str:
    """Store bytes under their SHA-256 in `blobs/` and return it; equal bytes are stored once."""
    name = hashlib.sha256(data).hexdigest()
    path = directory / BLOBS / name
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        with whole_file(path) as handle:
            handle.write(data)
    return name


def _parsed(text: bytes, where: str, path: Path) -> JSON:
    try:
        value: JSON = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise _not_ours(f"{where} is damaged: {error}", path) from error
    return value


def _not_ours(what: str, path: Path) -> InputError:
    return InputError(
        what,
        why="selfsown writes it whole or not at all, so something else changed it",
        fix=f"rm {path}  and run the command that made the directory again: it is rebuilt from the"
        " journal",
    )


def _sweep(directory: Path) -> None:
    """Remove temporary files of `replaced_file` whose processes are gone.

    Of another machine that writes to the same directory without its lock nothing is known here.
    """
    for folder in (directory, directory / INPUTS, directory / BLOBS):
        for path in folder.glob(".*.tmp"):
            number = path.name.removesuffix(".tmp").rpartition(".")[2]
            if number.isdecimal() and not _is_running(int(number)):
                path.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    """Whether there is such a process; taken for granted where asking would signal it."""
    if os.name == "nt":
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def _take(handle: IO[str], place: Path) -> None:
    try:
        _flock(handle)
    except OSError as error:
        handle.seek(0)
        holder = handle.read().strip() or "unknown"
        raise EnvironmentFailure(
            f"`{place}` is in use by process {holder}",
            why="one process writes there at a time",
            fix="wait for it, stop it with Ctrl-C, or give another place with `-o`",
        ) from error


def _flock(handle: IO[str]) -> None:
    if os.name == "nt":
        import msvcrt

        msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
