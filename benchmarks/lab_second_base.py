"""One round of `selfsown loop` on two bases, by a config that differs in `base` alone.

The second base is made here, from nothing, on the lab's corpus: GPT-NeoX instead of Llama, other
sizes, a byte-level BPE tokenizer of 1,500 entries that splits as GPT-2's does, puts nothing before
a text, ends texts with `<|stop|>` and has no padding token. It is kept in `--folder`, so a second
call only turns the loops. Printed are both result tables: what the generator wrote and what is
right of it by the oracle, what the guard said, and the scores of base and tuned model.

    python -m benchmarks.lab_second_base [--tokens 3000000] [--target 60] [--folder FOLDER]
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import yaml
from benchmarks.record import Record

from selfsown.lab.corpus import documents, text_of
from selfsown.loop.arms import precision
from selfsown.train.pretrain import Descent, Settings, rate_at, token_losses
from selfsown.train.token_stream import RowStream

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import GPTNeoXForCausalLM

START, STOP = "<|start|>", "<|stop|>"
STOP_ID = 1
ENTRIES, EMBEDDINGS = 1_500, 1_536
"""Of the tokenizer, and of the model: rounded up, as large models do."""
CONTEXT = 1_024
DOCUMENTS = 6_000
"""Which the tokenizer is trained on."""
REPORT_S = 30.0
CONFIG: Mapping[str, Any] = {
    "seeds": "lab:25",
    "suites": ["lab-plain", "lab-task"],
    "rounds": 1,
    "train": {"preset": "lab", "threads": 1, "micro_batch_size": 4},
    "guard": {"reference": "lab", "m": 400},
}
"""The same for both bases."""


def write_base(folder: Path, tokens: int, seed: int) -> None:
    """Train tokenizer and model and write them in Hugging Face form."""
    import torch
    from transformers import PreTrainedTokenizerFast, logging

    torch.set_num_threads(1)
    logging.disable_progress_bar()
    tokenizer = train_tokenizer(seed)
    settings = Settings(tokens, seed)
    model = build_model(seed)
    print(f"pretraining: {sum(p.numel() for p in model.parameters()):,} parameters", flush=True)
    for line in pretrain(model, tokenizer, settings):
        print(f"pretraining: {line}", flush=True)
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=START, eos_token=STOP, model_max_length=CONTEXT
    )
    wrapped.save_pretrained(folder)
    model.to(torch.bfloat16).save_pretrained(folder)


def train_tokenizer(seed: int) -> Tokenizer:
    """Byte-level BPE on the first documents of the corpus, split by GPT-2's expression."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=ENTRIES,
        special_tokens=[START, STOP],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = (text_of(document) for document in islice(documents(seed), DOCUMENTS))
    tokenizer.train_from_iterator(texts, trainer)
    assert tokenizer.token_to_id(STOP) == STOP_ID
    return tokenizer


def build_model(seed: int) -> GPTNeoXForCausalLM:
    """A freshly initialised GPT-NeoX of about a million parameters."""
    import torch
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

    torch.manual_seed(seed)
    config = GPTNeoXConfig(
        vocab_size=EMBEDDINGS,
        hidden_size=128,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=512,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=STOP_ID,
    )
    return GPTNeoXForCausalLM(config)


def pretrain(model: GPTNeoXForCausalLM, tokenizer: Tokenizer, settings: Settings) -> Iterator[str]:
    """Train with the lab's schedule, optimisers and loss; yields lines of progress."""
    descent = Descent(model, settings)
    stream = RowStream(tokenizer, settings.seed, end_id=STOP_ID)
    step = done = 0
    began = told = time.monotonic()
    while done < settings.tokens:
        progress = done / settings.tokens
        is_long = progress >= 1.0 - settings.long_share
        length = settings.long_rows if is_long else settings.short_rows
        count = settings.batch_tokens // length
        inputs, targets, weights = stream.next_rows(count, length)
        losses = token_losses(model, inputs, targets)
        loss = (losses * weights).sum() / weights.sum()
        descent.step(loss, rate_at(step, progress, settings))
        step, done = step + 1, done + count * length
        now = time.monotonic()
        if now - told > REPORT_S or done >= settings.tokens:
            told = now
            yield f"{done:,} tokens  loss {loss.item():.3f}  {now - began:.0f} s"


def turn(base: str, target: int, place: Path) -> dict[str, Any]:
    """Turn one round by the command line; what `loop.json` says, and the oracle's judgement."""
    place.mkdir(parents=True)
    file = place / "loop.yaml"
    file.write_text(yaml.safe_dump({**CONFIG, "base": base, "target": target}), encoding="utf-8")
    out = place / "loop"
    command = [sys.executable, "-m", "selfsown", "loop", str(file), "-o", str(out), "--json"]
    began = time.monotonic()
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if done.returncode not in (0, 1):  # 1: the guard ended the loop, which is a result
        raise SystemExit(done.returncode)
    data = out / "rounds" / "0" / "data.jsonl"
    right = precision(data) if data.is_file() else math.nan
    return {
        **json.loads(done.stdout)["loops"][0],
        "right": right,
        "seconds": time.monotonic() - began,
    }


def table(found: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """One column per base."""
    first = [one["rounds"][0] for one in found]
    rows: dict[str, list[object]] = {
        "candidates": [one["candidates"] for one in first],
        "accepted records": [one["accepted"] for one in first],
        "trained on": [one["kept"] for one in first],
        "right by the oracle": [f"{one['right']:.1%}" for one in found],
        "guard": [one["guard"] for one in first],
        "decision": [one["decision"] for one in first],
    }
    for place, score in enumerate(found[0]["base_scores"]):
        name = f"{score['suite']} {score['metric']}"
        rows[f"{name}, base"] = [shown(one["base_scores"][place]) for one in found]
        tuned = [one["scores"] for one in first]
        rows[f"{name}, tuned"] = [shown(one[place]) if one else "-" for one in tuned]
    rows["seconds"] = [f"{one['seconds']:.0f}" for one in found]
    return [(name, *map(str, values)) for name, values in rows.items()]


def shown(score: Mapping[str, Any]) -> str:
    """A score with its interval, in percent."""
    value, low, high = (100 * score["measure"][key] for key in ("value", "low", "high"))
    return f"{value:.1f} ({low:.1f}-{high:.1f})"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=3_000_000)
    parser.add_argument("--target", type=int, default=60)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--json", type=Path, help="write the result here")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.folder or Path(scratch) / "base"
        if not (folder / "model.safetensors").is_file():
            write_base(folder, given.tokens, given.seed)
        bases = {"lab": "lab", "second": str(folder)}
        found = [turn(base, given.target, Path(scratch) / name) for name, base in bases.items()]
    record = Record("The loop on two bases, by configs that differ in `base` alone")
    record.table(f"one round, target {given.target}", ("", "lab", "second base"), table(found))
    record.write(given.json)


if __name__ == "__main__":
    main()
