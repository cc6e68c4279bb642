"""Evaluation and prediction change nothing of a network."""

from dataclasses import replace

import pytest
import tiny
import torch
from sklearn import metrics

from crossback_core.learning import evaluation
from crossback_core.learning.evaluation import (
    accuracy,
    balanced_accuracy,
    confusion,
    majority_accuracy,
    predict_logits,
    split_features,
    split_logits,
    split_observed,
    warn_of_seen,
)


def test_evaluation_changes_nothing(texts):
    network = tiny.network(texts).train()
    before = tiny.snapshot(network)
    first, again = tiny.logits_of(network, texts, texts)
    assert torch.equal(first, again) and not first.requires_grad
    assert tiny.same_state(before, tiny.snapshot(network))
    assert all(each.training for each in (*network.modules(), *network.ownership.body.modules()))
    assert all(parameter.grad is None for parameter in network.parameters())


@pytest.mark.parametrize("data", ["images", "texts"])
def test_batches_are_joined_in_order(data, request, monkeypatch):
    data = request.getfixturevalue(data)
    model = tiny.network(data).settled(data.task)
    whole = split_logits(model, data.train)
    monkeypatch.setattr(evaluation, "BATCH", 5)  # 12 samples: 5, 5 and 2
    parts = split_logits(model, data.train)
    assert torch.allclose(parts, whole, atol=1e-6)
    assert whole.std(dim=0).min() > 1e-4, "rows differ, so their order shows"


def test_as_many_masks_as_inputs_are_needed(texts, monkeypatch):
    monkeypatch.setattr(evaluation, "BATCH", 4)
    values, mask = texts.train.inputs()
    with pytest.raises(ValueError, match="12 inputs, but the mask is of 8"):
        predict_logits(tiny.network(texts).settled(texts.task), values, mask[:8])


def test_one_logit_that_is_no_number_is_enough(texts):
    model = tiny.network(texts).settled(texts.task)
    with torch.no_grad():
        model.head.bias[0] = torch.nan
    with pytest.raises(ValueError, match="logits that are NaN or infinite for 6 of 6 inputs"):
        split_logits(model, texts.test)


def test_accuracy_by_hand():
    logits = torch.tensor([[1.0, 2.0], [3.0, 0.0], [0.0, -1.0], [0.5, 0.6]])
    assert accuracy(logits, torch.tensor([1, 0, 1, 0])) == 0.5
    assert accuracy(logits, torch.tensor([1, 0, 0, 1])) == 1.0


def test_copies_inside_the_data_are_counted_and_logged_but_stop_nothing(images, caplog):
    network = tiny.network(images)
    network.remember(images.seen)
    warn_of_seen(network, images)
    warn_of_seen(network, replace(images, test=replace(images.test, contents=None)))
    assert caplog.text == ""
    copied = images.train.contents[:2] + images.test.contents[2:]
    warn_of_seen(network, replace(images, test=replace(images.test, contents=copied)))
    assert "2 of 6 test samples of task 1 are copies of samples" in caplog.text


@pytest.mark.parametrize("data", ["images", "texts"])
def test_several_bodies_share_one_reading(data, request, monkeypatch):
    data = request.getfixturevalue(data)
    models = [tiny.network(data, seed=seed).settled(data.task) for seed in (0, 1)]
    others = [model.reading_through(models[0]) for model in models]
    monkeypatch.setattr(evaluation, "BATCH", 5)  # 12 samples: 5, 5 and 2
    reads = []
    models[0].input.register_forward_hook(lambda *_: reads.append(1))
    found = split_observed(models[0], data.train, others=[models[1].body])
    assert len(reads) == 3
    for (features, *_), model in zip(found, others, strict=True):
        assert torch.equal(features, split_features(model, data.train))


def test_rows_are_true_classes_and_classes_weigh_alike():
    """Ten of one class, two of another, none of the third, as which one is taken."""
    labels = torch.tensor([0] * 10 + [1] * 2)
    taken = torch.tensor([0] * 9 + [1, 1, 2])
    counts = confusion(torch.eye(3)[taken], labels)
    assert counts.tolist() == metrics.confusion_matrix(labels, taken, labels=[0, 1, 2]).tolist()
    assert balanced_accuracy(counts) == pytest.approx((9 / 10 + 1 / 2) / 2)


def test_the_most_frequent_class_is_guessed_and_equals_are_averaged():
    """Training samples 5, 5 and 2 of three classes; test samples 3, 1 and 2."""
    data = tiny.task_data("1", "image", classes=3, train=12, held_out=6)
    samples = torch.tensor([0] * 5 + [1] * 5 + [2] * 2)
    tested = torch.tensor([0, 0, 0, 1, 2, 2])
    uneven = replace(
        data, train=replace(data.train, labels=samples), test=replace(data.test, labels=tested)
    )
    assert majority_accuracy(uneven) == pytest.approx((3 / 6 + 1 / 6) / 2)
    alone = replace(uneven, train=replace(data.train, labels=samples.clamp(max=1)))
    assert majority_accuracy(alone) == pytest.approx(1 / 6)
