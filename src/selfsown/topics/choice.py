"""Which topics stay: each is kept or left out, never both, and a name that fits none is an error.

The published list of exclusions had a missing comma and a name that was cut off, so topics that
were meant to be left out stayed in, in silence. Here a list that does not fit what was found stops.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from selfsown.core.errors import ConfigError
from selfsown.core.nearest import did_you_mean


def match(topic: str) -> str:
    """A topic's name as it is compared: without case and spaces around or between its words."""
    return " ".join(topic.split()).casefold()


def choose(topics: Sequence[str], excluded: Iterable[str]) -> frozenset[str]:
    """The topics that are left out, as `match` gives them.

    Args:
        topics: all that were found.
        excluded: names of topics to leave out.

    Raises:
        ConfigError: a name is that of no topic, is blank, or all topics are left out.
    """
    found = {match(topic): topic for topic in topics}
    names = list(excluded)
    out = frozenset(map(match, names))
    for name in names:
        if match(name) not in found:
            raise ConfigError(
                f"the excluded topic `{name}` is that of no cluster or query",
                why="a name that is misspelt would leave in what is meant to stay out",
                fix=did_you_mean(name, topics) or f"found were {_listed(topics)}",
            )
    if found and out >= found.keys():
        raise ConfigError(
            "every topic is excluded",
            why="nothing would be left",
            fix="take names off the list `exclude`",
        )
    return out


def _listed(topics: Sequence[str]) -> str:
    shown = ", ".join(f"`{topic}`" for topic in topics[:10])
    return shown + (f" and {len(topics) - 10} more" if len(topics) > 10 else "")
