"""What a judgement takes: samples, calls and tokens, for plans and for whoever counts judgements.

A judge may say so by attributes that are not part of the protocol: `samples` (judgements of one
answer, its parts), `most_calls` (calls for one item) and `max_tokens` (generated tokens of a call).
"""

from __future__ import annotations

from selfsown.judge.base import Judge


def samples_of(judge: Judge) -> int:
    """How often it judges one answer, where it decides nothing by a program."""
    return int(getattr(judge, "samples", 1))


def calls_of(judge: Judge) -> int:
    """Calls for one item, at most; its samples where it does not say, 0 where it asks no model."""
    return int(getattr(judge, "most_calls", samples_of(judge))) if judge.roles else 0


def tokens_of(judge: Judge) -> int:
    """Generated tokens of one call, at most; 0 where it does not say or asks no model."""
    return int(getattr(judge, "max_tokens", 0)) if judge.roles else 0
