"""Perceiver IO as a body (Jaegle et al., arXiv 2107.14795).

Latents read the input by cross-attention, go through self-attention blocks, and answer one query.
The weights of the linear layers are masked; norms, biases, latents and query belong to tasks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from copy import deepcopy
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from crossback_core.data.modality import near_zero
from crossback_core.model.body import Body, Kind
from crossback_core.model.projection import (
    InputProjection,
    Reading,
    merge_heads,
    split_heads,
)
from crossback_core.model.settings import ModelSettings


class Linear(nn.Linear):
    """A linear layer that starts uniform within 1 / sqrt(inputs), its bias at zero."""

    def reset_parameters(self) -> None:
        """Draw the weights."""
        nn.init.uniform_(self.weight, *_bounds(self.in_features))
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def widen(self, in_features: int, out_features: int) -> None:
        """Add random rows and zero columns, in place.

        A pair of layers widened along the width between them computes what it computed before.
        """
        rows, columns = self.weight.shape
        if in_features < columns or out_features < rows:
            raise ValueError(
                f"cannot shrink a layer from {rows} x {columns} to {out_features} x {in_features}"
            )
        weight = self.weight.new_zeros(out_features, in_features)
        weight[rows:] = torch.empty(out_features - rows, in_features).uniform_(
            *_bounds(in_features)
        )
        weight[:rows, :columns] = self.weight.detach()
        self.weight = nn.Parameter(weight)
        if self.bias is not None:
            self.bias = nn.Parameter(functional.pad(self.bias.detach(), (0, out_features - rows)))
        self.in_features = in_features
        self.out_features = out_features


def _bounds(inputs: int) -> tuple[float, float]:
    bound = 1 / math.sqrt(inputs)
    return -bound, bound


class Attention(nn.Module):
    """Multi-head attention between latents; the context is the input itself unless given.

    Args:
        dim: Channels of input, context and output.
        heads: Number of heads at width 1.
        head_dim: Channels per head.
        dropout: Dropout of the attention weights.
    """

    def __init__(self, *, dim: int, heads: int, head_dim: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.head_dim = head_dim
        self.dropout = dropout
        inner = heads * head_dim
        self.norm = nn.LayerNorm(dim)
        self.context_norm = nn.LayerNorm(dim)
        self.query = Linear(dim, inner, bias=False)
        self.key = Linear(dim, inner, bias=False)
        self.value = Linear(dim, inner, bias=False)
        self.out = Linear(inner, dim)

    def forward(self, inputs: Tensor, context: Tensor) -> Tensor:
        """Attend from (batch, n, dim) to (batch, m, dim); return (batch, n, dim)."""
        context = self.context_norm(context)
        attended = functional.scaled_dot_product_attention(
            split_heads(self.query(self.norm(inputs)), self.head_dim),
            split_heads(self.key(context), self.head_dim),
            split_heads(self.value(context), self.head_dim),
            dropout_p=self.dropout if self.training else 0.0,
        )
        out: Tensor = self.out(merge_heads(attended))
        return out

    def widen(self, width: float) -> None:
        """Widen the heads' total width to `width` times that of construction."""
        inner = math.ceil(self.heads * width) * self.head_dim
        for layer in (self.query, self.key, self.value):
            layer.widen(layer.in_features, inner)
        self.out.widen(inner, self.out.out_features)


