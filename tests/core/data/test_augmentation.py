"""Augmentation moves pixels and makes none up."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from crossback_core.data.modalities.image import flip_and_shift
from crossback_core.data.modalities.text import drop_tokens


def random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def distinct(count: int, height: int, width: int) -> torch.Tensor:
    """Images in which every pixel has a colour of its own."""
    values = torch.arange(height * width).view(1, 1, height, width)
    return (values + torch.tensor([0, 70, 140]).view(1, 3, 1, 1)).repeat(count, 1, 1, 1).byte()


def all_changes(image: torch.Tensor, *, flip: bool, shift: int) -> list[torch.Tensor]:
    """Return every image that flipping and shifting one image may give."""
    height, width = image.shape[1:]
    changes = []
    for start in [image, image.flip(-1)] if flip else [image]:
        padded = functional.pad(start[None].float(), [shift] * 4, mode="replicate")[0].byte()
        changes += [
            padded[:, row : row + height, column : column + width]
            for row in range(2 * shift + 1)
            for column in range(2 * shift + 1)
        ]
    return changes


@pytest.mark.parametrize(("flip", "shift", "kinds"), [(True, 0, 2), (False, 1, 9), (True, 2, 50)])
def test_an_image_is_flipped_and_shifted_and_nothing_else(flip, shift, kinds):
    pixels = distinct(800, 4, 6)
    changed = flip_and_shift(pixels, flip, shift, random())
    assert changed.dtype == torch.uint8 and changed.shape == pixels.shape
    allowed = {bytes(c.numpy().tobytes()) for c in all_changes(pixels[0], flip=flip, shift=shift)}
    found = {bytes(image.contiguous().numpy().tobytes()) for image in changed}
    assert len(allowed) == kinds
    assert found == allowed, "every change occurs, and no other"


def test_half_of_the_images_are_flipped():
    pixels = distinct(1000, 2, 3)
    changed = flip_and_shift(pixels, True, 0, random(1))
    flipped = (changed == pixels.flip(-1)).all(dim=(1, 2, 3))
    assert 450 < int(flipped.sum()) < 550


@settings(deadline=None, max_examples=20)
@given(
    st.tuples(st.integers(1, 5), st.integers(1, 6), st.integers(1, 6)),
    st.booleans(),
    st.integers(0, 8),
    st.integers(0, 2**31),
)
def test_same_generator_same_images_and_the_argument_stays(shape, flip, shift, seed):
    count, height, width = shape
    pixels = torch.randint(0, 256, (count, 3, height, width), generator=random()).byte()
    before = pixels.clone()
    first, again = (flip_and_shift(pixels, flip, shift, random(seed)) for _ in range(2))
    assert torch.equal(first, again) and torch.equal(pixels, before)
    assert first.shape == pixels.shape and first.dtype == torch.uint8
    for image, original in zip(first, pixels, strict=True):
        colours = {tuple(c) for c in original.flatten(1).T.tolist()}
        assert {tuple(c) for c in image.flatten(1).T.tolist()} <= colours


def a_mask() -> torch.Tensor:
    """Return the mask of texts of one to twenty tokens, a thousand of each length."""
    return torch.arange(20) <= torch.arange(20).repeat_interleave(1000)[:, None]


def test_tokens_are_hidden_as_often_as_asked_and_padding_stays_hidden():
    mask = a_mask()
    kept = drop_tokens(mask, fraction=0.3, generator=random())
    assert not (kept & ~mask).any()
    long = slice(10_000, None)  # too long to lose all tokens
    assert abs(float(kept[long].sum() / mask[long].sum()) - 0.7) < 0.01


def test_no_text_loses_all_its_tokens():
    mask = a_mask()
    kept = drop_tokens(mask, fraction=0.9, generator=random())
    assert kept.any(dim=1).all()
    assert torch.equal(kept[:1000], mask[:1000])  # texts of one token


def test_hiding_no_tokens_draws_nothing():
    generator = random()
    mask = a_mask()
    assert torch.equal(drop_tokens(mask, fraction=0.0, generator=generator), mask)
    assert torch.equal(generator.get_state(), random().get_state())
