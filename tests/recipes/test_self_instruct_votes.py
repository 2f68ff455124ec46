"""Votes keep the outputs that further answers repeat, ask no more than decides, and lose nothing.

The rule is held against a count of all votes; the runs against replay, interruption and extension.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.recipes.gardener import BASE, CHAT, JSON_CHAT, SEEDS, gardener, is_vote

from selfsown.core.config import make_config
from selfsown.core.errors import CallFailed, ConfigChanged, ConfigError, Interrupted
from selfsown.core.model import AttemptFailed, Capabilities
from selfsown.core.request import Completion, Request
from selfsown.core.rundir import DATA_FILES, read_lines
from selfsown.models.scripted import ScriptedModel
from selfsown.offline import plan, replay
from selfsown.recipes.self_instruct.options import Options
from selfsown.recipes.self_instruct.parse import read_output, read_output_json
from selfsown.recipes.self_instruct.recipe import RECIPE, call_bounds
from selfsown.recipes.self_instruct.votes import Count, Decision, Vote
from selfsown.runner import RunResult, run

Answer = Callable[[str, int], str | Completion | AttemptFailed]

FAILED = Vote(None, CallFailed("content_filter", "refused"))
VOTE = st.sampled_from([*(Vote(said) for said in ("yes", "YES ", "no", "maybe", None)), FAILED])


@st.composite
def ballots(draw: st.DrawFn) -> tuple[int, list[Vote]]:
    """Votes that must agree, and all votes that could be asked."""
    votes = draw(st.lists(VOTE, min_size=1, max_size=7))
    return draw(st.integers(1, len(votes))), votes


def agreeing(votes: Sequence[Vote]) -> int:
    return sum(vote.answer in ("yes", "YES ") for vote in votes)


def asked(needed: int, votes: Sequence[Vote], *, at_once: bool) -> Count:
    """The count when it is decided, votes asked one by one or as many as it says."""
    count = Count(len(votes), needed)
    while count.decision == "open":
        step = count.next_count if at_once else 1
        for vote in votes[count.asked : count.asked + step]:
            count = count.add(vote, "Yes")
    return count


def says(*answers: str) -> list[Vote]:
    return [Vote(answer) for answer in answers]


# -- the rule


@given(ballots())
def test_stopping_early_decides_as_all_votes_would(ballot: tuple[int, list[Vote]]) -> None:
    needed, votes = ballot
    failed = sum(vote is FAILED for vote in votes)
    expected: Decision = "failed"
    if agreeing(votes) >= needed:
        expected = "kept"
    elif agreeing(votes) + failed < needed:
        expected = "rejected"
    assert asked(needed, votes, at_once=True).decision == expected


@given(ballots())
def test_asking_several_at_once_asks_no_more_than_one_by_one(
    ballot: tuple[int, list[Vote]],
) -> None:
    assert asked(*ballot, at_once=True) == asked(*ballot, at_once=False)


@given(ballots())
def test_a_decision_is_made_at_the_first_vote_that_allows_it(
    ballot: tuple[int, list[Vote]],
) -> None:
    needed, votes = ballot
    count = asked(needed, votes, at_once=True)
    before, left = votes[: count.asked - 1], len(votes) - count.asked + 1
    failed = sum(vote is FAILED for vote in before)
    assert agreeing(before) < needed <= agreeing(before) + failed + left


def test_two_of_three_that_agree_leave_the_third_unasked() -> None:
    count = asked(2, says("yes", "YES ", "no"), at_once=True)
    assert (count.decision, count.asked) == ("kept", 2)
    count = asked(2, says("no", "no", "yes"), at_once=True)
    assert (count.decision, count.asked) == ("rejected", 2)


def test_agreement_among_the_others_is_no_vote_for_the_output() -> None:
    """The majority says no, and the output is yes: it goes, it is not corrected."""
    assert asked(2, says("no", "no", "no"), at_once=True).decision == "rejected"
    assert asked(2, says("yes", "no", "yes", "no"), at_once=True).decision == "kept"


def test_punctuation_is_part_of_an_answer() -> None:
    assert not Count(1, 1).add(Vote("-5"), "5").agreed
    assert Count(1, 1).add(Vote(" two\n WORDS"), "Two words").agreed


@pytest.mark.parametrize(
    ("text", "output"),
    [
        (" hen", "hen"),
        ("\nhen\n\n", "hen"),
        ("Output: hen", "hen"),
        (" first line\nsecond line", "first line\nsecond line"),
        (" hen\nInput: cow\nOutput: calf", "hen"),
        ("", None),
        (" \n", None),
        ("\nTask: Go on.", None),
    ],
)
def test_an_answer_is_read_as_the_output_of_an_instance_is(text: str, output: str | None) -> None:
    assert read_output(text) == output


@pytest.mark.parametrize(
    ("value", "output"),
    [({"output": " hen "}, "hen"), ({"output": ""}, None), ({"output": 3}, None), (None, None)],
)
def test_an_answer_in_json_is_its_output(value: Any, output: str | None) -> None:
    assert read_output_json(value) == output


@given(st.text())
def test_no_answer_makes_the_reader_raise(text: str) -> None:
    assert read_output(text) != ""


# -- runs


def grow(out: Path, model: ScriptedModel | None = None, **given: Any) -> RunResult:
    given.setdefault("target", 12)
    given.setdefault("answer_votes", 3)
    model = model or gardener(sure=0.6)
    return run("self-instruct", seeds=SEEDS, model=model, out=out, **given)


def counts(result: RunResult, stage: str) -> dict[str, Any]:
    return {one["stage"]: one for one in result.manifest["data"]["stages"]}[stage]


def prompt_of(request: Request) -> str:
    return (request.prompt or "\n".join(turn.text for turn in request.messages)).rstrip()


def votes_asked(model: ScriptedModel) -> int:
    return sum(is_vote(prompt_of(request)) for request in model.requests)


def voting(vote: Answer, instances: str | None = None) -> ScriptedModel:
    """A gardener without classification whose votes come from a function.

    It is given what the gardener says and the number of the vote on this instance. `instances` is
    what all instances are, if given.
    """
    usual, seen = gardener(yes=0.0), Counter[str]()

    def respond(request: Request, seed: int) -> str | Completion | AttemptFailed:
        prompt = prompt_of(request)
        asked = prompt.rsplit("Task:", 1)[-1]
        seen[asked] += 1
        assert usual._function is not None
        said = str(usual._function(request, seed))
        if is_vote(prompt):
            return vote(said, seen[asked] - 1)
        return instances if instances and prompt.endswith("again.") else said

    return ScriptedModel(respond, capabilities=BASE, identity="gardener")


@pytest.mark.parametrize("capabilities", [BASE, CHAT, JSON_CHAT])
@pytest.mark.parametrize("preset", ["default", "paper"])
def test_votes_reject_with_a_reason_of_their_own_in_every_layout(
    tmp_path: Path, capabilities: Capabilities, preset: str
) -> None:
    model = gardener(sure=0.6, capabilities=capabilities)
    result = grow(tmp_path / "a", model, preset=preset, target=40, structured="auto")
    found = counts(result, "instances")
    assert found["rejected"]["votes_disagree"] > 0 and found["accepted"] > 0
    rejected = [one for one in result.rejected if one["reason"] == "votes_disagree"]
    assert len(rejected) == found["rejected"]["votes_disagree"]
    assert all(one["record"]["output"] and one["score"] < 2 for one in rejected)
    told = result.manifest["data"]["notes"]["votes"]
    assert told["asked"] == votes_asked(model) and told["failed"] == 0


def test_a_model_that_repeats_itself_is_asked_twice_of_three(tmp_path: Path) -> None:
    model = gardener()
    result = grow(tmp_path / "a", model, order="strict")
    found = counts(result, "instances")
    assert "votes_disagree" not in found["rejected"]
    assert votes_asked(model) == 2 * found["accepted"]


def test_what_the_filters_drop_is_not_voted_on(tmp_path: Path) -> None:
    model = voting(lambda said, number: said, instances="Input: same\nOutput: same")
    result = grow(tmp_path / "a", model, saturation_window=5)
    assert counts(result, "instances")["rejected"].keys() == {"output_is_input"}
    assert votes_asked(model) == 0


def test_a_task_whose_instances_are_all_outvoted_is_rejected(tmp_path: Path) -> None:
    result = grow(tmp_path / "a", gardener(sure=0.0), saturation_window=5)
    assert result.stop == "saturated" and len(result.accepted) == 0
    assert counts(result, "tasks")["rejected"].keys() == {"no_instance_kept"}


def test_without_votes_a_run_is_what_it_was(tmp_path: Path) -> None:
    model = gardener()
    plain = grow(tmp_path / "a", model, answer_votes=0, order="strict")
    settled = grow(tmp_path / "b", gardener(), order="strict")
    assert votes_asked(model) == 0
    assert (
        not {"answer", "answer_votes", "answer_votes_agree"} & RECIPE.data_options(Options()).keys()
    )
    assert "votes" not in plain.manifest["data"]["notes"]
    assert "answer" not in plain.manifest["data"]["notes"]["shots"]
    assert (tmp_path / "a/accepted.jsonl").exists()
    bare = [{k: v for k, v in row.items() if k != "id"} for row in plain.accepted]
    assert bare == [{k: v for k, v in row.items() if k != "id"} for row in settled.accepted]


def test_changed_votes_are_another_config_whose_calls_are_reused(tmp_path: Path) -> None:
    first, second = gardener(), gardener()
    grow(tmp_path / "a", first, answer_votes=0, order="strict")
    with pytest.raises(ConfigChanged, match="answer_votes"):
        grow(tmp_path / "a", gardener(), order="strict")
    grow(tmp_path / "a", second, order="strict", update=True)
    assert second.call_count == votes_asked(second) > 0, "all but the votes was there"


# -- durability


@pytest.mark.parametrize("order", ["arrival", "strict"])
@pytest.mark.parametrize("kill_after", [3, 18, 47, 80])
def test_a_run_with_votes_resumes_and_replays(tmp_path: Path, kill_after: int, order: str) -> None:
    first, second, whole = gardener(sure=0.6), gardener(sure=0.6), gardener(sure=0.6)
    first._stop_after = kill_after
    with pytest.raises(Interrupted):
        grow(tmp_path / "a", first, target=20, order=order)
    resumed = grow(tmp_path / "a", second, target=20, order=order)
    assert first.call_count + second.call_count == resumed.manifest["run"]["calls"]
    assert all(replay(tmp_path / "a", shuffle=shuffle).identical for shuffle in (False, True))
    if order == "strict":
        grow(tmp_path / "b", whole, target=20, order=order)
        for name in DATA_FILES:
            assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_every_candidate_of_a_run_with_votes_ends_once(tmp_path: Path) -> None:
    result = grow(tmp_path / "a", target=40)
    for stage in result.manifest["data"]["stages"]:
        ended = stage["accepted"] + sum(stage["rejected"].values()) + sum(stage["failed"].values())
        assert stage["in"] == ended
    known = Counter(str(line["id"]) for line in read_lines(tmp_path / "a/provenance.jsonl"))  # type: ignore[index,call-overload]
    assert set(known.values()) == {1}
    assert known.total() == sum(stage["in"] for stage in result.manifest["data"]["stages"])


def test_the_votes_stay_below_the_planned_bound(tmp_path: Path) -> None:
    model = gardener(sure=0.5)
    options = {"answer_votes": 5, "saturation_window": 8, "least_task_yield": 0.2}
    grow(tmp_path / "a", model, target=15, **options)
    bounds = {
        bound.kind: bound.calls
        for bound in call_bounds(RECIPE.resolve("default", options), 15, len(SEEDS))
    }
    assert 0 < votes_asked(model) <= bounds["votes on instances"]


async def test_an_estimate_counts_the_votes() -> None:
    async def expected(votes: int) -> int | None:
        config = {"recipe": "self-instruct", "target": 20, "options": {"answer_votes": votes}}
        opened = {"generator": gardener()}
        return (await plan(make_config(config), seeds=SEEDS, opened=opened)).expected_calls

    assert [await expected(votes) for votes in (0, 3)] == [50, 117]


# -- failures


def refuse(said: str, number: int) -> AttemptFailed:
    return AttemptFailed("content_filter", "refused by the filter")


def test_a_failed_vote_that_does_not_decide_costs_nothing(tmp_path: Path) -> None:
    """The first vote on each instance fails; the two others agree."""
    model = voting(lambda said, number: said if number else refuse(said, number))
    result = grow(tmp_path / "a", model)
    found = counts(result, "instances")
    assert result.manifest["data"]["notes"]["votes"]["failed"] == found["accepted"] > 0
    assert found["failed"] == {} and "votes_disagree" not in found["rejected"]


def test_an_instance_whose_votes_failed_is_failed_not_lost(tmp_path: Path) -> None:
    result = grow(tmp_path / "a", voting(refuse), max_requests=1)
    found = counts(result, "instances")
    assert found["failed"] == {"content_filter": found["in"]} and found["in"] > 0
    assert counts(result, "tasks")["failed"] == {"content_filter": counts(result, "tasks")["in"]}
    assert {line["stage"] for line in result.failed} == {"tasks", "instances"}
    assert all(line["record"]["output"] for line in result.failed if line["stage"] == "instances")
    assert replay(tmp_path / "a").identical


def test_failed_votes_are_asked_again_on_request(tmp_path: Path) -> None:
    given = {"max_requests": 1}
    first = grow(tmp_path / "a", voting(refuse), **given)
    assert len(first.accepted) == 0
    able = gardener(yes=0.0)
    again = grow(tmp_path / "a", able, retry_failed=True, **given)
    assert counts(again, "instances")["failed"] == {} and len(again.accepted) > 0
    assert able.call_count == votes_asked(able), "nothing but the votes was asked again"


def test_an_unreadable_or_cut_off_vote_disagrees(tmp_path: Path) -> None:
    cut = voting(lambda said, number: Completion(said, finish_reason="length"))
    result = grow(tmp_path / "a", cut, saturation_window=5)
    assert counts(result, "instances")["rejected"]["votes_disagree"] > 0 == len(result.accepted)


def test_a_missed_schema_is_a_vote_against_not_a_failure(tmp_path: Path) -> None:
    usual = gardener(capabilities=JSON_CHAT)

    def broken(request: Request, seed: int) -> str | Completion | AttemptFailed:
        if is_vote(prompt_of(request)):
            return AttemptFailed("schema", "no JSON")
        assert usual._function is not None
        return usual._function(request, seed)

    model = ScriptedModel(broken, capabilities=JSON_CHAT, identity="g")
    result = grow(tmp_path / "a", model, saturation_window=5)
    assert counts(result, "instances")["failed"] == {}
    assert counts(result, "instances")["rejected"]["votes_disagree"] > 0


# -- what is asked


def test_a_greedy_vote_with_the_same_worked_tasks_is_sampled(tmp_path: Path) -> None:
    model = gardener(sure=0.5)
    given = {"answer": {"temperature": 0.0}, "answer_demonstrations": 0, "answer_votes": 2}
    grow(tmp_path / "a", model, **given)
    asked = [request for request in model.requests if is_vote(prompt_of(request))]
    by_prompt = Counter(request.prompt for request in asked)
    assert {request.temperature for request in asked} == {0.0, 0.7}
    assert set(by_prompt.values()) <= {1, 2}


def test_more_agreement_than_votes_is_refused() -> None:
    with pytest.raises(ConfigError, match="answer_votes_agree"):
        RECIPE.resolve("default", {"answer_votes": 3, "answer_votes_agree": 4})
    assert [Options(answer_votes=k).votes_needed for k in (1, 2, 3, 4, 5)] == [1, 2, 2, 3, 3]
