"""What is done while texts are written, so that they do not become all alike.

All state is read and written in the consumer's body and in draws, in the order of the documents.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from selfsown.core.errors import GateClosed
from selfsown.core.request import JSON
from selfsown.curate.monitors import Alarm, Monitor
from selfsown.recipes.cosmopedia.options import Monitoring
from selfsown.recipes.cosmopedia.prompts import Prompt

_FORBIDDEN: Final = 8
"""Openings that prompts of a style forbid beside those of the style: the latest ones."""


class Watch:
    """The monitor of a run, and what follows from its alarms."""

    def __init__(self, options: Monitoring, groups: int) -> None:
        """Begin without texts.

        Args:
            options: what is watched, and what follows.
            groups: styles and wordings, all of which are told apart.
        """
        self._act = options.act
        self._monitor = Monitor(options.gates(groups))
        self._forbidden: dict[str, list[str]] = {}
        self._steers = options.act in ("reweight", "reject")

    def weigh(self, wording: str) -> float:
        """How often to draw a wording (`STYLE/NUMBER`), in (0, 1]."""
        return self._monitor.weight(_wording(wording)) if self._steers else 1.0

    def forbidden(self, style: str) -> Sequence[str]:
        """Openings that texts of a style have used too often."""
        return self._forbidden.get(style, ())

    def add(self, text: str, prompt: Prompt) -> Alarm | GateClosed | None:
        """A text that is good apart from what it repeats.

        Returns:
            The alarm for which it is rejected; what stops the run, after the text has been kept; or
            None.
        """
        groups = (f"style={prompt.style}", _wording(prompt.wording_id))
        alarms = self._monitor.add(text, groups)
        if self._steers:
            self._forbid(alarms, prompt.style)
        if self._act == "stop" and alarms:
            return alarms[0].error()
        return self._monitor.quota(text, groups) if self._act == "reject" else None

    def note(self) -> dict[str, JSON]:
        """What there was to report, for the manifest: shares at the end, and at the alarm."""
        alarms = self._monitor.alarms
        now = [self._monitor.now(alarm).row() for alarm in alarms]
        return {
            "act": self._act,
            "passed": not alarms,
            "alarms": [
                {**row, "alarm_share": round(alarm.share, 4), "alarm_total": alarm.total}
                for row, alarm in zip(now, alarms, strict=True)
            ],
            "forbidden": {style: list(which) for style, which in sorted(self._forbidden.items())},
        }

    def _forbid(self, alarms: Sequence[Alarm], style: str) -> None:
        known = self._forbidden.get(style, [])
        new = [one.phrase for one in alarms if one.kind == "opening" and one.phrase not in known]
        if new:
            self._forbidden[style] = [*known, *dict.fromkeys(new)][-_FORBIDDEN:]


def _wording(name: str) -> str:
    return f"wording={name}"
