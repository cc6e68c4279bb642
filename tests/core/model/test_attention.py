"""Attention and feed-forward blocks against the formulas written out in NumPy."""

from __future__ import annotations

import pytest
import reference
import torch

from crossback_core.model.attention import Attention, FeedForward, TaskNorm
from crossback_core.model.masked_linear import MaskedLinear

DIM = 6


def two_tasks(block: torch.nn.Module) -> torch.nn.Module:
    """Give a block a pruned first task and a second one, with values of their own everywhere."""
    for number in (None, 1):
        for module in block.modules():
            if isinstance(module, MaskedLinear | TaskNorm):
                module.add_task(number)
        with torch.no_grad():
            for parameter in block.parameters():
                parameter += 0.3 * torch.randn_like(parameter)
        if number is None:
            for module in block.modules():
                if isinstance(module, MaskedLinear):
                    module.release(module.owner.numel() // 2)
    return block


def attention(dropout: float = 0.0) -> Attention:
    torch.manual_seed(0)
    block = two_tasks(Attention(dim=DIM, heads=2, head_dim=4, dropout=dropout))
    assert isinstance(block, Attention)
    return block


def feed_forward(dropout: float = 0.0) -> FeedForward:
    torch.manual_seed(0)
    block = two_tasks(FeedForward(dim=DIM, hidden=5, dropout=dropout))
    assert isinstance(block, FeedForward)
    return block


@pytest.mark.parametrize("position", [1, 2])
def test_attention_equals_the_formula(position):
    block, inputs, context = attention(), torch.randn(3, 4, DIM), torch.randn(3, 5, DIM)
    got = block(inputs, context, position)
    for row in range(3):
        expected = reference.attention(
            block, reference.array(inputs[row]), reference.array(context[row]), position
        )
        assert reference.array(got[row]) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("position", [1, 2])
def test_feed_forward_is_geglu(position):
    block, inputs = feed_forward(), torch.randn(3, 4, DIM)
    expected = reference.feed_forward(block, reference.array(inputs), position)
    assert reference.array(block(inputs, position)) == pytest.approx(expected, abs=1e-5)


def test_norms_belong_to_tasks():
    norm = TaskNorm(2)
    norm.add_task()
    with torch.no_grad():
        norm.norms[0].weight.copy_(torch.tensor([2.0, 3.0]))
        norm.norms[0].bias.copy_(torch.tensor([0.5, -0.5]))
    norm.add_task(like=1)
    norm.add_task()
    values = torch.tensor([[1.0, 5.0]])  # normalised: -1, 1
    assert norm(values, 1).tolist()[0] == pytest.approx([-1.5, 2.5], abs=1e-4)
    assert torch.equal(norm(values, 2), norm(values, 1))
    assert norm(values, 3).tolist()[0] == pytest.approx([-1.0, 1.0], abs=1e-4)
    with torch.no_grad():
        norm.norms[1].bias += 1
    assert norm(values, 1).tolist()[0] == pytest.approx([-1.5, 2.5], abs=1e-4)


@pytest.mark.parametrize("block", [attention, feed_forward])
def test_dropout_acts_in_training_alone(block):
    made, inputs = block(0.5), torch.randn(3, 4, DIM)
    arguments = (inputs, inputs, 2) if isinstance(made, Attention) else (inputs, 2)
    assert not torch.equal(made(*arguments), made(*arguments))
    made.eval()
    assert torch.equal(made(*arguments), made(*arguments))
    assert torch.equal(made(*arguments), block(0.0)(*arguments))


@pytest.mark.parametrize(("width", "heads", "hidden"), [(1.0, 2, 5), (1.5, 3, 8), (2.0, 4, 10)])
def test_growth_widens_inside_alone_and_changes_no_output(width, heads, hidden):
    inputs = torch.randn(3, 4, DIM)
    for block, arguments in (
        (attention(), (inputs, inputs)),
        (feed_forward(), (inputs,)),
    ):
        before = [block(*arguments, position) for position in (1, 2)]
        block.grow(width)
        assert torch.equal(block(*arguments, 1), before[0])
        assert torch.allclose(block(*arguments, 2), before[1], atol=1e-6)
        inner = heads * 4 if isinstance(block, Attention) else hidden
        assert block.out.owner.shape == (DIM, inner)
        assert block.value.owner.shape == (inner, DIM)
