"""Who owns a weight and who computes with it, on a body of one layer."""

import math
import re
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

import crossback_core
from crossback_core.model.body import Body, Kind, TaskInput
from crossback_core.model.masked import FREE, Shares
from crossback_core.model.ownership import Ownership
from crossback_core.model.packing import pack_owners, pack_picks

WEIGHTS = torch.tensor([[1.0, -2.0, 3.0], [4.0, 5.0, -6.0]])
OWNERS = torch.tensor([[1, 1, 2], [2, 0, 1]], dtype=torch.uint8)
FIRST = [[1.0, -2.0, 0.0], [0.0, 0.0, -6.0]]  # what task 1 computes with
BOTH = [[1.0, -2.0, 3.0], [4.0, 0.0, -6.0]]  # what task 2 computes with if it picks everything


@dataclass(frozen=True)
class Size:
    """Rows and columns at width 1."""

    rows: int
    columns: int


class Layer(Body):
    """One masked weight and a bias of each task; what it reads is what is multiplied."""

    name = "test_layer"
    settings_type = Size

    def __init__(self, settings: Size) -> None:
        super().__init__()
        self.settings, self.features = settings, settings.rows
        self.weight = nn.Parameter(torch.randn(settings.rows, settings.columns))
        self.bias = nn.Parameter(torch.zeros(settings.rows))

    input_shape = ()

    def kinds(self) -> dict[str, Kind]:
        return {"weight": "masked", "bias": "per_task"}

    def make_input(self, modality: str, channels: int) -> TaskInput:
        raise NotImplementedError

    def grown(self, width: float) -> Self:
        rows, columns = (math.ceil(n * width) for n in (self.settings.rows, self.settings.columns))
        copy, (old, present) = deepcopy(self), self.weight.shape
        fresh = torch.zeros(rows, columns)
        fresh[old:] = torch.rand(max(0, rows - old), columns) + 1
        fresh[:old, :present] = self.weight.detach()[:rows, :columns]
        copy.weight = nn.Parameter(fresh)
        copy.bias = nn.Parameter(functional.pad(self.bias.detach(), (0, rows - old)))
        return copy

    @classmethod
    def masked_size(cls, settings: Size, width: float) -> int:
        return math.ceil(settings.rows * width) * math.ceil(settings.columns * width)

    def forward(self, read: Tensor) -> Tensor:
        return functional.linear(read, self.weight, self.bias)


def holding(weights: Tensor, owners: Tensor, picks: list[Tensor]) -> Ownership:
    """Weights owned as given, of as many tasks as pick masks and one."""
    made, tasks = Ownership(Layer(Size(*weights.shape))), range(len(picks) + 1)
    for _ in tasks:
        made.add_task()
    packed = {
        "value": weights,
        "owner": pack_owners(owners.numpy()),
        "picks": pack_picks([mask.numpy() for mask in picks], owners.numpy()),
    }
    copies = [{"bias": torch.zeros(len(weights))} for _ in tasks]
    made.unpack({"masked": {"weight": packed}, "copies": copies, "fixed": {}})
    return made


@pytest.fixture
def two() -> Ownership:
    """Two tasks with the owners above; task 2 picks every weight of task 1."""
    return holding(WEIGHTS, OWNERS, [OWNERS == 1])


def one(weights: Tensor) -> Ownership:
    """A first task that owns the given weights."""
    return holding(weights, torch.ones_like(weights, dtype=torch.uint8), [])


def effective(owned: Ownership, position: int) -> Tensor:
    """Return what a task computes with."""
    return owned.settled(position).weight


def owners(owned: Ownership) -> Tensor:
    return owned.weights.owner.view(owned.body.weight.shape)


def set_scores(owned: Ownership, values: dict[tuple[int, int], float]) -> None:
    """Set pick scores by row and column."""
    all_scores = torch.full_like(owned.weights.frozen, owned.weights.scores[0].item())
    shaped = all_scores.view(owned.body.weight.shape)
    for place, value in values.items():
        shaped[place] = value
    owned.weights.scores.data.copy_(all_scores[owned.weights._earlier(owned.newest)])


