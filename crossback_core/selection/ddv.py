"""Decision distance vectors (DDV): how alike two models decide.

Source: Li et al., "ModelDiff: Testing-Based DNN Similarity Comparison for Model Reuse Detection"
(ISSTA 2021), sections 4.3 and 4.4. A model's DDV holds the distance of its two outputs on each pair
of inputs. Two models that tell the same inputs apart have DDVs of the same direction, whatever
their classes are called and however many there are.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import normalize

logger = logging.getLogger(__name__)

Distance = Literal["euclidean", "cosine"]

# A DDV below this is rounding: outputs of trained models differ by far more.
_FLAT = 1e-12


def _euclidean(first: Tensor, second: Tensor) -> Tensor:
    return (first - second).square().sum(dim=1).sqrt()


def _cosine(first: Tensor, second: Tensor) -> Tensor:
    # Half the squared chord of the unit vectors is 1 - cos, and exactly 0 for equal outputs.
    chord = normalize(first, dim=1) - normalize(second, dim=1)
    return chord.square().sum(dim=1).div(2)


DISTANCES: dict[Distance, Callable[[Tensor, Tensor], Tensor]] = {
    "euclidean": _euclidean,
    "cosine": _cosine,
}


def decision_distances(outputs: Tensor, distance: Distance) -> Tensor:
    """Return a model's decision distance vector.

    Args:
        outputs: The model's outputs (2n, classes); rows i and i + n are a pair.
        distance: "euclidean", or "cosine" for 1 - cos, from 0 to 2.

    Returns:
        Distances (n,), never negative.
    """
    if distance not in DISTANCES:
        raise ValueError(f"unknown distance {distance!r}; choose one of {', '.join(DISTANCES)}")
    if outputs.ndim != 2 or not len(outputs) or len(outputs) % 2:
        raise ValueError(f"outputs must be (2n, classes) with n > 0, not {tuple(outputs.shape)}")
    first, second = outputs.double().chunk(2)
    return DISTANCES[distance](first, second)


def similarity(ddv_a: Tensor, ddv_b: Tensor) -> float:
    """Return the cosine of two decision distance vectors, from 0 to 1; 1 with itself.

    A DDV of zeros belongs to a model that gives every input the same output. It decides nothing and
    has no direction: its similarity is 0 with every model, another constant one included, so that
    a collapsed candidate never wins. This is logged as a warning.
    """
    if ddv_a.shape != ddv_b.shape or ddv_a.ndim != 1:
        raise ValueError(
            f"two vectors of one length are compared, not {tuple(ddv_a.shape)} and "
            f"{tuple(ddv_b.shape)}"
        )
    if min(float(ddv_a.max()), float(ddv_b.max())) < _FLAT:
        logger.warning("a model gives every probe the same output: its similarity is taken as 0")
        return 0.0
    cosine = torch.dot(normalize(ddv_a.double(), dim=0), normalize(ddv_b.double(), dim=0))
    return min(1.0, float(cosine))  # rounding may leave 1 + 2e-16