class InputAttention(nn.Module):
    """The cross attention that reads the input: the latents ask, a task's projection answers.

    Query and output are weights of the body; keys and values come from the `InputProjection` of
    the task (or of another network, when modalities are swapped).

    Args:
        dim: Channels of the latents.
        heads: Number of heads at width 1.
        head_dim: Channels per head.
        dropout: Dropout of the attention weights.
    """

    def __init__(self, *, dim: int, heads: int, head_dim: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.head_dim = head_dim
        self.dropout = dropout
        self.norm = nn.LayerNorm(dim)
        self.query = Linear(dim, heads * head_dim, bias=False)
        self.out = Linear(heads * head_dim, dim)

    def forward(self, latents: Tensor, reading: Reading) -> Tensor:
        """Read the input into the latents (n, dim), the same for all; return (batch, n, dim)."""
        query = self.query(self.norm(latents))  # (n, inner)
        dropout = self.dropout if self.training else 0.0
        heads = split_heads(query[None], self.head_dim)[0]  # (heads, n, head_dim)
        out: Tensor = self.out(merge_heads(reading.attend(heads, dropout=dropout)))
        return out

    def widen(self, width: float) -> None:
        """Widen the heads' total width to `width` times that of construction."""
        inner = math.ceil(self.heads * width) * self.head_dim
        self.query.widen(self.query.in_features, inner)
        self.out.widen(inner, self.out.out_features)


class FeedForward(nn.Module):
    """GEGLU feed-forward block (Shazeer, arXiv 2002.05202).

    Value and gate are separate layers, so that the old weights stay a top-left block when it grows.

    Args:
        dim: Channels of input and output.
        hidden: Channels between, at width 1.
        dropout: Dropout of the hidden channels.
    """

    def __init__(self, *, dim: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.hidden = hidden
        self.dropout = dropout
        self.norm = nn.LayerNorm(dim)
        self.value = Linear(dim, hidden)
        self.gate = Linear(dim, hidden)
        self.out = Linear(hidden, dim)

    def forward(self, inputs: Tensor) -> Tensor:
        """Transform (..., dim) to (..., dim)."""
        normed = self.norm(inputs)
        hidden = self.value(normed) * functional.gelu(self.gate(normed))
        out: Tensor = self.out(functional.dropout(hidden, self.dropout, self.training))
        return out

    def widen(self, width: float) -> None:
        """Widen the hidden channels to `width` times those of construction."""
        hidden = math.ceil(self.hidden * width)
        for layer in (self.value, self.gate):
            layer.widen(layer.in_features, hidden)
        self.out.widen(hidden, self.out.out_features)


class Perceiver(Body):
    """Perceiver IO with one query.

    Args:
        settings: Shape at width 1.
    """

    name = "perceiver"
    settings_type = ModelSettings
    settings: ModelSettings

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.settings = settings
        self.features = dim = settings.latent_dim
        dropout = settings.dropout
        hidden = dim * settings.feedforward_factor
        cross = {"heads": settings.cross_attention_heads, "head_dim": settings.cross_head_dim}
        inner = {"heads": settings.attention_heads, "head_dim": settings.head_dim}
        self.reader = InputAttention(dim=dim, dropout=dropout, **cross)
        self.reader_feedforward = FeedForward(dim=dim, hidden=hidden, dropout=dropout)
        self.attentions = nn.ModuleList(
            Attention(dim=dim, dropout=dropout, **inner) for _ in range(settings.blocks)
        )
        self.feedforwards = nn.ModuleList(
            FeedForward(dim=dim, hidden=hidden, dropout=dropout) for _ in range(settings.blocks)
        )
        self.decoder = Attention(dim=dim, dropout=dropout, **cross)
        self.decoder_norm = nn.LayerNorm(dim)
        self.latents = near_zero(settings.latents, dim)
        self.query = near_zero(dim)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Heads of the queries that read the input, and their channels."""
        head_dim = self.settings.cross_head_dim
        return self.reader.query.out_features // head_dim, head_dim

    def kinds(self) -> dict[str, Kind]:
        """Linear weights are masked; all else belongs to tasks."""
        kinds: dict[str, Kind] = {}
        for path, module in self.named_modules():
            if isinstance(module, Linear | nn.LayerNorm):
                for name, _ in module.named_parameters():
                    masked = isinstance(module, Linear) and name == "weight"
                    kinds[f"{path}.{name}"] = "masked" if masked else "per_task"
        return kinds | {"latents": "per_task", "query": "per_task"}

    def make_input(self, modality: str, channels: int) -> InputProjection:
        """Make a projection of a modality's tokens to keys and values."""
        return InputProjection(self.settings, modality, channels)

    def grown(self, width: float) -> Self:
        """Return a copy whose heads and hidden channels are `width` times those of construction."""
        copy = deepcopy(self)
        for module in copy.modules():
            if isinstance(module, Attention | InputAttention | FeedForward):
                module.widen(width)
        return copy

    @classmethod
    def masked_size(cls, settings: ModelSettings, width: float) -> int:
        """Return how many weights the linear layers have at a width."""
        hidden = math.ceil(settings.latent_dim * settings.feedforward_factor * width)
        inner = math.ceil(settings.attention_heads * width) * settings.head_dim
        cross = math.ceil(settings.cross_attention_heads * width) * settings.cross_head_dim
        rows = 6 * cross + 3 * hidden + settings.blocks * (4 * inner + 3 * hidden)
        return settings.latent_dim * rows

    def forward(self, read: Reading) -> Tensor:
        """Compute the features (batch, latent_dim) of a batch of inputs."""
        for state in self._states(read):
            last = state
        return self._answer(last)

    def observe(self, read: Reading) -> tuple[Tensor, ...]:
        """Compute the features, and the latents' mean after each self-attention block."""
        states = list(self._states(read))
        return self._answer(states[-1]), *(state.mean(dim=1) for state in states[1:])

    def _states(self, read: Reading) -> Iterator[Tensor]:
        """Yield the latents (batch, latents, dim) after reading, then after each block."""
        state = self.latents + self.reader(self.latents, read)
        state = state + self.reader_feedforward(state)
        yield state
        for attention, feedforward in zip(self.attentions, self.feedforwards, strict=True):
            state = state + attention(state, state)
            state = state + feedforward(state)
            yield state

    def _answer(self, state: Tensor) -> Tensor:
        """Answer the query from the latents (batch, latents, dim)."""
        query = self.query.expand(state.shape[0], 1, -1)  # (batch, 1, dim)
        answer = query + self.decoder(query, state)
        normed: Tensor = self.decoder_norm(answer)
        return normed[:, 0]


BODY = Perceiver
