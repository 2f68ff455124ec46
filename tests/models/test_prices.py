"""A price is the user's, else the list price of exactly that model, else unknown."""

from __future__ import annotations

import pytest

from selfsown.core.model import Price
from selfsown.models import prices
from selfsown.models.prices import price_of
from selfsown.models.uri import open_model, parse_uri


@pytest.mark.parametrize(
    ("uri", "input_usd"),
    [
        ("openai:gpt-4o", 2.5),
        ("openai:gpt-4o-2024-08-06", 2.5),
        ("openai:gpt-4o-mini-2024-07-18", 0.15),
        ("anthropic:claude-sonnet-4-20250514", 3.0),
        ("anthropic:claude-3-5-haiku-latest", 0.80),
    ],
)
def test_a_listed_model_or_its_dated_snapshot_has_its_list_price(
    uri: str, input_usd: float
) -> None:
    price = price_of(parse_uri(uri))
    assert price is not None
    assert price.input_usd == input_usd
    assert prices.AS_OF in price.source


@pytest.mark.parametrize(
    "uri",
    [
        "openai:gpt-4o-audio",
        "openai:gpt-5-ultra",
        "openai:ft:gpt-4o:me",
        "http://h/v1#gpt-4o",
        "lab",
    ],
)
def test_an_unlisted_model_has_no_price(uri: str) -> None:
    assert price_of(parse_uri(uri)) is None


def test_the_users_price_wins() -> None:
    given = Price(9.0, 9.0)
    assert price_of(parse_uri("openai:gpt-4o"), given) is given


def test_the_table_does_not_hold_at_another_host() -> None:
    model = open_model("openai:gpt-4o", environ={"OPENAI_BASE_URL": "https://proxy.example/v1"})
    assert model.price is None
    assert open_model("openai:gpt-4o", environ={}).price is not None


def test_every_listed_price_is_positive_and_output_costs_at_least_input() -> None:
    for table in (prices._OPENAI, prices._ANTHROPIC):
        for given, written, cached in table.values():
            assert 0 < given <= written
            assert cached is None or 0 < cached < given
