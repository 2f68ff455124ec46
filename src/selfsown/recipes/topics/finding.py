"""Which topic each row has: by queries over all documents, or by clusters of a sample.

What a search or a clustering said is journaled, so that a replay needs neither the index nor the
encoder, and a resumed run goes on with the same topics. Memory: the sample's first 2,000 characters
each, 8 bytes a row, and in retrieval the index (`topics.retrieval`).
"""

from __future__ import annotations

import asyncio
import hashlib
import heapq
import math
from array import array
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, cast

from selfsown.core.errors import InputError
from selfsown.core.request import JSON, short_id
from selfsown.documents.document import Document, document_rows
from selfsown.recipes.topics.options import Options
from selfsown.topics.clustering import NOISE, Clusters, cluster, nearest
from selfsown.topics.points import READ, Encoded, Space, Words
from selfsown.topics.retrieval import Retriever, build, fingerprint, load

if TYPE_CHECKING:
    from selfsown.topics.points import Points

INDEX: Final = "bm25"
"""Folder of the index in the run directory."""
_BATCH: Final = 256
_SPARE: Final = 2
"""Documents looked for per place of a topic, since another topic may have them."""


@dataclass(slots=True)
class Found:
    """Topics, and which one each row has."""

    names: list[str]
    """Of queries their own; of clusters empty."""
    terms: list[tuple[str, ...]]
    """The words that tell a cluster from the rest; none for queries."""
    topics: array[int] = field(default_factory=lambda: array("i"))
    """Of each row the topic's number, or `NOISE`."""
    scores: array[float] = field(default_factory=lambda: array("f"))
    """Of each row its distance to the nearest clustered document, or its score for the query; NaN
    where there is none."""


class Work(Protocol):
    """What finding topics needs of a run."""

    seed: int

    def rows(self) -> Iterable[Mapping[str, JSON]]:
        """The documents as rows; may be read more than once."""
        ...

    async def effect(
        self,
        name: str,
        version: str,
        inputs: JSON,
        fn: Callable[[], JSON | Awaitable[JSON]],
        *,
        free: bool = False,
    ) -> JSON:
        """What `fn` gives for these inputs, perhaps from before."""
        ...


def documents_of(run: Work) -> Iterator[tuple[int, Document]]:
    """The documents of a run with their row numbers, from 0."""
    for number, document in enumerate(document_rows(run.rows())):
        if isinstance(document, Document):
            yield number, document


def rank(seed: int, *parts: str | int) -> int:
    """A number that orders things as if they were shuffled; the same everywhere."""
    text = "\x1f".join(map(str, (seed, *parts)))
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest())


async def find(run: Work, options: Options, index: Path | None) -> Found:
    """Find the topics.

    Args:
        run: whose documents have them.
        options: how.
        index: folder where the index for queries stays; None: in memory only.

    Raises:
        InputError: there are too few documents for clusters.
        MissingExtra: a package is not installed.
    """
    if options.queries:
        return await _by_queries(run, options, index)
    return await _by_clusters(run, options)


# --- clusters --------------------------------------------------------------------------------


async def _by_clusters(run: Work, options: Options) -> Found:
    sample = _sample(run, options.sample)
    map_of = Map(sample, options, run.seed)
    given = options.model_dump(
        mode="json", include={"clusters", "min_cluster", "encoder", "max_distance"}
    )
    inputs: JSON = {"texts": _digest(sample), "seed": run.seed, **given}
    value = cast(
        "Mapping[str, JSON]",
        await run.effect(
            "topics.clusters", "1", inputs, lambda: asyncio.to_thread(map_of.fit), free=True
        ),
    )
    map_of.take(value)
    found = Found([], [tuple(terms) for terms in cast("list[list[str]]", value["terms"])])
    found.names = [""] * len(found.terms)
    clusters, documents = short_id(value), documents_of(run)
    while batch := list(islice(documents, _BATCH)):
        texts = [document.text[:READ] for _, document in batch]
        near = await _assigned(run, map_of, clusters, texts)
        for (number, _), (topic, distance) in zip(batch, near, strict=True):
            _put(found, number, topic, math.nan if distance is None else distance)
    return found


async def _assigned(
    run: Work, map_of: Map, clusters: str, texts: Sequence[str]
) -> list[tuple[int, float | None]]:
    inputs: JSON = {"clusters": clusters, "texts": _digest(texts)}
    value = await run.effect(
        "topics.assign", "1", inputs, lambda: asyncio.to_thread(map_of.assign, texts), free=True
    )
    return cast("list[tuple[int, float | None]]", value)


def _sample(run: Work, size: int) -> list[str]:
    """The beginnings of documents drawn without replacement, in the order of the rows."""
    chosen: list[tuple[int, int, str]] = []
    for number, document in documents_of(run):
        key = -rank(run.seed, "sample", document.id, number)
        if len(chosen) < size:
            heapq.heappush(chosen, (key, number, document.text[:READ]))
        elif key > chosen[0][0]:
            heapq.heapreplace(chosen, (key, number, document.text[:READ]))
    return [text for _, _, text in sorted(chosen, key=lambda entry: entry[1])]


