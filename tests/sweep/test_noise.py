"""Claim: noise and augmentations are what their rates say, and the same for the same document."""

from __future__ import annotations

from itertools import islice

from selfsown.lab.notes import notes
from selfsown.sweep.augment import SYNONYMS, with_deletions, with_synonyms
from selfsown.sweep.corrupt import BOILERPLATE, Noise, corrupted

TEXTS = [(note.id, note.text()) for note in islice(notes(1), 200)]
NONE = Noise(typos=0, markup=0, boilerplate=0, torn=0, moved=0)


def test_without_rates_only_lines_are_joined() -> None:
    for name, text in TEXTS[:20]:
        assert corrupted(text, 0, name, NONE).split() == text.split()


def test_each_kind_of_noise_comes_at_its_rate() -> None:
    words = sum(len(text.split()) for _, text in TEXTS)
    sentences = sum(text.count(".") for _, text in TEXTS)

    def made(**rates: float) -> list[str]:
        noise = Noise(**{**dict.fromkeys(("typos", "markup", "boilerplate", "torn", "moved"), 0.0),
                         **rates})  # fmt: skip
        return [corrupted(text, 0, name, noise) for name, text in TEXTS]

    changed = sum(
        a != b
        for (_, text), noisy in zip(TEXTS, made(typos=0.06), strict=True)
        for a, b in zip(text.split(), noisy.split(), strict=True)
    )
    assert 0.045 < changed / words < 0.06  # neighbours that are equal exchange without a trace
    foreign = sum(noisy.count("\n") for noisy in made(boilerplate=0.2)) / 2
    assert abs(foreign / sentences - 0.2) < 0.03
    assert any(BOILERPLATE[0] in noisy for noisy in made(boilerplate=0.2))
    marked = sum(noisy.count("<") > 0 for noisy in made(markup=0.04))
    assert marked > len(TEXTS) / 3
    assert [sorted(noisy.split()) for noisy in made(moved=0.5, torn=0.5)] == [
        sorted(text.split()) for _, text in TEXTS
    ]


def test_noise_depends_on_seed_and_document() -> None:
    name, text = TEXTS[0]
    assert corrupted(text, 0, name) == corrupted(text, 0, name)
    assert len({corrupted(text, seed, other) for seed in (0, 1) for other in ("a", "b")}) == 4


def test_synonyms_exchange_words_of_the_list_and_nothing_else() -> None:
    exchanged = total = 0
    for name, text in TEXTS:
        pairs = list(zip(text.split(), with_synonyms(text, 0, name).split(), strict=True))
        total += len(pairs)
        for before, after in pairs:
            if before != after:
                exchanged += 1
                assert after.strip(".").lower() in SYNONYMS[before.strip(".").lower()]
    assert 0.05 < exchanged / total < 0.25


def test_deletions_take_their_share_of_the_words_and_keep_the_order() -> None:
    words = sum(len(text.split()) for _, text in TEXTS)
    kept = 0
    for name, text in TEXTS:
        left = iter(text.split())
        shorter = with_deletions(text, 0, name).split()
        kept += len(shorter)
        assert all(word in left for word in shorter)
    assert abs(1 - kept / words - 0.15) < 0.01