def test_a_task_computes_with_its_own_and_the_picked_weights_of_earlier_tasks(two):
    assert [effective(two, position).tolist() for position in (1, 2)] == [FIRST, BOTH]
    picks = (OWNERS == 1) & (WEIGHTS != -2)
    dropped = holding(WEIGHTS, OWNERS, [picks])
    assert effective(dropped, 2).tolist() == [[1.0, 0.0, 3.0], [4.0, 0.0, -6.0]]
    assert effective(dropped, 1).tolist() == FIRST


def test_outputs_by_hand(two):
    inputs = torch.tensor([[1.0, 10.0, 100.0]])
    assert two.settled(1)(inputs).tolist() == [[-19.0, -600.0]]
    with torch.no_grad():
        next(two.copied()).add_(torch.tensor([0.5, 1.0]))
    for model in (two, two.settled(2)):
        assert model(inputs).tolist() == [[281.5, -595.0]]
    assert two.settled(1)(inputs).tolist() == [[-19.0, -600.0]], "a bias belongs to one task"


def test_a_third_task_picks_among_the_weights_of_both_others(two):
    assert two.weights.shares(2) == Shares(owned=2 / 6, picked=3 / 6, free=1 / 6)
    two.add_task()
    assert two.weights.shares(3) == Shares(owned=1 / 6, picked=5 / 6, free=0.0)
    assert effective(two, 3).tolist() == effective(two, 2).tolist() == BOTH
    two.weights.start_picking(initial=0.01, threshold=0.005)
    set_scores(two, {(0, 2): 0.0})
    two.weights.stop_picking()
    assert effective(two, 3).tolist() == [[1.0, -2.0, 0.0], [4.0, 0.0, -6.0]]
    assert effective(two, 2).tolist() == BOTH
    assert two.weights.shares(3).picked == 4 / 6 and two.weights.shares(2).picked == 3 / 6


@pytest.mark.parametrize(("like", "start"), [(None, [5.0, 6.0]), (1, [3.0, 4.0])])
def test_the_copies_of_a_new_task_start_as_the_newest_or_another(two, like, start):
    for position, bias in ((1, [3.0, 4.0]), (2, [5.0, 6.0])):
        two._copies(position)["bias"].data = torch.tensor(bias)
    two.add_task(like)
    assert two.settled(3).bias.tolist() == start
    with torch.no_grad():
        next(two.copied()).add_(1)
    assert [two.settled(position).bias.tolist() for position in (1, 2)] == [[3.0, 4.0], [5.0, 6.0]]


def test_a_settled_task_is_a_plain_module_that_shares_nothing(two):
    before = {name: tensor.clone() for name, tensor in two.state_dict().items()}
    model = two.settled(2)
    assert not model.training and not any(p.requires_grad for p in model.parameters())
    for tensor in (*model.parameters(), *model.buffers()):
        tensor.add_(1)
    assert all(torch.equal(two.state_dict()[name], before[name]) for name in before)


def test_gradients_reach_only_what_the_newest_task_owns(two):
    two(torch.tensor([[1.0, 10.0, 100.0]])).sum().backward()
    assert two.weights.own.grad.view(2, 3).tolist() == [[0.0, 0.0, 100.0], [1.0, 0.0, 0.0]]
    biases = [two._copies(position)["bias"] for position in (1, 2)]
    assert biases[0].grad is None and biases[1].grad.tolist() == [1.0, 1.0]
    assert [bias.requires_grad for bias in biases] == [False, True]
    assert not two.weights.frozen.requires_grad


def test_the_straight_through_gradient_of_the_picks_by_hand():
    owned = one(torch.tensor([[2.0, -3.0]]))
    owned.add_task()
    scores = owned.weights.start_picking(initial=0.01, threshold=0.005)
    set_scores(owned, {(0, 1): 0.004})
    output = owned(torch.tensor([[5.0, 7.0]]))
    output.sum().backward()
    assert output.item() == 10.0, "the second weight is not picked"
    assert scores.grad.tolist() == [10.0, -21.0], "but may come back"


def test_a_score_at_the_threshold_is_not_picked_and_every_pick_starts_on(two):
    two.weights.start_picking(initial=0.01, threshold=0.005)
    assert effective(two, 2).tolist() == BOTH
    set_scores(two, {(0, 1): 0.005, (0, 0): 0.0051})
    left = [[1.0, 0.0, 3.0], [4.0, 0.0, -6.0]]
    assert effective(two, 2).tolist() == two(torch.eye(3)).T.tolist() == left
    two.weights.stop_picking()
    assert two.weights.scores is None
    assert effective(two, 2).tolist() == left
    assert two.weights.shares(2).picked == 2 / 6


