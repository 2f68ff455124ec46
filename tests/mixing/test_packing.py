"""Claim: no window holds a document twice, or beside its rephrase, or is too long.

Nothing is lost or changed on the way into windows, also of documents that are longer than one.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from selfsown.core.token_counts import estimate_tokens
from selfsown.mixing.order import Drawn
from selfsown.mixing.packing import Cut, Window, packed, text_cutter, token_cutter
from selfsown.mixing.units import Kind, Unit, clash

WINDOW = 40
END = "\n\n"

WORDS = st.sampled_from(["stone", "river\n\n", "a", "glass.", "```\nx = 1\n```\n", "é", "market "])
TEXTS = st.lists(WORDS, min_size=1, max_size=120).map(" ".join)


@st.composite
def mixtures(draw: st.DrawFn) -> list[Drawn]:
    """Documents, their rephrases in styles, children of several, repetitions; in any order."""
    drawn: list[Drawn] = []
    for doc in range(draw(st.integers(1, 6))):
        for style in draw(st.lists(st.sampled_from(["", "easy", "qa"]), min_size=1, unique=True)):
            kind: Kind = "synthetic" if style else "real"
            parents = draw(st.sets(st.sampled_from(["d0", "d1", "d2"]), max_size=2))
            text = draw(TEXTS)
            unit = Unit(
                f"d{doc}{style}", f"d{doc}", kind, text, estimate_tokens(text), 0,
                tuple(sorted(parents)),
            )  # fmt: skip
            copies = draw(st.integers(1, 3))
            drawn += [Drawn(style or "web", copy, unit) for copy in range(copies)]
    return draw(st.permutations(drawn))


def check(windows: list[Window], window: int) -> None:
    for one in windows:
        assert one.pieces and one.size == sum(piece.size for piece in one.pieces) <= window
        assert len({piece.drawn.unit.kind for piece in one.pieces}) == 1
        for first, second in combinations(one.pieces, 2):
            assert not clash(first.drawn.unit, second.drawn.unit)


def bodies(windows: list[Window]) -> dict[tuple[str, str, int], list[str | list[int]]]:
    """What became of every text, part by part."""
    parts: dict[tuple[str, str, int], list[tuple[int, str | list[int]]]] = defaultdict(list)
    for one in windows:
        for piece in one.pieces:
            key = (piece.drawn.unit.id, piece.drawn.source, piece.drawn.copy)
            parts[key].append((piece.part, piece.body))
    for found in parts.values():
        found.sort(key=lambda one: one[0])
        assert [part for part, _ in found] == list(range(len(found)))
    return {key: [body for _, body in found] for key, found in parts.items()}


@settings(max_examples=60, deadline=None)
@given(mixtures())
def test_windows_of_text_never_say_a_thing_twice_and_keep_every_character(
    drawn: list[Drawn],
) -> None:
    windows = list(packed(drawn, text_cutter(WINDOW, END, estimate_tokens), WINDOW))
    check(windows, WINDOW)
    for window in windows:
        whole = "".join(str(piece.body) for piece in window.pieces)
        assert estimate_tokens(whole) <= WINDOW
    expected = {(one.unit.id, one.source, one.copy): one.unit.text + END for one in drawn}
    assert {key: "".join(map(str, body)) for key, body in bodies(windows).items()} == expected


@settings(max_examples=40, deadline=None)
@given(mixtures())
def test_windows_of_tokens_never_say_a_thing_twice_and_keep_every_token(drawn: list[Drawn]) -> None:
    drawn = [
        replace(one, unit=replace(one.unit, ids=tuple(one.unit.text.encode()))) for one in drawn
    ]
    windows = list(packed(drawn, token_cutter(WINDOW, [256]), WINDOW))
    check(windows, WINDOW)
    expected = {(one.unit.id, one.source, one.copy): [*one.unit.ids, 256] for one in drawn}
    joined = {
        key: [token for part in body for token in part] for key, body in bodies(windows).items()
    }
    assert joined == expected


def cut_lengths(cut: Cut, size: int) -> list[int]:
    unit = Unit("d", "d", "real", "", size, ids=(1,) * size)
    return [piece.size for piece in cut(Drawn("web", 0, unit))]


def test_token_rows_are_full_but_for_the_last_and_an_end_is_never_alone() -> None:
    cut = token_cutter(10, [0])
    assert cut_lengths(cut, 9) == [10]
    assert cut_lengths(cut, 10) == [9, 2]  # the end would not fit behind 10
    assert cut_lengths(cut, 25) == [10, 10, 6]
    assert cut_lengths(token_cutter(10, []), 20) == [10, 10]


def test_a_text_that_fits_into_a_window_is_never_cut() -> None:
    cut = text_cutter(WINDOW, "", estimate_tokens)
    text = "```\n" + "code = 1\n" * 16 + "```"  # 38 tokens
    unit = Unit("d", "d", "real", text, estimate_tokens(text))
    assert [piece.body for piece in cut(Drawn("web", 0, unit))] == [text]


def test_few_windows_come_mixed_too() -> None:
    kinds: tuple[Kind, Kind] = ("real", "synthetic")
    drawn = [
        Drawn(kind, 0, Unit(f"{kind}{n}", f"{kind}{n}", kind, "x" * 20, 20))
        for n in range(40)
        for kind in kinds
    ]
    windows = list(packed(drawn, text_cutter(WINDOW, "", lambda text: len(text)), WINDOW))
    assert len(windows) == 40  # fewer of each kind than may be open
    for start in range(0, 40, 10):
        assert {one.kind for one in windows[start : start + 10]} == set(kinds)


def test_windows_are_well_filled_by_texts_that_are_short_beside_them() -> None:
    units = [Unit(f"d{n}", f"d{n}", "real", "x", 20 + n * 37 % 200) for n in range(3_000)]
    cut = text_cutter(2_048, "", lambda text: len(text))
    windows = list(packed((Drawn("web", 0, unit) for unit in units), cut, 2_048))
    assert sum(one.size for one in windows) / (len(windows) * 2_048) > 0.95
