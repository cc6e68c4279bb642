"""Stages of the data in small folders: whatever comes and goes, no sample changes its split."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from crossback_core.config.experiment import JointTask
from crossback_core.data import TaskData, load_index, load_task
from crossback_core.data.kinds.folder import FolderSettings
from crossback_core.data.prepare import _tell_copies
from crossback_core.data.settings import SPLITS
from crossback_core.stages.data import prepare_task
from crossback_core.stages.index import collect_index, prepare_index
from crossback_core.storage.files import read_csv

BIRDS = ("image-birds", "text-birds")
TASKS = (*BIRDS, "image-seas")


@dataclass(frozen=True)
class Data:
    """A folder of samples, and what the stages make of it."""

    folder: Path

    @property
    def raw(self) -> Path:
        """The folder of samples."""
        return self.folder / "raw"

    @property
    def settings(self) -> FolderSettings:
        """How it is read."""
        return FolderSettings(kind="folder", raw=str(self.raw), image_size=4, max_skipped=0.2)

    def path(self, kind: str, task: str) -> Path:
        """Return the path of an artifact, laid out as by rules/data.smk."""
        return self.folder / "results" / kind / f"{task}.csv"

    def write(self, task: str, label: str, numbers: Iterable[int]) -> None:
        """Write samples of a task; each content is its own."""
        modality, _, name = task.partition("-")
        for number in numbers:
            path = self.raw / f"{modality}s" / name / label / str(number)
            path.parent.mkdir(parents=True, exist_ok=True)
            if modality == "image":
                colour = (number, sum(label.encode()) % 256, sum(name.encode()) % 256)
                Image.new("RGB", (4, 4), colour).save(path.with_suffix(".png"))
            else:
                path.with_suffix(".txt").write_text(f"{label} {number}")

    def prepare(self, *tasks: str, seed: int = 1) -> None:
        """Make the indexes of tasks, one after the other."""
        for task in tasks:
            prepare_index(
                index=self.path("index", task),
                splits=self.path("splits", task),
                skipped=self.path("skipped", task),
                task=task,
                dataset=self.settings,
                seed=seed,
            )

    def collect(self) -> None:
        """Put the indexes of all tasks into one table."""
        collect_index(
            indexes=[self.path("index", task) for task in TASKS],
            left_out=[self.path("skipped", task) for task in TASKS],
            index=self.folder / "index.csv",
            skipped=self.folder / "index_skipped.csv",
            dataset=self.settings,
        )

    def make(self, task: str, *members: str, joint: JointTask | None = None) -> TaskData:
        """Make a task of its index, or a joint one of those of others."""
        members = members or (task,)
        prepare_task(
            indexes=[self.path("index", member) for member in members],
            task_file=self.folder / "task.pt",
            skipped=self.folder / "skipped.csv",
            task=task,
            members=members,
            dataset=self.settings,
            train_per_class=None,
            seed=1,
            joint=joint,
        )
        return load_task(self.folder / "task.pt")

    def index(self, task: str) -> dict[str, str]:
        """Return the split of each sample of a task, by what the index calls it."""
        rows = load_index(self.path("index", task))
        assert set(rows["task"]) == {task}
        return dict(zip(rows["source"], rows["split"], strict=True))

    def splits(self, *tasks: str) -> dict[str, str]:
        """Return the split of each sample of several tasks."""
        return {source: split for task in tasks for source, split in self.index(task).items()}


@pytest.fixture
def make(tmp_path: Path) -> Callable[[str], Data]:
    """Return the function that makes three tasks; half the birds' pictures have a text."""

    def make(name: str = "data") -> Data:
        data = Data(tmp_path / name)
        for label in ("sparrow", "wren"):
            data.write("image-birds", label, range(14))
            data.write("text-birds", label, range(7, 21))
            data.write("image-seas", label, range(10))
        return data

    return make


@pytest.fixture
def data(make: Callable[[str], Data]) -> Data:
    """Three tasks."""
    return make("data")


def same_of_pairs(data: Data) -> bool:
    """Say whether each picture is in the split of its text."""
    found: dict[str, set[str]] = {}
    for source, split in data.splits(*BIRDS).items():
        found.setdefault(source.partition("/")[2].rpartition(".")[0], set()).add(split)
    return all(len(splits) == 1 for splits in found.values()) and len(found) == 42


