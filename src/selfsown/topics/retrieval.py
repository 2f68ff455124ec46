"""Documents for a query: BM25 over all of them, with an index that stays on disk.

Ranked by score, equal scores by document id, so that the same documents and query give the same
list. Words are those of `curate.tokens.tokenize_unicode`, English plurals folded; common words need
no stop list, since BM25 gives them next to no weight.

Memory: 4 bytes per word while the index is built and about 40 per distinct word of each document
(a posting) at its peak; 8 bytes a posting on disk, read as a memory map; 4 bytes a document while a
query is answered. `tests/topics/test_retrieval.py` measures it.
Source: BM25 as in Lucene (k1 1.5, b 0.75), by the package bm25s. Cosmopedia v2 searched 520 million
pages with category, subcategory and subtopic as query, the subtopic's words boosted by 2, and kept
1,000 pages per topic.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from selfsown.core.errors import EnvironmentFailure, InputError
from selfsown.core.rundir import whole_file
from selfsown.curate.openings import singular
from selfsown.curate.tokens import tokenize_unicode
from selfsown.topics.packages import require

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BOOST: Final = 2
"""How often a topic's own words count in a query; Cosmopedia v2."""
_VERSION: Final = 1
_METHOD: Final = "lucene"
_STATE: Final = "selfsown.json"


class Found(NamedTuple):
    """A document that a query found."""

    number: int
    """Of the document, from 0 in the order in which they were indexed."""
    score: float
    """Above 0; comparable within a query only."""


class Retriever:
    """An index of documents."""

    def __init__(self, index: Any, ids: list[str]) -> None:
        """Take an index of bm25s and the ids of its documents; made by `build` and `load`."""
        import numpy as np

        self._index, self._ids = index, ids
        order = sorted(range(len(ids)), key=lambda number: (ids[number], number))
        self._turn: NDArray[np.int64] = np.empty(len(ids), dtype=np.int64)
        self._turn[order] = np.arange(len(ids))

    def __len__(self) -> int:
        return len(self._ids)

    def search(self, topic: str, context: str = "", k: int = 1000) -> list[Found]:
        """The best documents, best first; fewer than `k` if fewer share a word with the query.

        Args:
            topic: its words count `BOOST` times.
            context: further words, for example those of the topics above it; they count once.
            k: most documents.
        """
        import numpy as np

        known = self._index.vocab_dict
        words = [word for word in tokens(topic) for _ in range(BOOST)] + tokens(context)
        query = [known[word] for word in words if word in known]
        if not query or not self._ids or k < 1:
            return []
        scores: NDArray[np.float32] = self._index.get_scores_from_ids(query)
        least = np.partition(scores, -k)[-k] if k < len(scores) else np.float32(0)
        (candidates,) = np.nonzero((scores >= least) & (scores > 0))
        ranked = candidates[np.lexsort((self._turn[candidates], -scores[candidates]))]
        return [Found(int(number), float(scores[number])) for number in ranked[:k]]

    def save(self, folder: Path, fingerprint: str) -> None:
        """Write the index; the file that says that it is whole comes last.

        Raises:
            EnvironmentFailure: the folder cannot be written.
        """
        try:
            (folder / _STATE).unlink(missing_ok=True)
            self._index.save(folder, show_progress=False)
            (folder / "ids.json").write_text(json.dumps(self._ids), encoding="utf-8")
        except OSError as error:
            raise EnvironmentFailure(
                f"the index `{folder}` cannot be written: {error}",
                why="the next start would have to read all documents again",
                fix="free space on that disk, then run the same command again",
            ) from error
        state = {"version": _VERSION, "fingerprint": fingerprint}
        with whole_file(folder / _STATE) as file:
            file.write(json.dumps(state).encode())


def build(documents: Iterable[tuple[str, str]]) -> Retriever:
    """Index documents.

    Args:
        documents: id and text of each; read once.

    Raises:
        MissingExtra: bm25s is not installed.
        InputError: no document has a word.
    """
    require("bm25s", "retrieval")
    import bm25s

    texts, vocabulary, ids = _Texts(), dict[str, int](), list[str]()
    for identifier, text in documents:
        ids.append(identifier)
        texts.add(vocabulary.setdefault(word, len(vocabulary)) for word in tokens(text))
    if not vocabulary:
        raise InputError(
            "no document has a word",
            why="documents are found by their words",
            fix="selfsown documents check PATH  shows what was read",
        )
    index = bm25s.BM25(method=_METHOD, k1=1.5, b=0.75, backend="numpy", csc_backend="numpy")
    index.scores = index.build_index_from_ids(range(len(vocabulary)), texts, show_progress=False)
    index.vocab_dict = vocabulary
    return Retriever(index, ids)


def load(folder: Path, fingerprint: str) -> Retriever | None:
    """The index of a folder; None if it holds none, another one, or half of one."""
    require("bm25s", "retrieval")
    import bm25s

    try:
        state = json.loads((folder / _STATE).read_text(encoding="utf-8"))
        if state != {"version": _VERSION, "fingerprint": fingerprint}:
            return None
        ids = json.loads((folder / "ids.json").read_text(encoding="utf-8"))
        return Retriever(bm25s.BM25.load(folder, mmap=True), ids)
    except (OSError, ValueError, KeyError, TypeError):
        return None  # nothing, or what an interrupted start left: it is made anew


def fingerprint(documents: Iterable[tuple[str, str]]) -> str:
    """A hash of documents, their order included, by which an index is known to be theirs."""
    digest = hashlib.blake2b(digest_size=16)
    for pair in documents:
        for part in pair:
            digest.update(hashlib.blake2b(part.encode("utf-8", "surrogatepass")).digest())
    return digest.hexdigest()


def tokens(text: str) -> list[str]:
    """The words by which documents are found."""
    return [_folded(word) for word in tokenize_unicode(text)]


@lru_cache(maxsize=65_536)
def _folded(word: str) -> str:
    return singular(word)


class _Texts:
    """Word numbers of all documents in one array, as the list of lists that bm25s reads."""

    def __init__(self) -> None:
        self._words = array("I")
        self._ends = array("Q", [0])

    def add(self, numbers: Iterable[int]) -> None:
        """The next document."""
        self._words.extend(numbers)
        self._ends.append(len(self._words))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __iter__(self) -> Iterator[array[int]]:
        for number in range(len(self)):
            yield self._words[self._ends[number] : self._ends[number + 1]]
