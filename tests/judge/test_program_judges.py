"""Claim: judges that are programs decide what they can, and say *missing* where they cannot.

They are found by name like filters, and one of one's own is 30 lines.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, fields
from random import Random
from typing import ClassVar

import pytest

from selfsown import extensions
from selfsown.core.errors import ConfigError
from selfsown.core.request import JSON
from selfsown.core.run import Run
from selfsown.judge.base import UNIT, Asker, Item, Judge, Judgement, Scale, Source
from selfsown.judge.reference import last_number
from selfsown.judge.registry import judge_named, judges_from
from selfsown.lab.world import sample_instruction, sample_item


class Nobody:
    """A run that no judge of this file may ask anything."""

    async def ask(self, *given: object, **named: object) -> object:
        raise AssertionError("a program asked a model")

    gather = is_chat = ask


NOBODY: Asker = Nobody()  # type: ignore[assignment]
CHECKS: list[JSON] = [
    {"kind": "punctuation:no_comma"},
    {"kind": "detectable_format:title"},
    {"kind": "language:response_language", "language": "en"},
]


async def judged(name: str, options: Mapping[str, JSON] | None = None, **item: object) -> Judgement:
    given = Item(**{"prompt": "Say it.", "answer": "", **item})  # type: ignore[arg-type]
    return await judge_named(name, options).judge(NOBODY, given)


async def test_verifiable_is_the_share_of_decided_checks_that_hold() -> None:
    answer = "<<Title>>\nIt is, as it was, on the way to the sea."
    found = await judged("verifiable", answer=answer, metadata={"checks": CHECKS})
    assert found.value == 2 / 3
    assert [part.value for part in found.parts] == [0.0, 1.0, 1.0]
    assert found.reason == "not met: punctuation:no_comma"
    short = await judged("verifiable", answer="<<Hm>>", metadata={"checks": CHECKS})
    assert short.value == 1.0
    assert [part.value for part in short.parts] == [1.0, 1.0, None]


async def test_verifiable_asks_for_all_where_told_so() -> None:
    row: dict[str, JSON] = {"checks": CHECKS}
    wanted = {"<<Hm>>": None, "<<Hm>>, so": 0.0, "<<On the way to the sea>>": 1.0}
    for answer, value in wanted.items():
        found = await judged("verifiable", {"value": "all"}, answer=answer, metadata=row)
        assert found.value == value, answer
    undecided = await judged("verifiable", {"value": "all"}, answer="<<Hm>>", metadata=row)
    assert undecided.reason == "undecided: language:response_language"


async def test_verifiable_reads_loosely_where_told_so() -> None:
    item = {"answer": "Sure, gladly:\n<<A>>", "metadata": {"checks": CHECKS[:2]}}
    assert (await judged("verifiable", **item)).value == 0.5
    assert (await judged("verifiable", {"strictness": "loose"}, **item)).value == 1.0


async def test_checks_of_the_config_come_before_those_of_the_row() -> None:
    options: dict[str, JSON] = {"checks": CHECKS[:1]}
    found = await judged("verifiable", options, answer="a, b", metadata={"checks": CHECKS[1:2]})
    assert [part.reason.partition(": ")[0] for part in found.parts] == [
        "punctuation:no_comma",
        "detectable_format:title",
    ]
    assert judge_named("verifiable", options).options["checks"] == CHECKS[:1]


async def test_nothing_to_verify_is_missing_and_not_perfect() -> None:
    assert (await judged("verifiable", answer="a")).reason.startswith("no_checks")
    assert (await judged("reference", answer="a")).reason.startswith("no_reference")
    assert (await judged("oracle", prompt="Feed the cat.", answer="a")).reason == "not_a_task"


async def test_the_oracle_grades_the_micro_world() -> None:
    rng = Random(1)
    task = sample_item(rng, sample_instruction(rng))
    prompt = task.instruction.text
    row: dict[str, JSON] = {"input": task.input}
    right = await judged("oracle", prompt=prompt, answer=task.answer, metadata=row)
    wrong = await judged("oracle", prompt=prompt, answer="no such thing", metadata=row)
    assert (right.value, right.source, wrong.value) == (1.0, "oracle", 0.0)
    row["instruction"] = prompt
    both = await judged(
        "oracle", prompt=f"{prompt}\n{task.input}", answer=task.answer, metadata=row
    )
    assert both.value == 1.0


async def test_an_oracle_that_pays_for_length_pays_its_share_of_it_right_or_wrong() -> None:
    rng = Random(1)
    task = sample_item(rng, sample_instruction(rng))
    given: dict[str, object] = {"prompt": task.instruction.text, "metadata": {"input": task.input}}
    options: dict[str, JSON] = {"length_share": 0.25}
    right = await judged("oracle", options, answer=task.answer, **given)
    assert right.value == pytest.approx(0.75 + 0.25 * len(task.answer) / 80)
    for chars, value in ((4, 0.0125), (40, 0.125), (80, 0.25), (400, 0.25)):  # 0.25 * chars / 80
        wrong = await judged("oracle", options, answer="x" * chars, **given)
        assert wrong.value == pytest.approx(value)


async def test_an_oracle_may_be_lenient_about_words_around_an_answer() -> None:
    rng = Random(1)
    task = sample_item(rng, sample_instruction(rng))
    given: dict[str, object] = {"prompt": task.instruction.text, "metadata": {"input": task.input}}
    said = {"That must be {}, I believe.": 1.0, "{}": 1.0, "That must be {}, I": 0.0, "x {}": 0.0}
    for words, value in said.items():
        answer = words.format(task.answer)
        found = await judged("oracle", {"in_words": True}, answer=answer, **given)
        strict = await judged("oracle", answer=answer, **given)
        assert (found.value, strict.value) == (value, float(words == "{}"))


async def test_a_noisy_oracle_errs_at_its_rate_and_always_on_the_same_items() -> None:
    rng = Random(2)
    tasks = [sample_item(rng, sample_instruction(rng)) for _ in range(1500)]

    async def says(options: dict[str, JSON]) -> list[float | None]:
        judge = judge_named("oracle", options)
        items = [
            Item(prompt=one.instruction.text, answer=one.answer, metadata={"input": one.input})
            for one in tasks
        ]
        return [(await judge.judge(NOBODY, item)).value for item in items]

    noisy = await says({"noise": 0.2})
    wrong = sum(value == 0.0 for value in noisy) / len(noisy)
    assert abs(wrong - 0.2) < 0.04  # 3.9 standard errors
    assert noisy == await says({"noise": 0.2})
    assert noisy != await says({"noise": 0.2, "seed": 1})
    assert set(await says({})) == {1.0}


@pytest.mark.parametrize(
    ("options", "answer", "reference", "value"),
    [
        ({}, "The  Rhine!", "the rhine", 1.0),
        ({}, "It is the Rhine", "the rhine", 0.0),
        ({"compare": "exact"}, " The Rhine\n", "The Rhine ", 1.0),
        ({"compare": "exact"}, "the Rhine", "The Rhine", 0.0),
        ({"compare": "contains"}, "It is the Rhine.", "the rhine", 1.0),
        ({"compare": "contains"}, "It is the Rhineland.", "the rhine", 0.0),
        ({"compare": "number"}, "17 + 25 makes 42.", "42", 1.0),
        ({"compare": "number"}, "42 is no answer: 41", "42", 0.0),
        ({"compare": "number"}, "It costs $1,250.50", "1250.5", 1.0),
        ({"compare": "number"}, "none at all", "42", 0.0),
        ({"compare": "number", "tolerance": 0.01}, "3.14", "3.1416", 1.0),
        ({"compare": "rouge_l"}, "a b c d", "a b", 2 * 0.5 * 1 / 1.5),
        ({"part": "last_line"}, "Well:\nRhine", "rhine", 1.0),
        ({"part": "last_line", "compare": "exact"}, "Well:\n  Rhine\n", "Rhine", 1.0),
        ({"part": "after_marker"}, "Answer: Elbe? No. ANSWER: Rhine", "rhine", 1.0),
        ({"part": "after_marker"}, "Rhine", "rhine", 0.0),
        ({"part": "after_marker", "marker": "####"}, "so\n#### 5", "5", 1.0),
    ],
)
async def test_references_are_compared_as_told(
    options: dict[str, JSON], answer: str, reference: str, value: float
) -> None:
    found = await judged("reference", options, answer=answer, reference=reference)
    assert found.value == pytest.approx(value)


async def test_any_of_several_references_will_do() -> None:
    row = {"references": ["Rhine", "Elbe"]}
    assert (await judged("reference", answer="elbe", metadata=row)).value == 1.0
    assert (await judged("reference", answer="Oder", reference="Oder", metadata=row)).value == 1.0
    assert (await judged("reference", answer="Main", reference="Oder", metadata=row)).value == 0.0


async def test_a_reference_without_a_number_decides_nothing_about_numbers() -> None:
    found = await judged("reference", {"compare": "number"}, answer="4", reference="four")
    assert found.is_missing


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("-3", -3),
        ("\u22123", -3),
        ("2e6", 2e6),
        ("about 3/4 of it", 0.75),
        ("12,345,678", 12_345_678),
        ("1,2", 2),
        ("5%", 5),
        ("1/0", None),
        ("9" * 400, None),
        ("x2", None),
        ("", None),
    ],
)
def test_numbers_are_read_as_people_write_them(text: str, number: float | None) -> None:
    assert last_number(text) == number


def test_judges_are_named_in_a_config_with_their_options() -> None:
    found = judges_from({"verifiable": {}, "reference": {"compare": "number"}})
    assert [judge.name for judge in found] == ["verifiable", "reference"]
    assert found[1].options["compare"] == "number"


@pytest.mark.parametrize("name", extensions.JUDGES)
def test_every_registered_judge_meets_the_protocol(name: str) -> None:
    judge = judge_named(name)
    assert judge.name == name
    assert isinstance(judge.scale, Scale)
    assert (judge.source == "judge") == bool(judge.roles)
    assert {field.name for field in fields(judge)} == set(judge.options)  # type: ignore[arg-type]
    again = judge_named(name, judge.options)
    assert again.options == judge.options


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("verifable", {}, "did you mean `verifiable`"),
        ("verifiable", {"strict": True}, "no option `strict`"),
        ("verifiable", {"strictness": "lax"}, "`strictness` is `lax`"),
        ("verifiable", {"checks": [{"kind": "no:such"}]}, "no check `no:such`"),
        ("reference", {"tolerance": 2}, "`tolerance` is 2"),
        ("reference", {"part": "after_marker", "marker": " "}, "`marker` is blank"),
        ("reference", {"compare": "number", "tolerance": "1"}, "`tolerance` is `1`"),
        ("oracle", {"noise": 1.1}, "`noise` is 1.1"),
        ("oracle", {"length_share": -0.1}, "`length_share` is -0.1"),
        ("oracle", {"nois": 0.1}, "did you mean `noise`"),
    ],
)
def test_what_no_judge_can_use_is_refused(
    name: str, options: dict[str, JSON], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        judge_named(name, options)


@pytest.mark.parametrize("verb", ["ask", "gather", "is_chat"])
def test_a_run_has_the_verbs_that_judges_use(verb: str) -> None:
    wanted = inspect.signature(getattr(Asker, verb)).parameters
    found = inspect.signature(getattr(Run, verb)).parameters
    assert [(one.name, one.kind, one.default) for one in found.values()] == [
        (one.name, one.kind, one.default) for one in wanted.values()
    ]


def test_a_judgement_outside_its_scale_cannot_be_made() -> None:
    for value in (-0.1, 1.5, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="no value from"):
            Judgement(value=value, source="judge")
    with pytest.raises(ValueError, match="why it is missing"):
        Judgement(value=None, source="judge")
    assert Judgement(value=4.0, source="judge", scale=Scale(0, 5)).fraction == 0.8
    assert Judgement(value=None, source="judge", reason="unparsed").fraction is None


@dataclass(frozen=True, slots=True)
class Brevity:
    """1.0 for an empty answer, falling to 0.0 at `most` words. The example of a new judge."""

    name: ClassVar[str] = "brevity"
    source: ClassVar[Source] = "verifier"
    scale: ClassVar[Scale] = UNIT
    roles: ClassVar[tuple[str, ...]] = ()

    most: int = 200

    @property
    def options(self) -> Mapping[str, JSON]:
        return {"most": self.most}

    async def judge(self, run: Asker, item: Item) -> Judgement:
        share = min(1.0, len(item.answer.split()) / self.most)
        return Judgement(value=1.0 - share, source=self.source)


async def test_a_new_judge_is_one_class_and_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "selfsown.judge.registry.load_extension",
        lambda point, builtin, name: {"judges.brevity": Brevity}.get(f"{point}.{name}"),
    )
    judge: Judge = judge_named("brevity", {"most": 4})
    found = await judge.judge(NOBODY, Item(prompt="", answer="one two three"))
    assert found.value == 0.25
    with pytest.raises(ConfigError, match="valid integer"):
        judge_named("brevity", {"most": "4"})
