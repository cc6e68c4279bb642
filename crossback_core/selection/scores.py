"""Scores of a candidate backbone for a target; the higher, the better the candidate.

Each is a function of a `View`. They differ in what they look at: how alike two networks decide
(DDV, CKA), how well the candidate's features tell the target's classes apart (label CKA,
k-nearest neighbours, LogME, H-score, a linear classifier), what its classes say of the target's
(LEEP), or nothing of the target at all (accuracy, classes). docs/method.md compares them.

A score is a function with the decorator `score`; the configuration, the columns of tables and the
list in docs/method.md follow from that. Planning a workflow reads the names, so torch is imported
when a score is computed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import fmean
from typing import TYPE_CHECKING

from crossback_core.lazy import Lazy
from crossback_core.selection.registered import SCORES, columns, measure, score

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from crossback_core.selection import ddv, mixture, moments, ridge
    from crossback_core.selection.view import View
else:
    torch = Lazy("torch")
    ddv, mixture, moments, ridge = (
        Lazy(f"crossback_core.selection.{name}") for name in ("ddv", "mixture", "moments", "ridge")
    )

__all__ = ["SCORES", "columns", "measure"]  # with all that is registered here

NEIGHBOURS = 5  # about half of a class of the demo's targets

PERMUTATIONS = 30  # of the labels: the zero of loo_ridge is known to a fifth of its spread

_DECIMALS = 9  # equal features have equal cosines to that many places


@score("cosine of the two DDVs, by Euclidean distance of outputs", "ModelDiff")
def ddv_euclidean(view: View) -> float:
    """Return the cosine of both networks' Euclidean decision distances on mutated probes, 0 to 1.

    Source: ModelDiff (Li et al., ISSTA 2021), sections 4.2 to 4.4.
    """
    return _ddv(view.mutated, "euclidean")


@score("cosine of the two DDVs, by cosine distance of outputs", "ModelDiff")
def ddv_cosine(view: View) -> float:
    """Return the cosine of both networks' cosine decision distances on mutated probes, 0 to 1."""
    return _ddv(view.mutated, "cosine")


@score("as `ddv_euclidean`, without mutating the probes", "ModelDiff")
def ddv_euclidean_plain(view: View) -> float:
    """Return what `ddv_euclidean` does, on the probes as drawn."""
    return _ddv(view.drawn, "euclidean")


@score("as `ddv_cosine`, without mutating the probes", "ModelDiff")
def ddv_cosine_plain(view: View) -> float:
    """Return what `ddv_cosine` does, on the probes as drawn."""
    return _ddv(view.drawn, "cosine")


@score("minus `ddv_cosine`: chooses the least alike, as published code does; for comparison only")
def ddv_distance(view: View) -> float:
    """Return minus `ddv_cosine`: it chooses the least similar, as published code does."""
    return 0.0 - ddv_cosine(view)  # not -0.0


def _ddv(answers: tuple[Tensor, Tensor], distance: ddv.Distance) -> float:
    return ddv.similarity(*(ddv.decision_distances(each, distance) for each in answers))


@score(
    "‖G_c'F_c‖² / (‖F_c'F_c‖ ‖G_c'G_c‖), G the target baseline's own features",
    "linear CKA, [Kornblith et al., ICML 2019](https://arxiv.org/abs/1905.00414)",
    excess=True,
)
def cka(view: View) -> float:
    """Return linear CKA of the candidate's features with the target's own baseline's, 0 to 1.

    Source: Kornblith et al., "Similarity of Neural Network Representations Revisited" (ICML 2019),
    section 3. Constant features score 0.
    """
    return _linear_cka(view.features, view.own_features)


@score("as `cka`, with G = Y", excess=True, blocks=True)
def label_cka(view: View) -> float:
    """Return linear CKA of the candidate's features with the target's classes, one-hot."""
    return _linear_cka(view.features, view.memberships)


def _linear_cka(first: Tensor, second: Tensor) -> float:
    first = moments.centred(first)
    second = moments.centred(second)
    own = torch.linalg.matrix_norm(first.T @ first) * torch.linalg.matrix_norm(second.T @ second)
    shared = torch.linalg.matrix_norm(first.T @ second).square()
    return min(1.0, float(shared / own)) if own > 0 else 0.0  # rounding may leave 1 + 2e-16


