"""What became of every document, chunk and rephrase; nothing ends without being counted.

Open documents are kept until their last chunk is done, so memory follows what is under way, not
what was there; beyond that it grows with the number of topics alone. All sums are of whole numbers,
so that they come out the same in whatever order passages are done.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Final

from selfsown.core.flow import Delivery
from selfsown.core.request import JSON
from selfsown.core.run import Run
from selfsown.core.stages import Candidate, Stage
from selfsown.core.token_counts import Counter as TokenCounter
from selfsown.recipes.rephrase.desk import Rephrase
from selfsown.recipes.rephrase.novelty import Novelty
from selfsown.recipes.rephrase.options import GENERATOR, Options
from selfsown.recipes.rephrase.passages import Item, Original, Passage, Refused
from selfsown.recipes.rephrase.style import UNCHANGED
from selfsown.recipes.rephrase.tallies import Audit, Coverage, Tokens, Topics, share

DOCUMENTS: Final = "documents"
CHUNKS: Final = "chunks"
ANSWERS: Final = "answers"
REPHRASES: Final = "rephrases"

_MOST_FINDINGS: Final = 8
"""That a record lists; the first one is its reason."""


@dataclass(slots=True)
class _Open:
    """A document of which some chunks are under way."""

    candidate: Candidate
    left: int
    """Chunks that are not done."""
    kept: int = 0
    """Tokens of the chunks that are in the data in some style, or unchanged."""
    asked: Counter[str] = field(default_factory=Counter)
    """Style -> tokens of the chunks that were to be rephrased in it."""
    covered: Counter[str] = field(default_factory=Counter)
    """Style -> tokens of those that were kept in it."""
    ends: Counter[str] = field(default_factory=Counter)
    """How its chunks and rephrases ended."""


class Accounts:
    """The stages of a run and what is noted beside them."""

    def __init__(
        self, run: Run, options: Options, styles: Sequence[str], count: TokenCounter
    ) -> None:
        self._run, self._options, self._count = run, options, count
        self._places = {name: place for place, name in enumerate((*styles, UNCHANGED))}
        self._documents = run.stage(DOCUMENTS, unit="document")
        self._chunks = run.stage(CHUNKS, unit="chunk")
        self._answers = run.stage(ANSWERS, unit="answer")
        self._rephrases = run.stage(REPHRASES, unit="rephrase", output=True)
        self._open: dict[int, _Open] = {}
        self._coverage, self._topics = Coverage(), Topics()
        self._audit, self._tokens, self._novelty = Audit(), Tokens(), Novelty()
        self._sampling: dict[str, JSON] = {
            "temperature": options.temperature,
            "top_p": options.top_p,
        }

    def close(self, done: Delivery[Item, list[Rephrase]]) -> None:
        """End everything of one delivery."""
        item = done.item
        if isinstance(item, Refused):
            self._refuse(item)
            return
        opened = self._opened(item.original)
        chunk = self._chunk(item, opened, done)
        if done.error is None:
            for one in done.result:
                self._rephrase(item, one, chunk, opened)
            self._novelty.add(item.text, {
                one.style.name: one.read.said
                for one in done.result
                if one.read and one.read.text is not None and one.reason is None
            })  # fmt: skip
            if any(one.reason is None and one.findings is not None for one in done.result):
                opened.kept += item.n_tokens
        opened.left -= 1
        if not opened.left:
            self._finish(item.original, opened)

    def note(self) -> None:
        """Leave what was counted for manifest and report."""
        run = self._run
        run.note("coverage", self._coverage.form())
        run.note("by_topic", self._topics.form())
        run.note("tokens", self._tokens.form())
        run.note("novelty", self._novelty.form())
        run.note("audit", self._audit.form())

    def _refuse(self, item: Refused) -> None:
        row = item.unread.row()
        candidate = self._documents.enter(row, order=(item.number,))
        candidate.reject(item.unread.reason)

    def _opened(self, original: Original) -> _Open:
        found = self._open.get(original.number)
        if found is None:
            row: dict[str, JSON] = {
                "id": original.id,
                **original.facts,
                "n_chunks": original.n_chunks,
                "n_tokens": original.n_tokens,
            }
            candidate = self._documents.enter(row, order=(original.number,))
            found = self._open[original.number] = _Open(candidate, original.n_chunks)
        return found

    def _finish(self, original: Original, opened: _Open) -> None:
        """End a document, with how much of it is in the data, by tokens."""
        del self._open[original.number]
        self._coverage.add(opened.kept, original.n_tokens, opened.covered, opened.asked)
        by_style: dict[str, JSON] = {
            name: share(opened.covered[name], tokens)
            for name, tokens in sorted(opened.asked.items())
        }
        opened.candidate.keep(
            {
                "coverage": share(opened.kept, original.n_tokens),
                "coverage_by_style": by_style,
                "ends": dict(sorted(opened.ends.items())),
            }
        )

    def _chunk(
        self, item: Passage, opened: _Open, done: Delivery[Item, list[Rephrase]]
    ) -> Candidate:
        """End the chunk; one that passes unchanged enters the data."""
        order = (item.original.number, item.index)
        parents = (opened.candidate.id,)
        candidate = self._chunks.enter(item.row(), order=order, parents=parents)
        if done.error is not None:  # a defect of ours: nothing else raises out of the work
            candidate.fail(done.error)
            opened.ends[f"failed {done.error.kind}"] += 1
        elif item.reason is not None:
            candidate.reject(item.reason, item.score)
            opened.ends[item.reason] += 1
        else:
            candidate.keep({"styles": [style.name for style in item.styles]})
            if item.is_unchanged:
                self._unchanged(item, candidate, opened)
        return candidate

    def _unchanged(self, item: Passage, chunk: Candidate, opened: _Open) -> None:
        payload = {
            **self._head(item, UNCHANGED, ""),
            "text": item.text,
            "n_tokens": item.n_tokens,
            "kind": "real",
        }
        self._enter(self._rephrases, item, UNCHANGED, payload, chunk, ()).keep()
        opened.ends[UNCHANGED] += 1
        opened.kept += item.n_tokens

    def _rephrase(self, item: Passage, one: Rephrase, chunk: Candidate, opened: _Open) -> None:
        """End one answer, and, if it has a text, one rephrase."""
        name = one.style.name
        end = self._answer(item, one, chunk)
        if end is None:
            end = self._gate(item, one, chunk)
        opened.ends[end or "kept"] += 1
        opened.asked[name] += item.n_tokens
        if end is None:
            opened.covered[name] += item.n_tokens
        self._topics.add(item.original.facts.get("topic"), end)
        self._tokens.add(one)

    def _answer(self, item: Passage, one: Rephrase, chunk: Candidate) -> str | None:
        """End the answer; why it has no text, or None if it has one."""
        payload = self._head(item, one.style.name, one.style.template_id(one.number))
        completion, read = one.completion, one.read
        if completion is not None:
            payload |= {"finish_reason": completion.finish_reason}
            if read is not None and read.text is None:
                payload |= {"raw": completion.text, "text": None, "drop_reason": read.reason}
            if read is not None and read.lost:
                payload["lost"] = read.lost
        candidate = self._enter(self._answers, item, one.style.name, payload, chunk, one.keys)
        if one.error is not None:
            candidate.fail(one.error)
            return f"failed {one.error.kind}"
        if read is None:
            candidate.reject("too_short", float(item.n_tokens))
            return "too_short"
        if read.text is None:
            candidate.reject(read.reason or "unread", read.score)
            return read.reason or "unread"
        candidate.keep()
        return None

    def _gate(self, item: Passage, one: Rephrase, chunk: Candidate) -> str | None:
        """End the rephrase; why it is rejected, or None if it is kept."""
        assert one.completion is not None and one.read is not None and one.findings is not None
        text = one.read.text or ""
        if self._options.append_questions and one.style.form == "questions":
            text = f"{item.text}\n\n{text}"
        n_tokens = self._count(text)
        findings = one.findings
        payload: dict[str, JSON] = {
            **self._head(item, one.style.name, one.style.template_id(one.number)),
            "text": text,
            "raw": one.completion.text,
            "kind": "synthetic",
            "model": one.completion.model or self._run.origin.models.get(GENERATOR, ""),
            "sampling": {**self._sampling, "max_tokens": one.style.output_tokens},
            "seed": self._run.seed,
            "finish_reason": one.completion.finish_reason,
            "drop_reason": one.reason,
            "n_tokens": n_tokens,
            "len_ratio": round(findings.length_ratio, 4),
            "coverage": round(findings.coverage, 4),
            "copied_ratio": round(findings.copied, 4),
            "sim": one.similarity,
        }
        if findings.all:
            payload["findings"] = [asdict(found) for found in findings.all[:_MOST_FINDINGS]]
        if one.audit is not None:
            payload["audit"] = {"value": one.audit.value, "reason": one.audit.reason}
            self._audit.add(one.reason is None, one.audit)
        candidate = self._enter(self._rephrases, item, one.style.name, payload, chunk, one.keys)
        if one.reason is not None:
            candidate.reject(one.reason, one.score)
            return one.reason
        candidate.keep()
        self._tokens.keep(one.style.name, n_tokens)
        return None

    def _head(self, item: Passage, style: str, template_id: str) -> dict[str, JSON]:
        """What every record says of where it comes from."""
        return {
            "doc_id": item.original.id,
            "chunk_id": item.id,
            "chunk": item.index,
            "n_chunks": item.original.n_chunks,
            "style": style,
            "template_id": template_id,
            **item.original.facts,
        }

    def _enter(
        self,
        stage: Stage,
        item: Passage,
        style: str,
        payload: Mapping[str, JSON],
        chunk: Candidate,
        keys: Sequence[str],
    ) -> Candidate:
        order = (item.original.number, item.index, self._places[style])
        depth = 1 if keys else 0  # what passes unchanged is a human's
        return stage.enter(payload, order=order, parents=(chunk.id,), keys=keys, parent_depth=depth)