def test_the_order_in_which_tasks_are_made_decides_nothing(make):
    made = []
    for number, order in enumerate(permutations(TASKS)):
        data = make(str(number))
        data.prepare(*order)
        assert same_of_pairs(data)
        made.append(data.splits(*TASKS))
    assert all(each == made[0] for each in made)


@pytest.mark.parametrize("order", list(permutations(TASKS)))
def test_what_is_added_moves_nothing(data, order):
    data.prepare(*order)
    before = data.splits(*TASKS)
    data.write("image-aardvarks", "old", range(5))
    data.write("image-aardvarks", "young", range(5))
    data.write("image-birds", "auk", range(6))
    data.write("text-birds", "auk", range(3, 9))
    data.write("text-birds", "sparrow", [0, 1, 2, 30, 31])
    data.write("image-seas", "sparrow", range(10, 14))
    data.prepare("image-aardvarks", *reversed(order))
    after = data.splits(*TASKS)
    assert before.items() <= after.items() and len(after) == len(before) + 6 + 6 + 5 + 4
    new = {source: split for source, split in after.items() if source not in before}
    assert set(new.values()) == {"train", "validation", "test"}
    for number in (0, 1, 2):  # texts of pictures that have a split
        name = f"birds/sparrow/{number}"
        assert after[f"texts/{name}.txt"] == before[f"images/{name}.png"]


@pytest.mark.parametrize("table", [False, True])
@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_links_that_come_and_go_move_nothing(data, link, table):
    """Their names go before those of the files, which have splits already."""

    def made() -> dict[str, str]:
        if table:
            paths = sorted((data.raw / "images/seas").rglob("*.png"))
            rows = [("seas", path.parent.name, path.relative_to(data.raw)) for path in paths]
            frame = pd.DataFrame(rows, columns=["task", "class", "path"])
            frame.to_csv(data.raw / "samples.csv", index=False)
        data.prepare("image-seas")
        return data.splits("image-seas")

    found = made()
    files = sorted((data.raw / "images/seas").rglob("*.png"))[::3]
    for name in ("a-{}", "0-{}"):
        for file in files:
            link(file, file.with_name(name.format(file.name)))
        before, found = found, made()
        assert before.items() <= found.items() and len(found) == len(before) + len(files)
    for number, file in enumerate(files):
        file.with_name(f"0-{file.name}").unlink()
        if number % 2 and link is os.link:
            file.unlink()
    assert made().items() <= found.items()


@pytest.mark.parametrize("first", BIRDS)
def test_a_task_made_alone_and_a_task_made_later_agree(data, first):
    """The second one gets samples between the two runs."""
    data.prepare(first)
    before = data.splits(first)
    for task in BIRDS:
        data.write(task, "wren", range(40, 44))
    data.prepare(*(task for task in BIRDS if task != first), first)
    assert before.items() <= data.splits(*BIRDS).items()
    groups = pd.concat([load_index(data.path("index", task)) for task in BIRDS])
    assert groups.groupby("group")["split"].nunique().eq(1).all()


def test_samples_that_go_and_come_back_are_where_they_were(data):
    data.prepare(*TASKS)
    before = data.splits(*TASKS)
    away = data.folder / "away"
    shutil.move(data.raw / "images/birds/wren", away / "wren")
    for number in range(5):
        (data.raw / f"images/birds/sparrow/{number}.png").rename(away / f"{number}.png")
    data.write("image-birds", "auk", range(9))
    data.prepare(*TASKS)
    between = data.splits(*TASKS)
    assert {s: split for s, split in between.items() if "auk" not in s}.items() <= before.items()
    shutil.move(away / "wren", data.raw / "images/birds/wren")
    for number in range(5):
        (away / f"{number}.png").rename(data.raw / f"images/birds/sparrow/{number}.png")
    data.prepare(*reversed(TASKS))
    assert data.splits(*TASKS).items() == (before | between).items()


