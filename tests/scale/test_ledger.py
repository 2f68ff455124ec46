"""Claim: whatever happens in whatever order, all caps together never exceed the whole one."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from selfsown.core.errors import ConfigError
from selfsown.scale.ledger import Ledger, Split
from selfsown.scale.tasks import Outcome

SHARDS = 4
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("finished"), st.integers(0, SHARDS - 1), st.floats(0, 1)),
        st.tuples(st.just("exhausted"), st.integers(0, SHARDS - 1), st.floats(0.5, 1)),
        st.tuples(st.just("hand_on"), st.just(0), st.just(0.0)),
        st.tuples(st.just("raise"), st.integers(0, 500), st.just(0.0)),
        st.tuples(st.just("again"), st.just(0), st.just(0.0)),
    ),
    max_size=14,
)


def caps(ledger: Ledger) -> list[int]:
    return [ledger.cap(shard)[1] for shard in range(SHARDS)]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2000), EVENTS)
def test_caps_never_add_up_to_more_than_the_whole(
    cap: int, events: list[tuple[str, int, float]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, kept = Path(folder) / "ledger.sqlite", list[Split]()
        ledger = Ledger(path)
        assert ledger.enter(SHARDS)
        ledger.set_caps(None, cap)
        assert sum(caps(ledger)) == cap
        spent = [0] * SHARDS
        for kind, number, part in events:
            if kind in ("finished", "exhausted"):
                allowed = ledger.cap(number)[1]
                spent[number] = max(spent[number], int(allowed * part))
                assert spent[number] <= allowed
                kinds = {
                    "finished": ("finished", ""),
                    "exhausted": ("suspended", "BudgetExhausted"),
                }
                status, error = kinds[kind]
                outcome = Outcome(
                    shard=number,
                    status=status,  # type: ignore[arg-type]
                    kind=error,
                    tokens=spent[number],
                )
                ledger.record(outcome, "digest")
            elif kind == "hand_on":
                ledger.hand_on(kept.append)
            elif kind == "raise":
                cap += number
                ledger.set_caps(None, cap)
            else:
                ledger.close()
                ledger = Ledger(path)
                assert not ledger.enter(SHARDS)
                ledger.set_caps(None, cap)
            assert sum(caps(ledger)) <= cap
            assert sum(spent) <= cap
        if kept:
            assert sum(tokens for _, tokens in kept[-1].caps) <= cap
        ledger.close()


def test_a_cap_that_comes_later_counts_what_was_spent_without_it(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.sqlite") as ledger:
        ledger.enter(SHARDS)
        ledger.set_caps(None, None)
        ledger.record(Outcome(shard=1, status="finished", tokens=70), "d")
        ledger.set_caps(None, 100)
        assert caps(ledger) == [10, 70, 10, 10]
        with pytest.raises(ConfigError, match="lower than"):
            ledger.set_caps(None, 99)
        ledger.set_caps(None, None)
        ledger.set_caps(None, 60)
        assert caps(ledger) == [0, 70, 0, 0]
        assert not ledger.hand_on(lambda split: None)
