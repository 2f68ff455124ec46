"""Judges of the tests by name."""

from __future__ import annotations

import pytest
from tests.recipes.preferring import FICKLE, GIVEN, SEEING

from selfsown.extensions import JUDGES


@pytest.fixture
def judges(monkeypatch: pytest.MonkeyPatch) -> None:
    """The judges `given`, `seeing` and `fickle`, as a plug-in would add them."""
    monkeypatch.setitem(JUDGES, "fickle", FICKLE)
    monkeypatch.setitem(JUDGES, "given", GIVEN)
    monkeypatch.setitem(JUDGES, "seeing", SEEING)
