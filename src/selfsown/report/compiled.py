"""Compiled templates, kept beside the templates as Python keeps compiled modules beside modules.

To compile the templates of a page takes longer than to fill them. Where Python may not write what
it compiles (`PYTHONDONTWRITEBYTECODE`, a read-only installation), they are compiled each time.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import tempfile
from importlib.util import cache_from_source
from pathlib import Path
from typing import Final

import jinja2
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket

_TEMPLATES: Final = Path(__file__).parent / "templates"
_CHECKSUM_BYTES: Final = 16
_MODE: Final = 0o644


class Compiled(BytecodeCache):
    """The compiled templates of one environment.

    A file counts for as long as the template's text and the versions of Python and Jinja are those
    that it was made with. What filters return must not be in it, so the environment does not
    optimize.
    """

    def __init__(self, options: str) -> None:
        """Keep them under a name of the environment's options, which they depend on."""
        self._options = options

    def load_bytecode(self, bucket: Bucket) -> None:
        """Take what is kept; a damaged or older file counts as none."""
        with contextlib.suppress(OSError):
            content = self._file(bucket).read_bytes()
            if _checksum(content[_CHECKSUM_BYTES:]) == content[:_CHECKSUM_BYTES]:
                bucket.bytecode_from_string(content[_CHECKSUM_BYTES:])

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep it, as a whole or not at all."""
        if sys.dont_write_bytecode:
            return
        path, content = self._file(bucket), bucket.bytecode_to_string()
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=path.parent)
            try:
                Path(name).chmod(_MODE)  # whoever runs this installation may read them
                with os.fdopen(handle, "wb") as file:
                    file.write(_checksum(content) + content)
                Path(name).replace(path)
            except OSError:
                Path(name).unlink(missing_ok=True)

    def _file(self, bucket: Bucket) -> Path:
        return Path(cache_from_source(str(_TEMPLATES / f"{self._options}-{bucket.key}.j2")))


def _checksum(content: bytes) -> bytes:
    key = jinja2.__version__.encode()  # another release may compile otherwise
    return hashlib.blake2b(content, digest_size=_CHECKSUM_BYTES, key=key).digest()
