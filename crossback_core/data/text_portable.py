"""Texts as an exported graph takes them: ids of tokens, or embeddings where an encoder makes them.

The graph has a mask beside them, so that any id may stand after a text's end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from crossback_core.data.encoder import Encoder
from crossback_core.data.portable import BATCH, FILE, GraphInput, PortableInput
from crossback_core.data.recipe import Recipe
from crossback_core.data.text_reader import Encoded, EncoderReader, TableReader
from crossback_core.data.wordpieces import UNKNOWN

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_TOKENS = "tokens"  # the axis
_LEAST = 3  # an axis that may differ needs lengths beside 1 and the greatest
_SUFFIX = ".tokenizer.json"
_MASK = "`mask` is bool (batch, tokens), True where a token is real: at least one of each text."
_CUT = "At most {cut} tokens of a text are read; the graph itself takes up to {most}."
_PREPARE_TOKENS = """\
`tokens` is int64 (batch, tokens): rows of the table of embeddings, 0 to {last}, which lies in the \
graph. {mask} What stands behind a text's end may be any row.

The tokenizer is {origin}. `{file}` is that tokenizer for the library `tokenizers`, set to cut and \
pad. {cut} Write a text on one line. Of a text of unknown tokens alone the answer says nothing."""
_EXAMPLE_TOKENS = """\
tokenizer = Tokenizer.from_file("{file}")
read = tokenizer.encode_batch(["a loaf of bread", "a red bird"])
inputs = {{
    "tokens": np.array([text.ids for text in read], dtype=np.int64),
    "mask": np.array([text.attention_mask for text in read], dtype=bool),
}}"""
_PREPARE_EMBEDDINGS = """\
**The text encoder is not in the graph.** `embeddings` is float32 (batch, tokens, {channels}), the \
last hidden states of {encoder} (sha256 of vocabulary and weights {digest}), rounded to float16. \
{mask}

{cut} Write a text on one line. Of an encoder-decoder take `get_encoder()`."""
_EXAMPLE_EMBEDDINGS = """\
tokenizer = AutoTokenizer.from_pretrained({encoder!r})
encoder = AutoModel.from_pretrained({encoder!r}).eval()
texts = ["a loaf of bread", "a red bird"]
read = tokenizer(texts, truncation=True, max_length={cut}, padding=True, return_tensors="pt")
ids, mask = read["input_ids"], read["attention_mask"]
with torch.no_grad():
    states = encoder(input_ids=ids, attention_mask=mask).last_hidden_state
