"""Make a small data set of plain folders, and an encoder for its texts, out of data/icons.

It needs no download: pictures are tiles of the icons, texts are glosses, and the encoder is one
layer of BERT that carries the embeddings shipped with the icons (its other weights are random; the
representation `tokens` does not use them).
"""

import argparse
import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import yaml
from PIL import Image
from transformers import BertConfig, BertModel, BertTokenizer

from crossback_core.data.kinds import icons

ICONS = Path(__file__).resolve().parent.parent / "data" / "icons"
TASKS = {"image": ("animals", "transport"), "text": ("kitchen", "callings")}
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
    targets: [image-transport, text-kitchen]
    candidates: all
"""
SPECIAL = ("[UNK]", "[CLS]", "[SEP]")
SETTINGS = icons.IconsSettings(kind="icons", raw=str(ICONS))


def main() -> None:
    """Write FOLDER/data, FOLDER/encoder and FOLDER/config.yaml."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("example"), help="where to")
    parser.add_argument("--samples", type=int, default=30, help="of a class")
    given = parser.parse_args()
    index = icons.read_index(ICONS, SETTINGS)
    for task in yaml.safe_load((ICONS / "tasks.yaml").read_text(encoding="utf-8")):
        if task["name"] in TASKS[task["modality"]]:
            rows = index[index["task"] == task["task"]].groupby("class").head(given.samples)
            write = write_pictures if task["modality"] == "image" else write_texts
            write(rows, given.folder / "data" / f"{task['modality']}s" / task["name"])
    write_encoder(given.folder / "encoder")
    config = CONFIG.format(folder=given.folder.as_posix())
    (given.folder / "config.yaml").write_text(config, encoding="utf-8")


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
    model.save_pretrained(folder)
    BertTokenizer(vocab=dict(zip(words, itertools.count(), strict=False))).save_pretrained(folder)


if __name__ == "__main__":
    main()
