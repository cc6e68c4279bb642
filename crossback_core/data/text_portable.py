"""Texts as an exported graph takes them: ids of tokens; what makes embeddings of them lies in it.

The graph has a mask beside them, so that any id may stand after a text's end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from crossback_core.data.encoder import Encoder
from crossback_core.data.portable import BATCH, FILE, GraphInput, PortableInput
from crossback_core.data.recipe import Recipe
from crossback_core.data.text_reader import EncoderReader, TableReader
from crossback_core.data.wordpieces import UNKNOWN

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_TOKENS = "tokens"  # the axis
_LEAST = 3  # an axis that may differ needs lengths beside 1 and the greatest
_SUFFIX = ".tokenizer.json"
_MASK = "`mask` is bool (batch, tokens), True where a token is real: at least one of each text."
_CUT = "At most {cut} tokens of a text are read; the graph itself takes up to {most}."
_PREPARE = """\
`tokens` is int64 (batch, tokens): {ids}. {mask} What stands behind a text's end may be any of them.

The tokenizer is {origin}. `{file}` is that tokenizer for the library `tokenizers`, set to cut and \
pad. {cut} Write a text on one line. Of a text of unknown tokens alone the answer says nothing."""
_OF_TABLE = "rows of the table of embeddings, 0 to {last}, which lies in the graph"
_OF_ENCODER = """\
ids of the vocabulary of the encoder {encoder!r}, 0 to {last}. The encoder lies in the graph, with \
its weights, under its publisher's licence; the network reads its last hidden states, rounded to \
float16"""
_EXAMPLE = """\
tokenizer = Tokenizer.from_file("{file}")
read = tokenizer.encode_batch(["a loaf of bread", "a red bird"])
inputs = {{
    "tokens": np.array([text.ids for text in read], dtype=np.int64),
    "mask": np.array([text.attention_mask for text in read], dtype=bool),
}}"""


def portable_texts(
    recipe: Recipe, channels: int, positions: int, elsewhere: str | None
) -> PortableInput:
    """Return what reads texts in a graph.

    Args:
        recipe: Of the task.
        channels: Width of the embeddings.
        positions: The most tokens that the network takes.
        elsewhere: Folder of the encoder, if it has moved.

    Raises:
        FileNotFoundError: The encoder is needed and is not here.
        ValueError: It is another one, or its tokenizer cannot be taken along; or the network reads
            too few tokens.
    """
    if "encoder" not in recipe.values:
        return _of_table(TableReader(recipe, channels), recipe, positions)
    reader = EncoderReader(recipe, channels, elsewhere)
    encoder, wanted = reader.encoder(), reader.wanted
    whole = wanted.representation == "contextual"
    tokenizer = _Tokenizer(
        f"that of the encoder {wanted.encoder!r} (sha256 of vocabulary and"
        f" {'weights' if whole else 'table'} {wanted.digest}), special tokens included",
        _own(encoder),
        cut=min(wanted.text_length, positions),
        side=encoder.tokenizer.truncation_side,
    )
    if whole:
        return EncodedTokens(encoder, tokenizer, recipe)
    return TableTokens(torch.from_numpy(encoder.table()), tokenizer, recipe, positions)


def _of_table(reader: TableReader, recipe: Recipe, positions: int) -> PortableTokens:
    table = torch.from_numpy(reader.table)
    pieces = reader.pieces()
    if pieces.unknown >= len(table):
        raise ValueError(
            f"the table of this task's wordpieces has no {UNKNOWN}: no tokenizer of another library"
            " can leave unknown words out, so its texts cannot be exported"
        )
    origin = f"BERT's, uncased, of {len(table)} wordpieces"
    tokenizer = _Tokenizer(origin, pieces.tokenizer, cut=min(reader.most, positions))
    return TableTokens(table, tokenizer, recipe, positions)


def _own(encoder: Encoder) -> Tokenizer:
    """Return an encoder's tokenizer, of the library `tokenizers`."""
    own: Tokenizer | None = getattr(encoder.tokenizer, "backend_tokenizer", None)
    if own is None:
        raise ValueError(
            f"the tokenizer of encoder {encoder.settings.encoder!r} has no form that runs without"
            " its own library (tokenizer.json): texts of this task cannot be exported"
        )
    return own


