"""The noise world over a clean text of one's own: what could rephrasing give at most?

The text is cut into passages and made noisy; the rephraser is the clean passage itself, which is as
good as one can be that changes no word. So the gain over noisy text alone is a ceiling for models
that rephrase. Whole documents are held out. Reads all passages into memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Final

from selfsown.core.errors import InputError
from selfsown.core.randomness import rng_for
from selfsown.core.request import JSON
from selfsown.core.token_counts import estimate_tokens
from selfsown.documents.chunk import chunk
from selfsown.documents.document import Document
from selfsown.documents.reading import read_documents
from selfsown.lab.tokenizer import save_tokenizer, tokenizer_of
from selfsown.mixing.record import digest
from selfsown.sweep.arms import Arm
from selfsown.sweep.augment import with_deletions, with_synonyms
from selfsown.sweep.corrupt import corrupted
from selfsown.sweep.lab_noise import NOISY
from selfsown.sweep.material import Design, SourceFile, write_texts
from selfsown.sweep.measure import Cloze

CLEAN: Final = "clean"
ARMS: Final = (
    Arm("noisy only", {NOISY: 1.0}),
    Arm("clean only", {CLEAN: 1.0}),
    Arm("noisy and clean 1:1", {NOISY: 0.5, CLEAN: 0.5}),
    Arm("noisy and clean 2:1", {NOISY: 2 / 3, CLEAN: 1 / 3}),
    Arm("noisy and synonyms 1:1", {NOISY: 0.5, "synonyms": 0.5}),
    Arm("noisy and deletions 1:1", {NOISY: 0.5, "deletions": 0.5}),
)
_TOKENS: Final = 220
"""Most tokens of a passage, estimated: it shall fit into a row of the student."""
_LEAST: Final = 40
_HELD_OUT: Final = 10
"""One document in so many is held out."""
_HELD_OUT_SEED: Final = 7_919_005


@dataclass(frozen=True, slots=True)
class NoisyTexts:
    """The material of the experiment."""

    path: Path
    """File or folder of clean text, prose for the most part."""
    passages: int = 4_000
    """Of a seed, drawn from those that are not held out; or all, if there are fewer."""
    held_out_passages: int = 150

    def identity(self) -> Mapping[str, JSON]:
        """Sizes and the hash of the text."""
        return {
            "material": "noisy text",
            "passages": self.passages,
            "held_out_passages": self.held_out_passages,
            "text": digest(self.path),
        }

    def tokenizer(self, folder: Path) -> Path:
        """Trained on clean and noisy passages that are not held out, once."""
        if not (folder / "tokenizer.json").exists():
            found = _drawn(self.path, False, self.passages, 0)
            noisy = (corrupted(text, 0, name) for name, text in found)
            save_tokenizer(tokenizer_of([*(text for _, text in found), *noisy]), folder)
        return folder

    def sources(self, folder: Path, seed: int) -> Mapping[str, SourceFile]:
        """Clean, noisy and augmented passages; other seeds draw other ones, with other noise."""
        own = _drawn(self.path, False, self.passages, seed)
        noisy = [(name, corrupted(text, seed, name)) for name, text in own]
        made = {
            NOISY: noisy,
            CLEAN: own,
            "synonyms": [(name, with_synonyms(text, seed, name)) for name, text in noisy],
            "deletions": [(name, with_deletions(text, seed, name)) for name, text in noisy],
        }
        return {
            name: write_texts(folder / f"{name}.jsonl", texts, prefix=name, is_real=name == NOISY)
            for name, texts in made.items()
        }

    def held_out(self) -> Mapping[str, Sequence[str]]:
        """The same passages of documents that no student reads, clean and noisy."""
        own = _drawn(self.path, True, self.held_out_passages, _HELD_OUT_SEED)
        return {
            CLEAN: [text for _, text in own],
            NOISY: [corrupted(text, _HELD_OUT_SEED, name) for name, text in own],
        }

    def tasks(self) -> Sequence[Cloze]:
        """None: nobody wrote any about this text."""
        return ()


def noisy_text_design(path: Path) -> Design:
    """The experiment as a sweep."""
    return Design(NoisyTexts(path), ARMS, ARMS[0].name, (CLEAN, NOISY))


def _drawn(path: Path, is_held_out: bool, count: int, seed: int) -> list[tuple[str, str]]:
    """Passages of one side with their ids, in a random order."""
    found = _passages(path)[is_held_out]
    return rng_for(seed, "sweep-noise passages").sample(found, min(count, len(found)))


@cache
def _passages(path: Path) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Passages of prose for students, and held out.

    Raises:
        InputError: one of the sides has none.
    """
    sides: tuple[list[tuple[str, str]], list[tuple[str, str]]] = ([], [])
    for document in read_documents([path]):
        if isinstance(document, Document):
            side = sides[_is_held_out(document.id)]
            side += [
                (f"{document.id}-{one.index}", document.text[one.start : one.end].strip())
                for one in chunk(document.text, _TOKENS, estimate_tokens)
                if one.kind == "prose" and one.n_tokens >= _LEAST
            ]
    if not all(sides):
        raise InputError(
            f"`{path}` has too little prose",
            why=f"one document in {_HELD_OUT} is held out, and students read passages of others",
            fix="give more documents",
        )
    return sides


def _is_held_out(name: str) -> bool:
    return int.from_bytes(blake2b(name.encode(), digest_size=4).digest()) % _HELD_OUT == 0
