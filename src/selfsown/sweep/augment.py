"""Augmentations that are no rephrasing: synonyms in place of words, and words left out.

The controls of the experiment with rephrased text (arXiv:2401.16380, ablation on augmentation).

Differs from the paper: its tool and rates are in none of the sources that we have; the rate here is
0.15, and synonyms come from a short list of our own, which holds frequent words only.
"""

from __future__ import annotations

import re
from typing import Final

from selfsown.core.randomness import rng_for

RATE: Final = 0.15
"""Share of the words that are left out, or of those with a synonym, three times this."""
SYNONYMS: Final = {
    word: tuple(other for other in group.split() if other != word)
    for group in (
        "true right correct", "wrong false incorrect", "say state claim", "number count figure",
        "word term expression", "form shape version", "place spot location", "group set class",
        "kind sort type", "name title label", "uses employs applies", "lives dwells resides",
        "works labours serves", "makes creates produces", "starts begins opens",
        "ends stops closes", "more further extra", "usual common typical", "main chief principal",
        "favourite preferred dearest", "young offspring", "sound noise call", "colour hue tint",
        "opposite contrary reverse", "part piece portion", "job work trade",
        "tool device instrument", "after following behind", "before ahead",
        "greater larger bigger", "big large great", "small little tiny", "fast quick rapid",
        "show display present", "shown displayed presented", "change alter modify",
        "changed altered modified", "new fresh recent", "old former previous", "use employ apply",
        "used employed applied", "make create produce", "made created produced", "get obtain gain",
        "give provide supply", "given provided supplied", "need require want",
        "needs requires wants", "find locate discover", "found located discovered",
        "call name invoke", "called named invoked", "return yield", "returns yields",
        "value amount quantity", "file document record", "error mistake fault",
        "list series sequence", "example instance sample", "method way procedure",
        "function routine operation", "object thing item", "default standard usual",
        "possible feasible conceivable", "important significant essential", "many numerous several",
        "only merely solely", "also too likewise", "often frequently commonly",
        "usually normally generally", "first initial earliest", "last final latest",
        "allow permit let", "allows permits lets", "contain hold include",
        "contains holds includes", "specify state define", "specified stated defined",
        "simple easy plain", "whole entire complete", "same identical equal",
        "different distinct other", "must should", "user person", "begin start open",
        "help assist aid", "keep retain hold", "remove delete erase", "add append join",
        "read load", "write record", "check verify test", "set group collection",
    )
    for word in group.split()
}  # fmt: skip
"""Word → others that may stand for it; of a word in several groups, those of the last."""
_WORD: Final = re.compile(r"[^\W\d_]+")


def with_synonyms(text: str, seed: int, document_id: str, rate: float = RATE) -> str:
    """The text with some words exchanged.

    Args:
        text: any text.
        seed: of the draws.
        document_id: another document has other draws.
        rate: three times this is the probability of an exchange, where a word has synonyms.
    """
    rng = rng_for(seed, f"synonyms {document_id}")

    def exchange(found: re.Match[str]) -> str:
        word = found[0]
        others = SYNONYMS.get(word.lower())
        if others is None or rng.random() >= 3 * rate:
            return word
        other = rng.choice(others)
        return other.capitalize() if word[0].isupper() else other

    return _WORD.sub(exchange, text)


def with_deletions(text: str, seed: int, document_id: str, rate: float = RATE) -> str:
    """The text without a share of its words; line breaks stay."""
    rng = rng_for(seed, f"deletions {document_id}")
    lines = (
        " ".join(word for word in line.split() if rng.random() >= rate)
        for line in text.splitlines()
    )
    return "\n".join(lines)
