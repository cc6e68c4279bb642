"""Raw texts, read by the encoder that read a task's, or by the table that a task brings along."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field
from pydantic.dataclasses import dataclass

from crossback_core.data.encoder import Encoder, load_encoder
from crossback_core.data.recipe import Gathered, Reader, Recipe, TokenCount, read_recipe
from crossback_core.data.text import (
    PADDING,
    Texts,
    check_characters,
    join_captions,
    read_caption,
)
from crossback_core.data.wordpieces import Wordpieces
from crossback_core.section import STRICT, Count, Text

_MOST = 2**14  # tokens of a text
_TRAINED = "trained"  # array of a recipe: a bit for each id of a token, set where trained on
_Longest = Annotated[int, Field(ge=1, le=_MOST)]


@dataclass(frozen=True, config=STRICT)
class Encoded:
    """Texts that an encoder read; `longest` is how many tokens each is padded to at least."""

    encoder: Text
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    representation: Literal["tokens", "contextual"]
    text_length: Count
    longest: _Longest


@dataclass(frozen=True, config=STRICT)
class _Cut:
    longest: _Longest


def completed(recipe: Recipe, longest: int, trained: Iterable[Sequence[int]]) -> Recipe | None:
    """Complete the recipe of texts that an encoder or a table has read.

    Args:
        recipe: Of the encoder or the table.
        longest: Tokens of the longest text; there is no recipe of giant ones.
        trained: The tokens of each text that is trained on, by their ids in the vocabulary.
    """
    if longest > _MOST:
        return None
    ids = np.unique([token for text in trained for token in text])
    bits = np.zeros(1 + ids.max(), dtype=np.uint8)
    bits[ids] = 1
    return Recipe(
        {**recipe.values, "longest": longest}, {**recipe.arrays, _TRAINED: np.packbits(bits)}
    )


def _trained_of(recipe: Recipe) -> frozenset[int]:
    """Return the ids of the tokens that texts have which a task was trained on."""
    bits = recipe.arrays[_TRAINED]
    if bits.dtype != np.uint8 or bits.ndim != 1:
        raise ValueError(
            f"the {_TRAINED} tokens of a recipe are {bits.dtype} {bits.shape}, not bits"
        )
    return frozenset(np.flatnonzero(np.unpackbits(bits)).tolist())


def _count(
    words: Sequence[int], read: Sequence[int], unknown: int | None, trained: frozenset[int]
) -> TokenCount:
    """Count the tokens of a text, and those of them that are read."""
    new = sum(token not in trained for token in read if token != unknown)
    return TokenCount(
        read=len(read),
        unknown=sum(token == unknown for token in read),
        new=new,
        cut=len(words) - len(read),
    )


def _open(given: Path | str) -> str:
    """Return a text on one line, as those of files are."""
    if isinstance(given, Path):
        return read_caption(given)
    check_characters(given)
    return join_captions(given.splitlines())


class EncoderReader(Reader):
    """Reads texts with an encoder that lies elsewhere, and is loaded when it is first needed.

    It is looked for on this machine only: what a file names is never downloaded.

    Args:
        recipe: Names it.
        channels: Width of its embeddings.
        elsewhere: Its folder, if it has moved.

    Attributes:
        wanted: What the recipe says.
    """

    def __init__(self, recipe: Recipe, channels: int, elsewhere: str | None = None) -> None:
        self._recipe = recipe
        self.wanted = read_recipe(recipe, Encoded, arrays=(_TRAINED,))
        self._trained = _trained_of(recipe)
        self._place = elsewhere or self.wanted.encoder
        self._lock = threading.Lock()  # its tokenizer serves one thread at a time
        self._loaded: Encoder | None = None
        self.size = self.wanted.longest * channels

    def open(self, given: Path | str) -> str:
        """Return a text, or that of a file."""
        return _open(given)

    def gather(self, opened: Sequence[str]) -> Gathered:
        """Encode texts."""
        encoder = self.encoder()
        with self._lock:
            texts = encoder.encode(opened, warn=False)
            words = encoder.words(opened)
        unknown = encoder.tokenizer.unk_token_id
        counts = [_count(each, encoder.kept(each), unknown, self._trained) for each in words]
        return Gathered(replace(texts, recipe=self._recipe), counts)

    def encoder(self) -> Encoder:
        """Return the encoder; load it on first use.

        Raises:
            FileNotFoundError: It is not here.
            ValueError: It is another one.
        """
        with self._lock:
            self._loaded = self._loaded or self._load()
            return self._loaded

    def _load(self) -> Encoder:
        """Load the encoder.

        Raises:
            FileNotFoundError: It is not here.
            ValueError: It is another one.
        """
        do = "give its folder as encoder=, or download it before, where it is one of the Hub"
        try:
            with _quietly():
                loaded = load_encoder(replace(self.wanted, encoder=self._place), download=False)
        except OSError as error:
            raise FileNotFoundError(
                f"the encoder {self._place!r}, which reads the texts of this task, is not here:"
                f" {do} ({error})"
            ) from error
        if loaded.digest() != self.wanted.digest:
            raise ValueError(
                f"the encoder {self._place!r} is another one than that which read the texts of this"
                f" task: it has changed since; {do}"
            )
        return loaded


@contextmanager
def _quietly() -> Iterator[None]:
    """Show no bar while an encoder is loaded: whoever predicts has not asked for one."""
    from transformers.utils import logging

    bars: Any = logging  # its functions are without types
    shown = bars.is_progress_bar_enabled()
    bars.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            bars.enable_progress_bar()


class TableReader(Reader):
    """Reads texts as wordpieces of a table.

    Args:
        recipe: Holds it.
        channels: Width of its embeddings.

    Attributes:
        most: Wordpieces of a text that are read.
        table: float16 (wordpieces, channels).
    """

    def __init__(self, recipe: Recipe, channels: int) -> None:
        self._recipe = recipe
        self.most = read_recipe(recipe, _Cut, arrays=("words", "table", _TRAINED)).longest
        self.table = recipe.arrays["table"]
        self._ids = _ids(recipe.arrays["words"])
        self._trained = _trained_of(recipe)
        _check_table(self.table, (len(self._ids), channels))
        self._pieces: Wordpieces | None = None
        self.size = self.most * channels

    def open(self, given: Path | str) -> str:
        """Return a text, or that of a file."""
        return _open(given)

    def gather(self, opened: Sequence[str]) -> Gathered:
        """Look up texts; what is longer than those of the task is cut: no place was learned."""
        known = self.pieces()
        whole = [known.of(text) for text in opened]
        counts = [_count(it, it[: self.most], known.unknown, self._trained) for it in whole]
        ids = [known.rows(pieces[: self.most]) for pieces in whole]
        return Gathered(Texts(ids, self.table, recipe=self._recipe), counts)

    def pieces(self) -> Wordpieces:
        """Return what cuts texts; make it on first use."""
        self._pieces = self._pieces or Wordpieces(self._ids)
        return self._pieces


def _ids(words: npt.NDArray[Any]) -> dict[str, int]:
    """Return the row of each wordpiece; they stand one a line."""
    if words.dtype != np.uint8 or words.ndim != 1:
        raise ValueError(f"the words of a recipe are {words.dtype} {words.shape}, not bytes")
    listed = words.tobytes().decode("utf-8").split("\n")
    ids = {word: row for row, word in enumerate(listed)}
    if len(ids) < len(listed) or listed[0] != PADDING:
        raise ValueError(f"the words of a recipe are not {PADDING} and others, each one once")
    return ids


def _check_table(table: npt.NDArray[Any], shape: tuple[int, int]) -> None:
    if table.dtype != np.float16 or table.shape != shape:
        raise ValueError(
            f"the table of a recipe is {table.dtype} {table.shape}, not float16 {shape}"
        )
    if not np.isfinite(table).all():
        raise ValueError("the table of a recipe holds a number that is not finite")
