"""How images and texts enter the network, against formulas written out."""

from dataclasses import replace

import numpy as np
import pytest
import reference
import tiny
import torch

from crossback_core.data.modalities.image import ImageAdapter, fourier_positions
from crossback_core.model.projection import InputProjection, Reading

MANY_HEADS = replace(tiny.MODEL, cross_attention_heads=2, cross_head_dim=4)


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def text_mask(lengths: list[int], tokens: int) -> torch.Tensor:
    return torch.arange(tokens) < torch.tensor(lengths)[:, None]


def test_fourier_positions_by_hand():
    positions = fourier_positions(2, 3, 1, 2.0)  # one frequency, 1: sin(pi y), cos(pi y), y, x's
    expected = [
        [0, -1, -1, 0, -1, -1],  # top left
        [0, -1, -1, 0, 1, 0],
        [0, -1, -1, 0, -1, 1],
        [0, -1, 1, 0, -1, -1],
        [0, -1, 1, 0, 1, 0],
        [0, -1, 1, 0, -1, 1],
    ]
    assert positions.numpy() == pytest.approx(np.array(expected), abs=1e-6)


def test_pixels_are_normalised_by_hand():
    pixels = torch.tensor([0, 51, 255], dtype=torch.uint8).view(1, 3, 1, 1)
    encoded = ImageAdapter(tiny.MODEL).encode(pixels).flatten()
    assert encoded.tolist() == pytest.approx([-0.5 / 0.25, (0.2 - 0.4) / 0.2, (1 - 0.3) / 0.5])


@pytest.mark.parametrize("settings", [tiny.MODEL, MANY_HEADS], ids=["one head", "two heads"])
@pytest.mark.parametrize("latents", [1, 7])
@pytest.mark.parametrize("modality", ["image", "text"])
def test_folded_plain_and_written_out_attention_agree(settings, latents, modality, monkeypatch):
    torch.manual_seed(0)
    channels = 3 if modality == "image" else 6
    projection = InputProjection(settings, modality, channels)
    query = normal(settings.cross_attention_heads, latents, settings.cross_head_dim)
    values = normal(3, 3, 4, 5) if modality == "image" else normal(3, 5, 6)
    mask = None if modality == "image" else text_mask([1, 3, 5], 5)
    found = {}
    for folded in (True, False):
        monkeypatch.setattr(Reading, "_folding_is_cheaper", lambda *_, fold=folded: fold)
        found[folded] = projection(values, mask).attend(query, dropout=0.0)
    assert torch.allclose(found[True], found[False], atol=1e-6)

    tokens = torch.tensor(reference.normed(reference.array(projection.adapter(values)))).float()
    flat = reference.array(query.transpose(0, 1).flatten(1))  # (n, heads x head_dim)
    for row, each in enumerate(tokens):
        key, value = (reference.array(part(each)) for part in (projection.key, projection.value))
        real = None if mask is None else mask[row].numpy()
        expected = reference.heads_attend(flat, key, value, settings.cross_head_dim, real)
        got = found[True][row].transpose(0, 1).flatten(1)
        assert reference.array(got) == pytest.approx(expected, abs=1e-5)


def test_the_cheaper_way_is_taken():
    """Multiplications a token: 4 x 13 folded, 8 x (13 + 4) plain; 40 latents turn it around."""
    projection = InputProjection(tiny.MODEL, "image", 3)
    reading = projection(normal(1, 3, 4, 5), None)
    assert reading._folding_is_cheaper(torch.zeros(1, 4, 8))
    assert not reading._folding_is_cheaper(torch.zeros(1, 40, 8))


def test_dropout_of_the_attention_has_the_attention_as_its_mean():
    torch.manual_seed(0)
    projection = InputProjection(tiny.MODEL, "text", 6)
    query, values = normal(1, 4, 8), normal(1, 5, 6)
    with torch.no_grad():
        whole = projection(values, None).attend(query, dropout=0.0)
        many = projection(values.expand(4000, -1, -1), None).attend(query, dropout=0.5)
    assert not torch.allclose(many[0], whole[0], atol=1e-3)
    assert torch.allclose(many.mean(dim=0), whole[0], atol=0.05)


def test_growth_adds_rows_below_the_old_ones():
    projection = InputProjection(MANY_HEADS, "text", 6)
    before = projection.key.weight.clone(), projection.value.weight.clone()
    projection.fit((3, 4))
    for layer, rows in zip((projection.key, projection.value), before, strict=True):
        assert layer.weight.shape == (12, 6)
        assert torch.equal(layer.weight[:8], rows) and layer.weight[8:].all()
    with pytest.raises(ValueError, match="cannot shrink a projection from 12 to 8 channels"):
        projection.fit((2, 4))


MASK = r"the mask must be bool of shape \(2, 4\), not torch\."
WIDTHS = "a projection of 8 channels cannot answer 2 heads of 8: .* different widths"


@pytest.mark.parametrize(
    ("modality", "values", "mask", "message"),
    [
        ("text", torch.zeros(2, 9, 6), None, "texts have 9 tokens, the model at most 8: raise mod"),
        ("text", torch.zeros(2, 4, 5), None, r"\(batch, tokens, 6\), got \(2, 4, 5\)"),
        ("text", torch.zeros(2, 6), None, r"texts must be \(batch, tokens, 6\), got \(2, 6\)"),
        ("image", torch.zeros(2, 1, 4, 4), None, r"must be \(batch, 3, .* got \(2, 1, 4, 4\)"),
        ("image", torch.zeros(3, 4, 4), None, r"images must be .* got \(3, 4, 4\)"),
        ("image", torch.zeros(2, 3, 4, 4).long(), None, "uint8, or float .* not torch.int64"),
        ("text", torch.zeros(2, 4, 6), torch.ones(2, 5).bool(), MASK),
        ("text", torch.zeros(2, 4, 6), torch.ones(1, 4).bool(), MASK),
        ("text", torch.zeros(2, 4, 6), torch.ones(2, 4), MASK),
        ("text", torch.zeros(2, 4, 6), None, WIDTHS),
    ],
)
def test_inputs_that_do_not_fit(modality, values, mask, message):
    projection = InputProjection(tiny.MODEL, modality, 3 if modality == "image" else 6)
    query = torch.zeros(2 if message == WIDTHS else 1, 4, 8)
    with pytest.raises(ValueError, match=message):
        projection(values, mask).attend(query, dropout=0.0)


def test_modalities_that_do_not_exist():
    with pytest.raises(ValueError, match="images have 3 channels, not 4"):
        InputProjection(tiny.MODEL, "image", 4)
    with pytest.raises(ValueError, match="unknown modality 'audio'; known: image, text"):
        InputProjection(tiny.MODEL, "audio", 3)
