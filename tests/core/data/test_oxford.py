"""Oxford-102 flowers in its published layout: fixed groups, the published test part, captions."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from miniatures import index_of, make_oxford, settings_of, task_of
from scipy.io import savemat

from crossback_core.data.kinds.oxford import read_index
from crossback_core.data.paired import draw_test

SETTINGS = settings_of("oxford", groups=2)
PUBLISHED = settings_of("oxford", groups=6, classes_per_group=4, max_skipped=1.0)
TRAIN = [458, 459, 462, 462, 460, 465]
TEST = [117, 117, 118, 118, 117, 118]


@pytest.fixture
def raw(tmp_path):
    return make_oxford(tmp_path / "oxford")


@pytest.fixture
def published(tmp_path, monkeypatch):
    """Labels as published, as if all images and captions were there."""
    for name in ("file_problem", "caption_problem"):
        monkeypatch.setattr(f"crossback_core.data.paired.{name}", lambda path: "")
    return make_oxford(tmp_path / "oxford", published=True)


def test_groups_are_the_published_classes(raw):
    index = index_of(raw, SETTINGS)
    names = index.groupby("task")["class"].unique().map(list).to_dict()
    first, second = (
        [f"class_{kind:05}" for kind in group] for group in ((51, 72, 82, 60), (77, 65, 58, 56))
    )
    assert names == {"1": first, "2": second, "3": first, "4": second}
    labels = np.repeat([1, 51, 72, 82, 60, 77, 65, 58, 56], 10)
    for name, source in zip(index["class"], index["source"], strict=True):
        number = int(Path(source).stem.removeprefix("image_"))
        assert name == f"class_{labels[number - 1]:05}"


def test_the_split_is_as_published_with_a_fifth_for_validation(published):
    index = index_of(published, PUBLISHED, seed=5)
    tests, totals = Counter(index[index["split"] == "test"]["task"]), Counter(index["task"])
    assert [tests[str(task)] for task in range(1, 13)] == TEST * 2
    assert [totals[str(task)] - tests[str(task)] for task in range(1, 13)] == TRAIN * 2
    shares = index.groupby(["task", "class"])["split"].value_counts(normalize=True).unstack()
    assert (shares["validation"] - 0.2).abs().max() < 0.01


def test_the_test_part_is_the_same_for_every_seed_and_the_rest_is_not(raw):
    one, two = (index_of(raw, SETTINGS, seed=seed) for seed in (0, 1))
    assert set(one[one["split"] == "test"]["id"]) == set(two[two["split"] == "test"]["id"])
    assert not one.equals(two)


def test_other_counts_than_published_are_refused_with_both(raw):
    make_oxford(raw, groups=6)
    words = r"\[40, 40, 40, 40, 40, 40\] in the data, \[575, 576, 580, 580, 577, 583\] as published"
    with pytest.raises(ValueError, match=words):
        read_index(raw, PUBLISHED)


def test_smaller_sizes_can_be_asked_for_but_not_larger_ones(raw):
    samples = read_index(raw, replace(SETTINGS, groups=1, classes_per_group=2, samples_per_class=5))
    assert samples.groupby(["task", "class"]).size().tolist() == [5, 5, 5, 5]
    assert set(samples["class"]) == {"class_00051", "class_00072"}
    with pytest.raises(ValueError, match="classes_per_group: 5 are asked for"):
        read_index(raw, replace(SETTINGS, classes_per_group=5))
    with pytest.raises(ValueError, match=r"imagelabels\.mat has no image of class 46"):
        read_index(raw, replace(SETTINGS, groups=3))


def test_tasks_can_be_made(raw, encoder):
    settings = replace(SETTINGS, encoder=encoder)
    index = index_of(raw, settings)
    for task, shape in (("2", (24, 3, 32, 32)), ("4", (24, 16))):
        data, skipped = task_of(index, raw, settings, task)
        assert data.train.values.shape == shape and skipped.empty


def test_missing_labels_are_named(raw):
    (raw / "imagelabels.mat").unlink()
    with pytest.raises(FileNotFoundError, match=r"imagelabels\.mat does not exist"):
        read_index(raw, SETTINGS)


NOT_LABELS = r"imagelabels\.mat is not a MATLAB file with labels"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", NOT_LABELS),
        (b"MATLAB 5.0 MAT-file" + bytes(200), NOT_LABELS),
        ({"setid": np.ones((1, 4))}, NOT_LABELS),
        ({"labels": np.ones((4, 4), int)}, r"labels are int64 of \(4, 4\), not integers \(1, any"),
        ({"labels": np.ones((1, 4)) / 2}, "labels are float64 .* not integers"),
    ],
)
def test_labels_that_are_none_are_refused(raw, content, words):
    path = raw / "imagelabels.mat"
    path.write_bytes(content) if isinstance(content, bytes) else savemat(path, content)
    with pytest.raises(ValueError, match=words):
        read_index(raw, SETTINGS)


@pytest.mark.parametrize(
    ("count", "fraction", "less", "drawn"),
    [
        (16, 0.2, 0, 4),  # rounded up
        (100, 0.07, 0, 7),  # though 0.07 * 100 is a little more than 7
        (15, 0.2, 2, 1),
        (15, 0.2, 5, 0),  # it has more than wanted
    ],
)
def test_how_many_test_samples_are_drawn(count, fraction, less, drawn):
    assert len(draw_test(np.arange(count), fraction, stream=1, less=less)) == drawn
