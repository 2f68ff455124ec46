"""How an instruction opens: its first words, and its root verb with the noun it acts on.

Self-Instruct (arXiv:2212.10560, figure 2 and section 2.3) plots the 20 most common root verbs and
their top four direct nouns.

Differs from the paper: there a constituency parser (benepar) finds the root; here a list of
imperative verbs and a few rules on word order do, without any dependency. It is a heuristic for
English: it reads the first imperative clause, skips lead-ins ("Given a list of numbers, ..."), and
takes the head of the noun phrase after the verb. Questions and other languages give (None, None).
`tests/curate/test_openings.py` states its coverage of the published 1,000 instructions.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from selfsown.core.errors import ConfigError
from selfsown.curate.tokens import tokenize_unicode


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Verbs that open tasks, in our own selection; words that are as often nouns count only where a
# clause begins.
IMPERATIVES: Final = _words("""
    abbreviate add adjust advise agree alphabetize alter amend analyse analyze annotate announce
    answer append apply argue arrange ask assemble assess assign assume attach balance bold
    brainstorm break build calculate capitalize caption categorize chain change characterize
    check choose circle cite clarify classify clean close collect combine come comment compare
    compile complete compose compute concatenate conclude condense conduct confirm congratulate
    conjugate connect consider construct contact continue contrast convert convince copy correct
    count cover craft create criticize critique cut debate debug debunk decide decode decompose
    decrypt deduce define delete demonstrate depict derive describe design detect determine
    develop devise diagnose differentiate discard discover discuss display dissect distinguish
    divide do draft draw drop echo edit elaborate eliminate empathize encode encourage encrypt
    enumerate erase establish estimate evaluate examine exchange exclude execute expand explain
    explore expose express extend extract factor fetch figure fill filter find finish fix flag
    flatten flip focus fold forecast form format formulate forward frame gather gauge generate
    get give go group guess guide help highlight hypothesize identify illustrate imagine
    implement import improve include indicate infer insert inspect integrate interpret intersect
    introduce invent invert investigate invite isolate itemize join judge justify keep label lay
    learn leave lengthen let link list locate look lower lowercase make map mark match measure
    memorize mention merge minimize mix mock modify move multiply name narrate negotiate
    normalize note notify number offer omit open order organise organize outline output paint
    pair paraphrase parse paste perfect perform persuade phrase pick pitch place plan play plot
    pluralize point predict prefix prepare prepend present print prioritize process produce
    promote prompt pronounce proofread propose prove provide pull punctuate push put quiz quote
    rank rate react read rearrange reason recall recap recite recommend reconstruct recount
    recreate reduce refer refine reflect reformat reformulate refute reject relate remove rename
    reorder repair repeat rephrase replace reply report represent request research resolve
    respond restate restructure return reveal reverse review revise rewrite rhyme role roleplay
    round rule run sample save say scale scan schedule score search select send separate
    sequence set share shift shorten show shuffle simplify simulate sing sketch skim soften
    solve sort sound specify spell split spot stack start state stress strip structure style
    substantiate substitute subtract suggest sum summarise summarize supply support suppose
    survey swap switch tabulate tag take talk tally teach tease tell test thank think tidy
    tighten title total trace transcribe transform translate transliterate transpose treat trim
    try tune turn type uncover underline understand undo unscramble update uppercase use
    validate vary verify visit visualize vote walk warn weigh welcome wish work wrap write zip
    """)
_PARTICLES = _words("up out down off over back away")
_DETERMINERS = _words("""
    a an the this that these those my your his her its our their each every all any some both
    either no one two three four five six seven eight nine ten several many few more most another
    other following given above below next last first
    """)
_PRONOUNS = _words("me us them him her it you yourself i we they he she")
_STOPS = _words("""
    of in on at to from for with without by about as into onto through between among over under
    after before during within against per via like than and or but nor so yet if when where while
    whether because since until unless that which who whom whose what how why is are was were be
    been being has have had do does did can could should would will may might must not using
    based according containing including following given called named such only except plus versus
    then else otherwise please
    """)
_NO_NOUNS = _STOPS | _DETERMINERS | _PRONOUNS | _PARTICLES
_LEAD_INS = _words("""
    given based using if in for from as with after before when while considering assuming
    suppose imagine let consider according by on to at during provided you your i
    twice once between inside without because since although
    """)
_QUESTIONS = (["do", "you"], ["do", "they"], ["do", "we"], ["do", "i"], ["do", "the"])
_ADDRESSES = (["can", "you"], ["could", "you"], ["would", "you"], ["will", "you"], ["let", "us"])
_FILLERS = _words(
    "please kindly now then next first finally also just simply carefully briefly and or"
)
_ING_NOUNS = _words("""
    string thing morning evening wedding meeting building painting drawing meaning spelling
    greeting heading ring king song spring feeling saying beginning ending setting reading writing
    booking training pricing rating ranking headline clothing recording listing warning ceiling
    something anything everything nothing finding being understanding marketing timing
    """)
_PARTICIPLES = _words("made written shown found given spoken taken seen drawn built sold bought")
_ED_NOUNS = _words("seed need speed breed weed feed deed bed shed sled word")
_UNCHANGED = _words("""
    series species news analysis synthesis basis thesis hypothesis emphasis bus bonus status
    virus focus syllabus corpus census gas lens mathematics physics politics economics ethics
    chess process address class glass access success progress business
    canvas atlas bias always this his its less
    """)
_IRREGULAR = {
    "people": "person", "men": "man", "women": "woman", "children": "child", "mice": "mouse",
    "feet": "foot", "teeth": "tooth", "geese": "goose", "lives": "life", "wives": "wife",
    "knives": "knife", "leaves": "leaf", "halves": "half", "selves": "self", "wolves": "wolf",
    "criteria": "criterion", "phenomena": "phenomenon", "analyses": "analysis",
    "hypotheses": "hypothesis", "theses": "thesis", "vertices": "vertex", "indices": "index",
    "matrices": "matrix", "movies": "movie", "cookies": "cookie", "series": "series",
    "quizzes": "quiz", "shoes": "shoe", "toes": "toe", "buses": "bus",
}  # fmt: skip
_CLAUSE_END = re.compile(r"[.!?;:](?=\s|$)|\n|\s[-\u2013\u2014]\s")
_PIECE = re.compile(r",|[^\W\d_][\w'\u2019-]*|\d[\w.,]*", re.UNICODE)
_QUOTED = re.compile(r"\"[^\"]*\"|\u201c[^\u201d]*\u201d|\([^)]*\)|`[^`]*`")


def opening(text: str, n: int = 2) -> str:
    """The first `n` tokens of `text`, case folded and joined by spaces; fewer if it is shorter."""
    if n < 1:
        raise ConfigError(
            f"an opening of {n} words",
            why="openings are counted by their first words",
            fix="use at least 1",
        )
    return " ".join(tokenize_unicode(text)[:n])


def root_verb_noun(instruction: str) -> tuple[str | None, str | None]:
    """The imperative verb of `instruction` and the singular head of its direct object.

    Both lower case. The noun is None where the verb has no noun object ("Explain how tides work");
    both are None where no imperative is found, as in a question. A heuristic: see the module.
    """
    for clause in _CLAUSE_END.split(_QUOTED.sub(" ", instruction)):
        words = [piece.lower() for piece in _PIECE.findall(clause)]
        start = _imperative_at(words)
        if start is not None:
            if (
                words[start] == "help"
                and words[start + 2 : start + 3]
                and (words[start + 2] in IMPERATIVES)
            ):
                start += 2  # "help me find ..."
            return words[start], _object_noun(words[start + 1 :])
    return None, None


def _imperative_at(words: Sequence[str]) -> int | None:
    """Where the clause's imperative stands: at its start, or after a lead-in or modal question."""
    start = _after_fillers(words, 0)
    head = list(words[start : start + 3])
    if head[:2] in _ADDRESSES:  # "Can you ...", "Let us ..."
        start = _after_fillers(words, start + 2)
    elif head[:1] == ["your"] and "to" in words[:6]:  # "Your task is to find ..."
        start = words.index("to") + 1
    elif head in (["you", "need", "to"], ["you", "have", "to"], ["i", "want", "you"]):
        start += 3 + (words[start + 3 : start + 4] == ["to"])
    elif head[:2] in _QUESTIONS:
        return None
    elif head and _leads_in(head[0]):
        for comma in range(start + 1, len(words)):
            rest = _imperative_at(words[comma + 1 :]) if words[comma] == "," else None
            if rest is not None:
                return comma + 1 + rest
    return start if start < len(words) and words[start] in IMPERATIVES else None


