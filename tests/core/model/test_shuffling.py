"""A body without knowledge: the same values in other places, of every parameter."""

import tiny
import torch

from crossback_core.model.body import Body
from crossback_core.model.shuffling import shuffled, shuffled_copy


def body() -> Body:
    network = tiny.network(tiny.task_data("1", "image"))
    tiny.disturb(network)
    return network.settled("1").body


def drawn(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_every_parameter_keeps_its_values_and_loses_their_order():
    plain = body()
    before = tiny.snapshot(plain)
    changed = shuffled_copy(plain, drawn(1))
    for name, values in changed.named_parameters():
        assert torch.equal(values.flatten().sort().values, before[name].flatten().sort().values)
        assert not torch.equal(values, before[name]), name
    assert tiny.same_state(before, tiny.snapshot(plain))


def test_one_stream_is_one_body_and_no_other_is_touched():
    plain, state = body(), torch.get_rng_state()
    first, again, other = (tiny.snapshot(shuffled_copy(plain, drawn(n))) for n in (1, 1, 2))
    assert tiny.same_state(first, again) and not tiny.same_state(first, other)
    assert torch.equal(state, torch.get_rng_state())


def test_without_a_stream_pytorchs_own_is_used():
    torch.manual_seed(3)
    expected = torch.randperm(6)
    torch.manual_seed(3)
    assert torch.equal(shuffled(torch.arange(6).view(2, 3)).flatten(), expected)
