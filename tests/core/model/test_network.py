"""The whole network against NumPy, and what holds for its tasks."""

import math
import re
from dataclasses import replace

import pytest
import reference
import tiny
import torch
from torch.nn import functional

from crossback_core.model.bodies.perceiver import Perceiver
from crossback_core.model.network import Network, TaskSpec

OTHER = tiny.task_data("9", "image")
SPEC = tiny.spec(OTHER)
THIRD = TaskSpec("3", "image", ("a", "b"), 3)
WIDE = tiny.network(OTHER)
WIDE.grow(2.0)


@pytest.fixture
def both(images, texts) -> Network:
    """A network of an image task and a text task, pruned in between, all values disturbed."""
    network = tiny.network(images)
    tiny.disturb(network)
    network.ownership.weights.prune_to(0.5)
    network.add_task(tiny.spec(texts), like=images.task)
    tiny.disturb(network)
    return network.eval()


def test_logits_equal_the_network_written_out(both, images, texts):
    for data in (images, texts):
        values, mask = data.test.inputs()
        settled = both.settled(data.task)(values, mask)
        expected = reference.batch_logits(both.settled(data.task), values, mask)
        assert settled.shape == (6, len(data.classes))
        assert reference.array(settled) == pytest.approx(expected, abs=1e-4)
        assert expected.std(axis=0).min() > 0.01, "the case should tell inputs apart"
    assert torch.allclose(both(values, mask), settled, atol=1e-6), "in training as well"


@pytest.mark.parametrize("modality", ["image", "text"])
def test_every_parameter_of_a_first_task_receives_a_gradient(modality):
    data = tiny.task_data("1", modality)
    network = tiny.network(data, settings=replace(tiny.MODEL, dropout=0.0))
    tiny.disturb(network)
    functional.cross_entropy(network(*data.train.inputs()), data.train.labels).backward()
    without = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_every_parameter_of_a_later_task_and_every_pick_receives_a_gradient(both, texts):
    weights = both.ownership.weights
    scores = weights.start_picking(initial=0.01, threshold=0.005)
    both(*texts.train.inputs()).square().sum().backward()
    assert all(parameter.grad.any() for parameter in (*both.trainable_parameters(), scores))
    picked = torch.zeros_like(weights.frozen)
    picked[weights._earlier(2)] = scores.grad
    for gradient in (weights.own.grad, picked):
        parts = weights._layout.split(gradient)
        assert len(parts) == 16 and all(part.any() for part in parts)
    newest = {id(parameter) for parameter in (*both.trainable_parameters(), scores)}
    trained = {id(parameter) for parameter in both.parameters() if parameter.requires_grad}
    assert trained == newest


def test_real_tokens_and_their_order_change_the_logits_and_padding_never(both, texts):
    model, (values, mask) = both.settled(texts.task), texts.test.inputs()
    expected = model(values, mask)
    for spoilt in (1e4, 1e20, torch.inf, torch.nan):
        spoiled = values.masked_fill(~mask[:, :, None], spoilt)
        assert torch.equal(model(spoiled, mask), expected), spoilt
    both(spoiled, mask).sum().backward()
    assert all(part.grad.isfinite().all() for part in both.input(texts.task).parameters())
    longer = functional.pad(values, (0, 0, 0, 3), value=9.0)
    assert torch.allclose(model(longer, functional.pad(mask, (0, 3))), expected, atol=1e-5)
    assert mask[4].all() and not mask.all()
    whole, before = (values[4:5], mask[4:5]), expected[4:5]
    assert not torch.allclose(model(whole[0].flip(1), whole[1]), before, atol=1e-3)
    assert not torch.allclose(model(whole[0], whole[1].cumsum(1) < 5), before)


def test_raw_and_encoded_pixels_give_the_same_logits(both, images):
    model, (pixels, _) = both.settled(images.task), images.test.inputs()
    encoded = model.input.encode(pixels)
    assert encoded.dtype == torch.float32
    assert torch.equal(model(encoded), model(pixels))


def test_reading_through_another_networks_input(images, texts):
    """The body of an image network reads a text as if the text's projection were its own."""
    network = tiny.network(images, seed=1)
    tiny.disturb(network)
    body, other = network.settled(images.task), tiny.network(texts, seed=2).settled(texts.task)
    values, mask = texts.test.inputs()
    got = body.reading_through(other)(values, mask)
    assert got.shape == (6, 3)
    network.inputs[0] = other.input
    assert torch.equal(network.settled(images.task)(values, mask), got)


