"""How a modality enters the network: tokens with positions, then keys and values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional

from crossback_core.model.body import TaskInput
from crossback_core.settings import MODALITIES, Modality, ModelSettings

COLOURS = 3


class ImageAdapter(nn.Module):
    """Pixels with 2-D Fourier positions (Jaegle et al., arXiv 2103.03206, section 3.2).

    Args:
        settings: Frequency bands and the mean and standard deviation of the pixels in [0, 1].
    """

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.bands, self.max_frequency = settings.frequency_bands, settings.max_frequency
        self.mean, self.std = settings.image_mean, settings.image_std
        self.channels = COLOURS + 2 * (2 * self.bands + 1)

    def encode(self, pixels: Tensor) -> Tensor:
        """Turn uint8 (batch, 3, height, width) into normalised float32; float passes as it is."""
        if pixels.is_floating_point():
            return pixels
        if pixels.dtype != torch.uint8:
            raise ValueError(f"images must be uint8, or float if encoded, not {pixels.dtype}")
        mean = torch.tensor(self.mean, device=pixels.device).view(1, COLOURS, 1, 1)
        std = torch.tensor(self.std, device=pixels.device).view(1, COLOURS, 1, 1)
        return (pixels.float() / 255 - mean) / std

    def forward(self, values: Tensor) -> Tensor:
        """Turn encoded images (batch, 3, height, width) into (batch, height x width, channels)."""
        if values.ndim != 4 or values.shape[1] != COLOURS:
            raise ValueError(
                f"images must be (batch, {COLOURS}, height, width), got {tuple(values.shape)}"
            )
        height, width = values.shape[-2:]
        positions = fourier_positions(height, width, self.bands, self.max_frequency)
        positions = positions.to(values.device).expand(len(values), -1, -1)
        return torch.cat([values.flatten(2).transpose(1, 2), positions], dim=-1)


class TextAdapter(nn.Module):
    """Frozen token embeddings plus learned positions.

    Args:
        settings: `max_tokens` is the number of positions.
        channels: Width of the token embeddings.
    """

    def __init__(self, settings: ModelSettings, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.positions = nn.Parameter(0.02 * torch.randn(settings.max_tokens, channels))

    def encode(self, embedded: Tensor) -> Tensor:
        """Token embeddings are what the adapter reads already."""
        return embedded

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


class InputProjection(TaskInput):
    """All that reads one modality: adapter, norm, key and value projection.

    This is what a swap exchanges, and it belongs to one task.

    Args:
        settings: Shape of the network.
        modality: What is read.
        channels: 3 for images, the width of the token embeddings for texts.
    """

    def __init__(self, settings: ModelSettings, modality: Modality, channels: int) -> None:
        super().__init__()
        self.adapter = _adapter(settings, modality, channels)
        # No scale of its own: the projections that follow hold one already, and images then need
        # no gradient of their many tokens.
        self.norm = nn.LayerNorm(self.adapter.channels, elementwise_affine=False)
        inner = settings.cross_heads * settings.cross_head_dim
        self.key = nn.Linear(self.adapter.channels, inner, bias=False)
        self.value = nn.Linear(self.adapter.channels, inner, bias=False)

    def encode(self, values: Tensor) -> Tensor:
        """Bring raw input to the float form that the adapter reads."""
        return self.adapter.encode(values)

    def forward(self, values: Tensor, mask: Tensor | None) -> Reading:
        """Make tokens of the input, for the body's queries to read.

        Args:
            values: Images (batch, 3, height, width) or texts (batch, tokens, channels).
            mask: (batch, tokens) bool, True where a token is real; None if all are.
        """
        tokens = self.norm(self.adapter(self.encode(values)))
        if mask is not None and (mask.dtype != torch.bool or mask.shape != tokens.shape[:2]):
            raise ValueError(
                f"the mask must be bool of shape {tuple(tokens.shape[:2])}, not {mask.dtype} of"
                f" shape {tuple(mask.shape)}"
            )
        allowed = None if mask is None else mask[:, None, None, :]  # (batch, 1, 1, tokens)
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

        Few channels under many tokens (images) are cheaper to attend to directly: the query is
        folded through the key projection and the result goes through the value projection, so
        that keys and values of the input are never built. Both ways are the same sum.

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
        """Compare multiplications a token of the two ways."""
        heads, latents, head_dim = query.shape
        channels = self.tokens.shape[-1]
        return latents * heads * channels < heads * head_dim * (channels + latents)

    def _attend_plain(self, query: Tensor, dropout: float) -> Tensor:
        head_dim = query.shape[-1]
        keys = split_heads(functional.linear(self.tokens, self.key), head_dim)
        values = split_heads(functional.linear(self.tokens, self.value), head_dim)
        query = query.expand(len(self.tokens), -1, -1, -1).to(keys.dtype)
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
            folded.expand(len(self.tokens), 1, -1, -1),
            context,
            context,
            attn_mask=self.allowed,
            dropout_p=dropout,
            scale=head_dim**-0.5,
        )
        read = read.view(len(self.tokens), heads, latents, -1)
        return torch.matmul(read, value.transpose(1, 2))  # (batch, heads, n, head_dim)


def split_heads(tensor: Tensor, head_dim: int) -> Tensor:
    """Turn (batch, n, heads x head_dim) into (batch, heads, n, head_dim)."""
    batch, count, channels = tensor.shape
    return tensor.view(batch, count, channels // head_dim, head_dim).transpose(1, 2)


def merge_heads(tensor: Tensor) -> Tensor:
    """Turn (batch, heads, n, head_dim) into (batch, n, heads x head_dim)."""
    return tensor.transpose(1, 2).flatten(2)


def _adapter(
    settings: ModelSettings, modality: Modality, channels: int
) -> ImageAdapter | TextAdapter:
    if modality not in MODALITIES:
        raise ValueError(f"modality {modality!r} is not one of {', '.join(MODALITIES)}")
    if modality == "text":
        return TextAdapter(settings, channels)
    if channels != COLOURS:
        raise ValueError(f"images have {COLOURS} channels, not {channels}")
    return ImageAdapter(settings)


def _widened(layer: nn.Linear, out_features: int) -> nn.Linear:
    """The layer with its rows on top of new random ones."""
    if out_features < layer.out_features:
        raise ValueError(
            f"cannot shrink a projection from {layer.out_features} to {out_features} channels"
        )
    wider = nn.Linear(layer.in_features, out_features, bias=False).to(layer.weight.device)
    with torch.no_grad():
        wider.weight[: layer.out_features] = layer.weight
    return wider


@lru_cache(maxsize=16)
def fourier_positions(height: int, width: int, bands: int, max_frequency: float) -> Tensor:
    """Fourier features of pixel positions, in row-major order.

    For each axis: sin(pi f x) and cos(pi f x) for `bands` frequencies f from 1 to half the maximum,
    and x itself, with x from -1 to 1 (arXiv 2103.03206, section 3.2).

    Returns:
        (height x width, 2 (2 bands + 1)) float32
    """
    axes = [torch.linspace(-1, 1, size) for size in (height, width)]
    grid = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)  # (height, width, 2)
    frequencies = torch.linspace(1, max_frequency / 2, bands)
    angles = math.pi * grid[..., None] * frequencies  # (height, width, 2, bands)
    features = torch.cat([angles.sin(), angles.cos(), grid[..., None]], dim=-1)
    return features.flatten(2).flatten(0, 1)
