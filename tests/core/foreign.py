"""Bodies that the project does not ship: what ownership promises must hold on any architecture."""

from copy import deepcopy
from typing import Self

import torch
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from torch.nn import functional

from crossback_core.model.body import BODIES, Body, Kind, TaskInput
from crossback_core.section import STRICT, Count, FractionBelowOne

Tokens = tuple[Tensor, Tensor | None]


class TokenInput(TaskInput):
    """Images as one token a pixel, texts as they are, through a linear layer."""

    def __init__(self, channels: int, dim: int) -> None:
        super().__init__()
        self.map = nn.Linear(channels, dim)

    def encode(self, values: Tensor) -> Tensor:
        """Scale pixels."""
        return values if values.is_floating_point() else values.float() / 255

    def forward(self, values: Tensor, mask: Tensor | None) -> Tokens:
        """Return tokens (batch, n, dim) and the mask."""
        values = self.encode(values)
        if values.ndim == 4:
            values = values.flatten(2).transpose(1, 2)
        return self.map(values), mask

    def fit(self, shape: tuple[int, ...]) -> None:
        """Accept the one width that there is."""
        assert shape == (self.map.out_features,)


class TokenBody(Body):
    """A body that reads tokens of its own width."""

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Width of a token."""
        return (self.settings.dim,)

    def make_input(self, modality: str, channels: int) -> TaskInput:
        """Map tokens to the body's width."""
        return TokenInput(channels, self.settings.dim)


@dataclass(frozen=True, config=STRICT)
class EncoderSettings:
    """Shape of an `Encoder`."""

    dim: Count = 8
    heads: Count = 2
    layers: Count = 2
    dropout: FractionBelowOne = 0.2


class Encoder(TokenBody):
    """PyTorch's own Transformer encoder: the weights of three projections lie in no Linear."""

    name = "test_encoder"
    settings_type = EncoderSettings

    def __init__(self, settings: EncoderSettings) -> None:
        super().__init__()
        self.settings, self.features = settings, settings.dim
        layer = nn.TransformerEncoderLayer(
            settings.dim, settings.heads, 2 * settings.dim, settings.dropout, batch_first=True
        )
        # its evaluation by nested tensors differs from its training in the last digits
        self.encoder = nn.TransformerEncoder(layer, settings.layers, enable_nested_tensor=False)
        self.register_buffer("scale", torch.tensor(0.5), persistent=False)

    def kinds(self) -> dict[str, Kind]:
        """Mask what has rows and columns."""
        kinds: dict[str, Kind] = {
            name: "masked" if parameter.ndim == 2 else "per_task"
            for name, parameter in self.named_parameters()
        }
        return kinds | {"scale": "fixed"}

    def grown(self, width: float) -> Self:
        """Refuse."""
        raise ValueError("this encoder cannot grow: set target.max_width to 1")

    @classmethod
    def masked_size(cls, settings: EncoderSettings, width: float) -> int:
        """Four projections and a feed-forward block of twice the width."""
        return settings.layers * 8 * settings.dim**2

    def forward(self, read: Tokens) -> Tensor:
        """Average the encoded real tokens."""
        tokens, mask = read
        real = torch.ones(tokens.shape[:2], dtype=torch.bool) if mask is None else mask
        encoded = self.encoder(tokens * self.scale, src_key_padding_mask=~real)
        weights = real.float() / real.sum(dim=1, keepdim=True)
        return (encoded * weights[:, :, None]).sum(dim=1)


@dataclass(frozen=True, config=STRICT)
class NormedSettings:
    """Shape of a `Normed`."""

    dim: Count = 6
    hidden: Count = 10


class Normed(TokenBody):
    """Batch normalisation: training moves buffers. It grows."""

    name = "test_normed"
    settings_type = NormedSettings

    def __init__(self, settings: NormedSettings) -> None:
        super().__init__()
        self.settings, self.features = settings, settings.dim
        self.up = nn.Linear(settings.dim, settings.hidden)
        self.norm = nn.BatchNorm1d(settings.hidden)
        self.down = nn.Linear(settings.hidden, settings.dim, bias=False)

    def kinds(self) -> dict[str, Kind]:
        """Mask two layers; statistics belong to tasks, also the count of batches."""
        masked = ("up.weight", "down.weight")
        return {name: "masked" if name in masked else "per_task" for name in self.state_dict()}

    def grown(self, width: float) -> Self:
        """Return a copy with more hidden channels."""
        copy, old = deepcopy(self), self.up.out_features
        new = round(self.settings.hidden * width) - old
        copy.up, copy.down = nn.Linear(self.settings.dim, old + new), deepcopy(self.down)
        copy.norm = nn.BatchNorm1d(old + new)
        with torch.no_grad():
            copy.up.weight[:old], copy.up.bias[:old] = self.up.weight, self.up.bias
            copy.down.weight = nn.Parameter(functional.pad(self.down.weight, (0, new)))
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(copy.norm, name)[:old] = getattr(self.norm, name)
            copy.norm.num_batches_tracked.copy_(self.norm.num_batches_tracked)
        return copy

    @classmethod
    def masked_size(cls, settings: NormedSettings, width: float) -> int:
        """Two layers."""
        return 2 * settings.dim * round(settings.hidden * width)

    def forward(self, read: Tokens) -> Tensor:
        """Average the tokens, then two layers."""
        tokens, mask = read
        if mask is not None:
            tokens = tokens * mask[:, :, None]
        hidden = functional.relu(self.norm(self.up(tokens.mean(dim=1))))
        features: Tensor = self.down(hidden)
        return features


for body in (Encoder, Normed):
    BODIES.add(body.name, body)
