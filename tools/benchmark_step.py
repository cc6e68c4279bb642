"""Print what ownership costs: a training step and an evaluation with it, as parts of one without.

All ways take turns in one process and on one thread, so that what else runs on the machine strikes
them alike; a figure is the median of the rounds.

    python tools/benchmark_step.py            # networks of the demo's size, half a minute
    python tools/benchmark_step.py --rounds 100
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from statistics import median

import torch
import yaml
from torch import Tensor, nn
from torch.nn import functional

from crossback_core.config import load_settings
from crossback_core.model.bodies.perceiver import Perceiver
from crossback_core.model.network import Network, TaskSpec
from crossback_core.model.settings import ModelSettings

CONFIG = Path(__file__).resolve().parents[1] / "config.yaml"
BATCH = 32
PIXELS = 32
CLASSES = tuple("abcde")

Way = Callable[[], object]


def demo_model() -> ModelSettings:
    """Read the shape of the icons' networks from config.yaml."""
    config = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    return load_settings(config).datasets["icons"].preset.model


def first_task(model: ModelSettings) -> Network:
    """Make a network of one image task."""
    torch.manual_seed(0)
    network = Network(Perceiver(model))
    network.add_task(TaskSpec("1", "image", CLASSES, 3))
    return network


def target(network: Network) -> tuple[Network, list[nn.Parameter]]:
    """Add a target to a pruned copy; return it and what it trains, picks included."""
    network = deepcopy(network)
    network.ownership.weights.prune_to(0.9)
    network.add_task(TaskSpec("2", "image", CLASSES, 3))
    scores = network.ownership.weights.start_picking(initial=0.01, threshold=0.005)
    return network, [*network.trainable_parameters(), scores]


def plain(network: Network) -> nn.Module:
    """Return the same modules in a row, without owners, ready to be trained."""
    return network.settled("1").requires_grad_(True).train()


def step(module: nn.Module, parameters: list[nn.Parameter], pixels: Tensor) -> Way:
    """Return a function that does one training step."""
    optimizer = torch.optim.AdamW(parameters, 1e-4)
    labels = torch.arange(BATCH) % len(CLASSES)

    def one() -> None:
        optimizer.zero_grad(set_to_none=True)
        functional.cross_entropy(module(pixels), labels).backward()
        optimizer.step()

    return one


def evaluation(module: nn.Module, pixels: Tensor) -> Way:
    """Return a function that computes logits."""
    module.eval()

    def one() -> None:
        with torch.no_grad():
            module(pixels)

    return one


def ways(model: ModelSettings) -> dict[str, Way]:
    """Return what is timed by name; the first of each kind is what the others are compared with."""
    pixels = torch.randint(0, 256, (BATCH, 3, PIXELS, PIXELS), dtype=torch.uint8)
    network = first_task(model)
    later, trained = target(network)
    bare = plain(network)
    return {
        "step, plain module": step(bare, [*bare.parameters()], pixels),
        "step, first task": step(network, [*network.trainable_parameters()], pixels),
        "step, target with picks": step(later, trained, pixels),
        "evaluation, plain module": evaluation(plain(first_task(model)), pixels),
        "evaluation, settled target": evaluation(target(first_task(model))[0].settled("2"), pixels),
        "settling a target": lambda: later.settled("2"),
    }


def timed(compared: dict[str, Way], rounds: int) -> dict[str, float]:
    """Return the median seconds of each way; they take turns."""
    seconds: dict[str, list[float]] = {name: [] for name in compared}
    for number in range(rounds + 3):
        for name, way in compared.items():
            started = time.perf_counter()
            way()
            if number >= 3:  # the first rounds warm up
                seconds[name].append(time.perf_counter() - started)
    return {name: median(each) for name, each in seconds.items()}


def main() -> None:
    """Print milliseconds and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=40)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found = timed(ways(demo_model()), arguments.rounds)
    for name, seconds in found.items():
        base = (
            found[f"{name.partition(',')[0]}, plain module"]
            if "," in name
            else found["step, plain module"]
        )
        print(f"{name:28} {1000 * seconds:7.2f} ms {seconds / base:6.2f}")


if __name__ == "__main__":
    main()