def test_a_class_of_too_few_samples_stops_its_own_task_alone(data):
    data.prepare(*BIRDS)
    before = data.splits("image-birds")
    data.write("text-birds", "auk", range(2))
    with pytest.raises(ValueError, match=r"class auk of task text-birds has 2 groups of sam"):
        data.prepare("text-birds")
    data.prepare("image-birds")
    assert data.splits("image-birds") == before
    data.write("text-birds", "auk", range(2, 4))
    data.prepare("text-birds")


def test_other_draws_are_drawn_anew_and_remembered_beside(data):
    data.prepare("image-seas", seed=1)
    before = data.splits("image-seas")
    data.prepare("image-seas", seed=2)
    assert data.splits("image-seas") != before
    data.path("index", "image-seas").unlink()
    data.prepare("image-seas", seed=1)
    assert data.splits("image-seas") == before


def test_a_table_that_gives_other_splits_is_followed(tmp_path):
    """What it gave was never drawn, so it is not remembered."""
    data = Data(tmp_path)
    data.raw.mkdir()
    for tested in ({0, 1}, {2, 3}):
        rows = [
            ("birds", label, f"{label} {n}", "test" if n in tested else "")
            for label in ("sparrow", "wren")
            for n in range(12)
        ]
        table = pd.DataFrame(rows, columns=["task", "class", "text", "split"])
        table.to_csv(data.raw / "samples.csv", index=False)
        data.prepare("text-birds")
        index = load_index(data.path("index", "text-birds"))
        assert list(index["split"] == "test") == [row[3] == "test" for row in rows]


def test_skipped_samples_are_those_of_the_task(data):
    (data.raw / "images/birds/wren/0.png").write_bytes(b"")
    (data.raw / "texts/birds/wren/7.txt").write_text(" ")
    data.prepare(*BIRDS)
    reasons = [
        read_csv(data.path("skipped", task), as_text=True)["reason"].tolist() for task in BIRDS
    ]
    assert reasons == [["unreadable image: the file is empty"], ["empty caption"]]
    assert "images/birds/wren/0.png" not in data.splits("image-birds")


