"""Leave-one-out ridge regression against refitting without each sample in turn."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from test_scores import SAMPLES, informative, normal, view

from crossback_core.selection.ridge import PENALTIES, leave_one_out, left_out, permutations
from crossback_core.selection.scores import SCORES, loo_ridge


def refitted(features: np.ndarray, target: np.ndarray) -> float:
    """Fit without each sample, for each penalty, and return the best R2."""
    centred = features - features.mean(axis=0)
    scale = np.linalg.norm(centred, ord=2) ** 2
    rows = np.arange(len(features))
    rest = [np.delete(rows, row) for row in rows]
    of_mean = sum(np.sum((target[i] - target[j].mean(axis=0)) ** 2) for i, j in enumerate(rest))
    errors = []
    for penalty in PENALTIES:
        model = Ridge(alpha=penalty * scale, solver="svd")
        guesses = [
            model.fit(features[j], target[j]).predict(features[[i]]) for i, j in enumerate(rest)
        ]
        errors.append(np.sum((target - np.concatenate(guesses)) ** 2))
    return 1 - min(errors) / of_mean


@pytest.mark.parametrize(("dim", "spread"), [(2, 3.0), (6, 1.0), (40, 3.0)])
def test_leaving_one_out_is_refitting(dim, spread):
    """Fewer features than samples, and more; unbalanced classes, and an offset."""
    labels = torch.tensor([0] * 12 + [1] * 8 + [2] * 4)
    features = 5 + normal(3, dim, seed=1)[labels] + spread * normal(SAMPLES, dim, seed=2)
    order = torch.randperm(SAMPLES, generator=torch.Generator().manual_seed(3))
    targets = torch.eye(3).double()[torch.stack([labels, labels[order]])]
    expected = [refitted(features.numpy(), target.numpy()) for target in targets]
    assert leave_one_out(features, targets).tolist() == pytest.approx(expected, abs=1e-9)
    assert expected[0] > expected[1]
    apart = (targets[0] - left_out(features, targets[0])).square().sum()
    of_mean = (targets[0] - targets[0].mean(dim=0)).square().sum() * (24 / 23) ** 2
    assert 1 - apart / of_mean == pytest.approx(expected[0])


def test_its_scale_does_not_matter():
    features, targets = (
        normal(SAMPLES, 6, seed=1),
        torch.eye(3).double()[torch.arange(24) % 3][None],
    )
    found = [leave_one_out(size * features, targets).item() for size in (1e-4, 1, 1e4)]
    assert found == pytest.approx(found[:1] * 3)


def test_what_is_constant_tells_no_more_than_the_mean():
    targets = torch.eye(3).double()[torch.arange(SAMPLES) % 3][None]
    for values in (torch.zeros(SAMPLES, 6).double(), torch.full((SAMPLES, 6), 0.3).double()):
        assert leave_one_out(values, targets).item() == pytest.approx(0.0, abs=1e-12)


def test_the_first_order_is_that_of_the_labels():
    orders = permutations(7, 3, seed=1)
    assert orders[0].tolist() == list(range(7)) and len(set(map(tuple, orders.tolist()))) == 4
    assert all(sorted(order) == list(range(7)) for order in orders.tolist())


def test_the_zero_is_that_of_permuted_labels():
    seen = informative(3.0)
    assert SCORES["loo_ridge"].null is not None
    null = SCORES["loo_ridge"].null(seen)
    classes = torch.eye(3).double()[seen.labels][permutations(SAMPLES, len(null), seen.seed)]
    own, *expected = (refitted(seen.features.numpy(), each.numpy()) for each in classes[:4])
    assert null[:3] == pytest.approx(expected)
    assert loo_ridge(seen) == pytest.approx(own - np.mean(null))


def test_features_that_are_the_classes_score_one_and_noise_scores_zero():
    assert loo_ridge(informative(0.01)) > 0.95
    found = [loo_ridge(view(normal(SAMPLES, 6, seed=seed))) for seed in range(40)]
    assert abs(np.mean(found)) < 2 * np.std(found) / len(found) ** 0.5