inputs = {{"embeddings": states.half().float().numpy(), "mask": mask.bool().numpy()}}"""


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
    if positions < _LEAST:
        raise ValueError(f"texts of at most {positions} tokens (max_tokens) cannot be exported")
    if "encoder" not in recipe.values:
        return _of_table(TableReader(recipe, channels), recipe, positions)
    reader = EncoderReader(recipe, channels, elsewhere)
    if reader.wanted.representation == "contextual":
        return PortableEmbeddings(reader.wanted, recipe, channels, positions)
    return _of_encoder(reader.encoder(), reader.wanted, recipe, positions)


def _of_table(reader: TableReader, recipe: Recipe, positions: int) -> PortableTokens:
    table = torch.from_numpy(reader.table)
    pieces = reader.pieces()
    if pieces.unknown >= len(table):
        raise ValueError(
            f"the table of this task's wordpieces has no {UNKNOWN}: no tokenizer of another library"
            " can leave unknown words out, so its texts cannot be exported"
        )
    cut = min(reader.most, positions)
    tokenizer = _saved(pieces.tokenizer, cut)
    origin = f"BERT's, uncased, of {len(table)} wordpieces"
    return PortableTokens(table, tokenizer, recipe, origin=origin, cut=cut, positions=positions)


def _of_encoder(
    encoder: Encoder, wanted: Encoded, recipe: Recipe, positions: int
) -> PortableTokens:
    table = torch.from_numpy(encoder.table())
    cut = min(wanted.text_length, positions)
    origin = (
        f"that of the encoder {wanted.encoder!r} (sha256 of vocabulary and table {wanted.digest}),"
        " special tokens included"
    )
    own = getattr(encoder.tokenizer, "backend_tokenizer", None)
    if own is None:
        raise ValueError(
            f"the tokenizer of encoder {wanted.encoder!r} has no form that runs without its own"
            " library (tokenizer.json): texts of this task cannot be exported"
        )
    tokenizer = _saved(own, cut, side=encoder.tokenizer.truncation_side)
    return PortableTokens(table, tokenizer, recipe, origin=origin, cut=cut, positions=positions)


def _saved(tokenizer: Tokenizer, longest: int, *, side: str = "right") -> str:
    """Return a tokenizer as a file (JSON), which cuts at a side and pads at the right by itself."""
    made = type(tokenizer).from_str(tokenizer.to_str())
    made.enable_truncation(longest, direction=side)
    made.enable_padding(direction="right", pad_id=0)  # any row: padding is masked
    text: str = made.to_str()
    return text


class PortableTokens(PortableInput):
    """Ids of tokens, whose embeddings the graph looks up.

    Args:
        table: float16 (rows, channels).
        tokenizer: Its file.
        recipe: Of the task.
        origin: What the tokenizer is.
        cut: Tokens of a text that are read.
        positions: The most tokens that the network takes.
    """

    imports = ("from tokenizers import Tokenizer",)
    packages = ("tokenizers",)
    table: Tensor

    def __init__(
        self,
        table: Tensor,
        tokenizer: str,
        recipe: Recipe,
        *,
        origin: str,
        cut: int,
        positions: int,
    ) -> None:
        super().__init__()
        self.register_buffer("table", table)
        self.longest = {_TOKENS: positions}
        self.recipe = recipe.values
        self.inputs = (GraphInput("tokens", torch.int64, (BATCH, _TOKENS)), _mask_input())
        self.files = {_SUFFIX: tokenizer}
        self.preparation = _PREPARE_TOKENS.format(
            file=f"{FILE}{_SUFFIX}",
            last=len(table) - 1,
            mask=_MASK,
            origin=origin,
            cut=_CUT.format(cut=cut, most=positions),
        )
        self.example = _lines(_EXAMPLE_TOKENS, file=f"{FILE}{_SUFFIX}")

    def forward(self, *given: Tensor) -> tuple[Tensor, Tensor]:
        """Look up tokens (batch, tokens)."""
        tokens, mask = given
        return functional.embedding(tokens, self.table).float(), mask

    def draws(self, generator: torch.Generator) -> Iterator[tuple[Tensor, ...]]:
        """Yield random rows."""
        for mask in _masks(self.longest[_TOKENS], generator):
            yield torch.randint(len(self.table), mask.shape, generator=generator), mask


class PortableEmbeddings(PortableInput):
    """Embeddings that an encoder made, which is not in the graph.

    Args:
        wanted: What the recipe says of it.
        recipe: Of the task.
        channels: Width of the embeddings.
        positions: The most tokens that the network takes.
    """

    imports = ("import torch", "from transformers import AutoModel, AutoTokenizer")
    packages = ("torch", "transformers")
    files: Mapping[str, str] = {}

    def __init__(self, wanted: Encoded, recipe: Recipe, channels: int, positions: int) -> None:
        super().__init__()
        cut = min(wanted.text_length, positions)
        self.longest = {_TOKENS: positions}
        self.recipe = recipe.values
        embeddings = GraphInput("embeddings", torch.float32, (BATCH, _TOKENS, channels))
        self.inputs = (embeddings, _mask_input())
        self.preparation = _PREPARE_EMBEDDINGS.format(
            channels=channels,
            encoder=repr(wanted.encoder),
            digest=wanted.digest,
            mask=_MASK,
            cut=_CUT.format(cut=cut, most=positions),
        )
        self.example = _lines(_EXAMPLE_EMBEDDINGS, encoder=wanted.encoder, cut=cut)
        self._channels = channels

    def forward(self, *given: Tensor) -> tuple[Tensor, Tensor]:
        """Return embeddings and mask as they are."""
        embeddings, mask = given
        return embeddings, mask

    def draws(self, generator: torch.Generator) -> Iterator[tuple[Tensor, ...]]:
        """Yield normal ones."""
        for mask in _masks(self.longest[_TOKENS], generator):
            yield torch.randn(*mask.shape, self._channels, generator=generator), mask


def _mask_input() -> GraphInput:
    return GraphInput("mask", torch.bool, (BATCH, _TOKENS))


def _masks(longest: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Yield masks (batch, tokens) of texts of random lengths, the first of them a full one."""
    for batch, tokens in ((4, longest // 2 + 1), (1, 1), (1, longest), (8, longest)):
        ends = torch.randint(1, tokens + 1, (batch, 1), generator=generator)
        ends[0] = tokens
        yield torch.arange(tokens) < ends


def _lines(example: str, **values: Any) -> tuple[str, ...]:
    return tuple(example.format(**values).split("\n"))
