"""Texts: ids of tokens with a table of their frozen embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from crossback_core.data.contents import content_hash
from crossback_core.data.encoder import ReadsTexts, read_text_files
from crossback_core.data.modality import (
    Adapter,
    Modality,
    Packed,
    check_tensor,
    near_zero,
    refuse_place,
)
from crossback_core.data.portable import PortableInput
from crossback_core.data.recipe import Recipe
from crossback_core.data.text import Texts, caption_problem
from crossback_core.data.text_portable import portable_texts
from crossback_core.data.text_reader import EncoderReader, TableReader, completed


@dataclass(frozen=True, eq=False)
class PackedTexts(Packed):
    """Texts of a task as they are stored.

    Attributes:
        words: The ids that the vocabulary gives the tokens of each text.
    """

    words: Sequence[Sequence[int]] = ()

    def recipe_of(self, trained: Sequence[int]) -> Recipe | None:
        """Return the recipe, which tells the tokens that are trained on."""
        if self.recipe is None:
            return None
        tokens = self.of(trained)
        return completed(self.recipe, tokens.shape[1], [self.words[row] for row in trained])


class TextModel(Protocol):
    """What an adapter has to know of the model."""

    @property
    def max_tokens(self) -> int:
        """Number of learned positions."""


class TextTraining(Protocol):
    """What augmentation has to know of the training."""

    @property
    def token_dropout(self) -> float:
        """Probability of a token to be hidden."""


class Text(Modality):
    """Token ids int32 (samples, tokens), 0 after a text's end, and float16 (vocabulary, width)."""

    name = "text"
    folder = "texts"
    suffixes = (".txt",)
    unread = (".text", ".rtf", ".doc", ".docx", ".odt", ".pdf", ".html", ".htm")

    def file_problem(self, path: Path) -> str:
        """Say whether a file is missing or holds no text."""
        return caption_problem(path)

    def read_files(
        self, raw: Path, sources: Sequence[str], settings: ReadsTexts, *, threads: int
    ) -> Texts:
        """Read text files with the configured encoder, which has a thread of its own."""
        return read_text_files(raw, sources, settings, threads=threads)

    def pack(self, samples: Texts) -> Packed:
        """Renumber tokens so that the table holds only those in use."""
        recipe = samples.recipe
        least = 0 if recipe is None else recipe.values.get("longest", 0)
        tokens, table = pack_tokens(samples.ids, samples.embeddings, least=least)
        problems = [
            "" if ids else "empty text: it has no token that the encoder knows"
            for ids in samples.ids
        ]
        contents = samples.contents
        if contents is None:
            contents = [content_hash(samples.embeddings[ids]) for ids in samples.ids]
        return PackedTexts(problems, tokens, table, contents, recipe, samples.words or samples.ids)

    def holds(self, given: object) -> bool:
        """Say whether it is a text."""
        return isinstance(given, str)

    def reader(
        self, recipe: Recipe, channels: int, elsewhere: str | None = None
    ) -> EncoderReader | TableReader:
        """Return what reads texts with the encoder that a recipe names, or the table in it."""
        if "encoder" in recipe.values:
            return EncoderReader(recipe, channels, elsewhere)
        refuse_place(elsewhere)
        return TableReader(recipe, channels)

    def portable(
        self, settings: TextModel, recipe: Recipe, channels: int, elsewhere: str | None = None
    ) -> PortableInput:
        """Return what takes token ids, with a table of embeddings or an encoder."""
        return portable_texts(recipe, channels, settings.max_tokens, elsewhere)

    def check(self, values: Tensor, table: Tensor | None, count: int) -> None:
        """Refuse tokens that are not in the table."""
        table = _needed(table)
        check_tensor("tokens", values, torch.int32, (count, None))
        check_tensor("table", table, torch.float16, (None, None))
        low = int(values.min())
        high = int(values.max())
        if low < 0 or high >= len(table):
            raise ValueError(
                f"tokens {low} to {high} are not rows of the table, 0 to {len(table) - 1}"
            )
        if not (values != 0).any(dim=1).all():
            raise ValueError("a text has no token but padding")
        if table[0].any():
            raise ValueError("row 0 of the table, the padding, is not zeros")

    def inputs(self, values: Tensor, table: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return embeddings, float32 (samples, tokens, width), and where tokens are real."""
        return _needed(table)[values.long()].float(), values != 0

    def check_inputs(self, values: Tensor, mask: Tensor | None, channels: int) -> None:
        """Refuse what is not embedded texts, each of them with a token."""
        check_tensor("texts", values, torch.float32, (None, None, channels))
        if mask is not None:
            check_tensor("masks of the texts", mask, torch.bool, tuple(values.shape[:2]))
            if not mask.any(dim=1).all():
                raise ValueError("a text has no token but padding: its mask is False throughout")
        if not (values if mask is None else values[mask]).isfinite().all():
            raise ValueError("texts hold NaN or infinite values where tokens are real")

    def channels(self, values: Tensor, table: Tensor | None) -> int:
        """Return the width of the embeddings."""
        return _needed(table).shape[1]

    def augment(
        self,
        values: Tensor,
        mask: Tensor | None,
        settings: TextTraining,
        generator: torch.Generator,
    ) -> tuple[Tensor, Tensor | None]:
        """Hide tokens of each text at random."""
        if mask is None:
            raise ValueError("texts have a mask")
        return values, drop_tokens(mask, fraction=settings.token_dropout, generator=generator)

    def adapter(self, settings: TextModel, channels: int) -> TextAdapter:
        """Make an adapter of embeddings of some width."""
        return TextAdapter(settings, channels)


MODALITY = Text()


def _needed(table: Tensor | None) -> Tensor:
    """Refuse texts without a table."""
    if table is None:
        raise ValueError("texts have a table")
    return table


class TextAdapter(Adapter):
    """Frozen token embeddings plus learned positions.

    Args:
        settings: `max_tokens` is the number of positions.
        channels: Width of the token embeddings.
    """

    def __init__(self, settings: TextModel, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.positions = near_zero(settings.max_tokens, channels)

    def check_recipe(self, recipe: Recipe) -> None:
        """Refuse texts that are longer than the learned positions."""
        longest = recipe.values["longest"]
        if longest > len(self.positions):
            raise ValueError(f"recipe.longest is {longest}, of {len(self.positions)} positions")

    def encode(self, values: Tensor) -> Tensor:
        """Return token embeddings as they are."""
        return values

    def forward(self, values: Tensor) -> Tensor:
        """Add positions to embedded texts (batch, tokens, channels)."""
        if values.ndim != 3 or values.shape[2] != self.channels:
            raise ValueError(
                f"texts must be (batch, tokens, {self.channels}), got {tuple(values.shape)}"
            )
        if values.shape[1] > len(self.positions):
            raise ValueError(
                f"texts have {values.shape[1]} tokens, the model at most {len(self.positions)}:"
                " raise model.max_tokens"
            )
        return values + self.positions[: values.shape[1]]


def drop_tokens(mask: Tensor, *, fraction: float, generator: torch.Generator) -> Tensor:
    """Hide tokens of each text at random; a text that would lose all keeps all.

    Source: word dropout (Iyyer et al., "Deep Unordered Composition Rivals Syntactic Methods for
    Text Classification", ACL 2015), without scaling what is left.

    Args:
        mask: (batch, tokens) bool, True where a token is real.
        fraction: Probability of a token to be hidden.
        generator: Source of randomness; not used where the fraction is 0.

    Returns:
        (batch, tokens) bool
    """
    if not fraction:
        return mask
    kept = mask & (torch.rand(mask.shape, generator=generator) >= fraction)
    return torch.where(kept.any(dim=1, keepdim=True), kept, mask)


def pack_tokens(
    texts: Sequence[Sequence[int]], embeddings: npt.NDArray[np.float16], *, least: int = 0
) -> tuple[Tensor, Tensor]:
    """Renumber token ids so that the table holds exactly the tokens that the texts use.

    Args:
        texts: The rows of `embeddings` that each text consists of.
        embeddings: float16 (vocabulary, embedding).
        least: Token ids that each text gets, padding included.

    Returns:
        Token ids int32 (texts, longest), 0 after a text's end, and the table float16
        (used + 1, embedding) whose row 0 is zeros.
    """
    used = np.unique(np.concatenate([np.asarray(text, dtype=np.int64) for text in texts]))
    tokens = np.zeros((len(texts), max(least, *map(len, texts))), dtype=np.int32)
    for row, text in enumerate(texts):
        tokens[row, : len(text)] = np.searchsorted(used, text) + 1
    table = np.zeros((len(used) + 1, embeddings.shape[1]), dtype=np.float16)
    table[1:] = embeddings[used]
    return torch.from_numpy(tokens), torch.from_numpy(table)
