"""What a run knows about itself: its settings, and counts that a live view may read at any time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from selfsown.core.flow import Order

Mode = Literal["live", "replay", "plan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """What a run needs to know beside its models and journal."""

    seed: int = 0
    order: Order = "arrival"
    target: int | None = None
    mode: Mode = "live"
    epoch: int = 0
    earlier_epochs: tuple[int, ...] = ()
    """Epochs whose orders of deliveries are preferred beyond the current one's, best first."""
    session: int = 0
    max_failure_rate: float = 0.5
    """Suspend when more than this share of the calls made now fails for good, in [0, 1]."""
    shuffle: int | None = None
    """Replay only: delay answers at random, with this seed."""
    map_ahead: int = 64
    """Independent rows under way at once; they cannot influence each other."""


@dataclass(slots=True)
class Progress:
    """Counts of this process, readable at any moment by the live view."""

    calls: int = 0
    """Model calls that ended in an outcome now."""
    from_journal: int = 0
    """Outcomes that the journal already had."""
    shared: int = 0
    """Asks answered by an equal request of this process."""
    reused: int = 0
    """Outcomes copied from another run's journal."""
    failures: int = 0
    """Calls that ended in a final failure now."""
    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    unused: int = 0
    """Items drawn whose results the recipe never took."""
    warnings: list[str] = field(default_factory=list)
