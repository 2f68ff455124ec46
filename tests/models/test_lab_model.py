"""Claim: the lab's answers are the same bits whatever else is asked, and those of its weights."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import pytest

torch = pytest.importorskip("torch", reason="needs the extra `local`")
pytest.importorskip("transformers", reason="needs the extra `local`")

from selfsown.core.errors import ConfigError  # noqa: E402
from selfsown.core.model import AttemptFailed, Model  # noqa: E402
from selfsown.core.request import Request, message  # noqa: E402
from selfsown.models.lab import WEIGHTS, load_model, read_config, use_one_thread  # noqa: E402
from selfsown.models.llama import row_quantum  # noqa: E402
from selfsown.models.uri import open_model  # noqa: E402
from selfsown.testing.conformance import check_model  # noqa: E402

T = TypeVar("T")


def _lab(folder: Path) -> Model:
    return open_model(f"lab:{folder}")


def _requests(count: int) -> list[Request]:
    """Prompts of 10 to 200 tokens with every kind of sampling; some share their beginning."""
    opening = "Task: Give the capital of France.\nOutput: Paris\n\n"
    return [
        Request(
            prompt=opening * (i % 8) + f"Task {i}: Sort the list.\nOutput:",
            max_tokens=1 + i * 7 % 40,
            temperature=(0.0, 0.7, 1.0, 1.4)[i % 4],
            top_p=(1.0, 0.9, 0.5)[i % 3],
            presence_penalty=0.5 * (i % 5 == 0),
            frequency_penalty=0.3 * (i % 7 == 0),
            stop=("\n\n", "a")[: i % 3],
            seed=1000 + i,
        )
        for i in range(count)
    ]


async def _answers(model: Model, requests: Sequence[Request], concurrency: int) -> list[str]:
    gate = asyncio.Semaphore(concurrency)

    async def ask(request: Request) -> str:
        async with gate:
            try:
                completion = (await model.attempt(request)).completion
            except AttemptFailed as failure:
                assert failure.kind == "empty"
                assert failure.completion is not None
                completion = failure.completion
        usage = completion.usage
        counts = f"{usage.input_tokens}+{usage.output_tokens}"
        return f"{completion.finish_reason} {counts} {completion.text}"

    return list(await asyncio.gather(*map(ask, requests)))


def _on_one_thread(work: Callable[[], T]) -> T:
    """Run as the lab's own thread runs, without changing torch in the thread of the tests."""
    results: list[T] = []

    def target() -> None:
        use_one_thread()
        with torch.inference_mode():
            results.append(work())

    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
    return results[0]


async def test_texts_are_the_same_bits_at_every_concurrency(tiny_llama: Path) -> None:
    requests = _requests(48)
    model = _lab(tiny_llama)
    alone = await _answers(model, requests, 1)
    assert len(set(alone)) > 40
    for concurrency in (2, 5, 17, 48):
        assert await _answers(model, requests, concurrency) == alone
    await model.close()
    fresh = _lab(tiny_llama)
    assert await _answers(fresh, requests[::-1], 31) == alone[::-1]
    await fresh.close()


