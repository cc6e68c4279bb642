"""N-LEEP against principal components and a mixture of scikit-learn's."""

import math

import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from test_scores import informative, normal, plain_leep, view

from crossback_core.selection.mixture import main_directions, posteriors
from crossback_core.selection.scores import nleep


@pytest.mark.parametrize("dim", [6, 200])
def test_the_main_directions_are_principal_components(dim):
    features = normal(60, dim, seed=1) * torch.linspace(0.1, 3, dim).double() + 5
    expected = PCA(n_components=0.8, svd_solver="full").fit_transform(features.numpy())
    found = main_directions(features).numpy()
    scale = ((features - features.mean(dim=0)).square().sum() / len(features)).sqrt().item()
    assert abs(found) * scale == pytest.approx(abs(expected))  # up to their signs


@pytest.mark.parametrize(
    ("count", "classes", "components"), [(12, 6, 6), (50, 5, 5), (60, 3, 6), (400, 3, 15)]
)
def test_a_component_has_ten_samples_where_there_are_enough(count, classes, components):
    assert posteriors(normal(count, 4, seed=1), classes=classes, seed=1).shape[1] == components


@pytest.mark.parametrize("spread", [1.0, 4.0])
def test_nleep_by_a_mixture_and_loops(spread):
    seen = informative(spread)
    values = PCA(n_components=0.8, svd_solver="full").fit_transform(seen.features.numpy())
    values /= (seen.features - seen.features.mean(dim=0)).norm().item() / len(values) ** 0.5
    mixture = GaussianMixture(3, covariance_type="diag", random_state=seen.seed).fit(values)
    expected = plain_leep(mixture.predict_proba(values), seen.labels.tolist())
    assert nleep(seen) == pytest.approx(expected, abs=1e-6)


def test_nleep_of_the_classes_themselves_and_of_constants():
    assert nleep(informative(0.01)) == pytest.approx(0.0, abs=1e-3)
    assert nleep(view(torch.full((24, 6), 0.3).double())) == pytest.approx(-math.log(3))
