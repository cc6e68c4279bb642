"""How alike two trained networks decide, on the way that the workflow takes."""

from __future__ import annotations

import logging
from itertools import combinations_with_replacement

import pytest
import tiny
import torch
from scipy.spatial import distance

from crossback_core.data.task_file import TaskData
from crossback_core.model.network import Network
from crossback_core.selection.comparison import compare
from crossback_core.settings import ProbeSettings

METRICS = ("ddv_euclidean", "ddv_cosine")
MODALITIES = ("image", "text")
PROBING = ProbeSettings(probes=8, mutations=20, mutation_step=0.1)
AS_DRAWN = ProbeSettings(probes=8, mutations=0, mutation_step=0.1)

Trained = tuple[Network, TaskData]


def trained(task: int, modality: str, *, seed: int = 0, classes: int = 3) -> Trained:
    """A network that tells its inputs apart, and its task."""
    data = tiny.task_data(task, modality, classes=classes)
    network = tiny.network(data, seed=seed)
    tiny.disturb(network)
    return network, data


@pytest.fixture(scope="module")
def models() -> list[Trained]:
    """Two image networks and two text networks, each of a task of its own."""
    return [
        trained(task, modality, seed=task, classes=2 + task % 3)
        for task, modality in enumerate(["image", "text", "image", "text"], start=1)
    ]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("modality", MODALITIES)
def test_self_similarity_is_one_and_the_maximum(modality, metric, models):
    """The ancestor maximised a distance, which is smallest here."""
    model = trained(7, modality, seed=7)
    copy = trained(7, modality, seed=7)
    scores = [compare(model, other, PROBING, seed=1)[metric] for other in (model, copy, *models)]
    assert scores[:2] == pytest.approx([1.0, 1.0], abs=1e-9)
    assert max(scores[2:]) < 0.999


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("modality", MODALITIES)
def test_a_close_copy_is_more_alike_than_a_stranger(modality, metric):
    """One task, three networks: of two candidates the arg-max finds the copy."""
    model, copy, stranger = (trained(7, modality, seed=seed) for seed in (7, 7, 8))
    with torch.no_grad():
        for parameter in copy[0].parameters():
            parameter += 0.001 * torch.randn(
                parameter.shape, generator=torch.Generator().manual_seed(1)
            )
    near, far = (compare(model, other, PROBING, seed=1)[metric] for other in (copy, stranger))
    assert far < near < 1 and near > 0.99


def test_every_pair_of_modalities_is_compared_by_both_distances(models):
    for one, other in combinations_with_replacement(models, 2):
        scores = compare(one, other, PROBING, seed=1)
        assert tuple(scores) == METRICS
        assert all(0 < score <= 1 for score in scores.values())


@pytest.mark.parametrize("pair", [(0, 2), (1, 3), (0, 1)], ids=["images", "texts", "both"])
def test_without_mutations_the_order_of_the_networks_does_not_matter(pair, models):
    one, other = (models[number] for number in pair)
    there, back = compare(one, other, AS_DRAWN, seed=1), compare(other, one, AS_DRAWN, seed=1)
    assert there == pytest.approx(back, abs=1e-9)


def _rows_of(task: int) -> torch.Tensor:
    """The order in which a task's 12 training samples become probes, for seed 1."""
    return torch.randperm(12, generator=torch.Generator().manual_seed((1 << 20) + task))


@pytest.mark.parametrize("pair", [(0, 2), (1, 3), (0, 1), (1, 0)], ids=str)
def test_the_whole_comparison_written_out(pair, models):
    """Pairs of one input of either task; each network reads a foreign modality by the other's eyes.

    The networks' outputs, the distances and the cosine of the vectors come from elsewhere.
    """
    (a, data_a), (b, data_b) = (models[number] for number in pair)
    rows = {data.task: _rows_of(data.task) for data in (data_a, data_b)}
    assert not torch.equal(*rows.values())  # or like would be paired with like
    ddvs = {"ddv_euclidean": [], "ddv_cosine": []}
    for network, other in ((a.eval(), b.eval()), (b.eval(), a.eval())):
        halves = []
        for data in (data_a, data_b):
            foreign = data.modality != network.newest.modality
            eyes = other.input_projection(other.newest.task) if foreign else None
            with torch.no_grad():
                values, mask = data.train.inputs(rows[data.task][:8])
                logits = network(network.newest.task, values, mask, projection=eyes)
            halves.append(logits.double().numpy())
        pairs = list(zip(*halves, strict=True))
        ddvs["ddv_euclidean"].append([distance.euclidean(*outputs) for outputs in pairs])
        ddvs["ddv_cosine"].append([distance.cosine(*outputs) for outputs in pairs])
    expected = {metric: 1 - distance.cosine(*vectors) for metric, vectors in ddvs.items()}
    found = compare((a, data_a), (b, data_b), AS_DRAWN, seed=1)
    assert found == pytest.approx(expected, abs=1e-5)
    assert all(value < 0.999 for value in expected.values())


def test_one_seed_one_similarity(models):
    first, again, other = (compare(*models[:2], PROBING, seed=seed) for seed in (1, 1, 2))
    assert first == again != other


def test_comparing_changes_nothing(models):
    networks = [models[0][0].train(), models[1][0].eval()]
    before = [tiny.snapshot(network) for network in networks]
    state = torch.get_rng_state()
    compare(*models[:2], PROBING, seed=1)
    assert all(map(tiny.same_state, before, map(tiny.snapshot, networks)))
    assert [network.training for network in networks] == [True, False]
    assert torch.equal(state, torch.get_rng_state())


def test_there_are_no_more_probes_than_samples(models):
    """12 training samples of either task."""
    all_of_them = ProbeSettings(probes=12, mutations=5, mutation_step=0.1)
    more = ProbeSettings(probes=500, mutations=5, mutation_step=0.1)
    assert compare(*models[:2], more, seed=1) == compare(*models[:2], all_of_them, seed=1)


@pytest.mark.parametrize("modality", MODALITIES)
def test_a_scaled_network_decides_alike(modality):
    """Ten times the logits, the same decisions."""
    model, scaled = (trained(7, modality, seed=7) for _ in range(2))
    with torch.no_grad():
        for parameter in scaled[0].heads[0].parameters():
            parameter *= 10
    assert compare(model, scaled, PROBING, seed=1) == pytest.approx(
        dict.fromkeys(METRICS, 1.0), abs=1e-6
    )


def test_a_network_that_decides_nothing_is_similar_to_nothing(models, caplog):
    constant = trained(7, "image")
    with torch.no_grad():
        constant[0].heads[0].weight.zero_()
    with caplog.at_level(logging.WARNING):
        for other in (models[0], constant):
            assert compare(constant, other, PROBING, seed=1) == dict.fromkeys(METRICS, 0.0)
    assert "gives every probe the same output" in caplog.text


def test_a_network_of_another_width_cannot_lend_its_projection(models):
    wide = trained(7, "text")
    wide[0].grow(2.0)
    with pytest.raises(ValueError, match="the networks have different widths"):
        compare(models[0], wide, PROBING, seed=1)


def test_outputs_that_are_not_finite_are_refused(models):
    broken = trained(7, "image")
    with torch.no_grad():
        broken[0].heads[0].bias.fill_(float("nan"))
    with pytest.raises(ValueError, match="NaN or infinity"):
        compare(models[0], broken, PROBING, seed=1)
