"""Means and covariances of few samples."""

from __future__ import annotations

import torch
from torch import Tensor

_ROUNDING = 1e-6  # features that vary by less, relatively, are constant: they are float32
_SMALLEST = 1e-9  # shrinkage at least: a covariance can then always be inverted


def centred(values: Tensor) -> Tensor:
    """Take the mean of each column away; what rounding alone leaves becomes zero."""
    apart = values - values.mean(dim=0)
    if torch.linalg.vector_norm(apart) <= _ROUNDING * torch.linalg.vector_norm(values):
        return torch.zeros_like(values)
    return apart


def ledoit_wolf(values: Tensor) -> tuple[Tensor, float]:
    """Estimate a covariance from few samples: (1 - a) S + a m I, with m the mean variance.

    Source: Ledoit and Wolf, "A well-conditioned estimator for large-dimensional covariance
    matrices" (Journal of Multivariate Analysis, 2004), section 3.2.

    Args:
        values: Samples of mean zero (n, dim).

    Returns:
        The covariance (dim, dim), which can be inverted, and the shrinkage a from 0 to 1; 1 where
        nothing varies.
    """
    count, dim = values.shape
    sample = values.T @ values / count
    scale = float(sample.trace()) / dim
    squares = float(sample.square().sum())
    distance = squares - dim * scale**2  # of S to m I
    noise = (float(values.square().sum(dim=1).square().sum()) / count - squares) / count
    shrinkage = 1.0 if noise >= distance else max(noise / distance, _SMALLEST)
    identity = torch.eye(dim, dtype=sample.dtype)
    floor = torch.finfo(torch.float32).tiny
    return (1 - shrinkage) * sample + shrinkage * max(scale, floor) * identity, shrinkage
