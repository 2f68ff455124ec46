"""A measurement compares equal sizes, repeats itself, and says what it could not do."""

from __future__ import annotations

import statistics

import numpy as np
import pytest

from selfsown.core.errors import ConfigError, InputError
from selfsown.guard.intervals import estimate, half_samples
from selfsown.guard.losses import losses_of, rejections_by_topic
from selfsown.guard.measure import Ruler, measure
from selfsown.guard.metrics import WORSE
from selfsown.guard.sample import Settings, TextRow
from selfsown.guard.simulate.planted import Knobs, PlantedSource

SETTINGS = Settings(m=150, replicates=30)
SOURCE = PlantedSource(1)


@pytest.fixture(scope="module")
def ruler() -> Ruler:
    return Ruler(SOURCE.draw(450, 0), SETTINGS)


def test_half_samples_give_the_standard_error_of_a_mean() -> None:
    values = np.random.default_rng(0).normal(10, 2, 400)
    found = estimate(lambda mask: float(values[mask].mean()), half_samples(400, 400, 0))
    # s / sqrt(n) = 2 / 20 = 0.1; 400 replicates know it to 4 %.
    assert found.value == pytest.approx(values.mean())
    assert found.error == pytest.approx(statistics.stdev(values) / 20, rel=0.15)
    assert found.hi - found.lo == pytest.approx(2 * 1.96 * found.error)


def test_intervals_of_distinct_pairs_cover_the_mean_of_other_draws(ruler: Ruler) -> None:
    found = [ruler.measure(SOURCE.draw(150, 10 + n)).values["distinct_2"] for n in range(12)]
    center = statistics.fmean(one.value for one in found)
    assert sum(one.lo <= center <= one.hi for one in found) >= 10


def test_every_metric_is_measured_or_skipped_with_a_reason(ruler: Ruler) -> None:
    found = ruler.measure(SOURCE.draw(200, 1))
    assert set(found.values) | set(found.skipped) == set(WORSE)
    assert set(found.skipped) == {"near_copy_rate"}
    assert found.m == 150


def test_human_text_looks_like_human_text(ruler: Ruler) -> None:
    found = ruler.measure(SOURCE.draw(150, 2)).values
    for name in ("distinct_2", "entropy_2", "vendi", "compression_ratio", "self_bleu_4"):
        assert found[name].ratio == pytest.approx(1, abs=0.12), name
    assert 0.35 < found["auc"].value < 0.65


def test_the_same_arguments_give_the_same_numbers() -> None:
    sample, reference = SOURCE.draw(150, 3), SOURCE.draw(300, 0)
    assert measure(sample, reference, SETTINGS) == measure(sample, reference, SETTINGS)


def test_the_control_of_one_sample_does_not_depend_on_samples_before(ruler: Ruler) -> None:
    fresh = Ruler(SOURCE.draw(450, 0), SETTINGS)
    ruler.measure(SOURCE.draw(150, 4, Knobs(temperature=0.5)))
    assert ruler.measure(SOURCE.draw(150, 5)) == fresh.measure(SOURCE.draw(150, 5))


def test_sizes_are_equal_and_rows_without_text_do_not_count(ruler: Ruler) -> None:
    found = ruler.measure([*SOURCE.draw(90, 6), TextRow("  ")])
    assert found.m == 90
    # Twice as many rows in the reference as in the sample, and more, change nothing.
    assert ruler.measure(SOURCE.draw(1000, 6)).m == 150


def test_a_small_reference_names_the_metrics_it_cannot_do() -> None:
    found = measure(SOURCE.draw(150, 1), SOURCE.draw(60, 0), SETTINGS)
    assert found.m == 150
    assert "needs 100 rows of human reference" in found.skipped["coverage"]
    assert {"topic_mass", "vendi", "rare_ngram_recall", "auc", "length_ks"} <= set(found.skipped)
    # What needs no human text is still measured, for comparison with the own first round.
    assert found.values["distinct_2"].baseline is None and found.values["distinct_2"].ratio is None


def test_a_small_sample_names_the_metrics_it_cannot_do(ruler: Ruler) -> None:
    found = ruler.measure(SOURCE.draw(30, 1))
    assert found.skipped["coverage"] == "needs 50 rows and has 30"
    assert "distinct_2" in found.values


def test_near_copies_need_the_training_rows(ruler: Ruler) -> None:
    rows = SOURCE.draw(150, 7)
    copied = ruler.measure(rows, trained_on=rows).values["near_copy_rate"]
    assert copied.value == 1.0 and copied.baseline < 0.1


def test_lost_topics_and_labels_are_named_with_an_example(ruler: Ruler) -> None:
    rows = ruler.rows_of(SOURCE.draw(150, 8, Knobs(topics_lost=0.4, labels_lost=0.3)))
    lost = losses_of(rows, ruler.reference)
    labels = [loss for loss in lost if loss.kind == "label"]
    assert labels and all(loss.count <= loss.expected / 4 for loss in lost)
    assert all(
        any(loss.example == row.text for row in ruler.reference.against.rows) for loss in lost
    )
    human = losses_of(ruler.rows_of(SOURCE.draw(150, 9)), ruler.reference)
    assert len(human) < len(lost) / 2


def test_rejection_rates_are_per_topic(ruler: Ruler) -> None:
    rows = SOURCE.draw(200, 10)
    rates = rejections_by_topic(rows[:150], rows[150:], ruler.reference)
    assert sum(rate.candidates for rate in rates) == 200
    assert sum(rate.candidates * rate.rejection_rate for rate in rates) == pytest.approx(50)


@pytest.mark.parametrize("side", ["sample", "reference"])
def test_too_little_text_is_refused(side: str) -> None:
    sample = [] if side == "sample" else SOURCE.draw(50, 1)
    reference = [TextRow("one")] if side == "reference" else SOURCE.draw(50, 0)
    with pytest.raises(InputError, match="rows with text"):
        measure(sample, reference)


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ConfigError, match="`m` of the guard is 1"):
        Settings(m=1)
