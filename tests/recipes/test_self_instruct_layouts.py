"""Prompts have the published shape, begin with what never changes, and stay within the context.

The few-shot examples come from the run's own seeds; the words around them are ours.
"""

from __future__ import annotations

import re
from itertools import takewhile
from pathlib import Path
from random import Random

import pytest

from selfsown.core.errors import ConfigError
from selfsown.core.model import Capabilities
from selfsown.core.request import Request, call_key, request_form
from selfsown.recipes.seeds.task import Instance, SeedTask
from selfsown.recipes.self_instruct.demonstrations import choose_shots
from selfsown.recipes.self_instruct.layouts import Layout, Shots, Voice, voice_of
from selfsown.recipes.self_instruct.options import PROMPT_NAMES, Options
from selfsown.recipes.self_instruct.presets import PAPER
from selfsown.recipes.self_instruct.templates import Templates

BASE, CHAT, JSON_CHAT = Voice(False, False, None), Voice(True, False, None), Voice(True, True, None)


def seed(k: int, *, label: bool = False, bare: bool = False) -> SeedTask:
    given = "" if bare else f"input {k}"
    return SeedTask(f"s{k}", "", f"Do thing {k}.", (Instance(given, f"output {k}"),), label)


SEEDS = [seed(k, label=k % 3 == 0, bare=k % 4 == 1) for k in range(24)]


def layout(voice: Voice = BASE, **options: object) -> Layout:
    chosen = Options.model_validate(options)
    shots = choose_shots(SEEDS, chosen, lambda name: Random(name))
    return Layout(chosen, Templates(chosen.prompts), shots, voice, voice)


def seen(request: Request) -> str:
    return request.prompt or "\n".join(f"[{turn.role}] {turn.text}" for turn in request.messages)


# -- the completion layout, character by character


def test_a_list_prompt_ends_with_an_open_mark() -> None:
    request = layout().list_request(["Name a fruit.", "Sort  the\nlist:"]).request
    assert request.prompt == (
        "Come up with a series of tasks:\nTask 1: Name a fruit.\nTask 2: Sort the list\nTask 3:"
    )
    assert request.stop == ("\n\n", "\nTask 10:")


def test_the_numbered_style_prints_bare_numbers() -> None:
    request = layout(list_style="numbered").list_request(["Name a fruit.", "Sort it."]).request
    assert request.prompt == ("Come up with a series of tasks:\n1. Name a fruit.\n2. Sort it.\n3.")


def test_eight_demonstrations_leave_room_for_items_9_to_15() -> None:
    request = (
        layout(list_style="numbered").list_request([f"Do thing {k}." for k in range(8)]).request
    )
    assert request.prompt is not None and request.prompt.endswith("\n8. Do thing 7.\n9.")
    assert request.stop == ("\n\n", "\n16.")


def test_a_classification_prompt_is_blocks_and_an_open_question() -> None:
    yes, no = seed(0, label=True), seed(1)
    shots = Shots((yes, no), (), ())
    request = Layout(Options(), Templates({}), shots, BASE, BASE).classification_request(
        " Sort it. "
    )
    assert request.prompt == (
        "Task: Do thing 0.\nIs it classification? Yes\n\n"
        "Task: Do thing 1.\nIs it classification? No\n\n"
        "Task: Sort it.\nIs it classification?"
    )
    assert request.stop == ("\n",) and request.temperature == 0


def test_input_first_blocks_number_examples_that_have_an_input() -> None:
    two = SeedTask("t", "", "Swap them.", (Instance("a b", "b a"), Instance("c d", "d c")), False)
    shots = Shots((), (seed(0), seed(1, bare=True), two), ())
    request = Layout(Options(), Templates({}), shots, BASE, BASE).instance_request(
        "Sort it.", label_first=False
    )
    assert request.prompt == (
        "Task: Do thing 0.\nExample 1\nInput: input 0\nOutput: output 0\n\n"
        "Task: Do thing 1.\nOutput: output 1\n\n"
        "Task: Swap them.\nExample 1\nInput: a b\nOutput: b a\n"
        "Example 2\nInput: c d\nOutput: d c\n\n"
        "Task: Sort it.\n"
    )
    assert request.stop == ("\nTask:", "\nExample 6")


def test_a_vote_is_asked_for_after_worked_tasks_of_its_own() -> None:
    two = SeedTask("t", "", "Swap them.", (Instance("a b", "b a"), Instance("c d", "d c")), False)
    shots = Shots((), (), (), answer=((seed(0), two), (seed(1, bare=True),)))
    built = Layout(Options(answer_votes=2), Templates({}), shots, BASE, BASE)
    assert built.answer_request("Sort it.", "b, a", 0).prompt == (
        "Task: Do thing 0.\nInput: input 0\nOutput: output 0\n\n"
        "Task: Swap them.\nInput: a b\nOutput: b a\n\n"
        "Task: Sort it.\nInput: b, a\nOutput:"
    )
    bare = built.answer_request("Name one.", " ", 1)
    assert bare.prompt == "Task: Do thing 1.\nOutput: output 1\n\nTask: Name one.\nOutput:"
    assert bare.stop == ("\nTask:", "\nInput:") and bare.temperature == 0.7


