"""The training loop: repeatable, resumable, and it learns."""

import time
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest
import tiny
import torch
from interruption import Interrupted, InterruptedResume

from crossback_core.data.contents import joined
from crossback_core.data.task_file import Split
from crossback_core.learning import training
from crossback_core.learning.evaluation import split_logits
from crossback_core.learning.training import (
    StepDecay,
    epoch_count,
    fit,
    step_count,
    steps_per_epoch,
    weight_optimisation,
)
from crossback_core.storage.resume import ResumeFile

BF16 = replace(tiny.ADAMW, precision="bfloat16")
ROW = {"epoch", "loss", "learning_rate", "train_accuracy", "validation_accuracy", "seconds"}
SETTINGS = {"adamw": tiny.ADAMW, "sgd": tiny.SGD, "bfloat16": BF16}


@pytest.fixture(params=["images", "texts"])
def data(request):
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_training_learns_the_task(data, settings):
    long = replace(settings, learning_rate=0.01, weight_decay=1e-4, epochs=30, flip=False, shift=0)
    network = tiny.network(data)
    rows = tiny.train(network, data, long)
    assert [row["epoch"] for row in rows] == list(range(1, 31))
    assert all(row.keys() == ROW and row["seconds"] > 0 for row in rows)
    assert rows[-1]["loss"] < 0.1 < rows[0]["loss"]
    assert rows[-1]["train_accuracy"] == 1.0
    assert rows[-1]["validation_accuracy"] >= 0.8


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_one_seed_one_result_bit_for_bit(data, settings):
    outcomes = []
    for seed in (3, 3, 4):
        network = tiny.network(data)
        torch.manual_seed(seed * 1000 + len(outcomes))  # what went before must not matter
        rows = tiny.train(network, data, settings, seed=seed)
        outcomes.append((tiny.timeless(rows), tiny.snapshot(network)))
    assert outcomes[0][0] == outcomes[1][0] != outcomes[2][0]
    assert tiny.same_state(outcomes[0][1], outcomes[1][1])
    assert not tiny.same_state(outcomes[0][1], outcomes[2][1])


def test_short_epochs_are_validated_now_and_then(images, monkeypatch):
    """12 samples in batches of 4: three steps an epoch, so every fourth or third looks."""
    measured: list[int] = []
    monkeypatch.setattr(
        training, "split_accuracy", lambda *_: measured.append(len(measured)) or len(measured) / 10
    )
    settings = replace(tiny.ADAMW, epochs=9, batch_size=4)
    looked = [
        row["validation_accuracy"] for row in tiny.train(tiny.network(images), images, settings)
    ]
    assert looked == [0.1, 0.1, 0.1, 0.2, 0.2, 0.2, 0.3, 0.3, 0.4]


def test_every_seed_has_streams_of_its_own():
    """PyTorch reads 32 bits of a seed and ignores those above, without a word."""
    orders = {
        tuple(torch.randperm(99, generator=training._seed_epoch(seed, epoch)).tolist())
        for seed in (0, 1, 4096, 4097, 8192, 2**31, 2**32 - 1)
        for epoch in range(8)
    }
    assert len(orders) == 7 * 8


def test_every_epoch_sees_every_sample_in_an_order_of_its_own(data, monkeypatch):
    seen: list[int] = []
    inputs = Split.inputs

    def watched(split: Split, rows: torch.Tensor | slice = slice(None)):
        if isinstance(rows, torch.Tensor):  # evaluation reads whole splits
            seen.extend(rows.tolist())
        return inputs(split, rows)

    monkeypatch.setattr(Split, "inputs", watched)
    tiny.train(tiny.network(data), data)
    orders = [seen[start : start + 12] for start in (0, 12, 24)]
    assert all(sorted(order) == list(range(12)) for order in orders) and len(seen) == 36
    assert len({tuple(order) for order in [*orders, range(12)]}) == 4


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_a_resumed_training_ends_with_the_same_bits(data, settings, tmp_path):
    undisturbed = tiny.network(data)
    expected = tiny.train(undisturbed, data, settings)

    path = tmp_path / "training.pt"
    with pytest.raises(Interrupted):
        tiny.train(tiny.network(data), data, settings, resume=InterruptedResume(path, after=2))
    resumed = tiny.network(data, seed=99)  # all of its values come from the file
    rows = tiny.train(resumed, data, settings, resume=ResumeFile(path, "key"))
    assert tiny.timeless(rows) == tiny.timeless(expected)
    assert rows[:2] == ResumeFile(path, "key").load()["rows"][:2]
    assert tiny.same_state(tiny.snapshot(resumed), tiny.snapshot(undisturbed))


