"""The text of a PDF, page by page, in the order in which it is stored.

A page that cannot be read is left out and its number kept; a PDF without any text (a scan) is
`empty`. Words that a line end divides stay divided, since `well-` may be meant so.
"""

from __future__ import annotations

import io
import logging
from typing import Any, Final

from selfsown.core.errors import MissingExtra
from selfsown.documents.decoding import one_form
from selfsown.documents.refusal import Refused

_MOST_PAGES: Final = 20_000
_LISTED: Final = 100


def read_pdf(data: bytes, max_bytes: int) -> dict[str, Any]:
    """`text` of a PDF, with `title`, `pages` and `unread_pages` (numbers from 1).

    Args:
        data: the bytes of the file.
        max_bytes: most bytes of text.

    Raises:
        Refused: it is encrypted, damaged, too large or without text.
        MissingExtra: pypdf is not installed.
    """
    pypdf = _pypdf()
    try:
        reader = pypdf.PdfReader(io.BytesIO(data), strict=False)
        _unlock(reader)
        count = len(reader.pages)
    except Refused:
        raise
    except pypdf.errors.DependencyError as error:
        raise Refused("encrypted", str(error)[:200]) from error
    except Exception as error:  # a damaged file makes the library raise nearly anything
        raise Refused("damaged", f"no PDF: {error}"[:200]) from error
    if count > _MOST_PAGES:
        raise Refused("too_large", f"it has {count:,} pages; {_MOST_PAGES:,} are read at most")
    texts, unread = _pages(reader, count, max_bytes)
    text = one_form("\n\n".join(texts))
    if not text.strip():
        if unread:
            raise Refused("damaged", f"none of its {count:,} pages can be read")
        raise Refused("empty", f"{count:,} pages without text; a scan needs text recognition first")
    found: dict[str, Any] = {"text": text, "pages": count}
    if title := _title(reader):
        found["title"] = title
    return found | ({"unread_pages": unread[:_LISTED]} if unread else {})


def _pages(reader: Any, count: int, max_bytes: int) -> tuple[list[str], list[int]]:
    texts: list[str] = []
    unread: list[int] = []
    size = 0
    for number in range(count):
        try:
            text = str(reader.pages[number].extract_text()).replace("\0", "")
        except Exception:  # as above; the page's number is kept
            unread.append(number + 1)
            continue
        size += len(text.encode("utf-8", "surrogatepass"))
        if size > max_bytes:
            raise Refused("too_large", f"its text has more than {max_bytes:,} bytes")
        if text.strip():
            texts.append(text.strip("\n"))
    return texts, unread


def _unlock(reader: Any) -> None:
    """Open a PDF that anyone may read, since its password is empty."""
    if reader.is_encrypted and not reader.decrypt(""):
        raise Refused("encrypted", "it asks for a password")


def _title(reader: Any) -> str:
    try:
        return " ".join(str(reader.metadata.title or "").split())[:300] if reader.metadata else ""
    except Exception:  # as above; a title is no reason to lose a text
        return ""


def _pypdf() -> Any:
    try:
        import pypdf
        import pypdf.errors
    except ImportError as error:
        raise MissingExtra(
            "PDF needs the package `pypdf`, which is not installed",
            why="it extracts the text",
            fix="pip install 'selfsown[documents]'",
        ) from error
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # what matters goes into the refusal
    return pypdf
