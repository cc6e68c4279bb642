"""The contract of continual learning, on single layers."""

from __future__ import annotations

import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from crossback_core.model.masked_linear import FREE, MAX_TASKS, MaskedLinear

WEIGHTS = torch.tensor([[1.0, -2.0, 3.0], [4.0, 5.0, -6.0]])
OWNERS = torch.tensor([[1, 1, 2], [2, 0, 1]], dtype=torch.uint8)
BOTH = [[1.0, -2.0, 3.0], [4.0, 0.0, -6.0]]  # what task 2 computes with if it picks everything


@pytest.fixture
def layer() -> MaskedLinear:
    """A layer of two tasks with the owners above; task 2 picks every weight of task 1."""
    layer = MaskedLinear(3, 2, bias=True)
    layer.add_task()
    layer.restore(WEIGHTS, torch.ones_like(OWNERS))
    layer.release(3)
    layer.add_task()
    layer.restore(WEIGHTS, OWNERS)
    layer.pick(2).copy_(OWNERS == 1)
    return layer


def one_task(weights: Tensor) -> MaskedLinear:
    """A layer whose first task owns the given weights."""
    layer = MaskedLinear(weights.shape[1], weights.shape[0], bias=False)
    layer.add_task()
    layer.restore(weights, torch.ones_like(weights, dtype=torch.uint8))
    return layer


# what a task computes with


def test_a_task_computes_with_its_own_and_the_picked_weights_of_earlier_tasks(layer):
    assert layer.effective_weight(1).tolist() == [[1.0, -2.0, 0.0], [0.0, 0.0, -6.0]]
    assert layer.effective_weight(2).tolist() == BOTH
    layer.pick(2)[0, 1] = False
    assert layer.effective_weight(2).tolist() == [[1.0, 0.0, 3.0], [4.0, 0.0, -6.0]]
    assert layer.effective_weight(1).tolist() == [[1.0, -2.0, 0.0], [0.0, 0.0, -6.0]]


def test_outputs_by_hand(layer):
    inputs = torch.tensor([[1.0, 10.0, 100.0]])
    assert layer(inputs, 1).tolist() == [[-19.0, -600.0]]
    with torch.no_grad():
        layer.biases[1] += torch.tensor([0.5, 1.0])
    assert layer(inputs, 2).tolist() == [[281.5, -595.0]]
    assert layer(inputs, 1).tolist() == [[-19.0, -600.0]], "a bias belongs to one task"


def test_a_third_task_picks_among_the_weights_of_both_others(layer):
    layer.add_task()
    assert layer.count(3) == 1 and layer.count(FREE) == 0
    assert layer.pick(3).tolist() == (OWNERS != FREE).tolist()
    layer.pick(3)[0, 2] = False
    assert layer.effective_weight(3).tolist() == [[1.0, -2.0, 0.0], [4.0, 0.0, -6.0]]
    assert layer.effective_weight(2).tolist() == BOTH
    assert layer.count_picked(3) == 4 and layer.count_picked(2) == 3


def test_a_new_task_starts_exactly_as_what_it_picks():
    torch.manual_seed(0)
    layer = MaskedLinear(6, 5, bias=False)
    layer.add_task()
    layer.release(20)
    layer.add_task()
    assert layer.count(2) == 20
    assert torch.equal(layer.effective_weight(2), layer.effective_weight(1))
    assert layer.weight.count_nonzero() == 0


@pytest.mark.parametrize(("like", "start"), [(None, [0.0, 0.0]), (1, [3.0, 4.0])])
def test_the_bias_of_a_new_task_is_zero_or_a_copy(layer, like, start):
    with torch.no_grad():
        layer.biases[0].copy_(torch.tensor([3.0, 4.0]))
    layer.add_task(like)
    assert layer.biases[2].tolist() == start
    with torch.no_grad():
        layer.biases[2] += 1
    assert layer.biases[0].tolist() == [3.0, 4.0]