@dataclass(frozen=True, eq=False)
class _Tokenizer:
    """A tokenizer that is taken along.

    Attributes:
        origin: What it is, for people.
        made: Of the library.
        cut: Tokens of a text that are read.
        side: Where longer ones are cut.
    """

    origin: str
    made: Tokenizer
    cut: int
    side: str = "right"

    def file(self) -> str:
        """Return its file (JSON), which cuts, and pads at the right, by itself."""
        made = type(self.made).from_str(self.made.to_str())
        made.enable_truncation(self.cut, direction=self.side)
        made.enable_padding(direction="right", pad_id=0)  # any id: padding is masked
        text: str = made.to_str()
        return text


class PortableTokens(PortableInput):
    """Ids of tokens.

    Args:
        told: What they are, for people.
        count: How many ids there are.
        tokenizer: That makes them.
        recipe: Of the task.
        positions: The most tokens that the graph takes.

    Raises:
        ValueError: These are too few.
    """

    imports = ("from tokenizers import Tokenizer",)
    packages = ("tokenizers",)

    def __init__(
        self, told: str, count: int, tokenizer: _Tokenizer, recipe: Recipe, positions: int
    ) -> None:
        super().__init__()
        if positions < _LEAST:
            raise ValueError(
                f"texts of at most {positions} tokens (max_tokens, text_length) cannot be exported"
            )
        self.longest = {_TOKENS: positions}
        self.recipe = recipe.values
        self.inputs = (
            GraphInput("tokens", torch.int64, (BATCH, _TOKENS)),
            GraphInput("mask", torch.bool, (BATCH, _TOKENS)),
        )
        self.files = {_SUFFIX: tokenizer.file()}
        self.preparation = _PREPARE.format(
            file=f"{FILE}{_SUFFIX}",
            ids=told,
            mask=_MASK,
            origin=tokenizer.origin,
            cut=_CUT.format(cut=tokenizer.cut, most=positions),
        )
        self.example = tuple(_EXAMPLE.format(file=f"{FILE}{_SUFFIX}").split("\n"))
        self._count = count

    def draws(self, generator: torch.Generator) -> Iterator[tuple[Tensor, ...]]:
        """Yield random ids."""
        for mask in _masks(self.longest[_TOKENS], generator):
            yield torch.randint(self._count, mask.shape, generator=generator), mask


class TableTokens(PortableTokens):
    """Ids of tokens, whose embeddings the graph looks up in a table, float16 (rows, channels)."""

    table: Tensor

    def __init__(
        self, table: Tensor, tokenizer: _Tokenizer, recipe: Recipe, positions: int
    ) -> None:
        told = _OF_TABLE.format(last=len(table) - 1)
        super().__init__(told, len(table), tokenizer, recipe, positions)
        self.register_buffer("table", table)

    def forward(self, *given: Tensor) -> tuple[Tensor, Tensor]:
        """Look up tokens (batch, tokens)."""
        tokens, mask = given
        return functional.embedding(tokens, self.table).float(), mask


class EncodedTokens(PortableTokens):
    """Ids of tokens that an encoder reads, which lies in the graph; it takes no longer texts."""

    tolerance = 4 * 2**-10  # steps of float16: a last digit may move a hidden state by one

    def __init__(self, encoder: Encoder, tokenizer: _Tokenizer, recipe: Recipe) -> None:
        count = 1 + max(encoder.tokenizer.get_vocab().values())
        told = _OF_ENCODER.format(encoder=recipe.values["encoder"], last=count - 1)
        super().__init__(told, count, tokenizer, recipe, tokenizer.cut)
        self.encoder = encoder.model

    def forward(self, *given: Tensor) -> tuple[Tensor, Tensor]:
        """Return the hidden states of tokens (batch, tokens), as task files hold them."""
        tokens, mask = given
        states = self.encoder(input_ids=tokens, attention_mask=mask.long()).last_hidden_state
        return states.half().float(), mask

    def values(self) -> dict[str, Tensor]:
        """Return the encoder's, without a pooler: not used, and random where its files lack it."""
        return {name: held for name, held in super().values().items() if "pooler" not in name}


def _masks(longest: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Yield masks (batch, tokens) of texts of random lengths, the first of them a full one."""
    for batch, tokens in ((4, longest // 2 + 1), (1, 1), (1, longest), (8, longest)):
        ends = torch.randint(1, tokens + 1, (batch, 1), generator=generator)
        ends[0] = tokens
        yield torch.arange(tokens) < ends
