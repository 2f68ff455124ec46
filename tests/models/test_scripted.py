"""A scripted model answers as it is written, whatever the order of calls, and remembers them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from selfsown.core.errors import ConfigError, InputError, Interrupted
from selfsown.core.model import AttemptFailed, Capabilities
from selfsown.core.request import JSON, Completion, Image, Message, Request, message
from selfsown.models.script_file import Rule
from selfsown.models.scripted import ScriptedModel
from selfsown.models.uri import open_model


def ask(prompt: str, **more: object) -> Request:
    """A completion request."""
    return Request(prompt=prompt, **more)  # type: ignore[arg-type]


async def say(model: ScriptedModel, prompt: str) -> str:
    """The text that a model answers."""
    return (await model.attempt(ask(prompt))).completion.text


class Sleeps:
    """A clock whose sleeps are instant and remembered."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return sum(self.slept)

    def stamp(self) -> str:
        return "2026-01-01T00:00:00Z"

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


async def test_the_first_rule_that_matches_answers() -> None:
    model = ScriptedModel(
        [
            {"match": "France", "text": "Paris"},
            {"regex": "^Say \\d+$", "text": "a number"},
            {"text": "else"},
        ]
    )
    assert await say(model, "capital of France?") == "Paris"
    assert await say(model, "First line\nSay 12") == "a number"
    assert await say(model, "say it") == "else"
    assert model.call_count == 3
    assert [request.prompt for request in model.requests][2] == "say it"


async def test_chat_messages_are_matched_as_one_text() -> None:
    model = ScriptedModel([{"match": "two", "text": "found"}])
    turns = (message("system", "one"), message("user", "two"))
    assert (await model.attempt(Request(messages=turns))).completion.text == "found"


async def test_texts_are_given_in_turn_for_each_prompt_apart() -> None:
    model = ScriptedModel([{"texts": ["a", "b"]}])
    answers = [await say(model, prompt) for prompt in ("p", "q", "p", "q", "p")]
    assert answers == ["a", "a", "b", "b", "a"]


async def test_turns_can_be_counted_over_all_prompts() -> None:
    model = ScriptedModel([{"texts": ["a", "b"], "per": "rule"}])
    assert [await say(model, prompt) for prompt in ("p", "q", "r")] == ["a", "b", "a"]


async def test_a_failure_can_be_injected_a_number_of_times() -> None:
    model = ScriptedModel(
        [{"error": "rate_limit", "times": 2, "retry_after_s": 3, "status": 429}, {"text": "ok"}]
    )
    for _ in range(2):
        with pytest.raises(AttemptFailed) as caught:
            await say(model, "p")
        assert (caught.value.kind, caught.value.retry_after_s, caught.value.status) == (
            "rate_limit",
            3,
            429,
        )
    assert await say(model, "p") == "ok"


async def test_a_delay_waits_on_the_clock_and_ends_at_the_time_out() -> None:
    clock = Sleeps()
    model = ScriptedModel([{"text": "late", "delay_s": 5}], clock=clock)
    assert (await model.attempt(ask("p"), timeout_s=10)).completion.text == "late"
    with pytest.raises(AttemptFailed) as caught:
        await model.attempt(ask("p"), timeout_s=2)
    assert caught.value.kind == "timeout"
    assert clock.slept == [5, 2]


async def test_a_hang_ends_only_by_time_out_or_cancellation() -> None:
    model = ScriptedModel([{"hang": True}], clock=Sleeps())
    with pytest.raises(AttemptFailed):
        await model.attempt(ask("p"), timeout_s=9)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await model.attempt(ask("p"))


async def test_finish_reason_and_reasoning_are_as_written() -> None:
    rule = Rule(text="half", finish_reason="length", reasoning="hm", model="m-1")
    completion = (await ScriptedModel([rule]).attempt(ask("p"))).completion
    assert completion.finish_reason == "length"
    assert (completion.reasoning, completion.model) == ("hm", "m-1")


@pytest.mark.parametrize(
    ("rule", "kind"),
    [
        ({"text": "x", "finish_reason": "content_filter"}, "content_filter"),
        ({"text": " "}, "empty"),
        ({"text": "no json"}, "schema"),
    ],
)
async def test_unusable_answers_fail_as_an_endpoints_would(
    rule: dict[str, JSON], kind: str
) -> None:
    schema: dict[str, JSON] = {"type": "object"}
    with pytest.raises(AttemptFailed) as caught:
        await ScriptedModel([rule]).attempt(ask("p", schema=schema))
    assert caught.value.kind == kind
    assert caught.value.completion is not None


async def test_without_rules_the_answer_is_a_function_of_the_request() -> None:
    one, two = ScriptedModel(), ScriptedModel()
    assert await say(one, "p") == await say(two, "p")
    assert await say(one, "p") != await say(one, "q")
    schema: dict[str, JSON] = {"type": "object", "properties": {"n": {"type": "integer"}}}
    parsed = (await one.attempt(ask("p", schema=schema))).completion.parsed
    assert isinstance(parsed, dict)


