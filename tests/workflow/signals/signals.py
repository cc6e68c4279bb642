"""A package of somebody else: a modality of signals, and a kind of data set that has all three.

Classes of signals differ in their spectrum, those of pictures in their brightness, those of texts
in their words. The data are drawn from the sample's own name, so nothing lies in the raw folder.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from crossback_core.data.kind import DatasetKind, Sources
from crossback_core.data.modality import Adapter, Modality, Packed, check_tensor
from crossback_core.data.settings import DatasetSettings
from crossback_core.data.text import Texts
from crossback_core.section import STRICT, Count

LENGTH, PATCH = 64, 8
CLASSES = {"signal": ("low", "middle", "high"), "image": ("dark", "bright"), "text": ("one", "two")}
TASKS = {str(number): name for number, name in enumerate(CLASSES, start=1)}


class SignalAdapter(Adapter):
    """Patches of a signal with learned positions."""

    channels = PATCH

    def __init__(self) -> None:
        super().__init__()
        self.positions = nn.Parameter(0.02 * torch.randn(LENGTH // PATCH, PATCH))

    def encode(self, values: Tensor) -> Tensor:
        return values

    def forward(self, values: Tensor) -> Tensor:
        return values.unflatten(-1, (-1, PATCH)) + self.positions


class Signal(Modality):
    """Short series of numbers, float32 (samples, 64)."""

    name, folder, suffixes = "signal", "signals", (".npy",)

    def file_problem(self, path: Path) -> str:
        return "" if path.is_file() else "missing signal file"

    def read_files(self, raw: Path, sources: Sequence[str], settings: Any, *, threads: int) -> Any:
        return [np.load(raw / source) for source in sources]

    def pack(self, samples: Any) -> Packed:
        values = torch.from_numpy(np.stack(samples).astype(np.float32))
        return Packed([""] * len(values), values)

    def check(self, values: Tensor, table: Tensor | None, count: int) -> None:
        check_tensor("signals", values, torch.float32, (count, None))

    def inputs(self, values: Tensor, table: Tensor | None) -> tuple[Tensor, None]:
        return values, None

    def check_inputs(self, values: Tensor, mask: Tensor | None, channels: int) -> None:
        check_tensor("signals", values, torch.float32, (None, LENGTH))

    def channels(self, values: Tensor, table: Tensor | None) -> int:
        return 1

    def augment(
        self, values: Tensor, mask: Tensor | None, settings: Any, generator: torch.Generator
    ) -> tuple[Tensor, Tensor | None]:
        shifts = torch.randint(LENGTH, (len(values),), generator=generator).tolist()
        moved = [row.roll(shift) for row, shift in zip(values, shifts, strict=True)]
        return torch.stack(moved), mask

    def adapter(self, settings: Any, channels: int) -> SignalAdapter:
        return SignalAdapter()


SIGNAL = Signal()


@dataclass(frozen=True, config=STRICT)
class WavesSettings(DatasetSettings):
    """Waves, greys and words."""

    samples: Count = 30


def index(raw: Path, settings: WavesSettings) -> pd.DataFrame:
    rows = [
        {"task": task, "modality": modality, "class": name, "id": f"{modality}-{name}-{number}"}
        for task, modality in TASKS.items()
        for name in CLASSES[modality]
        for number in range(settings.samples)
    ]
    frame = pd.DataFrame(rows)
    return frame.assign(group=frame["id"], source=frame["id"])


def _random(source: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(source.encode()))


def read_signals(raw: Path, sources: Sequence[str], settings: Any, *, threads: int) -> list[Any]:
    waves = {"low": 2, "middle": 6, "high": 14}
    time = np.linspace(0, 2 * np.pi, LENGTH)
    found = []
    for source in sources:
        random, rate = _random(source), waves[source.split("-")[1]]
        noise = 0.3 * random.normal(size=LENGTH)
        found.append(np.sin(rate * time + random.uniform(0, 6)) + noise)
    return found


def read_images(raw: Path, sources: Sequence[str], settings: Any, *, threads: int) -> list[Any]:
    lowest = {"dark": 0, "bright": 120}
    return [
        (_random(source).integers(0, 136, (8, 8, 3)) + lowest[source.split("-")[1]]).astype("uint8")
        for source in sources
    ]


def read_texts(raw: Path, sources: Sequence[str], settings: Any, *, threads: int) -> Texts:
    first = {"one": 1, "two": 6}
    table = np.random.default_rng(0).normal(size=(11, 16)).astype(np.float16)
    ids = [(first[s.split("-")[1]] + _random(s).integers(0, 5, 4)).tolist() for s in sources]
    return Texts(ids, table)


WAVES = DatasetKind(
    name="waves",
    settings=WavesSettings,
    index=index,
    readers={"signal": read_signals, "image": read_images, "text": read_texts},
    sources=lambda raw, task: Sources([]),
    modality_of=lambda task, settings: TASKS.get(task),
    tasks=lambda settings: tuple(TASKS),
)
