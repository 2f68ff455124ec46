"""Claim: what is written about a command line holds no key, and the rest of it word for word."""

from __future__ import annotations

import pytest

from selfsown.core.hidden import hide_argument_secrets, hide_url_secrets


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["--model", "http://u:p@h:1/v1?key=k#m"], ["--model", "http://…@h:1/v1#m"]),
        (["--model", "judge=http://u:p/@h/v1#m"], ["--model", "judge=http://…@h/v1#m"]),
        (["--store=sftp://u:p@h/x"], ["--store=sftp://…@h/x"]),
        (["--set", "models.a.api_key=sk-1"], ["--set", "models.a.api_key=…"]),
        (["--set=models={a: {headers: {X: s}}}"], ["--set=models=…"]),
        (["--set", "models.a.api_key_env=NAME"], ["--set", "models.a.api_key_env=NAME"]),
        (["--prompt", "See http://h/?q=1, api_key"], ["--prompt", "See http://h/?q=1, api_key"]),
        (["--model", "http://h:1/v1#m", "-n", "3"], ["--model", "http://h:1/v1#m", "-n", "3"]),
    ],
)  # fmt: skip
def test_keys_are_hidden_and_nothing_else(words: list[str], shown: list[str]) -> None:
    assert list(hide_argument_secrets(words)) == shown


def test_a_url_too_broken_to_be_parsed_is_hidden_too() -> None:
    assert hide_url_secrets("http://a@b:c?d@h:x/") == "http://…@h:x/"
