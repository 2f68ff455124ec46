"""Claim: an output leaves the cleaner as the text alone, or with the reason why it cannot."""

from __future__ import annotations

from selfsown.curate.introductions import clean_introduction


def test_an_introduction_goes_and_a_colon_in_honest_text_stays() -> None:
    assert clean_introduction("Sure! Here is a paraphrase:\n\nThe cat.").text == "The cat."
    assert clean_introduction("Rome: a city. It is old.").text == "Rome: a city. It is old."
