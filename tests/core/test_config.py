"""Claim: a config key that is unknown, doubled or out of range is named before any spending."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from selfsown.core.config import apply_set, difference, make_config, merged, read_config
from selfsown.core.errors import ConfigError


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("given", "what", "fix"),
    [
        ({"recipe": "x", "targt": 3}, "unknown key `targt`", "did you mean `target`?"),
        (
            {"recipe": "x", "limits": {"concurency": 3}},
            "unknown key `limits.concurency`",
            "did you mean `concurrency`?",
        ),
        ({"recipe": "x", "zzz": 1}, "unknown key `zzz`", "remove `zzz`"),
        ({}, "`recipe` is missing", "add `recipe`"),
    ],
)
def test_a_wrong_key_is_named_with_the_nearest_known_one(
    given: dict[str, Any], what: str, fix: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        make_config(given)
    assert what in caught.value.what
    assert fix in caught.value.fix


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("target", 0),
        ("target", 2**63),
        ("seed", -1),
        ("seed", 2**63),
        ("order", "random"),
        ("max_failure_rate", 1.5),
        ("model_depth", -1),
        ("budget", {"usd": -0.01}),
        ("budget", {"usd": float("inf")}),
        ("budget", {"usd": float("nan")}),
        ("budget", {"tokens": 2**63}),
        ("limits", {"concurrency": 0}),
        ("limits", {"timeout_s": "soon"}),
        ("limits", {"attempts": 0}),
        ("limits", {"resend": 2}),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(key: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"`{key}"):
        make_config({"recipe": "x", key: value})


def test_the_largest_seed_is_what_the_files_can_hold() -> None:
    assert make_config({"recipe": "x", "seed": 2**63 - 1}).seed == 2**63 - 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.yaml", "recipe: x\nseed: 1\nseed: 2\n"),
        ("b.yaml", "recipe: x\nlimits:\n  attempts: 1\n  attempts: 2\n"),
        ("c.toml", 'recipe = "x"\nseed = 1\nseed = 2\n'),
    ],
)
def test_a_key_that_stands_twice_is_refused_with_its_line(
    tmp_path: Path, name: str, text: str
) -> None:
    with pytest.raises(ConfigError, match=r"line [34]"):
        read_config(written(tmp_path / name, text))


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("a.yaml", "recipe: [x\n", "cannot be parsed"),
        ("b.yaml", "- recipe\n", "holds list, not a mapping"),
        ("c.toml", "recipe = \n", "cannot be parsed"),
        ("d.yaml", "", "holds NoneType"),
        ("f.yaml", "a: 2001-99-99\n", "month must be in 1..12"),
        ("h.yaml", "a: !!timestamp x\n", "cannot be parsed"),
        ("i.yaml", "a: !!bool x\n", "cannot be parsed"),
        ("g.yaml", "a: " + "[" * 3000, "cannot be parsed"),
        ("e.yaml", "a: !!python/object/apply:os.getcwd []\n", "cannot be parsed"),
    ],
)
def test_a_file_that_is_no_config_says_why(tmp_path: Path, name: str, text: str, what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        read_config(written(tmp_path / name, text))


def test_a_missing_or_binary_file_says_why(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_config(tmp_path / "none.yaml")
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_config(tmp_path / "b.yaml")


def test_yaml_and_toml_say_the_same(tmp_path: Path) -> None:
    yaml = read_config(written(tmp_path / "a.yaml", "recipe: x\nlimits: {attempts: 3}\n"))
    toml = read_config(written(tmp_path / "a.toml", 'recipe = "x"\n[limits]\nattempts = 3\n'))
    assert yaml == toml == {"recipe": "x", "limits": {"attempts": 3}}


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ("seed=7", {"seed": 7}),
        ("limits.attempts=3", {"limits": {"concurrency": 5, "attempts": 3}}),
        ("novelty=0.6", {"options": {"novelty": 0.6}}),
        ("options.a.b=[1, two]", {"options": {"a": {"b": [1, "two"]}}}),
        ("flag=true", {"options": {"flag": True}}),
        ("text=a=b", {"options": {"text": "a=b"}}),
        ("empty=", {"options": {"empty": None}}),
    ],
)
def test_set_takes_config_keys_options_and_depth(assignment: str, expected: dict[str, Any]) -> None:
    config: dict[str, Any] = {"limits": {"concurrency": 5}}
    apply_set(config, assignment)
    assert config == {"limits": {"concurrency": 5}} | expected


@pytest.mark.parametrize(
    "assignment", ["seed", "=3", "a..b=1", "x={", "x=2001-99-99", "x=!!int ''"]
)
def test_set_refuses_what_is_no_assignment(assignment: str) -> None:
    with pytest.raises(ConfigError, match="--set"):
        apply_set({}, assignment)


def test_merged_mappings_keep_what_is_not_overridden() -> None:
    below = {"a": 1, "b": {"c": 1, "d": [1]}}
    assert merged(below, {"b": {"d": [2]}, "e": 0}) == {"a": 1, "b": {"c": 1, "d": [2]}, "e": 0}
    assert below == {"a": 1, "b": {"c": 1, "d": [1]}}


def test_a_difference_names_each_leaf() -> None:
    old, new = {"a": {"b": 1, "c": 2}, "d": [1]}, {"a": {"b": 1, "c": 3}, "e": None}
    assert difference(old, new) == [
        "a.c: `2` → `3`",
        "d: `[1]` → `(absent)`",
        "e: `(absent)` → `None`",
    ]
    assert difference(old, old) == []
