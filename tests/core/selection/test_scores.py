"""Every score against an independent implementation, hand-worked cases, and what it is for."""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats
from scipy.spatial import distance

from crossback_core.selection import scores
from crossback_core.selection.ddv import decision_distances, similarity
from crossback_core.selection.moments import ledoit_wolf
from crossback_core.selection.scores import SCORES
from crossback_core.selection.view import View

SAMPLES = 24


def normal(*shape: int, seed: int) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=random, dtype=torch.float64)


def view(features: torch.Tensor | None = None, **changes: object) -> View:
    """A view of a candidate of four classes by a target of three; random unless told otherwise."""
    features = normal(SAMPLES, 6, seed=1) if features is None else features
    labels = torch.arange(len(features)) % 3
    made = View(
        features=features,
        labels=labels,
        own_features=normal(len(features), 5, seed=2),
        probabilities=normal(len(features), 4, seed=3).softmax(dim=1),
        held_out=normal(9, features.shape[1], seed=4),
        held_out_labels=torch.arange(9) % 3,
        drawn=(normal(8, 3, seed=5), normal(8, 4, seed=6)),
        mutated=(normal(8, 3, seed=7), normal(8, 4, seed=8)),
        accuracy=0.75,
        blocks=(features.roll(1, 0), normal(len(features), 3, seed=9)),
        shuffled=(),
        seed=1,
    )
    made = replace(made, **changes)
    return made if "shuffled" in changes else replace(made, shuffled=tuple(unlike(made)))


def unlike(known: View) -> Iterator[View]:
    """The views of three bodies whose features are noise."""
    for seed in (10, 20, 30):
        noise, held_out = (
            normal(*each.shape, seed=seed) for each in (known.features, known.held_out)
        )
        yield replace(known, features=noise, held_out=held_out, blocks=(noise, noise))


def informative(spread: float) -> View:
    """A view of features that hold the class, under noise of some spread."""
    centres = 3 * normal(3, 6, seed=100)
    labels, held_out = torch.arange(SAMPLES) % 3, torch.arange(9) % 3
    return view(
        centres[labels] + spread * normal(SAMPLES, 6, seed=0),
        held_out=centres[held_out] + spread * normal(9, 6, seed=1),
    )


@pytest.mark.parametrize("name", SCORES)
def test_a_score_is_a_finite_number_and_leaves_its_view_alone(name):
    seen, same = view(), view()
    score = SCORES[name].compute(seen)
    assert type(score) is float and math.isfinite(score)
    assert score == SCORES[name].compute(same)
    for name in ("features", "labels", "own_features", "probabilities", "held_out"):
        assert torch.equal(getattr(seen, name), getattr(same, name))


@pytest.mark.parametrize(
    "name", ["label_cka", "knn", "logme", "h_score", "linear_classifier", "cka", "leep"]
)
def test_the_order_of_samples_and_the_names_of_classes_do_not_matter(name):
    seen, names = informative(2.0), torch.tensor([7, 2, 4])
    order = torch.randperm(SAMPLES, generator=torch.Generator().manual_seed(1))
    parts = ("features", "own_features", "probabilities")
    other = replace(
        seen,
        labels=names[seen.labels[order]],
        held_out_labels=names[seen.held_out_labels],
        **{part: getattr(seen, part)[order] for part in parts},
    )
    assert SCORES[name].compute(other) == pytest.approx(SCORES[name].compute(seen), abs=1e-9)


def test_decision_distances_of_the_right_probes():
    seen = view()
    for name in ("euclidean", "cosine"):
        for suffix, answers in (("", seen.mutated), ("_plain", seen.drawn)):
            vectors = [decision_distances(outputs, name) for outputs in answers]
            assert SCORES[f"ddv_{name}{suffix}"].compute(seen) == similarity(*vectors)


def hsic(first: np.ndarray, second: np.ndarray) -> float:
    """Return the Hilbert-Schmidt independence criterion with centred Gram matrices."""
    count = len(first)
    centring = np.eye(count) - np.ones((count, count)) / count
    grams = [centring @ values @ values.T @ centring for values in (first, second)]
    return np.trace(grams[0] @ grams[1])


@pytest.mark.parametrize("offset", [0.0, 10.0])
def test_cka_is_normalised_hsic(offset):
    seen = view(normal(SAMPLES, 6, seed=1) + offset)
    x, y, classes = seen.features.numpy(), seen.own_features.numpy(), np.eye(3)[seen.labels]
    for found, other in ((scores.cka(seen), y), (scores.label_cka(seen), classes)):
        assert found == pytest.approx(hsic(x, other) / math.sqrt(hsic(x, x) * hsic(other, other)))
        assert 0 < found < 1


def plain_knn(features: np.ndarray, labels: np.ndarray, k: int) -> float:
    """Leave each sample out and count the votes of those nearest, one at a time."""
    right = []
    for row, own in enumerate(features):
        others = [other for other in range(len(features)) if other != row]
        others.sort(key=lambda other, own=own: distance.cosine(own, features[other]))
        votes = Counter(labels[other] for other in others[:k]).most_common()
        winners = [label for label, count in votes if count == votes[0][1]]
        right.append((labels[row] in winners) / len(winners))
    return float(np.mean(right))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 1000), st.integers(3, 30), st.integers(1, 5))