# what training may move


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda weights: torch.optim.SGD(
            weights, 0.5, momentum=0.9, nesterov=True, weight_decay=0.3
        ),
        lambda weights: torch.optim.AdamW(weights, 0.5, weight_decay=0.3),
    ],
    ids=["nesterov", "adamw"],
)
def test_no_optimiser_moves_a_weight_of_an_earlier_task(layer, optimizer):
    step = optimizer([layer.weight])
    before = layer.effective_weight(1).clone()
    for seed in range(4):
        step.zero_grad()
        layer(torch.randn(5, 3, generator=torch.Generator().manual_seed(seed)), 2).sum().backward()
        step.step()
    assert torch.equal(layer.effective_weight(1), before)
    after = layer.effective_weight(2).detach()
    assert torch.equal(after[OWNERS == 1], WEIGHTS[OWNERS == 1])
    assert after[OWNERS == FREE].tolist() == [0.0]
    assert (after[OWNERS == 2] != WEIGHTS[OWNERS == 2]).all()


def test_gradients_reach_only_what_the_newest_task_owns(layer):
    layer(torch.tensor([[1.0, 10.0, 100.0]]), 2).sum().backward()
    assert layer.weight.grad.tolist() == [[0.0, 0.0, 100.0], [1.0, 0.0, 0.0]]
    assert layer.biases[0].grad is None and layer.biases[1].grad.tolist() == [1.0, 1.0]
    assert not layer.frozen.requires_grad


# picking


def test_the_straight_through_gradient_of_the_picks_by_hand():
    layer = one_task(torch.tensor([[2.0, -3.0]]))
    layer.add_task()
    layer.start_picking(initial=0.01, threshold=0.005)
    with torch.no_grad():
        layer.scores[0, 1] = 0.004
    output = layer(torch.tensor([[5.0, 7.0]]), 2)
    output.sum().backward()
    assert output.item() == 10.0, "the second weight is not picked"
    assert layer.scores.grad.tolist() == [[10.0, -21.0]], "but may come back"


def test_a_score_at_the_threshold_is_not_picked_and_every_pick_starts_on(layer):
    layer.start_picking(initial=0.01, threshold=0.005)
    assert layer.effective_weight(2).tolist() == BOTH
    with torch.no_grad():
        layer.scores[0, 1], layer.scores[0, 0] = 0.005, 0.0051
    assert layer.effective_weight(2).tolist() == [[1.0, 0.0, 3.0], [4.0, 0.0, -6.0]]
    layer.stop_picking()
    assert layer.scores is None
    assert layer.pick(2).tolist() == [[True, False, False], [False, False, True]]
    assert layer.effective_weight(2).tolist() == [[1.0, 0.0, 3.0], [4.0, 0.0, -6.0]]
    assert layer.count_picked(2) == 2


def test_picking_leaves_earlier_tasks_as_they_are(layer):
    before = layer.effective_weight(1).clone()
    layer.start_picking(initial=0.01, threshold=0.005)
    with torch.no_grad():
        layer.scores.fill_(-1.0)
    assert torch.equal(layer.effective_weight(1), before)
    layer.stop_picking()
    assert torch.equal(layer.effective_weight(1), before)


# freeing


def test_release_frees_exactly_the_smallest():
    layer = one_task(torch.tensor([[0.3, -0.1, 0.5], [-0.2, 0.6, -0.4]]))
    layer.release(3)
    assert layer.owner.tolist() == [[0, 0, 1], [0, 1, 1]]
    kept = torch.tensor([[0.0, 0.0, 0.5], [0.0, 0.6, -0.4]])
    assert torch.equal(layer.effective_weight(1), kept)
    assert torch.equal(layer.merged_weight(), kept)


def test_release_never_frees_a_weight_of_an_earlier_task(layer):
    layer.release(2)  # 3 and 4, though 1 and -2 of task 1 are smaller
    assert layer.owner.tolist() == [[1, 1, 0], [0, 0, 1]]
    assert layer.effective_weight(2).tolist() == [[1.0, -2.0, 0.0], [0.0, 0.0, -6.0]]


