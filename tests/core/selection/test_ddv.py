"""Decision distance vectors against scipy and numbers worked out by hand."""

import logging

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial import distance

from crossback_core.selection.ddv import decision_distances, similarity

DISTANCES = ("euclidean", "cosine")

values = st.floats(-10, 10).map(lambda value: round(value, 3))
ddvs = arrays(np.float64, 7, elements=st.floats(0, 100).map(lambda value: round(value, 3)))


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


def test_a_constant_ddv_is_similar_to_nothing(caplog):
    nothing, something = torch.zeros(3), torch.tensor([1.0, 2.0, 0.0])
    with caplog.at_level(logging.WARNING):
        assert similarity(nothing, something) == similarity(something, nothing) == 0.0
        assert similarity(nothing, nothing) == 0.0
    assert caplog.text.count("gives every probe the same output") == 3


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="unknown distance 'manhattan'; choose one of euclidean"):
        decision_distances(torch.zeros(4, 2), "manhattan")
    with pytest.raises(ValueError, match=r"outputs must be \(2n, classes\) .* not \(3, 2\)"):
        decision_distances(torch.zeros(3, 2), "cosine")
    with pytest.raises(ValueError, match=r"one length .* not \(2,\) and \(3,\)"):
        similarity(torch.ones(2), torch.ones(3))