@score(
    "accuracy of the 5 nearest neighbours by cosine, each sample left out in turn; "
    "ties share a vote",
    "[Sorkhei et al., 2025](https://arxiv.org/abs/2503.18528)",
    excess=True,
    blocks=True,
)
def knn(view: View) -> float:
    """Return the accuracy of k nearest neighbours, each training sample left out in turn, 0 to 1.

    Near is a high cosine of the features; k is `NEIGHBOURS`, or all other samples where they are
    fewer. All samples as near as the k-th vote. Of m classes with equally many votes, each is
    right with 1/m. So neither the order of samples nor that of classes matters. Constant features
    score 0 where classes are equally large: all other samples vote, and a sample's own class has
    one vote less than the others.

    Source: Sorkhei et al., "k-NN as a Simple and Effective Estimator of Transferability"
    (arXiv 2503.18528).
    """
    directions = torch.nn.functional.normalize(view.features, dim=1)
    cosines = (directions @ directions.T).round(decimals=_DECIMALS).fill_diagonal_(-math.inf)
    count = min(NEIGHBOURS, len(cosines) - 1)
    kth = cosines.topk(count, dim=1).values[:, -1:]
    votes = (cosines >= kth).to(cosines.dtype) @ view.memberships  # (n, k)
    winners = votes == votes.amax(dim=1, keepdim=True)
    right = winners.gather(1, view.positions[:, None])[:, 0] / winners.double().sum(dim=1)
    return float(right.mean())


@score(
    "log evidence of Y = F W + noise, a sample and class, at the best prior and noise variances",
    "[You et al., ICML 2021](https://arxiv.org/abs/2102.11005)",
    excess=True,
)
def logme(view: View) -> float:
    """Return the log evidence per sample of a Bayesian linear model, averaged over the classes.

    A class's indicator y is modelled as F w + noise with w ~ N(0, 1/alpha) and noise ~
    N(0, 1/beta); alpha and beta maximise the evidence. For alpha / beta = t the best beta is
    n / q with q = y' (I + F F' / t)^-1 y, so only t is searched, from 1e-8 to 1e8 times the
    largest eigenvalue of F F': an evidence that grows without bound (y without any noise) is cut
    there.

    Source: You et al., "LogME: Practical Assessment of Pre-trained Models for Transfer Learning"
    (ICML 2021), section 4; it climbs to the same maximum by a fixed-point iteration.
    """
    left, singular, _ = torch.linalg.svd(view.features, full_matrices=False)
    eigenvalues = singular.square()  # of F F', (r,)
    powers = (left.T @ view.memberships).square()  # (r, k)
    rest = (view.counts - powers.sum(dim=0)).clamp_min(0.0)  # of y, out of the features' reach
    count = len(view.labels)

    def evidence(logarithms: Tensor) -> Tensor:
        ratios = eigenvalues[:, None, None] / logarithms.exp()  # (r, steps, k)
        quadratic = (powers[:, None] / (1 + ratios)).sum(dim=0) + rest
        misfit = count * (2 * math.pi * math.e * quadratic / count).log()
        minus_twice: Tensor = misfit + ratios.log1p().sum(dim=0)
        return minus_twice / -2

    middle = eigenvalues.max().clamp_min(torch.finfo(eigenvalues.dtype).tiny).log()
    return float(_highest(evidence, middle.expand(len(view.classes))).mean()) / count


def _highest(function: Callable[[Tensor], Tensor], middle: Tensor) -> Tensor:
    """Search a function's maximum for each class on ever finer grids.

    Args:
        function: Maps (steps, k) to (steps, k), each element on its own.
        middle: Where the search starts (k,).
    """
    radius = math.log(1e8)
    for _ in range(4):  # the grid ends 1e-5 wide
        grid = middle + torch.linspace(-radius, radius, 65, dtype=middle.dtype)[:, None]
        best = function(grid).max(dim=0)
        middle = grid.gather(0, best.indices[None])[0]
        radius /= 32
    return best.values


@score(
    "mean log Σ_z P(y given z) θ(x)_z, with P counted from θ and y",
    "[Nguyen et al., ICML 2020](https://arxiv.org/abs/2002.12462)",
    excess=True,
    tells=False,  # its head was trained on what the body made before it was shuffled
)
def leep(view: View) -> float:
    """Return the mean log likelihood of the target's classes given the candidate's, at most 0.

    The candidate's class z of a sample is drawn from its probabilities, the target's class from
    P(y | z) as counted on the same samples.

    Source: Nguyen et al., "LEEP: A New Measure to Evaluate Transferability of Learned
    Representations" (ICML 2020), section 3.
    """
    return _leep(view, view.probabilities)


