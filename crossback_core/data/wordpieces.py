"""Sentences as wordpieces of a vocabulary that a task brings along, as BERT cuts them (uncased)."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from crossback_core.data.recipe import Recipe
from crossback_core.data.text import Vocabulary

if TYPE_CHECKING:
    from tokenizers import Tokenizer

logger = logging.getLogger(__name__)

UNKNOWN, MASK = "[UNK]", "[MASK]"
_LONGEST_WORD = 100  # characters; BERT takes longer words for unknown


class Wordpieces:
    """Cuts sentences: in small letters, without accents, each word into the longest pieces.

    (Devlin et al., arXiv 1810.04805; the library's own parts.)

    Args:
        ids: The row of each wordpiece; row 0 is padding.

    Attributes:
        tokenizer: Of the library.
        unknown: What stands for a word that has no pieces: of no row, where there is none for it.
    """

    def __init__(self, ids: Mapping[str, int]) -> None:
        self.unknown = ids.get(UNKNOWN, len(ids))
        self._known = len(ids)
        self.tokenizer = _tokenizer({**ids, UNKNOWN: self.unknown})

    def of(self, text: str) -> list[int]:
        """Return the wordpieces of a text; `unknown` stands for each word that has none."""
        found: list[int] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return found

    def rows(self, pieces: Sequence[int]) -> list[int]:
        """Return those of a text's wordpieces that have a row; none where all are unknown."""
        known = any(piece != self.unknown for piece in pieces)
        return [piece for piece in pieces if piece < self._known] if known else []


def _tokenizer(ids: Mapping[str, int]) -> Tokenizer:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    pieces = models.WordPiece(
        vocab=dict(ids), unk_token=UNKNOWN, max_input_chars_per_word=_LONGEST_WORD
    )
    made = Tokenizer(pieces)
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    if MASK in ids:
        made.add_special_tokens([MASK])
    return made


def recipe_of(vocabulary: Vocabulary, known: Mapping[str, Sequence[int]]) -> Recipe | None:
    """Return the recipe of texts that were cut before; None where they were cut in another way.

    Args:
        vocabulary: Of the texts.
        known: Some of them, and how they were cut.
    """
    cut = Wordpieces(vocabulary.ids)
    other = [text for text, pieces in known.items() if cut.of(text) != list(pieces)]
    if other or not known:
        logger.warning(
            "texts of one's own cannot be read by networks of this task: how its own became"
            " wordpieces is not known (%s)",
            f"{len(other)} of {len(known)} are cut in another way, such as {other[0]!r}"
            if other
            else "the table has no column text",
        )
        return None
    words = "\n".join(vocabulary.ids).encode()
    return Recipe({}, {"words": np.array([*words], np.uint8), "table": vocabulary.embeddings})