class Map:
    """The sample's points and clusters; what costs time is made when it is first needed."""

    def __init__(self, sample: Sequence[str], options: Options, seed: int) -> None:
        self._sample, self._options, self._seed = sample, options, seed
        self._space: Space | None = None
        self._points: Points | None = None
        self._clusters: Clusters | None = None
        self._identity: JSON = None

    def fit(self) -> JSON:
        """Cluster the sample."""
        import numpy as np

        options, words = self._options, Words(self._sample, self._seed)
        space = self._placed(words)
        found = cluster(
            self._here(space),
            count=options.clusters,
            least=options.min_cluster,
            seed=self._seed,
            bound=options.max_distance,
        )
        labels = np.array(found.labels)
        return {
            "labels": list(found.labels),
            "bound": found.bound,
            "terms": [words.terms(labels, number) for number in range(found.count)],
            "encoder": space.identity if isinstance(space, Encoded) else None,
        }

    def take(self, value: Mapping[str, JSON]) -> None:
        """Go on with what a clustering said, perhaps of an earlier process."""
        labels, bound = cast("list[int]", value["labels"]), cast("float", value["bound"])
        self._clusters = Clusters(tuple(labels), bound)
        self._identity = value["encoder"]

    def assign(self, texts: Sequence[str]) -> JSON:
        """The cluster of each text and the distance to its neighbour; None: there is none."""
        assert self._clusters is not None
        space = self._space or self._placed(Words(self._sample, self._seed))
        if isinstance(space, Encoded) and space.identity != self._identity:
            raise InputError(
                f"the encoder in `{self._options.encoder}` is not the one that made the clusters",
                why="further documents are placed among those that it placed",
                fix="put the former encoder back, or start again in a new directory",
            )
        near = nearest(space.place(texts), self._here(space), self._clusters)
        return [
            [one.cluster, round(one.distance, 4) if math.isfinite(one.distance) else None]
            for one in near
        ]

    def _placed(self, words: Words) -> Space:
        folder = self._options.encoder
        self._space = Encoded(Path(folder)) if folder else words
        return self._space

    def _here(self, space: Space) -> Points:
        if self._points is None:
            self._points = space.place(self._sample)
        return self._points


# --- queries ---------------------------------------------------------------------------------


async def _by_queries(run: Work, options: Options, folder: Path | None) -> Found:
    known = fingerprint((document.id, document.text) for _, document in documents_of(run))
    rows = array("q", (number for number, _ in documents_of(run)))
    index = _Index(run, known, folder)
    limit = options.limit or len(rows)
    lists = []
    for topic, words in options.queries.items():
        inputs: JSON = {"documents": known, "topic": topic, "words": words, "k": limit * _SPARE}
        value = await run.effect(
            "topics.search", "1", inputs, _search(index, topic, words, limit * _SPARE), free=True
        )
        lists.append(cast("list[tuple[int, float]]", value))
    found = Found(list(options.queries), [()] * len(options.queries))
    for topic_number, document, score in share_out(lists, limit):
        _put(found, rows[document], topic_number, score)
    if rows:
        _extend(found, rows[-1])
    return found


def share_out(
    lists: Sequence[Sequence[tuple[int, float]]], limit: int
) -> Iterator[tuple[int, int, float]]:
    """Give each document to the topic where it ranks best; of equal ranks to the first topic.

    Args:
        lists: of each topic the documents and scores that it found, best first.
        limit: most documents of a topic.

    Yields:
        Topic, document and score.
    """
    taken: set[int] = set()
    counts = [0] * len(lists)
    for place in range(max(map(len, lists), default=0)):
        for topic, found in enumerate(lists):
            if place < len(found) and counts[topic] < limit and found[place][0] not in taken:
                taken.add(found[place][0])
                counts[topic] += 1
                yield topic, *found[place]


class _Index:
    """The index of a run's documents: read from its folder, or made and left there."""

    def __init__(self, run: Work, known: str, folder: Path | None) -> None:
        self._run, self._known, self._folder = run, known, folder
        self._retriever: Retriever | None = None

    def retriever(self) -> Retriever:
        """The index, made when the first query is not in the journal."""
        folder = self._folder
        if self._retriever is None and folder is not None:
            self._retriever = load(folder, self._known)
        if self._retriever is None:
            documents = ((document.id, document.text) for _, document in documents_of(self._run))
            self._retriever = build(documents)
            if folder is not None:
                self._retriever.save(folder, self._known)
        return self._retriever


def _search(
    index: _Index, topic: str, words: str, k: int
) -> Callable[[], Coroutine[None, None, JSON]]:
    """What searches, in another thread."""

    def search() -> JSON:
        found = index.retriever().search(topic, words, k)
        return [[hit.number, round(hit.score, 4)] for hit in found]

    return lambda: asyncio.to_thread(search)


def _put(found: Found, number: int, topic: int, score: float) -> None:
    _extend(found, number)
    found.topics[number], found.scores[number] = topic, score


def _extend(found: Found, number: int) -> None:
    """Rows up to `number` have a place; those that were unread have no topic."""
    more = number + 1 - len(found.topics)
    if more > 0:
        found.topics.extend([NOISE] * more)
        found.scores.extend([math.nan] * more)


def _digest(texts: Iterable[str]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for text in texts:
        digest.update(hashlib.blake2b(text.encode("utf-8", "surrogatepass")).digest())
    return digest.hexdigest()
