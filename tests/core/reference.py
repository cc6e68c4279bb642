"""The network in plain NumPy and float64, written from the papers: what the real one must equal."""

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from crossback_core.model.bodies.perceiver import Attention, FeedForward
from crossback_core.model.network import TaskModel

Array = npt.NDArray[np.float64]
_erf = np.vectorize(math.erf)


def array(tensor: Tensor) -> Array:
    """Return a tensor as float64."""
    return tensor.detach().double().numpy()


def softmax(scores: Array) -> Array:
    """Return the softmax over the last axis."""
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def normed(values: Array) -> Array:
    """Return values of mean 0 and variance 1 over the last axis."""
    centred = values - values.mean(axis=-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)


def norm(layer: nn.LayerNorm, values: Array) -> Array:
    """Normalise with a scale and an offset."""
    return normed(values) * array(layer.weight) + array(layer.bias)


def heads_attend(
    query: Array, key: Array, value: Array, head_dim: int, mask: Array | None = None
) -> Array:
    """Attend with each head in turn: (n, c), (m, c), (m, c) to (n, c); the mask is (m,)."""
    parts = []
    for start in range(0, query.shape[1], head_dim):
        head = slice(start, start + head_dim)
        scores = query[:, head] @ key[:, head].T / math.sqrt(head_dim)
        if mask is not None:
            scores = np.where(mask, scores, -np.inf)
        parts.append(softmax(scores) @ value[:, head])
    return np.concatenate(parts, axis=1)


def attention(layer: Attention, inputs: Array, context: Array) -> Array:
    """Attend from (n, dim) to (m, dim)."""
    own, other = norm(layer.norm, inputs), norm(layer.context_norm, context)
    query, key, value, out = (
        array(part.weight) for part in (layer.query, layer.key, layer.value, layer.out)
    )
    attended = heads_attend(own @ query.T, other @ key.T, other @ value.T, layer.head_dim)
    return attended @ out.T + array(layer.out.bias)


def feed_forward(layer: FeedForward, inputs: Array) -> Array:
    """Compute out(value * gelu(gate)), GELU with the error function."""
    own = norm(layer.norm, inputs)

    def linear(part: nn.Linear, values: Array) -> Array:
        return values @ array(part.weight).T + array(part.bias)

    gate = linear(layer.gate, own)
    hidden = linear(layer.value, own) * gate * 0.5 * (1 + _erf(gate / math.sqrt(2)))
    return linear(layer.out, hidden)


def fourier(height: int, width: int, bands: int, max_frequency: float) -> Array:
    """Return (height x width, 2 (2 bands + 1)): rows first; sines, cosines, the position itself."""
    rows = []
    for y in np.linspace(-1, 1, height):
        for x in np.linspace(-1, 1, width):
            row = []
            for coordinate in (y, x):
                angles = np.pi * coordinate * np.linspace(1, max_frequency / 2, bands)
                row += [*np.sin(angles), *np.cos(angles), coordinate]
            rows.append(row)
    return np.array(rows)


def tokens(model: TaskModel, values: Array) -> Array:
    """Return what a task's projection reads of one raw sample: (tokens, channels)."""
    settings, adapter = model.body.settings, model.input.adapter
    if model.spec.modality == "text":
        return values + array(adapter.positions)[: len(values)]
    mean, std = (np.reshape(each, (3, 1, 1)) for each in (settings.image_mean, settings.image_std))
    pixels = ((values / 255 - mean) / std).reshape(3, -1).T
    positions = fourier(*values.shape[1:], settings.frequency_bands, settings.max_frequency)
    return np.concatenate([pixels, positions], axis=1)


def read(model: TaskModel, values: Array, mask: Array | None = None) -> Array:
    """Attend from a task's latents to one raw sample, before the output weights: (n, inner)."""
    body = model.body
    query = norm(body.reader.norm, array(body.latents)) @ array(body.reader.query.weight).T
    own = normed(tokens(model, values))
    key, value = (own @ array(part.weight).T for part in (model.input.key, model.input.value))
    return heads_attend(query, key, value, body.settings.cross_head_dim, mask)


def logits(model: TaskModel, values: Array, mask: Array | None = None) -> Array:
    """Return the logits of one raw sample, an image (3, height, width) or a text (tokens, dim)."""
    body = model.body
    out = body.reader.out
    state = array(body.latents) + array(out.bias)
    state = state + read(model, values, mask) @ array(out.weight).T
    state = state + feed_forward(body.reader_feedforward, state)
    for layer, feedforward in zip(body.attentions, body.feedforwards, strict=True):
        state = state + attention(layer, state, state)
        state = state + feed_forward(feedforward, state)
    query = array(body.query)[None]
    answer = query + attention(body.decoder, query, state)
    head = model.head
    return norm(body.decoder_norm, answer)[0] @ array(head.weight).T + array(head.bias)


def batch_logits(model: TaskModel, values: Tensor, mask: Tensor | None) -> Array:
    """Return the logits of each sample of a batch in turn."""
    masks = [None] * len(values) if mask is None else list(mask.numpy())
    with torch.no_grad():
        return np.stack([logits(model, array(v), m) for v, m in zip(values, masks, strict=True)])
