"""Examples of test data: which are shown, and how they come onto a page."""

from __future__ import annotations

import base64
import io

import numpy as np
import numpy.typing as npt
from PIL import Image

SHOWN = 3  # of each sort
LOOKED_AT = 128  # test samples of a target, which bounds the time that the report takes
_LARGEST = 96  # pixels of a picture's longer side

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]


def looked_at(count: int) -> Places:
    """Return the places of the samples that a product is asked about, evenly spread."""
    return np.unique(np.linspace(0, count - 1, min(count, LOOKED_AT)).round().astype(np.int64))


def chosen(probabilities: Floats, labels: Places) -> list[int]:
    """Choose the samples that the product is surest of: wrong ones first, then right ones.

    Each sort is of as many classes as it can be: of equally many shown, the surer comes first.

    Args:
        probabilities: (samples, classes).
        labels: Their classes (samples,).
    """
    answers = probabilities.argmax(axis=1)
    order = np.argsort(-probabilities.max(axis=1), kind="stable")
    return [
        int(place)
        for wanted in (False, True)
        for place in _varied(order[(answers == labels)[order] == wanted], labels)
    ]


def _varied(order: Places, labels: Places) -> list[np.int64]:
    """Take the first of each class, then the second of each, and so on."""
    taken: dict[int, int] = {}
    rounds = []
    for place in order:
        label = int(labels[place])
        rounds.append(taken.get(label, 0))
        taken[label] = rounds[-1] + 1
    return [order[at] for at in np.argsort(rounds, kind="stable")[:SHOWN]]


def png(pixels: npt.NDArray[np.uint8]) -> str:
    """Return pixels (3, height, width) as the address of a small PNG."""
    picture = Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    picture.thumbnail((_LARGEST, _LARGEST))
    file = io.BytesIO()
    picture.save(file, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
