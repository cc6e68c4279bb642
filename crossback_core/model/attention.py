"""Attention and feed-forward blocks whose weights are masked and whose norms belong to tasks."""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn import functional

from crossback_core.model.adapters import InputProjection, merge_heads, split_heads
from crossback_core.model.masked_linear import MaskedLinear


class TaskNorm(nn.Module):
    """Layer normalisation with one scale and offset for each task.

    Args:
        dim: Number of channels.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim
        self.norms = nn.ModuleList()

    def add_task(self, like: int | None = None) -> None:
        """Add a task; `like` is the position of the task whose values it starts from."""
        norm = nn.LayerNorm(self.dim)
        if like is not None:
            norm.load_state_dict(self.norms[like - 1].state_dict())
        self.norms.append(norm)

    def forward(self, inputs: Tensor, position: int) -> Tensor:
        """Normalise (..., dim) with the scale and offset of the task at `position`."""
        normed: Tensor = self.norms[position - 1](inputs)
        return normed


class Attention(nn.Module):
    """Multi-head attention between latents; the context is the input itself unless given.

    Args:
        dim: Channels of input, context and output.
        heads: Number of heads at width 1.
        head_dim: Channels a head.
        dropout: Dropout of the attention weights.
    """

    def __init__(self, *, dim: int, heads: int, head_dim: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.head_dim, self.dropout = heads, head_dim, dropout
        inner = heads * head_dim
        self.norm, self.context_norm = TaskNorm(dim), TaskNorm(dim)
        self.query = MaskedLinear(dim, inner, bias=False)
        self.key = MaskedLinear(dim, inner, bias=False)
        self.value = MaskedLinear(dim, inner, bias=False)
        self.out = MaskedLinear(inner, dim, bias=True)

    def forward(self, inputs: Tensor, context: Tensor, position: int) -> Tensor:
        """Attend from (batch, n, dim) to (batch, m, dim); returns (batch, n, dim)."""
        context = self.context_norm(context, position)
        attended = functional.scaled_dot_product_attention(
            split_heads(self.query(self.norm(inputs, position), position), self.head_dim),
            split_heads(self.key(context, position), self.head_dim),
            split_heads(self.value(context, position), self.head_dim),
            dropout_p=self.dropout if self.training else 0.0,
        )
        out: Tensor = self.out(merge_heads(attended), position)
        return out

    def grow(self, width: float) -> None:
        """Widen the heads' total width to `width` times that of construction."""
        inner = math.ceil(self.heads * width) * self.head_dim
        for layer in (self.query, self.key, self.value):
            layer.grow(layer.owner.shape[1], inner)
        self.out.grow(inner, self.out.owner.shape[0])


class InputAttention(nn.Module):
    """The cross attention that reads the input: the latents ask, a task's projection answers.

    Query and output are masked weights of the body; keys and values come from the
    `InputProjection` of the task (or of another network, when modalities are swapped).

    Args:
        dim: Channels of the latents.
        heads: Number of heads at width 1.
        head_dim: Channels a head.
        dropout: Dropout of the attention weights.
    """

    def __init__(self, *, dim: int, heads: int, head_dim: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.head_dim, self.dropout = heads, head_dim, dropout
        self.norm = TaskNorm(dim)
        self.query = MaskedLinear(dim, heads * head_dim, bias=False)
        self.out = MaskedLinear(heads * head_dim, dim, bias=True)

    def forward(
        self,
        latents: Tensor,
        values: Tensor,
        mask: Tensor | None,
        projection: InputProjection,
        position: int,
    ) -> Tensor:
        """Read the input into the latents.

        Args:
            latents: (n, dim), the same for the whole batch.
            values: What `InputProjection` reads, (batch, ...).
            mask: (batch, tokens) bool, True where a token is real; None if all are.
            projection: Turns the values into keys and values.
            position: Position of the task.

        Returns:
            (batch, n, dim)
        """
        query = self.query(self.norm(latents, position), position)  # (n, inner)
        dropout = self.dropout if self.training else 0.0
        heads = split_heads(query[None], self.head_dim)[0]  # (heads, n, head_dim)
        attended = projection.attend(heads, values, mask, dropout=dropout)
        out: Tensor = self.out(merge_heads(attended), position)
        return out

    def grow(self, width: float) -> None:
        """Widen the heads' total width to `width` times that of construction."""
        inner = math.ceil(self.heads * width) * self.head_dim
        self.query.grow(self.query.owner.shape[1], inner)
        self.out.grow(inner, self.out.owner.shape[0])


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
        self.hidden, self.dropout = hidden, dropout
        self.norm = TaskNorm(dim)
        self.value = MaskedLinear(dim, hidden, bias=True)
        self.gate = MaskedLinear(dim, hidden, bias=True)
        self.out = MaskedLinear(hidden, dim, bias=True)

    def forward(self, inputs: Tensor, position: int) -> Tensor:
        """Transform (..., dim) to (..., dim) as the task at `position` does."""
        normed = self.norm(inputs, position)
        hidden = self.value(normed, position) * functional.gelu(self.gate(normed, position))
        out: Tensor = self.out(functional.dropout(hidden, self.dropout, self.training), position)
        return out

    def grow(self, width: float) -> None:
        """Widen the hidden channels to `width` times those of construction."""
        hidden = math.ceil(self.hidden * width)
        for layer in (self.value, self.gate):
            layer.grow(layer.owner.shape[1], hidden)
        self.out.grow(hidden, self.out.owner.shape[0])
