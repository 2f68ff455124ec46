"""The text of an HTML page as Markdown: its main content, or all of it.

trafilatura tells content from menus, notices and comments, and keeps headings, lists, tables and
code, which is what chunks are cut by.
"""

from __future__ import annotations

import logging
import re
from typing import Any, Final, Literal

from selfsown.core.errors import MissingExtra
from selfsown.documents.decoding import decoded
from selfsown.documents.licences import short_licence
from selfsown.documents.page_text import whole_text
from selfsown.documents.refusal import Refused

_HEAD: Final = 4096
_CHARSET: Final = re.compile(
    rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w:.-]{2,40})"
    rb"|<\?xml[^>]{0,100}?encoding\s*=\s*[\"']([\w:.-]{2,40})",
    re.IGNORECASE,
)
_LICENCE_NAMES: Final = ("license", "licence", "dc.rights", "dcterms.license", "dcterms.rights")
_LINKED: Final = "//link[@rel='license' and @href] | //a[@rel='license' and @href]"
_COMMENTS: Final = re.compile("<!--.*?(?:-->|$)", re.DOTALL)
_CONTROLS: Final = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f\ufffe\uffff]")
"""Signs that no page means and that XML, in which the tree is kept, does not know."""
_XML: Final = re.compile(r"^\s*<\?xml[^>]{0,200}\?>")


def read_page(data: bytes, html: Literal["main", "whole"]) -> dict[str, str]:
    """`text` of a page, with `title`, `licence` and `encoding` where they are known.

    Args:
        data: the bytes of the page.
        html: its main content, or all its text.

    Raises:
        Refused: its encoding cannot be told, or it cannot be parsed, or has no content.
        MissingExtra: trafilatura is not installed.
    """
    trafilatura = _trafilatura()
    source, guess = decoded(data, _declared(data))
    tree = _tree(_CONTROLS.sub("", _XML.sub("", source)))
    known = {"title": _title(tree), "licence": _licence(tree), "encoding": guess}
    text = whole_text(tree) if html == "whole" else _main(trafilatura, tree)
    if not text.strip():
        hint = "" if html == "whole" else " in its main part; `html: whole` takes all of it"
        raise Refused("empty", f"the page has no text{hint}")
    return {"text": text, **{name: value for name, value in known.items() if value}}


def _declared(data: bytes) -> str:
    """The encoding that a page names; UTF-16 cannot be meant, as the name was readable."""
    found = _CHARSET.search(data[:_HEAD])
    name = (found[1] or found[2]).decode("ascii", "replace") if found else ""
    return "" if name.lower().startswith(("utf-16", "utf-32", "utf16")) else name


def _main(trafilatura: Any, tree: Any) -> str:
    text = trafilatura.extract(
        tree, output_format="markdown", include_comments=False, include_tables=True
    )
    return str(text or "")


def _tree(source: str) -> Any:
    """The parsed page.

    Raises:
        Refused: it is no HTML, or nested so deep that the parser leaves a part out.
    """
    from lxml import etree, html

    if not _COMMENTS.sub("", source).strip():
        raise Refused("empty", "there is nothing in it but comments")
    parser = html.HTMLParser(
        encoding="utf-8", collect_ids=False, remove_comments=True, remove_pis=True
    )
    try:
        tree = html.document_fromstring(source.encode(), parser=parser)
    except (etree.LxmlError, ValueError, AssertionError) as error:
        raise Refused("damaged", f"no HTML can be found in it: {error}"[:200]) from error
    if any("depth" in one.message for one in parser.error_log):
        raise Refused("damaged", "its elements are nested too deep to be read to their end")
    return tree


def _title(tree: Any) -> str:
    return " ".join(str(tree.findtext(".//title") or "").split())[:300]


def _licence(tree: Any) -> str:
    """What the page links to as its licence, or names in its head."""
    for element in tree.xpath(_LINKED):
        return short_licence(str(element.get("href")))
    for element in tree.iter("meta"):
        if str(element.get("name") or element.get("property") or "").lower() in _LICENCE_NAMES:
            return short_licence(str(element.get("content") or ""))
    return ""


def _trafilatura() -> Any:
    try:
        import trafilatura
    except ImportError as error:
        raise MissingExtra(
            "HTML needs the package `trafilatura`, which is not installed",
            why="it finds the main content of a page",
            fix="pip install 'selfsown[documents]'",
        ) from error
    for name in ("trafilatura", "htmldate", "charset_normalizer"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what it says goes into the refusal
    return trafilatura
