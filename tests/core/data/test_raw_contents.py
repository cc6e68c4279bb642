"""What a task is made of: its digest follows that, and nothing that lies beside it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from miniatures import make_cub, settings_of

from crossback_core.data import raw_contents
from crossback_core.data.raw_contents import contents_of, encoder_contents, unread

TASKS = ("image-birds", "image-seas", "text-birds")


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Two tasks of images, one of texts; two classes of two samples each."""
    folder = tmp_path / "raw"
    for task, name, number in product(("birds", "seas"), "ab", range(2)):
        for kind, ending in (("images", "png"), ("texts", "txt")):
            path = folder / kind / task / name / f"{number}.{ending}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{name} {number}")
    shutil.rmtree(folder / "texts" / "seas")
    return folder


@pytest.fixture
def digests(raw: Path, tmp_path: Path) -> Callable[..., list[str]]:
    """Return the function that gives the digests of tasks, as a new run of Snakemake does."""

    def digests(tasks: tuple[str, ...] = TASKS, folder: Path = raw) -> list[str]:
        contents_of.cache_clear()
        raw_contents._folder_contents.cache_clear()
        settings = settings_of("folder", raw=str(folder))
        return [contents_of(settings, task, tmp_path / "memory") for task in tasks]

    return digests


def changed(before: list[str], after: list[str]) -> list[str]:
    return [task for task, *both in zip(TASKS, before, after, strict=True) if len(set(both)) > 1]


SPARROW = "images/birds/a/0.png"


@pytest.mark.parametrize(
    ("change", "task"),
    [
        (lambda raw: (raw / SPARROW).write_text("a 5"), "image-birds"),
        (lambda raw: (raw / SPARROW).rename(raw / "images/birds/b/5.png"), "image-birds"),
        (lambda raw: (raw / "images/birds/a").rename(raw / "images/birds/c"), "image-birds"),
        (lambda raw: (raw / SPARROW).unlink(), "image-birds"),
        (lambda raw: shutil.copy(raw / SPARROW, raw / "images/seas/a/5.JPG"), "image-seas"),
        (lambda raw: (raw / "texts/birds/a/0.txt").write_text("a 5"), "text-birds"),
    ],
    ids=["content", "other class", "name of a class", "one less", "one more", "text"],
)
def test_a_sample_changes_its_own_task_alone(raw, digests, change, task):
    before = digests()
    change(raw)
    assert changed(before, digests()) == [task]


def test_what_is_no_sample_changes_nothing(raw, digests):
    before = digests()
    for name in (".DS_Store", "birds/.DS_Store", "birds/a/.DS_Store", "birds/a/._0.png"):
        (raw / "images" / name).write_text("of a file manager")
    (raw / "images/birds/empty").mkdir()
    (raw / "images/new").mkdir()
    (raw / "images/birds/a/notes.md").write_text("read by nobody")
    (raw / "images/birds/.cache").mkdir()
    shutil.copy(raw / SPARROW, raw / "images/birds/.cache/0.png")
    os.utime(raw / SPARROW, (1, 1))
    (raw / SPARROW).chmod(0o400)
    assert changed(before, digests()) == []


def test_what_is_not_read_is_known_by_its_name(raw):
    """It is listed again when it changes, and nothing else is made again."""

    def names() -> str:
        unread.cache_clear()
        return unread(settings_of("folder", raw=str(raw)))

    found = [names()]
    for name in ("images/birds/a/b.heic", "images/seas/c", "texts/birds/d/e/f", "pictures/a", "b"):
        (raw / name).parent.mkdir(parents=True, exist_ok=True)
        (raw / name).write_text("x")
        found.append(names())
    assert len(set(found)) == 6
    (raw / "images/birds/empty").mkdir()
    assert names() == found[-1], "a clone has no empty folders"
    (raw / ".git").mkdir()
    (raw / "b").rename(raw / "Thumbs.db")
    (raw / "images/birds/a/0.png").write_text("new")
    assert names() == found[-2]
    assert unread(settings_of("cub", raw=str(raw))) == unread(settings_of("icons"))


def test_a_copy_in_another_place_is_the_same(raw, digests, tmp_path):
    before = digests()
    shutil.copytree(raw, tmp_path / "copy")
    assert digests(folder=tmp_path / "copy") == before


def test_a_row_of_a_table_changes_its_own_task_alone(raw, digests):
    rows = [(task, name, f"images/{task}/{name}/{n}.png", "", "") for task, name, n in ROWS]
    rows += [("birds", name, "", f"{name} {n}", "") for task, name, n in ROWS if task == "birds"]
    table = pd.DataFrame(rows, columns=["task", "class", "path", "text", "group"])
    found = []
    changes: list[tuple[dict[str, Any], list[str]]] = [
        ({}, []),
        ({"group": [*["x"] * 4, *[""] * 8]}, ["image-birds"]),
        ({"text": [*[""] * 8, *"mnop"]}, ["text-birds"]),
        ({"class": [*"aabb", *"aabb", *"aabc"]}, ["text-birds"]),
        ({"remark": "not read"}, []),
    ]
    for number, (change, _) in enumerate(changes):
        table.assign(**change).to_csv(raw / "samples.csv", index=False)
        os.utime(raw / "samples.csv", (number, number))
        found.append(digests())
    assert [changed(found[0], each) for each in found] == [wanted for _, wanted in changes]
    (raw / "images/seas/a/0.png").write_text("a 5")
    assert changed(found[-1], digests()) == ["image-seas"]


ROWS = list(product(("birds", "seas"), "ab", range(2)))


def test_a_kind_that_does_not_tell_is_made_of_all_its_files(tmp_path):
    raw = make_cub(tmp_path / "cub", groups=1)
    settings = settings_of("cub", raw=str(raw))
    found = []
    for name in (None, ".DS_Store", "attributes.txt"):
        if name:
            (raw / name).write_text("other")
        contents_of.cache_clear()
        raw_contents._folder_contents.cache_clear()
        found.append([contents_of(settings, task, tmp_path / "memory") for task in "12"])
    assert found[0] == found[1] and all(len(set(each)) == 1 for each in found)
    assert found[2] != found[1]


def test_an_encoder_counts_where_texts_are_read_and_it_is_a_folder(tmp_path):
    folder = tmp_path / "encoder"
    folder.mkdir()
    (folder / "model.safetensors").write_text("weights")
    settings = settings_of("folder", encoder=str(folder))

    def digest(*modalities: str, of: Any = settings) -> str:
        raw_contents._folder_contents.cache_clear()
        return encoder_contents(of, modalities, tmp_path / "memory")

    before = digest("text")
    (folder / ".git" / "logs").mkdir(parents=True)
    (folder / ".git" / "logs" / "HEAD").write_text("fetched")
    assert len(before) == 64 and digest("image", "text") == before
    assert digest("image") == "" == digest("text", of=settings_of("icons"))
    assert digest("text", of=replace(settings, encoder="bert-base-uncased")) == ""
    (folder / "model.safetensors").write_text("WEIGHTS")
    assert digest("text") != before


def test_encoders_of_one_name_in_two_places_are_the_same(tmp_path, encoder):
    shutil.copytree(encoder, tmp_path / "copy")
    settings = settings_of("folder", encoder=encoder)
    moved = replace(settings, encoder=str(tmp_path / "copy"))
    first, second = (encoder_contents(it, ["text"], tmp_path / "m") for it in (settings, moved))
    assert first == second != ""
