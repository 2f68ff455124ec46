"""How many cores torch uses for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

_SMALL: Final = 50_000_000
"""Parameters of a model below which a second thread costs more than it gains."""


def threads_for(model: Any) -> int:
    """One thread for a small model of torch, as many as there are now for others."""
    import torch

    is_small = sum(weight.numel() for weight in model.parameters()) < _SMALL
    return 1 if is_small else torch.get_num_threads()


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let torch use `count` threads inside the block.

    One is the right number for models of a few million parameters: on a busy machine every
    operation waits for the slowest thread, and two were seen to be twenty times slower than one.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
