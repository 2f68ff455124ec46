"""What a model wrote cannot hide, move the cursor, reverse the text or flood the page."""

from __future__ import annotations

import sys
import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment
from markupsafe import Markup

from selfsown.report.shown import harmless, shown, shown_line

ANY_TEXT = st.text(alphabet=st.characters(codec=None), max_size=300)
HOSTILE = st.text(
    alphabet=st.sampled_from(
        "a \n\t\0\x1b\x07\x7f\x9b\u202e\u2066\u200b\u2028\ufeff\ud800\U000e0041"
    ),
    max_size=60,
)


FILLERS = frozenset("\u115f\u1160\u3164\uffa0")
"""Letters by category, invisible by shape."""
VISIBLE = "\u200c\u200d" + "".join(
    map(chr, (*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD))
)
"""Joiners that scripts and emoji need, and format characters that have a shape of their own."""


def _is_safe(char: str) -> bool:
    if char in "\n\t" or char in VISIBLE or "\U00013430" <= char <= "\U0001343f":
        return True
    return unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp")


def test_every_control_or_invisible_character_of_unicode_is_replaced() -> None:
    for start in range(0, sys.maxunicode + 1, 4096):
        block = "".join(map(chr, range(start, start + 4096)))
        assert all(map(_is_safe, shown(block, 4096)))


@given(ANY_TEXT | HOSTILE)
def test_no_control_or_invisible_character_survives(text: str) -> None:
    assert all(map(_is_safe, shown(text)))
    assert all(map(_is_safe, shown_line(text)))


@given(ANY_TEXT | HOSTILE)
def test_what_is_shown_can_be_encoded(text: str) -> None:
    shown(text).encode()


@given(ANY_TEXT | HOSTILE)
def test_whatever_a_template_shows_is_harmless_and_markup_stays_markup(text: str) -> None:
    environment = Environment(autoescape=True, finalize=harmless)
    page = environment.from_string("{{ text }}{{ picture }}").render(
        text=text, picture=Markup("<svg/>")
    )
    assert page.endswith("<svg/>")
    assert all(map(_is_safe, page))


@given(ANY_TEXT | HOSTILE)
def test_a_line_has_no_line_breaks(text: str) -> None:
    assert len(shown_line(text).splitlines()) <= 1


@given(st.text(alphabet=st.characters(categories=["L", "N", "P"]), max_size=200))
def test_plain_text_is_shown_as_it_is(text: str) -> None:
    assert shown(text) == text or not FILLERS.isdisjoint(text)


def test_a_megabyte_is_cut_and_the_rest_is_counted() -> None:
    text = shown("x" * 1_000_000, 600)
    assert text.startswith("x" * 600)
    assert text.endswith("… (+999,400 characters)")
    assert len(shown_line("word " * 200_000)) < 700


def test_escape_sequences_and_reversals_become_visible() -> None:
    assert shown("\x1b[31mred\0") == "␛[31mred␀"
    assert shown("abc\u202edef") == "abc⟨U+202E⟩def"
    assert shown("a\r\nb\rc") == "a\nb␍c"
