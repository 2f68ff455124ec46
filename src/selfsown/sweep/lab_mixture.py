"""The mixture experiment: how much of the tokens may a model have written?

Cosmopedia's ablation (spec 8.10) in the micro-world. Real text is the lab's corpus, whose grammar
stands for people; synthetic text was really written by a model, the lab's own: it goes on from the
first tokens of the real documents, as seeded generation does. Held-out text is real, one set per
kind of document; tasks are facts to complete and the lab's suite, right ends against wrong ones.

Differs from Cosmopedia: the writer continues and follows no instruction; it has read more of the
corpus than the students, as a large writer has of the web; students have 0.4 million parameters.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

from selfsown.core.randomness import rng_for
from selfsown.core.request import JSON
from selfsown.lab.corpus import DOCUMENT_SHARES, documents_by_kind, text_of
from selfsown.lab.suites import demonstrations_for, load_suite, prompt_for
from selfsown.lab.tokenizer import END_OF_TEXT_ID
from selfsown.lab.world import parse_instruction, sample_item
from selfsown.models.generate import Generated, Generation, Prompt, Row
from selfsown.models.lab import WEIGHTS, load_model, read_config
from selfsown.models.sampling import Sampling
from selfsown.models.torch_threads import torch_threads
from selfsown.sweep.arms import ratio_arms
from selfsown.sweep.material import Design, SourceFile, lab_tokenizer, write_texts
from selfsown.sweep.measure import Cloze

REAL: Final = "corpus"
WRITTEN: Final = "synthetic"
SEED_TOKENS: Final = 16
"""First tokens of a real document that the writer goes on from; they stay in its text."""
LONGEST: Final = 480
"""Most tokens that it adds; one document in fifty of the corpus is longer."""
_CORPUS_SEED: Final = 40_000_000
"""The corpus of seed k is that of this plus k; the writer was trained on that of another."""
_HELD_OUT_SEED: Final = 7_919_003
_TASK_SEED: Final = 7_919_004
_SHOWN: Final = 2
"""Demonstrations before a task of the suite, without which the layout alone asks for a blank."""


@dataclass(frozen=True, slots=True)
class MixtureWorld:
    """The material of the experiment."""

    documents: int = 2_600
    """Of a seed; about 0.5 million tokens real, and as many written."""
    real_documents: int | None = None
    """The first of these that students may read; None: all. The writer goes on from all."""
    temperature: float = 0.8
    """Of the writer."""
    held_out_documents: int = 30
    """Of each kind."""
    fact_tasks: int = 150
    suite_tasks: int = 200

    def identity(self) -> Mapping[str, JSON]:
        """The world's name and sizes."""
        given = {name: value for name, value in asdict(self).items() if value is not None}
        return {"material": "lab mixture", **given}

    def tokenizer(self, folder: Path) -> Path:
        """That of the lab's model."""
        return lab_tokenizer()

    def sources(self, folder: Path, seed: int) -> Mapping[str, SourceFile]:
        """Documents of the corpus, and what the model wrote from their beginnings."""
        stream = islice(documents_by_kind(_CORPUS_SEED + seed), self.documents)
        own = [(f"{kind}-{n}", text_of(made)) for n, (kind, made) in enumerate(stream)]
        readable = own[: self.real_documents]
        real = write_texts(folder / f"{REAL}.jsonl", readable, prefix=REAL, is_real=True)
        path = folder / f"{WRITTEN}.jsonl"
        if path.exists():  # the dear part of a sweep that was killed and goes on
            return {REAL: real, WRITTEN: SourceFile(path, "synthetic")}
        texts = written([text for _, text in own], seed, self.temperature)
        pairs = zip([name for name, _ in own], texts, strict=True)
        return {REAL: real, WRITTEN: write_texts(path, pairs, prefix=WRITTEN, is_real=False)}

    def held_out(self) -> Mapping[str, Sequence[str]]:
        """Kind → documents of the corpus that neither students nor writer have seen."""
        found: dict[str, list[str]] = {kind: [] for kind in DOCUMENT_SHARES}
        for kind, document in documents_by_kind(_HELD_OUT_SEED):
            if len(found[kind]) < self.held_out_documents:
                found[kind].append(text_of(document))
            if all(len(texts) == self.held_out_documents for texts in found.values()):
                return found
        raise AssertionError("the corpus is endless")

    def tasks(self) -> Sequence[Cloze]:
        """Facts, then items of the suite."""
        return [*islice(_facts(), self.fact_tasks), *islice(_suite(), self.suite_tasks)]


