"""No task changes while a later one is learned, whatever the optimiser does."""

from __future__ import annotations

from dataclasses import replace

import pytest
import tiny
import torch

from crossback_core.data.task_file import TaskData
from crossback_core.model.network import Network

CONSTANT = replace(tiny.ADAMW, schedule="constant", learning_rate=0.03)
OPTIMISERS = {"nesterov": replace(tiny.SGD, weight_decay=0.3), "adamw": CONSTANT}


def learn(network: Network, data: TaskData, settings, *, width: float, like: TaskData) -> None:
    """Add a task, train it with picks, and prune half of what it owns."""
    network.add_task(tiny.spec(data, width), like=like.task)
    before = network.settled(data.task).state_dict()
    tiny.train_target(network, data, settings)
    after = network.settled(data.task).state_dict()
    changed = {name for name in after if not torch.equal(before[name], after[name])}
    assert {"body.latents", "head.weight", "input.key.weight", "body.decoder_norm.bias"} <= changed
    assert {f"body.{name}" for name, owned in network.ownership.room().items() if owned} <= changed
    network.ownership.prune_to(0.5)


@pytest.mark.parametrize("settings", OPTIMISERS.values(), ids=OPTIMISERS)
@pytest.mark.parametrize("widths", [(1.0, 1.0), (1.5, 2.0)], ids=str)
@pytest.mark.parametrize("modalities", ["image text image", "text image text", "text text text"])
def test_logits_of_earlier_tasks_stay_bit_for_bit(modalities, widths, settings):
    first, second, third = (
        tiny.task_data(number, modality)
        for number, modality in enumerate(modalities.split(), start=1)
    )
    network = tiny.network(first)
    tiny.train(network, first, settings)
    network.ownership.prune_to(0.6)
    one = tiny.logits_of(network, first)

    learn(network, second, settings, width=widths[0], like=first)
    assert all(map(torch.equal, tiny.logits_of(network, first), one))
    two = tiny.logits_of(network, first, second)

    learn(network, third, settings, width=widths[1], like=second)
    assert all(map(torch.equal, tiny.logits_of(network, first, second), two))
    assert [spec.width for spec in network.specs] == [1.0, *widths]


def test_a_target_on_a_dense_backbone_trains_what_no_mask_covers(images, texts):
    """No weight is free where no level of the ladder was good enough; only growth makes some."""
    network = tiny.network(images)
    tiny.train(network, images)
    before = tiny.logits_of(network, images)
    network.add_task(tiny.spec(texts), like=images.task)
    shares = network.ownership.shares(2)
    assert (shares.owned, shares.free) == (0.0, 0.0)
    rows = tiny.train_target(network, texts, replace(tiny.ADAMW, epochs=10)).rows
    assert rows[-1]["loss"] < rows[0]["loss"]
    assert torch.equal(tiny.logits_of(network, images)[0], before[0])