@pytest.mark.parametrize("split", ["validation", "test"])
def test_a_class_that_no_picture_of_a_split_is_left_of_is_named(data, split):
    """Damage that shows when pictures are decoded, and that `max_skipped` allows."""
    data.prepare("image-birds")
    for source, found in data.index("image-birds").items():
        if "wren" in source and found == split:
            picture = (data.raw / source).read_bytes()
            (data.raw / source).write_bytes(picture[: len(picture) // 2])
    with pytest.raises(ValueError, match=f"class wren .* has no readable {split} sample"):
        data.make("image-birds")


def test_one_table_has_the_samples_of_all_tasks(data):
    data.prepare(*TASKS)
    data.collect()
    table = load_index(data.folder / "index.csv")
    assert list(table["task"].unique()) == list(TASKS)
    assert dict(zip(table["source"], table["split"], strict=True)) == data.splits(*TASKS)


def test_indexes_that_disagree_about_a_group_make_no_table(data):
    """As they do once the memory of one of them was removed."""
    data.prepare(*TASKS)
    shutil.rmtree(data.folder / "results" / "splits")
    data.prepare("text-birds", seed=2)
    with pytest.raises(ValueError, match=r"group birds/\w+/\d+ has more than one split"):
        data.collect()
    assert not (data.folder / "index.csv").exists()


def test_a_task_and_a_joint_task_are_made_of_their_indexes(data):
    data.write("image-seas", "calm", range(6))
    for label in ("sparrow", "wren"):
        (data.raw / "images/seas" / label).rename(data.raw / "images/seas" / f"sea {label}")
    data.prepare(*TASKS)
    for task, members in (("image-birds", ["image-birds"]), ("all", ["image-seas", "image-birds"])):
        made = data.make(task, *members)
        assert made.task == task and len(made.classes) == {1: 2, 2: 5}[len(members)]
        tests = [split for split in data.splits(*members).values() if split == "test"]
        assert len(made.test) == len(tests)
        assert made.name == "", "ids of folders tell"
    joint = JointTask(name="all there is", tasks=list(members))
    assert data.make("all", *members, joint=joint).called == "all (all there is)"


def shown(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what the screen shows of the log so far, and forget it."""
    lines = [line for each in caplog.records if (line := getattr(each, "result", ""))]
    caplog.clear()
    return lines


def test_what_is_left_out_is_told_once_and_listed(data, caplog):
    data.prepare(*TASKS)
    data.collect()
    assert shown(caplog) == []
    for name in ("images/seas/wren/a.heic", "images/seas/wren/b.md", "pictures/seas/wren/0.png"):
        (data.raw / name).parent.mkdir(parents=True, exist_ok=True)
        (data.raw / name).write_text("x")
    (data.raw / "images/seas/sparrow/0.png").write_bytes(b"")
    data.prepare(*TASKS)
    (line,) = shown(caplog)
    listed = data.path("skipped", "image-seas")
    assert line == (
        "task image-seas: 3 left out (1 unreadable image, 1 unknown suffix, 1 no sample), such as "
        f"images/seas/sparrow/0.png; {listed} lists them"
    )
    data.collect()
    (line,) = shown(caplog)
    assert f"{data.raw}: 1 left out (1 no sample), such as pictures/seas/wren/0.png; " in line
    table = read_csv(data.folder / "index_skipped.csv", as_text=True)
    assert table["source"].str.rpartition("/")[2].tolist() == ["0.png", "a.heic", "b.md", "0.png"]
    assert table["task"].tolist() == [*["image-seas"] * 3, ""]


def test_what_is_gone_is_listed_no_more_and_of_very_many_the_first(data):
    names = [data.raw / f"images/seas/{name}" for name in ("wren/a.heic", "wren/b/0.png", "c.md")]
    for path in (*names, data.raw / "images/seas/wren/d.heic"):
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    (data.raw / "images/seas/wren/0.png").write_bytes(b"")
    data.prepare(*TASKS)
    for path in names:
        path.unlink()
    names[1].parent.rmdir()
    for number in range(1003):
        (data.raw / f"note{number:04}").touch()
    data.collect()
    table = read_csv(data.folder / "index_skipped.csv", as_text=True)
    sources = table["source"].tolist()
    assert sources[:3] == ["images/seas/wren/0.png", "images/seas/wren/d.heic", "note0000"]
    assert sources[-2:] == ["note0999", "(3 more)"] and len(sources) == 1003


def test_copies_under_other_names_are_told_with_their_splits(data, caplog):
    data.prepare("image-seas")
    data.make("image-seas")
    assert shown(caplog) == []
    place = {split: source for source, split in data.index("image-seas").items()}
    for number, split in enumerate(("train", "test")):
        copy = data.raw / f"images/seas/wren/copy{number}.png"
        copy.write_bytes((data.raw / place[split]).read_bytes())
    caplog.set_level("INFO")
    data.prepare("image-seas")
    data.make("image-seas")
    splits = data.index("image-seas")
    (line,) = shown(caplog)
    pairs = [{place["train"], "images/seas/wren/copy0.png"}]
    pairs += [{place["test"], "images/seas/wren/copy1.png"}]
    apart = sum(len({splits[name] for name in pair}) > 1 for pair in pairs)
    assert apart >= 1
    assert f"contents under several names: 2, in several splits: {apart}, such as " in line
    told = re.search(r"such as (\S+) \((\w+)\) = (\S+) \((\w+)\); keep one", line)
    assert told and {told[1], told[3]} in pairs and told[2] != told[4]
    assert [told[2], told[4]] == [splits[told[1]], splits[told[3]]]


def test_one_text_in_two_splits_is_told(data, caplog):
    """Groups of its rows have put it there."""
    rows = [("seas", f"{n % 2}", f"text {n}", f"{n}", SPLITS[n // 2 % 3]) for n in range(12)]
    rows += [("seas", "0", "text 0", "again", "test")]
    table = pd.DataFrame(rows, columns=["task", "class", "text", "group", "split"])
    table.to_csv(data.raw / "samples.csv", index=False)
    data.prepare("text-seas")
    rows = load_index(data.path("index", "text-seas"))
    _tell_copies(rows, rows["source"].tolist(), "text-seas")
    (line,) = shown(caplog)
    assert "contents under several names: 1, in several splits: 1, such as " in line
    assert {"(train)", "(test);"} <= set(line.split())


@pytest.mark.parametrize("stage", ["index", "choice"])
def test_stages_of_many_short_jobs_load_no_torch(stage):
    code = f"import sys, crossback_core.stages.{stage}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
