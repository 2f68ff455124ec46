"""A folder anywhere that fsspec reaches, in which a name is created once and never changed.

Covered: creation is all or nothing and never replaces, on a local disk (temporary file, hard link)
and wherever the file system offers it (`pipe_file(mode="create")`: S3, GCS and Azure by a condition
on the server). Assumed: what was created is seen by all who look afterwards, which these promise.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selfsown.core.errors import ConfigError, EnvironmentFailure, MissingExtra
from selfsown.core.hidden import hide_url_secrets
from selfsown.core.rundir import sync_directory


class Store:
    """An open store. May be used from several threads."""

    def __init__(self, url: str) -> None:
        """Open it; nothing is created yet.

        Raises:
            MissingExtra: fsspec, or its driver for this kind of URL, is not installed.
            ConfigError: there is no such kind of URL.
        """
        self._url, self._shown = url, hide_url_secrets(url)
        try:
            from fsspec.core import url_to_fs
        except ImportError as error:
            raise _missing(url, "fsspec", error) from error
        try:
            self._fs: Any
            self._fs, root = url_to_fs(url)
        except ImportError as error:
            raise _missing(url, str(error), error) from error
        except ValueError as error:
            raise ConfigError(
                f"`--store {self._shown}` cannot be opened: {_said(error, url)}",
                why="shards keep their journals there against the loss of a node",
                fix="give a URL that fsspec knows, for example s3://BUCKET/FOLDER",
            ) from error
        self._root = str(root).rstrip("/")
        protocols = self._fs.protocol
        self._is_local = "file" in ((protocols,) if isinstance(protocols, str) else protocols)

    def create(self, name: str, data: bytes) -> bool:
        """Create a file; False, and nothing is changed, if it is there."""
        path = f"{self._root}/{name}"
        with self._translated():
            if self._is_local:
                return _link(Path(path), data)
            self._fs.makedirs(path.rpartition("/")[0], exist_ok=True)
            try:
                self._fs.pipe_file(path, data, mode="create")
            except FileExistsError:
                return False
            return True

    def read(self, name: str) -> bytes | None:
        """The bytes of a file; None if it is not there."""
        with self._translated():
            try:
                data: bytes = self._fs.cat_file(f"{self._root}/{name}")
            except FileNotFoundError:
                return None
            return data

    def names(self, folder: str) -> list[str]:
        """The names of the files in a folder, sorted; none if it is not there."""
        with self._translated():
            self._fs.invalidate_cache()
            try:
                found = self._fs.ls(f"{self._root}/{folder}", detail=False)
            except FileNotFoundError:
                return []
        names = (str(path).rpartition("/")[2] for path in found)
        return sorted(name for name in names if name and not name.startswith("."))

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # each driver of fsspec has errors of its own
            raise EnvironmentFailure(
                f"the store `{self._shown}` cannot be used: {type(error).__name__}:"
                f" {_said(error, self._url)}",
                why="what is not there would be lost with this node",
                fix="check the address and its credentials, then run the same command again",
            ) from error


def _link(path: Path, data: bytes) -> bool:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        temporary.touch(mode=0o600)  # prompts and answers, as in the journal
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
        sync_directory(path.parent)
        return True
    finally:
        temporary.unlink(missing_ok=True)


def _said(error: Exception, url: str) -> str:
    """What a driver says, without the user info of the URL."""
    user, at, _ = url.partition("//")[2].rpartition("@")
    return str(error).replace(user, "…") if at else str(error)


def _missing(url: str, what: str, error: ImportError) -> MissingExtra:
    return MissingExtra(
        f"`--store {hide_url_secrets(url)}` needs a package that is not installed: {what}",
        why="files elsewhere are reached through fsspec and its drivers",
        fix="pip install 'selfsown[ray]'  (and s3fs, gcsfs or adlfs for buckets)",
    )
