"""The packages that topics need, and what to say where they are missing."""

from __future__ import annotations

from importlib.util import find_spec

from selfsown.core.errors import MissingExtra


def require(package: str, what: str) -> None:
    """Say what to install.

    Args:
        package: its import name.
        what: what needs it, as the beginning of a sentence.

    Raises:
        MissingExtra: it is not installed.
    """
    if find_spec(package) is None:
        raise MissingExtra(
            f"{what} needs the package `{package}`, which is not installed",
            why="retrieval runs on bm25s, clustering on scikit-learn",
            fix="pip install 'selfsown[topics]'",
        )
