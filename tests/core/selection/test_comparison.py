"""The scores of a candidate, on the way that the workflow takes."""

from __future__ import annotations

import logging
from dataclasses import replace
from itertools import combinations_with_replacement

import plain_similarity
import pytest
import tiny
import torch
from scipy.spatial import distance

from crossback_core.data.task_file import TaskData
from crossback_core.learning.evaluation import split_features, split_logits
from crossback_core.learning.kv_swap import reconstruct
from crossback_core.learning.settings import SwapSettings
from crossback_core.model.network import Network, TaskModel
from crossback_core.selection.comparison import Target, Trained
from crossback_core.selection.scores import SCORES
from crossback_core.selection.settings import ProbeSettings

DDVS = ("ddv_euclidean", "ddv_cosine")
MODALITIES = ("image", "text")
PROBING = ProbeSettings(probes=8, mutations=20, mutation_step=0.1)
AS_DRAWN = ProbeSettings(probes=8, mutations=0, mutation_step=0.1)


def network_of(data: TaskData, *, seed: int) -> Network:
    """A network that tells its inputs apart."""
    network = tiny.network(data, seed=seed)
    tiny.disturb(network)
    return network


def trained(task: int, modality: str, *, seed: int = 0, classes: int = 3) -> Trained:
    """A trained task, its data, and an accuracy."""
    data = tiny.task_data(task, modality, classes=classes)
    return Trained(network_of(data, seed=seed).settled(task), data, accuracy=0.75)


def scores(target: Trained, candidate: Trained, settings: ProbeSettings, *, seed: int = 1):
    """All scores of one candidate."""
    return Target(target, settings, seed=seed).scores(candidate)


def ddvs(target: Trained, candidate: Trained, settings: ProbeSettings, *, seed: int = 1):
    """How alike two networks decide, by both distances."""
    found = scores(target, candidate, settings, seed=seed)
    return {metric: found[metric] for metric in DDVS}


@pytest.fixture(scope="module")
def models() -> list[Trained]:
    """Two image networks and two text networks, each of a task of its own."""
    return [
        trained(task, modality, seed=task, classes=2 + task % 3)
        for task, modality in enumerate(["image", "text", "image", "text"], start=1)
    ]


@pytest.mark.parametrize("metric", DDVS)
@pytest.mark.parametrize("modality", MODALITIES)
def test_self_similarity_is_one_and_the_maximum(modality, metric, models):
    """The ancestor maximised a distance, which is smallest here."""
    model = trained(7, modality, seed=7)
    copy = trained(7, modality, seed=7)
    found = [ddvs(model, other, PROBING)[metric] for other in (model, copy, *models)]
    assert found[:2] == pytest.approx([1.0, 1.0], abs=1e-9)
    assert max(found[2:]) < 0.999


@pytest.mark.parametrize("metric", DDVS)
@pytest.mark.parametrize("modality", MODALITIES)
def test_a_close_copy_is_more_alike_than_a_stranger(modality, metric):
    """One task, three networks: of two candidates the arg-max finds the copy."""
    model, copy, stranger = (trained(7, modality, seed=seed) for seed in (7, 7, 8))
    with torch.no_grad():
        for parameter in copy.model.parameters():
            parameter += 0.001 * torch.randn(
                parameter.shape, generator=torch.Generator().manual_seed(1)
            )
    near, far = (ddvs(model, other, PROBING)[metric] for other in (copy, stranger))
    assert far < near < 1 and near > 0.99


def test_every_pair_of_modalities_is_compared_by_both_distances(models):
    for one, other in combinations_with_replacement(models, 2):
        found = ddvs(one, other, PROBING)
        assert all(0 < score <= 1 for score in found.values())


@pytest.mark.parametrize("pair", [(0, 2), (1, 3), (0, 1)], ids=["images", "texts", "both"])
def test_without_mutations_the_order_of_the_networks_does_not_matter(pair, models):
    one, other = (models[number] for number in pair)
    there, back = ddvs(one, other, AS_DRAWN), ddvs(other, one, AS_DRAWN)
    assert there == pytest.approx(back, abs=1e-9)


