"""The key/value swap changes exactly the one modality's projection, and that survives a file."""

from __future__ import annotations

import pytest
import tiny
import torch

from crossback_core.checkpoint import load_checkpoint, save_checkpoint
from crossback_core.learning.kv_swap import Reconstruction, reconstruct
from crossback_core.learning.pruning import prune_to
from crossback_core.model.network import Network
from crossback_core.settings import SwapSettings


def backbone(modality: str) -> Network:
    """A pruned backbone of task 1 with values of its own everywhere."""
    network = tiny.network(tiny.task_data(1, modality, classes=3), seed=1)
    tiny.disturb(network)
    prune_to(network, 0.5)
    return network


def baseline(modality: str) -> Network:
    """The target's own network, task 2."""
    network = tiny.network(tiny.task_data(2, modality), seed=2)
    tiny.disturb(network, scale=0.5)
    return network


AUTO = SwapSettings("auto", "backbone")
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
    network, own = backbone(source), baseline(target)
    before, untouched = tiny.snapshot(network), tiny.snapshot(own)
    data = tiny.task_data(1, source, classes=3)
    logits = tiny.logits_of(network, data)[0]

    begun = reconstruct(network, own, SwapSettings(swap, "backbone"))
    assert begun == Reconstruction(swapped, continued=False)

    save_checkpoint(network, tmp_path / "swapped.pt")
    loaded = load_checkpoint(tmp_path / "swapped.pt").network
    assert torch.equal(tiny.logits_of(loaded, data)[0], logits)
    assert tiny.same_state(tiny.snapshot(own), untouched)
    state = tiny.snapshot(loaded)
    for name in [name for name in before if name.startswith("projections.0.")]:
        assert torch.equal(state[name], before[name]), "the backbone's own projection stays"

    expected = untouched if swapped else before
    projection = loaded.input_projection(2).state_dict()
    assert {"key.weight", "value.weight"} <= projection.keys()
    assert ("adapter.positions" in projection) == (target == "text")
    for name, tensor in projection.items():
        assert torch.equal(tensor, expected[f"projections.0.{name}"]), name


@pytest.mark.parametrize(("source", "target", "swap", "swapped"), CASES)
def test_the_target_starts_as_the_backbone_with_a_fresh_head(source, target, swap, swapped):
    """Norms, biases, latents, query and effective weights are those of the backbone."""
    network, own = backbone(source), baseline(target)
    reconstruct(network, own, SwapSettings(swap, "backbone"))
    state = tiny.snapshot(network)
    for name in ("latents", "queries", "decoder_norm.norms", "decoder.out.biases"):
        names = [n for n in state if n.startswith(f"{name}.0")]
        assert names
        for first in names:
            assert torch.equal(state[first], state[first.replace(f"{name}.0", f"{name}.1")])
    for layer in network.masked_layers().values():
        assert torch.equal(layer.effective_weight(2), layer.effective_weight(1))
    head = network.heads[1]
    assert head.weight.shape == (2, 8)
    others = (network.heads[0].weight[:2], own.heads[0].weight)
    assert not any(torch.equal(head.weight, other) for other in others)
    assert network.newest == tiny.spec(tiny.task_data(2, target))


@pytest.mark.parametrize(("source", "target"), [("image", "text"), ("image", "image")])
def test_a_swapped_target_can_continue_its_baseline_where_there_is_room(source, target):
    """All it has of its own is its baseline's; the backbone keeps its weights and its logits."""
    network, own = backbone(source), baseline(target)
    data = tiny.task_data(1, source, classes=3)
    logits = tiny.logits_of(network, data)[0]
    assert reconstruct(network, own, CONTINUED) == Reconstruction(swapped=True, continued=True)
    assert torch.equal(tiny.logits_of(network, data)[0], logits)
    layers = own.masked_layers()
    for name, layer in network.masked_layers().items():
        taken = layer.owner == 1
        assert torch.equal(layer.effective_weight(2)[taken], layer.effective_weight(1)[taken])
        assert torch.equal(layer.effective_weight(2)[~taken], layers[name].weight[~taken])
    state, wanted = tiny.snapshot(network), tiny.snapshot(own)
    of_all_tasks = {f"{name}.{part}" for name in layers for part in ("weight", "frozen", "owner")}
    names = sorted(set(wanted) - of_all_tasks)
    assert {"latents.0", "queries.0", "heads.0.bias", "decoder_norm.norms.0.weight"} <= set(names)
    for name in names:
        mine = ".1".join(name.rsplit(".0", 1))
        assert torch.equal(state[mine], wanted[name]), name


def test_a_target_that_is_not_swapped_never_continues_its_baseline():
    started = []
    for swapped_start in ("backbone", "baseline"):
        network = backbone("image")
        torch.manual_seed(5)
        reconstruct(network, baseline("image"), SwapSettings("auto", swapped_start))
        started.append(tiny.snapshot(network))
    assert tiny.same_state(*started)


def test_a_dense_backbone_leaves_no_room_to_continue_in():
    network = tiny.network(tiny.task_data(1, "image", classes=3))
    begun = reconstruct(network, baseline("text"), CONTINUED)
    assert begun == Reconstruction(swapped=True, continued=False)
    assert torch.equal(network.latents[1], network.latents[0])


def test_a_baseline_of_another_width_is_refused():
    network = backbone("image")
    network.grow(1.5)
    with pytest.raises(ValueError, match=r"their width are 1\.5 and 1\.0; train both alike"):
        reconstruct(network, baseline("text"), CONTINUED)


def test_copies_are_not_shared(texts):
    network, own = backbone("image"), baseline("text")
    reconstruct(network, own, AUTO)
    before = tiny.snapshot(own)
    tiny.disturb(network)
    assert tiny.same_state(tiny.snapshot(own), before)


def test_the_swapped_backbone_reads_the_targets_modality():
    network = backbone("image")
    reconstruct(network, baseline("text"), AUTO)
    data = tiny.task_data(2, "text")
    assert tiny.logits_of(network, data)[0].shape == (6, 2)


def test_a_projection_that_cannot_read_the_target_is_refused():
    message = (
        "target.swap is never, but backbone task 1 reads images of 3 channels and target task 2"
        " texts of 8: set target.swap to auto, or selection.candidates to same_modal"
    )
    with pytest.raises(ValueError, match=message):
        reconstruct(backbone("image"), baseline("text"), SwapSettings("never", "backbone"))
