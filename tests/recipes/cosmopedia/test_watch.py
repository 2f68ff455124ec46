"""Claim: repeated openings are seen, acted upon, and fail the gate (cosmopedia.md, check 8.3)."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.recipes.cosmopedia.scribe import asked, digests, documents, ends, grow, text_of, told

from selfsown.core.errors import GateClosed
from selfsown.core.request import Request
from selfsown.offline import replay
from selfsown.recipes.cosmopedia.options import Monitoring
from selfsown.recipes.cosmopedia.prompts import Prompt
from selfsown.recipes.cosmopedia.watch import Watch

PHRASE = "Nobody in the village knew"


def third(request: Request, seed: int) -> str:
    """Three texts of ten begin alike."""
    text = told(request, seed)
    return f"{PHRASE} {text}" if hash_of(request) % 10 < 3 else text


def hash_of(request: Request) -> int:
    return sum(map(ord, asked(request)))


def prompt(style: str = "blog_post", number: int = 0) -> Prompt:
    return Prompt("p", style, "general", number, "1.1.1", False, ())


def test_a_phrase_that_opens_three_texts_of_ten_is_reported_with_its_share(
    tmp_path: Path,
) -> None:
    result, _ = grow(tmp_path / "run", documents(90), third, monitors={"act": "note"})
    true = sum(str(record["text"]).startswith(PHRASE) for record in result.accepted) / 90
    assert 0.15 < true < 0.45
    note = result.manifest["data"]["notes"]["monitors"]
    assert note["passed"] is False
    (alarm,) = [one for one in note["alarms"] if one["kind"] == "opening" and one["group"] == "all"]
    assert alarm["phrase"] == PHRASE.casefold() and alarm["gate"] == 0.01
    assert alarm["share"] == round(true, 4) and alarm["total"] == 90
    assert alarm["alarm_total"] < 45, "seen while there was time to act"


def test_texts_that_differ_raise_no_alarm(tmp_path: Path) -> None:
    result, _ = grow(tmp_path / "run", documents(60))
    assert result.manifest["data"]["notes"]["monitors"]["passed"] is True


def test_the_gate_stops_a_run_that_is_to_stop(tmp_path: Path) -> None:
    with pytest.raises(GateClosed, match="opening"):
        grow(tmp_path / "run", documents(90), third, monitors={"act": "stop"})
    assert (tmp_path / "run" / "accepted.jsonl").read_text().count("\n") < 90


def test_texts_beyond_the_gate_are_rejected_and_counted(tmp_path: Path) -> None:
    rows = documents(50)
    options = {"monitors": {"act": "reject"}, "ahead": 8}
    result, _ = grow(tmp_path / "run", rows, third, **options)
    rejected = ends(result, "texts")["rejected"]
    assert rejected["repeated_opening"] > 0
    assert replay(tmp_path / "run").identical
    grow(tmp_path / "again", rows, third, concurrency=1, **options)
    assert digests(tmp_path / "again") == digests(tmp_path / "run")


def test_later_prompts_forbid_what_was_used_too_often_and_it_goes_away(tmp_path: Path) -> None:
    def obedient(request: Request, seed: int) -> str:
        """Begins three texts of ten with the phrase until it is forbidden."""
        if PHRASE.casefold() in asked(request):
            return told(request, seed)
        return third(request, seed)

    result, _ = grow(tmp_path / "run", documents(70), obedient, ahead=5, styles=["blog_post"])
    texts = [str(record["text"]).startswith(PHRASE) for record in result.accepted]
    assert sum(texts[:30]) > 4 and not any(texts[45:])
    note = result.manifest["data"]["notes"]["monitors"]
    assert PHRASE.casefold() in note["forbidden"]["blog_post"]
    assert replay(tmp_path / "run").identical


def test_a_wording_that_leads_to_alarms_is_drawn_less() -> None:
    watch = Watch(Monitoring(), 2)
    for number in range(120):
        watch.add(f"{PHRASE} {text_of(str(number))}", prompt(number=1))
        watch.add(text_of(f"other {number}"), prompt(number=2))
    assert watch.weigh("blog_post/1") < 0.6 < watch.weigh("blog_post/2") == 1.0
    assert watch.forbidden("blog_post") and not watch.forbidden("faq")


def test_whoever_only_wants_notes_gets_no_action() -> None:
    watch = Watch(Monitoring(act="note"), 2)
    for number in range(120):
        assert watch.add(f"{PHRASE} {text_of(str(number))}", prompt()) is None
    assert watch.note()["passed"] is False
    assert watch.weigh("blog_post/0") == 1.0 and not watch.forbidden("blog_post")


def test_wordings_of_a_style_with_very_many_are_all_told_apart(tmp_path: Path) -> None:
    style = {
        "version": "1",
        "variants": [f"Write a text of kind {number}." for number in range(70)],
    }

    def alike(request: Request, seed: int) -> str:
        return f"{PHRASE} {told(request, seed)}"

    options = {"own_styles": {"own": style}, "styles": ["own"], "monitors": {"act": "note"}}
    result, _ = grow(tmp_path / "run", documents(160), alike, **options)
    alarms = result.manifest["data"]["notes"]["monitors"]["alarms"]
    groups = {one["group"] for one in alarms}
    assert "style=own" in groups and "(others)" not in groups
