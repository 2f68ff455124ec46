"""Claim: judgements become examples only where people agree with their order, and none is lost."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from selfsown.cli.main import cli
from selfsown.core.errors import CheckFailed, InputError
from selfsown.core.rundir import read_manifest
from selfsown.export.example import Example as Turns
from selfsown.judge.base import Item, Judgement
from selfsown.judge.calibration import calibrate
from selfsown.judge.eft import Example, Found, Ranking, examples, rankings, split, trained_text
from selfsown.judge.eft_files import write_examples
from selfsown.judge.labels import Label, label_row, read_labels
from selfsown.judge.registry import judge_named
from selfsown.judge.rubric import mean_of
from selfsown.judge.scores import POINTS
from selfsown.judge.stored import Sent
from selfsown.judge.verdicts import with_verdicts
from selfsown.train.encode import Pair
from selfsown.train.records import read_sources
from selfsown.train.settings import SourceConfig

Row = dict[str, object]


def answer(name: str, human: float, *, prompt: str = "p", group: str = "p") -> Label:
    item = Item(prompt=prompt, answer=f"answer {name}")
    return Label(id=name, item=item, human=human, group=group)


def sample(score: float | None, text: str | None = None) -> Judgement:
    raw = f"It says why, in words.\nScore: {score}" if text is None else text
    reason = "" if score is not None else "unparsed: no score"
    return Judgement(value=score, source="judge", scale=POINTS, raw=raw, reason=reason)


def judged(*scores: float | None) -> Judgement:
    """A judgement of one sample per score."""
    return mean_of([sample(score) for score in scores], POINTS)


def found_of(
    human: Sequence[float], *said: Sequence[float | None], seed: int = 0
) -> tuple[Ranking, Found]:
    """What one prompt comes to whose answer k people gave `human[k]` and the judge `said[k]`."""
    labels = [answer(str(k), one) for k, one in enumerate(human)]
    judgements = {str(k): judged(*one) for k, one in enumerate(said)}
    (ranking,) = rankings(labels)
    return ranking, examples([ranking], judgements, POINTS, seed=seed)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), min_size=2, max_size=5))
def test_a_prompt_is_kept_if_every_level_scores_above_all_lower_ones(
    told: list[tuple[int, int]],
) -> None:
    levels = {human: [score for h, score in told if h == human] for human, _ in told}
    agrees = all(max(levels[low]) < min(levels[high]) for low, high in pairwise(sorted(levels)))
    labels = [answer(str(k), human) for k, (human, _) in enumerate(told)]
    judgements = {str(k): judged(score) for k, (_, score) in enumerate(told)}
    try:
        found = examples(rankings(labels), judgements, POINTS)
    except (CheckFailed, InputError):
        assert not agrees or len(levels) == 1
        return
    assert agrees
    assert len(found.examples) + len(found.left_out) == len(told)
    assert {one.why for one in found.left_out} <= {"most_frequent_score"}


def test_a_tie_of_the_judge_does_not_agree_with_an_order_of_people() -> None:
    with pytest.raises(CheckFailed, match="`order` 3"):
        found_of((2, 1, 0), (5,), (3,), (3,))


def test_the_first_sample_that_agrees_gives_one_example_per_answer() -> None:
    ranking, found = found_of((0, 1, 2), (4, None, 1, 0), (2, 3, 2, 1), (3, 5, 4, 5))
    assert [(one.score, one.sample, one.human_rank) for one in found.examples] == [
        (1, 2, 2),
        (2, 2, 1),
        (4, 2, 0),
    ]
    assert [ranking.rank(one) for one in ranking.answers] == [2, 1, 0]


def test_a_sample_in_which_a_score_is_missing_does_not_count_whatever_the_others_say() -> None:
    with pytest.raises(CheckFailed, match="`unread` 2"):
        found_of((1, 0), (5, None), (None, 2))


def test_the_most_frequent_score_is_cut_to_the_second_most_frequent_at_random() -> None:
    labels, judgements = [], {}
    for k in range(40):
        for name, human, score in (("a", 1, 4), ("b", 0, 1 + k % 3)):
            labels.append(answer(f"{name}{k}", human, prompt=f"p{k}", group=f"g{k}"))
            judgements[f"{name}{k}"] = judged(score)
    results = [examples(rankings(labels), judgements, POINTS, seed=seed) for seed in (0, 0, 1)]
    for found in results:
        assert found.by_score == {4: 14, 1: 14, 2: 13, 3: 13}
        assert found.by_why == {"most_frequent_score": 26}
    kept = [[one.answer.id for one in found.examples] for found in results]
    assert kept[0] == kept[1] != kept[2]


@pytest.mark.parametrize(
    ("text", "score", "learnt"),
    [
        ("Names the river.\nScore: 4\n\nNext: Score it.", 4, "Names the river.\nScore: 4"),
        ("2 for style: Score: 2\nAll good.\n**Score:** 4/5  ", 4, "whole"),
        ("Names it.\nScore:\n3", 3, "whole"),
        ("It is fair.\nScore: 3\nNow Score: 2 cu", 3, "It is fair.\nScore: 3"),
        ("Score: 4", 4, None),
        ("Final score: 4/5.", 4, None),
    ],
)
def test_what_stands_behind_the_score_is_not_learnt_nor_is_a_bare_score(
    text: str, score: float, learnt: str | None
) -> None:
    whole = text.rstrip() if learnt == "whole" else learnt
    assert trained_text(text, score, POINTS) == whole


def test_a_judgement_without_reasons_is_left_out_alone() -> None:
    labels = [answer(str(k), k) for k in range(3)]
    judgements = {str(k): judged(k + 1) for k in range(3)}
    judgements["1"] = mean_of([sample(2, "Score: 2")], POINTS)
    found = examples(rankings(labels), judgements, POINTS)
    assert [one.answer.id for one in found.examples] == ["0", "2"]
    assert [(one.answer.id, one.why) for one in found.left_out] == [("1", "no_reasons")]


def test_a_judge_with_one_score_gives_no_examples() -> None:
    with pytest.raises(CheckFailed, match="always says 4, 4 times"):
        found_of((1, 0), (4, 4), (4, 4))


@pytest.mark.parametrize(
    "labels", [[answer("a", 1)], [answer("a", 1), answer("b", 1)], [answer("a", 1)] * 2]
)
def test_answers_that_nobody_ranked_apart_are_refused(labels: list[Label]) -> None:
    with pytest.raises(InputError, match="ranked apart"):
        rankings(labels)


def test_a_pair_is_a_ranking_of_two_and_a_tie_is_none() -> None:
    item = Item(prompt="p", answer="x", rival="y")
    labels = [
        Label(id=f"r{n}", item=item, human=human, group="p") for n, human in enumerate((0, 1, 0.5))
    ]
    found = rankings(labels)
    best = [min(one.answers, key=one.rank).item.answer for one in found]
    assert best == ["y", "x"]
    assert [one.id for ranking in found for one in ranking.answers] == [
        "r0#a",
        "r0#b",
        "r1#a",
        "r1#b",
    ]


def test_no_prompt_is_trained_on_and_held_out() -> None:
    labels = [
        answer(f"{n}-{k}", k, prompt=f"prompt {n % 30}", group=f"g{n}")
        for n in range(60)
        for k in range(2)
    ]
    found = rankings(labels)
    train, held_out = split(found, 0.25, seed=3)
    assert not {one.prompt for one in train} & {one.prompt for one in held_out}
    assert len(train) + len(held_out) == 60
    assert 12 <= len(held_out) <= 18
    assert split(found, 0.25, seed=4)[1] != held_out
    assert split(found, 0.0)[1] == []
    with pytest.raises(InputError, match="one prompt cannot be on both sides"):
        split(found[:1], 0.25)


def test_prompts_that_other_data_have_are_left_out_and_counted(
    called: Callable[..., Result], tmp_path: Path
) -> None:
    turn = {"role": "user", "content": "prompt  3"}
    rows: list[Row] = [
        {"instruction": "prompt 0", "output": "x"},
        {"prompt": [turn], "completion": [{"role": "assistant", "content": "y"}]},
    ]
    files = [str(lines(tmp_path / f"{n}.jsonl", [row])) for n, row in enumerate(rows)]
    result = called((GOOD, FAIR, BAD), "--without", files[0], "--without", files[1], "--json")
    counts = json.loads(result.stdout)
    assert counts["prompts_elsewhere"] == 2
    assert counts["prompts"] + counts["held_out"]["prompts"] == 10
    made = (tmp_path / "eft" / name for name in ("eft.jsonl", "held_out.jsonl"))
    written = "".join(path.read_text() for path in made)
    assert "prompt 3" not in written
    assert "prompt 4" in written
    known = [{"instruction": f"prompt {n}", "output": "x"} for n in range(12)]
    every = lines(tmp_path / "all.jsonl", known)
    refused = called((GOOD, FAIR, BAD), "--without", str(every))
    assert "all 12 prompts with ranked answers are in the files to keep apart" in refused.stderr


def test_labels_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    rows: list[Row] = [
        {"id": "a", "prompt": "p", "answer": "x", "rank": 0, "lang": "en"},
        {"id": "b", "prompt": "p", "answer": "y", "rank": 2, "group": "g", "reference": "z"},
    ]
    labels = read_labels(lines(tmp_path / "scores.jsonl", rows))
    assert [one.human for one in labels] == [0, -2]
    assert read_labels(lines(tmp_path / "again.jsonl", map(label_row, labels))) == labels
    pair: Row = {"prompt": "p", "a": "x", "b": "y", "label": "tie", "a_model": "m"}
    labels = read_labels(lines(tmp_path / "pairs.jsonl", [pair]))
    assert read_labels(lines(tmp_path / "more.jsonl", map(label_row, labels))) == labels


def test_held_out_pairs_stay_pairs_so_that_nothing_is_compared_that_people_did_not(
    tmp_path: Path,
) -> None:
    rows: list[Row] = [
        {"id": f"{n}{a}{b}", "prompt": f"prompt {n}", "a": a, "b": b, "label": "a"}
        for n in range(4)
        for a, b in (("best", "fair"), ("fair", "bad"))
    ]
    given = read_labels(lines(tmp_path / "pairs.jsonl", rows))
    found = rankings(given)
    assert len({one.id for one in found}) == len(rows)
    assert not any("prompt" in one.id for one in found), "a name, not the text"
    write_examples(tmp_path, Found((), ()), found, {}, {})
    held_out = read_labels(tmp_path / "held_out.jsonl")
    assert held_out == given
    worth = {"best": 5.0, "fair": 3.0, "bad": 1.0}
    said = {
        name: sample(worth[one.answer])
        for label in held_out
        for name, one in (
            (f"{label.id}#a", label.item),
            (f"{label.id}#b", replace(label.item, answer=str(label.item.rival))),
        )
    }
    judge = judge_named("rubric")
    accuracy = calibrate(with_verdicts(held_out, judge, said), resamples=20).accuracy
    assert accuracy.value == 1.0


def lines(path: Path, rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))  # type: ignore[attr-defined]
    return path


# --- the command -----------------------------------------------------------------------------

GOOD = {"regex": r"<answer>\ngood", "text": "It is right and to the point.\nScore: 4\nBye."}
FAIR = {"regex": r"<answer>\nfair", "text": "It is in part right.\nScore: 3"}
BAD = {"text": "It is wrong in all parts.\nScore: 1"}


@pytest.fixture
def called(tmp_path: Path) -> Callable[..., Result]:
    """The command on 12 prompts with three ranked answers each."""
    rows: list[Row] = [
        {"id": f"{n}-{word}", "prompt": f"prompt {n}", "answer": f"{word} {n}", "rank": rank}
        for n in range(12)
        for rank, word in enumerate(("good", "fair", "bad"))
    ]
    labels = lines(tmp_path / "labels.jsonl", rows)

    def run(rules: Sequence[Mapping[str, str]], *arguments: str) -> Result:
        model = lines(tmp_path / "model.jsonl", rules)
        given = ["--model", f"scripted:{model}", "-o", str(tmp_path / "eft"), "--quiet"]
        return CliRunner().invoke(cli, ["judge", "examples", str(labels), *given, *arguments])

    return run


def test_examples_are_what_was_sent_and_said_and_are_made_once(
    called: Callable[..., Result], tmp_path: Path
) -> None:
    result = called((GOOD, FAIR, BAD), "--set", "samples=2", "--json")
    assert result.exit_code == 0, result.output
    counts = json.loads(result.stdout)
    out = tmp_path / "eft"
    names = ("eft.jsonl", "eft.jsonl.provenance.jsonl", "eft.left_out.jsonl", "held_out.jsonl")
    files = {name: (out / name).read_bytes() for name in names}
    rows = [json.loads(line) for line in files["eft.jsonl"].splitlines()]
    assert counts["judgements"] == counts["examples"] == 3 * counts["prompts"] == len(rows)
    assert counts["prompts"] + counts["held_out"]["prompts"] == 12
    assert Counter(row["score"] for row in rows) == dict.fromkeys((1.0, 3.0, 4.0), len(rows) // 3)
    best = next(row for row in rows if row["human_rank"] == 0)
    assert best["completion"][0]["content"] == "It is right and to the point.\nScore: 4"
    run = read_manifest(out)["run"]
    assert isinstance(run, dict)
    assert run["calls"] == 2 * len(rows)  # held-out ones are not asked about

    (source,) = read_sources([SourceConfig(path=str(out / "eft.jsonl"))], seeds=False)
    record = source.records[rows.index(best)]
    assert isinstance(record.content, Turns)
    assert best["id"].replace("-", " ").split()[1] + " " in record.content.instruction
    assert record.content.output == best["completion"][0]["content"]
    assert (record.origin, record.is_declared) == ("machine", False)

    assert called((GOOD, FAIR, BAD), "--set", "samples=2").exit_code == 0
    assert files == {name: (out / name).read_bytes() for name in names}
    calibrate = ["judge", "calibrate", str(out / "held_out.jsonl"), "--judge", "rubric", "--set"]
    given = ["samples=1", "--model", f"scripted:{tmp_path / 'model.jsonl'}", "--quiet", "--json"]
    anchor = CliRunner().invoke(cli, [*calibrate, *given, "-o", str(tmp_path / "anchor")])
    assert json.loads(anchor.stdout)["accuracy"]["value"] == 1.0


@pytest.mark.parametrize(
    ("rules", "arguments", "words"),
    [
        ((GOOD, BAD), (), "none of the judge's 27 judgements gives an example: `order` 27"),
        (({"text": "Both have merits."},), (), "`unread` 27"),
        (({"text": "x", "error": "content_filter"},), (), "`unread` 27"),
        ((BAD,), (), "the judge always says 1, 81 times"),
        ((GOOD,), ("--judge", "pairwise"), "writes no reasons with a score for one answer"),
        ((GOOD,), ("--judge", "reference"), "writes no reasons with a score for one answer"),
        ((GOOD,), ("--held-out", "1"), "share is 1"),
    ],
)
def test_a_judge_that_cannot_give_examples_is_refused_with_reason_and_remedy(
    called: Callable[..., Result],
    tmp_path: Path,
    rules: Sequence[Mapping[str, str]],
    arguments: tuple[str, ...],
    words: str,
) -> None:
    refused = called(rules, *arguments)
    assert refused.exit_code in (1, 2)
    assert words in refused.stderr
    assert "why: " in refused.stderr
    assert "hint: " in refused.stderr
    assert not (tmp_path / "eft" / "eft.json").exists()


def test_a_base_model_is_trained_on_the_text_that_it_went_on_from(tmp_path: Path) -> None:
    prompt = "Grade it.\n\nReasons:"
    texts = {"a": " Fine and short.\nScore: 4", "b": "Not so fine.\nScore: 2"}
    kept = tuple(Example(answer(name, 1), "g", 0, 4.0, text, 0) for name, text in texts.items())
    sent = {name: Sent({"prompt": prompt}, {"id": name, "origin": "model"}) for name in texts}
    path = write_examples(tmp_path, Found(kept, ()), (), sent, {})
    (source,) = read_sources([SourceConfig(path=str(path))], seeds=False)
    assert [record.content for record in source.records] == [
        Pair(prompt, " Fine and short.\nScore: 4"),
        Pair(prompt, " Not so fine.\nScore: 2"),
    ]
