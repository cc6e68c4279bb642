"""A miniature of the icons data set, made for each test, which may spoil it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from miniature import GLOSSES, TASKS, TILES, WIDTH, WORDS, gloss, image_split, text_split, tile
from miniatures import index_of, make_encoder, settings_of
from PIL import Image

from crossback_core.data import TaskData


def _write_images(raw: Path) -> None:
    (raw / "images").mkdir()
    rows = []
    for name in [name for task in TASKS[:2] for name in task["classes"]]:
        sheet = np.full((64, 320, 3), 255, dtype=np.uint8)
        for number in range(TILES):
            row, column = divmod(number, 10)
            sheet[row * 32 : row * 32 + 32, column * 32 : column * 32 + 32] = tile(name, number)
            group, source = f"set:{number % 6}", f"set-{number % 6}:{name}"
            rows.append((name, number, group, source, f"i-{name}-{number:02}"))
        Image.fromarray(sheet).save(raw / "images" / f"{name.replace(' ', '-')}.png")
    columns = ["class", "tile", "group", "source", "id"]
    pd.DataFrame(rows, columns=columns).to_csv(raw / "images.csv", index=False)


def _write_texts(raw: Path) -> None:
    rows = []
    for name in [name for task in TASKS[2:] for name in task["classes"]]:
        for number in range(GLOSSES):
            pieces = " ".join(gloss(name, number))
            synset = f"{name}-{number:02}"
            rows.append((name, synset, f"gloss:{synset}", f"t-{synset}", pieces, pieces))
    columns = ["class", "synset", "group", "id", "text", "tokens"]
    pd.DataFrame(rows, columns=columns).to_csv(raw / "texts.csv", index=False)
    (raw / "vocabulary.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    table = np.random.default_rng(0).normal(size=(len(WORDS), WIDTH)).astype(np.float16)
    table[0] = 0
    np.save(raw / "embeddings.npy", table)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A small data set in the documented format."""
    folder = tmp_path / "icons"
    folder.mkdir()
    (folder / "tasks.yaml").write_text(yaml.safe_dump(TASKS))
    _write_images(folder)
    _write_texts(folder)
    return folder


@pytest.fixture
def index(raw: Path) -> pd.DataFrame:
    """Its index."""
    return index_of(raw, settings_of("icons"))


@pytest.fixture
def image_task() -> TaskData:
    """A task of pictures, made without any file."""
    splits = {"train": image_split(6), "validation": image_split(3), "test": image_split(2)}
    return TaskData(task="1", classes=("a", "b"), **splits)


@pytest.fixture
def text_task() -> TaskData:
    """A task of texts, made without any file."""
    table = torch.arange(20, dtype=torch.float16).reshape(5, 4)
    table[0] = 0
    splits = {"train": text_split(6, table), "validation": text_split(3, table)}
    return TaskData(task="2", classes=("a", "b"), test=text_split(2, table), **splits)


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a tiny encoder of texts."""
    return str(make_encoder(tmp_path_factory.mktemp("encoder")))
