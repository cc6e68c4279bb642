"""Random changes of training samples that keep their class."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def augment(pixels: Tensor, *, flip: bool, shift: int, generator: torch.Generator) -> Tensor:
    """Flip and shift each image at random.

    Args:
        pixels: uint8 (batch, 3, height, width).
        flip: Mirror half of the images.
        shift: Move each image by up to this many pixels; the border is repeated.
        generator: Source of randomness.

    Returns:
        uint8 (batch, 3, height, width)
    """
    if flip:
        mirrored = torch.rand(len(pixels), generator=generator) < 0.5
        pixels = torch.where(mirrored[:, None, None, None], pixels.flip(-1), pixels)
    return _shifted(pixels, shift, generator) if shift else pixels


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


def _shifted(pixels: Tensor, shift: int, generator: torch.Generator) -> Tensor:
    count, _, height, width = pixels.shape
    padded = functional.pad(pixels.float(), [shift] * 4, mode="replicate").to(pixels.dtype)
    offsets = torch.randint(2 * shift + 1, (2, count, 1), generator=generator)
    rows = offsets[0] + torch.arange(height)  # (batch, height)
    columns = offsets[1] + torch.arange(width)  # (batch, width)
    samples = torch.arange(count)[:, None, None]
    # indexing puts the colours last: (batch, height, width, 3)
    return padded[samples, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
