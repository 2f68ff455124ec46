"""How many tokens a text has: estimated from its bytes, or counted with a tokenizer of a folder.

The *estimate* is UTF-8 bytes divided by four, a common ratio of byte-pair tokenizers on English; it
is too low for most other languages and for code.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from selfsown.core.errors import InputError, MissingExtra

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

BYTES_PER_TOKEN: Final = 4
Counter = Callable[[str], int]


def estimate_tokens(text: str) -> int:
    """Tokens of a text by its bytes, rounded up; 0 for an empty text."""
    return -(-len(text.encode()) // BYTES_PER_TOKEN)


def load_tokenizer(path: Path) -> Counter:
    """Count with a tokenizer from a local folder; nothing is downloaded.

    Raises:
        MissingExtra: transformers is not installed.
        InputError: the folder holds no tokenizer.
    """
    tokenizer = open_tokenizer(path)

    def count(text: str) -> int:
        return len(tokenizer(text, add_special_tokens=False)["input_ids"])

    return count


def open_tokenizer(path: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a local folder.

    Raises:
        MissingExtra: transformers is not installed.
        InputError: the folder holds no tokenizer.
    """
    try:
        from transformers import AutoTokenizer
    except ImportError as error:
        raise MissingExtra(
            "`--tokenizer` needs the package `transformers`, which is not installed",
            why="tokens are counted with the tokenizer of the model to be trained",
            fix="pip install 'selfsown[local]', or leave out --tokenizer for an estimate",
        ) from error
    try:
        return AutoTokenizer.from_pretrained(str(path), local_files_only=True)
    except (OSError, ValueError) as error:
        raise InputError(
            f"`{path}` holds no tokenizer that can be loaded",
            why=str(error).splitlines()[0],
            fix="give the folder with `tokenizer.json` of the model to be trained",
        ) from error
