"""Gradual pruning: the schedule, the masks at every step, and the choice of a level."""

from __future__ import annotations

from dataclasses import replace

import pytest
import tiny
import torch
from hypothesis import given
from hypothesis import strategies as st
from interruption import Interrupted, InterruptedResume

from crossback_core.learning import pruning
from crossback_core.learning.pruning import (
    DENSE,
    climb,
    cubic_sparsity,
    highest_sparsity,
)
from crossback_core.storage.resume import ResumeFile

fraction = st.floats(0, 1)


# the schedule


@pytest.mark.parametrize(
    ("start", "end", "progress", "expected"),
    [
        (0.0, 0.8, 0.0, 0.0),
        (0.0, 0.8, 0.25, 0.4625),  # 0.8 (1 - 0.75 ** 3)
        (0.0, 0.8, 0.5, 0.7),
        (0.0, 0.8, 1.0, 0.8),
        (0.5, 0.9, 0.5, 0.85),  # 0.9 - 0.4 / 8
        (0.5, 0.9, -1.0, 0.5),
        (0.5, 0.9, 7.0, 0.9),
    ],
)
def test_the_cubic_schedule_by_hand(start, end, progress, expected):
    assert cubic_sparsity(start, end, progress) == pytest.approx(expected)


@given(fraction, fraction, fraction, fraction)
def test_the_cubic_schedule_never_turns_back(one, other, first, second):
    start, end = sorted((one, other))
    early, late = sorted((first, second))
    before, after = (cubic_sparsity(start, end, progress) for progress in (early, late))
    assert start - 1e-12 <= before <= after + 1e-12 <= end + 2e-12
    linear = start + (end - start) * early
    assert before >= linear - 1e-9, "most weights go early, when most are superfluous"


# the masks


@pytest.mark.parametrize("sparsity", [0.0, 0.3, 0.5, 0.95, 1.0])
def test_each_layer_gets_the_sparsity(images, sparsity):
    network = tiny.network(images)
    dense = network.settled(images.task).body
    network.ownership.prune_to(sparsity)
    pruned = network.settled(images.task).body
    for name in network.ownership.room():
        before, after = dense.get_parameter(name), pruned.get_parameter(name)
        freed = after == 0
        assert int(freed.sum()) == round(sparsity * freed.numel())
        assert torch.equal(after[~freed], before[~freed])
        assert (
            freed.all() or not freed.any() or before[freed].abs().max() < after[~freed].abs().min()
        )
    assert network.ownership.sparsity() == pytest.approx(sparsity, abs=0.01)


def test_pruning_never_gives_weights_back(images):
    network = tiny.network(images)
    network.ownership.prune_to(0.7)
    before = tiny.snapshot(network)
    network.ownership.prune_to(0.4)
    assert tiny.same_state(before, tiny.snapshot(network))


def test_a_second_task_is_pruned_among_its_own_weights(images, texts):
    network = tiny.network(images)
    network.ownership.prune_to(0.5)
    network.add_task(tiny.spec(texts), like=images.task)
    tiny.disturb(network)
    before = tiny.logits_of(network, images)
    assert network.ownership.sparsity() == 0.0
    network.ownership.prune_to(0.5)
    assert network.ownership.shares(2) == (0.25, 0.5, 0.25)
    assert network.ownership.shares(1).owned == 0.5
    assert torch.equal(tiny.logits_of(network, images)[0], before[0])


def climb_to(network, data, sparsity, *, resume=None, settings=tiny.ADAMW):
    """Do one level of the ladder: three epochs of three steps, a ramp of six."""
    return climb(
        network,
        data,
        sparsity,
        pruning=tiny.PRUNING,
        training=settings,
        seed=3,
        resume=resume,
    )