def _rows_of(task: int) -> torch.Tensor:
    """The order in which a task's 12 training samples become probes, for seed 1."""
    return torch.randperm(12, generator=torch.Generator().manual_seed((1 << 20) + task))


@pytest.mark.parametrize("pair", [(0, 2), (1, 3), (0, 1), (1, 0)], ids=str)
def test_the_whole_comparison_written_out(pair, models):
    """Pairs of one input of either task; each network reads a foreign modality by the other's eyes.

    The networks' outputs, the distances and the cosine of the vectors come from elsewhere.
    """
    (a, data_a), (b, data_b) = ((models[n].model, models[n].data) for n in pair)
    rows = {data.task: _rows_of(data.task) for data in (data_a, data_b)}
    assert not torch.equal(*rows.values())  # or like would be paired with like
    vectors = {"ddv_euclidean": [], "ddv_cosine": []}
    for model, other in ((a, b), (b, a)):
        halves = []
        for data in (data_a, data_b):
            eyes = model.input if data.modality == model.spec.modality else other.input
            values, mask = data.train.inputs(rows[data.task][:8])
            logits = model.head(model.body(eyes(values, mask)))
            halves.append(logits.double().numpy())
        pairs = list(zip(*halves, strict=True))
        vectors["ddv_euclidean"].append([distance.euclidean(*outputs) for outputs in pairs])
        vectors["ddv_cosine"].append([distance.cosine(*outputs) for outputs in pairs])
    expected = {metric: 1 - distance.cosine(*both) for metric, both in vectors.items()}
    found = scores(models[pair[0]], models[pair[1]], AS_DRAWN)
    assert {metric: found[metric] for metric in DDVS} == pytest.approx(expected, abs=1e-5)
    found = {metric: found[f"{metric}_plain"] for metric in DDVS}
    assert found == pytest.approx(expected, abs=1e-5)
    assert all(value < 0.999 for value in expected.values())


def test_one_seed_one_similarity(models):
    first, again, other = (ddvs(*models[:2], PROBING, seed=seed) for seed in (1, 1, 2))
    assert first == again != other


def test_comparing_changes_nothing(models):
    both = [models[0].model, models[1].model]
    before = [tiny.snapshot(model) for model in both]
    state = torch.get_rng_state()
    scores(*models[:2], PROBING)
    assert all(map(tiny.same_state, before, map(tiny.snapshot, both)))
    assert torch.equal(state, torch.get_rng_state())


def test_there_are_no_more_probes_than_samples(models):
    """12 training samples of either task."""
    all_of_them = ProbeSettings(probes=12, mutations=5, mutation_step=0.1)
    more = ProbeSettings(probes=500, mutations=5, mutation_step=0.1)
    assert scores(*models[:2], more) == scores(*models[:2], all_of_them)


@pytest.mark.parametrize("modality", MODALITIES)
def test_a_scaled_network_decides_alike(modality):
    """Ten times the logits, the same decisions."""
    model, scaled = (trained(7, modality, seed=7) for _ in range(2))
    with torch.no_grad():
        for parameter in scaled.model.head.parameters():
            parameter *= 10
    expected = dict.fromkeys(DDVS, 1.0)
    assert ddvs(model, scaled, PROBING) == pytest.approx(expected, abs=1e-6)


def test_a_network_that_decides_nothing_is_similar_to_nothing(models, caplog):
    constant = trained(7, "image")
    with torch.no_grad():
        constant.model.head.weight.zero_()
    with caplog.at_level(logging.WARNING):
        for other in (models[0], constant):
            assert ddvs(constant, other, PROBING) == dict.fromkeys(DDVS, 0.0)
    assert "gives every probe the same output" in caplog.text


def test_a_network_of_another_width_cannot_lend_its_projection(models):
    data = tiny.task_data(7, "text")
    network = network_of(data, seed=0)
    network.grow(2.0)
    joint = Trained(network.settled(7), data, accuracy=0.75)
    with pytest.raises(ValueError, match="the networks have different widths"):
        scores(models[0], joint, PROBING)


def test_outputs_that_are_not_finite_are_refused(models):
    broken = trained(7, "image")
    with torch.no_grad():
        broken.model.head.bias.fill_(float("nan"))
    with pytest.raises(ValueError, match="NaN or infinity"):
        scores(models[0], broken, PROBING)