SCARCE: Final = MixtureWorld(real_documents=520)
"""A fifth of the real text: of a million tokens, students of it alone read it ten times."""


def mixture_design(world: MixtureWorld | None = None) -> Design:
    """The experiment as a sweep."""
    arms = tuple(ratio_arms({REAL: 1.0}, [WRITTEN]))
    return Design(world or MixtureWorld(), arms, arms[0].name, tuple(DOCUMENT_SHARES))


def written(texts: Sequence[str], seed: int, temperature: float) -> list[str]:
    """What the lab's model makes of the beginning of each text; about 3,000 tokens a second.

    A text that does not end within `LONGEST` tokens is cut off.
    """
    import torch
    from tokenizers import Tokenizer

    tokenizer: Tokenizer = Tokenizer.from_file(str(WEIGHTS / "tokenizer.json"))
    model = load_model(WEIGHTS, *read_config("lab", WEIGHTS))
    found = [""] * len(texts)
    rng = rng_for(seed, "sweep-mixture writer")
    encoded = tokenizer.encode_batch(list(texts), add_special_tokens=False)
    waiting: deque[Row] = deque()
    for at, begin in enumerate(one.ids[:SEED_TOKENS] for one in encoded):
        sampling = Sampling(rng.getrandbits(63), temperature)
        prompt = Prompt([END_OF_TEXT_ID, *begin], LONGEST, sampling=sampling)
        waiting.append(Row(prompt, partial(_finish, found, at, tokenizer.decode(begin))))
    with torch_threads(1), torch.inference_mode():
        generation = Generation(model.decoder, model.detokenizer, model.end)
        while waiting or generation.rows:
            if free := min(generation.free(len(waiting) + len(generation.rows)), len(waiting)):
                generation.start([waiting.popleft() for _ in range(free)])
            else:
                generation.step()
    return found


def _finish(found: list[str], at: int, begin: str, outcome: object) -> None:
    if isinstance(outcome, Exception):
        raise outcome
    if isinstance(outcome, Generated):
        found[at] = begin + outcome.text


def _facts() -> Iterator[Cloze]:
    """Sentences of the corpus about words of the world, without their last word."""
    from selfsown.lab.notes import answers_like, spread_facts

    rng = rng_for(_TASK_SEED, "sweep-mixture facts")
    for number, fact in enumerate(spread_facts()):
        wrong = [answer for answer in answers_like(fact) if answer != fact.answer]
        end = f" {fact.answer}."
        if wrong and fact.sentences[0].endswith(f" is{end}"):
            ends = rng.sample(wrong, min(3, len(wrong)))
            begin = rng.choice(fact.sentences).removesuffix(end)
            choices = (end, *(f" {other}." for other in ends))
            yield Cloze(f"fact-{number}", "facts", begin, choices)


def _suite() -> Iterator[Cloze]:
    """Items of the suite; wrong ends are right answers of the same task to other inputs."""
    items = load_suite()
    pool = [item for item in items if item.part == "demonstration"]
    rng = rng_for(_TASK_SEED, "sweep-mixture suite")
    asked = [item for item in items if item.part != "demonstration"]
    for item in rng.sample(asked, len(asked)):
        found = parse_instruction(item.instruction)
        if found is None:
            continue
        others = {sample_item(rng, found).answer for _ in range(8)} - {item.reference}
        ends = sorted(others)[:3]
        if ends and item.reference.strip():
            shown = demonstrations_for(item, pool, _SHOWN)
            prompt = prompt_for(item, "task", shown)
            choices = tuple(f" {end}\n" for end in (item.reference, *ends))
            yield Cloze(item.id, "suite", prompt, choices)
