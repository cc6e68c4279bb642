"""The memory of splits: whatever comes and goes, no group changes its split."""

from __future__ import annotations

import shutil
import tempfile
from collections import defaultdict
from pathlib import Path
from unittest import mock

import pandas as pd
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from test_index import frame_of

from crossback_core.data import deal
from crossback_core.data.index import FRACTIONS, add_splits, family_of
from crossback_core.data.settings import SPLITS
from crossback_core.data.split_memory import draw_name, kept_splits, remember

DRAW = "seed 2, 0.65 train, 0.15 validation, 0.2 test"
TASKS = ["images", "texts", "3"]
LARGEST = 3  # samples of a group


def test_a_draw_is_named_after_seed_and_fractions():
    assert draw_name(fractions=(0.65, 0.15, 0.2), seed=2) == DRAW
    assert draw_name(fractions=(1 - 0.2 - 0.2, 0.2, 0.2), seed=0).startswith("seed 0, 0.6 train,")


def rows_of(**splits: str) -> pd.DataFrame:
    return pd.DataFrame(list(splits.items()), columns=["group", "split"])


def test_a_memory_keeps_what_is_gone_and_other_draws(tmp_path):
    path = tmp_path / "new" / "1.csv"
    remember(path, rows_of(null="train", b="test"), DRAW)
    remember(path, rows_of(c="train").loc[[0, 0]], DRAW)
    remember(path, rows_of(b="train"), "seed 3")
    assert path.read_text().splitlines()[:2] == ["group,split,drawn_by", f'b,test,"{DRAW}"']
    assert kept_splits([path], DRAW) == {"null": "train", "b": "test", "c": "train"}
    assert kept_splits([path], "seed 3") == {"b": "train"}
    assert kept_splits([path, tmp_path / "none.csv"], "seed 4") == {}


@pytest.mark.parametrize("group", ['a,"b"', " x ", "NA", "1.0", "é\n2", "set:mdi"])
def test_groups_come_back_as_they_went(tmp_path, group):
    remember(tmp_path / "1.csv", rows_of(**{group: "test"}), DRAW)
    remember(tmp_path / "1.csv", rows_of(**{group: "test"}), DRAW)
    assert kept_splits([tmp_path / "1.csv"], DRAW) == {group: "test"}


def test_memories_that_disagree_are_named(tmp_path):
    first, second = tmp_path / "1.csv", tmp_path / "2.csv"
    remember(first, rows_of(a="train", b="test"), DRAW)
    remember(second, rows_of(c="train", b="train"), DRAW)
    with pytest.raises(ValueError, match=r"1\.csv has group b in split test and .*2\.csv in") as no:
        kept_splits([first, second], DRAW)
    assert "split train (seed 2, 0.65 train" in str(no.value)
    assert "remove one of the two files and run again (the splits are then drawn" in str(no.value)
    before = second.read_text()
    with pytest.raises(ValueError, match=r"group b is in another split than .*2\.csv remembers"):
        remember(second, rows_of(b="test"), DRAW)
    assert second.read_text() == before


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("group,split,drawn_by\na,train", r"1\.csv is damaged .*cut off"),
        ("", r"1\.csv is damaged .*cut off"),
        ("group,split\na,train\n", "its columns are group, split, not group, split, drawn_by"),
        ("group,split,drawn_by\na,train,x\n,test,x\n", "row 1 has no group"),
        ("group,split,drawn_by\na,dev,x\n", "split 'dev' is not one of train, validation, test"),
        ("group,split,drawn_by\na,test,x\na,train,x\n", "group a is listed more than once"),
    ],
)
def test_a_damaged_memory_is_named(tmp_path, content, words):
    path = tmp_path / "1.csv"
    path.write_text(content)
    for use in (lambda: kept_splits([path], "x"), lambda: remember(path, rows_of(b="test"), "x")):
        with pytest.raises(ValueError, match=words) as caught:
            use()
        assert "1.csv is" in str(caught.value)
        assert "remove it and run again" in str(caught.value)