def test_a_task_like_another_starts_with_copies_and_a_fresh_head(images):
    network = tiny.network(images)
    tiny.disturb(network)
    other = tiny.task_data("5", "image", classes=3)
    network.add_task(tiny.spec(other), like=images.task, reading=network.input(images.task))
    old, new = (network.settled(task).state_dict() for task in (images.task, other.task))
    assert all(torch.equal(old[name], new[name]) for name in old if "head." not in name)
    assert not torch.equal(old["head.weight"], new["head.weight"])
    assert new["head.weight"].abs().max() <= 8**-0.5
    tiny.disturb(network)
    kept, moved = (network.settled(task).state_dict() for task in (images.task, other.task))
    assert all(torch.equal(old[name], kept[name]) for name in old)
    differ = [name for name in kept if not torch.equal(kept[name], moved[name])]
    assert len(differ) == 31  # key, value, latents, query, nine biases, eight norms and a head of 2


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"task": 3}, "task 3 is not an id: give it as text without control characters"),
        ({"task": ""}, "task '' is not an id: give it as text without control characters"),
        ({"classes": ("a", "a")}, "classes ['a', 'a'] are not all different"),
        ({"classes": "ab"}, "classes 'ab' are not names"),
        ({"classes": (1, None)}, "classes [1, None] are not names"),
        ({"channels": 3.0}, "channels 3.0 is not a number from 1"),
        ({"width": 0.5}, "width 0.5 is not a number from 1"),
        ({"width": math.nan}, "width nan is not a number from 1"),
    ],
)
def test_what_describes_no_task(values, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        TaskSpec(
            **{"task": "1", "modality": "image", "classes": ("a", "b"), "channels": 3} | values
        )


def test_growth_changes_shapes_and_keeps_every_task(both, images, texts):
    before = tiny.logits_of(both, images, texts)
    both.grow(1.5)
    after = tiny.logits_of(both, images, texts)
    assert torch.equal(after[0], before[0])
    assert torch.allclose(after[1], before[1], atol=1e-5)
    assert both.tasks == {"1": tiny.spec(images), "2": tiny.spec(texts, width=1.5)}
    assert (both.newest.task, both.position("1"), both.position("2")) == ("2", 1, 2)
    assert both.width == 1.5
    body = both.ownership.body
    assert body.feedforwards[0].value.weight.shape == (24, 8)
    assert body.attentions[0].out.weight.shape == (8, 3 * 4)
    assert body.reader.query.weight.shape == (2 * 8, 8)
    assert both.input("2").key.weight.shape == (16, tiny.EMBEDDING)
    assert both.input("1").key.weight.shape == (8, 13)


def test_a_new_task_may_bring_its_width(images, texts):
    network = tiny.network(images)
    network.add_task(tiny.spec(texts, width=2.0), like=images.task)
    network.add_task(tiny.spec(tiny.task_data("3", "image"), width=1.5), like=images.task)
    assert [spec.width for spec in network.specs] == [1.0, 2.0, 2.0], "a network never shrinks"
    assert network(images.test.values).shape == (6, 2)


def test_growth_stays_on_the_device(both):
    both.to("meta").grow(1.5)
    tensors = both.state_dict().values()
    assert {tensor.device.type for tensor in tensors} == {"meta"}


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda n: n.settled("7"), "the network has no task 7; it has 1, 2"),
        (lambda n: n.add_task(replace(THIRD, task="2")), "the network already has a task 2"),
        (lambda n: n.add_task(THIRD, like="9"), "the network has no task 9; it has 1, 2"),
        (lambda n: n.add_task(replace(THIRD, channels=8)), "images have 3 channels, not 8"),
        (lambda n: n.grow(0.5), "cannot change the width of the network from 1.0 to 0.5"),
        (lambda n: n.grow(math.inf), "cannot change the width of the network from 1.0 to inf"),
        (
            lambda n: n.add_task(SPEC, reading=WIDE.input("9")),
            "cannot shrink a projection from 16 to 8 channels",
        ),
    ],
)
def test_what_a_network_refuses(both, act, message):
    before = tiny.snapshot(both)
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        act(both)
    assert tiny.same_state(before, tiny.snapshot(both))


def test_a_task_added_while_picks_are_learned_changes_nothing(both):
    both.ownership.weights.start_picking(initial=0.01, threshold=0.005)
    before = tiny.snapshot(both)
    with pytest.raises(ValueError, match="picks are still being learned"):
        both.add_task(THIRD)
    assert tiny.same_state(before, tiny.snapshot(both))
    assert all(parameter.requires_grad for parameter in both.trainable_parameters())


def test_a_network_without_a_task():
    network = Network(Perceiver(tiny.MODEL))
    with pytest.raises(ValueError, match="the network has no task yet: call add_task"):
        _ = network.newest
    with pytest.raises(ValueError, match="no task yet: call add_task"):
        network.grow(2.0)
    assert network.width == 1.0
