"""Ridge regression of classes on features, and its exact leave-one-out error.

A linear smoother's prediction without a sample follows from that with it: the error of sample i is
(y_i - f_i) / (1 - h_i), h_i its own weight in f_i (Allen's PRESS; Hastie, Tibshirani and Friedman,
"The Elements of Statistical Learning", equation 7.64). So one decomposition of the features serves
all samples, all penalties and all targets.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from crossback_core.selection.moments import centred

# Penalties in units of the largest squared singular value of the features: from none to speak of to
# one that leaves only the mean, two in each decade.
PENALTIES = tuple(10 ** (step / 2) for step in range(-10, 7))


def leave_one_out(features: Tensor, targets: Tensor) -> Tensor:
    """Return the leave-one-out R2 of ridge regression with an intercept, at the best penalty.

    The error is summed over all samples and columns, and compared with that of the mean of the
    other samples. The penalty is the one of least error, for each target on its own, so the R2 is
    a little high: that of permuted targets is so as well. The intercept is not penalised. Constant
    features leave the mean: 0.

    Args:
        features: (n, dim) float64, n at least 2.
        targets: (t, n, columns): t targets, each of several columns that share a penalty.

    Returns:
        (t,), at most 1.
    """
    errors = [each.square().sum(dim=(1, 2)) for each in _residuals(features, targets)]
    apart = targets - targets.mean(dim=1, keepdim=True)
    of_mean = (apart * (len(features) / (len(features) - 1))).square().sum(dim=(1, 2))
    return 1 - torch.stack(errors).amin(dim=0) / of_mean


def left_out(features: Tensor, target: Tensor) -> Tensor:
    """Return the prediction of each sample without it, at the best penalty (n, columns).

    Args:
        features: As of `leave_one_out`.
        target: One target (n, columns).
    """
    residuals = _residuals(features, target[None])
    return target - min(residuals, key=lambda each: float(each.square().sum()))[0]


def _residuals(features: Tensor, targets: Tensor) -> Iterator[Tensor]:
    """Yield the leave-one-out residuals (t, n, columns) of each penalty."""
    left, singular, _ = torch.linalg.svd(centred(features), full_matrices=False)
    squares = singular.square()
    squares = squares / squares.max().clamp_min(torch.finfo(squares.dtype).tiny)  # (r,)
    apart = targets - targets.mean(dim=1, keepdim=True)
    shares = left.T @ apart  # (t, r, columns)
    for penalty in PENALTIES:
        kept = squares / (squares + penalty)
        own = 1 / len(features) + left.square() @ kept  # (n,) of each sample in its prediction
        yield (apart - left @ (kept[:, None] * shares)) / (1 - own)[:, None]


def permutations(count: int, draws: int, seed: int) -> Tensor:
    """Return the labels' own order, then orders at random (draws + 1, count).

    Args:
        count: Number of samples.
        draws: Number of random orders.
        seed: Determines them; of 32 bits.
    """
    random = torch.Generator().manual_seed(seed)
    drawn = [torch.randperm(count, generator=random) for _ in range(draws)]
    return torch.stack([torch.arange(count), *drawn])
