"""Claim: a monitor sees what a generator repeats while it writes, and lets honest texts be.

Cosmopedia 8.3: an endpoint that starts 30 % of its stories with one phrase is measured at 0.30, and
the gate fails.
"""

from __future__ import annotations

import random
import tracemalloc

import pytest

from selfsown.core.errors import CheckFailed, ConfigError, Suspended
from selfsown.curate.cliches import CLICHES, Cliches
from selfsown.curate.monitors import KINDS, OTHERS, Gates, Monitor
from selfsown.curate.phrases import LOOKED_AT, phrases_of

WORDS = [a + b for a in "bcdfghklmnprstv" for b in ("ale", "ond", "ire", "ust", "eam", "ock")]


def prose(rng: random.Random, sentences: int = 6) -> str:
    parts = [" ".join(rng.choices(WORDS, k=12)).capitalize() for _ in range(sentences)]
    return ". ".join(parts) + "."


def stories(share: float, count: int, seed: int = 1) -> list[str]:
    """Of which `share` begin with one phrase, by chance."""
    rng = random.Random(seed)
    return [
        ("Deep in the old mill " if rng.random() < share else "") + prose(rng) for _ in range(count)
    ]


def test_8_3_thirty_per_cent_of_stories_with_one_opening_are_measured_and_fail_the_gate() -> None:
    monitor = Monitor()
    alarms = [alarm for text in stories(0.3, 1_000) for alarm in monitor.add(text, "style=story")]
    groups = monitor.summary()["groups"]
    top = groups["style=story"]["opening"]["top"][0]  # type: ignore[index,call-overload]
    print(top, alarms)
    assert top["phrase"] == "deep in the old mill"  # type: ignore[index,call-overload]
    assert abs(top["share"] - 0.3) < 3 * (0.3 * 0.7 / 1_000) ** 0.5 + 1 / 512  # type: ignore
    assert top["low"] < 0.3 < top["high"]  # type: ignore[index,call-overload,operator]
    assert {(alarm.group, alarm.kind, alarm.phrase) for alarm in alarms} == {
        (group, "opening", "deep in the old mill") for group in ("all", "style=story")
    }
    assert all(alarm.total < 60 for alarm in alarms)
    error = alarms[0].error()
    assert isinstance(error, CheckFailed) and isinstance(error, Suspended)
    assert error.exit_code == 1
    assert '"deep in the old mill"' in str(error) and "1.0%" in str(error)


def test_honest_texts_raise_no_alarm_in_any_group() -> None:
    monitor = Monitor()
    for number, text in enumerate(stories(0.0, 1_500)):
        assert monitor.add(text, (f"style={number % 4}", f"topic={number % 40}")) == []


def test_a_share_at_its_gate_raises_hardly_any_alarm() -> None:
    """100 runs at the gate of 1 % exactly, looked at after each of 400 texts."""
    gates = Gates(redundant=None, length=None, cliche=None)
    runs = []
    for seed in range(100):
        rng, monitor = random.Random(seed), Monitor(gates)
        texts = (f"{'a b c d' if rng.random() < 0.01 else rng.random()} x" for _ in range(400))
        runs.append(any([monitor.add(text) for text in texts]))
    print(f"false alarms: {sum(runs)} of 100 runs; promised at most {gates.alpha}")
    assert sum(runs) <= 3


def test_each_kind_is_seen() -> None:
    rng = random.Random(3)
    planted = {
        "closing": lambda: prose(rng) + " And so the lamp went dark.",
        "frame": lambda: prose(rng) + " Let us now consider " + prose(rng),
        "cliche": lambda: prose(rng) + " It was, once upon a time, " + prose(rng),
        "refusal": lambda: "I'm sorry, but I cannot help with that. " + prose(rng),
    }
    for kind, write in planted.items():
        monitor = Monitor()
        alarms = [
            a
            for _ in range(150)
            for a in monitor.add(write() if rng.random() < 0.4 else prose(rng))
        ]
        assert kind in {alarm.kind for alarm in alarms}, kind
    assert set(planted) < set(KINDS)


def test_a_drift_of_length_is_seen_in_the_block_in_which_it_happens() -> None:
    rng, monitor = random.Random(5), Monitor(Gates(block=100))
    for _ in range(450):
        assert monitor.add(prose(rng, rng.randint(4, 12))) == []
    alarms = [alarm for _ in range(150) for alarm in monitor.add(prose(rng, 2))]
    assert [(alarm.kind, alarm.phrase) for alarm in alarms] == [("length", "shorter")]
    assert alarms[0].total <= 100


def test_texts_that_say_the_same_in_another_order_are_redundant() -> None:
    rng, monitor = random.Random(6), Monitor()
    stock = [" ".join(rng.choices(WORDS, k=12)).capitalize() + "." for _ in range(40)]
    texts = [" ".join(rng.sample(stock, 12)) for _ in range(60)]
    assert "redundant" in {alarm.kind for text in texts for alarm in monitor.add(text)}
    ratio = monitor.summary()["groups"]["all"]["compression_ratio"]  # type: ignore
    assert ratio > 5  # type: ignore[operator]