def test_each_vote_has_other_worked_tasks() -> None:
    built = layout(answer_votes=3)
    sets = [frozenset(task.id for task in one) for one in built.shots.answer]
    assert len(set(sets)) == 3 and {len(one) for one in sets} == {5}
    assert layout().shots.answer == ()


@pytest.mark.parametrize("voice", [CHAT, JSON_CHAT])
def test_a_chat_model_is_asked_for_the_output_alone(voice: Voice) -> None:
    request = layout(voice, answer_votes=1).answer_request("Sort it.", "b, a", 0)
    assert request.messages[-1].text == "Task: Sort it.\nInput: b, a" and request.stop == ()
    assert (request.schema is not None) == ("Answer in JSON" in seen(request)) == voice.schema


def test_output_first_blocks_put_the_label_before_its_input() -> None:
    shots = Shots((), (), (seed(0, label=True), seed(1, label=True, bare=True)))
    request = Layout(Options(), Templates({}), shots, BASE, BASE).instance_request(
        "Is it red?", label_first=True
    )
    assert request.prompt == (
        "Task: Do thing 0.\nClass label: output 0\nInput: input 0\n\n"
        "Task: Do thing 1.\nClass label: output 1\n\n"
        "Task: Is it red?\n"
    )


def test_a_header_stands_before_the_blocks() -> None:
    request = layout(input_first_header="Examples:").instance_request("Sort it.", label_first=False)
    assert request.prompt is not None and request.prompt.startswith("Examples:\n\nTask: Do thing")


def test_classification_only_changes_the_header() -> None:
    request = layout(classification_only=True).list_request(["Name a fruit."]).request
    assert request.prompt is not None and "classification tasks" in request.prompt.split("\n")[0]


# -- chat layouts


@pytest.mark.parametrize("voice", [CHAT, JSON_CHAT])
def test_chat_prompts_keep_what_never_changes_in_the_system_message(voice: Voice) -> None:
    built = layout(voice)
    for make in (
        built.classification_request,
        lambda text: built.instance_request(text, label_first=False),
        lambda text: built.instance_request(text, label_first=True),
    ):
        one, other = make("Sort the list."), make("Name a fruit.")
        assert [turn.role for turn in one.messages] == ["system", "user"]
        assert one.messages[0] == other.messages[0]
        assert one.messages[1] != other.messages[1]
        assert "Do thing" in one.messages[0].text
        assert (one.schema is not None) is (voice is JSON_CHAT)
        assert one.stop == ()
    lists = built.list_request(["Name a fruit.", "Sort it."]).request
    assert "Task 2: Sort it." in lists.messages[1].text
    assert "Write 7 more" in lists.messages[1].text
    assert "Name a fruit." not in lists.messages[0].text


def test_chat_prompts_have_no_stray_blank_lines() -> None:
    for voice in (CHAT, JSON_CHAT):
        built = layout(voice, classification_header="H.", input_first_header="H.")
        for request in (
            built.list_request(["Name a fruit."]).request,
            built.classification_request("Sort it."),
            built.instance_request("Sort it.", label_first=False),
            built.instance_request("Sort it.", label_first=True),
        ):
            assert "\n\n\n" not in seen(request)
            assert all(turn.text == turn.text.strip() for turn in request.messages)


@pytest.mark.parametrize("voice", [BASE, CHAT, JSON_CHAT])
def test_prompts_of_a_run_share_all_but_their_end(voice: Voice) -> None:
    built = layout(voice)
    for make in (
        built.classification_request,
        lambda text: built.instance_request(text, label_first=True),
    ):
        one, other = seen(make("Sort it.")), seen(make("Name it."))
        shared = sum(
            1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
        )
        assert shared > 0.8 * len(one)


# -- which layout


def test_the_layout_follows_the_model_unless_it_is_set() -> None:
    able = Capabilities(chat=True, completion=True, schema=True, context_tokens=99)
    assert voice_of(Options(), able, True) == Voice(True, True, 99)
    assert voice_of(Options(structured="never"), able, True) == Voice(True, False, 99)
    assert voice_of(Options(layout="completion"), able, True) == Voice(False, False, 99)
    assert voice_of(Options(), Capabilities(chat=False, completion=True), False) == BASE


# -- room


@pytest.mark.parametrize("limit", [200, 400, 800])
@pytest.mark.parametrize("voice", [BASE, CHAT])
def test_demonstrations_are_left_out_to_stay_below_a_limit(limit: int, voice: Voice) -> None:
    built = layout(voice, max_prompt_bytes=limit)
    requests = [
        built.classification_request("Sort it."),
        built.instance_request("Sort it.", label_first=False),
        built.list_request(["x" * 900, "Name a fruit."]).request,
    ]
    for request in requests:
        text = seen(request)
        assert len(text.encode()) <= limit + 30 or "Do thing" not in text
    assert "x" * 900 not in seen(requests[2])
    assert built.list_request(["x" * 900, "Name a fruit."]).shown[-1:] in ((1,), ())


