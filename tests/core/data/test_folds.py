"""Training samples held out in turn."""

import pytest
import tiny
import torch

from crossback_core.data.folds import hold_out

FOLDS = 3


def in_pairs(data):
    """Two training samples make a group."""
    return {id_: f"group {number // 2}" for number, id_ in enumerate(data.train.ids)}


def parts(data, groups, *, seed=1):
    return [
        hold_out(data, groups, folds=FOLDS, fold=fold, seed=seed) for fold in range(1, FOLDS + 1)
    ]


@pytest.mark.parametrize("modality", ["image", "text"])
def test_each_training_sample_is_held_out_once(modality):
    data = tiny.task_data("1", modality, classes=3, train=24)
    made = parts(data, in_pairs(data))
    held_out = [id_ for each in made for id_ in each.validation.ids]
    assert sorted(held_out) == sorted(data.train.ids)
    for each in made:
        assert set(each.train.ids) | set(each.validation.ids) == set(data.train.ids)
        assert not set(each.train.ids) & set(each.validation.ids)
        assert each.test is data.test


def test_samples_keep_their_values_labels_and_contents():
    data = tiny.task_data("1", "image", train=12)
    made = hold_out(data, in_pairs(data), folds=FOLDS, fold=2, seed=1)
    rows = [data.train.ids.index(id_) for id_ in made.validation.ids]
    assert torch.equal(made.validation.values, data.train.values[rows])
    assert torch.equal(made.validation.labels, data.train.labels[rows])
    assert made.validation.contents == tuple(data.train.contents[row] for row in rows)


def test_a_group_stays_whole_and_classes_are_dealt_evenly():
    data = tiny.task_data("1", "image", train=24)
    groups = in_pairs(data)
    for each in parts(data, groups):
        assert not {groups[id_] for id_ in each.train.ids} & {
            groups[id_] for id_ in each.validation.ids
        }
        assert each.validation.labels.bincount().tolist() == [4, 4]


def test_a_class_that_one_part_would_take_away_is_refused():
    data = tiny.task_data("1", "image", train=12)
    together = {
        id_: "all of one" if label == 0 else id_
        for id_, label in zip(data.train.ids, data.train.labels.tolist(), strict=True)
    }
    with pytest.raises(ValueError, match=f"class {data.classes[0]} of task 1 has no training"):
        parts(data, together)


def test_a_sample_that_the_index_does_not_have_is_refused():
    data = tiny.task_data("1", "image")
    with pytest.raises(ValueError, match="is not in the index"):
        parts(data, {})
