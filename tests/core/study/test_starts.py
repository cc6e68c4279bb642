"""What a target of a study starts from: each control lacks one thing and keeps the others."""

from __future__ import annotations

import pytest
import tiny
import torch
from torch import Tensor

from crossback_core.data.task_file import TaskData
from crossback_core.learning.evaluation import split_accuracy
from crossback_core.model.network import Network
from crossback_core.selection.comparison import Trained
from crossback_core.study.settings import STARTS, Start
from crossback_core.study.starts import begin, shuffled_candidate


def started(source: TaskData, target: TaskData, start: Start) -> tuple[Network, Network]:
    """A disturbed, pruned backbone with the target added, and the target's own network."""
    backbone, own = tiny.network(source), tiny.network(target, seed=1)
    for network in (backbone, own):
        tiny.disturb(network)
    backbone.ownership.weights.prune_to(0.5)
    torch.manual_seed(4)
    begin(backbone, own, start=start, swapping=tiny.TARGET.swapping)
    return backbone, own


def other(data: TaskData) -> TaskData:
    """Return another task of the same modality."""
    return tiny.task_data("7", data.modality)


def frozen(network: Network) -> list[Tensor]:
    """The weights of the backbone, parameter by parameter."""
    body = network.settled(network.specs[0].task).body
    return [body.get_parameter(name) for name in network.ownership.weights.room()]


@pytest.mark.parametrize("start", STARTS)
def test_every_start_can_be_trained(images: TaskData, texts: TaskData, start: Start) -> None:
    network, _ = started(images, texts, start)
    before = tiny.snapshot(network)
    tiny.train_target(network, texts)
    assert not tiny.same_state(before, tiny.snapshot(network))


def test_shuffled_weights_are_the_same_values_in_other_places(images: TaskData) -> None:
    data = other(images)
    plain, _ = started(images, data, "backbone")
    shuffled, _ = started(images, data, "shuffled")
    for before, after in zip(frozen(plain), frozen(shuffled), strict=True):
        assert torch.equal(before != 0, after != 0)  # the structure
        assert torch.equal(before.flatten().sort().values, after.flatten().sort().values)
        assert not torch.equal(before, after)


def test_shuffling_reaches_all_that_is_copied_from_the_backbone(images: TaskData) -> None:
    data = other(images)
    plain, _ = started(images, data, "backbone")
    shuffled, _ = started(images, data, "shuffled")
    latents = [network.settled(data.task).body.latents for network in (plain, shuffled)]
    assert not torch.equal(*latents)
    projections = [network.input(data.task).key.weight for network in (plain, shuffled)]
    assert not torch.equal(*projections)


def test_shuffling_leaves_a_swapped_projection_which_is_the_targets(
    images: TaskData, texts: TaskData
) -> None:
    network, own = started(images, texts, "shuffled")
    reading, wanted = (each.input(texts.task) for each in (network, own))
    assert torch.equal(reading.value.weight, wanted.value.weight)


@pytest.mark.parametrize("start", STARTS)
def test_a_target_that_continues_its_baseline_does_so_in_every_control(
    images: TaskData, texts: TaskData, start: Start
) -> None:
    """Only what comes from the backbone is shuffled or left out, or the projection is fresh."""
    network, own = started(images, texts, start)
    started_as, wanted = (each.settled(texts.task) for each in (network, own))
    assert torch.equal(started_as.body.latents, wanted.body.latents)
    assert torch.equal(started_as.head.weight, wanted.head.weight)
    plain, _ = started(images, texts, "backbone")
    for name, before in zip(network.ownership.weights.room(), frozen(plain), strict=True):
        found, expected = (each.body.get_parameter(name) for each in (started_as, wanted))
        assert torch.equal(found[before == 0], expected[before == 0])
    same = torch.equal(started_as.input.key.weight, wanted.input.key.weight)
    assert same == (start != "fresh")
    assert all(bool((weights == 0).all()) for weights in frozen(network)) == (start == "unpicked")


def test_nothing_is_left_of_a_dense_backbone_without_picks(images: TaskData) -> None:
    network = tiny.network(images)
    with pytest.raises(ValueError, match=r"backbone 1 has no free weights in .*controls\.unpicked"):
        begin(
            network,
            tiny.network(other(images)),
            start="unpicked",
            swapping=tiny.TARGET.swapping,
        )


def test_a_fresh_start_has_neither_projection(images: TaskData) -> None:
    data = other(images)
    network, own = started(images, data, "fresh")
    fresh = network.input(data.task).key.weight
    assert not torch.equal(fresh, own.input(data.task).key.weight)
    assert not torch.equal(fresh, network.input(images.task).key.weight)
    plain, _ = started(images, data, "backbone")
    assert all(torch.equal(*pair) for pair in zip(frozen(plain), frozen(network), strict=True))


def test_an_unpicked_start_computes_with_free_weights_alone(images: TaskData) -> None:
    data = other(images)
    network, _ = started(images, data, "unpicked")
    plain, _ = started(images, data, "backbone")
    body = network.settled(data.task).body
    for name, before in zip(network.ownership.weights.room(), frozen(plain), strict=True):
        assert torch.equal(body.get_parameter(name) == 0, before != 0)


def test_a_fresh_projection_fits_a_grown_backbone(images: TaskData) -> None:
    data, network = other(images), tiny.network(images)
    network.grow(1.5)
    network.ownership.weights.prune_to(0.5)
    begin(network, tiny.network(data), start="fresh", swapping=tiny.TARGET.swapping)
    fresh, grown = (network.input(task).key.weight for task in (data.task, images.task))
    assert fresh.shape == grown.shape and not torch.equal(fresh, grown)


def test_a_shuffled_candidate_has_its_values_in_other_places(images: TaskData) -> None:
    network = tiny.network(images)
    tiny.disturb(network)
    candidate = Trained(network.settled(images.task), images, accuracy=0.75)
    before = tiny.snapshot(candidate.model)
    made = shuffled_candidate(candidate, target="9", seed=3)
    assert tiny.same_state(before, tiny.snapshot(candidate.model))
    for (name, plain), shuffled in zip(
        candidate.model.named_parameters(), made.model.parameters(), strict=True
    ):
        assert torch.equal(plain.flatten().sort().values, shuffled.flatten().sort().values), name
        assert plain.numel() < 4 or not torch.equal(plain, shuffled), name
    plain_buffers, buffers = (dict(each.model.named_buffers()) for each in (candidate, made))
    assert all(torch.equal(plain_buffers[name], buffer) for name, buffer in buffers.items())
    assert made.accuracy == split_accuracy(made.model, images.validation)


def test_a_candidate_is_shuffled_otherwise_for_each_target_and_seed(images: TaskData) -> None:
    candidate = Trained(tiny.network(images).settled(images.task), images, accuracy=0.75)
    given = [("8", 1), ("8", 1), ("9", 1), ("8", 2)]
    made = [shuffled_candidate(candidate, target=target, seed=seed) for target, seed in given]
    first, *others = (tiny.snapshot(each.model) for each in made)
    assert [tiny.same_state(first, other) for other in others] == [True, False, False]
