"""Claim: styles and audiences are versioned data of our own; nothing unknown is taken for granted.

`python tests/recipes/cosmopedia/test_registry.py` writes the golden file anew, for new versions.
"""

from __future__ import annotations

import hashlib
import json
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from selfsown.core.errors import ConfigError
from selfsown.core.templates import render
from selfsown.curate.shingles import shingles
from selfsown.recipes.cosmopedia.options import Options
from selfsown.recipes.cosmopedia.registry import Registry, registry

OURS = registry({}, {}, None)
GOLDEN = Path(__file__).with_name("golden.json")


def texts(of: Registry) -> dict[str, str]:
    """Name and version of every entry → hash of all that it says."""
    forms = {
        **{f"style {name}": style for name, style in of.styles.items()},
        **{f"audience {name}": audience for name, audience in of.audiences.items()},
        "wording": of.wording,
    }
    return {
        f"{name} {form.version}": hashlib.sha256(
            json.dumps(form.model_dump(mode="json"), sort_keys=True).encode()
        ).hexdigest()[:16]
        for name, form in forms.items()
    }


def test_a_text_that_changed_has_a_new_version() -> None:
    assert texts(OURS) == json.loads(GOLDEN.read_text()), (
        "raise the `version` of what changed, then write the golden file anew (see above)"
    )


def test_a_changed_word_without_a_new_version_would_be_noticed() -> None:
    style = OURS.styles["faq"]
    changed = style.model_copy(update={"variants": (*style.variants[:-1], "Another wording.")})
    assert texts(registry({"faq": changed}, {}, None)) != texts(OURS)


def test_every_style_has_several_wordings_that_are_not_alike() -> None:
    for name, style in OURS.styles.items():
        assert len(style.variants) >= 4, name
        for one, other in combinations(style.variants, 2):
            a, b = shingles(one, 3), shingles(other, 3)
            assert len(a & b) / len(a | b) < 0.25, (name, one, other)


def test_every_audience_has_criteria_of_its_own_and_at_least_four_styles() -> None:
    assert len(OURS.audiences) >= 5
    for one, other in combinations(OURS.audiences.values(), 2):
        assert len(shingles(one.criteria, 3) & shingles(other.criteria, 3)) < 10
    for audience in OURS.audiences:
        assert sum(OURS.suits(style, audience) for style in OURS.styles) >= 4, audience


def test_every_wording_renders_for_every_audience() -> None:
    for style in OURS.styles.values():
        for variant in style.variants:
            for audience in OURS.audiences.values():
                text = render(variant, {"audience": audience.name})
                assert audience.name in text and "{" not in text


def test_what_the_prompts_forbid_is_said_in_every_wording() -> None:
    for rules in (*OURS.wording.requirements, *OURS.wording.structured_requirements):
        low = rules.casefold()
        assert "title" in low and ("image" in low or "picture" in low)
        assert "introduc" in low or "announce" in low or "greeting" in low or "remark" in low
        assert any(word in low for word in ("reference", "sources", "studies"))


def test_shares_of_audiences_hold_whatever_styles_suit_them() -> None:
    cells = OURS.cells({}, {"middle_school": 2.0, "college": 1.0})
    of = {
        name: sum(cell.share for cell in cells if cell.audience == name)
        for name in ("middle_school", "college")
    }
    assert of == pytest.approx({"middle_school": 2 / 3, "college": 1 / 3})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"styles": ["blog_pots"]}, "there is no style `blog_pots`"),
        ({"audiences": ["children"]}, "there is no audience `children`"),
        ({"styles": ["childrens_story"], "audiences": ["college"]}, "no style that was chosen"),
        ({"styles": {"faq": 0}}, "the weight of `faq` is 0"),
        (
            {"own_styles": {"ode": {"version": "1", "audiences": ["poets"], "variants": ["x"]}}},
            "there is no audience `poets`",
        ),
        ({"own_styles": {"ode": {"version": "1", "variants": []}}}, "variants"),
        ({"own_styles": {"ode": {"version": "1", "variants": ["{{ x"]}}}, "prompt template"),
        (
            {"own_styles": {"ode": {"version": "1", "variants": ["For {{ reader }}."]}}},
            "a text of style `ode` cannot be rendered: .*`?reader",
        ),
        ({"own_audiences": {"poets": {"name": "poets"}}}, "criteria"),
    ],
)
def test_what_is_not_registered_is_refused(options: dict[str, Any], said: str) -> None:
    from selfsown.recipes.base import get_recipe

    with pytest.raises(ConfigError, match=said):
        get_recipe("cosmopedia").resolve("default", options)


def test_a_user_adds_and_replaces_texts() -> None:
    own = {"version": "7", "variants": ["An ode for {{ audience }}."]}
    poets = {"version": "2", "name": "poets", "criteria": "They like rhymes."}
    options = Options.model_validate(
        {
            "own_styles": {"ode": own, "faq": own},
            "own_audiences": {"poets": poets},
            "styles": ["ode"],
            "audiences": ["poets"],
        }
    )
    assert options.registry().styles["faq"].version == "7"
    assert [(cell.style, cell.audience, cell.share) for cell in options.cells()] == [
        ("ode", "poets", 1.0)
    ]


def test_the_options_name_all_of_ours() -> None:
    for field, names in (("styles", OURS.styles), ("audiences", OURS.audiences)):
        said = (Options.model_fields[field].description or "").partition("Ours: ")[2]
        assert said.removesuffix(".").split(", ") == list(names)


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(texts(OURS), indent=1) + "\n")
