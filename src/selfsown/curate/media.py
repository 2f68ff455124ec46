"""Instructions that text alone cannot carry out: they need or ask for pictures, sound, files, web.

Replaces the word list of the released code, which drops "file a complaint", "map each word" and
"draw a conclusion" and lets photo, video, audio, chart and link pass. Here a word counts only in a
context: with a determiner ("the photo"), after a verb of looking or making ("plot a chart"), at the
start of a clause ("draw a cat"). It is a list of patterns, so it errs on both sides; it never sees
meaning. The misses and false alarms we know are in the tests.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from selfsown.curate.steps import Check, filter_step
from selfsown.curate.verdict import Verdict, drop, keep

_SEEN = (
    r"(?:images?|pictures?|photos?|photographs?|screenshots?|selfies?|gifs?|videos?|video clips?"
    r"|animations?|audio(?: \w+)?|recordings?|podcasts?|voice (?:messages?|notes?))"
)
_CHART = r"(?:(?:bar |line |pie |flow )?charts?|graphs?|diagrams?|maps?|infographics?|histograms?)"
_FILE = r"(?:files?|attachments?|spreadsheets?|pdfs?|folders?)"
_SITE = r"(?:websites?|web sites?|web ?pages?|site|links?|urls?)"
_SHOWN = r"(?:this|these|that|those|following|given|attached|provided|above|accompanying)"
_THE = rf"(?:the|each|{_SHOWN})"
_ANY = rf"(?:{_THE}|an?|some|any|your|two|three|several)"
_ADJECTIVES = r"(?:(?!most\b|best\b|top\b|described\b|big\b)[\w'-]+ )"
_FEW = r"(?:[\w'-]+ ){0,3}?"
_START = r"(?:^|[.!?;:]\s+|\b(?:please|and|then) )"
_CLAUSE = r"(?:^|[.!?;:,]\s+|\b(?:please|to|and|then|or|you|must|should|can) )"
_LOOK = (
    r"(?:look at|study|examine|interpret|analy[sz]e|describe|summari[sz]e|caption|transcribe|label"
    r"|identify|classify|explain|name|rate|see|view|read|refer to|based on|according to"
    r"|in|on|from|with|about|use|using)"
)
_NOT_MEDIUM = (
    r"(?!'s)(?! (?:games?|cards?|calls?|captions?|descriptions?|titles?|scripts?|books?|frames?"
    r"|editors?|formats?|processing|compression|recognition|classification|ideas?|marketing|essay"
    r"|store|conferenc\w+|theor\w+|names?|extensions?|paths?|systems?)\b)"
)
_ABSTRACT = (
    r"(?:conclusions?|inferences?|comparisons?|parallels?|distinctions?|analog(?:y|ies)|attention"
    r"|lessons?|insights?|inspiration|connections?|contrasts?|line between|cards?|balls?|marbles?"
    r"|lots|straws?|samples?|blank|breath|tickets?|names?)"
)
_IN_TEXT = re.compile(
    r"\b(?:(?:write|implement|create|give|fix|explain|complete|debug|this|following|given)"
    r" (?:[\w'-]+ ){0,3}?(?:code|function|script|program|command|query|method|class|algorithm)"
    r"|(?:the|this|following|given) (?:\w+ )?(?:descriptions?|transcripts?|captions?)"
    r"|python|javascript|java|sql|bash|shell|regex|matplotlib|html|css|latex|svg|ascii|markdown"
    r"|mermaid|lyrics|adjacency|vertices|nodes|edges|key[- ]value|dictionary|with words)\b",
    re.IGNORECASE,
)


class _Sign(NamedTuple):
    """A pattern that shows a need; `is_excusable` by words for text forms (code, lyrics, ...)."""

    reason: str
    pattern: re.Pattern[str]
    is_excusable: bool


def _sign(reason: str, pattern: str, is_excusable: bool = True) -> _Sign:
    return _Sign(reason, re.compile(pattern, re.IGNORECASE), is_excusable)


_SIGNS = (
    _sign("needs_media", rf"\b{_SHOWN} {_ADJECTIVES}{{0,2}}?{_SEEN}\b{_NOT_MEDIUM}"),
    _sign(
        "needs_media",
        rf"\b{_LOOK} {_THE} {_ADJECTIVES}{{0,2}}?(?:{_SEEN}|{_CHART})\b{_NOT_MEDIUM}",
    ),
    _sign("needs_media", rf"\b{_CHART} (?:below|above|shown|attached|provided)\b"),
    _sign("needs_media", rf"{_START}(?:watch|listen to) {_ANY}\b", False),
    _sign(
        "needs_media",
        rf"\b(?:find|search for|look for|look at|view|show|google|download) (?:me )?{_ANY}"
        rf" {_ADJECTIVES}{{0,3}}?{_SEEN}\b{_NOT_MEDIUM}",
    ),
    _sign(
        "asks_for_drawing",
        rf"{_CLAUSE}draw(?! (?:on|upon|from|up|out|near|in)\b)(?! {_FEW}{_ABSTRACT}\b) \w",
    ),
    _sign(
        "asks_for_drawing",
        rf"{_CLAUSE}(?:create|make|draw|design|generate|produce|build|prepare|construct|sketch"
        rf"|paint|plot|illustrate|edit) (?:me )?{_ANY} {_FEW}(?:{_SEEN}|{_CHART}|logos?|drawings?"
        rf"|paintings?|portraits?|memes?|collages?|slide ?shows?)\b{_NOT_MEDIUM}",
    ),
    _sign(
        "asks_for_drawing",
        rf"{_CLAUSE}(?:plot|graph) (?:{_ANY} )?{_FEW}(?:functions?|lines?|curves?|points?|data"
        r"|equations?|values|numbers|results|coordinates)\b",
    ),
    _sign(
        "asks_for_action",
        rf"{_CLAUSE}(?:take|shoot|record|film|upload|post|attach|send|share) (?:me )?{_ANY} {_FEW}"
        rf"(?:{_SEEN}|{_FILE})\b{_NOT_MEDIUM}",
    ),
    _sign(
        "needs_file",
        rf"\b(?:open|read|load|save|edit|rename|delete|print|view|download) {_ANY} {_FEW}{_FILE}"
        rf"\b{_NOT_MEDIUM}",
    ),
    _sign(
        "needs_file",
        rf"\b(?:(?:attached|uploaded|enclosed) (?:\w+ )?(?:{_FILE}|documents?)"
        rf"|(?:in|from|of) {_THE} (?:\w+ )?{_FILE})\b{_NOT_MEDIUM}",
    ),
    _sign(
        "needs_web",
        r"\b(?:go to|visit|open|browse|click(?: on)?|follow|navigate to|check out|use|access|watch"
        rf"|read|summari[sz]e|see|look at|download) (?:{_FEW}(?:https?:|www\.)"
        rf"|{_THE} (?:\w+ )?{_SITE}\b)",
        False,
    ),
    _sign(
        "needs_web",
        r"\b(?:from|on|at) (?:this|that|the following|the given) (?:\w+ )?"
        r"(?:websites?|web ?pages?|site|links?)\b",
    ),
    _sign(
        "needs_web",
        r"\b(?:search(?:ing)? (?:the (?:web|internet)|online|google)|(?:using|use|with) (?:google"
        r"|the (?:internet|web)|an? (?:online )?search engine)"
        r"|(?:research|look up|search|find)\b[^.?!]{0,40} (?:on the (?:internet|web)|online))\b",
    ),
    _sign("asks_for_action", r"(?:^|[.!?]\s+)(?:please )?go to (?!sleep\b)", False),
)


@filter_step("needs_other_medium")
def needs_other_medium() -> Check:
    """Drop a task that depends on, or asks for, a picture, sound, file, web page or physical act.

    Reasons: `needs_media`, `asks_for_drawing`, `asks_for_action`, `needs_file`, `needs_web`. Tasks
    about code, markup, transcripts and the like are excused, for text can carry them out.
    """

    def check(text: str) -> Verdict:
        flat = " ".join(text.split())
        is_excused = _IN_TEXT.search(flat) is not None
        for sign in _SIGNS:
            if not (is_excused and sign.is_excusable) and sign.pattern.search(flat):
                return drop(sign.reason)
        return keep()

    return check
