"""Cosmopedia: from every document an extract, from every extract a text of some style and audience.

Source: Cosmopedia (Hugging Face, blog of 2024-03-20 and released code): the first 1,000 characters
of a page seed a text; style and audience vary, the topic is named in half of the prompts; texts of
at least 150 tokens are kept; up to 6 attempts.
Differs from the released code:
1. What is drawn follows from the run's seed and the document's id, not from the workers.
2. Style and audience are not given by the source: they are kept in balance within each topic.
3. Wordings vary, and what texts repeat steers later prompts (`watch.py`).
4. A failure is recorded as one; the published code keeps an empty text. Exactly 150 tokens are
   kept, and are in one set only.
5. Extracts, prompts and texts are compared with benchmarks; numbers, names and calculations of a
   text are compared with its extract.
6. Documents that a model wrote are refused unless asked for.

Documents are handed over in the order of the input, whatever the concurrency, and what is drawn
depends on what was handed over; so the recipe says how many are in work, and no limit of the
endpoint does: 64 at first, and from then on a quarter of those that are done, up to 1,024, so that
small runs learn from their own texts and large ones fill an endpoint; or `ahead`.

Memory: documents in work, hashes of each document, its extract and each text (24 to 48 bytes each),
counts of phrases; and all kept texts where `filters` names `near_duplicate`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Final

from selfsown.core.errors import ConfigError, TooFewRecords
from selfsown.core.run import Run
from selfsown.documents.document import Document, Unread, document_rows
from selfsown.documents.tokens import counter
from selfsown.recipes.base import CallBound, Recipe, Rows
from selfsown.recipes.cosmopedia.growing import DOCUMENTS, Growing, Item
from selfsown.recipes.cosmopedia.options import PAPER, Options, made
from selfsown.recipes.cosmopedia.writing import GENERATOR, Writer, Written

_JUDGE_BYTES: Final = 8192
"""Of a judge's own words; ours have at most 1,300."""


async def cosmopedia(run: Run, options: Options) -> None:
    """Write the texts of all documents; rows were checked (`check`).

    Raises:
        GateClosed: texts repeat each other, and the config says to stop then.
    """
    writer = Writer(run, options)
    growing = Growing(run, options)

    async def work(item: Item) -> list[Written]:
        return await run.gather(*(writer.write(task) for task in item.tasks))

    flow = run.flow("documents", growing.draw, work, growing.ahead, in_order=True)
    try:
        async for done in flow:
            growing.take(done)
    finally:
        growing.note()
    run.stop("rows")


def check(options: Options, roles: Collection[str], rows: Rows) -> None:
    """Refuse rows and options that no run could do right by.

    Raises:
        InputError: a row is no document, a topic is not declared, or a tokenizer cannot be used.
        ConfigError: an exclusion matches nothing, or the judge of the audit has no model.
        CheckFailed: a benchmark that is named has no index.
    """
    for filters in (options.seed_filters, options.filters):
        made(filters)
    options.benchmark_filters()
    counter(options.tokenizer)
    judge = options.audit.judging()
    for role in judge.roles if judge is not None else ():
        if role not in roles:
            raise ConfigError(
                f"the audit asks role `{role}`, which has no model",
                why="a sample of the texts is to be judged",
                fix=f"--model {role}=URI, or leave out `audit`",
            )
    options.topic_rules().check(_with_a_document(document_rows(rows)))


def _with_a_document(rows: Iterable[Document | Unread]) -> Iterator[Document | Unread]:
    """The same rows; at their end it is an error that none of them was a document."""
    found = False
    for row in rows:
        found = found or isinstance(row, Document)
        yield row
    if not found:
        raise TooFewRecords(
            "there is no document to write about",
            why="every file or row that was given is empty or cannot be read",
            fix="selfsown documents check PATH  lists all files with their reasons",
        )


def bound(options: Options, left: int, _seeds: int) -> tuple[CallBound, ...]:
    """Most calls for so many documents."""
    texts = left * options.per_document
    found = [CallBound("texts", GENERATOR, texts * options.attempts, options.max_tokens)]
    judge = options.audit.judging()
    if judge is not None and judge.roles:
        most: object = getattr(judge, "most_calls", 1)
        calls = texts * (most if isinstance(most, int) else 1)
        tokens: object = getattr(judge, "max_tokens", options.max_tokens)
        longest = tokens if isinstance(tokens, int) else options.max_tokens
        more = _JUDGE_BYTES + 8 * options.max_tokens
        found.append(CallBound("audit", judge.roles[0], calls, longest, more))
    return tuple(found)


def calls_per_unit(options: Options) -> float:
    """Calls for one document, where every answer can be used."""
    return options.per_document * (1 + options.audit.share)


RECIPE: Final = Recipe(
    name="cosmopedia",
    version="1",
    summary="Textbooks, posts, stories and structured texts that grow from extracts of documents.",
    source="Cosmopedia: how to create large-scale synthetic data for pre-training (2024)",
    run=cosmopedia,
    options=Options,
    presets={"default": {}, "paper": PAPER},
    roles={GENERATOR: "writes the texts", "judge": "judges a sample of them, for `audit`"},
    target_unit="text",
    takes_documents=True,
    row_stage=DOCUMENTS,
    calls_per_unit=calls_per_unit,
    check=check,
    bound=bound,
)
