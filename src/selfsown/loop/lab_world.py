"""The lab as a world of `selfsown mad`: a small transformer, trained anew in every generation.

Documents are instructions of the micro-world. Every generation is a Llama of two layers that begins
from the same weights, gets the same number of steps however much data there are, and so differs
from others by its training documents alone. Unlike a table of word pairs it generalises: it also
writes pairs that it never saw, right ones and wrong ones.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, Final

from selfsown.core.randomness import rng_for
from selfsown.curate.tokens import tokenize_unicode
from selfsown.guard.lexical import compression_ratio
from selfsown.guard.ngrams import HumanNgrams, NgramTable
from selfsown.guard.sample import first_tokens
from selfsown.lab.oracle import parse
from selfsown.lab.tokenizer import END_OF_TEXT_ID
from selfsown.lab.weights import weights_folder
from selfsown.lab.world import sample_instruction
from selfsown.models.generate import Generated, Generation, Prompt, Row
from selfsown.models.llama import LlamaDecoder
from selfsown.models.llama_weights import LlamaShape, gather_weights
from selfsown.models.local import require_packages
from selfsown.models.sampling import Sampling
from selfsown.models.stopping import Detokenizer, byte_table
from selfsown.models.torch_threads import torch_threads
from selfsown.train.pretrain import (
    Descent,
    Settings,
    build_model,
    padded_losses,
    rate_at,
)

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM

LENGTH: Final = 48
"""Most tokens of a document; the longest of 4,000 human ones has 45."""
ROWS: Final = 32
"""Documents of a training step."""
WORDS: Final = 8
"""Words per document of a batch at which word pairs are counted; human documents have 13."""
_SORTED_STEPS: Final = 8
"""Steps whose documents are sorted by length together, which saves padding."""


class LabWorld:
    """Instructions of the micro-world, and small transformers trained on them."""

    def __init__(self, seed: int = 0, batch: int = 2000, steps: int = 300, width: int = 96) -> None:
        """A world; nothing is trained yet.

        Args:
            seed: of every draw and of the first weights.
            batch: documents of a round.
            steps: training steps of every model, of `ROWS` documents.
            width: of the models; 96 gives 0.44 million parameters.

        Raises:
            MissingExtra: torch, transformers or tokenizers is not installed.
        """
        require_packages("--world lab", "tokenizers", "torch", "transformers")
        from tokenizers import Tokenizer

        self._seed, self.batch, self._steps = seed, batch, steps
        self._settings = Settings(
            tokens=0,
            seed=seed,
            hidden=width,
            layers=2,
            intermediate=3 * width,
            warmup_steps=min(20, steps),
        )
        self._tokenizer = Tokenizer.from_file(str(weights_folder() / "tokenizer.json"))
        self._held_out = self._encoded(self.human(batch // 2, draw=-1))
        self._reference = HumanNgrams(_words(self.human(batch, draw=-2)), 2)

    def human(self, count: int, draw: int) -> list[str]:
        """Instructions such as pretraining contains."""
        rng = rng_for(self._seed, "mad-lab human", draw)
        return [sample_instruction(rng, "seen").text for _ in range(count)]

    def joined(self, parts: list[list[str]]) -> list[str]:
        """All documents of the parts."""
        return list(chain.from_iterable(parts))

    def fit(self, documents: list[str]) -> LlamaForCausalLM:
        """A model trained from the world's first weights; its cost does not grow with the data."""
        with torch_threads(1):
            model = build_model(self._settings)
            descent = Descent(model, self._settings)
            rows = self._encoded(documents)
            for step, batch in enumerate(islice(self._batches(rows), self._steps)):
                losses, mask = padded_losses(model, batch)
                loss = (losses * mask).sum() / mask.sum()
                descent.step(loss, rate_at(step, step / self._steps, self._settings))
        return model.eval()

    def sample(
        self, model: LlamaForCausalLM, count: int, temperature: float, draw: int
    ) -> list[str]:
        """Documents of a model; one that does not end within `LENGTH` tokens is cut off.

        Rows that were drawn together do not touch each other (see `models.llama`).
        """
        import torch

        rng = rng_for(self._seed, f"mad-lab sample {temperature}", draw)
        texts = [""] * count
        waiting = deque(self._row(texts, at, temperature, rng) for at in range(count))
        with torch_threads(1), torch.inference_mode():
            generation = self._generation(model)
            while waiting or generation.rows:
                free = min(generation.free(len(waiting)), len(waiting))
                if free:
                    generation.start([waiting.popleft() for _ in range(free)])
                else:
                    generation.step()
        return texts

    def measure(self, documents: list[str], model: LlamaForCausalLM) -> Mapping[str, float]:
        """What a round's documents show, and the model's loss on held-out human ones.

        Distinct pairs and their entropy are counted at `WORDS` words per document of a batch, or at
        all words where there are fewer; `tasks` is the share of sentences of the world.
        """
        import numpy as np

        rows = _words(documents)
        table = NgramTable(rows, 2)
        budgeted = NgramTable(list(first_tokens(rows, WORDS * self.batch)), 2)
        every = np.ones(len(rows), dtype=bool)
        return {
            "distinct_2": budgeted.distinct(every),
            "entropy_2": budgeted.entropy(every),
            "rare_recall": self._reference.rare_recall(table)(every),
            "missing_mass": 1 - self._reference.covered_mass(table)(every),
            "unique_share": len(set(documents)) / len(documents),
            "compression_ratio": compression_ratio(documents),
            "tasks": sum(parse(document) is not None for document in documents) / len(documents),
            "nll": self._loss(model),
        }

    def _loss(self, model: LlamaForCausalLM) -> float:
        """Nats per held-out human token, the end of the document included."""
        import torch

        rows = sorted(self._held_out, key=len)
        total = count = 0.0
        with torch_threads(1), torch.no_grad():
            for start in range(0, len(rows), 100):
                losses, mask = padded_losses(model, rows[start : start + 100])
                total += float((losses * mask).sum())
                count += float(mask.sum())
        return total / count

    def _encoded(self, documents: Sequence[str]) -> list[list[int]]:
        """Tokens between two end-of-text tokens."""
        found = self._tokenizer.encode_batch(documents, add_special_tokens=False)
        return [[END_OF_TEXT_ID, *one.ids[:LENGTH], END_OF_TEXT_ID] for one in found]

    def _batches(self, rows: Sequence[Sequence[int]]) -> Iterator[list[Sequence[int]]]:
        """Endless batches, each epoch in another order; rows of like length together."""
        rng = rng_for(self._seed, "mad-lab order")
        span = ROWS * _SORTED_STEPS
        while True:
            order = rng.sample(rows, len(rows))
            batches = [
                part[at : at + ROWS]
                for start in range(0, len(order), span)
                for part in [sorted(order[start : start + span], key=len)]
                for at in range(0, len(part), ROWS)
            ]
            rng.shuffle(batches)
            yield from batches

    def _generation(self, model: LlamaForCausalLM) -> Generation:
        config = model.config
        shape = LlamaShape(
            vocabulary=config.vocab_size,
            width=config.hidden_size,
            layers=config.num_hidden_layers,
            heads=config.num_attention_heads,
            context=LENGTH + 1,
            norm_eps=config.rms_norm_eps,
            rope_theta=config.rope_parameters["rope_theta"],
        )
        decoder = LlamaDecoder(gather_weights(shape, model.state_dict()))
        table = byte_table(self._tokenizer, shape.vocabulary)
        detokenizer = Detokenizer(self._tokenizer.decode, table)
        return Generation(decoder, detokenizer, frozenset({END_OF_TEXT_ID}))

    def _row(self, texts: list[str], at: int, temperature: float, rng: random.Random) -> Row:
        """A document to write; its text goes to `texts[at]`."""

        def finish(outcome: object) -> None:
            if isinstance(outcome, Generated):
                texts[at] = outcome.text

        sampling = Sampling(rng.getrandbits(63), temperature)
        return Row(Prompt([END_OF_TEXT_ID], LENGTH, sampling=sampling), finish)


def _words(documents: Sequence[str]) -> list[list[str]]:
    return [tokenize_unicode(document) for document in documents]
