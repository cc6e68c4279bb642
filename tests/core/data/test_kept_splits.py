"""Groups that have a split keep it, and the others are dealt around them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_index import fractions_of, frame_of, samples

from crossback_core.data.deal import NOWHERE, deal
from crossback_core.data.index import add_splits, check_index, family_of, split_by_group
from crossback_core.data.settings import SPLITS


def places_of(frame: pd.DataFrame, split: pd.Series) -> dict[str, str]:
    """Return the split of each group."""
    return dict(zip(frame["group"], split, strict=True))


def singles(name: str, numbers: range, task: int = 1) -> list[tuple[int, str, str]]:
    """Return samples that are groups of their own."""
    return [(task, name, f"{name}{n}") for n in numbers]


@settings(max_examples=20, deadline=None)
@given(samples(), st.data())
def test_kept_groups_stay_and_the_order_of_rows_does_not_matter(frame, data):
    groups = sorted(frame["group"].unique())
    kept = data.draw(st.dictionaries(st.sampled_from(groups), st.sampled_from(SPLITS)))
    split = split_by_group(frame, seed=1, kept=kept | {"gone": "train"})
    places = places_of(frame, split)
    assert kept == {group: places[group] for group in kept}
    order = data.draw(st.permutations(list(frame.index)))
    again = split_by_group(frame.loc[order], seed=1, kept=dict(reversed(kept.items())))
    assert again.loc[frame.index].equals(split)


@settings(max_examples=10, deadline=None)
@given(samples())
def test_kept_groups_that_do_not_occur_change_nothing(frame):
    split = split_by_group(frame, seed=2, kept={"gone": "test"})
    assert split.equals(split_by_group(frame, seed=2))


def test_new_groups_go_where_kept_ones_lack_them():
    kept = {f"a{n}": "train" for n in range(6)}
    split = split_by_group(frame_of(singles("a", range(10))), seed=0, kept=kept)
    assert sorted(split[6:]) == ["test", "test", "validation", "validation"]


def test_only_new_groups_fill_an_empty_split():
    kept = {"a0": "train", "a1": "train", "a2": "validation"}
    frame = frame_of([*singles("a", range(4)), *[(1, "a", "a2")] * 9])
    # Nearest to the fractions would be training: validation already has most of the samples.
    assert places_of(frame, split_by_group(frame, seed=0, kept=kept)) == kept | {"a3": "test"}


def test_a_group_that_fills_an_empty_split_leaves_none():
    """The first that goes for one class counts when another class looks for a group."""
    sizes = {"a a0": 2, "a a1": 2, "a a2": 3, "b b0": 1, "b b1": 3, "a p": 2, "b p": 1}
    frame = frame_of([(1, *name.split()) for name, size in sizes.items() for _ in range(size)])
    kept = {"a0": "test", "a2": "test", "b0": "validation"}
    split = split_by_group(frame, fractions=(0.8, 0.1, 0.1), seed=0, kept=kept)
    assert split.groupby(frame["class"]).nunique().to_dict() == {"a": 3, "b": 3}


def test_what_is_kept_is_not_written_into():
    places = np.array([2, NOWHERE, NOWHERE])
    deal(np.ones((3, 1)), places, np.array([0.6, 0.2, 0.2]), np.random.default_rng(0))
    assert places.tolist() == [2, NOWHERE, NOWHERE]


def test_a_new_class_beside_kept_ones_is_split_as_exactly_as_groups_allow():
    kept = {f"a{n}": "train" for n in range(20)}
    rows = singles("a", range(20)) + singles("b", range(43))
    pairs = [row for n in range(43) for row in ((1, "c", f"pair{n}"), (2, "c", f"pair{n}"))]
    frame = frame_of(rows + pairs)
    deviation = fractions_of(frame, split_by_group(frame, seed=0, kept=kept)) - [0.2, 0.6, 0.2]
    assert deviation.drop(index=("1", "a")).abs().max().max() * 43 < 1


def test_a_split_that_there_is_not_cannot_be_kept():
    message = "group a1 cannot keep split 'dev': the splits are train, validation, test"
    with pytest.raises(ValueError, match=message):
        split_by_group(frame_of(singles("a", range(4))), seed=0, kept={"a1": "dev"})


@settings(max_examples=10, deadline=None)
@given(samples(), st.sampled_from([["n1"], ["n1", "n2"], ["n1", "p"]]))
def test_a_class_of_too_few_groups_changes_no_other(frame, groups):
    wider = pd.concat([frame, frame_of([(2, "few", group) for group in groups])])
    wider = wider.reset_index(drop=True)
    split = split_by_group(wider, seed=1)
    assert split[: len(frame)].equals(split_by_group(frame, seed=1))
    assert split[len(frame) :].nunique() == len(groups) or "p" in set(frame["group"])


def test_a_class_without_a_split_that_its_groups_cannot_give_is_named():
    rows = frame_of(singles("a", range(5)))
    kept = {f"a{n}": "train" for n in range(4)}
    words = "class a of task 1 has no sample in split {}: add samples .* got their splits earlier"
    with pytest.raises(ValueError, match=words.format("test")):
        check_index(add_splits(rows, seed=0, kept=kept))
    with pytest.raises(ValueError, match=words.format("validation")):
        check_index(rows.assign(split=["train", "test"] + ["train"] * 3))


def test_parts_that_the_data_set_fixes_go_before_what_is_kept():
    rows = frame_of(singles("a", range(20)))
    fixed = rows.assign(part=["train"] * 10 + ["validation"] * 5 + ["test"] * 5)
    kept = {f"a{n}": "test" for n in range(20)}
    assert list(add_splits(fixed, seed=0, kept=kept)["split"]) == list(fixed["part"])

    rest = rows.assign(part=["test"] * 5 + [""] * 15)
    counts = add_splits(rest, seed=0)["split"].value_counts().to_dict()
    assert counts == {"train": 11, "test": 5, "validation": 4}, "a fifth of all, not of the rest"
    kept = {"a0": "train", "a5": "validation", "a6": "validation", "a7": "train"}
    places = places_of(rows, add_splits(rest, seed=0, kept=kept)["split"])
    assert kept.items() - places.items() == {("a0", "train")}
    # A group that was in the test is dealt as if it were new.
    tested = {f"a{n}": "test" for n in range(5, 20)}
    assert add_splits(rest, seed=0, kept=tested).equals(add_splits(rest, seed=0))


def test_a_family_is_all_tasks_that_share_groups():
    rows = [(3, "x"), (1, "p"), (2, "q"), (2, "p"), (4, "q"), (1, "own"), (5, "x"), (6, "y")]
    frame = pd.DataFrame(rows, columns=["task", "group"]).astype({"task": str})
    for task, family in ((4, [1, 2, 3, 4, 5]), (5, [0, 6]), (6, [7])):
        assert list(family_of(frame, str(task)).index) == family
    with pytest.raises(ValueError, match="unknown task '7'; known: 3, 1, 2, 4, 5, 6"):
        family_of(frame, "7")
