"""How chunks are measured: the estimate, or the tokenizer of the model that will read them."""

from __future__ import annotations

from pathlib import Path

from selfsown.core.token_counts import Counter, estimate_tokens, load_tokenizer


def count_tokens(text: str) -> int:
    """Tokens by the estimate, which needs no tokenizer and is the same everywhere; 0 if empty."""
    return estimate_tokens(text)


def counter(folder: str | Path | None = None) -> Counter:
    """A function that counts tokens.

    Args:
        folder: of a tokenizer, for example that of a local model; None: the estimate.

    Raises:
        MissingExtra: transformers is not installed.
        InputError: the folder holds no tokenizer.
    """
    return count_tokens if folder is None else load_tokenizer(Path(folder))
