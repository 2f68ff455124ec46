"""The bytes of a published file, for the few commands that fetch one because the user asked."""

from __future__ import annotations

from selfsown.core.errors import InputError


class Unreachable(Exception):
    """Nothing came; the message is the reason in a few words."""


def download(url: str, *, limit_bytes: int, timeout_s: float) -> bytes:
    """At most so many first bytes of what an address answers.

    Args:
        url: an http or https address.
        limit_bytes: more is not read; the caller's checksum tells.
        timeout_s: of the connection and of each read.

    Raises:
        InputError: it is no web address.
        Unreachable: no answer, or an error status.
    """
    import http.client
    import urllib.error
    import urllib.request

    if not url.startswith(("https://", "http://")):
        raise InputError(
            f"`{url}` is not a web address",
            why="published files are fetched over http or https",
            fix="give an address that begins with https://",
        )
    request = urllib.request.Request(url, headers={"User-Agent": "selfsown"})  # noqa: S310 - checked
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as reply:  # noqa: S310 - checked
            data: bytes = reply.read(limit_bytes)
            return data
    except urllib.error.HTTPError as error:
        error.close()
        raise Unreachable(f"HTTP status {error.code}") from error
    except (OSError, http.client.HTTPException) as error:
        reason = str(getattr(error, "reason", "") or error) or type(error).__name__
        raise Unreachable(reason) from error
