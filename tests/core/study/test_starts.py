"""What a target of a study starts from: each control lacks one thing and keeps the others."""

from __future__ import annotations

import pytest
import tiny
import torch
from torch import Tensor

from crossback_core.data.task_file import TaskData
from crossback_core.learning.pruning import prune_to
from crossback_core.model.network import Network
from crossback_core.settings import STARTS, Start
from crossback_core.study.starts import begin


def started(source: TaskData, target: TaskData, start: Start) -> tuple[Network, Network]:
    """A disturbed, pruned backbone with the target added, and the target's own network."""
    backbone, own = tiny.network(source), tiny.network(target, seed=1)
    for network in (backbone, own):
        tiny.disturb(network)
    prune_to(backbone, 0.5)
    torch.manual_seed(4)
    begin(backbone, own, start=start, swapping=tiny.TARGET.swapping)
    return backbone, own


def other(data: TaskData) -> TaskData:
    """Return another task of the same modality."""
    return tiny.task_data(7, data.modality)


def frozen(network: Network) -> list[Tensor]:
    """The weights of the backbone, layer by layer."""
    return [layer.frozen for layer in network.masked_layers().values()]


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
    assert not torch.equal(plain.latents[-1], shuffled.latents[-1])
    projections = [network.input_projection(data.task).key.weight for network in (plain, shuffled)]
    assert not torch.equal(*projections)


def test_shuffling_leaves_a_swapped_projection_which_is_the_targets(
    images: TaskData, texts: TaskData
) -> None:
    network, own = started(images, texts, "shuffled")
    reading, wanted = (each.input_projection(texts.task) for each in (network, own))
    assert torch.equal(reading.value.weight, wanted.value.weight)


@pytest.mark.parametrize("start", STARTS)
def test_a_target_that_continues_its_baseline_does_so_in_every_control(
    images: TaskData, texts: TaskData, start: Start
) -> None:
    """Only what comes from the backbone is shuffled or left out, or the projection is fresh."""
    network, own = started(images, texts, start)
    assert torch.equal(network.latents[-1], own.latents[-1])
    assert torch.equal(network.heads[-1].weight, own.heads[-1].weight)
    for name, layer in network.masked_layers().items():
        free = layer.owner == 2
        expected = own.masked_layers()[name].weight
        assert torch.equal(layer.effective_weight(2)[free], expected[free])
    same = torch.equal(
        network.input_projection(texts.task).key.weight, own.input_projection(texts.task).key.weight
    )
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
    fresh = network.input_projection(data.task).key.weight
    assert not torch.equal(fresh, own.input_projection(data.task).key.weight)
    assert not torch.equal(fresh, network.input_projection(images.task).key.weight)
    plain, _ = started(images, data, "backbone")
    assert all(torch.equal(*pair) for pair in zip(frozen(plain), frozen(network), strict=True))


def test_an_unpicked_start_computes_with_free_weights_alone(images: TaskData) -> None:
    network, _ = started(images, other(images), "unpicked")
    for layer in network.masked_layers().values():
        effective = layer.effective_weight(2)
        assert bool((effective[layer.owner == 1] == 0).all())
        assert bool((effective[layer.owner == 2] != 0).all())
