"""Every error of selfsown, as one tree; each says what happened, why it matters, how to fix it.

SelfsownError
├── InputError            the user's file or value is wrong                     exit 2
│   ├── ConfigError       a config key, option, URI or flag
│   ├── ConfigChanged     the run directory was made with another config
│   └── MissingExtra      an optional package is not installed
├── Suspended             the run stopped; the same command resumes it
│   ├── EnvironmentFailure  endpoint, credentials, disk, lock                   exit 3
│   ├── BudgetExhausted     the next call could exceed the cap                  exit 3
│   ├── Interrupted         Ctrl-C or SIGTERM                                   exit 130
│   └── GateClosed          a check within the run (CheckFailed, too)           exit 1
├── CallFailed            the final outcome of one model call: data, not a crash
├── CheckFailed           a gate, replay or conservation check said no          exit 1
│   ├── ReplayMismatch    the recipe asked something else than the journal has
│   └── ConservationError a candidate vanished or ended twice
└── JournalDamaged        checksums or pages of the journal do not hold         exit 3
"""

from __future__ import annotations

from typing import ClassVar


class SelfsownError(Exception):
    """Base of all errors that selfsown raises on purpose.

    `what` names the thing and its value in backticks, `why` the expectation it broke, `fix` a
    command or an edit. `retryable` tells callers whether the same call may succeed later without a
    change.
    """

    exit_code: ClassVar[int] = 2
    retryable: ClassVar[bool] = False

    def __init__(self, what: str, *, why: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.fix = fix

    def __str__(self) -> str:
        lines = [self.what]
        if self.why:
            lines.append(f"why: {self.why}")
        if self.fix:
            lines.append(f"fix: {self.fix}")
        return "\n".join(lines)


class InputError(SelfsownError):
    """A file, value or argument that the user gave cannot be used."""


class TooFewRecords(InputError):
    """Too little of what a step was given can be used, or is left, to go on with."""


class ConfigError(InputError):
    """A config key, option, URI or flag is unknown, missing, or out of range."""


class ConfigChanged(InputError):
    """The run directory was made with another config or recipe version, without `--update`."""


class MissingExtra(InputError):
    """A feature needs an optional package that is not installed."""


class Suspended(SelfsownError):
    """The run stopped before its end; nothing is lost, and the same command resumes it."""

    exit_code = 3
    retryable = True


class EnvironmentFailure(Suspended):
    """The endpoint, its credentials, the disk or a lock keeps the run from going on."""


class BudgetExhausted(Suspended):
    """The worst case of the next call does not fit under the cap any more."""


class Interrupted(Suspended):
    """The user asked the run to stop (Ctrl-C, SIGTERM)."""

    exit_code = 130


class CallFailed(SelfsownError):
    """One model call ended in a final failure; the record it belongs to fails, the run goes on.

    `kind` is a short stable word, for example `bad_request`, `content_filter`, `retries_exhausted`,
    `schema`, `context_length`. The text is free of times, request ids and ports, so that it
    replays.
    """

    def __init__(self, kind: str, what: str, *, why: str = "", fix: str = "") -> None:
        super().__init__(what, why=why, fix=fix)
        self.kind = kind


class CheckFailed(SelfsownError):
    """A gate or check said no."""

    exit_code = 1


class GateClosed(Suspended, CheckFailed):
    """A check within a run said no, before the rest is paid for; what there is can be looked at."""

    exit_code = 1
    retryable = False


class ReplayMismatch(CheckFailed):
    """With an unchanged config, a draw asked for something else than its journaled fingerprint."""


class ConservationError(CheckFailed):
    """Candidates in are not accepted + rejected + failed."""


class JournalDamaged(SelfsownError):
    """Rows or pages of the journal fail their checksums."""

    exit_code = 3
