"""Claim: styles are versioned data: no word of one changes without its version, none is guessed."""

from __future__ import annotations

from importlib import resources

import pytest

from selfsown.core.errors import ConfigError
from selfsown.recipes.rephrase.style import NAMES, fingerprint, style_named, styles_named

GOLDEN = {
    "easy": ("1", "f6f9945b8d992643"),
    "medium": ("1", "ee22f7c0f13b201b"),
    "hard": ("1", "85d0e7a1e6bb0a02"),
    "qa": ("1", "3167db2f96217cd6"),
    "wikipedia": ("1", "57c4bba9082f1156"),
    "diverse_qa": ("1", "20c5b433c70ed39c"),
    "distil": ("1", "ebab940481a0548b"),
    "extract_knowledge": ("1", "528b82c75b46a7e3"),
    "knowledge_list": ("1", "8cae4612a702def6"),
    "faq": ("1", "194a62ba74f93982"),
    "math": ("1", "d2c88c876e5ef0ea"),
    "table": ("1", "e46b53ead5c7a9df"),
    "tutorial": ("1", "d0b7ed3634aeccd3"),
}
"""Style -> its version and the hash of its file: with other words comes another version."""


@pytest.mark.parametrize("name", NAMES)
def test_the_words_of_a_version_do_not_change(name: str) -> None:
    version, pinned = GOLDEN[name]
    found = (style_named(name).version, fingerprint(name))
    assert found == (version, pinned), f"raise `version` in styles/{name}.yaml, then pin {found}"


def test_every_file_of_the_registry_is_a_style_and_every_style_has_a_file() -> None:
    folder = resources.files("selfsown.recipes.rephrase") / "styles"
    files = {path.name.removesuffix(".yaml") for path in folder.iterdir()}
    assert files == set(NAMES) == set(GOLDEN)
    assert {name: style_named(name).name for name in NAMES} == {name: name for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_a_style_has_several_wordings_that_differ(name: str) -> None:
    templates = [" ".join(text.lower().split()) for text in style_named(name).templates]
    assert len(templates) >= 4
    words = [frozenset(text.split()) for text in templates]
    for one in words:
        for other in words:
            assert one is other or len(one & other) < 0.7 * len(one | other)


@pytest.mark.parametrize(
    ("name", "shares_at_least"),
    [("qa", "`question:`"), ("diverse_qa", "`answer:`"), ("faq", "`question:`"),
     ("math", "`solution:`"), ("table", "`answer:`"), ("knowledge_list", "`- `")],
)  # fmt: skip
def test_every_wording_asks_for_the_form_that_is_read(name: str, shares_at_least: str) -> None:
    assert all(shares_at_least in text.lower() for text in style_named(name).templates)


def test_a_style_that_does_not_exist_is_an_error_and_no_default() -> None:
    with pytest.raises(ConfigError, match="there is no style `medum`") as error:
        style_named("medum")
    assert error.value.fix == "did you mean `medium`?"


def test_a_changed_style_says_so_in_its_version() -> None:
    own = style_named("medium", {"templates": ["Say it again."], "faithful": {"ratio": [0.2, 3]}})
    assert own.templates == ("Say it again.",) and own.faithful.ratio == (0.2, 3)
    assert own.version.startswith("1+") and own.template_id(0) == f"medium/1@{own.version}"
    assert own.faithful.most_copied == style_named("medium").faithful.most_copied


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"tempates": ["x"]}, "no option `tempates`"),
        ({"faithful": {"rato": [1, 2]}}, "no option `rato`"),
        ({"faithful": 3}, "`faithful` of style `medium` is 3"),
        ({"templates": [" "]}, "has no instruction, or a blank one"),
        ({"input_tokens": "many"}, "`input_tokens` is `many`"),
        ({"output_tokens": 2}, "5 to 300 tokens in, 2 out"),
        ({"version": "9"}, "`version` of style `medium` cannot be changed"),
    ],
)
def test_a_change_that_makes_no_sense_is_refused(change: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        style_named("medium", change)  # type: ignore[arg-type]


def test_a_change_of_a_style_that_is_not_used_is_refused() -> None:
    with pytest.raises(ConfigError, match="`change` names style `hard`, which is not used"):
        styles_named(["easy"], {"hard": {"least_chunk": 9}})
