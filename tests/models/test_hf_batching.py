"""Claim: the worker thread loses no call, whatever is dropped, breaks or runs out of memory."""

from __future__ import annotations

import queue
import threading
import warnings
from collections.abc import Callable, Sequence

import pytest

torch = pytest.importorskip("torch", reason="needs the extra `local`")

from selfsown.core.model import AttemptFailed  # noqa: E402
from selfsown.core.request import Request  # noqa: E402
from selfsown.models.batching import Call, GenerationThread, LoadedModel  # noqa: E402
from selfsown.models.generate import Prompt  # noqa: E402
from selfsown.models.sampling import Sampling  # noqa: E402
from selfsown.models.stopping import Detokenizer  # noqa: E402

_VOCABULARY = 64


class CountingDecoder:
    """Always predicts the last token plus one; remembers what it was asked to do together."""

    def __init__(self, *, joins: bool, rows: int = 4, memory: int = 10**9) -> None:
        self.joins = joins
        self.rows = rows
        self.memory = memory
        self.started: list[list[int]] = []
        self.before_start: Callable[[], None] = lambda: None
        self.before_step: Callable[[], None] = lambda: None
        self.live: list[int] = []

    def start(self, prompts: Sequence[Sequence[int]]) -> torch.Tensor:
        self.before_start()
        self.started.append([len(prompt) for prompt in prompts])
        if len(self.live) + len(prompts) > self.memory:
            raise torch.OutOfMemoryError("this GPU is full")
        self.live += [prompt[-1] for prompt in prompts]
        return self._logits(self.live[-len(prompts) :])

    def step(self, tokens: Sequence[int]) -> torch.Tensor:
        self.before_step()
        assert len(tokens) == len(self.live)
        self.live = list(tokens)
        return self._logits(self.live)

    def keep(self, rows: Sequence[int]) -> None:
        assert all(row >= i for i, row in enumerate(rows)), "a row moved away from the front"
        self.live = [self.live[row] for row in rows]

    def _logits(self, last: Sequence[int]) -> torch.Tensor:
        return torch.nn.functional.one_hot(torch.tensor(last) + 1, _VOCABULARY).float()


def _model(decoder: CountingDecoder) -> LoadedModel:
    """A prompt of n letters is the tokens 1..n; token 60 ends; token t reads `t `."""

    def encode(request: Request, seed: int) -> Prompt:
        prompt = request.prompt or ""
        if prompt == "refuse":
            raise AttemptFailed("bad_request", "refused")
        ids = list(range(1, len(prompt) + 1))
        return Prompt(ids, request.max_tokens, request.stop, Sampling(seed, temperature=0.0))

    detokenizer = Detokenizer(lambda ids: "".join(f"{token} " for token in ids))
    return LoadedModel(decoder, detokenizer, frozenset({60}), encode)


def _ask(thread: GenerationThread, length: int, tokens: int) -> Call:
    return thread.submit(Request(prompt="x" * length, max_tokens=tokens), 0)


def _expected(length: int, tokens: int) -> str:
    return "".join(f"{length + 1 + i} " for i in range(tokens))


@pytest.mark.parametrize("joins", [True, False])
@pytest.mark.parametrize("memory", [10**9, 3, 1])
def test_every_call_gets_its_own_answer(joins: bool, memory: int) -> None:
    decoder = CountingDecoder(joins=joins, memory=memory)
    thread = GenerationThread(lambda: _model(decoder), name="test")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        calls = [(n, t, _ask(thread, n, t)) for n in (3, 9, 1, 20) for t in (1, 4, 7)]
        for length, tokens, call in calls:
            made = call.future.result(timeout=60)
            assert made.text == _expected(length, tokens)
            assert (made.input_tokens, made.output_tokens) == (length, tokens)
            assert made.finish_reason == "length"
    told = [str(w.message) for w in caught if "out of memory" in str(w.message)]
    assert len(told) == (memory < decoder.rows)
    thread.close()


def test_a_single_call_that_does_not_fit_fails_and_the_next_goes_on() -> None:
    decoder = CountingDecoder(joins=False, memory=0)
    thread = GenerationThread(lambda: _model(decoder), name="test")
    with pytest.raises(AttemptFailed, match="single call: this GPU is full") as failed:
        _ask(thread, 3, 2).future.result(timeout=60)
    assert failed.value.kind == "local"
    decoder.memory = 4
    assert _ask(thread, 3, 2).future.result(timeout=60).text == _expected(3, 2)
    thread.close()


