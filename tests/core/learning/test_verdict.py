"""The paired difference of a target and its baseline, and what it says."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from crossback_core.learning.verdict import (
    Gain,
    Run,
    accuracies,
    compare,
    gain_over_draws,
    gain_over_folds,
    outcomes,
)


def signs(differences):
    return "".join({1: "+", -1: "-", 0: "0"}[int(each)] for each in differences)


def test_each_sample_has_a_sign():
    labels = torch.tensor([0, 1, 0, 1])
    first = torch.tensor([[2.0, 1], [1, 2], [1, 2], [2, 1]])  # right, right, wrong, wrong
    second = torch.tensor([[2.0, 1], [2, 1], [2, 1], [2, 1]])  # right, wrong, right, wrong
    assert outcomes(first, second, labels) == "1+-0"
    assert accuracies(["1+-0", "1++0"]) == (5 / 8, 3 / 8)


def test_one_run_is_a_paired_t_test():
    run = "11+0+-0+1+++00"
    first, second = ([sign in right for sign in run] for right in ("1+", "1-"))
    expected = stats.ttest_rel(np.float64(first), np.float64(second)).confidence_interval(0.95)
    gain = gain_over_draws([run])
    assert (gain.low, gain.high) == pytest.approx((expected.low, expected.high))
    assert gain.mean == pytest.approx(5 / 14) and gain.verdict == "undecided"


def test_the_same_run_twice_says_no_more_than_once():
    run = "11+0+-0+1+++00"
    assert gain_over_draws([run, run]) == gain_over_draws([run])


def test_runs_that_disagree_as_a_whole_say_little():
    """Their samples agree perfectly; two trainings do not, and one degree of freedom is left."""
    gain = gain_over_draws(["+" * 40, "0" * 40])
    reach = stats.t.ppf(0.975, 1) * np.std([1, 0], ddof=1) / 2**0.5
    assert gain.high - gain.mean == pytest.approx(reach)
    assert gain.verdict == "undecided"


@given(st.lists(st.text("+-0", min_size=6, max_size=6), min_size=2, max_size=4))
def test_an_interval_is_never_wider_than_runs_alone_would_make_it(runs):
    """Two runs whose samples disagree had intervals of hundreds of points: half a degree free."""
    gain = gain_over_draws(runs)
    widest = stats.t.ppf(0.975, len(runs) - 1) * gain.error
    assert gain.high - gain.mean <= max(widest, 1) + 1e-9


def covered(draw, gain_of, *, worlds=1500):
    random = np.random.default_rng(1)
    gains = [gain_of([signs(run) for run in draw(random)]) for _ in range(worlds)]
    return np.mean([gain.low <= 0 <= gain.high for gain in gains])


def crossed(random):
    """Draw runs without a gain, in which samples and whole trainings have luck of their own."""
    luck = random.normal(0, 0.5, (3, 1)) + random.normal(0, 0.7, (1, 50))
    return np.clip((luck + random.normal(0, 0.7, (3, 50))).round(), -1, 1)


def nested(random):
    """Draw held-out parts without a gain, each with a training of its own luck."""
    return np.clip((random.normal(0, 0.4, (5, 1)) + random.normal(0, 0.7, (5, 10))).round(), -1, 1)


def test_intervals_hold_the_luck_of_trainings_as_well():
    assert covered(crossed, gain_over_draws) > 0.91
    assert covered(nested, gain_over_folds) > 0.92
    # samples alone, as if all runs were one, cover too little
    assert covered(crossed, lambda runs: gain_over_draws(["".join(runs)])) < 0.85
    assert covered(nested, lambda runs: gain_over_draws(["".join(runs)])) < 0.9


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.01, 0.2, "helps"),
        (0.0, 0.2, "undecided"),
        (-0.2, 0.0, "undecided"),
        (-0.2, -0.1, "hurts"),
    ],
)
def test_the_verdict_is_what_the_interval_says(low, high, verdict):
    assert Gain((low + high) / 2, 0.05, low, high).verdict == verdict


def test_where_both_answer_alike_nothing_is_decided():
    assert gain_over_draws(["1100"]) == Gain(0.0, 0.0, 0.0, 0.0)
    assert gain_over_draws(["1100"]).verdict == "undecided"


@pytest.mark.parametrize("count", [1, 4, 5, 6, 30])
def test_samples_that_all_differ_alike_decide_by_their_number(count):
    """As they do in a sign test; one sample that is answered better says nothing."""
    known = stats.binomtest(count, count)
    gain = gain_over_draws(["+" * count])
    assert gain.low == pytest.approx(2 * known.proportion_ci(0.95).low - 1)
    decided = known.pvalue < 0.05
    assert gain.verdict == ("helps" if decided else "undecided")
    assert gain_over_draws(["-" * count]).verdict == ("hurts" if decided else "undecided")


def test_runs_that_contradict_each_other_decide_nothing():
    """Every sample has the same mean, of opposite answers."""
    assert gain_over_draws(["+0", "0+"]).verdict == "undecided"
    assert gain_over_draws(["+00", "0+0", "00+"]).verdict == "undecided"
    assert gain_over_folds(["+", "+"]).verdict == "undecided"


def test_by_validation_all_runs_decide_and_are_reported():
    made = compare(Run("++00", "11"), [Run("+000", "+1")], judged_by="validation")
    assert (made.runs, made.samples) == (2, 4)
    assert (made.accuracy, made.baseline_accuracy) == (3 / 8, 0)
    assert (made.test_accuracy, made.baseline_test_accuracy) == (1.0, 3 / 4)
    assert made.gain == gain_over_draws(["++00", "+000"])
    assert made.test_gain == gain_over_draws(["11", "+1"])


def test_by_folds_the_held_out_samples_alone_decide_and_the_product_is_reported():
    folds = [Run("+1", "00"), Run("+0-", "00")]
    made = compare(Run("----", "1+"), folds, judged_by="folds")
    assert (made.runs, made.samples) == (2, 5)
    assert (made.accuracy, made.baseline_accuracy) == (3 / 5, 2 / 5)
    assert made.gain == gain_over_folds(["+1", "+0-"])
    assert (made.test_accuracy, made.test_gain) == (1.0, gain_over_draws(["1+"]))


def test_runs_that_cannot_be_compared_are_refused():
    with pytest.raises(ValueError, match=r"runs of \[2, 3\] samples"):
        gain_over_draws(["00", "000"])
    with pytest.raises(ValueError, match="two runs or more, not 1"):
        gain_over_folds(["00"])