def test_a_free_weight_stays_inactive_whatever_the_optimiser_does_to_it():
    layer = one_task(torch.tensor([[0.3, -0.1, 0.5]]))
    optimizer = torch.optim.SGD([layer.weight], 0.01, momentum=0.9, nesterov=True)
    for _ in range(2):
        optimizer.zero_grad()
        layer(torch.ones(1, 3), 1).sum().backward()
        optimizer.step()  # the second time momentum alone pushes the freed weight
        if layer.count(FREE) == 0:
            layer.release(1)
    assert layer.owner.tolist() == [[1, 0, 1]] and layer.weight[0, 1] != 0
    assert layer.effective_weight(1)[0, 1] == 0 and layer.merged_weight()[0, 1] == 0
    layer.add_task()
    assert layer.effective_weight(2)[0, 1] == 0


@settings(deadline=None)
@given(st.permutations(range(1, 13)), st.integers(0, 12))
def test_what_is_released_is_smaller_than_what_is_kept(magnitudes, count):
    signs = torch.tensor([1.0, -1.0]).repeat(6)
    weights = (torch.tensor(magnitudes) * signs).view(3, 4)
    layer = one_task(weights)
    layer.release(count)
    assert torch.equal(layer.owner == FREE, weights.abs() <= count)


# growing


def test_growth_keeps_the_block_and_adds_random_rows_and_zero_columns(layer):
    layer.grow(5, 3)
    weight = layer.effective_weight(2).detach()
    assert weight.shape == (3, 5)
    assert weight[:2, :3].tolist() == BOTH
    assert weight[:2, 3:].count_nonzero() == 0
    assert weight[2].count_nonzero() == 5 and weight[2].abs().max() <= 5**-0.5
    assert torch.equal(layer.owner[:2, :3], OWNERS)
    assert (layer.owner[2] == 2).all() and (layer.owner[:, 3:] == 2).all()
    assert layer.biases[1].tolist() == [0.0, 0.0, 0.0]


def test_earlier_tasks_keep_computing_at_their_own_width(layer):
    inputs = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    before = layer(inputs, 1)
    layer.grow(5, 3)
    assert torch.equal(layer(inputs, 1), before)
    layer.add_task()
    assert layer(torch.ones(1, 5), 3).shape == (1, 3)
    assert torch.equal(layer(inputs, 1), before)
    assert layer.effective_weight(2).shape == (3, 5)


def test_a_pair_grown_along_the_width_between_computes_what_it_did():
    torch.manual_seed(1)
    first, second = MaskedLinear(3, 4, bias=True), MaskedLinear(4, 2, bias=True)
    for layer in (first, second):
        layer.add_task()
    inputs = torch.randn(6, 3)
    before = second(torch.relu(first(inputs, 1)), 1)
    first.grow(3, 7)
    second.grow(7, 2)
    assert torch.allclose(second(torch.relu(first(inputs, 1)), 1), before, atol=1e-6)


# what is refused


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda layer: layer.effective_weight(3), "no task at position 3; the layer has 2"),
        (lambda layer: layer.effective_weight(0), "no task at position 0; the layer has 2"),
        (
            lambda layer: layer.start_picking(initial=0.005, threshold=0.005),
            "pick scores start at 0.005, not above threshold 0.005",
        ),
        (
            lambda layer: layer.stop_picking(),
            "picks are not being learned: call start_picking first",
        ),
        (lambda layer: layer.release(3), "cannot free 3 weights: the task owns 2"),
        (lambda layer: layer.release(-1), "cannot free -1 weights: the task owns 2"),
        (lambda layer: layer.grow(2, 2), "cannot shrink a layer from 2 x 3 to 2 x 2"),
        (lambda layer: layer.grow(3, 1), "cannot shrink a layer from 2 x 3 to 1 x 3"),
        (
            lambda layer: layer.restore(WEIGHTS[:, :2], OWNERS),
            "weights (2, 2) and owners (2, 3) do not fit a layer of (2, 3)",
        ),
        (lambda layer: layer.restore(WEIGHTS, OWNERS + 1), "owner 3 but only 2 tasks"),
    ],
)
def test_illegal_transitions(layer, act, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        act(layer)
    assert layer.effective_weight(2).tolist() == BOTH


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (
            lambda layer: layer.add_task(),
            "picks are still being learned: call stop_picking first",
        ),
        (
            lambda layer: layer.grow(5, 5),
            "cannot grow while picks are being learned: call stop_picking first",
        ),
    ],
)
def test_illegal_transitions_while_picks_are_learned(layer, act, message):
    layer.start_picking(initial=0.01, threshold=0.005)
    with pytest.raises(ValueError, match=f"^{message}$"):
        act(layer)
    assert layer.newest == 2 and layer.effective_weight(2).tolist() == BOTH


