"""Token counts of one call: as the backend reports them, or an estimate that is flagged as one."""

from __future__ import annotations

from collections.abc import Mapping

from selfsown.core.request import JSON, Request, Usage


def estimated_usage(request: Request, generated: str) -> Usage:
    """Usage of a call whose backend reports none: four bytes count as one token, rounded up.

    English runs at about 4.5 bytes per token in current tokenizers, other languages lower; a hard
    cap should therefore settle such a call at its reserved worst case.
    """
    return Usage(
        input_tokens=-(-request.prompt_bytes() // 4),
        output_tokens=-(-len(generated.encode()) // 4),
        estimated=True,
    )


def count(numbers: Mapping[str, JSON], name: str) -> int:
    """A non-negative count in a usage object; 0 if it is absent or no number."""
    value = numbers.get(name)
    if type(value) is int and 0 <= value < 10**12:
        return value
    if isinstance(value, float) and 0 <= value < 1e12:
        return int(value)
    return 0
