"""Claim: topics fail closed (cosmopedia.md, check 8.2)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.recipes.cosmopedia.scribe import documents, ends, grow

from selfsown.core.errors import ConfigError, InputError, SelfsownError

ROWS = [
    {**row, **({"topic": topic} if topic else {})}
    for row, topic in zip(documents(4), ["Rivers", "Gambling", "rivers", "Obituaries"], strict=True)
]
NAMELESS = [*ROWS, {**documents(5)[4]}]


def refused(tmp_path: Path, rows: list[dict[str, Any]], **options: Any) -> SelfsownError:
    with pytest.raises(SelfsownError) as raised:
        grow(tmp_path / "run", rows, **options)
    return raised.value


def test_an_exclusion_that_matches_no_document_is_an_error(tmp_path: Path) -> None:
    error = refused(tmp_path, ROWS, exclude_topics=["Gambling", "Obituarys"])
    assert isinstance(error, ConfigError)
    assert "`Obituarys` is none of the topics" in error.what and "Obituaries" in error.fix


def test_an_exclusion_that_is_not_declared_is_an_error(tmp_path: Path) -> None:
    error = refused(tmp_path, ROWS, topics=["Rivers", "Gambling"], exclude_topics=["Gamblng"])
    assert "`Gamblng` is none of the topics declared" in error.what and "Gambling" in error.fix


def test_a_part_of_the_rows_may_lack_a_topic_that_is_declared(tmp_path: Path) -> None:
    topics = ["Rivers", "Gambling", "Obituaries"]
    result, _ = grow(tmp_path / "run", ROWS[2:3], topics=topics, exclude_topics=["Gambling"])
    assert len(result.accepted) == 1


def test_two_names_that_a_missing_comma_joined_are_an_error(tmp_path: Path) -> None:
    error = refused(tmp_path, ROWS, exclude_topics=["GamblingObituaries"])
    assert "`GamblingObituaries`" in error.what


def test_a_topic_that_is_not_declared_is_an_error(tmp_path: Path) -> None:
    error = refused(tmp_path, ROWS, topics=["Rivers", "Gambling"])
    assert isinstance(error, InputError)
    assert "`d3` has the topic `Obituaries`" in error.what


def test_a_missing_topic_is_an_error_where_topics_matter(tmp_path: Path) -> None:
    assert "no topic" in refused(tmp_path, NAMELESS, exclude_topics=["Gambling"]).what


def test_a_declared_default_stands_for_unknown_and_missing_topics(tmp_path: Path) -> None:
    result, _ = grow(
        tmp_path / "run",
        NAMELESS,
        topics=["Rivers", "Gambling", "other"],
        default_topic="other",
        exclude_topics=["Gambling"],
    )
    assert [record["topic"] for record in result.accepted] == ["Rivers", "Rivers", "other", "other"]
    assert ends(result, "documents")["rejected"] == {"excluded_topic": 1}


@pytest.mark.parametrize(
    "options",
    [
        {"topics": ["a"], "default_topic": "b"},
        {"exclude_topics": ["a"], "default_topic": "A"},
        {"topics": ["a", "b"], "exclude_topics": [" B "], "default_topic": "b"},
    ],
)
def test_a_contradiction_is_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    assert isinstance(refused(tmp_path, documents(1), **options), ConfigError)


def test_without_a_list_any_topic_and_none_are_taken(tmp_path: Path) -> None:
    result, _ = grow(tmp_path / "run", NAMELESS)
    assert [record["topic"] for record in result.accepted] == [
        *("Rivers", "Gambling", "rivers", "Obituaries"),
        "",
    ]
