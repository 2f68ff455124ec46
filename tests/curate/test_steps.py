"""Claim: a filter is registered by name, records its options, and refuses what it cannot use."""

from __future__ import annotations

import pytest

from selfsown import extensions
from selfsown.core.errors import ConfigError
from selfsown.curate import index_filter, language, near_duplicates, rules
from selfsown.curate.steps import FILTERS, Check, filter_named, filter_step, first_drop, require
from selfsown.curate.verdict import Verdict, drop, keep


def test_all_filters_of_the_presets_and_those_in_no_preset_are_registered() -> None:
    in_presets = {each.name for preset in ("default", "paper") for each in rules_of(preset)}
    others = {"benchmark_overlap", "language", "near_duplicate"}
    assert in_presets | others == set(FILTERS) == set(extensions.FILTERS)
    assert language.language.__name__ == "language"
    assert index_filter.benchmark_overlap.__name__ == "benchmark_overlap"
    assert near_duplicates.near_duplicate.__name__ == "near_duplicate"


def rules_of(preset: str) -> tuple[rules.InstructionFilter, ...]:
    return rules.instruction_rules(preset)  # type: ignore[arg-type]


def test_a_filter_made_by_name_equals_one_made_by_function() -> None:
    by_name, by_function = filter_named("length", least=2), rules.length(least=2)
    assert (by_name.name, by_name.options) == (by_function.name, by_function.options)
    assert by_name.options == {"least": 2, "most": 150, "count_unspaced": False}
    assert by_name("one") == by_function("one") == Verdict(False, "too_short", 1)


def test_unknown_names_and_options_are_errors_that_help() -> None:
    with pytest.raises(ConfigError, match="did you mean `length`"):
        filter_named("lenght")
    with pytest.raises(ConfigError, match="no option `minimum`"):
        filter_named("length", minimum=3)


def test_a_name_is_registered_once() -> None:
    def again() -> Check:
        return lambda text: keep()

    with pytest.raises(ConfigError, match="two filters are called `length`"):
        filter_step("length")(again)


def test_first_drop_stops_at_the_first_reason() -> None:
    filters = (rules.length(least=2), rules.keyword(words=["map"]))
    assert first_drop(filters, "map").reason == "too_short"
    assert first_drop(filters, "a map").reason == "keyword"
    assert first_drop(filters, "a mop") == keep()
    assert first_drop((), "anything") == keep()


def test_verdicts_carry_reason_and_score() -> None:
    assert keep(0.25) == Verdict(True, None, 0.25)
    assert drop("why", 3) == Verdict(False, "why", 3)


def test_require_names_what_is_wrong() -> None:
    require(True, "unused", "unused")
    with pytest.raises(ConfigError, match="`least` is -1"):
        require(False, "`least` is -1", "counts are never negative")
