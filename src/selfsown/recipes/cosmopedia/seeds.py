"""The rows of the input one by one: which documents texts may grow from, and why not from others.

Remembers a hash of each extract, and what filters with memory remember.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from selfsown.curate.steps import first_drop
from selfsown.curate.verdict import Verdict, drop, keep
from selfsown.documents.document import Document, Unread, document_rows
from selfsown.documents.repeats import Hashes
from selfsown.recipes.cosmopedia.options import Options, made
from selfsown.recipes.cosmopedia.prompts import extract_of
from selfsown.recipes.cosmopedia.records import extract_hash

if TYPE_CHECKING:
    from selfsown.core.request import JSON
    from selfsown.core.run import Run


@dataclass(frozen=True, slots=True)
class Seed:
    """One row of the input."""

    number: int
    """Of the row, from 0."""
    head: Mapping[str, JSON]
    """What the data files say of it; its text stays in `inputs/rows.jsonl`."""
    verdict: Verdict
    """Whether texts may grow from it."""
    extract: str = ""
    topic: str = ""

    @property
    def id(self) -> str:
        """Of the document."""
        return str(self.head.get("id", ""))


class Seeds:
    """The rows of one run, in order."""

    def __init__(self, run: Run, options: Options) -> None:
        """Begin with the first row."""
        self._options = options
        self._rows: Iterator[tuple[int, Document | Unread]] = enumerate(document_rows(run.rows()))
        self._topics = options.topic_rules()
        self._filters = [*options.benchmark_filters(), *made(options.seed_filters)]
        self._extracts = Hashes()

    def next(self) -> Seed | None:
        """The next row; None behind the last one."""
        number, found = next(self._rows, (0, None))
        if found is None:
            return None
        if isinstance(found, Unread):
            return Seed(number, found.row(), drop(found.reason))
        topic = self._topics.of(found)
        extract = extract_of(found.text, self._options.extract_characters)
        verdict = self._verdict(found, topic, extract)
        if verdict.ok:
            for each in self._filters:
                each.add(extract)
        return Seed(number, _head(found, topic, extract), verdict, extract, topic)

    def _verdict(self, document: Document, topic: str, extract: str) -> Verdict:
        if self._topics.is_excluded(topic):
            return drop("excluded_topic")
        if _is_synthetic(document.fields) and not self._options.synthetic_seeds:
            return drop("synthetic")
        quality = self._quality(document)
        if not quality.ok:
            return quality
        if self._extracts.first(extract) is not None:
            return drop("repeated_extract")
        return first_drop(self._filters, extract)

    def _quality(self, document: Document) -> Verdict:
        least, value = self._options.least_quality, document.fields.get("quality")
        if least is None:
            return keep()
        if isinstance(value, bool) or not isinstance(value, int | float):
            return drop("no_quality")
        return keep() if value >= least else drop("low_quality", value)


def _head(document: Document, topic: str, extract: str) -> dict[str, JSON]:
    """What the data files say of a document."""
    head: dict[str, JSON] = {"id": document.id}
    for name in ("source", "licence", "format", "title"):
        if value := getattr(document, name):
            head[name] = value
    head |= {"topic": topic} if topic else {}
    if "quality" in document.fields:
        head["quality"] = document.fields["quality"]
    return head | {"seed_hash": extract_hash(extract), "characters": len(document.text)}


def _is_synthetic(fields: Mapping[str, JSON]) -> bool:
    """Whether a row says that a model wrote it."""
    is_record = "doc_id" in fields and "template_id" in fields
    return fields.get("origin") == "model" or fields.get("kind") == "synthetic" or is_record
