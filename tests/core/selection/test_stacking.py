"""Stacks of candidates: what they hold together, and how often luck does as well."""

import numpy as np
import pytest
import torch
from test_ridge import refitted
from test_scores import normal

from crossback_core.selection import ridge, stacking
from crossback_core.selection.stacking import PERMUTATIONS, TRIED, stack

COUNT = 60
LABELS = torch.arange(COUNT) % 4


def half(bit: int, *, noise: float = 0.5, seed: int = 1) -> torch.Tensor:
    """Features that tell one bit of the class."""
    known = (LABELS // 2 if bit else LABELS % 2)[:, None].double()
    return 7 + known * normal(1, 5, seed=seed) + noise * normal(COUNT, 5, seed=seed + 1)


def test_two_halves_know_more_than_one():
    features = {"a": normal(COUNT, 9, seed=7), "b": half(0), "c": 100 * half(1, noise=1.0, seed=5)}
    found = stack(features, LABELS, seed=1)
    assert found.order == ("b", "c") and found.second == "c"
    assert found.p_value == pytest.approx(1 / (1 + PERMUTATIONS))
    targets = np.eye(4)[LABELS]
    parts = [(features[name] - features[name].mean(dim=0)).numpy() for name in found.order]
    both = np.concatenate([part / np.linalg.norm(part) for part in parts], axis=1)
    expected = [refitted(parts[0], targets), refitted(both, targets)]
    assert found.r2 == pytest.approx(expected) and found.gain == pytest.approx(np.diff(expected)[0])


def test_a_copy_adds_nothing():
    features = {
        "a": half(0),
        "b": 3 * half(0) + 1,
        "c": half(0) @ torch.eye(5).double()[:, [1, 0, 2, 3, 4]],
    }
    found = stack(features, LABELS, seed=1)
    assert len(found.order) == 1 and found.gain == pytest.approx(0.0, abs=1e-9)
    assert found.p_value > 0.5


def test_the_best_of_many_noises_is_no_finding():
    """One candidate that knows a half, and seven that know nothing."""
    found = []
    for seed in range(0, 200, 10):
        noises = {str(n): normal(COUNT, 5, seed=1000 + seed + n) for n in range(7)}
        found.append(stack(noises | {"a": half(0, seed=seed)}, LABELS, seed=seed).p_value)
    assert np.mean(np.array(found) <= 0.05) <= 0.1 and 0.3 < np.mean(found) < 0.7


def test_one_candidate_alone_and_none():
    found = stack({"a": half(0)}, LABELS, seed=1)
    assert (found.order, found.second, found.gain, found.p_value) == (("a",), None, None, None)
    with pytest.raises(ValueError, match="no candidate to stack"):
        stack({}, LABELS, seed=1)


def test_work_is_bounded_and_one_seed_is_one_result(monkeypatch):
    shapes, plain = [], ridge.leave_one_out

    def counted(features, targets):
        shapes.append(features.shape)
        return plain(features, targets)

    monkeypatch.setattr(ridge, "leave_one_out", counted)
    monkeypatch.setattr(stacking, "SAMPLES", 40)
    features = {str(n): normal(COUNT, 5, seed=n) for n in range(12)}
    assert stack(features, LABELS, seed=1) == stack(features, LABELS, seed=1)
    assert len(shapes) <= 2 * (12 + TRIED * (PERMUTATIONS + 2))
    assert {count for count, _ in shapes} == {40} and max(dim for _, dim in shapes) <= 15
