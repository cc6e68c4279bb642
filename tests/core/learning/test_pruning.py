"""Gradual pruning: the schedule, the masks at every step, and the choice of a level."""

from copy import deepcopy
from dataclasses import replace

import pytest
import tiny
import torch
from hypothesis import given
from hypothesis import strategies as st
from interruption import Interrupted, InterruptedResume

from crossback_core.learning import pruning
from crossback_core.learning.pruning import DENSE, climb, cubic_sparsity, highest_sparsity
from crossback_core.storage.resume import ResumeFile

fraction = st.floats(0, 1)


@pytest.mark.parametrize(
    ("start", "end", "progress", "expected"),
    [
        (0.0, 0.8, 0.25, 0.4625),  # 0.8 (1 - 0.75 ** 3)
        (0.5, 0.9, 0.5, 0.85),  # 0.9 - 0.4 / 8
        (0.5, 0.9, -1.0, 0.5),
        (0.5, 0.9, 7.0, 0.9),
    ],
)
def test_the_cubic_schedule_by_hand(start, end, progress, expected):
    assert cubic_sparsity(start, end, progress) == pytest.approx(expected)


@pytest.mark.parametrize("sparsity", [0.0, 0.3, 0.95])
def test_each_layer_gets_the_sparsity(images, sparsity):
    network = tiny.network(images)
    dense = network.settled(images.task).body
    network.ownership.weights.prune_to(sparsity)
    pruned = network.settled(images.task).body
    for name in network.ownership.weights.room():
        before, after = dense.get_parameter(name), pruned.get_parameter(name)
        freed = after == 0
        assert int(freed.sum()) == round(sparsity * freed.numel())
        assert torch.equal(after[~freed], before[~freed])
    assert network.ownership.weights.sparsity() == pytest.approx(sparsity, abs=0.01)
    state = tiny.snapshot(network)
    network.ownership.weights.prune_to(sparsity / 2)
    assert tiny.same_state(state, tiny.snapshot(network)), "no weight is given back"


def climb_to(network, data, sparsity, *, resume=None, settings=tiny.ADAMW):
    """Do one level of the ladder: three epochs of three steps, a ramp of six."""
    options = {"pruning": tiny.PRUNING, "training": settings, "seed": 3, "resume": resume}
    return climb(network, data, sparsity, **options)


@pytest.mark.parametrize("settings", [tiny.ADAMW, tiny.SGD], ids=["adamw", "sgd"])
def test_measured_sparsity_is_the_requested_one_at_every_step(images, settings, monkeypatch):
    """Masks change every second step of the ramp; pruned weights never come back."""
    network, measured, active = tiny.network(images), [], []
    fit = pruning.fit

    def watched(*arguments, after_step, **options):
        def watch(step):
            after_step(step)
            body, names = network.settled("1").body, network.ownership.weights.room()
            weights = torch.cat([body.get_parameter(name).flatten() for name in names])
            measured.append(float((weights == 0).double().mean()))
            active.append(weights != 0)

        return fit(*arguments, after_step=watch, **options)

    monkeypatch.setattr(pruning, "fit", watched)
    climb_to(network, images, 0.5, settings=settings)
    climb_to(network, images, 0.8, settings=settings)
    requested = []
    for start, end in [(0.0, 0.5), (0.5, 0.8)]:
        for step in range(1, 10):
            done = min(step // 2 * 2, 6) / 6
            requested.append(end + (start - end) * (1 - done) ** 3)
    assert measured == pytest.approx(requested, abs=0.005)
    assert not any((now & ~before).any() for before, now in zip(active, active[1:], strict=False))


def test_a_level_trains_at_its_own_rate_and_length(images):
    rows = climb_to(tiny.network(images), images, 0.5, settings=replace(tiny.ADAMW, min_steps=99))
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert {row["learning_rate"] for row in rows} == {0.001}


@pytest.mark.parametrize("ramp", [1, 50])
def test_the_sparsity_is_reached_whatever_the_ramp(images, ramp):
    network = tiny.network(images)
    settings = replace(tiny.PRUNING, ramp_epochs=ramp, update_every=4)
    climb(network, images, 0.6, pruning=settings, training=tiny.ADAMW, seed=3)
    assert network.ownership.weights.sparsity() == pytest.approx(0.6, abs=0.005)


def test_a_resumed_level_ends_with_the_same_bits(images, tmp_path):
    path, undisturbed = tmp_path / "level.pt", tiny.network(images)
    climb_to(undisturbed, images, 0.5)
    cut, resumed = deepcopy(undisturbed), deepcopy(undisturbed)
    expected = climb_to(undisturbed, images, 0.8)
    with pytest.raises(Interrupted):
        climb_to(cut, images, 0.8, resume=InterruptedResume(path, after=1))
    rows = climb_to(resumed, images, 0.8, resume=ResumeFile(path, "key"))
    assert tiny.timeless(rows) == tiny.timeless(expected)
    assert tiny.same_state(tiny.snapshot(resumed), tiny.snapshot(undisturbed))


# the choice

# Pick-a-back, CIFAR-100 food_containers: published are baseline .718, allowed loss .001, level 0.8
FOOD_CONTAINERS = {
    **{0.0: 0.742, 0.1: 0.738, 0.2: 0.742, 0.3: 0.740, 0.4: 0.746, 0.5: 0.736},
    **{0.6: 0.744, 0.7: 0.726, 0.8: 0.732, 0.9: 0.694, 0.95: 0.670},
}


@pytest.mark.parametrize(
    ("baseline", "allowed", "sparsity"),
    [
        (0.718, 0.001, 0.8),
        (0.718, 0.024, 0.9),  # 0.694, exactly as much as is allowed
        (0.765, 0.071, 0.9),  # the same, though a computer's difference is a little more
        (0.743, 0.0, 0.6),  # a higher level may be good where a lower one is not
        (0.9, 0.01, DENSE),  # none is good enough: not the highest sparsity
    ],
)
def test_the_allowed_loss_decides(baseline, allowed, sparsity):
    found = highest_sparsity(FOOD_CONTAINERS, baseline=baseline, allowed_loss=allowed)
    assert found == sparsity


@given(st.dictionaries(st.sampled_from([0.1, 0.5, 0.8, 0.9]), fraction), fraction, fraction)
def test_the_choice_is_the_highest_of_those_above_the_bar(accuracies, baseline, allowed_loss):
    chosen = highest_sparsity(accuracies, baseline=baseline, allowed_loss=allowed_loss)
    bar = baseline - allowed_loss
    assert chosen == DENSE or accuracies[chosen] >= bar - 1e-6
    assert all(accuracies[level] <= bar + 1e-6 for level in accuracies if level > chosen)