def test_knn_by_brute_force(seed, count, dim):
    seen = view(normal(count, dim, seed=seed) + torch.linspace(0, 1, count)[:, None])
    if dim > 1:  # in one dimension all cosines are equal or opposite
        expected = plain_knn(seen.features.numpy(), seen.labels.numpy(), scores.NEIGHBOURS)
        assert scores.knn(seen) == pytest.approx(expected)


def test_knn_by_hand():
    """Two directions: 6 samples of class 0 and 1 of class 1 on one, 3 of class 1 on the other."""
    features = torch.tensor([[1.0, 0.0]] * 7 + [[0.0, 1.0]] * 3).double()
    labels = torch.tensor([0] * 6 + [1] * 4)
    # The six see five of class 0 and one of 1, all equally near: right. The seventh sees six of
    # class 0: wrong. Each of the three sees two of class 1, then all seven others, equally far:
    # six of class 0 and three of class 1, wrong.
    assert scores.knn(view(features, labels=labels)) == pytest.approx(6 / 10)


def negative_evidence(logarithms: np.ndarray, features: np.ndarray, target: np.ndarray) -> float:
    """Minus the log density of a class's indicator; scipy's refuses what it takes for singular."""
    alpha, beta = np.exp(logarithms)
    covariance = np.eye(len(target)) / beta + features @ features.T / alpha
    volume = np.linalg.slogdet(2 * np.pi * covariance).logabsdet
    return float(volume + target @ np.linalg.solve(covariance, target)) / 2


def plain_logme(features: np.ndarray, labels: np.ndarray) -> float:
    """Maximise the evidence over alpha and beta from many starts."""
    starts, bounds = list(product([-4, 0, 4], repeat=2)), [(-12, 25), (-12, 12)]
    evidences = []
    for label in np.unique(labels):
        known = features, (labels == label).astype(float)
        found = [optimize.minimize(negative_evidence, x, known, bounds=bounds).fun for x in starts]
        evidences.append(-min(found) / len(labels))
    return float(np.mean(evidences))


@pytest.mark.parametrize(("dim", "spread"), [(2, 4.0), (6, 1.0), (40, 1.0)])
def test_logme_by_direct_maximisation(dim, spread):
    """Fewer features than samples, and more."""
    labels = torch.arange(SAMPLES) % 3
    features = normal(3, dim, seed=1)[labels] + spread * normal(SAMPLES, dim, seed=2) + 0.5
    expected = plain_logme(features.numpy(), labels.numpy())
    assert scores.logme(view(features)) == pytest.approx(expected, abs=1e-5)


def test_logme_by_hand():
    """Features of zero: y is noise alone, of the mean square of the indicator."""
    seen = view(torch.zeros(SAMPLES, 6).double())
    # a class is a third of the samples: beta = 3, and the evidence -log(2 pi e / 3) / 2
    assert scores.logme(seen) == pytest.approx(-math.log(2 * math.pi * math.e / 3) / 2)


def test_logme_of_features_without_noise_is_finite():
    exact = scores.logme(view(torch.eye(3, dtype=torch.float64)[torch.arange(SAMPLES) % 3]))
    assert math.isfinite(exact) and exact > scores.logme(informative(0.5))


