"""The operational settings of limits: how much is asked of an endpoint, and for how long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from selfsown.core.errors import ConfigError

_LEAST: Final = {
    "concurrency": 1,
    "max_concurrency": 1,
    "requests_per_minute": 0.01,
    "tokens_per_minute": 1,
    "timeout_s": 0.001,
    "attempts": 1,
    "resend": 0,
    "down_after_s": 1,
    "down_at_start_s": 1,
    "silent_after_s": 1,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitSettings:
    """Operational settings; none of them can change an answer."""

    concurrency: int = 32
    """Calls in flight per endpoint at the start, and the most unless `max_concurrency` is
    higher."""
    max_concurrency: int | None = None
    """How far the adaptive limit may rise; None: not above `concurrency`."""
    requests_per_minute: float | None = None
    """None: learnt from the endpoint's headers."""
    tokens_per_minute: float | None = None
    """Prompt and generated tokens; None: learnt from the endpoint's headers."""
    timeout_s: float | Literal["auto"] | None = "auto"
    """Seconds an attempt may take; "auto" follows the latencies seen; None waits for ever."""
    attempts: int = 8
    """Attempts per call, refusals for load (429) and connections that never came about not
    counted."""
    resend: float = 0.02
    """Share of calls that may be sent a second time while the first attempt is late; 0 for
    never."""
    down_after_s: float = 60.0
    """Seconds out of reach after which an endpoint counts as down and the run is suspended."""
    down_at_start_s: float = 5.0
    """The same for connections refused before the endpoint's first reply."""
    silent_after_s: float = 30.0
    """Seconds without any reply, calls in flight, after which that is reported."""

    def __post_init__(self) -> None:
        """Refuse what would never send a call."""
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if value is None or value == "auto" or value >= least:
                continue
            raise ConfigError(
                f"`{name}` is {value}",
                why=f"it must be at least {least:g}",
                fix=f"change `{name}` under `limits`, or leave it out for the default",
            )
