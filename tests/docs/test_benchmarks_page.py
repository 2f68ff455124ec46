"""Claim: `docs/benchmarks.md` shows what the kept results say, and nothing else."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from benchmarks.page import PAGE, RESULTS, page, read_results
from benchmarks.peers import FOLDER
from benchmarks.record import Record, cell
from benchmarks.stragglers import bound_s


def test_the_page_is_what_the_results_give() -> None:
    made = page(read_results(RESULTS))
    assert PAGE.read_text(encoding="utf-8") == made, "run `python -m benchmarks.page`"


def test_a_record_comes_back_as_a_section_with_its_circumstances(tmp_path: Path) -> None:
    record = Record("Speed of a thing", repetitions=5)
    record.table("with care", ("client", "calls/s"), [("ours", 12345.6), ("theirs", 0.12345)])
    record.note("A peer is absent: no wheel.")
    assert record.ratio("things: ours / theirs", 0.5, at_most=0.6)
    assert not record.ratio("things: in flight", 150, at_least=200)
    record.ratio("things: beside it", 3)
    record.write(tmp_path / "things.json")

    made = page(read_results(tmp_path))
    assert (
        "medians of 5 interleaved runs" in made
        and json.loads((tmp_path / "things.json").read_text())["machine"]["processor"] in made
    )
    for line in (
        "## Speed of a thing",
        "| ours | 12,346 |",
        "| theirs | 0.123 |",
        "A peer is absent: no wheel.",
        "| things: ours / theirs | 0.5 | at most 0.6 | yes |",
        "| things: in flight | 150 | at least 200 | **no** |",
        "| things: beside it | 3 |",
    ):
        assert line in made.splitlines()


def test_results_of_another_form_are_shown_as_names_and_values(tmp_path: Path) -> None:
    (tmp_path / "scale.json").write_text('{"driver_mb": {"100": 61.5}, "ray": [true]}')
    made = page(read_results(tmp_path)).splitlines()
    assert "| driver_mb.100 | 61.5 |" in made and "| ray.0 | True |" in made


@pytest.mark.parametrize(
    ("value", "shown"), [(0.12345, "0.123"), (1234.5, "1,234"), (52002, "52,002"), ("a", "a")]
)
def test_numbers_have_three_significant_digits(value: str | float, shown: str) -> None:
    assert cell(value) == shown


def test_every_peer_is_pinned_exactly_and_has_a_script() -> None:
    pins = tomllib.loads((FOLDER / "peers.toml").read_text(encoding="utf-8"))
    for name, pin in pins.items():
        assert all("==" in package for package in pin["packages"])
        assert (FOLDER / f"{name.replace('-', '_')}_loop.py").is_file()


def test_the_bound_of_stragglers_deals_calls_out_to_free_slots() -> None:
    # two slots: 3 | 1 + 1 + 1; the 5 starts when one of them falls free, at 3
    assert bound_s([3.0, 1.0, 1.0, 1.0], 2) == 3.0
    assert bound_s([3.0, 1.0, 1.0, 1.0, 5.0], 2) == 8.0