# what the candidate makes of the target's data


@pytest.mark.parametrize("pair", [(0, 2), (1, 3), (0, 1), (1, 0)], ids=str)
def test_features_are_those_of_the_reconstructed_backbone(pair, models):
    """The swap later connects the networks in the same way, to the bit."""
    target, candidate = (models[number] for number in pair)
    view = Target(target, AS_DRAWN, seed=1).view(candidate)
    expected = [view.features, view.held_out]
    backbone, own = (network_of(each.data, seed=each.data.task) for each in (candidate, target))
    begun = reconstruct(backbone, own, SwapSettings("auto", "backbone"))
    model = backbone.settled(target.data.task)
    assert begun.swapped == (target.data.modality != candidate.data.modality)
    for features, split in zip(expected, (target.data.train, target.data.validation), strict=True):
        assert torch.equal(features, split_features(model, split).double())


def test_a_view_holds_what_both_networks_say(models):
    target, candidate = models[0], models[2]
    view = Target(target, AS_DRAWN, seed=1).view(candidate)
    logits = split_logits(candidate.model, target.data.train)
    torch.testing.assert_close(view.probabilities, logits.softmax(dim=1).double())
    own_features = split_features(target.model, target.data.train)
    assert torch.equal(view.own_features, own_features.double())
    assert torch.equal(view.labels, target.data.train.labels)
    assert torch.equal(view.held_out_labels, target.data.validation.labels)
    assert view.probabilities.shape == (12, len(candidate.data.classes))
    assert view.accuracy == 0.75
    assert all(map(torch.equal, view.drawn, view.mutated))


def test_every_candidate_gets_every_score_and_none_depends_on_the_others(models):
    together = Target(models[0], PROBING, seed=1)
    for candidate in models[1:]:
        found = together.scores(candidate)
        assert tuple(found) == tuple(SCORES)
        assert found == scores(models[0], candidate, PROBING)
        assert found["ddv_distance"] == -found["ddv_cosine"]
        assert found["classes"] == len(candidate.data.classes) and found["accuracy"] == 0.75


@pytest.mark.parametrize("target", [0, 1], ids=["image", "text"])
def test_a_row_equals_pairs_worked_out_plainly(target, models):
    """Nothing that candidates share, and no batch, may show in a score."""
    shared = Target(models[target], PROBING, seed=1)
    for candidate in models[:target] + models[target + 1 :]:
        plain = plain_similarity.scores(models[target], candidate, PROBING, seed=1)
        assert shared.scores(candidate) == pytest.approx(plain, abs=1e-5)
        drawn = plain_similarity.scores(models[target], candidate, AS_DRAWN, seed=1)
        assert plain["ddv_cosine"] != drawn["ddv_cosine"]


def test_what_candidates_share_is_read_once(models, monkeypatch):
    """The target's features of its own data, and its outputs on its own probes."""
    body, data = models[0].model.body, models[0].data
    read, reads = TaskModel.features, []

    def counting(self, values, mask=None):
        if self.body is body:
            reads.append(len(values))
        return read(self, values, mask)

    monkeypatch.setattr(TaskModel, "features", counting)
    target = Target(models[0], AS_DRAWN, seed=1)
    for candidate in models[1:]:
        target.scores(candidate)
    count = AS_DRAWN.probes
    # then a candidate's probes, and all once more after the mutation
    assert reads == [len(data.train), count, *[count, count, count] * 3]


def test_the_test_split_is_never_read(models):
    """Scores decide, and only training and validation samples may."""
    target, candidate = models[0], models[1]
    expected = scores(target, candidate, PROBING)
    swapped = [
        replace(each, data=replace(each.data, test=tiny.task_data(9, each.data.modality).test))
        if each.data.modality == "image"
        else each
        for each in (target, candidate)
    ]
    assert scores(*swapped, PROBING) == expected


def test_a_target_of_one_class_is_refused(models):
    train = replace(models[0].data.train, labels=torch.zeros(12, dtype=torch.int64))
    target = replace(models[0], data=replace(models[0].data, train=train))
    with pytest.raises(ValueError, match="of one class: no candidate can be scored"):
        scores(target, models[1], PROBING)
