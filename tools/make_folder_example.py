"""Make a small data set of plain folders, and an encoder for its texts, out of data/icons.

It needs no download: pictures are tiles of the icons, texts are glosses, and the encoder is one
layer of BERT that carries the embeddings shipped with the icons (its other weights are random; the
representation `tokens` does not use them).

Called again it adds: other tasks by `--tasks`, more samples by a larger `--samples`. Encoder and
config.yaml stay as they are.
"""

import argparse
import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import yaml
from PIL import Image
from transformers import BertConfig, BertModel, BertTokenizer
from transformers.utils.logging import disable_progress_bar

from crossback_core.data.kinds import icons

ICONS = Path(__file__).resolve().parent.parent / "data" / "icons"
TARGETS = ("image-transport", "text-kitchen")
TASKS = ("image-animals", "image-transport", "text-kitchen", "text-callings")
CONFIG = """\
run: [mine]
datasets:
  mine:
    kind: folder
    raw: {folder}/data
    encoder: {folder}/encoder
    image_size: 32
    preset: demo
    tasks: all
    targets: [{targets}]
    candidates: all
"""
SPECIAL = ("[UNK]", "[CLS]", "[SEP]")
SETTINGS = icons.IconsSettings(kind="icons", raw=str(ICONS))


def main() -> None:
    """Write FOLDER/data, FOLDER/encoder and FOLDER/config.yaml."""
    tasks = read_tasks()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("example"), help="where to")
    parser.add_argument("--samples", type=int, default=30, help="of a class")
    parser.add_argument("--tasks", nargs="+", default=TASKS, choices=tasks, metavar="TASK")
    given = parser.parse_args()
    index = icons.read_index(ICONS, SETTINGS)
    for name in given.tasks:
        modality, _, folder = name.partition("-")
        rows = index[index["task"] == tasks[name]].groupby("class").head(given.samples)
        write = write_pictures if modality == "image" else write_texts
        write(rows, given.folder / "data" / f"{modality}s" / folder)
    if not (given.folder / "encoder").exists():
        write_encoder(given.folder / "encoder")
    if not (given.folder / "config.yaml").exists():
        write_config(given.folder, given.tasks)


def read_tasks() -> dict[str, int]:
    """Return the numbers of the icons' tasks by what a folder calls them, such as image-animals."""
    tasks = yaml.safe_load((ICONS / "tasks.yaml").read_text(encoding="utf-8"))
    return {f"{each['modality']}-{each['name'].replace(' ', '-')}": each["task"] for each in tasks}


def write_config(folder: Path, tasks: Sequence[str]) -> None:
    """Write config.yaml: those of TARGETS that are among the tasks are targets, or else all."""
    targets = ", ".join([task for task in TARGETS if task in tasks] or tasks)
    config = CONFIG.format(folder=folder.as_posix(), targets=targets)
    (folder / "config.yaml").write_text(config, encoding="utf-8")


def write_pictures(rows: pd.DataFrame, folder: Path) -> None:
    """Write <class>/<id>.png."""
    pictures = icons.read_images(ICONS, rows["source"].tolist(), SETTINGS)
    for name, id_, picture in zip(rows["class"], rows["id"], pictures, strict=True):
        (folder / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture.pixels).save(folder / name / f"{id_}.png")


def write_texts(rows: pd.DataFrame, folder: Path) -> None:
    """Write <class>/<id>.txt."""
    texts = pd.read_csv(ICONS / "texts.csv", keep_default_na=False).set_index("id")["text"]
    for name, id_ in zip(rows["class"], rows["id"], strict=True):
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / f"{id_}.txt").write_text(f"{texts[id_]}\n", encoding="utf-8")


def write_encoder(folder: Path) -> None:
    """Write the icons' wordpieces and embeddings as a Hugging Face model."""
    words = (ICONS / "vocabulary.txt").read_text(encoding="utf-8").rstrip("\n").split("\n")
    words += [word for word in SPECIAL if word not in words]
    embeddings = np.load(ICONS / "embeddings.npy").astype(np.float32)
    table = np.zeros((len(words), embeddings.shape[1]), dtype=np.float32)
    table[: len(embeddings)] = embeddings
    sizes = {"hidden_size": table.shape[1], "intermediate_size": table.shape[1]}
    layers = {"num_hidden_layers": 1, "num_attention_heads": 1}
    torch.manual_seed(0)
    model = BertModel(BertConfig(vocab_size=len(words), **sizes, **layers))
    model.get_input_embeddings().weight.data = torch.from_numpy(table)
    disable_progress_bar()
    model.save_pretrained(folder)
    BertTokenizer(vocab=dict(zip(words, itertools.count(), strict=False))).save_pretrained(folder)


if __name__ == "__main__":
    main()