@score(
    "`leep`, with θ(x) the posteriors of a mixture of Gaussians fitted to the principal components "
    "of F that hold 80 % of its variance",
    "N-LEEP, [Li et al., CVPR 2021](https://arxiv.org/abs/2011.11200)",
    excess=True,
)
def nleep(view: View) -> float:
    """Return LEEP with the components of a Gaussian mixture in place of the candidate's classes.

    So it asks nothing of the head. `mixture.posteriors` says how many components there are.
    Constant features are one component: minus the entropy of the classes.

    Source: Li et al., "Ranking Neural Checkpoints" (CVPR 2021), section 3.
    """
    if not bool(moments.centred(view.features).any()):
        return _leep(view, torch.ones_like(view.features[:, :1]))
    components = mixture.posteriors(view.features, classes=len(view.classes), seed=view.seed)
    return _leep(view, components)


def _leep(view: View, probabilities: Tensor) -> float:
    joint = view.memberships.T @ probabilities  # (k, classes)
    tiny = torch.finfo(joint.dtype).tiny
    conditional = joint / joint.sum(dim=0).clamp_min(tiny)
    likelihoods = (probabilities * conditional[view.positions]).sum(dim=1)
    return float(likelihoods.log().mean())


@score(
    "(1 - a) tr(S_a⁻¹ B), B the covariance of the class means, S_a shrunk by a after "
    "[Ledoit and Wolf, 2004](https://doi.org/10.1016/S0047-259X%2803%2900096-4)",
    "[Ibrahim et al., ECML PKDD 2022](https://arxiv.org/abs/2110.06893)",
    excess=True,
)
def h_score(view: View) -> float:
    """Return the variance between class means in units of all variance, 0 to classes - 1.

    tr(S^-1 (1 - a) B) with B the covariance of the class means and S the covariance of the
    features, shrunk by a after Ledoit and Wolf: features may be more than samples.

    Source: Ibrahim, Ponomareva and Mazumder, "Newer is not always better: Rethinking
    transferability metrics, their peculiarities, stability and performance" (ECML PKDD 2022);
    without shrinkage Bao et al. (ICIP 2019).
    """
    features = moments.centred(view.features)
    covariance, shrinkage = moments.ledoit_wolf(features)
    means = _class_means(view, features)  # (k, dim)
    solved = torch.linalg.solve(covariance, means.T)  # (dim, k)
    between = (means.T * solved).sum(dim=0) @ view.counts / len(features)
    return (1 - shrinkage) * float(between)


@score(
    "validation accuracy of linear discriminant analysis on F, its covariance shrunk likewise",
    excess=True,
)
def linear_classifier(view: View) -> float:
    """Return the validation accuracy of a linear classifier fitted on training features.

    It is linear discriminant analysis with the covariance within classes shrunk after Ledoit and
    Wolf, so that there is nothing to tune. Constant features guess the most frequent class.

    Source: Hastie, Tibshirani and Friedman, "The Elements of Statistical Learning", section 4.3.
    """
    offset = view.features.mean(dim=0)
    features = view.features - offset
    means = _class_means(view, features)  # (k, dim)
    covariance, _ = moments.ledoit_wolf(features - means[view.positions])
    weights = torch.linalg.solve(covariance, means.T)  # (dim, k)
    priors = (view.counts / len(features)).log()
    biases = priors - (means.T * weights).sum(dim=0) / 2
    guesses = ((view.held_out - offset) @ weights + biases).argmax(dim=1)
    return float((view.classes[guesses] == view.held_out_labels).double().mean())


def _leave_one_out(view: View) -> list[float]:
    """Return the leave-one-out R2 of the labels, then of each permutation of them."""
    orders = ridge.permutations(len(view.labels), PERMUTATIONS, view.seed)
    found: list[float] = ridge.leave_one_out(view.features, view.memberships[orders]).tolist()
    return found


def _permuted(view: View) -> list[float]:
    return view.once("leave-one-out", _leave_one_out)[1:]


@score(
    "leave-one-out R² of ridge regression of Y on F over the training samples, minus its mean over "
    "30 permutations of the labels",
    "leave-one-out in closed form: Allen, 1974 (PRESS)",
    null=_permuted,
    excess=True,
    blocks=True,
)
def loo_ridge(view: View) -> float:
    """Return how much of the classes a ridge regression tells of samples left out, at most 1.

    Without validation data, and with a zero: the mean R2 of permuted labels, each at its own best
    penalty, is taken away. `ridge.leave_one_out` says what it computes.
    """
    return view.once("leave-one-out", _leave_one_out)[0] - fmean(_permuted(view))


@score("the candidate's validation accuracy on its own task")
def accuracy(view: View) -> float:
    """Return the validation accuracy of the candidate on its own task."""
    return view.accuracy


@score("number of classes the candidate knows")
def classes(view: View) -> float:
    """Return the number of classes that the candidate knows."""
    return float(view.probabilities.shape[1])


def _class_means(view: View, features: Tensor) -> Tensor:
    """Return the mean features of each class (k, dim)."""
    return view.memberships.T @ features / view.counts[:, None]
