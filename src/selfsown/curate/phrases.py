"""What a monitor compares of one text: how it opens and ends, its frames, cliches, length.

A frame is the first four words of a sentence that is not the first: "in this section we", "let us
now look". Templates that a generator fell into show there however much the nouns vary.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from typing import Final

from selfsown.curate.boilerplate import is_refusal
from selfsown.curate.cliches import Cliches
from selfsown.curate.tokens import tokenize_unicode

OPENING_WORDS: Final = 5
FRAME_WORDS: Final = 4
MAX_FRAMES: Final = 40
"""Distinct frames of a text that are counted: of its first sentences."""
LOOKED_AT: Final = 20_000
"""Characters of a text that are read; of a longer one the end counts for its closing, too."""
COMPRESSED_BYTES: Final = 4_096
"""Bytes of a text that are compressed."""
_REFUSAL_CHARACTERS: Final = 300
"""A refusal begins an answer; people in stories are sorry later on."""

_SENTENCE_END: Final = re.compile(r"[.!?\u3002\uff01\uff1f][\"'\u2019\u201d)*]*\s|\n")


@dataclass(frozen=True, slots=True)
class Phrases:
    """What is compared of one text."""

    opening: str
    """Its first five words, folded; fewer if it is shorter, empty without words."""
    closing: str
    """Its last five words."""
    frames: tuple[str, ...]
    """Sorted, each once; at most `MAX_FRAMES`."""
    cliches: tuple[str, ...]
    words: int
    is_refusal: bool
    sample: bytes
    """Its beginning, to be compressed after others."""


def phrases_of(text: str, cliches: Cliches) -> Phrases:
    """Read a text once."""
    sentences = [tokenize_unicode(part) for part in _SENTENCE_END.split(text[:LOOKED_AT])]
    words = [word for sentence in sentences for word in sentence]
    tail = tokenize_unicode(text[-1_000:]) if len(text) > LOOKED_AT else words
    spoken = [sentence for sentence in sentences if len(sentence) >= FRAME_WORDS]
    frames = dict.fromkeys(" ".join(sentence[:FRAME_WORDS]) for sentence in spoken[1:])
    sample = text[:COMPRESSED_BYTES].encode("utf-8", "replace")[:COMPRESSED_BYTES]
    return Phrases(
        opening=" ".join(words[:OPENING_WORDS]),
        closing=" ".join(tail[-OPENING_WORDS:]),
        frames=tuple(sorted(list(frames)[:MAX_FRAMES])),
        cliches=tuple(cliches.found(f" {' '.join(words)} ")),
        words=len(words) + max(0, len(text) - LOOKED_AT) // 6,
        is_refusal=is_refusal(text[:_REFUSAL_CHARACTERS]),
        sample=sample,
    )


def compressed_bytes(sample: bytes, before: bytes = b"") -> int:
    """The size of `sample` compressed, given the last 32 KiB of what came before it."""
    packer = zlib.compressobj(level=6, zdict=before) if before else zlib.compressobj(level=6)
    return len(packer.compress(sample)) + len(packer.flush())
