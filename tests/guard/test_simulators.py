"""Theory and simulation agree: closed forms, the phase transition, and who loses more."""

from __future__ import annotations

import math

import numpy as np
import pytest

from selfsown.guard.simulate import categorical
from selfsown.guard.simulate.bigram import BigramWorld
from selfsown.guard.simulate.closed_forms import ClosedForm, closed_forms
from selfsown.guard.simulate.gaussian import (
    c4,
    digamma,
    draw,
    fit,
    human,
    replace_loop,
)
from selfsown.guard.simulate.loops import run_arms
from selfsown.guard.simulate.orderings import bigram_orderings, learned_orderings
from selfsown.guard.simulate.page import render_study
from selfsown.guard.simulate.phase import threshold, worth
from selfsown.guard.simulate.study import Study, run_study


@pytest.fixture(scope="module")
def study() -> Study:
    return run_study(seed=0)


def test_every_closed_form_is_within_three_standard_errors(study: Study) -> None:
    assert len(study.closed_forms) > 25
    assert [form.name for form in study.closed_forms if not form.holds] == []


def test_the_same_seed_gives_the_same_numbers_and_another_does_not(study: Study) -> None:
    assert closed_forms(0) == study.closed_forms
    assert closed_forms(1)[0].measured != study.closed_forms[0].measured


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("replace n=20 t=50: E[sd]", 0.5181),
        ("replace n=20 t=50: E[log variance]", -2.678),
        ("replace n=20 t=50: E[drift^2]", 2.5),
        ("replace n=100 t=50: E[sd]", 0.8814),
        ("replace, maximum likelihood, n=100 t=50: E[variance]", 0.605),
        ("accumulate n=10 t=200: E[variance]", 0.8439),
        ("fresh rho=0.9 lambda=0.9: variance limit", 0.5263),
        ("types n=10000 t=5: surviving types of 1000", 622),
        ("types n=10000 t=20: surviving types of 1000", 316),
        ("types n=2000 t=10: surviving types of 1000", 162),
    ],
)
def test_expected_values_are_those_worked_out_on_paper(
    study: Study, name: str, expected: float
) -> None:
    forms: dict[str, ClosedForm] = {form.name: form for form in study.closed_forms}
    assert forms[name].expected == pytest.approx(expected, rel=2e-3)


def test_the_accumulating_variance_has_the_limit_of_the_infinite_product() -> None:
    for n, limit in ((10, 0.8434), (100, 0.98363)):
        product = math.prod(1 - 1 / (n * k * k) for k in range(1, 20_000))
        assert product == pytest.approx(limit, abs=1e-4)
        assert product == pytest.approx(math.sin(math.pi / n**0.5) / (math.pi / n**0.5), rel=1e-5)


def test_special_functions_equal_known_values() -> None:
    assert c4(2) == pytest.approx(math.sqrt(2 / math.pi))
    assert c4(10) == pytest.approx(0.9727, abs=1e-4)
    assert digamma(1) == pytest.approx(-0.5772156649015329, abs=1e-10)
    assert digamma(0.5) == pytest.approx(-0.5772156649015329 - 2 * math.log(2), abs=1e-10)


def test_drawing_two_sums_equals_drawing_the_numbers() -> None:
    rng = np.random.default_rng(5)
    quick = fit(draw(rng, human(40_000), 8, bias=0.5), "unbiased")
    raw = rng.normal(0, 0.5**0.5, (40_000, 8))
    for one, other in ((quick.mean, raw.mean(1)), (quick.variance, raw.var(1, ddof=1))):
        assert one.mean() == pytest.approx(other.mean(), abs=4 * other.std() / 200)
        assert one.std() == pytest.approx(other.std(), rel=0.03)


def test_the_mean_variance_hides_the_collapse_that_the_median_shows() -> None:
    last = replace_loop(np.random.default_rng(0), 20_000, 100, 50)[-1]
    assert np.median(last.variance) < 0.5
    assert last.variance.mean() > 2 * np.median(last.variance)


def test_synthetic_data_help_up_to_a_threshold_that_does_not_grow_with_human_data() -> None:
    assert threshold(0.7) == pytest.approx(66.7, abs=0.1)
    assert threshold(0.85) == pytest.approx(266.7, abs=0.1)
    assert threshold(1.0) == math.inf and threshold(0.9, dimensions=7) == pytest.approx(1200)
    for bias, below, above in ((0.7, 50, 100), (0.85, 100, 400)):
        helps, hurts = worth(bias, 1000, (below, above))
        assert helps.ratio - 3 * helps.standard_error > 1
        assert hurts.ratio + 3 * hurts.standard_error < 1
    # Were it a ratio, four times the human data would take four times 67 and 267.
    for bias, amount in ((0.7, 200), (0.85, 700)):
        (hurts,) = worth(bias, 4000, (amount,))
        assert hurts.ratio + 3 * hurts.standard_error < 1
    (unbiased,) = worth(1.0, 1000, (500,))
    assert unbiased.ratio == pytest.approx(1 + 500 / 1500, abs=0.03)


