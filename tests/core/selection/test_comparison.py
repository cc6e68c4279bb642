"""The scores of a candidate, on the way that the workflow takes."""

import logging
from dataclasses import replace

import plain_similarity
import pytest
import tiny
import torch

from crossback_core.data.task_file import TaskData
from crossback_core.learning.evaluation import split_features
from crossback_core.learning.kv_swap import reconstruct
from crossback_core.learning.settings import SwapSettings
from crossback_core.model.network import Network, TaskModel
from crossback_core.selection.comparison import Target, Trained
from crossback_core.selection.scores import SCORES, columns
from crossback_core.selection.settings import ProbeSettings

DDVS = ("ddv_euclidean", "ddv_cosine")
PROBING = ProbeSettings(probes=8, mutations=20, mutation_step=0.1)
SEEDS = range(20)
AS_DRAWN = ProbeSettings(probes=8, mutations=0, mutation_step=0.1)


def network_of(data: TaskData) -> Network:
    """A network that tells its inputs apart."""
    network = tiny.network(data, seed=int(data.task))
    tiny.disturb(network)
    return network


def trained(task: str, modality: str, *, classes: int = 3) -> Trained:
    """A trained task, its data, and an accuracy."""
    data = tiny.task_data(task, modality, classes=classes)
    return Trained(network_of(data).settled(task), data, accuracy=0.75)


def scores(target: Trained, candidate: Trained, settings: ProbeSettings, *, seed: int = 1):
    """All scores of one candidate."""
    return Target(target, settings, seed=seed).scores(candidate)


@pytest.fixture(scope="module")
def models() -> list[Trained]:
    """Two image networks and two text networks, each of a task of its own."""
    kinds = enumerate(["image", "text", "image", "text"], start=1)
    return [trained(str(n), modality, classes=2 + n % 3) for n, modality in kinds]


@pytest.mark.parametrize("modality", ["image", "text"])
def test_self_similarity_is_one_and_the_maximum(modality, models):
    """The ancestor maximised a distance, which is smallest here."""
    model, copy = (trained("7", modality) for _ in range(2))
    found = [scores(model, other, PROBING) for other in (model, copy, *models)]
    for metric in DDVS:
        values = [each[metric] for each in found]
        assert values[:2] == pytest.approx([1.0, 1.0], abs=1e-9)
        assert max(values[2:]) < 0.999


@pytest.mark.parametrize("settings", [PROBING, AS_DRAWN], ids=["mutated", "as drawn"])
def test_one_seed_one_similarity_and_nothing_changes(models, settings):
    both = [models[0].model, models[1].model]
    before = [tiny.snapshot(model) for model in both]
    state = torch.get_rng_state()
    first, again, other = (scores(*models[:2], settings, seed=seed) for seed in (1, 1, 2))
    assert first == again != other
    assert all(map(tiny.same_state, before, map(tiny.snapshot, both)))
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("samples", [12, 7])
def test_there_are_no_more_probes_than_samples(models, samples):
    """12 training samples of the target, as many or fewer of the candidate."""
    few, many = (ProbeSettings(probes=n, mutations=5, mutation_step=0.1) for n in (samples, 500))
    data = tiny.task_data("2", "text", classes=len(models[1].data.classes), train=samples)
    both = models[0], replace(models[1], data=data)
    assert scores(*both, many) == scores(*both, few)


def test_a_network_that_decides_nothing_is_similar_to_nothing(models, caplog):
    constant = trained("7", "image")
    with torch.no_grad():
        constant.model.head.weight.zero_()
    with caplog.at_level(logging.WARNING):
        for other in (models[0], constant):
            found = scores(constant, other, PROBING)
            assert [found[metric] for metric in DDVS] == [0.0, 0.0]
    assert "gives every probe the same output" in caplog.text


def test_a_network_of_another_width_cannot_lend_its_projection(models):
    network = network_of(models[1].data)
    network.grow(2.0)
    joint = replace(models[1], model=network.settled(models[1].data.task))
    with pytest.raises(ValueError, match="the networks have different widths"):
        scores(models[0], joint, PROBING)


@pytest.mark.parametrize("pair", [(0, 2), (1, 3), (0, 1), (1, 0)], ids=str)
def test_features_are_those_of_the_reconstructed_backbone(pair, models):
    """The swap later connects the networks in the same way, to the bit."""
    target, candidate = (models[number] for number in pair)
    view = Target(target, AS_DRAWN, seed=1).view(candidate)
    backbone, own = network_of(candidate.data), network_of(target.data)
    reconstruct(backbone, own, SwapSettings("auto", "backbone"))
    model = backbone.settled(target.data.task)
    assert torch.equal(view.features, split_features(model, target.data.train).double())
    assert torch.equal(view.held_out, split_features(model, target.data.validation).double())


def test_every_candidate_gets_every_score_and_none_depends_on_the_others(models):
    together = Target(models[0], PROBING, seed=1)
    for candidate in models[1:]:
        found = together.scores(candidate)
        assert tuple(found) == columns()
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
    other = replace(models[0].data, test=tiny.task_data("9", "image").test)
    found = scores(replace(models[0], data=other), models[1], PROBING)
    assert found == scores(*models[:2], PROBING)


def test_a_network_that_learned_nothing_is_as_good_as_its_shuffled_self():
    """Each parameter was drawn alike, in any order, so that none of the five stands out."""
    data = tiny.task_data("1", "image", train=30)
    target = Target(Trained(network_of(data).settled("1"), data, 0.75), AS_DRAWN, seed=1)
    views = [target.view(Trained(untrained(data, seed).settled("1"), data, 0.5)) for seed in SEEDS]
    for name in ("label_cka", "logme", "loo_ridge", "nleep", "knn"):
        excess = torch.tensor([SCORES[f"{name}_excess"].compute(view) for view in views])
        assert abs(excess.mean()) < 2 * excess.std() / len(views) ** 0.5
        assert excess.std() > 0.001


def untrained(data: TaskData, seed: int) -> Network:
    """A network of random weights, norms and latents."""
    network = tiny.network(data)
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in network.trainable_parameters():
            parameter += torch.randn_like(parameter)
    return network
