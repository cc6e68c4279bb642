"""Texts as token ids with a table of frozen embeddings that holds just the tokens in use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

PADDING = "[PAD]"


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Wordpieces and their frozen embeddings.

    Args:
        ids: The row of each wordpiece; row 0 is padding.
        embeddings: float16 (wordpieces, embedding).
    """

    ids: Mapping[str, int]
    embeddings: npt.NDArray[np.float16]


def read_vocabulary(words: Path, embeddings: Path) -> Vocabulary:
    """Read a vocabulary, one wordpiece a line, and the table of its embeddings.

    Raises:
        FileNotFoundError: If either file is missing.
        ValueError: If the two do not fit each other or hold unusable values.
    """
    pieces = words.read_text(encoding="utf-8").rstrip("\n").split("\n")
    ids = {piece: row for row, piece in enumerate(pieces)}
    if pieces[0] != PADDING:
        raise ValueError(f"{words}: line 1 is {pieces[0]!r}, it has to be {PADDING}")
    if len(ids) != len(pieces):
        twice = next(piece for row, piece in enumerate(pieces) if ids[piece] != row)
        raise ValueError(f"{words}: wordpiece {twice!r} is listed twice")
    return Vocabulary(ids, _read_embeddings(embeddings, len(pieces)))


def _read_embeddings(path: Path, rows: int) -> npt.NDArray[np.float16]:
    try:
        # Mapped: what the header claims must be in the file before memory is taken for it.
        table = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, SyntaxError, OverflowError, TokenError) as error:
        raise ValueError(f"{path} is not a NumPy array file or is damaged: {error}") from error
    if table.dtype != np.float16 or table.ndim != 2 or table.shape[1] == 0:
        raise ValueError(
            f"{path} is {table.dtype} of shape {table.shape}, not float16 of (wordpieces, width)"
        )
    if len(table) != rows:
        raise ValueError(f"{path} has {len(table)} rows, the vocabulary has {rows} wordpieces")
    bad = np.flatnonzero(~np.isfinite(table).all(axis=1))
    if len(bad):
        raise ValueError(f"{path}: row {bad[0]} holds NaN or an infinite value")
    return np.array(table, dtype=np.float16)


def read_caption(path: Path) -> str:
    """Read a text file; its lines become one text, bytes that are no UTF-8 a replacement sign."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return join_captions(lines)


def join_captions(captions: Sequence[str]) -> str:
    """Join several captions of one image, as published; empty ones vanish."""
    return " ".join(caption.strip() for caption in captions if caption.strip())


def caption_problem(path: Path) -> str:
    """Say what is wrong with a caption file, if anything is."""
    try:
        return "" if read_caption(path) else "empty caption"
    except FileNotFoundError:
        return "missing caption file"


def pack(
    texts: Sequence[Sequence[int]], embeddings: npt.NDArray[np.float16]
) -> tuple[Tensor, Tensor]:
    """Renumber token ids so that the table holds exactly the tokens that the texts use.

    Args:
        texts: The rows of `embeddings` that each text consists of.
        embeddings: float16 (vocabulary, embedding).

    Returns:
        Token ids int32 (texts, longest), 0 after a text's end, and the table float16
        (used + 1, embedding) whose row 0 is zeros.
    """
    used = np.unique(np.concatenate([np.asarray(text, dtype=np.int64) for text in texts]))
    tokens = np.zeros((len(texts), max(map(len, texts))), dtype=np.int32)
    for row, text in enumerate(texts):
        tokens[row, : len(text)] = np.searchsorted(used, text) + 1
    table = np.zeros((len(used) + 1, embeddings.shape[1]), dtype=np.float16)
    table[1:] = embeddings[used]
    return torch.from_numpy(tokens), torch.from_numpy(table)