async def test_a_function_sees_request_and_seed() -> None:
    def script(request: Request, seed: int) -> str | Completion | AttemptFailed:
        if seed == 1:
            return AttemptFailed("overloaded", "busy")
        return Completion("whole") if seed == 2 else f"{request.prompt} {seed}"

    model = ScriptedModel(script, identity="mine")
    assert model.identity == "mine"
    assert (await model.attempt(ask("p"), seed=3)).completion.text == "p 3"
    assert (await model.attempt(ask("p"), seed=2)).completion.text == "whole"
    with pytest.raises(AttemptFailed):
        await model.attempt(ask("p"), seed=1)


async def test_after_stop_after_calls_it_is_interrupted() -> None:
    model = ScriptedModel(stop_after=2)
    await say(model, "a")
    await say(model, "b")
    with pytest.raises(Interrupted):
        await say(model, "c")
    assert model.call_count == 2


async def test_concurrent_calls_in_any_order_get_the_same_answers() -> None:
    rules: list[JSON] = [{"match": "1", "error": "overloaded", "times": 1}, {"texts": ["a", "b"]}]

    async def outcomes(prompts: list[str]) -> dict[str, list[str]]:
        model = ScriptedModel(rules)  # type: ignore[arg-type]
        found: dict[str, list[str]] = {}
        for prompt in prompts:
            try:
                said = await say(model, prompt)
            except AttemptFailed as failure:
                said = failure.kind
            found.setdefault(prompt, []).append(said)
        return found

    prompts = [f"p{n}" for n in range(12)] * 3
    assert await outcomes(prompts) == await outcomes(list(reversed(prompts)))


async def test_images_and_tools_are_refused_unless_claimed() -> None:
    picture = Request(messages=(Message("user", (Image("0" * 64, "image/png"),)),))
    with pytest.raises(AttemptFailed) as caught:
        await ScriptedModel().attempt(picture)
    assert caught.value.kind == "bad_request"
    able = ScriptedModel(capabilities=Capabilities(images=True))
    assert (await able.attempt(picture)).completion.text


def test_the_identity_is_a_hash_of_the_rules() -> None:
    one = ScriptedModel([{"text": "a"}])
    assert one.identity == ScriptedModel([{"text": "a"}]).identity
    assert one.identity != ScriptedModel([{"text": "b"}]).identity
    assert ScriptedModel([{"text": "a"}], identity="given").identity == "given"


async def test_a_jsonl_file_is_read_and_its_place_does_not_change_the_identity(
    tmp_path: Path,
) -> None:
    text = '{"match": "a", "text": "A"}\n\n{"text": "else"}\n'
    (tmp_path / "one.jsonl").write_text(text)
    (tmp_path / "two.jsonl").write_text(text)
    one = open_model(f"scripted:{tmp_path / 'one.jsonl'}")
    two = open_model(f"scripted:{tmp_path / 'two.jsonl'}")
    assert one.identity == two.identity
    assert isinstance(one, ScriptedModel)
    assert await say(one, "a") == "A"
    assert await say(one, "b") == "else"


async def test_a_yaml_file_can_also_state_identity_and_capabilities(tmp_path: Path) -> None:
    path = tmp_path / "script.yaml"
    path.write_text(
        "identity: my-model\ncapabilities: {chat: false, schema: false}\n"
        "rules:\n- text: |\n    two\n    lines\n"
    )
    model = open_model(f"scripted:{path}")
    assert isinstance(model, ScriptedModel)
    assert (model.identity, model.capabilities.chat) == ("my-model", False)
    assert await say(model, "p") == "two\nlines\n"


@pytest.mark.parametrize(
    ("name", "text", "named"),
    [
        ("s.jsonl", '{"text": "a"}\n{"text": ', "line 2"),
        ("s.jsonl", '{"txet": "a"}', "did you mean `text`?"),
        ("s.jsonl", "[1]", "line 1"),
        ("s.jsonl", '{"error": "boom"}', "error"),
        ("s.jsonl", '{"times": "2"}', "times"),
        ("s.jsonl", '{"hang": 1}', "hang"),
        ("s.jsonl", '{"times": true}', "times"),
        ("s.jsonl", '{"texts": "a"}', "texts"),
        ("s.jsonl", '{"regex": "("}', "regex"),
        ("s.yaml", "rules: [", "YAML"),
        ("s.yaml", "rulez: []", "rulez"),
        ("s.yaml", "text", "list of rules"),
    ],
)
def test_a_bad_script_is_explained_by_line(
    tmp_path: Path, name: str, text: str, named: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError) as caught:
        open_model(f"scripted:{tmp_path / name}")
    assert named in str(caught.value)


def test_a_missing_script_is_the_users_error(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        open_model(f"scripted:{tmp_path / 'none.jsonl'}")


def test_capabilities_with_unknown_keys_are_refused(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("capabilities: {chats: true}\nrules: []\n")
    with pytest.raises(ConfigError):
        open_model(f"scripted:{tmp_path / 's.yaml'}")
