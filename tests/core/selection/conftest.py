"""Tiny probes and models for the tests of the selection."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from crossback_core.selection.profiles import Forward, ProbeHalf, Probes

PAIRS = 6


@pytest.fixture
def pairs() -> dict[str, Probes]:
    """Return six pairs of each kind: images, texts (of different length), image and text."""
    return {
        "image": Probes(_images(0), _images(1)),
        "text": Probes(_texts(2, tokens=5), _texts(3, tokens=3)),
        "mixed": Probes(_images(4), _texts(5, tokens=5)),
    }


@pytest.fixture(scope="session")
def model() -> Callable[..., Forward]:
    """Return a maker of models that read both modalities."""
    return _model


def _images(seed: int) -> ProbeHalf:
    return ProbeHalf(_normal(PAIRS, 3, 2, 2, seed=seed), None, "image")


def _texts(seed: int, *, tokens: int) -> ProbeHalf:
    """Return texts of one to `tokens` real tokens of width 4; padding holds sevens."""
    mask = torch.arange(tokens) < (torch.arange(PAIRS) % tokens + 1)[:, None]  # (n, tokens)
    values = _normal(PAIRS, tokens, 4, seed=seed).masked_fill(~mask[:, :, None], 7.0)
    return ProbeHalf(values, mask, "text")


def _model(seed: int, *, classes: int = 5) -> Forward:
    hidden = {"image": _normal(12, 8, seed=seed), "text": _normal(4, 8, seed=seed + 100)}
    head = _normal(8, classes, seed=seed + 200)

    def read(half: ProbeHalf) -> Tensor:
        return torch.tanh(_features(half) @ hidden[half.modality]) @ head

    return read


def _features(half: ProbeHalf) -> Tensor:
    if half.mask is None:
        return half.values.flatten(1)
    weights = half.mask[:, :, None] / half.mask.sum(dim=1)[:, None, None]
    return (half.values * weights).sum(dim=1)


def _normal(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
