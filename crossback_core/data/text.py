"""Texts as files hold them, and as rows of a table of embeddings."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError

import numpy as np
import numpy.typing as npt

from crossback_core.data.recipe import Recipe
from crossback_core.wording import counted

PADDING = "[PAD]"

# By their byte order marks. UTF-32 before UTF-16, whose mark is the beginning of its own.
_MARKED = {
    codecs.BOM_UTF8: "UTF-8-SIG",
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")  # but for white space
_HALF = re.compile("[\ud800-\udfff]")  # of a character that UTF-16 writes in two
_OF_OTHERS = "\0\x1b"  # they stand in no text, but in UTF-16 and ISO 2022
_MANY_CONTROLS = 0.1  # of all characters: a page break or an end mark of DOS is a stray one


@dataclass(frozen=True, eq=False)
class Texts:
    """Texts as rows of an embedding table.

    Args:
        ids: The rows of `embeddings` that each text consists of; a text without any is skipped.
        embeddings: float16 (vocabulary, embedding).
        contents: Hash of each text, see `content_hash`; None takes that of its embeddings.
        recipe: What reading more of them takes, but for what `PackedTexts` adds; None where none
            can be read.
        words: The ids that the vocabulary gives the tokens of each text; None where these are
            `ids`.
    """

    ids: list[list[int]]
    embeddings: npt.NDArray[np.float16]
    contents: list[str] | None = None
    recipe: Recipe | None = None
    words: list[list[int]] | None = None


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
    pieces = _read(words).replace("\r\n", "\n").rstrip("\n").split("\n")
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
        raise ValueError(
            f"{path} has {counted(len(table), 'row')}, the vocabulary has {rows} wordpieces"
        )
    bad = np.flatnonzero(~np.isfinite(table).all(axis=1))
    if len(bad):
        raise ValueError(f"{path}: row {bad[0]} holds NaN or an infinite value")
    return np.array(table, dtype=np.float16)


def read_caption(path: Path) -> str:
    """Return the lines of a file as one text.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no text that can be read (see `decode_text`).
    """
    return join_captions(_read(path).splitlines())


def decode_text(data: bytes) -> str:
    """Decode UTF-8, or UTF-16 and UTF-32 that a byte order mark tells.

    Raises:
        ValueError: It is in another encoding, or holds NUL, ESC or many other control characters,
            as UTF-16 without a mark and what is no text do.
    """
    encoding = next((name for mark, name in _MARKED.items() if data.startswith(mark)), "UTF-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"it is not {encoding} at byte {error.start + 1} ({error.object[error.start]:#04x}): "
            "save it as UTF-8"
        ) from error
    controls = list(_CONTROL.finditer(text))
    wrong = [each for each in controls if each[0] in _OF_OTHERS]
    if len(controls) > _MANY_CONTROLS * len(text):
        wrong = controls
    if wrong:
        raise ValueError(
            f"character {wrong[0].start() + 1} is the control character {ord(wrong[0][0]):#04x}: "
            "save it as UTF-8, or UTF-16 with a byte order mark"
        )
    return text


def check_characters(text: str) -> None:
    """Refuse half a character, which JSON may hold."""
    if _HALF.search(text):
        raise ValueError(f"text {text[:40]!r} holds half a character: mend it, or take it out")


def _read(path: Path) -> str:
    try:
        return decode_text(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def join_captions(captions: Sequence[str]) -> str:
    """Join several captions of one image, as published; leave out empty ones."""
    return " ".join(caption.strip() for caption in captions if caption.strip())


def caption_problem(path: Path) -> str:
    """Say what is wrong with a caption file, if anything is."""
    try:
        if path.exists() and not path.is_file():
            return "unreadable text: it is no plain file"
        return "" if decode_text(path.read_bytes()).strip() else "empty caption"
    except FileNotFoundError:
        return "missing caption file"
    except ValueError as error:
        return f"unreadable text: {error}"