class Growth(RuleBasedStateMachine):
    """Samples come and go; each time the indices of all tasks are made, in any order.

    Class "b" shares groups with the classes "b" of other tasks, class "a" shares none. Each comes
    with three groups of its own or more, which go only with the whole class: those that come later
    may also go by themselves.
    """

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.first: dict[tuple[str, str], list[str]] = {}  # a group for each sample
        self.later: dict[tuple[str, str], list[str]] = defaultdict(list)
        self.away: set[tuple[str, str]] = set()
        self.taken: dict[tuple[str, str], list[str]] = {}  # of those that came later
        self.shrunk: set[tuple[str, str]] = set()
        self.seen: dict[str, str] = {}
        self.groups = 0
        # The splits need not be good where groups are shared, and annealing takes long.
        self.patch = mock.patch.object(deal, "_STEPS_PER_GROUP", 20)
        self.patch.start()

    def teardown(self) -> None:
        """Leave nothing behind."""
        self.patch.stop()
        shutil.rmtree(self.folder)

    def own_groups(self, sizes: list[int]) -> list[str]:
        """Return new groups of some samples."""
        self.groups += len(sizes)
        names = [f"own{self.groups - n}" for n in range(len(sizes))]
        return [name for name, size in zip(names, sizes, strict=True) for _ in range(size)]

    @rule(
        name=st.tuples(st.sampled_from(TASKS), st.sampled_from("ab")),
        sizes=st.lists(st.integers(1, LARGEST), min_size=3, max_size=9),
        shared=st.lists(st.sampled_from("pqrst"), max_size=4),
        order=st.permutations(TASKS),
    )
    def add(self, name, sizes, shared, order):
        """Add groups to a class, a new one perhaps."""
        groups = self.own_groups(sizes) + (shared if name[1] == "b" else [])
        if name in self.first:
            self.later[name] += groups
        else:
            self.first[name] = groups
        self.make(order)

    @rule(
        name=st.tuples(st.sampled_from(TASKS), st.sampled_from("ab")),
        order=st.permutations(TASKS),
    )
    def take_or_return_a_class(self, name, order):
        """Take all samples of a class, or bring them back."""
        self.away ^= {name}
        self.make(order)

    @precondition(lambda self: any(self.later.values()))
    @rule(data=st.data(), order=st.permutations(TASKS))
    def take_some_samples(self, data, order):
        """Take whole groups out of a class."""
        name = data.draw(st.sampled_from(sorted(name for name in self.later if self.later[name])))
        gone = data.draw(st.sets(st.sampled_from(self.later[name]), min_size=1))
        self.taken[name] = self.taken.get(name, []) + [
            group for group in self.later[name] if group in gone
        ]
        self.later[name] = [group for group in self.later[name] if group not in gone]
        self.shrunk.add(name)
        self.make(order)

    @precondition(lambda self: self.taken)
    @rule(order=st.permutations(TASKS))
    def return_all_samples(self, order):
        """Bring back what was taken out of classes."""
        for name, groups in self.taken.items():
            self.later[name] += groups
        self.taken = {}
        self.make(order)

    def make(self, order: list[str]) -> None:
        """Make the index of each task, as the first to be made or after others, and check it."""
        names = self.first.keys() - self.away
        samples = frame_of([(*n, group) for n in names for group in self.first[n] + self.later[n]])
        for task in order:
            if task in set(samples["task"]):
                self.make_task(samples, task)

    def make_task(self, samples: pd.DataFrame, task: str) -> None:
        """Make the index of a task by the memories of all, and remember its splits."""
        paths = {name: self.folder / f"{name}.csv" for name in TASKS}
        kept = kept_splits(paths.values(), DRAW)
        # That each class has samples in each split is checked here, by `check_index`.
        index = add_splits(family_of(samples, task), seed=2, kept=kept)
        rows = index[index["task"] == task]
        remember(paths[task], rows, DRAW)
        for group, split in zip(rows["group"], rows["split"], strict=True):
            assert self.seen.setdefault(group, split) == split
        if (task, "a") not in self.shrunk:
            check_bounds(rows[rows["class"] == "a"])


def check_bounds(rows: pd.DataFrame) -> None:
    """Check how near a class is to its fractions that has only grown, by groups of its own.

    A group goes where most is lacking, so where something is: no split exceeds its fraction by a
    largest group. The excesses sum to 0, so none lacks two largest groups. `_fill_empty` puts one
    group where there was none, which exceeds nothing by more than that group.
    """
    if len(rows):
        counts = rows["split"].value_counts().reindex(SPLITS)
        excess = counts - pd.Series(FRACTIONS, index=SPLITS) * len(rows)
        assert excess.max() < LARGEST
        assert excess.min() > -2 * LARGEST


TestGrowth = Growth.TestCase
TestGrowth.settings = settings(max_examples=15, stateful_step_count=8, deadline=None)
