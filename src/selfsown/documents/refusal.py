"""How readers say that a file, or a row of one, gives no document."""

from __future__ import annotations

from selfsown.documents.document import Reason


class Refused(Exception):
    """Raised by readers and turned into an `Unread` where the source is known; never seen above."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason: Reason = reason
        self.detail = detail
