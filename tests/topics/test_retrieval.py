"""Claim: retrieval ranks as BM25 does, in an order that depends on nothing else, from disk too."""

from __future__ import annotations

import math
import random
import tracemalloc
from collections import Counter
from pathlib import Path

import pytest
from tests.topics.worlds import NAMES, text_of, vocabulary

from selfsown.core.errors import InputError

pytest.importorskip("bm25s", reason="retrieval needs the extra `topics`")

from selfsown.topics.retrieval import BOOST, Retriever, build, fingerprint, load, tokens


def corpus(count: int, seed: int = 1) -> list[tuple[str, str]]:
    rng = random.Random(seed)
    return [(f"d{n:05}", text_of(NAMES[n % len(NAMES)], rng, 40)) for n in range(count)]


def by_hand(documents: list[tuple[str, str]], query: list[str]) -> dict[int, float]:
    """BM25 as Lucene has it, with plain loops."""
    texts = [Counter(tokens(text)) for _, text in documents]
    average = sum(text.total() for text in texts) / len(texts)
    scores: dict[int, float] = {}
    for word in query:
        having = sum(word in text for text in texts)
        idf = math.log(1 + (len(texts) - having + 0.5) / (having + 0.5))
        for number, text in enumerate(texts):
            if word in text:
                tf = text[word]
                norm = tf + 1.5 * (1 - 0.75 + 0.75 * text.total() / average)
                scores[number] = scores.get(number, 0.0) + idf * tf / norm
    return scores


def test_scores_are_those_of_bm25_with_the_topics_words_boosted() -> None:
    documents = corpus(200)
    topic, context = " ".join(vocabulary("birds")[:2]), vocabulary("music")[0]
    found = build(documents).search(topic, context, k=500)
    expected = by_hand(documents, tokens(topic) * BOOST + tokens(context))
    assert {hit.number for hit in found} == set(expected)
    for hit in found:
        assert hit.score == pytest.approx(expected[hit.number], rel=1e-5)
    assert [hit.score for hit in found] == sorted((hit.score for hit in found), reverse=True)


def test_equal_scores_are_ranked_by_document_id_at_every_cut() -> None:
    documents = [(f"d{n}", "a river runs") for n in (5, 3, 9, 1, 7)] + [("d0", "no water here")]
    retriever = build(documents)
    whole = [documents[hit.number][0] for hit in retriever.search("rivers")]
    assert whole == ["d1", "d3", "d5", "d7", "d9"]
    for k in range(7):
        assert [documents[hit.number][0] for hit in retriever.search("river", k=k)] == whole[:k]


def test_an_index_on_disk_finds_the_same_and_is_known_by_its_documents(tmp_path: Path) -> None:
    documents = corpus(120)
    known, made = fingerprint(documents), build(documents)
    made.save(tmp_path / "index", known)
    loaded = load(tmp_path / "index", known)
    assert isinstance(loaded, Retriever) and len(loaded) == 120
    query = " ".join(vocabulary("bread")[:3])
    assert loaded.search(query, k=20) == made.search(query, k=20)
    assert load(tmp_path / "index", fingerprint(documents[:-1])) is None
    assert fingerprint(documents) != fingerprint(documents[::-1])
    assert load(tmp_path / "absent", known) is None


def test_an_index_that_is_cut_off_is_made_anew(tmp_path: Path) -> None:
    documents = corpus(50)
    known = fingerprint(documents)
    build(documents).save(tmp_path, known)
    (tmp_path / "ids.json").write_text('["d0"', encoding="utf-8")
    assert load(tmp_path, known) is None
    (tmp_path / "selfsown.json").unlink()
    assert load(tmp_path, known) is None


def test_queries_without_a_known_word_find_nothing() -> None:
    retriever = build(corpus(20))
    for query in ("", "...", "unheardof", "\N{SNOWMAN}"):
        assert retriever.search(query) == []


def test_documents_without_words_are_refused_only_if_all_are() -> None:
    with pytest.raises(InputError, match="no document has a word"):
        build([("a", "..."), ("b", "")])
    assert [hit.number for hit in build([("a", "..."), ("b", "word")]).search("word")] == [1]


def test_memory_per_posting_is_as_stated() -> None:
    documents = corpus(3_000)
    postings = sum(len(set(tokens(text))) for _, text in documents)
    words = sum(len(tokens(text)) for _, text in documents)
    tracemalloc.start()
    build(documents)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    ids = 3_000 * 100
    print(f"peak {peak / 1e6:.1f} MB for {words:,} words in {postings:,} postings")
    assert peak < 4 * words + 45 * postings + ids + 400_000
