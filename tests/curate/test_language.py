"""Claim: the language of whole sentences is guessed right for the tables' languages, else None."""

from __future__ import annotations

import pytest

from selfsown.core.errors import ConfigError
from selfsown.curate.language import guess_language, language


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Write a poem about the sea.", "en"),
        ("Schreibe ein Gedicht über das Meer und die Wellen.", "de"),
        ("Écrivez un poème sur la mer et les vagues.", "fr"),
        ("Escribe un poema sobre el mar y las olas.", "es"),
        ("Scrivi una poesia sul mare e le onde della notte.", "it"),
        ("Escreva um poema sobre o mar para uma criança.", "pt"),
        ("Schrijf een gedicht over de zee en het strand.", "nl"),
        ("Napisz wiersz o morzu, jak się mieni od słońca.", "pl"),
        ("Skriv en dikt om havet och ett skepp som seglar.", "sv"),
        ("Deniz için bir şiir ve bu konuda daha fazla bilgi yaz.", "tr"),
        ("Напиши стихотворение про море.", "ru"),
        ("写一首关于大海的诗。", "zh"),
        ("海についての詩を書いてください。", "ja"),
        ("바다에 대한 시를 써 주세요.", "ko"),
        ("เขียนบทกวีเกี่ยวกับทะเล", "th"),
        ("اكتب قصيدة عن البحر", "ar"),
        ("कविता लिखें", "hi"),
        ("Paris", None),
        ("12 + 30 = ?", None),
        ("", None),
    ],
)
def test_languages_of_sentences(text: str, code: str | None) -> None:
    assert guess_language(text) == code


def test_quoted_text_does_not_count() -> None:
    assert (
        guess_language('Translate "Das ist nicht das Buch der Frau" for me to the best of') == "en"
    )


def test_filter_keeps_allowed_and_undecided_texts() -> None:
    check = language(allowed=["en", "de"])
    assert check("Write a poem about the sea.").ok
    assert check("Paris, 1920").ok
    assert check("Напиши стихотворение про море.").reason == "other_language"


def test_unknown_or_no_languages_are_refused() -> None:
    with pytest.raises(ConfigError, match="xx"):
        language(allowed=["en", "xx"])
    with pytest.raises(ConfigError, match="none"):
        language(allowed=[])
