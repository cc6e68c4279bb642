"""No task ever changes, on any body: the project's own and two that it does not ship."""

from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import foreign
import pytest
import tiny
import torch
from torch import Tensor, nn

from crossback_core.checkpoint.network_file import load_checkpoint, save_checkpoint
from crossback_core.checkpoint.product import Product
from crossback_core.data.task_file import TaskData
from crossback_core.learning.training import fit, step_count, weight_optimisation
from crossback_core.model.bodies.perceiver import Perceiver
from crossback_core.model.body import Body
from crossback_core.model.network import Network

BODIES = {
    "perceiver": lambda: Perceiver(replace(tiny.MODEL, dropout=0.2)),
    "transformer": lambda: foreign.Encoder(foreign.EncoderSettings()),
    "batch norm": lambda: foreign.Normed(foreign.NormedSettings()),
}
GROWS = ("perceiver", "batch norm")
TASKS = [
    tiny.task_data("4", "image", classes=3),
    tiny.task_data("9", "text"),
    tiny.task_data("2", "text", classes=4),
]
OPTIMISERS = {
    "nesterov": replace(tiny.SGD, weight_decay=0.3),
    "adamw": replace(tiny.ADAMW, weight_decay=0.3, schedule="constant", learning_rate=0.03),
}
TARGET = replace(tiny.TARGET, pick_initial=0.01, pick_threshold=0.0099, pick_learning_rate=0.001)


@pytest.fixture(params=BODIES)
def body(request) -> Body:
    torch.manual_seed(0)
    return BODIES[request.param]()


def first(body: Body, settings=tiny.ADAMW) -> Network:
    """A network of the first task, trained and pruned."""
    network = Network(body)
    network.add_task(tiny.spec(TASKS[0]))
    tiny.train(network, TASKS[0], settings)
    network.ownership.weights.prune_to(0.6)
    return network


def learn(network: Network, data: TaskData, settings) -> None:
    """Train a task with picks on both sides of the threshold, and free half of what it owns."""
    network.add_task(tiny.spec(data))
    tiny.train_target(network, data, settings, target=TARGET)
    newest = len(network.specs)
    owned = sum(network.ownership.weights.shares(position).owned for position in range(1, newest))
    assert 0 < network.ownership.weights.shares(newest).picked < owned
    network.ownership.weights.prune_to(0.5)
    assert network.ownership.weights.sparsity() > 0.4


def three(body: Body, settings=tiny.ADAMW) -> Network:
    network = first(body, settings)
    for data in TASKS[1:]:
        learn(network, data, settings)
    return network


@pytest.mark.parametrize("settings", OPTIMISERS.values(), ids=OPTIMISERS)
def test_earlier_tasks_stay_bit_for_bit(body, settings):
    network = first(body, settings)
    assert any(module.training for module in network.ownership.body.modules()), "with dropout"
    for number, data in enumerate(TASKS[1:], start=1):
        before = tiny.logits_of(network, *TASKS[:number])
        learn(network, data, settings)
        assert all(map(torch.equal, tiny.logits_of(network, *TASKS[:number]), before))


@pytest.mark.parametrize("name", GROWS)
def test_they_stay_where_the_body_grows(name):
    torch.manual_seed(0)
    network = first(BODIES[name]())
    for number, width in ((1, 1.5), (2, 2.0)):
        before = tiny.logits_of(network, *TASKS[:number])
        network.add_task(tiny.spec(TASKS[number]))
        start = tiny.logits_of(network, TASKS[number])[0]
        network.grow(width)
        grown = tiny.logits_of(network, TASKS[number])[0]
        assert torch.allclose(grown, start, atol=1e-5), "growth alone changes nothing"
        tiny.train_target(network, TASKS[number], target=TARGET)
        assert all(map(torch.equal, tiny.logits_of(network, *TASKS[:number]), before))
    assert [spec.width for spec in network.specs] == [1.0, 1.5, 2.0]


@pytest.mark.parametrize("name", GROWS)
def test_the_body_that_is_grown_stays(name):
    body = BODIES[name]()
    before = tiny.snapshot(body)
    assert not tiny.same_state(tiny.snapshot(body.grown(1.5)), before)
    assert tiny.same_state(tiny.snapshot(body), before)


