"""The network in plain NumPy and float64, written from the papers: what the real one must equal."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from crossback_core.model.attention import Attention, FeedForward, TaskNorm
from crossback_core.model.network import Network

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


def task_norm(norm: TaskNorm, values: Array, position: int) -> Array:
    """Normalise with a task's scale and offset."""
    own = norm.norms[position - 1]
    assert isinstance(own, nn.LayerNorm)
    return normed(values) * array(own.weight) + array(own.bias)


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


def attention(layer: Attention, inputs: Array, context: Array, position: int) -> Array:
    """Attend from (n, dim) to (m, dim)."""
    own = task_norm(layer.norm, inputs, position)
    other = task_norm(layer.context_norm, context, position)
    weights = (layer.query, layer.key, layer.value, layer.out)
    query, key, value, out = (array(part.effective_weight(position)) for part in weights)
    attended = heads_attend(own @ query.T, other @ key.T, other @ value.T, layer.head_dim)
    return attended @ out.T + array(layer.out.biases[position - 1])


def feed_forward(layer: FeedForward, inputs: Array, position: int) -> Array:
    """Compute out(value * gelu(gate)), GELU with the error function."""
    own = task_norm(layer.norm, inputs, position)

    def linear(part, values):
        return values @ array(part.effective_weight(position)).T + array(part.biases[position - 1])

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


def tokens(network: Network, task: int, values: Array) -> Array:
    """Return what a task's projection reads of one raw sample: (tokens, channels)."""
    settings, adapter = network.settings, network.input_projection(task).adapter
    if network.tasks[task].modality == "text":
        return values + array(adapter.positions)[: len(values)]
    mean, std = (np.reshape(each, (3, 1, 1)) for each in (settings.image_mean, settings.image_std))
    pixels = ((values / 255 - mean) / std).reshape(3, -1).T
    positions = fourier(*values.shape[1:], settings.frequency_bands, settings.max_frequency)
    return np.concatenate([pixels, positions], axis=1)


def read(network: Network, task: int, values: Array, mask: Array | None = None) -> Array:
    """Attend from a task's latents to one raw sample, before the output weights: (n, inner)."""
    position, projection = network.position(task), network.input_projection(task)
    latents = array(network.latents[position - 1])
    query = task_norm(network.reader.norm, latents, position)
    query = query @ array(network.reader.query.effective_weight(position)).T
    own = normed(tokens(network, task, values))
    key, value = (own @ array(part.weight).T for part in (projection.key, projection.value))
    return heads_attend(query, key, value, projection.head_dim, mask)


def logits(network: Network, task: int, values: Array, mask: Array | None = None) -> Array:
    """Return the logits of one raw sample, an image (3, height, width) or a text (tokens, dim)."""
    position = network.position(task)
    out = network.reader.out
    state = array(network.latents[position - 1]) + array(out.biases[position - 1])
    state = state + read(network, task, values, mask) @ array(out.effective_weight(position)).T
    state = state + feed_forward(network.reader_feedforward, state, position)
    for layer, feedforward in zip(network.attentions, network.feedforwards, strict=True):
        state = state + attention(layer, state, state, position)
        state = state + feed_forward(feedforward, state, position)
    query = array(network.queries[position - 1])[None]
    answer = query + attention(network.decoder, query, state, position)
    head = network.heads[position - 1]
    return task_norm(network.decoder_norm, answer, position)[0] @ array(head.weight).T + array(
        head.bias
    )


def batch_logits(network: Network, task: int, values: Tensor, mask: Tensor | None) -> Array:
    """Return the logits of each sample of a batch in turn."""
    masks = [None] * len(values) if mask is None else list(mask.numpy())
    with torch.no_grad():
        return np.stack(
            [logits(network, task, array(v), m) for v, m in zip(values, masks, strict=True)]
        )
