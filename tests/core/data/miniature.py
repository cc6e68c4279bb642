"""What the miniature of the icons data set holds."""

from __future__ import annotations

import numpy as np
import torch

from crossback_core.data import Split
from crossback_core.data.contents import content_hash
from crossback_core.data.modalities import MODALITIES

IMAGE, TEXT = map(MODALITIES.find, ("image", "text"))
TASKS = [
    {"task": 1, "name": "one", "modality": "image", "classes": ["ice cream", "bus"]},
    {"task": 2, "name": "two", "modality": "image", "classes": ["cat", "dog"]},
    {"task": 3, "name": "three", "modality": "text", "classes": ["null", "bus"]},
    {"task": 4, "name": "four", "modality": "text", "classes": ["verb", "noun"]},
]
WORDS = ["[PAD]", "[MASK]", "a", "##b", "null", '"', "seven", "eight", "nine"]
TILES = 12  # a class: more than one row of a sheet
GLOSSES = 10  # a class
WIDTH = 4  # of the embeddings


def tile(name: str, number: int) -> np.ndarray:
    """Return the picture of a tile: no two are alike."""
    code = sum(name.encode()) % 251
    return np.random.default_rng([code, number]).integers(0, 255, (32, 32, 3), dtype=np.uint8)


def gloss(name: str, number: int) -> list[str]:
    """Return the wordpieces of a text: between one and five."""
    random = np.random.default_rng([sum(name.encode()) % 251, number])
    return list(random.choice(WORDS[1:], size=1 + number % 5))


def image_split(count: int, seed: int = 0) -> Split:
    """Return random pictures of two classes."""
    random = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (count, 3, 8, 8), dtype=torch.uint8, generator=random)
    ids = tuple(f"i-{n}" for n in range(count))
    return Split(IMAGE, torch.arange(count) % 2, ids, pixels)


def text_split(count: int, table: torch.Tensor) -> Split:
    """Return texts of one to three tokens, of two classes."""
    tokens = 1 + torch.arange(3 * count, dtype=torch.int32).reshape(count, 3) % (len(table) - 1)
    tokens[::2, 1:] = 0
    ids = tuple(f"t-{n}" for n in range(count))
    contents = tuple(map(content_hash, ids))
    return Split(TEXT, torch.arange(count) % 2, ids, tokens, table, contents)
