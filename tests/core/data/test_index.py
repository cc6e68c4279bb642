"""Groups never straddle splits, and each class comes near 60/20/20."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossback_core.data import load_index, save_index
from crossback_core.data.index import COLUMNS, add_splits, check_index, split_by_group


def frame_of(rows: list[tuple[int, str, str]]) -> pd.DataFrame:
    """Return samples of (task, class, group)."""
    frame = pd.DataFrame(rows, columns=["task", "class", "group"]).astype({"task": str})
    frame["id"] = [f"s-{row}" for row in range(len(rows))]
    frame["source"] = "file"
    return frame.assign(modality="image")


def fractions_of(frame: pd.DataFrame, split: pd.Series) -> pd.DataFrame:
    """Return the fractions of each class, columns test, train, validation."""
    counts = frame.assign(split=split).groupby(["task", "class"])["split"].value_counts()
    counts = counts.unstack(fill_value=0)
    return counts.div(counts.sum(axis=1), axis=0)


@st.composite
def samples(draw) -> pd.DataFrame:
    """Draw classes of at least three groups of their own, and groups that span classes."""
    rows = []
    for task, name in draw(
        st.lists(st.tuples(st.integers(1, 3), st.sampled_from("abc")), min_size=1, unique=True)
    ):
        own = draw(st.lists(st.integers(1, 4), min_size=3, max_size=8))
        rows += [
            (task, name, f"{task}{name}{n}") for n, size in enumerate(own) for _ in range(size)
        ]
        rows += [(task, name, group) for group in draw(st.lists(st.sampled_from("pqrs")))]
    return frame_of(draw(st.permutations(rows)))


@settings(max_examples=25, deadline=None)
@given(samples(), st.integers(0, 3))
def test_no_group_straddles_and_every_class_is_in_every_split(frame, seed):
    split = split_by_group(frame, seed=seed)
    assert list(split.index) == list(frame.index)
    assert split.groupby(frame["group"]).nunique().max() == 1
    assert (split.groupby([frame["task"], frame["class"]]).nunique() == 3).all()


@settings(max_examples=10, deadline=None)
@given(samples(), st.randoms(use_true_random=False))
def test_the_split_depends_neither_on_row_order_nor_on_the_run(frame, random):
    split = split_by_group(frame, seed=1)
    order = list(frame.index)
    random.shuffle(order)
    assert split_by_group(frame.loc[order], seed=1).loc[frame.index].equals(split)


def test_another_seed_gives_another_split():
    frame = frame_of([(1, name, f"{name}{n}") for name in "ab" for n in range(20)])
    assert not split_by_group(frame, seed=0).equals(split_by_group(frame, seed=1))


@pytest.mark.parametrize("count", range(3, 60, 7))
@pytest.mark.parametrize("fractions", [(0.6, 0.2, 0.2), (0.5, 0.25, 0.25)])
def test_single_samples_are_split_as_exactly_as_whole_samples_allow(count, fractions):
    frame = frame_of([(1, name, f"{name}{n}") for name in "ab" for n in range(count)])
    split = split_by_group(frame, fractions=fractions, seed=0)
    wanted = dict(zip(("train", "validation", "test"), fractions, strict=True))
    deviation = fractions_of(frame, split) - pd.Series(wanted)
    assert deviation.abs().max().max() * count < 1


def test_pairs_of_modalities_are_split_exactly():
    rows = [(1, name, f"{name}{n}") for name in "ab" for n in range(60)]
    frame = frame_of(rows + [(2, *row[1:]) for row in rows for _ in range(10)])
    deviation = fractions_of(frame, split_by_group(frame, seed=0)) - [0.2, 0.6, 0.2]
    assert deviation.abs().max().max() < 1e-9


def test_groups_across_many_classes_come_near_the_fractions():
    random = np.random.default_rng(0)
    sizes = random.pareto(1.5, 120) + 0.3
    rows = []
    for name in range(40):
        groups = random.choice(120, size=60, p=sizes / sizes.sum())
        rows += [(1 + name // 5, f"class {name}", f"set {group}") for group in groups]
    frame = frame_of(rows)
    deviation = (fractions_of(frame, split_by_group(frame, seed=0)) - [0.2, 0.6, 0.2]).abs()
    assert deviation.mean().mean() < 0.02
    assert deviation.max().max() < 0.12


def test_a_class_of_three_samples_has_one_in_each_split():
    # Nearest to 60/20/20 would be two for training and none for the test.
    frame = frame_of([(1, "a", "x"), (1, "a", "y"), (1, "a", "z")])
    assert sorted(split_by_group(frame, seed=0)) == ["test", "train", "validation"]


@pytest.mark.parametrize("fractions", [(0.6, 0.4, 0.0), (0.6, 0.2, 0.3), (1.2, -0.1, -0.1)])
def test_wrong_fractions_are_refused(fractions):
    with pytest.raises(ValueError, match="are not positive shares that sum to 1"):
        split_by_group(frame_of([(1, "a", "x")]), fractions=fractions, seed=0)


# Two of the last four groups share a split, and some class has both of them and only one more.
CROSSED = {"a": "xyz", "b": "xyw", "c": "xzw", "d": "yzw"}


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        (
            {"fine": "xyzw", "small": "xyx"},
            r"class small of task 4 has 2 groups of samples, 3 splits need at least 3: leave ",
        ),
        (CROSSED, r"class [abcd] of task 4 has no sample in split \w+: add .*shared with other"),
    ],
)
def test_a_class_that_cannot_be_in_every_split_is_named(groups, words):
    rows = [(4, name, group) for name in groups for group in groups[name]]
    with pytest.raises(ValueError, match=words):
        check_index(add_splits(frame_of(rows), seed=0))
    assert set(split_by_group(frame_of(rows), seed=0)) == {"train", "validation", "test"}


@pytest.fixture
def sound() -> pd.DataFrame:
    rows = [(1, name, f"{name}é{n}") for name in ("null", "007") for n in range(5)]
    return add_splits(frame_of(rows), seed=0)


def test_an_index_comes_back_as_it_went(sound, tmp_path):
    save_index(sound, tmp_path / "index.csv")
    back = load_index(tmp_path / "index.csv")
    assert list(back.columns) == COLUMNS
    assert back.to_dict("records") == sound.to_dict("records")


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("id", "s-0", "sample s-0 is listed more than once"),
        ("class", "", "row 3 has no class"),
        ("group", None, "row 3 has no group"),
        ("source", "", "row 3 has no source"),
        ("modality", "sound", "unknown modality 'sound'; known: image, text"),
        ("modality", "text", "task 1 has more than one modality"),
        ("split", "dev", "split 'dev' is not one of train, validation, test"),
    ],
)
def test_a_wrong_value_in_an_index_is_named(sound, column, value, words):
    sound.loc[3, column] = value
    with pytest.raises(ValueError, match=words):
        check_index(sound)


def test_a_group_in_two_splits_is_named(sound):
    row = int(np.flatnonzero(sound["split"] == "test")[0])
    sound.loc[row, "group"] = sound["group"][sound["split"] == "train"].iloc[0]
    with pytest.raises(ValueError, match="has more than one split"):
        check_index(sound)


def test_a_class_without_a_split_is_named(sound):
    with pytest.raises(ValueError, match="class 007 of task 1 has no sample in split test: add "):
        check_index(sound[(sound["class"] == "null") | (sound["split"] != "test")])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("id\n", "task"),
        ("task,split\n", "missing columns: id, class, modality, group, source"),
        (",".join(COLUMNS) + "\n", "0 samples"),
        (",".join(COLUMNS) + "\ni,one,a,image,train,g,s\n", "one"),
        (",".join(name for name in COLUMNS if name != "split") + "\ni,1,a,image,g,s\n", "split"),
    ],
)
def test_a_damaged_index_file_is_named(tmp_path, content, words):
    (tmp_path / "index.csv").write_text(content)
    with pytest.raises(ValueError, match=words) as caught:
        load_index(tmp_path / "index.csv")
    assert "index.csv is not a sound index" in str(caught.value)
    assert "remove it and run again" in str(caught.value)
    (tmp_path / "index.csv").write_text("")
    with pytest.raises(ValueError, match=r"index\.csv is damaged .*cut off.*remove it and run"):
        load_index(tmp_path / "index.csv")
