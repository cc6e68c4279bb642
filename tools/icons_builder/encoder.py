"""Wordpieces and their frozen embeddings, from a local BERT-like Hugging Face encoder."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from tokenizers import Tokenizer

Table = NDArray[np.float32]

PADDING = "[PAD]"
ALWAYS = ("[UNK]", "[MASK]")
TABLE_NAME = "embeddings.word_embeddings.weight"


def load_tokenizer(encoder: Path) -> Tokenizer:
    """Return the encoder's tokenizer, without truncation and padding."""
    tokenizer = Tokenizer.from_file(str(encoder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def wordpieces(tokenizer: Tokenizer, text: str) -> list[str]:
    """Return a text's wordpieces, without [CLS] and [SEP]."""
    return list(tokenizer.encode(text, add_special_tokens=False).tokens)


def vocabulary_of(tokenizer: Tokenizer, texts: Iterable[list[str]]) -> list[str]:
    """Return [PAD], [UNK], [MASK] and the wordpieces that occur, in the encoder's order."""
    pieces = {piece for pieces in texts for piece in pieces} | set(ALWAYS)
    order = tokenizer.get_vocab()
    return [PADDING, *sorted(pieces - {PADDING}, key=order.__getitem__)]


def read_rows(encoder: Path, tokenizer: Tokenizer, vocabulary: list[str]) -> Table:
    """Return the encoder's embeddings of the wordpieces of a vocabulary but for [PAD].

    Args:
        encoder: Folder with model.safetensors.
        tokenizer: The encoder's tokenizer.
        vocabulary: Wordpieces, the first one [PAD].

    Returns:
        (pieces - 1, encoder width).
    """
    ids = tokenizer.get_vocab()
    return _read_table(encoder)[[ids[piece] for piece in vocabulary[1:]]]


def _read_table(encoder: Path) -> Table:
    """Return the encoder's word embeddings, (pieces, width).

    Raises:
        ValueError: There is no tensor of that name in model.safetensors, or more than one.
    """
    with safe_open(encoder / "model.safetensors", framework="np") as tensors:
        names = [name for name in tensors.keys() if name.endswith(TABLE_NAME)]  # noqa: SIM118
        if len(names) != 1:
            raise ValueError(f"{encoder}: expected one tensor *{TABLE_NAME}, found {names}")
        return np.asarray(tensors.get_tensor(names[0]), dtype=np.float32)
