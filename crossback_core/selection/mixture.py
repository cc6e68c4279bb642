"""A mixture of Gaussians in the space of features: what N-LEEP takes in place of a head."""

from __future__ import annotations

import warnings

import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits
from torch import Tensor

from crossback_core.selection.moments import centred

ENERGY = 0.8  # of the features' variance is kept: the paper's choice
MOST = 5  # components for each class: the paper's choice
SAMPLES = 10  # at least, on average, of a component


def posteriors(features: Tensor, *, classes: int, seed: int) -> Tensor:
    """Fit a mixture of Gaussians to the main directions of features.

    Source: Li et al., "Ranking Neural Checkpoints" (CVPR 2021), section 3: principal components of
    80 % of the variance, five components a class. Five a class would be two samples each where a
    class has ten, and the posteriors a code of the sample; so there are as many a class, up to
    five, as leave ten samples to each, and at least one. For the same reason the covariances are
    diagonal, in the axes of the principal components.

    Args:
        features: (n, dim) float64 that vary.
        classes: Number of the target's classes, at most n.
        seed: Of the start by k-means; 32 bits.

    Returns:
        The probability of each component for each sample (n, components).
    """
    count = len(features)
    components = classes * min(MOST, max(1, count // (SAMPLES * classes)))
    mixture = GaussianMixture(components, covariance_type="diag", random_state=seed)
    with threadpool_limits(limits=1), warnings.catch_warnings():
        # A mixture that still moves after 100 steps, or has fewer points than components, is one.
        warnings.simplefilter("ignore", ConvergenceWarning)
        values = main_directions(features).numpy()
        found = mixture.fit(values).predict_proba(values)
    return torch.from_numpy(found)


def main_directions(features: Tensor) -> Tensor:
    """Project features (n, dim) on the fewest directions that keep `ENERGY` of their variance.

    Returns:
        (n, directions), of a total variance of one before the rest was left out.
    """
    left, singular, _ = torch.linalg.svd(centred(features), full_matrices=False)
    shares = singular.square() / singular.square().sum()
    count = int((shares.cumsum(dim=0) < ENERGY).sum()) + 1
    kept: Tensor = left[:, :count] * (shares[:count] * len(features)).sqrt()
    return kept
