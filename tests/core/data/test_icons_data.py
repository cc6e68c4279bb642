"""The data set that ships with the repository reads whole and splits well."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd
import pytest
from miniatures import index_of, settings_of

from crossback_core.data import load_index, make_task, save_index
from crossback_core.data.index import FRACTIONS
from crossback_core.data.settings import SPLITS

RAW = Path(__file__).parents[3] / "data" / "icons"
SETTINGS = settings_of("icons")


@pytest.fixture(scope="module")
def icons() -> pd.DataFrame:
    return index_of(RAW, SETTINGS)


def test_its_index_is_sound_on_disk(icons, tmp_path):
    save_index(icons, tmp_path / "index.csv")
    assert load_index(tmp_path / "index.csv").equals(icons)


def test_its_splits_stay(icons):
    lines = "\n".join(sorted(icons["id"] + "," + icons["split"]))
    expected = "34c88cb6a1e81b631598b6247950615c9e0e17b320dba6ded01424661755e92b"
    assert hashlib.sha256(lines.encode()).hexdigest() == expected


def test_its_classes_come_near_the_fractions(icons):
    counts = icons.groupby(["modality", "task", "class"])["split"].value_counts()
    counts = counts.unstack()[list(SPLITS)]
    deviation = (counts.div(counts.sum(axis=1), axis=0) - list(FRACTIONS)).abs()
    # A gloss is a group of its own; an icon set holds pictures of many classes.
    assert deviation.loc["text"].max().max() < 0.02
    assert deviation.loc["image"].mean().mean() < 0.03
    assert counts.min().min() >= 4


def test_its_tasks_can_be_made(icons):
    for numbers in ([15], range(29, 39), range(39, 48)):
        members = tuple(map(str, numbers))
        sizes = {"members": members, "train_per_class": 10}
        data = make_task(icons, RAW, settings=SETTINGS, task="101", seed=0, **sizes)[0]
        assert len(data.classes) == 5 * len(members)
        assert data.train.labels.bincount().tolist() == [10] * len(data.classes)
