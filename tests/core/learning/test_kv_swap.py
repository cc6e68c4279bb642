"""The key/value swap changes exactly the one modality's projection, and that survives a file."""

from dataclasses import replace

import pytest
import tiny
import torch

from crossback_core.checkpoint.network_file import load_checkpoint, save_checkpoint
from crossback_core.data.contents import Seen
from crossback_core.learning.kv_swap import Reconstruction, reconstruct
from crossback_core.learning.settings import SwapSettings
from crossback_core.model.bodies.perceiver import Perceiver
from crossback_core.model.network import Network


def backbone(modality: str) -> Network:
    """A pruned backbone of task 1 with values of its own everywhere."""
    network = tiny.network(tiny.task_data("1", modality, classes=3), seed=1)
    tiny.disturb(network)
    network.remember(tiny.task_data("1", modality, classes=3).seen)
    network.ownership.weights.prune_to(0.5)
    return network


def baseline(modality: str) -> Network:
    """The target's own network, task 2."""
    network = tiny.network(tiny.task_data("2", modality), seed=2)
    tiny.disturb(network, scale=0.5)
    network.remember(tiny.task_data("2", modality).seen)
    return network


CONTINUED = SwapSettings("always", "baseline")
CASES = [
    ("image", "text", "auto", True),
    ("text", "image", "auto", True),
    ("image", "text", "always", True),
    ("image", "image", "auto", False),
    ("text", "text", "auto", False),
    ("image", "image", "always", True),
    ("text", "text", "never", False),
]


@pytest.mark.parametrize(("source", "target", "swap", "swapped"), CASES)
def test_the_swap_changes_exactly_the_projection(source, target, swap, swapped, tmp_path):
    """Norms, biases, latents, query and effective weights are those of the backbone."""
    network, own = backbone(source), baseline(target)
    before, untouched = tiny.snapshot(network), tiny.snapshot(own)
    data = tiny.task_data("1", source, classes=3)
    logits = tiny.logits_of(network, data)[0]

    found = reconstruct(network, own, SwapSettings(swap, "backbone"))
    assert found == Reconstruction(swapped, continued=False)
    assert network.newest == tiny.spec(tiny.task_data("2", target))
    seen = tiny.task_data("2", target).seen if swapped else Seen()
    assert network.seen == [data.seen, seen], "a projection brings what it has seen"

    save_checkpoint(network, tmp_path / "swapped.pt")
    tiny.disturb(network)  # its values are its own
    loaded = load_checkpoint(tmp_path / "swapped.pt").network
    assert torch.equal(tiny.logits_of(loaded, data)[0], logits)
    assert tiny.same_state(tiny.snapshot(own), untouched)
    assert tiny.same_state(*(loaded.settled(task).body.state_dict() for task in ("1", "2")))
    head = loaded.heads[1].weight
    assert head.shape == (2, 8)
    others = (loaded.heads[0].weight[:2], own.heads[0].weight)
    assert not any(torch.equal(head, other) for other in others), "the head is fresh"

    expected = untouched if swapped else before
    projection = loaded.input("2").state_dict()
    assert {"key.weight", "value.weight"} <= projection.keys()
    assert ("adapter.positions" in projection) == (target == "text")
    for name, tensor in projection.items():
        assert torch.equal(tensor, expected[f"inputs.0.{name}"]), name


def test_texts_of_another_encoder_are_swapped():
    own = Network(Perceiver(tiny.MODEL))
    own.add_task(replace(tiny.spec(tiny.task_data("2", "text")), channels=6))
    assert reconstruct(backbone("text"), own, SwapSettings("auto", "backbone")).swapped


@pytest.mark.parametrize(("source", "target"), [("image", "text"), ("image", "image")])
def test_a_swapped_target_can_continue_its_baseline_where_there_is_room(source, target):
    """All it has of its own is its baseline's; the backbone keeps its weights and its logits."""
    network, own = backbone(source), baseline(target)
    data = tiny.task_data("1", source, classes=3)
    logits = tiny.logits_of(network, data)[0]
    assert reconstruct(network, own, CONTINUED) == Reconstruction(swapped=True, continued=True)
    assert torch.equal(tiny.logits_of(network, data)[0], logits)
    old, new, wanted = network.settled("1"), network.settled("2"), own.settled("2")
    kinds = own.ownership.body.kinds()
    for name, tensor in new.body.state_dict().items():
        backbones, baselines = (each.body.state_dict()[name] for each in (old, wanted))
        if kinds[name] == "masked":
            baselines = torch.where(backbones != 0, backbones, baselines)
        assert torch.equal(tensor, baselines), name
    for part in ("input", "head"):
        states = (getattr(each, part).state_dict() for each in (new, wanted))
        assert tiny.same_state(*states)


def test_a_target_that_is_not_swapped_never_continues_its_baseline():
    started = []
    for swapped_start in ("backbone", "baseline"):
        network = backbone("image")
        torch.manual_seed(5)
        reconstruct(network, baseline("image"), SwapSettings("auto", swapped_start))
        started.append(tiny.snapshot(network))
    assert tiny.same_state(*started)


def test_a_dense_backbone_leaves_no_room_to_continue_in():
    network = tiny.network(tiny.task_data("1", "image", classes=3))
    found = reconstruct(network, baseline("text"), CONTINUED)
    assert found == Reconstruction(swapped=True, continued=False)
    assert tiny.same_state(*(network.settled(task).body.state_dict() for task in ("1", "2")))


def test_networks_that_do_not_fit_together_are_refused():
    wider, task = baseline("text"), tiny.task_data("2", "text")
    wider.grow(1.5)
    never = SwapSettings("never", "backbone")
    alike = "task 2 cannot start .*their {} are .*; train both alike"
    cannot_read = (
        "target.swap is never, but backbone task 1 reads images of 3 channels and target task 2"
        " texts of 8: set target.swap to auto, or selection.candidates to same_modal"
    )
    for own, swap, message in (
        (tiny.network(tiny.task_data("2", "text", classes=3)), None, alike.format("classes")),
        (tiny.network(task, settings=replace(tiny.MODEL, blocks=2)), None, alike.format("bodies")),
        (wider, None, "network of width 1.5: this one has 1.0; grow it first"),
        (baseline("text"), never, cannot_read),
    ):
        network = backbone("image")
        with pytest.raises(ValueError, match=message):
            if swap:
                reconstruct(network, own, swap)
            network.add_task(tiny.spec(task))
            network.start_from(own)


def test_a_target_continues_its_baseline_in_a_grown_backbone():
    """As if the baseline had grown to the same width: that changes nothing of what it computes."""
    network, own, data = backbone("image"), baseline("text"), tiny.task_data("2", "text")
    network.grow(1.5)
    network.ownership.weights.prune_to(1.0)  # of what the backbone knew nothing is left to pick
    before = tiny.snapshot(own)
    assert reconstruct(network, own, CONTINUED) == Reconstruction(swapped=True, continued=True)
    assert network.width == network.newest.width == 1.5
    logits = [tiny.logits_of(each, data)[0] for each in (network, own)]
    assert torch.allclose(*logits, atol=1e-5)
    assert tiny.same_state(tiny.snapshot(own), before)


def test_a_task_that_starts_from_another_network_has_seen_what_that_has():
    network, own = backbone("image"), baseline("text")
    network.add_task(own.newest)
    network.start_from(own)
    assert network.seen[1] == own.seen[0] != Seen()
