"""Print how long the scores of a target's candidates take, shared and batched or one at a time.

Seconds are those of the processor, so that what else runs on the machine does not count.

python tools/benchmark_similarity.py                        # 56 candidates; some ten minutes
python tools/benchmark_similarity.py --target text --candidates 8
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import torch
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "core"))

import plain_similarity

from crossback_core.checkpoint.network_file import load_checkpoint, save_checkpoint
from crossback_core.config import Preset, load_settings
from crossback_core.data.modalities import MODALITIES
from crossback_core.data.task_file import Split, TaskData, load_task, save_task
from crossback_core.model.bodies.perceiver import Perceiver
from crossback_core.model.network import Network, TaskSpec
from crossback_core.records import BaselineRecord, origin, to_values
from crossback_core.selection.comparison import Trained
from crossback_core.selection.scores import columns
from crossback_core.stages.choice import list_candidates
from crossback_core.stages.common import circumstances
from crossback_core.stages.similarity import measure_similarity

CONFIG = Path(__file__).resolve().parents[1] / "config.yaml"
SEED = 2
CLASSES, LOW, FULL, HELD_OUT = 5, 50, 180, 60  # samples of a target and of a candidate of the icons
PIXELS = 32
TOKENS = 64
EMBEDDING = 128
WORDS = 1000
TARGET = 1

Way = Callable[[Path, Sequence[int], Preset], pd.DataFrame]


def demo_preset() -> Preset:
    """Read the preset of the icons from config.yaml."""
    config = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    return load_settings(config).datasets["icons"].preset


def random_split(count: int, modality: str, random: torch.Generator) -> Split:
    """Make samples of a size that the icons data have."""
    labels = torch.arange(count) % CLASSES
    ids = tuple(map(str, range(count)))
    if modality == "image":
        shape = (count, 3, PIXELS, PIXELS)
        pixels = torch.randint(0, 256, shape, generator=random, dtype=torch.uint8)
        return Split(MODALITIES.find(modality), labels, ids, pixels)
    tokens = torch.randint(1, WORDS, (count, TOKENS), generator=random, dtype=torch.int32)
    lengths = torch.randint(4, TOKENS, (count, 1), generator=random)
    tokens[torch.arange(TOKENS) >= lengths] = 0
    table = torch.randn(WORDS, EMBEDDING, generator=torch.Generator().manual_seed(SEED)).half()
    table[0] = 0
    return Split(MODALITIES.find(modality), labels, ids, tokens, table)


def random_task(task: int, modality: str, train: int) -> TaskData:
    """Make a task of random inputs."""
    random = torch.Generator().manual_seed(task)
    splits = [random_split(count, modality, random) for count in (train, HELD_OUT, HELD_OUT)]
    return TaskData(str(task), tuple(f"class {n}" for n in range(CLASSES)), *splits)


def random_network(data: TaskData, preset: Preset) -> Network:
    """Make a network of the demo's size, far enough from its start to tell inputs apart."""
    torch.manual_seed(int(data.task))
    network = Network(Perceiver(preset.model))
    network.add_task(TaskSpec(data.task, data.modality, data.classes, data.channels))
    with torch.no_grad():
        for parameter in network.trainable_parameters():
            parameter += 0.1 * torch.randn(parameter.shape)
    return network


def write(folder: Path, task: int, modality: str, train: int, preset: Preset) -> None:
    """Write the task file and the baseline of one task."""
    data = random_task(task, modality, train)
    save_task(data, folder / f"task_{task}.pt")
    record = BaselineRecord(
        task=data.task,
        modality=modality,
        classes=data.classes,
        validation_accuracy=0.5,
        test_accuracy=0.5,
        seconds=0.0,
        **circumstances(data, seed=SEED, device=torch.device("cpu")),
        **origin(settings={}, parents={}),
    )
    network = random_network(data, preset)
    save_checkpoint(network, folder / f"baseline_{task}.pt", to_values(record))


def load(folder: Path, task: int) -> Trained:
    """Read what `write` wrote."""
    network = load_checkpoint(folder / f"baseline_{task}.pt").network
    data = load_task(folder / f"task_{task}.pt")
    return Trained(network.settled(data.task), data, accuracy=0.5)


def shipped(folder: Path, candidates: Sequence[int], preset: Preset) -> pd.DataFrame:
    """Score the candidates as the rule measure_similarity does, from files to a file."""
    list_candidates(
        task_files=[folder / f"task_{task}.pt" for task in candidates],
        baselines=[folder / f"baseline_{task}.pt" for task in candidates],
        candidates=folder / "candidates.csv",
        ids=[str(task) for task in candidates],
    )
    measure_similarity(
        target_data=folder / f"task_{TARGET}.pt",
        target_baseline=folder / f"baseline_{TARGET}.pt",
        candidates=folder / "candidates.csv",
        similarity=folder / "similarity.csv",
        stacking=folder / "stacking.json",
        probing=preset.selection.probing,
        excluded=(),
        seed=SEED,
    )
    return pd.read_csv(folder / "similarity.csv")[list(columns())]


def plain(folder: Path, candidates: Sequence[int], preset: Preset) -> pd.DataFrame:
    """Score the candidates one pair at a time, sharing nothing."""
    rows = [
        plain_similarity.scores(
            load(folder, TARGET), load(folder, task), preset.selection.probing, seed=SEED
        )
        for task in candidates
    ]
    return pd.DataFrame(rows)


def measure(folder: Path, target: str, count: int) -> None:
    """Make a target and its candidates, half of them images, and time both ways."""
    preset = demo_preset()
    candidates = range(TARGET + 1, TARGET + 1 + count)
    write(folder, TARGET, target, LOW, preset)
    for task in candidates:
        write(folder, task, "image" if task % 2 else "text", FULL, preset)
    table, seconds = timed("shared and batched", shipped, folder, candidates, preset)
    expected, longer = timed("one pair at a time", plain, folder, candidates, preset)
    apart = (table - expected).abs().max()
    print(f"{longer / seconds:.1f} times as fast, on {torch.get_num_threads()} thread(s)")
    print(f"largest difference: {apart.max():.1e} ({apart.idxmax()})")


def timed(
    name: str, way: Way, folder: Path, candidates: Sequence[int], preset: Preset
) -> tuple[pd.DataFrame, float]:
    """Score the candidates in one way; print and return the seconds of the processor."""
    started = time.process_time()
    clock = time.perf_counter()
    table = way(folder, candidates, preset)
    seconds = time.process_time() - started
    clock = time.perf_counter() - clock
    print(
        f"{name}: {seconds:7.1f} s a row of {len(candidates)} candidates, "
        f"{seconds / len(candidates):6.3f} s a pair ({clock:.1f} s by the clock)",
        flush=True,
    )
    return table, seconds


def main() -> None:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", choices=["image", "text"], default="image")
    parser.add_argument("--candidates", type=int, default=56)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), arguments.target, arguments.candidates)


if __name__ == "__main__":
    main()
