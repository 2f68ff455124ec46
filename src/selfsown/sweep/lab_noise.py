"""The noise world: students of noisy text, of its perfect rephrase, and of both.

WRAP's experiment (arXiv:2401.16380) where everything is known. Clean text are notes of the
micro-world. What there is to train on is those notes with typing errors, markup, foreign lines and
torn sentences. The rephraser is an oracle: it writes the facts of the clean note in other words and
another order, as prose or as questions, and errs never. Controls are augmentations of the noisy
text, which are no rephrases.

Differs from the paper: the student has 0.4 million parameters, the world some 4,000 facts, and the
rephraser reads the clean original. A model that rephrases what it reads is not here: the lab's
model writes worksheets and cannot follow such a request.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from selfsown.core.randomness import rng_for
from selfsown.core.request import JSON
from selfsown.lab.notes import Fact, Form, Note, answers_like, notes, spread_facts
from selfsown.sweep.arms import Arm
from selfsown.sweep.augment import with_deletions, with_synonyms
from selfsown.sweep.corrupt import corrupted
from selfsown.sweep.material import Design, SourceFile, lab_tokenizer, write_texts
from selfsown.sweep.measure import Cloze

NOISY: Final = "noisy"
ARMS: Final = (
    Arm("noisy only", {NOISY: 1.0}),
    Arm("prose only", {"prose": 1.0}),
    Arm("noisy and prose 1:1", {NOISY: 0.5, "prose": 0.5}),
    Arm("noisy and prose 2:1", {NOISY: 2 / 3, "prose": 1 / 3}),
    Arm("noisy and synonyms 1:1", {NOISY: 0.5, "synonyms": 0.5}),
    Arm("noisy and deletions 1:1", {NOISY: 0.5, "deletions": 0.5}),
    Arm("questions only", {"questions": 1.0}),
    Arm("noisy and questions 1:1", {NOISY: 0.5, "questions": 0.5}),
)
_HELD_OUT_SEED: Final = 7_919_001
_TASK_SEED: Final = 7_919_002


@dataclass(frozen=True, slots=True)
class NoiseWorld:
    """The material of the experiment."""

    notes: int = 2_400
    """Of a seed, in every source; about 0.33 million tokens when they are clean."""
    held_out_notes: int = 120
    """Of each held-out set; the sets have the same notes, which no student reads."""
    task_pairs: int = 150
    """Facts to complete, each as prose and as questions."""

    def identity(self) -> Mapping[str, JSON]:
        """The world's name and sizes."""
        return {"material": "lab noise", **asdict(self)}

    def tokenizer(self, folder: Path) -> Path:
        """That of the lab's model."""
        return lab_tokenizer()

    def sources(self, folder: Path, seed: int) -> Mapping[str, SourceFile]:
        """Noisy, rephrased and augmented notes; other seeds have other notes."""
        own = list(islice(notes(seed), self.notes))
        noisy = [(note.id, corrupted(note.text(), seed, note.id)) for note in own]
        made = {
            NOISY: noisy,
            "prose": [(note.id, _rephrased(note, "prose", seed)) for note in own],
            "questions": [(note.id, _rephrased(note, "questions", seed)) for note in own],
            "synonyms": [(name, with_synonyms(text, seed, name)) for name, text in noisy],
            "deletions": [(name, with_deletions(text, seed, name)) for name, text in noisy],
        }
        return {
            name: write_texts(folder / f"{name}.jsonl", texts, prefix=name, is_real=name == NOISY)
            for name, texts in made.items()
        }

    def held_out(self) -> Mapping[str, Sequence[str]]:
        """The same notes clean, noisy, and as questions."""
        own = list(islice(notes(_HELD_OUT_SEED), self.held_out_notes))
        return {
            "clean": [note.text() for note in own],
            "noisy": [corrupted(note.text(), _HELD_OUT_SEED, note.id) for note in own],
            "questions": [_rephrased(note, "questions", _HELD_OUT_SEED) for note in own],
        }

    def tasks(self) -> Sequence[Cloze]:
        """Facts to complete, with at most three wrong ends each."""
        return list(islice(_tasks(), 2 * self.task_pairs))


def noise_design(world: NoiseWorld | None = None) -> Design:
    """The experiment as a sweep."""
    return Design(world or NoiseWorld(), ARMS, ARMS[0].name, ("clean", "noisy"))


def _tasks() -> Iterator[Cloze]:
    rng = rng_for(_TASK_SEED, "sweep-noise tasks")
    for number, fact in enumerate(spread_facts()):
        wrong = [answer for answer in answers_like(fact) if answer != fact.answer]
        ends = [fact.answer, *rng.sample(wrong, min(3, len(wrong)))]
        if len(ends) > 1 and fact.sentences[0].endswith(f" is {fact.answer}."):
            yield from _in_both_forms(f"fact-{number}", fact, ends, rng)


def _in_both_forms(name: str, fact: Fact, ends: list[str], rng: random.Random) -> Iterator[Cloze]:
    begin = rng.choice(fact.sentences).removesuffix(f" {fact.answer}.")
    yield Cloze(f"{name}-prose", "prose", begin, tuple(f" {end}." for end in ends))
    begin = f"Question: {fact.question}\nAnswer:"
    yield Cloze(f"{name}-questions", "questions", begin, tuple(f" {end}\n" for end in ends))


def _rephrased(note: Note, form: Form, seed: int) -> str:
    rng = rng_for(seed, f"sweep-noise {form} {note.id}")
    return note.rephrased(form, rng)