def test_a_shortened_prompt_keeps_the_first_demonstrations() -> None:
    whole = layout().classification_request("Sort it.").prompt
    short = layout(max_prompt_bytes=400).classification_request("Sort it.").prompt
    assert whole is not None and short is not None
    common = short[: short.rindex("Task:")]
    assert "Task:" in common and whole.startswith(common)


def test_a_known_context_bounds_answer_and_prompt() -> None:
    small = Voice(False, False, 400)
    request = layout(small).instance_request("Sort it.", label_first=False)
    assert request.max_tokens == 100
    assert request.prompt is not None and len(request.prompt.encode()) <= 2 * 300
    assert layout(BASE).instance_request("Sort it.", label_first=False).max_tokens == 512
    assert layout(small).classification_request("Sort it.").max_tokens == 16


def test_an_answer_that_fills_the_context_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"lists\.max_tokens") as caught:
        layout(Voice(False, False, 1024), lists={"max_tokens": 1024}).list_request(["Sort it."])
    assert "512" in caught.value.fix


# -- templates of the user's


def test_a_template_of_the_users_replaces_ours(tmp_path: Path) -> None:
    file = tmp_path / "list.j2"
    file.write_text("{% for item in items %}* {{ item.text }}\n{% endfor %}*\n", encoding="utf-8")
    request = (
        layout(prompts={"list": str(file)}).list_request(["Name a fruit.", "Sort it."]).request
    )
    assert request.prompt == "* Name a fruit.\n* Sort it.\n*"


def test_a_chat_template_without_blocks_is_one_user_message() -> None:
    request = layout(CHAT, prompts={"chat_classification": "Sort? {{ instruction }}"})
    turns = request.classification_request("Name it.").messages
    assert [(turn.role, turn.text) for turn in turns] == [("user", "Sort? Name it.")]


@pytest.mark.parametrize(
    "text", ["{% for %}", "{{ unknown }}", "{{ instruction.__class__.mro() }}"]
)
def test_a_broken_template_names_its_option(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        layout(prompts={"classification": text}).classification_request("Sort it.")
    assert "classification" in f"{caught.value}"


def test_an_unknown_prompt_or_file_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="did you mean `list`"):
        Options.model_validate({"prompts": {"lists": "x"}})
    with pytest.raises(ValueError, match=r"nowhere\.j2"):
        Options.model_validate({"prompts": {"list": "nowhere.j2"}})


def test_model_output_is_never_rendered_as_a_template() -> None:
    hostile = "{{ 7 * 7 }} {% raw %} {{ header }}"
    for voice in (BASE, CHAT, JSON_CHAT):
        built = layout(voice)
        assert hostile in seen(built.list_request([hostile]).request)
        assert hostile in seen(built.instance_request(hostile, label_first=False))


def test_every_prompt_ships_with_the_package() -> None:
    for name in PROMPT_NAMES:
        assert Templates({}).messages(name, _EVERYTHING)


_EVERYTHING: dict[str, object] = {
    "header": "",
    "items": [],
    "next_mark": "1.",
    "new_count": 1,
    "classification_only": False,
    "structured": False,
    "demonstrations": [],
    "instruction": "Sort it.",
    "input": "",
    "max_instances": 5,
    "passage": "",
}


# -- options


def test_every_option_says_what_it_does_and_where_its_default_comes_from() -> None:
    for name, field in Options.model_fields.items():
        assert field.description and len(field.description) > 20, name


def test_the_paper_preset_is_valid_and_greedy_where_published() -> None:
    paper = Options.model_validate(PAPER)
    assert (paper.lists.temperature, paper.lists.top_p, paper.lists.presence_penalty) == (
        0.7,
        0.5,
        2,
    )
    assert "\n16" in (paper.lists.stop or ()) and "16." in (paper.lists.stop or ())
    assert paper.input_first.temperature == paper.classification.temperature == 0
    assert paper.block == 5 and paper.novelty_threshold == 0.7 and paper.keep_equal


def test_every_switch_of_the_presets_table_exists() -> None:
    from selfsown.recipes.self_instruct import presets

    rows = [line.split("|")[3] for line in (presets.__doc__ or "").split("\n") if line[:3] != "| #"
            and line.startswith("| ")]  # fmt: skip
    names = [re.match(r"`(\w+)", cell.strip()) for cell in rows]
    switches = {name.group(1) for name in names if name}
    assert len(switches) >= 12
    assert switches <= set(Options.model_fields) | {"lists", "input_first"}


def test_the_effective_request_has_a_stable_key() -> None:
    one, other = (
        layout().classification_request("Sort it."),
        layout().classification_request("Sort it."),
    )
    assert call_key("m", request_form(one)) == call_key("m", request_form(other))
