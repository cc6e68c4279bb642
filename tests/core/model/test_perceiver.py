"""The blocks of the Perceiver against the formulas written out in NumPy."""

from dataclasses import replace

import pytest
import tiny
import torch
from torch import nn

from crossback_core.model.bodies.perceiver import Attention, FeedForward, Linear, Perceiver

DIM = 6


def disturbed(block: nn.Module) -> nn.Module:
    """Disturb every value of a block."""
    with torch.no_grad():
        for parameter in block.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return block


def attention(dropout: float = 0.0) -> Attention:
    torch.manual_seed(0)
    return disturbed(Attention(dim=DIM, heads=2, head_dim=4, dropout=dropout))


def feed_forward(dropout: float = 0.0) -> FeedForward:
    torch.manual_seed(0)
    return disturbed(FeedForward(dim=DIM, hidden=5, dropout=dropout))


@pytest.mark.parametrize("block", [attention, feed_forward])
def test_dropout_acts_in_training_alone(block):
    made, inputs = block(0.5), torch.randn(3, 4, DIM)
    arguments = (inputs, inputs) if isinstance(made, Attention) else (inputs,)
    assert not torch.equal(made(*arguments), made(*arguments))
    made.eval()
    assert torch.equal(made(*arguments), made(*arguments))
    assert torch.equal(made(*arguments), block(0.0)(*arguments))


def test_growth_widens_inside_alone_and_changes_no_output():
    inputs = torch.randn(3, 4, DIM)
    for block, arguments, inner in (
        (attention(), (inputs, inputs), 3 * 4),
        (feed_forward(), (inputs,), 8),
    ):
        before = block(*arguments)
        block.widen(1.5)
        assert torch.allclose(block(*arguments), before, atol=1e-6)
        assert block.out.weight.shape == (DIM, inner) == (DIM, block.out.in_features)
        assert block.value.weight.shape == (inner, DIM) == (block.value.out_features, DIM)


def test_new_rows_are_random_and_new_columns_zero():
    layer = Linear(3, 2)
    before = layer.weight.detach().clone()
    layer.widen(5, 4)
    assert torch.equal(layer.weight[:2, :3], before)
    assert layer.weight[:2, 3:].count_nonzero() == 0
    assert layer.weight[2:].count_nonzero() == 10 and layer.weight[2:].abs().max() <= 5**-0.5
    assert layer.bias.tolist() == [0.0] * 4


def test_a_layer_never_shrinks():
    for size in ((2, 2), (3, 1)):
        with pytest.raises(ValueError, match=f"cannot shrink a layer from 2 x 3 to {size[1]} x"):
            Linear(3, 2).widen(*size)


@pytest.mark.parametrize("width", [1.0, 1.25, 1.5])
def test_the_arithmetic_of_its_size(width):
    body = Perceiver(tiny.MODEL).grown(width)
    masked = [name for name, kind in body.kinds().items() if kind == "masked"]
    sizes = {name: parameter.numel() for name, parameter in body.named_parameters()}
    assert Perceiver.masked_size(tiny.MODEL, width) == sum(sizes[name] for name in masked)


def test_what_the_blocks_leave_is_seen_on_the_way():
    """Caught where the next one reads; the features are those of the plain pass, to the bit."""
    torch.manual_seed(0)
    body = Perceiver(replace(tiny.MODEL, blocks=3)).eval()
    reading = body.make_input("image", 3)
    reading.fit(body.input_shape)
    states = []
    for each in (*body.attentions[1:], body.decoder):
        each.register_forward_pre_hook(lambda _, given: states.append(given[1]))
    read = reading(torch.randn(5, 3, 4, 4), None)
    features, *blocks = body.observe(read)
    assert len(blocks) == len(states) == 3
    assert all(torch.equal(b, s.mean(dim=1)) for b, s in zip(blocks, states, strict=True))
    assert torch.equal(features, body(read))
