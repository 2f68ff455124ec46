"""Claim: tables by topic, style and audience say what was dropped and what repeats.

Where records have no such field they cost nothing.
"""

from __future__ import annotations

import random
import runpy
from pathlib import Path
from typing import Any

import pytest

from selfsown.core.errors import CallFailed
from selfsown.core.stages import Origin
from selfsown.export.run_files import RunFiles, open_run
from selfsown.report.absent import Absent
from selfsown.report.groups import MAX_GROUPS, SAMPLE, SHOWN, Groups, read_groups
from selfsown.report.numbers import read_numbers, report_numbers
from selfsown.report.page import render_page

RUNS = runpy.run_path(str(Path(__file__).with_name("run_fixture.py")))
TOPICS = ("Bird migration", "Steam <b>engines</b>", "Bread")
WORDS = [a + b for a in "bcdfghklmnprstv" for b in ("ale", "ond", "ire", "ust")]


def write_texts(directory: Path, records: int = 60, notes: dict[str, Any] | None = None) -> Path:
    """A run of texts: a third of the topic `Bread` is dropped, half of the stories begin alike."""
    run = RUNS["RunWriter"](directory, Origin("cosmopedia", "1", {"generator": "m"}))
    chunks = run.stage("chunks", "chunk")
    output = run.stage("texts", "text", output=True)
    rng = random.Random(4)
    for number in range(records):
        topic, style = TOPICS[number % 3], ("story", "textbook")[number % 2]
        head: dict[str, Any] = {"id": f"t{number}", "topic": topic}
        chunks.enter({**head, "at": number}, order=(number,)).keep()
        words = " ".join(rng.choices(WORDS, k=40))
        alike = style == "story" and number % 4 == 0
        text = f"Once upon a time there {words}" if alike else words
        payload = {**head, "style": style, "audience": "children", "text": text}
        candidate = output.enter(payload, order=(number,), keys=[])
        if topic == "Bread" and number % 9 == 2:
            candidate.reject("added_name")
        elif number == 5:
            candidate.fail(CallFailed("content_filter", "no"))
        else:
            candidate.keep()
    path: Path = run.write(stop="rows", seeds=())
    if notes is not None:
        manifest = path / "manifest.json"
        manifest.write_bytes(
            RUNS["orjson"].dumps(
                {
                    **(told := RUNS["orjson"].loads(manifest.read_bytes())),
                    "data": {**told["data"], "notes": notes},
                }
            )
        )
    return path


@pytest.fixture(scope="module")
def groups(tmp_path_factory: pytest.TempPathFactory) -> Groups:
    found = read_groups(open_run(write_texts(tmp_path_factory.mktemp("runs") / "texts")))
    assert isinstance(found, Groups)
    return found


def test_drop_rates_by_topic_are_those_of_the_files(groups: Groups) -> None:
    topics = {group.name: group for group in groups.tables[0].groups}
    bread = topics["Bread"]
    # Of 20 numbers of `Bread` (2, 5, ..., 59) every third is rejected (2, 11, ...: 7); 5 failed.
    assert (bread.kept, bread.dropped) == (12, 8)
    assert (bread.reason, bread.reason_count) == ("added_name", 7)
    assert bread.drop_rate == 0.4
    assert all(topics[name].dropped == 0 for name in TOPICS[:2])
    assert [table.field for table in groups.tables] == ["topic", "style", "audience"]


def test_openings_and_diversity_are_those_of_the_kept_texts(groups: Groups) -> None:
    styles = {group.name: group for group in groups.tables[1].groups}
    story, textbook = styles["story"], styles["textbook"]
    assert story.opening == "once upon a time there"
    alike = sum(1 for n in range(0, 60, 4) if not (n % 3 == 2 and n % 9 == 2))
    assert story.opening_rate == round(alike / story.kept, 4)
    assert textbook.opening_rate == round(1 / textbook.kept, 4)
    assert story.mean_words is not None and textbook.mean_words == 40
    assert story.kept >= SAMPLE and story.compression_ratio and textbook.compression_ratio
    assert 0.9 < (textbook.distinct_pairs or 0) <= 1


