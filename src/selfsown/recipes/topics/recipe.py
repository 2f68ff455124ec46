"""Documents by topic: discovered or looked for, named by a model, with an educational value.

One call a topic: the model sees the beginnings of ten documents, drawn without replacement and by
the run's seed, and says what they share and how much there is to learn from it. Rows keep their
fields and gain `topic` and `quality` (1 to 10), as recipes `cosmopedia` and `rephrase` read them;
they are human texts still.

Source: Cosmopedia (section "web samples", and v2's retrieval). Differs from it: see
`topics.clustering` and `topics.retrieval`; examples are drawn without replacement; a value that
cannot be read is missing, where it became the word None; names of the exclusion list that fit no
topic are errors, where they left topics in; documents outside every topic are rejected, counted.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from selfsown.core.errors import InputError
from selfsown.core.request import JSON
from selfsown.core.run import Run
from selfsown.documents.document import Document, Unread, document_rows
from selfsown.recipes.base import Recipe, Rows
from selfsown.recipes.topics.finding import INDEX, find, rank
from selfsown.recipes.topics.naming import Topic, collect, label, last_ranks
from selfsown.recipes.topics.options import Options
from selfsown.topics.choice import choose, match
from selfsown.topics.clustering import NOISE
from selfsown.topics.packages import require

DOCUMENTS: Final = "documents"
LABELS: Final = "labels"
TOPICS: Final = "topics"
NOTE: Final = "topics"
"""Under which the manifest has the table of topics."""


async def topics(run: Run, options: Options) -> None:
    """Sort the documents by topic; each is kept with its topic, or rejected.

    Raises:
        ConfigError: an excluded topic is none that was found.
        InputError: there are too few documents for clusters.
    """
    documents = run.stage(DOCUMENTS, unit="document")
    labels = run.stage(LABELS, unit="topic")
    output = run.stage(TOPICS, unit="document", output=True)
    index = run.directory / INDEX if run.settings.mode == "live" else None
    found = await find(run, options, index)
    known = collect(run, options, found)
    await label(run, options, known, labels)
    excluded = choose(list(dict.fromkeys(one.name for one in known)), options.exclude)
    last = last_ranks(known, options.limit)
    for number, document in enumerate(document_rows(run.rows())):
        entered = documents.enter(_short(document), order=(number,))
        if not isinstance(document, Document):
            entered.reject(document.reason)
            continue
        passed = entered.keep()
        topic = known[found.topics[number]] if found.topics[number] != NOISE else None
        candidate = output.enter(_row(document, topic), order=(number,), parents=(passed.id,))
        score = None if math.isnan(found.scores[number]) else round(found.scores[number], 4)
        if topic is None:
            candidate.reject("no_topic", score)
        elif match(topic.name) in excluded:
            candidate.reject("excluded_topic")
        elif _is_low(topic, options):
            candidate.reject("low_quality", topic.quality)
        elif rank(run.seed, "quota", document.id, number) > last[match(topic.name)]:
            candidate.reject("over_quota")
        else:
            topic.kept += 1
            candidate.keep(score=score)
    run.note(NOTE, [_noted(one, excluded, options) for one in known])
    run.stop("rows")


def check(options: Options, _roles: Collection[str], rows: Rows) -> None:
    """Refuse what cannot be sorted.

    Raises:
        ConfigError: an excluded topic is none of the queries.
        InputError: a row has no text, there is no document, or the encoder is no folder.
        MissingExtra: a package is not installed.
    """
    require(*(("bm25s", "retrieval") if options.queries else ("sklearn", "clustering")))
    if options.queries:
        choose(list(options.queries), options.exclude)
    if options.encoder is not None and not Path(options.encoder, "config.json").is_file():
        raise InputError(
            f"the encoder `{options.encoder}` has no config.json",
            why="documents are placed by it, and nothing is downloaded unasked",
            fix="give the folder of an encoder, or drop `encoder` to use TF-IDF",
        )
    if sum(isinstance(document, Document) for document in document_rows(rows)) == 0:
        raise InputError(
            "there is no document to sort",
            why="rows without text, and files that cannot be read, have no topic",
            fix="selfsown documents check PATH  shows what was read, and why not",
        )


def _is_low(topic: Topic, options: Options) -> bool:
    """Whether a topic is known to be worth too little; one without a value is not."""
    least = options.min_quality
    return least is not None and topic.quality is not None and topic.quality < least


def _row(document: Document, topic: Topic | None) -> dict[str, JSON]:
    """The document as a row, with its topic and what that is worth, both as found here."""
    row = {k: v for k, v in document.row().items() if k not in ("topic", "quality", "cluster")}
    if topic is None:
        return row
    value: Mapping[str, JSON] = {} if topic.quality is None else {"quality": topic.quality}
    return {**row, "topic": topic.name, "cluster": topic.number, **value}


def _short(document: Document | Unread) -> dict[str, JSON]:
    """What the first stage keeps of a document, whose text the last one has."""
    if isinstance(document, Unread):
        return document.row()
    return {"id": document.id, **({"source": document.source} if document.source else {})}


def _noted(topic: Topic, excluded: frozenset[str], options: Options) -> JSON:
    left_out = "excluded" if match(topic.name) in excluded else None
    return {
        "cluster": topic.number,
        "topic": topic.name,
        "labelled": topic.labelled,
        "quality": topic.quality,
        "terms": list(topic.terms),
        "documents": topic.documents,
        "kept": topic.kept,
        "left_out": left_out or ("low_quality" if _is_low(topic, options) else None),
    }


RECIPE = Recipe(
    name="topics",
    version="1",
    summary="Documents by topic, discovered or looked for, with an educational value each.",
    source="Cosmopedia (2024), web samples",
    run=topics,
    options=Options,
    roles={"generator": "names topics and says what there is to learn from them"},
    takes_documents=True,
    target_unit="document",
    target_stage=lambda _options: TOPICS,
    needs_all_rows=True,
    check=check,
)
