"""Every status and error body becomes its kind of failure, in one line that holds no secret."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfsown.core.request import JSON
from selfsown.models.failures import classify, clean_detail, error_text, status_failure

CONTEXT_MESSAGES = [
    # as OpenAI, vLLM, llama.cpp, Ollama, TGI, SGLang, LM Studio, Anthropic and others say it
    "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000.",
    "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens",
    "The decoder prompt (length 5000) is longer than the maximum model length of 4096.",
    "the request exceeds the available context size, try increasing it",
    "Context size has been exceeded.",
    "input length exceeds maximum context length",
    "the input length exceeds the context length",
    "`inputs` tokens + `max_new_tokens` must be <= 2048. Given: 2000 `inputs` tokens",
    "The input (9000 tokens) is longer than the model's context length (8192 tokens).",
    "Trying to keep the first 9000 tokens when context the overflows.",
    "prompt is too long: 210000 tokens > 200000 maximum",
    "input length and `max_tokens` exceed context limit: 199000 + 4096 > 200000",
    "Input is too long for requested model.",
    "max_tokens must be at least 1, got -186.",
    "max_tokens=131072 cannot be greater than max_model_len=max_total_tokens=40960",
    "The sum of 'inputs' tokens and 'max_new_tokens' must not exceed 4097.",
    "Requested tokens (2285) exceed context window of 2048",
]


@pytest.mark.parametrize("said", CONTEXT_MESSAGES)
@pytest.mark.parametrize("status", [400, 413, 500])
def test_too_long_a_prompt_is_recognised_in_every_servers_words(said: str, status: int) -> None:
    assert classify(status, said) == "context_length"


@pytest.mark.parametrize(
    ("status", "said", "kind"),
    [
        (400, "invalid value for temperature", "bad_request"),
        (413, "Payload Too Large", "bad_request"),
        (415, "", "bad_request"),
        (422, "unprocessable", "bad_request"),
        (400, "content_filter The response was filtered", "content_filter"),
        (400, "triggering Azure OpenAI's content management policy", "content_filter"),
        (
            403,
            "your input was flagged for violence, this model requires moderation",
            "content_filter",
        ),
        (401, "Incorrect API key", "auth"),
        (403, "country not supported", "auth"),
        (407, "", "auth"),
        (402, "Insufficient Balance", "quota"),
        (429, "insufficient_quota You exceeded your current quota", "quota"),
        (400, "Your credit balance is too low to access the API", "quota"),
        (429, "rate_limit_exceeded", "rate_limit"),
        (404, "", "not_found"),
        (405, "", "not_found"),
        (410, "", "not_found"),
        (301, "", "not_found"),
        (400, "The model `gpt-9` does not exist", "not_found"),
        (408, "", "overloaded"),
        (409, "", "overloaded"),
        (425, "", "overloaded"),
        (500, "", "overloaded"),
        (502, "", "overloaded"),
        (503, "", "overloaded"),
        (504, "", "overloaded"),
        (529, "overloaded_error Overloaded", "overloaded"),
    ],
)
def test_each_status_has_its_kind(status: int, said: str, kind: str) -> None:
    assert classify(status, said) == kind


@pytest.mark.parametrize(
    ("payload", "code", "said"),
    [
        ({"error": {"message": "m", "type": "t", "code": "c"}}, "c", "m"),
        ({"error": {"message": "m", "type": "t", "code": None}}, "t", "m"),
        (
            {"type": "error", "error": {"type": "overloaded_error", "message": "m"}},
            "overloaded_error",
            "m",
        ),
        ({"object": "error", "message": "m", "type": "BadRequestError", "code": 400}, "400", "m"),
        ({"error": "m"}, "", "m"),
        ({"detail": "m"}, "", "m"),
        ({"error": 3}, "", ""),
        ([], "", ""),
        (None, "", ""),
    ],
)
def test_code_and_text_are_found_in_every_form_of_error_body(
    payload: JSON, code: str, said: str
) -> None:
    assert error_text(payload) == (code, said)


def test_details_are_freed_of_times_ids_ports_and_keys() -> None:
    said = (
        "at 2026-01-02T03:04:05.678Z host h.example:8443 request req_0123456789abcdef said: key "
        "sk-live-abcdef123456 is bad, retry in 6m0s or 20ms, 1.5 seconds, id "
        "123e4567-e89b-12d3-a456-426614174000, stamp 1767323045123, Bearer abc.def"
    )
    cleaned = clean_detail(said)
    for gone in (
        "03:04",
        "8443",
        "0123456789",
        "abcdef",
        "6m0s",
        "20ms",
        "1.5",
        "123e4567",
        "17673",
    ):
        assert gone not in cleaned, cleaned


def test_details_keep_what_explains_the_failure() -> None:
    said = (
        "maximum context length is 8192 tokens, you asked for 9000: temperature 0.7 on gpt-4.1-mini"
    )
    assert clean_detail(said) == said


@given(st.text(max_size=2000))
def test_details_are_one_short_printable_line(text: str) -> None:
    cleaned = clean_detail(text)
    assert len(cleaned) <= 300
    assert "\n" not in cleaned
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in cleaned)
    cleaned.encode()


@given(st.text(max_size=80), st.text(min_size=4, max_size=20), st.text(max_size=80))
def test_a_known_secret_never_survives(before: str, secret: str, after: str) -> None:
    if secret not in "<secret>":
        assert secret not in clean_detail(f"x{before}{secret}{after}", [secret]).replace(
            "<secret>", ""
        ) or secret in clean_detail(f"x{before}{after}")


def test_a_web_page_is_named_as_such() -> None:
    failure = status_failure(502, {}, b"<html><title>Bad gateway</title>", None, ())
    assert failure.kind == "overloaded"
    assert failure.detail == "HTTP 502: an HTML page"


@pytest.mark.parametrize(
    ("status", "billed"), [(504, True), (408, True), (500, False), (429, False)]
)
def test_gateway_time_outs_may_have_been_billed(status: int, billed: bool) -> None:
    assert status_failure(status, {}, b"", None, ()).may_be_billed is billed
