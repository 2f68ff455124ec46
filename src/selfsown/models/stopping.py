"""Watches one answer grow: its text so far, and whether a stop string has appeared in it.

A stop string may begin in one token and end in another, so it is looked for in text, not among
tokens. The text is decoded together with the last tokens of the prompt, on which the spaces at its
beginning depend. Byte-level tokenizers give every token fixed bytes, so their answers grow without
being decoded again; other tokenizers decode the answer at each step, and only when there is a stop
string to look for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

_PROMPT_TAIL: Final = 4
"""Tokens of the prompt that decide how the first token of an answer reads."""


@dataclass(frozen=True, slots=True)
class ByteTable:
    """A tokenizer whose text is its tokens' bytes joined, with some strings replaced at last."""

    bytes_of: Sequence[bytes]
    """Bytes per id; none for special tokens."""
    replaced: tuple[tuple[bytes, bytes], ...] = ()
    """(old, new), applied in order to the whole."""

    def join(self, ids: Sequence[int]) -> bytes:
        """The bytes of some tokens, nothing replaced yet."""
        return b"".join([self.bytes_of[token] for token in ids])

    def finish(self, raw: bytes) -> bytes:
        """The text that the joined bytes stand for."""
        for old, new in self.replaced:
            raw = raw.replace(old, new)
        return raw


@dataclass(frozen=True, slots=True)
class Detokenizer:
    """From token ids to text."""

    decode: Callable[[Sequence[int]], str]
    """Text of a sequence of ids, special tokens left out."""
    table: ByteTable | None = None
    """The quick way, where the tokenizer allows it."""


class GrowingAnswer:
    """The tokens generated for one call."""

    def __init__(
        self, detokenizer: Detokenizer, prompt: Sequence[int], stop: Sequence[str]
    ) -> None:
        self.ids: list[int] = []
        self._detokenizer = detokenizer
        self._before = list(prompt[-_PROMPT_TAIL:])
        self._stop = [text.encode() for text in stop if text]
        self._cut: int | None = None
        if (table := detokenizer.table) is not None:
            self._raw = table.join(self._before)
            self._skip = len(table.finish(self._raw))

    def add(self, token: int) -> bool:
        """Append a token; whether the answer now holds a stop string."""
        self.ids.append(token)
        if (table := self._detokenizer.table) is not None:
            self._raw += table.bytes_of[token]
        if self._stop:
            text = self._whole()
            found = [at for stop in self._stop if (at := text.find(stop)) >= 0]
            self._cut = min(found, default=None)
        return self._cut is not None

    def text(self) -> str:
        """The answer up to the first stop string; bytes that are no UTF-8 read as U+FFFD."""
        return self._whole()[: self._cut].decode("utf-8", "replace")

    def _whole(self) -> bytes:
        if (table := self._detokenizer.table) is not None:
            return table.finish(self._raw)[self._skip :]
        decode = self._detokenizer.decode
        return decode([*self._before, *self.ids])[len(decode(self._before)) :].encode()


def byte_table(backend: Any, size: int) -> ByteTable | None:
    """The byte table of a tokenizer that is byte-level, perhaps with replacements; else None.

    Args:
        backend: a `tokenizers.Tokenizer`.
        size: the model's vocabulary; ids without a token stand for no bytes.
    """
    described = json.loads(backend.to_str())
    decoder = described.get("decoder") or {}
    first, *rest = decoder.get("decoders", [decoder])
    replaced = [_replacement(step) for step in rest]
    if first.get("type") != "ByteLevel" or None in replaced:
        return None
    byte_of = {character: value for value, character in enumerate(_byte_characters())}
    added = {token["id"]: token for token in described.get("added_tokens", ())}
    bytes_of = [b""] * max(size, backend.get_vocab_size())
    for token, index in backend.get_vocab().items():
        if index in added:
            bytes_of[index] = b"" if added[index]["special"] else token.encode()
        elif all(character in byte_of for character in token):
            bytes_of[index] = bytes(byte_of[character] for character in token)
        else:
            return None
    return ByteTable(bytes_of, tuple(pair for pair in replaced if pair is not None))


def _replacement(step: dict[str, Any]) -> tuple[bytes, bytes] | None:
    pattern = step.get("pattern", {}).get("String")
    if step.get("type") != "Replace" or not pattern:
        return None
    return pattern.encode(), step["content"].encode()


def _byte_characters() -> list[str]:
    """The character by which byte-level BPE writes each byte: itself, or one from U+0100 on."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    free = iter(range(0x100, 0x200))
    return [chr(value if value in printable else next(free)) for value in range(256)]