def plain_leep(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Count the joint distribution, then condition it, sample by sample."""
    count, sources = probabilities.shape
    joint = {(y, z): 0.0 for y in set(labels) for z in range(sources)}
    for row, label in zip(probabilities, labels, strict=True):
        for z in range(sources):
            joint[label, z] += row[z] / count
    total = 0.0
    for row, label in zip(probabilities, labels, strict=True):
        given_z = [joint[label, z] / sum(joint[y, z] for y in set(labels)) for z in range(sources)]
        total += math.log(sum(p * q for p, q in zip(row, given_z, strict=True)))
    return total / count


def test_leep_by_loops():
    seen = view()
    expected = plain_leep(seen.probabilities.numpy(), seen.labels.tolist())
    assert scores.leep(seen) == pytest.approx(expected)


def test_leep_by_hand():
    labels, features = torch.tensor([0, 0, 1, 1]), normal(4, 6, seed=1)
    for probabilities, expected in ((torch.eye(2)[labels], 0.0), (torch.full((4, 2), 0.5), -1.0)):
        seen = view(features, labels=labels, probabilities=probabilities.double())
        assert scores.leep(seen) == pytest.approx(expected * math.log(2))


def plain_shrinkage(features: np.ndarray) -> tuple[np.ndarray, float]:
    """Ledoit and Wolf (2004), section 3.2, sample by sample."""
    count, dim = features.shape
    rows = features - features.mean(axis=0)
    covariance = sum(np.outer(row, row) for row in rows) / count
    scale = np.trace(covariance) / dim
    apart = np.linalg.norm(covariance - scale * np.eye(dim)) ** 2
    error = sum(np.linalg.norm(np.outer(row, row) - covariance) ** 2 for row in rows) / count**2
    shrinkage = min(error, apart) / apart
    return (1 - shrinkage) * covariance + shrinkage * scale * np.eye(dim), shrinkage


@pytest.mark.parametrize("dim", [1, 6, 40])
def test_shrinkage_by_loops(dim):
    features = normal(SAMPLES, dim, seed=1) * torch.linspace(0.1, 2, dim).double()
    centred = features - features.mean(dim=0)
    covariance, shrinkage = ledoit_wolf(centred)
    if dim == 1:  # nothing to shrink towards but itself
        assert covariance.item() == pytest.approx(centred.square().mean().item())
        return
    expected = plain_shrinkage(features.numpy())
    assert 0 < shrinkage < 1 and shrinkage == pytest.approx(expected[1])
    assert covariance.numpy() == pytest.approx(expected[0])


@pytest.mark.parametrize("dim", [6, 40])
def test_h_score_by_class_means(dim):
    labels = torch.arange(SAMPLES) % 3
    features = (normal(3, dim, seed=1)[labels] + normal(SAMPLES, dim, seed=2)).numpy()
    means = np.stack([features[labels == label].mean(axis=0) for label in range(3)])[labels]
    covariance, shrinkage = plain_shrinkage(features)
    between = np.cov(means.T, bias=True)
    expected = np.trace(np.linalg.inv(covariance) @ between) * (1 - shrinkage)
    assert scores.h_score(view(torch.tensor(features))) == pytest.approx(expected)
    assert 0 < expected < 2  # at most the classes less one


@pytest.mark.parametrize(("dim", "spread"), [(6, 3.0), (40, 1.0)])
def test_probe_by_densities(dim, spread):
    """The class of highest density times frequency, from scipy; the classes are not balanced."""
    labels, held_out = torch.tensor([0] * 12 + [1] * 8 + [2] * 4), torch.arange(30) % 3
    centres = normal(3, dim, seed=1)
    features = (centres[labels] + spread * normal(SAMPLES, dim, seed=2)).numpy()
    others = centres[held_out] + spread * normal(30, dim, seed=3)
    means = [features[labels == label].mean(axis=0) for label in range(3)]
    covariance, _ = plain_shrinkage(features - np.stack(means)[labels])
    densities = [
        stats.multivariate_normal.logpdf(others, mean, covariance) + math.log(frequency)
        for mean, frequency in zip(means, (1 / 2, 1 / 3, 1 / 6), strict=True)
    ]
    expected = (np.argmax(densities, axis=0) == held_out.numpy()).mean()
    seen = view(torch.tensor(features), labels=labels, held_out=others, held_out_labels=held_out)
    assert scores.linear_classifier(seen) == pytest.approx(expected)


def test_a_class_that_never_trained_is_never_guessed():
    seen = replace(informative(0.1), held_out_labels=torch.full((9,), 3))
    assert scores.linear_classifier(seen) == 0.0


@pytest.mark.parametrize("noise", [0.0, 1e-8], ids=["constant", "but for rounding"])
@pytest.mark.parametrize("name", ["cka", "label_cka", "knn", "h_score"])
def test_constant_features_are_worth_nothing(name, noise):
    """To the neighbours all others are equally near: 7 of the own class, 8 of each other one."""
    features = torch.full((SAMPLES, 6), 0.3).double() + noise * normal(SAMPLES, 6, seed=1)
    assert SCORES[name].compute(view(features)) == 0.0


@pytest.mark.parametrize("name", SCORES)
def test_degenerate_features_have_finite_scores(name):
    classes = torch.eye(3)[torch.arange(SAMPLES) % 3]
    for features in (torch.full((SAMPLES, 6), 0.3), torch.zeros(SAMPLES, 6), classes):
        seen = view(features.double(), held_out=features[:9].double())
        assert math.isfinite(SCORES[name].compute(seen))


def test_a_constant_candidate_guesses_the_most_frequent_class():
    labels = torch.tensor([0] * 7 + [1] * 9 + [2] * 8)
    constant = torch.full((SAMPLES, 6), 0.3).double()
    seen = view(constant, labels=labels, held_out=constant[:9])
    assert scores.linear_classifier(seen) == pytest.approx(3 / 9)


def test_two_samples_are_enough():
    features = normal(2, 6, seed=1)
    seen = view(features, labels=torch.tensor([0, 1]))
    assert all(math.isfinite(each.compute(seen)) for each in SCORES.values())
    assert scores.knn(seen) == 0.0  # the only neighbour is of the other class


@pytest.mark.parametrize("name", ["features", "own_features", "probabilities", "held_out"])
@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_refused(name, bad):
    values = getattr(view(), name).clone()
    values[1, 1] = bad
    with pytest.raises(ValueError, match="features hold NaN or infinity.*train it again"):
        view(**{name: values})


def test_views_that_do_not_fit_together_are_refused():
    with pytest.raises(ValueError, match=r"24 labels want \(24, any\) values, not \(23, 5\)"):
        view(own_features=normal(23, 5, seed=2))
    with pytest.raises(ValueError, match="are of one class"):
        view(labels=torch.ones(SAMPLES, dtype=torch.int64))