def test_a_body_that_cannot_grow_says_so():
    network = first(BODIES["transformer"]())
    before = tiny.snapshot(network)
    with pytest.raises(ValueError, match="^this encoder cannot grow"):
        network.grow(1.5)
    assert tiny.same_state(before, tiny.snapshot(network)) and network.width == 1.0


def test_tasks_come_back_from_files_and_copies(body, tmp_path: Path):
    network = three(body)
    expected = tiny.logits_of(network, *TASKS)
    save_checkpoint(network, tmp_path / "three.pt")
    for other in (load_checkpoint(tmp_path / "three.pt").network, deepcopy(network)):
        assert all(map(torch.equal, tiny.logits_of(other, *TASKS), expected))
        tiny.disturb(other)
        assert not torch.equal(tiny.logits_of(other, TASKS[2])[0], expected[2])
        assert all(map(torch.equal, tiny.logits_of(other, *TASKS[:2]), expected[:2]))
    assert all(map(torch.equal, tiny.logits_of(network, *TASKS), expected))


def test_only_the_newest_task_has_gradients(body):
    network = three(body)
    network.add_task(tiny.spec(tiny.task_data("7", "text")))
    network(*TASKS[1].train.inputs()).square().sum().backward()
    newest = {id(parameter) for parameter in network.trainable_parameters()}
    for name, parameter in network.named_parameters():
        assert (parameter.grad is not None) == (id(parameter) in newest), name
    own = network.ownership.weights.own.grad
    assert own.any() and not own[network.ownership.weights.owner != 4].any()


def test_eight_threads_get_each_tasks_bits(body):
    product = Product(three(body), {})
    expected = {data.task: tiny.logits_of(product.network, data)[0] for data in TASKS}

    def right(data: TaskData) -> bool:
        logits = product.logits(task=data.task, inputs=data.test.inputs())
        return torch.equal(logits, expected[data.task])

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(right, TASKS * 100))


def test_a_sample_alone_is_a_row_of_its_batch(body):
    """Up to what PyTorch itself gives for another batch size."""
    network = three(body)
    for data in TASKS:
        model, (values, mask) = network.settled(data.task), data.test.inputs()
        together = model(values, mask)
        for row in range(len(values)):
            alone = model(values[row : row + 1], None if mask is None else mask[row : row + 1])
            assert torch.allclose(alone[0], together[row], atol=1e-6)


def test_what_blocks_leave_is_a_vector_a_sample_and_changes_no_feature(body):
    network = three(body)
    for data in TASKS:
        model, inputs = network.settled(data.task), data.test.inputs()
        features, *blocks = model.body.observe(model.input(*inputs))
        assert torch.equal(features, model.features(*inputs))
        assert blocks and {each.shape[:-1] for each in blocks} == {(len(data.test),)}


def test_a_plain_module_trains_to_the_same_bits(body):
    """A first task, all of whose weights are its own, against the same modules without owners."""
    network = Network(deepcopy(body))
    torch.manual_seed(1)
    network.add_task(tiny.spec(TASKS[0]))
    plain = Plain(deepcopy(network.input(TASKS[0].task)), body, deepcopy(network.heads[0]))
    rows = tiny.train(network, TASKS[0])
    steps = step_count(TASKS[0], tiny.ADAMW)
    weights = weight_optimisation(iter(plain.parameters()), tiny.ADAMW, steps)
    expected = fit(plain, TASKS[0], tiny.ADAMW, [weights], seed=3, label="plain")
    assert tiny.timeless(rows) == tiny.timeless(expected)
    assert torch.equal(tiny.logits_of(network, TASKS[0])[0], tiny.logits_of(plain, TASKS[0])[0])


class Plain(nn.Module):
    """Input, body and head in a row, with as much of a network as training asks for."""

    def __init__(self, input: nn.Module, body: Body, head: nn.Module) -> None:
        super().__init__()
        self.input, self.body, self.head = input, body, head
        self.newest, self.device = tiny.spec(TASKS[0]), torch.device("cpu")

    def forward(self, values: Tensor, mask: Tensor | None = None) -> Tensor:
        """Compute logits."""
        return self.head(self.body(self.input(values, mask)))

    def remember(self, seen: object) -> None:
        """Forget what it is trained on."""

    def settled(self, task: str) -> nn.Module:
        """Return a copy in evaluation mode."""
        return deepcopy(self).eval()