@pytest.mark.parametrize("settings", [tiny.ADAMW, tiny.SGD], ids=["adamw", "sgd"])
def test_measured_sparsity_is_the_requested_one_at_every_step(images, settings, monkeypatch):
    """Masks change every second step of the ramp; pruned weights never come back."""
    network, measured, active = tiny.network(images), [], []
    monkeypatch.setattr(pruning, "fit", watched(network, measured, active))
    climb_to(network, images, 0.5, settings=settings)
    climb_to(network, images, 0.8, settings=settings)
    requested = []
    for start, end in [(0.0, 0.5), (0.5, 0.8)]:
        for step in range(1, 10):
            done = min(step // 2 * 2, 6) / 6
            requested.append(end + (start - end) * (1 - done) ** 3)
    assert measured == pytest.approx(requested, abs=0.005)
    for before, after in zip(active, active[1:], strict=False):
        assert not (after & ~before).any()
    assert (measured[8], measured[-1]) == pytest.approx((0.5, 0.8), abs=0.005)


def watched(network, measured, active):
    """Return `fit` with a look at the effective weights after each step."""
    fit = pruning.fit

    def watch(*arguments, after_step, **options):
        def both(step):
            after_step(step)
            body = network.settled(1).body
            names = network.ownership.room()
            weights = torch.cat([body.get_parameter(name).flatten() for name in names])
            measured.append(float((weights == 0).double().mean()))
            active.append(weights != 0)

        return fit(*arguments, after_step=both, **options)

    return watch


def test_a_level_trains_at_its_own_rate_and_length(images):
    rows = climb_to(tiny.network(images), images, 0.5, settings=replace(tiny.ADAMW, min_steps=99))
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert {row["learning_rate"] for row in rows} == {0.001}


@pytest.mark.parametrize("ramp", [1, 2, 50])
def test_the_sparsity_is_reached_whatever_the_ramp(images, ramp):
    network = tiny.network(images)
    settings = replace(tiny.PRUNING, ramp_epochs=ramp, update_every=4)
    climb(network, images, 0.6, pruning=settings, training=tiny.ADAMW, seed=3)
    assert network.ownership.sparsity() == pytest.approx(0.6, abs=0.005)


@pytest.mark.parametrize("epochs", [1, 2])
def test_a_resumed_level_ends_with_the_same_bits(images, epochs, tmp_path):
    undisturbed = tiny.network(images)
    climb_to(undisturbed, images, 0.5)
    start = tiny.snapshot(undisturbed)
    expected = climb_to(undisturbed, images, 0.8)

    path = tmp_path / "level.pt"
    cut = tiny.network(images)
    cut.load_state_dict(start)
    with pytest.raises(Interrupted):
        climb_to(cut, images, 0.8, resume=InterruptedResume(path, after=epochs))
    resumed = tiny.network(images)
    resumed.load_state_dict(start)
    rows = climb_to(resumed, images, 0.8, resume=ResumeFile(path, "key"))
    assert tiny.timeless(rows) == tiny.timeless(expected)
    assert tiny.same_state(tiny.snapshot(resumed), tiny.snapshot(undisturbed))


# the choice

FOOD_CONTAINERS = {
    **{0.0: 0.742, 0.1: 0.738, 0.2: 0.742, 0.3: 0.740, 0.4: 0.746, 0.5: 0.736},
    **{0.6: 0.744, 0.7: 0.726, 0.8: 0.732, 0.9: 0.694, 0.95: 0.670},
}


def test_the_published_choice_of_a_sparsity():
    """Pick-a-back, CIFAR-100 food_containers: baseline .718 and allowed loss .001 give 0.8."""
    assert highest_sparsity(FOOD_CONTAINERS, baseline=0.718, allowed_loss=0.001) == 0.8


@pytest.mark.parametrize(
    ("baseline", "allowed_loss", "sparsity"),
    [
        (0.718, 0.024, 0.9),  # 0.694, exactly as much as is allowed
        (0.718, 0.0239, 0.8),
        (0.743, 0.0, 0.6),  # a higher level may be good where a lower one is not
        (0.718, 1.0, 0.95),
    ],
)
def test_the_allowed_loss_decides(baseline, allowed_loss, sparsity):
    found = highest_sparsity(FOOD_CONTAINERS, baseline=baseline, allowed_loss=allowed_loss)
    assert found == sparsity


def test_if_no_level_is_good_enough_the_dense_model_is_taken():
    """Not the highest sparsity: a backbone that lost what it knew is no backbone."""
    assert highest_sparsity(FOOD_CONTAINERS, baseline=0.9, allowed_loss=0.01) == DENSE == 0.0
    assert highest_sparsity({0.5: 0.3, 0.9: 0.4}, baseline=0.9, allowed_loss=0.01) == DENSE


@given(st.dictionaries(st.sampled_from([0.1, 0.5, 0.8, 0.9]), fraction), fraction, fraction)
def test_the_choice_is_the_highest_of_those_above_the_bar(accuracies, baseline, allowed_loss):
    chosen = highest_sparsity(accuracies, baseline=baseline, allowed_loss=allowed_loss)
    assert chosen == DENSE or accuracies[chosen] >= baseline - allowed_loss - 1e-6
    assert all(
        accuracy <= baseline - allowed_loss + 1e-6
        for sparsity, accuracy in accuracies.items()
        if sparsity > chosen
    )
