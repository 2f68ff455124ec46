"""Which language a text is in, guessed without a model or a download, and a filter that uses it.

The script decides for most of the world; among languages in Latin script the commonest function
words vote. That is enough to keep a data set in the languages it is meant for; it is no language
identification for single words, and a language outside the tables gives None.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection
from functools import lru_cache
from typing import Final

from selfsown.curate.steps import Check, filter_step, require
from selfsown.curate.tokens import tokenize_unicode
from selfsown.curate.verdict import Verdict, drop, keep

_FUNCTION_WORDS: Final = {
    "en": "the of and to in is that for it with as are this be was on what how which from by"
    " a an or you your my me not has have each their there they",
    "de": "der die das und ist nicht ein eine zu den mit von für auf sich dem des im wie was als",
    "fr": "le la les des et est une que dans pour pas sur au avec ce qui du sont vous en comment",
    "es": "el la los las de que en un una es por con para se del al como su cuál qué más lo",
    "it": "il la di che un una per non con del della sono le gli nel alla come più lo dei ogni",
    "pt": "os as de que um uma em para com não do da por se dos mais como ao na no você pela",
    "nl": "de het een en van is dat niet op te voor met zijn aan er ook naar wat hoe als bij",
    "pl": "na do się nie to jest że jak co po dla przez od są oraz",
    "sv": "och att det som en ett är på för med av till den inte har om hur vad ska",
    "tr": "ve bir bu için ile da de ne mi çok daha olan gibi",
}
_LANGUAGES: Final = {
    word: tuple(code for code, words in _FUNCTION_WORDS.items() if word in words.split())
    for word in " ".join(_FUNCTION_WORDS.values()).split()
}
"""Function word → the languages that have it."""
_LANGUAGE_OF_SCRIPT: Final = {
    "CYRILLIC": "ru", "GREEK": "el", "HEBREW": "he", "ARABIC": "ar", "DEVANAGARI": "hi",
    "BENGALI": "bn", "TAMIL": "ta", "TELUGU": "te", "THAI": "th", "HANGUL": "ko",
    "HIRAGANA": "ja", "KATAKANA": "ja", "CJK": "zh", "GEORGIAN": "ka", "ARMENIAN": "hy",
}  # fmt: skip
"""The most spoken language of each script; its other languages are not told apart."""

_KNOWN = frozenset(_FUNCTION_WORDS) | frozenset(_LANGUAGE_OF_SCRIPT.values())
_QUOTED = re.compile(r"\"[^\"]*\"|\u201c[^\u201d]*\u201d|\u00ab[^\u00bb]*\u00bb|`[^`]*`")


@filter_step("language")
def language(*, allowed: Collection[str]) -> Check:
    """Drop a text in a known language outside `allowed` (codes such as "en"). In no preset.

    A text whose language cannot be told is kept, and so are quoted foreign words.
    """
    unknown = sorted(set(allowed) - _KNOWN)
    require(bool(allowed) and not unknown, f"languages {unknown or '(none)'}", "not in the tables")

    def check(text: str) -> Verdict:
        guess = guess_language(text)
        return keep() if guess is None or guess in allowed else drop("other_language")

    return check


def guess_language(text: str) -> str | None:
    """The likely language of `text` as an ISO 639-1 code, or None where nothing decides.

    Text in quotation marks does not count. In Latin script at least two function words of one
    language must occur, and more than of any other. Kana among Han characters mean Japanese.
    """
    plain = _QUOTED.sub(" ", text)
    scripts = Counter(script for char in plain if char.isalpha() and (script := _script(char)))
    if not scripts:
        return None
    if scripts["HIRAGANA"] + scripts["KATAKANA"] and scripts["CJK"]:
        scripts["HIRAGANA"] += scripts.pop("CJK")
    main = scripts.most_common(1)[0][0]
    return _latin_language(plain) if main == "LATIN" else _LANGUAGE_OF_SCRIPT.get(main)


def _latin_language(text: str) -> str | None:
    votes = Counter(code for word in tokenize_unicode(text) for code in _LANGUAGES.get(word, ()))
    (best, most), (_, second) = [*votes.most_common(2), ("", 0), ("", 0)][:2]
    return best if most >= 2 and most > second else None


@lru_cache(maxsize=4096)
def _script(char: str) -> str:
    """The script of a letter, as the first word of its Unicode name."""
    return unicodedata.name(char, "").partition(" ")[0]
