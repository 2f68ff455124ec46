"""How a mixture measures texts: by the estimate or a tokenizer, and how they are cut to fit."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from selfsown.core.errors import ConfigError, InputError
from selfsown.core.token_counts import Counter, open_tokenizer
from selfsown.documents.tokens import counter
from selfsown.mixing.options import BLANK_LINE, MixOptions
from selfsown.mixing.packing import Cut, text_cutter, token_cutter

Encode = Callable[[str], tuple[int, ...]]
"""Text -> its tokens."""


def measures(options: MixOptions) -> tuple[Counter, Encode | None, Cut | None]:
    """What counts tokens, what makes them (token rows only), what cuts texts (windows only).

    Raises:
        MissingExtra: a tokenizer is given, and transformers is not installed.
        InputError: its folder holds none, or it has no end of text and none is given.
        ConfigError: what ends a document fills a window.
    """
    window = options.window
    if options.tokenizer is None or not options.has_token_rows:
        count = counter(options.tokenizer)
        if not window:
            return count, None, None
        end = BLANK_LINE if options.end is None else options.end
        _refuse_long_end(count(end), window)
        return count, None, text_cutter(window, end, count)
    tokenizer = open_tokenizer(options.tokenizer)

    @lru_cache(maxsize=1)  # a text is counted, and its tokens are asked for right behind
    def ids_of(text: str) -> tuple[int, ...]:
        return tuple(tokenizer(text, add_special_tokens=False)["input_ids"])

    if options.end is not None:
        ending = list(ids_of(options.end))
    elif tokenizer.eos_token_id is not None:
        ending = [tokenizer.eos_token_id]
    else:
        raise InputError(
            f"the tokenizer in `{options.tokenizer}` has no end-of-text token",
            why="it stands behind every document of a window",
            fix='name a text with --end TEXT, or --end "" for none',
        )
    _refuse_long_end(len(ending), window)
    return lambda text: len(ids_of(text)), ids_of, token_cutter(window, ending)


def _refuse_long_end(tokens: int, window: int) -> None:
    if 2 * tokens > window:
        raise ConfigError(
            f"what ends a document has {tokens} tokens, and a window {window}",
            why="there would be no room for documents",
            fix="give a shorter --end, or a larger --window",
        )