def _leads_in(word: str) -> bool:
    """Whether a clause that starts with `word` may put its imperative after a comma."""
    is_participle = word.endswith(("ing", "ed")) and word not in IMPERATIVES
    return is_participle or word in _LEAD_INS


def _after_fillers(words: Sequence[str], start: int) -> int:
    while start < len(words) and words[start] in _FILLERS:
        start += 1
    return start


def _object_noun(words: Sequence[str]) -> str | None:
    """The singular of the last word of the noun phrase that `words` start with."""
    position = 0
    if words[:1] == ["and"] and IMPERATIVES.intersection(words[1:2]):  # "find and print ..."
        return _object_noun(words[2:])
    if words[:1] and words[0] in _PARTICLES:
        position = 1
        if words[1:2] == ["with"]:  # "come up with", "make up with"
            position = 2
    while position < len(words) and words[position] in _PRONOUNS:
        position += 1
    head: str | None = None
    for index in range(position, len(words)):
        word = words[index]
        if head is None and (word in _DETERMINERS or (word == "of" and index > position)):
            continue  # "all of the verbs"
        if word == "," or word in _NO_NOUNS:
            if word == "," and head is not None and _is_adjective_list(words, index):
                continue
            break
        if head is not None and _is_participle(word):
            break
        if not word[0].isdigit() and not (word.endswith("ly") and len(word) > 4):
            head = word
    return None if head is None else singular(head)


def _is_adjective_list(words: Sequence[str], comma: int) -> bool:
    """Whether a comma joins adjectives ("a short, funny story") rather than ending the phrase."""
    after = words[comma + 1 : comma + 3]
    return len(after) == 2 and not any(
        word in _NO_NOUNS or word in IMPERATIVES or word == "," for word in after
    )


def _is_participle(word: str) -> bool:
    if word.endswith("ing") and len(word) > 4:
        return word not in _ING_NOUNS and not word.endswith("string")
    return word in _PARTICIPLES or (word.endswith("ed") and len(word) > 3 and word not in _ED_NOUNS)


def singular(noun: str) -> str:
    """A light lemma of an English noun: plural endings and common irregular plurals undone."""
    noun = re.sub(r"['\u2019]s?$", "", noun)
    if noun in _IRREGULAR:
        return _IRREGULAR[noun]
    if len(noun) < 4 or noun in _UNCHANGED or noun.endswith(("ss", "us", "is")):
        return noun
    if noun.endswith("ies"):
        return noun[:-3] + "y"
    if noun.endswith(("ches", "shes", "sses", "xes", "zzes", "oes")):
        return noun[:-2]
    return noun[:-1] if noun.endswith("s") else noun