def test_groups_with_few_texts_have_no_measure_that_depends_on_their_number(tmp_path: Path) -> None:
    found = read_groups(open_run(write_texts(tmp_path / "run", records=12)))
    assert isinstance(found, Groups)
    assert {group.compression_ratio for table in found.tables for group in table.groups} == {None}


def test_alarms_of_the_monitors_are_shown(tmp_path: Path) -> None:
    alarm = {"group": "style=story", "kind": "opening", "phrase": "once <i>upon", "count": 6,
             "total": 16, "share": 0.375, "gate": 0.01}  # fmt: skip
    run = write_texts(tmp_path / "run", notes={"monitors": {"alarms": [alarm] * 30}})
    numbers = read_numbers(run)
    assert isinstance(numbers.groups, Groups)
    assert numbers.groups.alarm_count == 30 and len(numbers.groups.alarms) == 20
    assert numbers.groups.alarms[0].end_share is None
    told = {**alarm, "share": 0.02, "total": 900, "alarm_share": 0.375, "alarm_total": 16}
    other = write_texts(tmp_path / "other", notes={"monitors": {"alarms": [told]}})
    later = read_groups(open_run(other))
    assert isinstance(later, Groups)
    (one,) = later.alarms
    assert (one.share, one.total, one.end_share) == (0.375, 16, 0.02)
    page = render_page(numbers)
    assert "30 alarms while texts were written" in page
    assert "once &lt;i&gt;upon" in page and "Steam &lt;b&gt;engines" in page
    assert "once <i>upon" not in page and "Steam <b>" not in page
    assert "By topic, style, audience" in page
    assert "Length of text" in page


def test_runs_without_such_fields_are_not_read_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = open_run(RUNS["write_complete"](tmp_path / "run", rows=30))
    taken: list[str] = []
    rows = RunFiles.rows

    def counted(self: RunFiles, name: Any) -> Any:
        for row in rows(self, name):
            taken.append(name)
            yield row

    monkeypatch.setattr(RunFiles, "rows", counted)
    assert isinstance(read_groups(run), Absent)
    assert taken == ["accepted"]  # its first line
    monkeypatch.undo()
    numbers = read_numbers(run.path)
    assert "By topic" not in render_page(numbers)
    assert "absent" in report_numbers(run.path)["groups"]  # type: ignore[operator]


def test_many_topics_stay_within_bounds(tmp_path: Path) -> None:
    run = RUNS["RunWriter"](tmp_path / "run", Origin("topics", "1", {"generator": "m"}))
    output = run.stage("texts", "text", output=True)
    for number in range(2 * MAX_GROUPS):
        output.enter({"topic": f"Topic {number}", "text": "a b c"}, order=(number,)).keep()
    found = read_groups(open_run(run.write(seeds=(), stop="rows")))
    assert isinstance(found, Groups)
    table = found.tables[0]
    assert table.group_count == MAX_GROUPS + 1 and len(table.groups) == SHOWN
    assert (table.groups[0].name, table.groups[0].kept) == ("(others)", MAX_GROUPS)


def test_everything_rejected_still_has_drop_rates(tmp_path: Path) -> None:
    run = RUNS["RunWriter"](tmp_path / "run", Origin("rephrase", "1", {"generator": "m"}))
    output = run.stage("rephrases", "rephrase", output=True)
    for number in range(5):
        output.enter({"topic": "Bread", "n": number}, order=(number,)).reject("copied")
    found = read_groups(open_run(run.write(seeds=(), stop="rows")))
    assert isinstance(found, Groups)
    (group,) = found.tables[0].groups
    assert (group.kept, group.drop_rate, group.opening_rate) == (0, 1.0, None)
