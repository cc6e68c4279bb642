"""Fewer dimensions for frozen embeddings."""

import numpy as np
from numpy.typing import NDArray


def reduced(rows: NDArray[np.float32], width: int) -> NDArray[np.float16]:
    """Principal components of the rows, centred, with unit mean square; row 0 added for padding.

    The largest loading of each component is made positive, so that signs do not depend on the
    linear algebra library. The scale is one number for all components.

    Args:
        rows: Embeddings, (pieces, encoder width).
        width: Components kept.

    Returns:
        (1 + pieces, width); row 0 is zeros.

    Raises:
        ValueError: `width` is more than the encoder's.
    """
    if not 1 <= width <= rows.shape[1]:
        raise ValueError(
            f"embedding width {width} is not in 1..{rows.shape[1]}, the encoder's width"
        )
    centred = rows.astype(np.float64) - rows.mean(axis=0, dtype=np.float64)
    _, components = np.linalg.eigh(centred.T @ centred)
    components = components[:, ::-1][:, :width]  # largest variance first
    largest = np.abs(components).argmax(axis=0)
    components = components * np.sign(components[largest, np.arange(width)])
    return with_padding(scaled(centred @ components))


def scaled(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows divided by one number, so that their mean square is 1."""
    return rows / float(np.sqrt(np.mean(rows**2)))


def with_padding(rows: NDArray[np.float64]) -> NDArray[np.float16]:
    """Rows in half precision, after a row of zeros for [PAD]."""
    return np.vstack([np.zeros((1, rows.shape[1])), rows]).astype(np.float16)
