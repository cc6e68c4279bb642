"""Decision distance vectors against scipy and numbers worked out by hand."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial import distance

from crossback_core.selection import METRICS, ddv_similarity, decision_distances, similarity

KINDS = ("image", "text", "mixed")
DISTANCES = ("euclidean", "cosine")

values = st.floats(-10, 10).map(lambda value: round(value, 3))
ddvs = arrays(np.float64, 7, elements=st.floats(0, 100).map(lambda value: round(value, 3)))


def constant(half):
    """Give every input the same outputs."""
    return torch.ones(len(half), 5)


def test_euclidean_distances_by_hand():
    outputs = torch.tensor([[0.0, 0.0], [1.0, 1.0], [3.0, 4.0], [1.0, 1.0]])  # pairs (0, 2), (1, 3)
    assert decision_distances(outputs, "euclidean").tolist() == [5.0, 0.0]


def test_cosine_distances_by_hand():
    outputs = torch.tensor(
        [[1.0, 0.0], [2.0, 0.0], [1.0, 0.0], [0.0, 5.0], [-3.0, 0.0], [4.0, 0.0]]
    )
    # pairs (0, 3) at a right angle, (1, 4) opposite, (2, 5) in one direction
    assert decision_distances(outputs, "cosine").tolist() == pytest.approx([1.0, 2.0, 0.0])


@settings(deadline=None)
@given(arrays(np.float64, (8, 3), elements=values))
def test_distances_equal_scipys(outputs):
    pairs = list(zip(outputs[:4], outputs[4:], strict=True))
    euclidean = [distance.euclidean(a, b) for a, b in pairs]
    assert decision_distances(torch.tensor(outputs), "euclidean").numpy() == pytest.approx(
        euclidean
    )
    directed = [k for k, (a, b) in enumerate(pairs) if np.any(a) and np.any(b)]
    cosine = [distance.cosine(*pairs[k]) for k in directed]
    computed = decision_distances(torch.tensor(outputs), "cosine").numpy()[directed]
    assert computed == pytest.approx(cosine, abs=1e-9)


def test_similarity_by_hand():
    assert similarity(torch.tensor([3.0, 4.0]), torch.tensor([4.0, 3.0])) == pytest.approx(24 / 25)
    assert similarity(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 2.0])) == 0.0


@settings(deadline=None)
@given(ddvs, ddvs)
def test_similarity_is_a_similarity(a, b):
    first, second = torch.tensor(a), torch.tensor(b)
    value = similarity(first, second)
    assert 0 <= value <= 1
    assert value == pytest.approx(similarity(second, first), abs=1e-12)
    if a.any() and b.any():
        assert value == pytest.approx(1 - distance.cosine(a, b), abs=1e-9)
        assert similarity(first, first) == pytest.approx(1, abs=1e-12)
        assert similarity(first, 3 * second) == pytest.approx(value)


@settings(deadline=None)
@given(arrays(np.float64, (8, 3), elements=values), st.permutations(range(3)), st.floats(0.1, 10))
def test_invariances_of_the_distances(outputs, order, scale):
    """Names of classes, and for euclidean an offset, for cosine a scale, say nothing."""
    table = torch.tensor(outputs)
    for metric in DISTANCES:
        renamed = decision_distances(table[:, order], metric)
        assert torch.allclose(renamed, decision_distances(table, metric))
    offset = decision_distances(table + 5.0, "euclidean")
    assert torch.allclose(offset, decision_distances(table, "euclidean"), atol=1e-7)
    scaled = decision_distances(scale * table, "cosine")
    assert torch.allclose(scaled, decision_distances(table, "cosine"))


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("kind", KINDS)
def test_self_similarity_is_one_and_the_maximum(kind, metric, pairs, model):
    models = [model(seed, classes=3 + seed % 3) for seed in range(6)]
    scores = [
        METRICS[metric](models[0], other, pairs[kind], rounds=20, step=0.1, seed=4)
        for other in models
    ]
    assert scores[0] == pytest.approx(1, abs=1e-6)
    assert max(scores[1:]) < scores[0]


@pytest.mark.parametrize("metric", METRICS)
def test_a_close_copy_is_more_alike_than_a_stranger(metric, pairs, model):
    """The arg-max of a similarity finds the copy (the ancestor maximised a distance)."""
    original, stranger = model(0), model(1)

    def copy(half):
        return original(half) + 0.05 * stranger(half)

    near, far = (
        METRICS[metric](original, other, pairs["mixed"], rounds=20, step=0.1, seed=0)
        for other in (copy, stranger)
    )
    assert far < 0.98 < near


@pytest.mark.parametrize("metric", DISTANCES)
@pytest.mark.parametrize("kind", KINDS)
def test_symmetric_and_repeatable(kind, metric, pairs, model):
    options = {"metric": metric, "rounds": 30, "step": 0.1, "seed": 9}
    first, second = model(1), model(2, classes=3)
    value = ddv_similarity(first, second, pairs[kind], **options)
    assert ddv_similarity(second, first, pairs[kind], **options) == value
    assert ddv_similarity(first, second, pairs[kind], **options) == value
    assert 0 < value < 1


def test_a_scaled_model_decides_alike(pairs, model):
    original = model(1)
    for metric in DISTANCES:
        value = ddv_similarity(
            original,
            lambda half: 7 * original(half),
            pairs["image"],
            metric=metric,
            rounds=20,
            step=0.1,
            seed=0,
        )
        assert value == pytest.approx(1, abs=1e-6)


def test_without_rounds_the_probes_are_compared_as_they_are(pairs, model):
    probes, readers = pairs["text"], (model(1), model(2))
    outputs = [torch.cat([reader(half) for half in probes.halves]).numpy() for reader in readers]
    a, b = ([distance.euclidean(x, y) for x, y in zip(o[:6], o[6:], strict=True)] for o in outputs)
    value = ddv_similarity(*readers, probes, metric="euclidean", rounds=0, step=0.1, seed=0)
    assert value == pytest.approx(1 - distance.cosine(a, b), abs=1e-6)


@pytest.mark.parametrize("metric", DISTANCES)
def test_a_constant_model_is_similar_to_nothing(metric, pairs, model, caplog):
    options = {"metric": metric, "rounds": 10, "step": 0.1, "seed": 0}
    with caplog.at_level(logging.WARNING):
        assert ddv_similarity(model(1), constant, pairs["image"], **options) == 0.0
        assert ddv_similarity(constant, constant, pairs["image"], **options) == 0.0
    assert caplog.text.count("gives every probe the same output") == 2


def test_outputs_that_are_not_finite_are_refused(pairs, model):
    def broken(half):
        return model(1)(half) / 0

    with pytest.raises(ValueError, match="NaN or infinity"):
        ddv_similarity(
            model(1), broken, pairs["image"], metric="euclidean", rounds=0, step=0.1, seed=0
        )


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="unknown distance 'manhattan'; choose one of euclidean"):
        decision_distances(torch.zeros(4, 2), "manhattan")
    with pytest.raises(ValueError, match=r"outputs must be \(2n, classes\) .* not \(3, 2\)"):
        decision_distances(torch.zeros(3, 2), "cosine")
    with pytest.raises(ValueError, match=r"one length .* not \(2,\) and \(3,\)"):
        similarity(torch.ones(2), torch.ones(3))
