"""Limits in headers are read in every published form, and nonsense is ignored."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfsown.models.rate_headers import duration_s, rate_state, retry_after_s


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("6m0s", 360.0),
        ("20ms", 0.02),
        ("1s", 1.0),
        ("1h2m3.5s", 3723.5),
        ("2d", 172800.0),
        ("12.5", 12.5),
        ("", None),
        ("soon", None),
        ("5m later", None),
        ("-", None),
    ],
)
def test_durations_are_read_in_each_form(text: str, seconds: float | None) -> None:
    assert duration_s(text) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "999999999"}, 86400.0),
        (
            {
                "retry-after": "Wed, 21 Oct 2015 07:28:30 GMT",
                "date": "Wed, 21 Oct 2015 07:28:00 GMT",
            },
            30.0,
        ),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),  # in the past
        ({"retry-after": "nonsense"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_as_seconds_or_date(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert retry_after_s(headers) == seconds


def test_openai_headers_become_a_rate_state() -> None:
    state = rate_state(
        {
            "x-ratelimit-limit-requests": "60",
            "x-ratelimit-limit-tokens": "150000",
            "x-ratelimit-remaining-requests": "59",
            "x-ratelimit-remaining-tokens": "149984",
            "x-ratelimit-reset-requests": "1s",
            "x-ratelimit-reset-tokens": "6m0s",
        }
    )
    assert state is not None
    assert (state.remaining_requests, state.remaining_tokens) == (59, 149984)
    assert (state.limit_requests, state.limit_tokens) == (60, 150000)
    assert (state.reset_requests_s, state.reset_tokens_s) == (1.0, 360.0)


def test_anthropic_headers_become_a_rate_state_of_the_scarcer_tokens() -> None:
    now = "Wed, 21 Oct 2015 07:28:00 GMT"
    state = rate_state(
        {
            "date": now,
            "anthropic-ratelimit-requests-limit": "50",
            "anthropic-ratelimit-requests-remaining": "49",
            "anthropic-ratelimit-requests-reset": "2015-10-21T07:28:02Z",
            "anthropic-ratelimit-input-tokens-limit": "1000",
            "anthropic-ratelimit-input-tokens-remaining": "900",
            "anthropic-ratelimit-output-tokens-limit": "100",
            "anthropic-ratelimit-output-tokens-remaining": "10",
            "anthropic-ratelimit-output-tokens-reset": "2015-10-21T07:29:00Z",
        }
    )
    assert state is not None
    assert (state.remaining_requests, state.reset_requests_s) == (49, 2.0)
    assert (state.remaining_tokens, state.limit_tokens, state.reset_tokens_s) == (10, 100, 60.0)


def test_headers_without_limits_give_no_rate_state() -> None:
    assert rate_state({"content-type": "application/json"}) is None


@given(st.text(max_size=30))
def test_no_header_value_can_break_the_reader(text: str) -> None:
    wait = retry_after_s({"retry-after": text, "date": text})
    assert wait is None or 0 <= wait <= 86400
    headers = {"x-ratelimit-remaining-requests": text, "x-ratelimit-reset-requests": text}
    assert rate_state(headers) is not None
    rate_state({"anthropic-ratelimit-requests-remaining": text, "date": text})