def test_pruning_never_frees_a_weight_of_an_earlier_task(two):
    two.weights.prune_to(1.0)  # 3 and 4, though 1 and -2 of task 1 are smaller
    assert owners(two).tolist() == [[1, 1, 0], [0, 0, 1]]
    assert effective(two, 2).tolist() == FIRST


def test_a_free_weight_stays_inactive_whatever_the_optimiser_does_to_it():
    owned = one(torch.tensor([[0.3, -0.1, 0.5]]))
    optimizer = torch.optim.SGD([owned.weights.own], 0.01, momentum=0.9, nesterov=True)
    for _ in range(2):
        optimizer.zero_grad()
        owned(torch.ones(1, 3)).sum().backward()
        optimizer.step()  # the second time momentum alone pushes the freed weight
        owned.weights.prune_to(1 / 3)
    assert owners(owned).tolist() == [[1, 0, 1]] and owned.weights.own[1] != 0
    assert effective(owned, 1)[0, 1] == 0 and owned(torch.eye(3))[1].item() == 0
    assert owned.packed()["masked"]["weight"]["value"][0, 1] == 0
    owned.add_task()
    assert effective(owned, 2)[0, 1] == 0


@settings(deadline=None, max_examples=40)
@given(st.permutations(range(1, 13)), st.integers(0, 12))
def test_what_is_freed_is_smaller_than_what_is_kept(magnitudes, count):
    weights = (torch.tensor(magnitudes) * torch.tensor([1.0, -1.0]).repeat(6)).view(3, 4)
    owned = one(weights)
    owned.weights.prune_to(count / 12)
    assert torch.equal(owners(owned) == FREE, weights.abs() <= count)
    assert torch.equal(effective(owned, 1), weights.where(weights.abs() > count, 0))
    assert owned.weights.sparsity() == count / 12


def test_what_is_not_owned_never_takes_part_not_even_infinity(two):
    two.weights.own.data[(owners(two) != 2).flatten()] = float("inf")
    two(torch.ones(1, 3)).sum().backward()
    assert two(torch.eye(3)).T.tolist() == BOTH
    assert two.weights.own.grad.view(2, 3).tolist() == [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]


def test_growth_keeps_the_block_and_gives_what_is_new_to_the_newest_task(two):
    two.grow(1.5)
    weight = effective(two, 2)
    assert weight.shape == (3, 5)
    assert weight[:2, :3].tolist() == BOTH
    assert weight[:2, 3:].count_nonzero() == 0 and (weight[2] >= 1).all()
    assert torch.equal(owners(two)[:2, :3], OWNERS)
    assert (owners(two)[2] == 2).all() and (owners(two)[:, 3:] == 2).all()
    assert two.settled(2).bias.tolist() == [0.0, 0.0, 0.0]
    assert effective(two, 1).tolist() == FIRST, "an earlier task keeps its own width"
    assert two(torch.ones(1, 5)).shape == (1, 3)


def test_a_task_added_after_growth_has_the_new_width(two):
    two.grow(1.5)
    for position, value in ((1, 3.0), (2, 5.0)):
        two._copies(position)["bias"].data.fill_(value)
    two.add_task(like=1)
    assert effective(two, 3).shape == (3, 5)
    assert two.settled(3).bias.tolist() == [3.0, 3.0, 5.0], "the newest's where task 1 has none"
    two.grow(2.0)
    assert [tuple(effective(two, n).shape) for n in (1, 2, 3)] == [(2, 3), (3, 5), (4, 6)]


class Permuted(Layer):
    """Grows, but not below and beside what it was."""

    def grown(self, width: float) -> Self:
        copy = super().grown(width)
        copy.weight = nn.Parameter(copy.weight.detach().flip(0))
        return copy


def of_tasks(count: int, kind: Callable[[Size], Layer] = Layer) -> Ownership:
    """A body of so many tasks."""
    owned = Ownership(kind(Size(2, 3)))
    for _ in range(count):
        owned.add_task()
    return owned


