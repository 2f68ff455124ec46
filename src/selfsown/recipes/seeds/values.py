"""Collect the findings of one seed row, and check the texts it holds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from selfsown.recipes.seeds.task import SeedProblem, Severity, shown

# Control characters except tab and line breaks, and halves of surrogate pairs.
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


class RowFindings:
    """The findings of one row so far."""

    def __init__(self, line: int, problems: Iterable[SeedProblem]) -> None:
        self.problems: list[SeedProblem] = list(problems)
        self.seed_id: str | None = None
        self._line = line

    @property
    def has_error(self) -> bool:
        """Whether something keeps the row out of a run."""
        return any(problem.severity == "error" for problem in self.problems)

    def note(
        self, rule: str, what: str, *, why: str, fix: str, severity: Severity = "error"
    ) -> None:
        """Add one finding."""
        self.problems.append(SeedProblem(rule, severity, what, why, fix, self._line, self.seed_id))

    def text(self, value: object, field: str) -> str:
        """Return `value` unchanged if it is clean text, or note why it is not."""
        if not isinstance(value, str):
            self.wrong_type(field, value, "text")
            return ""
        bad = _FORBIDDEN.search(value)
        if bad is not None:
            self._bad_character(field, ord(bad[0]))
        return value

    def wrong_type(self, field: str, value: object, expected: str) -> None:
        """Note that `field` holds `value` instead of what is `expected`."""
        self.note(
            "wrong-type",
            f"`{field}` is {kind_of(value)}, not {expected}",
            why="values are used as they stand, so no conversion is guessed",
            fix=f"write `{field}` as {expected}",
        )

    def _bad_character(self, field: str, code: int) -> None:
        if 0xDC80 <= code <= 0xDCFF:  # how `decode` hands on a byte that is not UTF-8
            self.note(
                "not-utf8",
                f"`{field}` contains byte 0x{code - 0xDC00:02x}, which is not valid UTF-8",
                why="seeds are read as UTF-8, so that no letter is guessed",
                fix="save the file as UTF-8; if it came from Windows: "
                "`iconv -f WINDOWS-1252 -t UTF-8 FILE > utf8-seeds`",
            )
        elif 0xD800 <= code <= 0xDFFF:
            self.note(
                "lone-surrogate",
                f"`{field}` contains half of a surrogate pair (U+{code:04X})",
                why="it cannot be written as UTF-8",
                fix="remove it; it usually comes from text that was cut inside an emoji",
            )
        else:
            self.note(
                "control-character",
                f"`{field}` contains a control character (U+{code:04X})",
                why="model servers, terminals and trainers stumble over it",
                fix="remove it; it usually comes from a terminal or a wrong conversion",
            )


def kind_of(value: object) -> str:
    """Name the kind of `value` in JSON words, with its content if that is short."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return f"the boolean {str(value).lower()}"
    if isinstance(value, int | float):
        return f"the number {shown(repr(value), 20)}"
    if isinstance(value, str):
        return f"the text `{shown(value, 20)}`"
    if isinstance(value, Mapping):
        return "an object"
    return "a list" if isinstance(value, list | tuple) else f"a Python `{type(value).__name__}`"
