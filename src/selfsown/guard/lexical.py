"""How rich the wording is: compression ratio, MTLD, moving-window type-token ratio, self-BLEU."""

from __future__ import annotations

import math
import zlib
from collections import Counter
from collections.abc import Sequence
from typing import Final

from selfsown.guard.ngrams import Ngram, ngrams_of

MTLD_THRESHOLD: Final = 0.72  # McCarthy and Jarvis 2010
WINDOW: Final = 50  # Covington and McFall 2010 look at windows of 50 to 500 tokens


def compression_ratio(texts: Sequence[str]) -> float:
    """Raw bytes / zlib-9 bytes of the texts, one per line; higher is more repetitive.

    0.0 if there is no text.
    """
    raw = "\n".join(texts).encode("utf-8", "surrogatepass")
    return len(raw) / len(zlib.compress(raw, 9)) if raw else 0.0


def moving_ttr(tokens: Sequence[str], window: int = WINDOW) -> float:
    """Mean share of distinct tokens in a window that slides over the text, in (0, 1].

    A text shorter than the window is one window; 0.0 without tokens.
    Source: MATTR, Covington and McFall 2010.
    """
    window = min(window, len(tokens))
    if not window:
        return 0.0
    inside = Counter(tokens[:window])
    distinct = len(inside)
    for leaving, entering in zip(tokens, tokens[window:], strict=False):
        inside[leaving] -= 1
        if not inside[leaving]:
            del inside[leaving]
        inside[entering] += 1
        distinct += len(inside)
    return distinct / (window * (len(tokens) - window + 1))


def mtld(tokens: Sequence[str], threshold: float = MTLD_THRESHOLD) -> float:
    """Mean length, in tokens, of runs whose type-token ratio stays above a threshold.

    The mean of the forward and the backward reading; 0.0 without tokens.
    Source: MTLD, McCarthy and Jarvis 2010; the last, unfinished run counts in proportion.
    """
    if not tokens:
        return 0.0
    return (_one_way(tokens, threshold) + _one_way(tokens[::-1], threshold)) / 2


def _one_way(tokens: Sequence[str], threshold: float) -> float:
    runs, seen, length = 0.0, set[str](), 0
    for token in tokens:
        seen.add(token)
        length += 1
        if len(seen) / length <= threshold:
            runs += 1
            seen, length = set(), 0
    if length:
        runs += (1 - len(seen) / length) / (1 - threshold)
    return len(tokens) / runs if runs else float(len(tokens))


def self_bleu(rows: Sequence[Sequence[str]], scored: int, order: int = 4) -> list[float]:
    """BLEU-4 of each of the first `scored` rows against all other rows, in [0, 1].

    Counts are clipped to the largest count in any one other row; the reference length is the
    closest, the shorter of two equally close. Precisions above the first order get +1/+1 (Lin and
    Och 2004), so that short rows do not score 0; rows shorter than `order` use the orders they
    have; empty rows score 0.
    Source: self-BLEU, Zhu et al. 2018 (1802.01886); BLEU, Papineni et al. 2002.
    """
    tables = [_TopTwo(rows, n) for n in range(1, order + 1)]
    lengths = Counter(len(row) for row in rows)
    return [
        _bleu(rows[number], number, tables, lengths) for number in range(min(scored, len(rows)))
    ]


class _TopTwo:
    """Per n-gram: the largest count in one row, whose it is, and the largest in any other row."""

    def __init__(self, rows: Sequence[Sequence[str]], n: int) -> None:
        self.n = n
        self._best: dict[Ngram, tuple[int, int, int]] = {}
        for number, row in enumerate(rows):
            for gram, count in Counter(ngrams_of(row, n)).items():
                top, owner, second = self._best.get(gram, (0, -1, 0))
                if count > top:
                    self._best[gram] = (count, number, top)
                elif count > second:
                    self._best[gram] = (top, owner, count)

    def clipped(self, row: Sequence[str], number: int) -> tuple[int, int]:
        """Matched and all n-grams of a row against every other row."""
        matched = total = 0
        for gram, count in Counter(ngrams_of(row, self.n)).items():
            top, owner, second = self._best[gram]
            matched += min(count, second if owner == number else top)
            total += count
        return matched, total


def _bleu(
    row: Sequence[str], number: int, tables: Sequence[_TopTwo], lengths: Counter[int]
) -> float:
    logs: list[float] = []
    for table in tables:
        matched, total = table.clipped(row, number)
        if not total:
            break
        if table.n == 1:
            if not matched:
                return 0.0
            logs.append(math.log(matched / total))
        else:
            logs.append(math.log((matched + 1) / (total + 1)))
    if not logs:
        return 0.0
    others = [length for length, count in lengths.items() if count > (length == len(row))]
    closest = min(others, key=lambda length: (abs(length - len(row)), length), default=0)
    penalty = 1.0 if len(row) >= closest else math.exp(1 - closest / len(row))
    return penalty * math.exp(sum(logs) / len(logs))