def test_the_first_task_has_nothing_to_pick_from():
    layer = one_task(WEIGHTS)
    message = "^the first task has no earlier weights to pick from$"
    with pytest.raises(ValueError, match=message):
        layer.start_picking(initial=0.01, threshold=0.005)


def test_a_layer_without_a_task_cannot_grow():
    with pytest.raises(ValueError, match="^cannot grow a layer that has no task yet: call"):
        MaskedLinear(2, 2, bias=True).grow(3, 3)


def test_owners_are_bytes():
    layer = MaskedLinear(1, 1, bias=False)
    for _ in range(MAX_TASKS):
        layer.add_task()
    message = "^a network holds at most 255 tasks; it has 255$"
    with pytest.raises(ValueError, match=message):
        layer.add_task()


# any history

ACTIONS = st.one_of(
    st.tuples(st.just("train"), st.integers(0, 99)),
    st.tuples(st.just("release"), st.floats(0, 1)),
    st.tuples(st.just("grow"), st.tuples(st.integers(0, 2), st.integers(0, 2))),
    st.tuples(st.just("add"), st.none()),
    st.tuples(st.just("pick"), st.integers(0, 99)),
)


def act_on(layer: MaskedLinear, action: str, value) -> None:
    """Do one thing that may happen to a layer."""
    if action == "train":  # a step that touches the whole parameter
        with torch.no_grad():
            noise = torch.Generator().manual_seed(value)
            layer.weight += torch.randn(layer.weight.shape, generator=noise)
    elif action == "release":
        layer.release(int(value * layer.count(layer.newest)))
    elif action == "grow":
        rows, columns = layer.owner.shape
        layer.grow(columns + value[0], rows + value[1])
    elif action == "add":
        layer.add_task()
    elif layer.newest > 1:
        layer.start_picking(initial=1.0, threshold=0.5)
        with torch.no_grad():
            scores = torch.rand(layer.scores.shape, generator=torch.Generator().manual_seed(value))
            layer.scores.copy_(scores)
        layer.stop_picking()


@settings(deadline=None, max_examples=60)
@given(st.lists(ACTIONS, max_size=14))
def test_after_any_history(history):
    """Owners partition the weights, settled tasks stay, and two tensors rebuild all of them."""
    torch.manual_seed(0)
    layer = MaskedLinear(3, 2, bias=False)
    layer.add_task()
    settled: list[Tensor] = []
    for action, value in history:
        if action == "add":
            settled.append(layer.effective_weight(layer.newest).detach().clone())
        act_on(layer, action, value)
        counts = [layer.count(owner) for owner in range(layer.newest + 1)]
        assert sum(counts) == layer.owner.numel()
        assert all(
            torch.equal(layer.effective_weight(position), before)
            for position, before in enumerate(settled, start=1)
        )
    rebuilt = rebuild(layer)
    assert torch.equal(rebuilt.merged_weight(), layer.merged_weight())
    for position in range(1, layer.newest + 1):
        expected = layer.effective_weight(position)
        assert torch.equal(rebuilt.effective_weight(position), expected)


def rebuild(layer: MaskedLinear) -> MaskedLinear:
    """Make the layer again from shapes, merged weights, owners and picks."""
    rebuilt = MaskedLinear(3, 2, bias=False)
    for rows, columns in layer.shapes:
        rebuilt.add_task()
        rebuilt.grow(columns, rows)
    rebuilt.restore(layer.merged_weight(), layer.owner)
    for position in range(2, layer.newest + 1):
        rebuilt.pick(position).copy_(layer.pick(position))
    return rebuilt
