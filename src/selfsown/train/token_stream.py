"""The lab corpus as training rows: encoded shard by shard, each token with its loss weight."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from selfsown.lab.corpus import Document, documents, text_of
from selfsown.lab.tokenizer import END_OF_TEXT_ID

if TYPE_CHECKING:
    import torch
    from tokenizers import Tokenizer

SHARD_DOCUMENTS = 4_000
"""Documents per shard, about 0.75 M tokens; a shard takes some five CPU-seconds to make."""


def encode_document(
    tokenizer: Tokenizer, document: Document, end_id: int = END_OF_TEXT_ID
) -> tuple[list[int], list[int]]:
    """Token ids and loss weights of a document, led by the end-of-text token `end_id`.

    A token belongs to the span of its last character: ` Paris` after `Output:` to the answer.
    """
    encoding = tokenizer.encode(text_of(document), add_special_tokens=False)
    ends: list[int] = []
    position = 0
    for span in document:
        position += len(span.text)
        ends.append(position)
    weights: list[int] = []
    current = 0
    for _, end in encoding.offsets:
        while end > ends[current]:
            current += 1
        weights.append(document[current].weight)
    return [end_id, *encoding.ids], [1, *weights]


def encode_shard(
    tokenizer: Tokenizer,
    seed: int,
    shard: int,
    document_count: int,
    end_id: int = END_OF_TEXT_ID,
) -> tuple[torch.Tensor, torch.Tensor]:
    """All tokens of a shard in one line: ids (N,) and weights (N,), both int16."""
    import torch

    ids: list[int] = []
    weights: list[int] = []
    for document in islice(documents(seed, shard * document_count), document_count):
        document_ids, document_weights = encode_document(tokenizer, document, end_id)
        ids += document_ids
        weights += document_weights
    return torch.tensor(ids, dtype=torch.int16), torch.tensor(weights, dtype=torch.int16)


class RowStream:
    """Rows cut from the endless line of tokens; `shard` and `offset` are its whole state."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        seed: int,
        shard_documents: int = SHARD_DOCUMENTS,
        end_id: int = END_OF_TEXT_ID,
    ) -> None:
        """A stream at its start; another size of shards is another stream."""
        self.tokenizer = tokenizer
        self.seed = seed
        self.shard_documents = shard_documents
        self.end_id = end_id
        self.shard = 0
        self.offset = 0
        self._loaded: tuple[int, torch.Tensor, torch.Tensor] | None = None

    def next_rows(self, count: int, length: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The next rows.

        Returns:
            inputs, targets and target weights, each (count, length); the weights are float32.
        """
        needed = count * length + 1
        ids, weights = self._load()
        if self.offset + needed > len(ids):
            self.shard, self.offset = self.shard + 1, 0
            ids, weights = self._load()
        part = slice(self.offset, self.offset + needed)
        line, line_weights = ids[part].long(), weights[part].float()
        self.offset += needed - 1
        shape = (count, length)
        return line[:-1].view(shape), line[1:].view(shape), line_weights[1:].view(shape)

    def _load(self) -> tuple[torch.Tensor, torch.Tensor]:
        if self._loaded is None or self._loaded[0] != self.shard:
            shard = encode_shard(
                self.tokenizer, self.seed, self.shard, self.shard_documents, self.end_id
            )
            self._loaded = (self.shard, *shard)
        return self._loaded[1], self._loaded[2]


def validation_rows(
    tokenizer: Tokenizer, seed: int, row_count: int, length: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Rows of documents that training never sees, in batches of eight."""
    stream = RowStream(tokenizer, seed, shard_documents=400)
    for _ in range(row_count // 8):
        yield stream.next_rows(8, length)