def test_logits_are_the_same_bits_in_every_place_among_any_neighbours(tiny_llama: Path) -> None:
    shape, end = read_config("lab", tiny_llama)

    def work() -> set[bytes]:
        decoder = load_model(tiny_llama, shape, end).decoder
        numbers = torch.Generator().manual_seed(3)

        def ids(length: int) -> list[int]:
            return torch.randint(2, 300, (length,), generator=numbers).tolist()

        mine, seen = ids(70), set()
        for size in (1, 2, 4, 7, 16, 32):
            for place in sorted({0, 1, size // 2, size - 1} & set(range(size))):
                prompts = [ids(int(n)) for n in torch.randint(1, 200, (size,), generator=numbers)]
                prompts[place] = mine
                first = decoder.start(prompts)[place]
                steps = [decoder.step([9] * size)[place] for _ in range(3)]
                seen.add(b"".join(row.numpy().tobytes() for row in (first, *steps)))
                decoder.keep([])
        return seen

    assert len(_on_one_thread(work)) == 1


def test_logits_are_those_of_transformers(tiny_llama: Path) -> None:
    from transformers import LlamaForCausalLM

    reference = LlamaForCausalLM.from_pretrained(tiny_llama).eval()
    shape, end = read_config("lab", tiny_llama)
    middle = list(range(300, 364))  # the same second chunk behind two different first ones
    prompts = [[5, 6, 7, *[8] * 61, *middle, 9], [*[6] * 64, *middle, 9], [11] * 64]

    def work() -> float:
        decoder = load_model(tiny_llama, shape, end).decoder
        logits = [decoder.start(prompts), decoder.step([3, 4, 5])]
        decoder.keep([2, 1])
        logits.append(decoder.step([8, 9]))
        whole = [[*p, t] for p, t in zip(prompts, (3, 4, 5), strict=True)]
        asked = [prompts, whole, [[*whole[2], 8], [*whole[1], 9]]]
        worst = 0.0
        for mine, rows in zip(logits, asked, strict=True):
            for row, ids in zip(mine, rows, strict=True):
                theirs = reference(torch.tensor([ids])).logits[0, -1]
                worst = max(worst, float((row - theirs).abs().max()))
        return worst

    assert _on_one_thread(work) < 1e-4  # logits spread over +-10; fp32 rounds at 1e-6


async def test_lab_and_hf_say_the_same_with_the_same_seed(tiny_llama: Path) -> None:
    requests = _requests(24)
    lab, hf = _lab(tiny_llama), open_model(f"hf:{tiny_llama}")
    assert await _answers(lab, requests, 24) == await _answers(hf, requests, 24)
    await lab.close()
    await hf.close()


async def test_a_call_that_is_cancelled_changes_no_other_answer(tiny_llama: Path) -> None:
    requests = _requests(16)
    model = _lab(tiny_llama)
    expected = await _answers(model, requests, 1)
    tasks = [asyncio.create_task(model.attempt(request)) for request in requests]
    await asyncio.wait(tasks[1:2])
    for task in tasks[2::3]:
        task.cancel()
    await asyncio.wait(tasks)
    for i, task in enumerate(tasks):
        if not task.cancelled() and task.exception() is None:
            assert task.result().completion.text == expected[i].split(" ", 2)[2]
    await model.close()


async def test_the_context_ends_the_answer_and_a_longer_prompt_is_refused(tiny_llama: Path) -> None:
    model = _lab(tiny_llama)
    fits = Request(prompt="word " * 100, max_tokens=1000, temperature=2.0)
    # An untrained model ends by chance about once in 2,048 tokens, so not every seed runs on.
    completions = [(await model.attempt(fits, seed=seed)).completion for seed in range(1, 6)]
    completion = max(completions, key=lambda each: each.usage.output_tokens)
    usage = completion.usage
    assert completion.finish_reason == "length"
    assert usage.input_tokens + usage.output_tokens == 256 == model.capabilities.context_tokens
    with pytest.raises(AttemptFailed, match="context of 256 leaves no room") as caught:
        await model.attempt(Request(prompt="word " * 400, max_tokens=1), seed=1)
    assert caught.value.kind == "context_length"
    await model.close()


async def test_it_keeps_the_contract_of_a_backend(tiny_llama: Path) -> None:
    await check_model(lambda: _lab(tiny_llama))


async def test_messages_and_unknown_parameters_are_refused(tiny_llama: Path) -> None:
    model = _lab(tiny_llama)
    for request, said in (
        (Request(messages=(message("user", "hi"),)), "base model"),
        (Request(prompt="hi", logprobs=2), "log-probabilities"),
        (Request(prompt="hi", extra={"top_k": 3}), "'top_k'"),
    ):
        with pytest.raises(AttemptFailed, match=said) as caught:
            await model.attempt(request)
        assert caught.value.kind == "bad_request"
    await model.close()


async def test_a_seed_in_the_request_wins_over_the_seed_of_the_call(tiny_llama: Path) -> None:
    model = _lab(tiny_llama)
    free, fixed = (Request(prompt="One:", max_tokens=12, seed=seed) for seed in (None, 5))
    texts = [
        (await model.attempt(request, seed=seed)).completion.text
        for request, seed in ((free, 5), (free, 6), (fixed, 5), (fixed, 6))
    ]
    assert texts[0] == texts[2] == texts[3] != texts[1]
    await model.close()


def test_opening_a_model_imports_neither_torch_nor_transformers(tiny_llama: Path) -> None:
    code = (
        "import sys; from selfsown.models.uri import open_model\n"
        f"for scheme in ('lab', 'hf'): assert open_model(scheme + ':{tiny_llama}').identity\n"
        "assert not {'torch', 'transformers', 'numpy', 'safetensors'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_process_that_forgets_to_close_a_model_ends_by_itself(tiny_llama: Path) -> None:
    code = (
        "import asyncio; from selfsown.core.request import Request\n"
        "from selfsown.models.uri import open_model\n"
        "async def main():\n"
        f"    model = open_model('lab:{tiny_llama}')\n"
        "    tasks = [asyncio.ensure_future(model.attempt(Request(prompt='x', max_tokens=n)))"
        " for n in (1, 200)]\n"
        "    await tasks[0]\n"
        "asyncio.run(main())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_identity_follows_what_decides_the_answers(tiny_llama: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(tiny_llama, tmp_path / "copy"))
    (copy / "README.md").write_text("a card decides nothing")
    assert _lab(copy).identity == _lab(tiny_llama).identity
    weights = copy / "model.safetensors"
    changed = bytearray(weights.read_bytes())
    changed[-1] ^= 1
    weights.write_bytes(changed)
    assert _lab(copy).identity != _lab(tiny_llama).identity


def test_a_folder_of_another_kind_is_refused_with_its_reason(
    tiny_llama: Path, tmp_path: Path
) -> None:
    config = json.loads((tiny_llama / "config.json").read_bytes())
    for change, said in (
        ({"model_type": "gpt2"}, "model_type is `gpt2`"),
        ({"num_key_value_heads": 2}, "fewer heads"),
        ({"rope_parameters": {"rope_type": "llama3", "rope_theta": 1.0}}, "scaled"),
    ):
        (tmp_path / "config.json").write_text(json.dumps(config | change))
        with pytest.raises(ConfigError, match=said):
            _lab(tmp_path)
    with pytest.raises(ConfigError, match="no-such"):
        _lab(tmp_path / "no-such")


async def test_broken_weights_fail_every_call_with_a_reason(
    tiny_llama: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(tiny_llama, tmp_path / "copy"))
    (copy / "model.safetensors").write_bytes(b"\0" * 100)
    model = _lab(copy)
    for _ in range(2):
        with pytest.raises(AttemptFailed, match="weights cannot be read") as caught:
            await model.attempt(Request(prompt="x"))
        assert caught.value.kind == "local"
    await model.close()


def test_a_product_that_depends_on_the_row_has_no_quantum(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    weight = torch.randn(128, 64, generator=torch.Generator().manual_seed(0))
    assert _on_one_thread(lambda: row_quantum(weight, 32)) in (4, 8, 16, 32)
    linear = torch.nn.functional.linear

    def uneven(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return linear(x, weight) + 1e-6 * torch.arange(len(x))[:, None]

    monkeypatch.setattr("torch.nn.functional.linear", uneven)
    assert _on_one_thread(lambda: row_quantum(weight, 32)) == 0


async def test_where_rows_influence_each_other_they_are_generated_one_by_one(
    tiny_llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = _requests(8)
    usual = _lab(tiny_llama)
    expected = await _answers(usual, requests, 8)
    await usual.close()
    monkeypatch.setattr("selfsown.models.llama.row_quantum", lambda weight, rows: 0)
    careful = _lab(tiny_llama)
    assert await _answers(careful, requests, 8) == expected  # other bits, the same tokens
    await careful.close()


def test_the_decoder_of_a_worker_leaves_other_threads_their_cores() -> None:
    before = torch.get_num_threads()
    assert _on_one_thread(torch.get_num_threads) == 1
    assert torch.get_num_threads() == before


@pytest.mark.skipif(not (WEIGHTS / "model.safetensors").is_file(), reason="no shipped weights yet")
async def test_the_shipped_weights_answer_the_same_at_every_concurrency() -> None:
    requests = _requests(24)
    model = open_model("lab")
    assert model.capabilities.batch_invariant
    assert await _answers(model, requests, 1) == await _answers(model, requests, 24)
    await model.close()