def picking(owned: Ownership) -> Ownership:
    """Start picking."""
    owned.weights.start_picking(initial=0.01, threshold=0.005)
    return owned


def diverged() -> Ownership:
    """Two tasks, of which the second holds NaN, which has no magnitude to prune by."""
    owned = holding(WEIGHTS, OWNERS, [OWNERS == 1])
    owned.weights.own.data[owners(owned).flatten() == 2] = float("nan")
    return owned


# What is done to a network, and below it how that is refused.
REFUSED = """
of_tasks(2) owned.settled(3)
    no task at position 3; the network has 2
of_tasks(2) owned.weights.shares(0)
    no task at position 0; the network has 2
of_tasks(2) owned.add_task(like=5)
    no task at position 5; the network has 2
of_tasks(2) owned.weights.start_picking(initial=0.005, threshold=0.005)
    pick scores start at 0.005, not above threshold 0.005
of_tasks(1) owned.weights.start_picking(initial=0.01, threshold=0.005)
    the first task has no earlier weights to pick from
of_tasks(2) owned.weights.stop_picking()
    picks are not being learned: call start_picking first
picking(of_tasks(2)) owned.add_task()
    picks are still being learned: call stop_picking first
picking(of_tasks(2)) owned.grow(2.0)
    picks are still being learned: call stop_picking first
of_tasks(2) owned.grow(0.5)
    test_layer.grown does not keep bias: each value must be the top-left block of the new one, and
    what is fixed must stay
of_tasks(1,Permuted) owned.grow(2.0)
    test_layer.grown does not keep weight: each value must be the top-left block of the new one,
    and what is fixed must stay
of_tasks(2) owned.weights.prune_to(1.2)
    sparsity 1.2 is not from 0 to 1
of_tasks(2) owned.weights.prune_to(float("nan"))
    sparsity nan is not from 0 to 1
diverged() owned.weights.prune_to(0.5)
    the task's weights are not finite: lower the learning rate
of_tasks(0) owned.grow(2.0)
    the network has no task yet: call add_task
of_tasks(0) owned(torch.ones(1, 3))
    the network has no task yet: call add_task
of_tasks(0) [*owned.trained()]
    the network has no task yet: call add_task
of_tasks(255) owned.add_task()
    a network holds at most 255 tasks; it has 255
"""


def state(owned: Ownership) -> list[Tensor]:
    """Return all values, and what each task computes with; NaN as zero."""
    tasks = (effective(owned, position + 1) for position in range(owned.newest))
    return [tensor.detach().nan_to_num() for tensor in (*owned.state_dict().values(), *tasks)]


@pytest.mark.parametrize(
    ("owned", "act", "message"),
    re.findall(r"(^\S+) (\S.*)\n((?:^    .*\n)+)", REFUSED, re.MULTILINE),
)
def test_illegal_transitions_change_nothing(owned, act, message):
    owned = eval(owned)
    before = state(owned)
    with pytest.raises(ValueError, match=f"^{re.escape(' '.join(message.split()))}$"):
        eval(act, {"owned": owned, "torch": torch})
    assert all(map(torch.equal, state(owned), before)) and len(state(owned)) == len(before)


class Wrong(Layer):
    """A body whose kinds are given."""

    def __init__(self, **kinds: str) -> None:
        super().__init__(Size(2, 3))
        self.register_buffer("seen", torch.zeros(()))
        self._kinds = kinds

    def kinds(self) -> dict[str, Kind]:
        return {"weight": "masked", "bias": "per_task", "seen": "fixed"} | self._kinds

    def forward(self, read: Tensor) -> Tensor:
        self.seen += 1
        return super().forward(read)