def test_rows_that_start_together_are_of_like_length_and_the_oldest_is_among_them() -> None:
    decoder = CountingDecoder(joins=False, rows=3)
    thread, calls, gate = _gated(decoder)
    for length in (40, 2, 30, 3, 31, 1):
        calls.append(_ask(thread, length, 1))
    gate.set()
    for call in calls:
        call.future.result(timeout=60)
    assert [sorted(lengths) for lengths in decoder.started[1:]] == [[30, 31, 40], [1, 2, 3]]
    thread.close()


def test_a_row_that_ends_makes_room_for_the_next_where_rows_may_join() -> None:
    decoder = CountingDecoder(joins=True, rows=2)
    thread, calls, gate = _gated(decoder)
    for length, tokens in ((5, 3), (6, 9), (7, 2)):
        calls.append(_ask(thread, length, tokens))
    gate.set()
    for call in calls:
        call.future.result(timeout=60)
    assert decoder.started[-1] == [7]
    thread.close()


def test_a_dropped_call_never_starts_and_one_under_way_leaves() -> None:
    decoder = CountingDecoder(joins=True, rows=8)
    thread, _, gate = _gated(decoder)
    dropped, kept = _ask(thread, 11, 2), _ask(thread, 12, 2)
    dropped.is_dropped = True
    gate.set()
    assert kept.future.result(timeout=60).text == _expected(12, 2)
    assert not any(11 in lengths for lengths in decoder.started)
    endless = _ask(thread, 1, 10**6)

    def drop() -> None:
        endless.is_dropped = True

    decoder.before_step = drop
    assert _ask(thread, 2, 3).future.result(timeout=60).text == _expected(2, 3)
    assert not endless.future.done()
    thread.close()


def test_the_end_token_and_a_refused_prompt_end_only_their_own_call() -> None:
    thread = GenerationThread(lambda: _model(CountingDecoder(joins=True)), name="test")
    made = _ask(thread, 57, 50).future.result(timeout=60)
    assert (made.text, made.finish_reason, made.output_tokens) == ("58 59 ", "stop", 3)
    refused = thread.submit(Request(prompt="refuse"), 0)
    with pytest.raises(AttemptFailed, match="refused"):
        refused.future.result(timeout=60)
    assert _ask(thread, 3, 1).future.result(timeout=60).text == "4 "
    thread.close()


def test_when_the_decoder_breaks_every_call_hears_of_it() -> None:
    decoder = CountingDecoder(joins=True)

    def broken() -> None:
        raise RuntimeError("device-side assert\nwith a second line")

    decoder.before_step = broken
    thread = GenerationThread(lambda: _model(decoder), name="test")
    calls = [_ask(thread, n, 5) for n in range(1, 7)]
    for call in [*calls, _ask(thread, 9, 1)]:
        with pytest.raises(AttemptFailed, match="device-side assert") as caught:
            call.future.result(timeout=60)
        assert caught.value.kind == "local"
        assert "\n" not in caught.value.detail
    thread.close()


def test_closing_fails_what_is_outstanding_and_refuses_more() -> None:
    decoder = CountingDecoder(joins=True, rows=1)
    thread, _, gate = _gated(decoder)
    waiting = _ask(thread, 4, 10**6)
    closer = threading.Thread(target=thread.close)
    closer.start()
    gate.set()
    closer.join(timeout=60)
    assert not closer.is_alive()
    with pytest.raises(AttemptFailed, match="closed"):
        waiting.future.result(timeout=60)
    with pytest.raises(AttemptFailed, match="closed"):
        _ask(thread, 1, 1)
    thread.close()


def test_a_model_that_cannot_be_loaded_fails_every_call_and_is_not_tried_again() -> None:
    tries: queue.SimpleQueue[int] = queue.SimpleQueue()

    def load() -> LoadedModel:
        tries.put(1)
        raise AttemptFailed("local", "no weights")

    thread = GenerationThread(load, name="test")
    for call in (_ask(thread, 1, 1), _ask(thread, 2, 1)):
        with pytest.raises(AttemptFailed, match="no weights"):
            call.future.result(timeout=60)
    assert tries.qsize() == 1
    thread.close()


def _gated(decoder: CountingDecoder) -> tuple[GenerationThread, list[Call], threading.Event]:
    """A thread whose first start waits for the event, so that what follows arrives together."""
    gate, entered = threading.Event(), threading.Event()

    def wait() -> None:
        entered.set()
        assert gate.wait(timeout=60)

    decoder.before_start = wait
    thread = GenerationThread(lambda: _model(decoder), name="test")
    calls = [_ask(thread, 1, 1)]
    assert entered.wait(timeout=60)
    return thread, calls, gate
