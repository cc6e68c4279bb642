"""What a data set has to offer: one `Reader` a kind of data set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from crossback_core.data.images import Pixels


@dataclass(frozen=True, eq=False)
class Texts:
    """Texts as rows of an embedding table.

    Args:
        ids: The rows of `embeddings` that each text consists of; row 0, padding, is none of them.
        embeddings: float16 (vocabulary, embedding).
    """

    ids: list[list[int]]
    embeddings: npt.NDArray[np.float16]


@dataclass(frozen=True)
class Reader:
    """Three functions that read a data set; all get the data set's folder first.

    Args:
        index: Gives one row a sample: the index's columns but for `split`. Rows of a task come in
            the order of its classes.
        images: Gives the pictures (height, width, 3) of some samples, named by their `source`.
        texts: Gives the texts of some samples, named by their `source`.
    """

    index: Callable[[Path], pd.DataFrame]
    images: Callable[[Path, Sequence[str]], list[Pixels]]
    texts: Callable[[Path, Sequence[str]], Texts]
