"""The lab's tokenizer: byte-level BPE with 2,048 entries, in Hugging Face form.

A space is put behind every line break before splitting (and taken away when decoding), so that a
word at the start of a line is the same token as the word after a space; a blank line is one token
and stays one. `<|endoftext|>` is id 0 and serves as begin and end of text; `<|pad|>` is id 1.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from selfsown.lab.corpus import documents, text_of

if TYPE_CHECKING:
    from tokenizers import Tokenizer

VOCABULARY_SIZE = 2048
END_OF_TEXT, PAD = "<|endoftext|>", "<|pad|>"
END_OF_TEXT_ID, PAD_ID = 0, 1
CONTEXT_TOKENS = 1024

_SPLIT = r" ?[A-Za-z]+| ?[0-9]+|\n+| ?[^\sA-Za-z0-9]+|\s+"
_LINE_START = r"\n(?=[^\n])"


def train_tokenizer(seed: int, document_count: int = 12_000) -> Tokenizer:
    """Train on the first documents of the corpus; deterministic, about ten CPU-seconds."""
    return tokenizer_of(_texts(seed, document_count))


def tokenizer_of(texts: Iterable[str]) -> Tokenizer:
    """Train on any texts; the same texts in the same order give the same tokenizer."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Replace(Regex(_LINE_START), "\n ")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Replace("\n ", "\n")])
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE,
        special_tokens=[END_OF_TEXT, PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def save_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    """Write `tokenizer.json` and `tokenizer_config.json`, as `AutoTokenizer` reads them."""
    from tokenizers import processors

    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{END_OF_TEXT} $A",
        pair=f"{END_OF_TEXT} $A $B",
        special_tokens=[(END_OF_TEXT, END_OF_TEXT_ID)],
    )
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": END_OF_TEXT,
        "eos_token": END_OF_TEXT,
        "pad_token": PAD,
        "model_max_length": CONTEXT_TOKENS,
        "clean_up_tokenization_spaces": False,
        "padding_side": "left",
    }
    text = json.dumps(config, indent=2, sort_keys=True) + "\n"
    (folder / "tokenizer_config.json").write_text(text, encoding="utf-8")


def _texts(seed: int, count: int) -> Iterator[str]:
    return (text_of(document) for document in islice(documents(seed), count))