GONE = object()


def altered(held, place, new):
    """Return nested values with one of them changed or left out."""
    if not place:
        return new(held) if callable(new) else new
    first, *below = place
    parts = dict(enumerate(held)) if isinstance(held, list) else dict(held)
    parts[first] = altered(parts.get(first), below, new)
    parts = {key: part for key, part in parts.items() if part is not GONE}
    return [*parts.values()] if isinstance(held, list) else parts


OPTIMIZER, SCHEDULE = (["optimisations", 0, part] for part in ("optimizer", "schedule"))


@pytest.mark.parametrize(
    ("place", "new"),
    [
        ([], {}),
        (["rows"], GONE),
        (["rows"], []),
        (["rows"], lambda rows: rows * 2),
        (["rows", 1, "epoch"], 3),
        (["rows", 0, "loss"], float("nan")),
        (["rows", 0, "loss"], "low"),
        (["rows", 1], GONE),
        (["network"], []),
        (["network", "heads.0.bias"], GONE),
        (["network", "heads.0.bias"], torch.zeros(7)),
        (["network", "heads.0.bias"], torch.full((2,), torch.nan)),
        (["optimisations"], []),
        (["optimisations", 0], None),
        ([*OPTIMIZER, "state", 0], {}),
        ([*OPTIMIZER, "state", 0, "exp_avg"], lambda value: value[1:]),
        ([*OPTIMIZER, "state", 99], {}),
        ([*OPTIMIZER, "param_groups"], []),
        ([*OPTIMIZER, "param_groups", 0, "lr"], "fast"),
        ([*OPTIMIZER, "param_groups", 0, "params"], lambda numbers: numbers[1:]),
        (SCHEDULE, {}),
        ([*SCHEDULE, "step"], 1),
        ([*SCHEDULE, "last_epoch"], 7),
    ],
)
def test_a_state_with_other_contents_starts_the_training_again(
    images, place, new, tmp_path, caplog
):
    """Its key is right: whatever wrote it, no training ends with a KeyError or half of a state."""
    resume = ResumeFile(tmp_path / "training.pt", "key")
    with pytest.raises(Interrupted):
        tiny.train(tiny.network(images), images, resume=InterruptedResume(resume.path, after=2))
    resume.save(altered(resume.load(), place, new))
    restarted, undisturbed = tiny.network(images), tiny.network(images)
    rows = tiny.train(restarted, images, resume=resume)
    assert tiny.timeless(rows) == tiny.timeless(tiny.train(undisturbed, images))
    assert tiny.same_state(tiny.snapshot(restarted), tiny.snapshot(undisturbed))
    assert "the state that was kept does not fit" in caplog.text


def test_a_finished_training_is_not_repeated(images, tmp_path: Path):
    network = tiny.network(images)
    resume = ResumeFile(tmp_path / "training.pt", "key")
    rows = tiny.train(network, images, resume=resume)
    before = resume.path.read_bytes()
    again = tiny.network(images, seed=99)
    assert tiny.train(again, images, resume=resume) == rows
    assert tiny.same_state(tiny.snapshot(again), tiny.snapshot(network))
    assert resume.path.read_bytes() == before


@pytest.mark.parametrize(("logit", "loss"), [("nan", "nan"), ("-inf", "inf")])
def test_a_loss_that_is_not_finite_is_an_error(images, logit, loss):
    network = tiny.network(images)
    with torch.no_grad():
        network.heads[0].bias[0] = float(logit)
    one_step = replace(tiny.ADAMW, batch_size=12)  # a second one would make infinity to nan
    with pytest.raises(ValueError, match=rf"loss became {loss} in epoch 1: lower .* \(now 0\.0"):
        tiny.train(network, images, one_step)


def test_the_loss_of_an_epoch_is_the_mean_over_its_samples(images):
    """Batches of 5, 5 and 2, and a rate that moves nothing."""
    network = tiny.network(images, settings=replace(tiny.MODEL, dropout=0.0))
    logits = split_logits(network.settled(images.task), images.train)
    still = replace(tiny.ADAMW, learning_rate=1e-9, flip=False, shift=0)
    row = tiny.train(network, images, still)[0]
    expected = torch.nn.functional.cross_entropy(logits, images.train.labels)
    assert row["loss"] == pytest.approx(float(expected), rel=1e-4)


def test_only_the_newest_task_is_trained(images, texts):
    with pytest.raises(ValueError, match="data of task 1, but task 2 is trained"):
        tiny.train(tiny.network(images, texts), images)