def extended(name: str, value: object = None) -> Body:
    """Make a body with one attribute more: a value, or the weight once more."""
    body = Layer(Size(2, 3))
    setattr(body, name, body.weight if value is None else value)
    return body


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (Wrong(extra="masked"), "extra of body test_layer does not exist: "),
        (Wrong(bias="shared"), "bias is 'shared', not one of masked, per_task, fixed"),
        (Wrong(seen="masked"), "seen is masked, but not a float32 parameter with dimensions"),
        (Wrong(weight="per_task"), "body test_layer masks no parameter"),
        (extended("gain", nn.Parameter(torch.ones(()))), "gain of body test_layer has no kind"),
        (extended("other"), "weight and other of body test_layer are one tensor"),
        (extended("cache", {"seen": [torch.zeros(1)]}), "cache of body test_layer holds tensors"),
    ],
)
def test_a_body_that_does_not_classify_all_it_has_is_refused(body, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        Ownership(body)


def test_the_callers_body_stays_its_own():
    body = Layer(Size(2, 3))
    owned = Ownership(body)
    expected = [parameter.detach().clone() for parameter in body.parameters()]
    with torch.no_grad():
        for parameter in body.parameters():
            parameter += 1
    owned.add_task()
    assert all(map(torch.equal, owned.settled(1).parameters(), expected))


def test_a_fixed_buffer_that_training_changes_is_named():
    message = "^seen of body test_layer is fixed, but training changed it for all tasks"
    with pytest.raises(ValueError, match=message):
        of_tasks(1, lambda size: Wrong())(torch.ones(1, 3))


def test_a_buffer_of_a_task_may_be_replaced_in_training():
    """As `self.seen = self.seen + 1` does, in place of a change in place."""

    class Replacing(Wrong):
        def forward(self, read: Tensor) -> Tensor:
            self.seen = self.seen + 1
            return Layer.forward(self, read)

    owned = Ownership(Replacing(seen="per_task"))
    for steps in (3, 1):
        owned.add_task()
        for _ in range(steps):
            owned(torch.ones(1, 3))
    assert (owned.settled(1).seen, owned.settled(2).seen) == (3, 4)


def test_no_other_file_looks_at_owners_frozen_values_or_picks():
    root = Path(crossback_core.__file__).parent
    private = r"\.(own|owner|frozen|copies)\b|ownership\.(scores|fixed|threshold)|\bFREE\b|f\"pick_"
    looking = {path.stem for path in root.rglob("*.py") if re.search(private, path.read_text())}
    assert looking == {"masked", "ownership"}


# any history

ACTIONS = st.one_of(
    st.tuples(st.just("train"), st.integers(0, 99)),
    st.tuples(st.just("prune"), st.floats(0, 1)),
    st.tuples(st.just("grow"), st.sampled_from([1.0, 1.5, 2.0, 2.5])),
    st.tuples(st.just("add"), st.none()),
    st.tuples(st.just("pick"), st.integers(0, 99)),
)


def act_on(owned: Ownership, action: str, value) -> None:
    """Do one thing that may happen to a network."""
    noise = torch.Generator().manual_seed(value if action in ("train", "pick") else 0)
    if action == "train":  # a step that touches the whole parameter
        owned.weights.own.data += torch.randn(owned.weights.own.shape, generator=noise)
    elif action == "prune":
        owned.weights.prune_to(value)
    elif action == "grow":
        owned.grow(max(value, len(owned.body.bias) / 2))
    elif action == "add":
        owned.add_task()
    elif owned.newest > 1:
        scores = owned.weights.start_picking(initial=1.0, threshold=0.5)
        scores.data.copy_(torch.rand(scores.shape, generator=noise))
        owned.weights.stop_picking()


@settings(deadline=None, max_examples=50)
@given(st.lists(ACTIONS, max_size=14))
def test_after_any_history(history):
    """Owners partition the weights, settled tasks stay, and what is packed rebuilds all of them."""
    torch.manual_seed(0)
    owned = of_tasks(1)
    settled: list[Tensor] = []
    widths = [1.0]
    for action, value in history:
        if action == "add":
            settled.append(effective(owned, owned.newest))
            widths.append(widths[-1])
        act_on(owned, action, value)
        widths[-1] = len(owned.body.bias) / 2
        counts = [owned.weights.shares(position).owned for position in range(1, owned.newest + 1)]
        assert sum(counts) + owned.weights.shares(1).free == pytest.approx(1)
        assert all(effective(owned, n).equal(before) for n, before in enumerate(settled, start=1))
    rebuilt = of_tasks(0)
    for width in widths:
        rebuilt.add_task()
        rebuilt.grow(width)
    rebuilt.unpack(owned.packed())
    assert np.array_equal(rebuilt.weights.owner, owned.weights.owner)
    for position in range(1, owned.newest + 1):
        assert torch.equal(effective(rebuilt, position), effective(owned, position))
        assert rebuilt.weights.shares(position) == owned.weights.shares(position)
