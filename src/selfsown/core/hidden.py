"""What may be shown of a URL, and of a command line: user info, queries and keys are hidden."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

_HIDDEN: Final = "…"
_URL: Final = re.compile(r"\w://\S+\Z")
_SECRET: Final = re.compile(r"\b(api_key|headers)\b")
"""Keys of a config whose values are secret; `api_key_env` is none of them."""


def hide_url_secrets(text: str) -> str:
    """The URL without user info and query, also when it is too broken to be parsed as one.

    A password may hold any delimiter, so everything before the last `@` goes.
    """
    head, slashes, rest = text.partition("//")
    if not slashes:
        return text
    before, at, rest = rest.rpartition("@")
    rest, mark, name = rest.partition("#")
    hidden = f"{_HIDDEN}@" if before or at else ""
    return f"{head}//{hidden}{rest.partition('?')[0]}{mark}{name}"


def hide_argument_secrets(words: Iterable[str]) -> Iterator[str]:
    """The words of a command line as they may be written to a file or a log.

    Covered: user info and query of a word that is a URL or ends in one; values of `--set` for
    `api_key` and `headers`, in a mapping too. Not covered: a key inside a text, such as a prompt.
    """
    before = ""
    for word in words:
        option, _, given = word.partition("=") if word.startswith("--set=") else (before, "", word)
        if option == "--set" and _SECRET.search(given):
            yield f"{word.removesuffix(given)}{given.partition('=')[0]}={_HIDDEN}"
        else:
            yield hide_url_secrets(word) if _URL.search(word) and " " not in word else word
        before = word
