"""Texts as files hold them, and as rows of a table of embeddings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError

import numpy as np
import numpy.typing as npt

PADDING = "[PAD]"


@dataclass(frozen=True, eq=False)
class Texts:
    """Texts as rows of an embedding table.

    Args:
        ids: The rows of `embeddings` that each text consists of; a text without any is skipped.
        embeddings: float16 (vocabulary, embedding).
        contents: Hash of each text, see `content_hash`; None takes that of its embeddings.
    """

    ids: list[list[int]]
    embeddings: npt.NDArray[np.float16]
    contents: list[str] | None = None


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
    """Read a vocabulary, one wordpiece per line, and the table of its embeddings.

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
    """Return the lines of a file as one text; replace bytes that are not UTF-8 by a sign."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return join_captions(lines)


def join_captions(captions: Sequence[str]) -> str:
    """Join several captions of one image, as published; leave out empty ones."""
    return " ".join(caption.strip() for caption in captions if caption.strip())


def caption_problem(path: Path) -> str:
    """Say what is wrong with a caption file, if anything is."""
    try:
        return "" if read_caption(path) else "empty caption"
    except FileNotFoundError:
        return "missing caption file"