def test_published_limits_in_a_hundred_dimensions_do_not_depend_on_the_first_model(
    study: Study,
) -> None:
    # 2307.01850, figure 10: d = 100, n_r = 100, n_s = 900. Our limits: 12.2-12.3 and 20.5.
    stated = [one for one in study.orderings if one.name.startswith("100 dimensions")]
    assert len(stated) == 3 and all(one.holds for one in stated)
    assert stated[0].numbers == pytest.approx((12.25, 12.25), rel=0.05)
    assert stated[1].numbers == pytest.approx((20.5, 20.5), rel=0.05)


def test_entropy_is_blind_to_the_loss_of_types() -> None:
    world = categorical.zipf(1000)
    shares = categorical.drift(np.random.default_rng(0), world, 20, 10_000, chains=10)
    assert categorical.survivors(shares[20]).mean() < 350
    fall = categorical.heterozygosity(shares[0]) - categorical.heterozygosity(shares[20])
    assert fall.mean() < 0.01


def test_missing_human_mass_after_twenty_rounds() -> None:
    world = categorical.zipf(1000)

    def missing(**how: float) -> float:
        rng = np.random.default_rng(2)
        last = categorical.drift(rng, world, 20, 10_000, chains=10, **how)[-1]  # type: ignore[arg-type]
        return float(categorical.missing_mass(last, world).mean())

    replace = missing()
    assert replace == pytest.approx(0.222, abs=0.01)
    assert missing(fresh_share=0.1) == pytest.approx(0.069, abs=0.01)
    assert missing(fresh_share=0.5) == pytest.approx(0.022, abs=0.005)
    assert missing(accumulate=True) == pytest.approx(0.017, abs=0.005)
    assert missing(temperature=0.9) > 3 * replace


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_bigram_loops_are_ordered_as_stated(seed: int) -> None:
    world = BigramWorld(seed)
    found = bigram_orderings(run_arms(world))
    assert [one for one in found if not one.holds] == []


def test_measured_documents_are_not_those_trained_on() -> None:
    world = BigramWorld(0, types=20, batch=50)
    model = world.fit(world.human(50, draw=0))
    assert not np.array_equal(
        world.sample(model, 50, 1.0, draw=0), world.sample(model, 50, 1.0, draw=1000)
    )


def test_bigram_pairs_and_loss_by_hand() -> None:
    world = BigramWorld(0, types=2, batch=10)
    model = world.fit(np.array([[0, 1, 0, 1, 0, 1]]))
    # First word 0; after 0 always 1; after 1 always 0.
    assert model.tolist() == [[0.0, 1.0], [1.0, 0.0], [1.0, 0.0]]


def test_orderings_of_learned_models_compare_the_last_rounds() -> None:
    good = {"distinct_2": 0.2, "rare_recall": 0.4, "tasks": 0.9, "nll": 1.0}
    sharp = {**good, "distinct_2": 0.1, "rare_recall": 0.3}
    found = {
        "replace, T=1": [good, {"distinct_2": 0.3, "rare_recall": 0.2, "tasks": 0.5, "nll": 2.0}],
        "replace, T=.8": [good, {"distinct_2": 0.1, "rare_recall": 0.1, "tasks": 1.0, "nll": 2.0}],
        "accumulate, T=1": [good, good],
        "accumulate, T=.8": [good, {**sharp, "distinct_2": 0.15}],
        "fresh 50 %, T=1": [good, good],
        "fresh 50 %, T=.8": [good, {**sharp, "distinct_2": 0.16}],
    }
    assert [one.name for one in learned_orderings(found) if not one.holds] == []
    reversed_ = learned_orderings({name: rounds[::-1] for name, rounds in found.items()})
    assert [one.name for one in reversed_ if one.holds] == []


def test_the_page_shows_the_three_loops_and_loads_nothing(study: Study) -> None:
    page = render_study(study)
    assert page.count("<svg") == 14 and "fully synthetic" in page and "fresh data" in page
    assert "http" not in page.replace("http-equiv", "")
    assert page == render_study(study)
