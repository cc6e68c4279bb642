"""What follows from a score: its mean over blocks, and what is left beyond shuffled weights."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_scores import informative, normal, view

from crossback_core.selection.scores import SCORES, columns, measure

OF_FEATURES = ("cka", "label_cka", "knn", "logme", "leep", "nleep", "h_score", "linear_classifier")
OF_BLOCKS = ("label_cka", "knn", "loo_ridge")


def test_which_scores_have_a_zero():
    ridges = ["loo_ridge", "loo_ridge_blocks"]
    excesses = [f"{name}_excess" for name in (*OF_FEATURES, *OF_BLOCKS[2:])]
    excesses += [f"{name}_blocks_excess" for name in OF_BLOCKS]
    assert {name for name, each in SCORES.items() if each.has_zero} == {*ridges, *excesses}


@pytest.mark.parametrize("name", [*OF_FEATURES, "loo_ridge"])
def test_an_excess_is_over_the_mean_of_the_draws(name):
    seen = informative(2.0)
    if name == "leep":  # of which the noise has no other classes
        others = (
            replace(each, probabilities=normal(24, 4, seed=n).softmax(1))
            for n, each in enumerate(seen.shuffled)
        )
        seen = replace(seen, shuffled=tuple(others))
    found = measure(seen)
    draws = [SCORES[name].compute(each) for each in seen.shuffled]
    assert found[f"{name}_excess"] == pytest.approx(found[name] - np.mean(draws))
    assert found[f"{name}_excess_spread"] == pytest.approx(np.std(draws, ddof=1))


def test_features_that_tell_the_classes_are_above_zero_by_far():
    known = informative(0.5)
    classes = np.eye(3)[known.labels]
    found = measure(replace(known, own_features=torch.tensor(classes), blocks=(known.features,)))
    for name in {*OF_FEATURES, "loo_ridge", *(f"{each}_blocks" for each in OF_BLOCKS)} - {"leep"}:
        excess = found[f"{name}_excess"]
        assert excess > 2 * found[f"{name}_excess_spread"] and excess > 0.3, name


@pytest.mark.parametrize("name", OF_BLOCKS)
def test_a_score_of_blocks_is_their_mean(name):
    seen = view(blocks=(informative(1.0).features, normal(24, 3, seed=9)))
    each = [SCORES[name].compute(view(block)) for block in seen.blocks]
    found = measure(seen)
    assert found[f"{name}_blocks"] == pytest.approx(np.mean(each)) and each[0] > each[1]
    draws = [SCORES[f"{name}_blocks"].compute(one) for one in seen.shuffled]
    assert found[f"{name}_blocks_excess"] == pytest.approx(np.mean(each) - np.mean(draws))


def test_the_spread_of_blocks_is_that_of_their_mean():
    """Permutations are the same for all blocks."""
    seen = view()
    null = np.mean([SCORES["loo_ridge"].null(each) for each in seen.at_blocks], axis=0)
    assert measure(seen)["loo_ridge_blocks_spread"] == pytest.approx(null.std(ddof=1))


def test_each_column_has_a_name_of_its_own():
    assert tuple(measure(view())) == columns()
    assert (
        len(set(columns()))
        == len(columns())
        == len(SCORES) + sum(each.has_zero for each in SCORES.values())
    )


def test_nothing_is_computed_twice(monkeypatch):
    seen, calls = view(), []
    monkeypatch.setattr("crossback_core.selection.mixture.posteriors", counted(calls))
    measure(seen)
    assert calls == [seen.features.shape] * (1 + len(seen.shuffled))


def counted(calls: list):
    from crossback_core.selection.mixture import posteriors

    def counting(features, **others):
        calls.append(features.shape)
        return posteriors(features, **others)

    return counting
