"""Tokens per CPU-second of the local backends, beside `transformers.generate`, on the same calls.

Each call is a few-shot prompt with an answer of up to 80 tokens, sampled at temperature 0.9 and
top-p 0.95, ended by a blank line. Counted are the tokens up to that end, by all three in the same
way; `generate` gets the calls sorted by length in batches of 32, and the stop string. One thread,
CPU time of the whole process, model loaded before. Also printed: how many texts change when the
calls of `hf` are generated one by one instead of sixteen at a time, in fp32 and in bf16.

    python -m benchmarks.local_generation [--calls 96] [--compared 200] [MODEL FOLDER]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks.record import Record

from selfsown.core.model import AttemptFailed, Model
from selfsown.core.randomness import rng_for
from selfsown.core.request import JSON, Completion, Request
from selfsown.models.lab import WEIGHTS
from selfsown.models.uri import open_model

_STOP = "\n\n"
_WORDS = ("red", "seven", "lion", "Paris", "monday", "apple", "teacher", "cold", "river", "nine")


def few_shot_calls(count: int) -> list[Request]:
    """Calls whose prompts hold two to eight worked examples."""
    rng = rng_for(0, "local_generation")
    calls = []
    for i in range(count):
        shots = []
        for _ in range(rng.randint(2, 8)):
            words = ", ".join(rng.sample(_WORDS, rng.randint(2, 5)))
            shots.append(f"Task: Sort the list.\nInput: {words}\nOutput: {words}{_STOP}")
        prompt = "".join(shots) + "Task:"
        calls.append(
            Request(
                prompt=prompt, max_tokens=80, temperature=0.9, top_p=0.95, stop=(_STOP,), seed=i
            )
        )
    return calls


async def generate_all(
    model: Model, calls: Sequence[Request], concurrency: int
) -> tuple[list[Completion], float]:
    """The answers, and the CPU-seconds they took."""
    gate = asyncio.Semaphore(concurrency)

    async def ask(request: Request) -> Completion:
        async with gate:
            try:
                return (await model.attempt(request)).completion
            except AttemptFailed as failure:
                if failure.completion is None:
                    raise
                return failure.completion

    await ask(calls[0])  # loads the model
    start = time.process_time()
    completions = list(await asyncio.gather(*map(ask, calls)))
    return completions, time.process_time() - start


def speed(completions: Sequence[Completion], seconds: float) -> float:
    """Generated tokens per CPU-second."""
    return sum(each.usage.output_tokens for each in completions) / seconds


def reference_speed(folder: Path, calls: Sequence[Request], batch: int) -> float:
    """Tokens per CPU-second of `transformers.generate` on the same calls."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    prompts = sorted((call.prompt or "" for call in calls), key=len)

    def run(texts: Sequence[str]) -> int:
        read = tokenizer(list(texts), return_tensors="pt", padding=True)
        made = model.generate(
            input_ids=read["input_ids"],
            attention_mask=read["attention_mask"],
            do_sample=True,
            temperature=0.9,
            top_p=0.95,
            top_k=0,
            max_new_tokens=80,
            stop_strings=[_STOP],
            tokenizer=tokenizer,
        )[:, read["input_ids"].shape[1] :]
        return sum(_useful(row, tokenizer) for row in made.tolist())

    run(prompts[:1])
    start = time.process_time()
    tokens = sum(run(prompts[at : at + batch]) for at in range(0, len(prompts), batch))
    return tokens / (time.process_time() - start)


def _useful(ids: Sequence[int], tokenizer: object) -> int:
    """Tokens of a row up to its end-of-text token or the stop string, that one included."""
    for count in range(1, len(ids) + 1):
        if ids[count - 1] in (tokenizer.eos_token_id, tokenizer.pad_token_id):  # type: ignore[attr-defined]
            return count
        if _STOP in tokenizer.decode(ids[:count]):  # type: ignore[attr-defined]
            return count
    return len(ids)


async def changed_share(folder: Path, calls: Sequence[Request], dtype: str) -> float:
    """Share of texts in [0, 1] that differ between sixteen rows at a time and one."""
    texts = []
    for rows in (16, 1):
        options: dict[str, JSON] = {"rows": rows, "dtype": dtype, "device": "cpu"}
        model = open_model({"uri": f"hf:{folder}", "options": options})
        completions, _ = await generate_all(model, calls, len(calls))
        texts.append([each.text for each in completions])
        await model.close()
    return sum(a != b for a, b in zip(*texts, strict=True)) / len(calls)


async def main() -> None:
    """Print one line per measurement."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", nargs="?", type=Path, default=WEIGHTS)
    parser.add_argument("--calls", type=int, default=96)
    parser.add_argument("--compared", type=int, default=200)
    parser.add_argument("--json", type=Path, help="write the result here")
    given = parser.parse_args()
    record = Record("Local generation: tokens per CPU-second beside transformers.generate")
    calls = few_shot_calls(given.calls)
    reference = reference_speed(given.folder, calls, 32)
    rows: list[tuple[str, float, str]] = [("transformers.generate, batch 32", reference, "1.00")]
    for name, concurrency in (("lab", 32), ("lab", 16), ("lab", 4), ("lab", 1), ("hf", 32)):
        settings: dict[str, JSON] = {"uri": f"{name}:{given.folder}"}
        if name == "hf":
            settings["options"] = {"rows": 32, "dtype": "float32", "device": "cpu"}
        model = open_model(settings)
        reached = speed(*await generate_all(model, calls, concurrency))
        await model.close()
        rows.append((f"`{name}:`, {concurrency} at a time", reached, f"{reached / reference:.2f}"))
        if (name, concurrency) == ("lab", 32):
            record.ratio("local generation: `lab:` / transformers.generate", reached / reference)
    record.table(
        f"{given.calls} few-shot calls of up to 80 tokens, one thread",
        ("backend", "tokens per CPU-s", "of generate"),
        rows,
    )
    compared = few_shot_calls(given.compared)
    for dtype in ("float32", "bfloat16"):
        share = await changed_share(given.folder, compared, dtype)
        record.note(f"`hf:` {dtype}: {share:.1%} of {len(compared)} texts change with the batch.")
    record.write(given.json)


if __name__ == "__main__":
    asyncio.run(main())