def test_the_same_texts_give_the_same_alarms_whatever_was_asked_in_between() -> None:
    texts = stories(0.2, 300)
    one, two = Monitor(), Monitor()
    for text in texts:
        one.add(text, ("a", "b"))
        two.add(text, ["a", "b", "a", ""])
        two.weight("a"), two.summary()
    assert one.alarms == two.alarms and one.alarms
    assert one.summary() == two.summary()


def test_texts_over_quota_go_until_the_phrase_is_within_its_gate() -> None:
    monitor, kept = Monitor(Gates(opening=0.05)), []
    for text in stories(0.5, 1_200):
        monitor.add(text, "style=story")
        over = monitor.quota(text, "style=story")
        if over is None:
            kept.append(text)
        else:
            assert over.reason == "repeated_opening"
            assert text.startswith("Deep in the old mill")
    share = sum(text.startswith("Deep in the old mill") for text in kept) / len(kept)
    print(f"kept {len(kept)} of 1,200, with the phrase in {share:.3f} of them")
    assert 0.04 < share <= 0.05 + 1 / len(kept)
    assert len(kept) > 600


def test_a_variant_with_alarms_is_drawn_less_often() -> None:
    monitor = Monitor()
    for number, text in enumerate(stories(0.5, 200)):
        monitor.add(text, f"variant={number % 2}" if text.startswith("Deep") else "variant=other")
    assert monitor.weight("variant=0") == 0.5
    assert monitor.weight("variant=other") == monitor.weight("variant=unseen") == 1.0


def test_memory_stays_bounded_over_groups_and_texts() -> None:
    gates = Gates(max_groups=4, capacity=50)
    monitor = Monitor(gates)
    texts = [prose(random.Random(number), 3) for number in range(500)]
    for number, text in enumerate(texts):
        monitor.add(text, f"topic={number % 100}")
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number, text in enumerate(texts):
        monitor.add("Another " + text, f"topic={number % 200}")
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    groups = monitor.summary()["groups"]
    assert isinstance(groups, dict)
    assert len(groups) == 6 and OTHERS in groups
    assert grown < 400_000  # replaced phrases, and the windows that are compressed with


def test_a_text_of_two_groups_that_share_one_counts_once_in_it() -> None:
    monitor = Monitor(Gates(max_groups=1))
    for text in stories(0.0, 5):
        monitor.add(text, ("topic=a", "topic=b", "topic=c", "topic=a"))
    groups = monitor.summary()["groups"]
    assert {name: told["texts"] for name, told in groups.items()} == {  # type: ignore
        "all": 5, "topic=a": 5, OTHERS: 5
    }  # fmt: skip


def test_texts_without_words_count_and_break_nothing() -> None:
    monitor = Monitor()
    for text in ("", "   ", "...", "\ud800", "\N{SNOWMAN}" * 30_000):
        assert monitor.add(text) == []
        assert monitor.quota(text) is None
    assert monitor.summary()["groups"]["all"]["texts"] == 5  # type: ignore


def test_phrases_are_read_from_the_beginning_and_the_end_of_long_texts() -> None:
    text = "One two three four five six. " + "Filler words go here now. " * 2_000 + "The very end."
    assert len(text) > LOOKED_AT
    found = phrases_of(text, Cliches())
    assert found.opening == "one two three four five"
    assert found.closing == "here now the very end"
    assert found.frames == ("filler words go here",)


def test_a_cliche_counts_once_per_text_and_only_as_whole_words() -> None:
    cliches = Cliches()
    found = phrases_of("Once upon a TIME, picture this: once upon a time.", cliches)
    assert found.cliches == ("once upon a time", "picture this")
    assert phrases_of("Nonce upon a timer.", cliches).cliches == ()
    assert len(cliches.phrases) == len(set(CLICHES)) == len(CLICHES)


@pytest.mark.parametrize("phrases", [["to sum", "to sum up"], ["..."], ["", "a b"]])
def test_a_list_of_cliches_that_would_count_wrongly_is_refused(phrases: list[str]) -> None:
    with pytest.raises(ConfigError, match="cliche"):
        Cliches(phrases)


@pytest.mark.parametrize("given", [{"opening": 0.0}, {"cliche": 1.5}, {"alpha": 1.0}, {"block": 0}])
def test_gates_that_mean_nothing_are_refused(given: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        Gates(**given)  # type: ignore[arg-type]


def test_a_gate_that_is_off_is_not_watched() -> None:
    monitor = Monitor(Gates(opening=None))
    assert not [alarm for text in stories(0.5, 200) for alarm in monitor.add(text)]
