"""Which documents give evaluation items only: a share of them, by a stable hash of their content.

The hash decides, not the place of a document, so the split is the same for every recipe, run seed
and order of files, and a document that is added later moves at most as many others as `most` and
the two rules of `choose_split` demand. Texts that differ in white space alone are on one side.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from selfsown.documents.document import Document, Unread

_KEYS: Final = 2**64


class HeldOut(BaseModel):
    """Documents that no training record may touch."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    share: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="Share of the documents that is held out; of several documents at least one."
        " 0: none.",
    )
    most: int = Field(
        1000,
        ge=1,
        description="Most documents that are held out, however many there are: an evaluation needs"
        " no more, and 4 bytes per word of them stay in memory, and their items.",
    )
    seed: int = Field(
        0,
        ge=0,
        description="Of the split; apart from the run's seed, so that all runs over the same"
        " documents hold out the same ones.",
    )
    near: float = Field(
        0.4,
        gt=0,
        le=1,
        description="A training passage is rejected if more than this share of its runs of 5 words"
        " stand in held-out documents: a text with every tenth word changed has 0.59, texts about"
        " different things that are filled into the same five sentences have 0.3 (measured).",
    )


@dataclass(frozen=True, slots=True)
class Split:
    """Two sides of a set of documents."""

    seed: int
    bound: int
    """Documents whose hash is at most this are held out; -1: none."""

    def is_held_out(self, document: Document) -> bool:
        """Whether a document gives evaluation items only."""
        return self.bound >= 0 and split_key(document.text, self.seed) <= self.bound


def split_key(text: str, seed: int) -> int:
    """The hash of a text, from 0 to 2^64 - 1; white space counts as one blank."""
    form = f"{seed}\0{' '.join(text.split())}"
    digest = hashlib.blake2b(form.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest)


def choose_split(documents: Iterable[Document | Unread], options: HeldOut) -> Split:
    """The split of a set of documents, in one pass that remembers `options.most` hashes.

    Of documents that are not all equal at least one is on either side, unless `share` is 0.
    """
    limit = int(options.share * _KEYS) - 1
    lowest: list[int] = []  # hashes within the share, the largest first (negated)
    least, greatest = _KEYS, -1
    for one in documents:
        if isinstance(one, Unread):
            continue
        key = split_key(one.text, options.seed)
        least, greatest = min(least, key), max(greatest, key)
        if key <= limit:
            push = heapq.heappush if len(lowest) < options.most else heapq.heappushpop
            push(lowest, -key)
    if not options.share or least >= greatest:
        return Split(options.seed, -1)
    bound = -lowest[0] if lowest else least
    if bound == greatest:  # all of them
        bound = max(-key for key in lowest if -key != greatest)
    return Split(options.seed, bound)