def test_the_hook_sees_every_step(images):
    seen = []
    network = tiny.network(images)
    weights = weight_optimisation(network.trainable_parameters(), tiny.SGD, 9)
    fit(network, images, tiny.SGD, [weights], seed=0, label="test", after_step=seen.append)
    assert seen == list(range(1, 10))  # 3 epochs of 5, 5 and 2 samples


@pytest.mark.parametrize(
    ("train", "batch", "epochs", "min_steps", "counts"),
    [
        (12, 6, 3, 6, (2, 3, 6)),  # long enough already
        (12, 6, 3, 7, (2, 4, 8)),  # whole epochs
        (12, 32, 3, 300, (1, 300, 300)),
    ],
)
def test_a_small_task_trains_for_the_least_number_of_steps(train, batch, epochs, min_steps, counts):
    data = tiny.task_data("1", "image", train=train)
    settings = replace(tiny.ADAMW, batch_size=batch, epochs=epochs, min_steps=min_steps)
    found = (count(data, settings) for count in (steps_per_epoch, epoch_count, step_count))
    assert tuple(found) == counts


def rates(settings, steps: int) -> list[float]:
    """Return the learning rate of every step."""
    optimisation = weight_optimisation(iter([torch.nn.Parameter(torch.zeros(1))]), settings, steps)
    found = []
    for _ in range(steps):
        found.append(optimisation.optimizer.param_groups[0]["lr"])
        optimisation.optimizer.step()
        optimisation.schedule.step()
    return found


def test_step_decay_by_hand():
    """The published set-up: times 0.1 after half and four fifths of the run."""
    expected = [0.05] * 5 + [0.005] * 3 + [0.0005] * 2
    assert rates(tiny.SGD, 10) == pytest.approx(expected)
    assert rates(replace(tiny.SGD, schedule="constant"), 10) == [0.05] * 10


def test_one_cycle_by_hand():
    """From 1/25 of the rate up to it in 30 % of the run, then down to 1/250000, as cosines."""
    found = rates(replace(tiny.ADAMW, learning_rate=1.0), 20)
    assert (found[0], found[5], found[19]) == pytest.approx((1 / 25, 1.0, 1 / 25 / 10000))
    assert found[:6] == sorted(found[:6]) and found[5:] == sorted(found[5:], reverse=True)
    assert found[12] == pytest.approx((1 + 1 / 250000) / 2, abs=1e-6)  # half way down


def test_a_stop_ends_the_rate():
    rate = StepDecay([5.0], 0.2, stop=7.0)
    assert [rate(step) for step in (0, 4, 5, 6, 7, 100)] == pytest.approx([1, 1, 0.2, 0.2, 0, 0])


@pytest.mark.parametrize(
    ("settings", "kind", "options"),
    [
        (tiny.SGD, torch.optim.SGD, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
        (replace(tiny.SGD, momentum=0.0), torch.optim.SGD, {"momentum": 0.0, "nesterov": False}),
        (tiny.ADAMW, torch.optim.AdamW, {"weight_decay": 0.1}),
    ],
)
def test_the_optimiser_is_the_one_configured(settings, kind, options):
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = weight_optimisation(iter([parameter]), settings, 10).optimizer
    assert type(optimizer) is kind
    assert options.items() <= optimizer.param_groups[0].items()


def test_keeping_the_state_of_a_training_takes_little_of_its_time(images, monkeypatch):
    """On a disk so slow that one state takes as long as many epochs."""
    monkeypatch.setattr(training, "SAVING", 0.01)
    slow = Mock(load=lambda: None, save=Mock(side_effect=lambda state: time.sleep(0.2)))
    tiny.train(tiny.network(images), images, resume=slow)  # three epochs, far below 20 seconds
    assert slow.save.call_count == 1


def test_a_training_is_remembered_before_it_ends(data, monkeypatch):
    """Whatever trains a network goes through `fit`, so no stage can forget it."""
    network = tiny.network(data)
    monkeypatch.setattr(training, "_train_epoch", Mock(side_effect=Interrupted))
    with pytest.raises(Interrupted):
        tiny.train(network, data)
    assert network.seen == [data.seen] and data.seen is not None
    more = replace(data, train=data.test)
    with pytest.raises(Interrupted):
        tiny.train(network, more)
    assert network.seen == [joined(data.seen, more.seen)]
    with pytest.raises(Interrupted):
        tiny.train(network, replace(data, train=replace(data.train, contents=None)))
    assert network.seen == [None], "some of them are not known"
