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
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crossback_core.lazy import Lazy

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from crossback_core.selection.ddv import Distance
    from crossback_core.selection.view import View
else:
    torch = Lazy("torch")

NEIGHBOURS = 5  # about half of a class of the demo's targets

_ROUNDING = 1e-6  # features that vary by less, relatively, are constant: they are float32
_DECIMALS = 9  # equal features have equal cosines to that many places
_SMALLEST = 1e-9  # shrinkage at least: a covariance can then always be inverted


@dataclass(frozen=True)
class Score:
    """A registered score.

    Attributes:
        compute: Computes it; higher is better.
        formula: What it is, for the list of all.
        source: Where it is from, for the list of all.
    """

    compute: Callable[[View], float]
    formula: str
    source: str


SCORES: dict[str, Score] = {}  # in the order of their columns


def score(
    formula: str, source: str = ""
) -> Callable[[Callable[[View], float]], Callable[[View], float]]:
    """Register a score under the name of its function (a decorator)."""

    def register(compute: Callable[[View], float]) -> Callable[[View], float]:
        SCORES[compute.__name__] = Score(compute, formula, source)
        return compute

    return register


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


def _ddv(answers: tuple[Tensor, Tensor], distance: Distance) -> float:
    from crossback_core.selection.ddv import decision_distances, similarity

    return similarity(*(decision_distances(each, distance) for each in answers))


@score(
    "‖G_c'F_c‖² / (‖F_c'F_c‖ ‖G_c'G_c‖), G the target baseline's own features",
    "linear CKA, [Kornblith et al., ICML 2019](https://arxiv.org/abs/1905.00414)",
)
def cka(view: View) -> float:
    """Return linear CKA of the candidate's features with the target's own baseline's, 0 to 1.

    Source: Kornblith et al., "Similarity of Neural Network Representations Revisited" (ICML 2019),
    section 3. Constant features score 0.
    """
    return _linear_cka(view.features, view.own_features)


@score("as `cka`, with G = Y")
def label_cka(view: View) -> float:
    """Return linear CKA of the candidate's features with the target's classes, one-hot."""
    return _linear_cka(view.features, view.memberships)


def _linear_cka(first: Tensor, second: Tensor) -> float:
    first = _centred(first)
    second = _centred(second)
    own = torch.linalg.matrix_norm(first.T @ first) * torch.linalg.matrix_norm(second.T @ second)
    shared = torch.linalg.matrix_norm(first.T @ second).square()
    return min(1.0, float(shared / own)) if own > 0 else 0.0  # rounding may leave 1 + 2e-16


@score(
    "accuracy of the 5 nearest neighbours by cosine, each sample left out in turn; "
    "ties share a vote",
    "[Sorkhei et al., 2025](https://arxiv.org/abs/2503.18528)",
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
)
def leep(view: View) -> float:
    """Return the mean log likelihood of the target's classes given the candidate's, at most 0.

    The candidate's class z of a sample is drawn from its probabilities, the target's class from
    P(y | z) as counted on the same samples.

    Source: Nguyen et al., "LEEP: A New Measure to Evaluate Transferability of Learned
    Representations" (ICML 2020), section 3.
    """
    joint = view.memberships.T @ view.probabilities  # (k, classes)
    tiny = torch.finfo(joint.dtype).tiny
    conditional = joint / joint.sum(dim=0).clamp_min(tiny)
    likelihoods = (view.probabilities * conditional[view.positions]).sum(dim=1)
    return float(likelihoods.log().mean())


@score(
    "(1 - a) tr(S_a⁻¹ B), B the covariance of the class means, S_a shrunk by a after "
    "[Ledoit and Wolf, 2004](https://doi.org/10.1016/S0047-259X%2803%2900096-4)",
    "[Ibrahim et al., ECML PKDD 2022](https://arxiv.org/abs/2110.06893)",
)
def h_score(view: View) -> float:
    """Return the variance between class means in units of all variance, 0 to classes - 1.

    tr(S^-1 (1 - a) B) with B the covariance of the class means and S the covariance of the
    features, shrunk by a after Ledoit and Wolf: features may be more than samples.

    Source: Ibrahim, Ponomareva and Mazumder, "Newer is not always better: Rethinking
    transferability metrics, their peculiarities, stability and performance" (ECML PKDD 2022);
    without shrinkage Bao et al. (ICIP 2019).
    """
    features = _centred(view.features)
    covariance, shrinkage = ledoit_wolf(features)
    means = _class_means(view, features)  # (k, dim)
    solved = torch.linalg.solve(covariance, means.T)  # (dim, k)
    between = (means.T * solved).sum(dim=0) @ view.counts / len(features)
    return (1 - shrinkage) * float(between)


@score("validation accuracy of linear discriminant analysis on F, its covariance shrunk likewise")
def linear_classifier(view: View) -> float:
    """Return the validation accuracy of a linear classifier fitted on training features.

    It is linear discriminant analysis with the covariance within classes shrunk after Ledoit and
    Wolf, so that there is nothing to tune. Constant features guess the most frequent class.

    Source: Hastie, Tibshirani and Friedman, "The Elements of Statistical Learning", section 4.3.
    """
    offset = view.features.mean(dim=0)
    features = view.features - offset
    means = _class_means(view, features)  # (k, dim)
    covariance, _ = ledoit_wolf(features - means[view.positions])
    weights = torch.linalg.solve(covariance, means.T)  # (dim, k)
    priors = (view.counts / len(features)).log()
    biases = priors - (means.T * weights).sum(dim=0) / 2
    guesses = ((view.held_out - offset) @ weights + biases).argmax(dim=1)
    return float((view.classes[guesses] == view.held_out_labels).double().mean())


@score("the candidate's validation accuracy on its own task")
def accuracy(view: View) -> float:
    """Return the validation accuracy of the candidate on its own task."""
    return view.accuracy


@score("number of classes the candidate knows")
def classes(view: View) -> float:
    """Return the number of classes that the candidate knows."""
    return float(view.probabilities.shape[1])


def ledoit_wolf(centred: Tensor) -> tuple[Tensor, float]:
    """Estimate a covariance from few samples: (1 - a) S + a m I, with m the mean variance.

    Source: Ledoit and Wolf, "A well-conditioned estimator for large-dimensional covariance
    matrices" (Journal of Multivariate Analysis, 2004), section 3.2.

    Args:
        centred: Samples of mean zero (n, dim).

    Returns:
        The covariance (dim, dim), which can be inverted, and the shrinkage a from 0 to 1; 1 where
        nothing varies.
    """
    count, dim = centred.shape
    sample = centred.T @ centred / count
    scale = float(sample.trace()) / dim
    squares = float(sample.square().sum())
    distance = squares - dim * scale**2  # of S to m I
    noise = (float(centred.square().sum(dim=1).square().sum()) / count - squares) / count
    shrinkage = 1.0 if noise >= distance else max(noise / distance, _SMALLEST)
    identity = torch.eye(dim, dtype=sample.dtype)
    floor = torch.finfo(torch.float32).tiny
    return (1 - shrinkage) * sample + shrinkage * max(scale, floor) * identity, shrinkage


def _class_means(view: View, features: Tensor) -> Tensor:
    """Return the mean features of each class (k, dim)."""
    return view.memberships.T @ features / view.counts[:, None]


def _centred(values: Tensor) -> Tensor:
    """Take the mean of each column away; what rounding alone leaves becomes zero."""
    centred = values - values.mean(dim=0)
    if torch.linalg.vector_norm(centred) <= _ROUNDING * torch.linalg.vector_norm(values):
        return torch.zeros_like(values)
    return centred
