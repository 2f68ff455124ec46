"""WRAP and its descendants: documents, chunk by chunk, in other styles, behind a gate.

Sources: WRAP (arXiv:2401.16380), Nemotron-CC (arXiv:2412.02595), FinePhrase (arXiv:2604.13977).
Differs from the papers: chunks follow the structure of the document, and what is over the limit is
split; code and maths stay as they are; every text passes a gate of faithfulness with a reason for
each that does not; temperature and top-p are ours, since WRAP does not state its own. Mixing with
the originals is `selfsown mix`.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Final

from selfsown.core.errors import ConfigError, TooFewRecords
from selfsown.core.request import JSON
from selfsown.core.run import Run
from selfsown.documents.document import Unread
from selfsown.documents.tokens import counter
from selfsown.recipes.base import Recipe, Rows
from selfsown.recipes.independent import independent_filters
from selfsown.recipes.rephrase.accounts import DOCUMENTS, Accounts
from selfsown.recipes.rephrase.desk import Desk, audit_share, encoder_of
from selfsown.recipes.rephrase.options import GENERATOR, JUDGE, Options
from selfsown.recipes.rephrase.passages import Cutter, originals
from selfsown.recipes.rephrase.prompting import Prompting


async def rephrase(run: Run, options: Options) -> None:
    """Rephrase every chunk of every document; they were checked (`check`).

    Raises:
        ConfigError: a chunk, its prompt and an answer would not fit the model's context.
    """
    registry = options.registry()
    count = counter(options.tokenizer or None)
    before = independent_filters(options.source_filters, "chunks")
    after = independent_filters(options.filters, "rephrases")
    cutter = Cutter(options, registry, count, before)
    prompting = Prompting(options, is_chat=run.is_chat(GENERATOR))
    prompting.check_context(tuple(registry.values()), cutter, count, run.capabilities(GENERATOR))
    desk = Desk(run, options, prompting, count, after)
    accounts = Accounts(run, options, tuple(registry), count)
    _note_settings(run, options)
    try:
        async for done in run.map(cutter.passages(run.rows()), desk.work):
            accounts.close(done)
    finally:
        accounts.note()
    run.stop("rows")


def check(options: Options, roles: Collection[str], rows: Rows) -> None:
    """Refuse what cannot be rephrased, and an audit without a judge.

    Raises:
        ConfigError: the audit has no judge, or a filter cannot be used.
        InputError: a row is no document or no original, or lacks the quality that its styles
            depend on, and is named; or none can be read; or encoder or tokenizer cannot be used.
        MissingExtra: one of them needs a package that is not installed.
    """
    if options.audit_share:
        missing = [role for role in options.auditor().roles if role not in roles]
        if missing:
            raise ConfigError(
                f"`audit_share` is {options.audit_share}, and role `{missing[0]}` has no model",
                why=f"it reads a share of the rephrases (judge `{next(iter(options.audit))}`)",
                fix=f"--model {missing[0]}=URI, or leave `audit_share` out",
            )
    independent_filters(options.source_filters, "chunks")
    independent_filters(options.filters, "rephrases")
    encoder_of(options)
    cutter = Cutter(options, options.registry(), counter(options.tokenizer or None))
    unread: Unread | None = None
    count = 0
    for number, document in enumerate(originals(rows)):
        if isinstance(document, Unread):
            unread = unread or document
        else:
            cutter.styles(document, number)
            count += 1
    if unread and not count:
        raise TooFewRecords(
            f"no document can be read; the first, `{unread.source}`: {unread.reason}"
            + (f", {unread.detail}" if unread.detail else ""),
            why="there is nothing to rephrase; what a run made is no original, and is not read",
            fix="selfsown documents check PATH  lists all files with their reasons",
        )


def _note_settings(run: Run, options: Options) -> None:
    registry = options.registry()
    styles: dict[str, JSON] = {name: style.version for name, style in registry.items()}
    run.note("styles", styles)
    run.note("tokenizer", Path(options.tokenizer).name or "4 bytes a token")
    run.note("audit_share", audit_share(options, has_judge=run.has_role(JUDGE)))


RECIPE: Final = Recipe(
    name="rephrase",
    version="1",
    summary="Documents in other styles, chunk by chunk, each text held against its source.",
    source="Rephrasing the Web (arXiv:2401.16380); Nemotron-CC (arXiv:2412.02595)",
    run=rephrase,
    options=Options,
    presets={
        "default": {},
        "wrap": {"styles": ["easy", "medium", "hard", "qa"]},
        "nemotron-cc": {
            "styles": [
                *("wikipedia", "diverse_qa", "distil", "extract_knowledge", "knowledge_list")
            ],
            "append_questions": True,
            "temperature": 0.5,
            "top_p": 0.9,
        },
        "finephrase": {"styles": ["faq", "math", "table", "tutorial"]},
    },
    roles={
        GENERATOR: "rephrases",
        JUDGE: "reads a share of the rephrases, too; no rephrase depends on it",
    },
    target_unit="rephrase",
    takes_documents=True,
    row_stage=DOCUMENTS,
    check=check,
)
