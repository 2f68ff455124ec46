"""How a mixture is made: its size, its windows, its files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from selfsown.core.errors import ConfigError
from selfsown.mixing.external_sort import MEMORY_BYTES
from selfsown.mixing.writing import FileFormat

BLANK_LINE: Final = "\n\n"
LEAST_WINDOW: Final = 16
Rows = Literal["text", "tokens"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MixOptions:
    """All settings of a mixture beside its sources."""

    tokens: int | None = None
    """Of the mixture, repetitions counted and ends of documents not."""
    pass_over: str | None = None
    """Instead: the source of which the mixture has every text once."""
    window: int = 0
    """Most tokens of a row, into which texts are packed; 0 for a row per text."""
    rows: Rows | None = None
    """What a row holds; None: tokens if there are a window and a tokenizer, else text."""
    tokenizer: Path | None = None
    """Folder of the tokenizer to count with; None estimates from bytes."""
    end: str | None = None
    """What stands behind every document of a window. None: a blank line; of token rows, the
    tokenizer's end-of-text token. Empty: nothing."""
    in_order: bool = False
    """Leave windows in the order of their texts, in which those of a long document follow each
    other; else they are shuffled. Rows of one text are in that order always."""
    validation: float = 0.0
    """Share of the documents that is kept from training, in [0, 1), with all that says them
    again."""
    seed: int = 0
    """Of order and validation."""
    form: FileFormat = "jsonl"
    shard_bytes: int = 0
    """About the size of a file; 0 for one file."""
    whole_only: bool = False
    """Leave out texts that were joined from chunks and lack some."""
    allow_all_synthetic: bool = False
    """Write a mixture without any text that people wrote."""
    force: bool = False
    """Replace a mixture that is there."""
    memory_bytes: int = MEMORY_BYTES
    """About what sorting may hold in memory; changes no output."""

    @property
    def has_token_rows(self) -> bool:
        """Whether rows hold tokens."""
        if self.rows is None:
            return bool(self.window and self.tokenizer)
        return self.rows == "tokens"

    def __post_init__(self) -> None:
        """Check what can be checked without reading.

        Raises:
            ConfigError: a value cannot be used.
        """
        if self.window and self.window < LEAST_WINDOW:
            raise ConfigError(
                f"a window of {self.window} tokens is too small",
                why="documents are cut to fit",
                fix=f"use {LEAST_WINDOW} or more, or 0 for a row per text",
            )
        if not 0 <= self.validation < 1:
            raise ConfigError(
                f"the validation share is {self.validation}, it must be at least 0 and below 1",
                why="it is the part of the documents that is kept from training",
                fix="for five in a hundred use 0.05",
            )
        if self.has_token_rows and not (self.window and self.tokenizer):
            raise ConfigError(
                "token rows need a window and a tokenizer",
                why="a row is a window of its tokens",
                fix="give --window N and --tokenizer FOLDER, or leave out --rows",
            )
        if self.shard_bytes < 0 or self.memory_bytes < 1:
            raise ConfigError(
                "sizes in bytes cannot be negative",
                why=f"`shard_bytes` is {self.shard_bytes}, `memory_bytes` {self.memory_bytes}",
                fix="use 0 for one file",
            )
