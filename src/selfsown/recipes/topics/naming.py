"""Topics get a name and a value: the model sees examples of each, in one call a topic."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass, field
from typing import Final, TypeVar

from selfsown.core.errors import CallFailed
from selfsown.core.request import JSON, Completion, Request
from selfsown.core.run import Run
from selfsown.core.stages import Stage
from selfsown.recipes.prompt_files import PromptFiles
from selfsown.recipes.topics.finding import Found, documents_of, rank
from selfsown.recipes.topics.options import PROMPT_NAMES, Options
from selfsown.topics.choice import match
from selfsown.topics.clustering import NOISE
from selfsown.topics.labels import Label, parse_label, parse_value

_STOP: Final = ("\n\n", "\nDocument")
"""A base model goes on with the next group of documents."""

EntryT = TypeVar("EntryT", int, tuple[int, int, str, str])


@dataclass(slots=True)
class Topic:
    """A topic and what is known of it."""

    number: int
    name: str
    terms: tuple[str, ...]
    documents: int = 0
    examples: list[tuple[int, int, str, str]] = field(default_factory=list)
    """Heap of (minus rank, minus row, id, beginning)."""
    smallest: list[int] = field(default_factory=list)
    """Heap of minus ranks: the documents that stay if there are too many."""
    quality: float | None = None
    labelled: bool = False
    kept: int = 0

    def shown(self) -> list[tuple[str, str]]:
        """Id and beginning of the examples, in their drawn order."""
        return [(identifier, text) for _, _, identifier, text in sorted(self.examples)[::-1]]


def collect(run: Run, options: Options, found: Found) -> list[Topic]:
    """The topics with their examples, and which of their documents stay under a quota."""
    parts = zip(found.names, found.terms, strict=True)
    known = [Topic(number, name, terms) for number, (name, terms) in enumerate(parts)]
    for number, document in documents_of(run):
        if found.topics[number] == NOISE:
            continue
        topic = known[found.topics[number]]
        topic.documents += 1
        text = " ".join(document.text[: 4 * options.example_characters].split())
        place = -rank(run.seed, "example", topic.number, document.id, number)
        example = (place, -number, document.id, text[: options.example_characters])
        _push(topic.examples, example, options.examples)
        if options.limit is not None:
            _push(topic.smallest, -rank(run.seed, "quota", document.id, number), options.limit)
    return known


def _push(heap: list[EntryT], entry: EntryT, most: int) -> None:
    """Keep the largest entries of a heap."""
    heapq.heappush(heap, entry)
    if len(heap) > most:
        heapq.heappop(heap)


async def label(run: Run, options: Options, known: list[Topic], stage: Stage) -> None:
    """Ask the model about every topic that has documents; what it cannot name, its words name."""
    prompts = PromptFiles("selfsown.recipes.topics", PROMPT_NAMES, options.prompts)
    sampling = options.model_dump(include={"max_tokens", "temperature"})

    async def work(topic: Topic) -> Completion:
        values = {"extracts": [text for _, text in topic.shown()], "topic": topic.name}
        if run.is_chat("generator"):
            request = Request(messages=prompts.messages("chat_label", values), **sampling)
        else:
            request = Request(prompt=prompts.text("label", values), stop=_STOP, **sampling)
        return await run.ask("generator", request)

    async for done in run.map([topic for topic in known if topic.documents], work):
        topic = done.item
        payload: dict[str, JSON] = {
            "cluster": topic.number,
            "terms": list(topic.terms),
            "documents": topic.documents,
            "examples": [identifier for identifier, _ in topic.shown()],
        }
        candidate = stage.enter(payload, order=(topic.number,), keys=done.keys)
        try:
            said = _read(done.result.text, topic)
        except CallFailed as error:
            candidate.fail(error)
            continue
        topic.quality, topic.labelled = said.value, said.topic is not None
        if said.topic is None:
            candidate.reject("unlabelled")
        else:
            topic.name = said.topic
            candidate.keep({"topic": topic.name, "quality": topic.quality})
    for topic in known:
        topic.name = topic.name or _stand_in(topic)


def _read(answer: str, topic: Topic) -> Label:
    """A label; of a query, whose name is known, the value alone."""
    return Label(topic.name, parse_value(answer)) if topic.name else parse_label(answer)


def _stand_in(topic: Topic) -> str:
    words = f" ({', '.join(topic.terms[:3])})" if topic.terms else ""
    return f"cluster {topic.number}{words}"


def last_ranks(known: list[Topic], limit: int | None) -> dict[str, float]:
    """Per topic the rank of the last document that stays; clusters of one name share a quota."""
    ranks: dict[str, list[int]] = {}
    for topic in known:
        ranks.setdefault(match(topic.name), []).extend(-place for place in topic.smallest)
    return {
        name: math.inf if limit is None or len(places) < limit else sorted(places)[limit - 1]
        for name, places in ranks.items()
    }
