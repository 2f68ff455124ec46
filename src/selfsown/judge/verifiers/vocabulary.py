"""Words and phrases that random checks ask for: ordinary English, without a topic of their own."""

from __future__ import annotations

from typing import Final

WORDS: Final = tuple(
    """answer balance basket bridge candle careful circle coffee corner courage detail distance
    early effort evening example family forest friend future garden gentle harbour health history
    honest kitchen ladder language lesson letter market measure memory minute mirror moment morning
    mountain narrow office paper patience pattern pencil picture plan playful practice promise
    purpose quality quiet reason record repair river second shadow shelter silver simple slowly song
    station steady street summer surface table teacher thread together travel useful valley
    village wander weather window winter wonder""".split()  # noqa: SIM905
)
"""Words that fit into an answer to almost anything."""

FIRST_WORDS: Final = (
    *("although", "consider", "every", "first", "however", "many", "now", "our", "perhaps"),
    *("several", "since", "some", "sometimes", "there", "these", "usually", "when", "with"),
)
"""Words that a paragraph can begin with."""

END_PHRASES: Final = (
    "That is all there is to say.",
    "Now it is your turn.",
    "I hope this clears things up.",
    "Let me know how it goes.",
    "And so the matter rests.",
    "Is there anything you would add?",
)
"""Phrases to end with."""

LETTERS: Final = "abcdefghiklmnoprstuvwy"
"""Letters that are neither rare nor hard to count in English."""

LANGUAGE_NAMES: Final = {
    "en": "English", "de": "German", "fr": "French", "es": "Spanish", "it": "Italian",
    "pt": "Portuguese", "nl": "Dutch", "pl": "Polish", "sv": "Swedish", "tr": "Turkish",
    "ru": "Russian", "el": "Greek", "he": "Hebrew", "ar": "Arabic", "hi": "Hindi",
    "bn": "Bengali", "ta": "Tamil", "te": "Telugu", "th": "Thai", "ko": "Korean",
    "ja": "Japanese", "zh": "Chinese", "ka": "Georgian", "hy": "Armenian",
}  # fmt: skip
"""The languages that `selfsown.curate.language` can tell, by ISO 639-1 code."""
