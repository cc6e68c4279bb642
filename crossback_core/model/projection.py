"""What reads a task's input for the Perceiver: tokens of a modality, then keys and values."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from crossback_core.data.modalities import MODALITIES
from crossback_core.data.recipe import Recipe
from crossback_core.model.body import TaskInput
from crossback_core.model.settings import ModelSettings


class InputProjection(TaskInput):
    """All that reads one modality: adapter, norm, key and value projection.

    This is what a swap exchanges, and it belongs to one task.

    Args:
        settings: Shape of the network.
        modality: What is read.
        channels: 3 for images, the width of the token embeddings for texts.
    """

    def __init__(self, settings: ModelSettings, modality: str, channels: int) -> None:
        super().__init__()
        self.adapter = MODALITIES.find(modality).adapter(settings, channels)
        # No scale of its own: the projections that follow hold one already, and images then need
        # no gradient of their many tokens.
        self.norm = nn.LayerNorm(self.adapter.channels, elementwise_affine=False)
        inner = settings.cross_attention_heads * settings.cross_head_dim
        self.key = nn.Linear(self.adapter.channels, inner, bias=False)
        self.value = nn.Linear(self.adapter.channels, inner, bias=False)

    def check_recipe(self, recipe: Recipe) -> None:
        """Refuse a recipe of input that the adapter has no places for."""
        self.adapter.check_recipe(recipe)

    def encode(self, values: Tensor) -> Tensor:
        """Bring raw input to the float form that the adapter reads."""
        return self.adapter.encode(values)

    def forward(self, values: Tensor, mask: Tensor | None) -> Reading:
        """Make tokens of the input, for the body's queries to read.

        Args:
            values: Images (batch, 3, height, width) or texts (batch, tokens, channels).
            mask: (batch, tokens) bool, True where a token is real; None if all are. What stands at
                the others does not matter.
        """
        tokens = self.adapter(self.encode(values))
        if mask is None:
            return Reading(self.norm(tokens), None, self.key.weight, self.value.weight)
        if mask.dtype != torch.bool or mask.shape != tokens.shape[:2]:
            raise ValueError(
                f"the mask must be bool of shape {tuple(tokens.shape[:2])}, not {mask.dtype} of"
                f" shape {tuple(mask.shape)}"
            )
        # Attention gives the others no weight, but nothing times NaN is NaN.
        tokens = self.norm(tokens.masked_fill(~mask[..., None], 0))
        allowed = mask[:, None, None, :]  # (batch, 1, 1, tokens)
        return Reading(tokens, allowed, self.key.weight, self.value.weight)

    def fit(self, shape: tuple[int, ...]) -> None:
        """Widen keys and values to those of (heads, head_dim); new rows start at random."""
        self.key = _widened(self.key, math.prod(shape))
        self.value = _widened(self.value, math.prod(shape))


@dataclass(frozen=True)
class Reading:
    """An input that waits for the queries of a body.

    Attributes:
        tokens: (batch, tokens, channels)
        allowed: (batch, 1, 1, tokens) bool, True where a token is real; None if all are.
        key: Projection of the tokens to keys (heads x head_dim, channels).
        value: Projection of the tokens to values (heads x head_dim, channels).
    """

    tokens: Tensor
    allowed: Tensor | None
    key: Tensor
    value: Tensor

    def attend(self, query: Tensor, *, dropout: float) -> Tensor:
        """Attend from the latents' queries to the input.

        With few channels and many tokens (images) it is cheaper to attend to the tokens directly.
        The query is folded through the key projection, and the result goes through the value
        projection: keys and values are never built. Both ways compute the same sum.

        Args:
            query: (heads, n, head_dim), the same for the whole batch.
            dropout: Dropout of the attention weights.

        Returns:
            (batch, heads, n, head_dim)
        """
        heads, _, head_dim = query.shape
        if len(self.key) != heads * head_dim:
            raise ValueError(
                f"a projection of {len(self.key)} channels cannot answer"
                f" {heads} heads of {head_dim}: the networks have different widths"
            )
        attend = self._attend_folded if self._folding_is_cheaper(query) else self._attend_plain
        return attend(query, dropout)

    def _folding_is_cheaper(self, query: Tensor) -> bool:
        """Compare the multiplications per token of the two ways."""
        heads, latents, head_dim = query.shape
        channels = self.tokens.shape[-1]
        return latents * heads * channels < heads * head_dim * (channels + latents)

    # The batch is shape[0] here, and wherever a body asks for it: len would fix it in a graph that
    # is exported.
    def _attend_plain(self, query: Tensor, dropout: float) -> Tensor:
        head_dim = query.shape[-1]
        keys = split_heads(functional.linear(self.tokens, self.key), head_dim)
        values = split_heads(functional.linear(self.tokens, self.value), head_dim)
        query = query.expand(self.tokens.shape[0], -1, -1, -1).to(keys.dtype)
        return functional.scaled_dot_product_attention(
            query, keys, values, attn_mask=self.allowed, dropout_p=dropout
        )

    def _attend_folded(self, query: Tensor, dropout: float) -> Tensor:
        heads, latents, head_dim = query.shape
        key = self.key.view(heads, head_dim, -1)  # (heads, head_dim, channels)
        value = self.value.view(heads, head_dim, -1)
        folded = (query @ key).flatten(0, 1)  # (heads x n, channels)
        context = self.tokens.to(folded.dtype)[:, None]  # (batch, 1, tokens, channels)
        read = functional.scaled_dot_product_attention(
            folded.expand(self.tokens.shape[0], 1, -1, -1),
            context,
            context,
            attn_mask=self.allowed,
            dropout_p=dropout,
            scale=head_dim**-0.5,
        )
        read = read.view(self.tokens.shape[0], heads, latents, -1)
        return torch.matmul(read, value.transpose(1, 2))  # (batch, heads, n, head_dim)


def split_heads(tensor: Tensor, head_dim: int) -> Tensor:
    """Turn (batch, n, heads x head_dim) into (batch, heads, n, head_dim)."""
    batch, count, channels = tensor.shape
    return tensor.view(batch, count, channels // head_dim, head_dim).transpose(1, 2)


def merge_heads(tensor: Tensor) -> Tensor:
    """Turn (batch, heads, n, head_dim) into (batch, n, heads x head_dim)."""
    return tensor.transpose(1, 2).flatten(2)


def _widened(layer: nn.Linear, out_features: int) -> nn.Linear:
    """Return the layer with its rows on top of new random ones."""
    if out_features < layer.out_features:
        raise ValueError(
            f"cannot shrink a projection from {layer.out_features} to {out_features} channels"
        )
    wider = nn.Linear(layer.in_features, out_features, bias=False).to(layer.weight.device)
    with torch.no_grad():
        wider.weight[: layer.out_features] = layer.weight
    return wider
