"""Checkpoints: files that rebuild a network, strictly, and know their own contents.

A checkpoint holds the description of the network's body, its tasks, the values that
`Ownership.packed` gives, the inputs and heads of the tasks, hashes of the samples that they were
trained and validated on, recipes of their raw input, a record of how it came about, and a hash over
all of these.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn

from crossback_core.checkpoint import CHECKPOINT_FORMAT
from crossback_core.checkpoint.seen_file import pack_seen, unpack_seen
from crossback_core.data.recipe_file import pack_recipes, unpack_recipes
from crossback_core.model.body import (
    BODIES,
    Body,
    TaskInput,
    classified,
    describe,
    named_tensors,
    read_settings,
)
from crossback_core.model.flat import check_fit, detached
from crossback_core.model.network import Network, TaskSpec
from crossback_core.model.ownership import MAX_TASKS
from crossback_core.section import KEYS, shown
from crossback_core.storage.archive import ForeignError, entry, load_archive, save_archive
from crossback_core.storage.files import decoded, existing
from crossback_core.version import __version__
from crossback_core.wording import printable

# Which version wrote an older format.
_WRITERS = {1: "0.1"} | dict.fromkeys((2, 3, 4, 5), "0.2 before its release")

_ENTRIES = {"format", "body", "tasks", "record", "values", "inputs", "heads", "seen", "recipes"}
_ENTRIES |= {"digest"}

_SLACK = 1_000_000  # values of 4 MB: where fewer are missing, the check of shapes says which

# What values that fit their hash but no network lead to.
_UNSOUND = (ValueError, TypeError, LookupError, ArithmeticError, RuntimeError, AttributeError)

Record = dict[str, Any]
_T = TypeVar("_T")


@dataclass(frozen=True)
class Checkpoint:
    """A network and the record of how it came about."""

    network: Network
    record: Record = field(default_factory=dict)


def save_checkpoint(
    network: Network, path: str | Path, record: Record | None = None, *, samples: bool = True
) -> None:
    """Write a network atomically.

    Args:
        network: Its picks must be final (see `Ownership.stop_picking`).
        path: Where to.
        record: Plain values about how it came about.
        samples: Whether the file says which samples the tasks have seen, where that is known.

    Raises:
        ValueError: A value of the network, or a number of the record, is not finite.
    """
    payload: dict[str, Any] = {
        "format": CHECKPOINT_FORMAT,
        "body": _encoded(describe(network.ownership.body)),
        "tasks": _encoded([asdict(spec) for spec in network.specs]),
        "record": _encoded(record or {}),
        "values": network.ownership.packed(),
        "inputs": [detached(module.state_dict()) for module in network.inputs],
        "heads": [detached(module.state_dict()) for module in network.heads],
        "seen": pack_seen(network.seen if samples else [None] * len(network.seen)),
        "recipes": pack_recipes(network.recipes),
    }
    _check_finite(network, payload["values"])
    payload["digest"] = _digest(payload)
    save_archive(payload, path)


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Rebuild a network from a checkpoint.

    Raises:
        FileNotFoundError: There is no such file; nothing ever starts from random instead.
        ValueError: The file is damaged, is no checkpoint, is of another format, or does not
            describe one network.
    """
    path = existing(path, hint="make it first")
    try:
        payload = load_archive(path)
        _check_format(payload)
        network = _rebuild(payload)
        record: Record = _described(payload, "record", dict)
    except ForeignError as error:
        raise ValueError(f"{path} {printable(error)}") from error
    except _UNSOUND as error:
        raise ValueError(
            f"{path} is not a checkpoint of format {CHECKPOINT_FORMAT} or is damaged"
            f" ({printable(error)}): remove it and run again"
        ) from error
    return Checkpoint(network, record)


def dense_bytes(network: Network, task: str) -> int:
    """Return the size of a task's own dense float32 network at width 1, in bytes."""
    spec = network.tasks[task]
    body = network.ownership.body
    with torch.device("meta"):
        dense = Network(type(body)(body.settings))
        dense.add_task(TaskSpec(task, spec.modality, spec.classes, spec.channels))
    return sum(4 * parameter.numel() for parameter in dense.trainable_parameters())


def _check_format(payload: dict[str, Any]) -> None:
    if "train" in payload:
        raise ForeignError("is a task file, not a network: give it to load_task or to evaluate")
    if "format" not in payload:
        raise ForeignError(
            "is of another program: give a checkpoint, such as results/icons/target_3.pt"
        )
    version = entry(payload, "format", int)
    if version in _WRITERS:
        raise ForeignError(
            f"is a checkpoint of format {version}, which crossback_core {_WRITERS[version]} wrote;"
            f" this is {__version__}, which reads format {CHECKPOINT_FORMAT}: remove it and run"
            " again"
        )
    if version != CHECKPOINT_FORMAT:
        raise ValueError(f"format {version}")


def _rebuild(payload: dict[str, Any]) -> Network:
    if entry(payload, "digest", str) != _digest(payload):
        raise ValueError("its contents do not match its hash")
    if extra := payload.keys() - _ENTRIES:
        raise ValueError(f"unknown entries: {shown(sorted(map(str, extra)))}")
    described = _described(payload, "body", dict)
    kind = BODIES.find(entry(described, "name", str))
    settings = read_settings(kind.settings_type, entry(described, "settings", dict))
    specs = [_spec(values) for values in _described(payload, "tasks", list)]
    _check_masked(entry(payload, "values", dict), kind.masked_size(settings, _width(specs)), specs)
    _check_extent(kind, settings, specs, payload)
    network = _without_values(kind, settings, specs)
    _check_shapes(network, payload)
    if network.specs != specs:
        raise ValueError("the widths of its tasks do not ascend")
    network.ownership.unpack(payload["values"])
    for modules, key in ((network.inputs, "inputs"), (network.heads, "heads")):
        for module, state in zip(modules, payload[key], strict=True):
            module.load_state_dict(state)
    _check_finite(network, payload["values"])
    network.seen = unpack_seen(entry(payload, "seen", list), tasks=len(specs))
    read = [(spec.modality, spec.channels) for spec in specs]
    network.recipes = unpack_recipes(entry(payload, "recipes", dict), read=read)
    for recipe, module in zip(network.recipes, network.inputs, strict=True):
        if recipe is not None:
            cast(TaskInput, module).check_recipe(recipe)
    return network


def _encoded(values: Any) -> str:
    return json.dumps(values, allow_nan=False)


def _described(payload: dict[str, Any], key: str, kind: type[_T]) -> _T:
    """Return what the text of an entry describes."""
    try:
        values = decoded(entry(payload, key, str))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"entry {key}: {error}") from error
    return entry({key: values}, key, kind)


def _spec(described: Any) -> TaskSpec:
    """Make the description of a task of what a file says of it."""
    wanted = {field.name for field in fields(TaskSpec)}
    if not isinstance(described, dict):
        raise ValueError(f"a task is {shown(described)}, not {KEYS}")
    if odd := sorted(described.keys() ^ wanted):
        raise ValueError(f"keys of a task missing or unknown: {shown(odd)}")
    classes = entry(described, "classes", list)  # a text would do as well: each letter a class
    return TaskSpec(**{**described, "classes": tuple(classes)})


def _without_values(kind: type[Body], settings: Any, specs: Sequence[TaskSpec]) -> Network:
    """Make a network of the right shapes, its values random."""
    network = Network(kind(settings))
    for spec in specs:
        network.add_task(spec)
    return network


def _width(specs: Sequence[TaskSpec]) -> float:
    return max((spec.width for spec in specs), default=1.0)


def _check_masked(values: dict[str, Any], described: int, specs: Sequence[TaskSpec]) -> None:
    """Refuse a description of other masked weights than are stored, before it takes time."""
    if len(specs) > MAX_TASKS:
        raise ValueError(f"{len(specs)} tasks, {MAX_TASKS} are the most")
    masked = entry(values, "masked", dict)
    stored = sum(entry(entry(masked, name, dict), "value", Tensor).numel() for name in masked)
    if described != stored:
        raise ValueError(f"{stored} weights, the model has {described}")


def _check_extent(
    kind: type[Body], settings: Any, specs: Sequence[TaskSpec], payload: dict[str, Any]
) -> None:
    """Refuse a description of far more values than are stored, before it takes memory.

    A whole network without memory would tell all, but PyTorch loads its compiler for that, which
    takes two seconds.
    """
    with torch.device("meta"):
        body = kind(settings)
        modules = [body.make_input(spec.modality, spec.channels) for spec in specs]
        heads = [nn.Linear(body.features, len(spec.classes)) for spec in specs]
    kinds = classified(body)
    described = sum(
        tensor.numel() * (len(specs) if kinds[name] == "per_task" else 1)
        for name, tensor in named_tensors(body)
    )
    described += sum(t.numel() for part in (*modules, *heads) for _, t in named_tensors(part))
    stored = sum(_values_in(payload.get(key)) for key in ("values", "inputs", "heads"))
    if described > stored + _SLACK:
        raise ValueError(f"{stored} values, the model has {described}")


def _values_in(stored: Any) -> int:
    """Count the values of tensors in nested entries."""
    if isinstance(stored, Tensor):
        return stored.numel()
    parts = stored.values() if isinstance(stored, dict) else stored
    return sum(map(_values_in, parts)) if isinstance(stored, dict | list) else 0


def _check_shapes(network: Network, payload: dict[str, Any]) -> None:
    """Refuse values of other names, types or shapes than the network has."""
    network.ownership.check_packed(payload["values"])
    for modules, key in ((network.inputs, "inputs"), (network.heads, "heads")):
        states = entry(payload, key, list)
        if len(states) != len(modules):
            raise ValueError(f"{len(states)} {key} for {len(modules)} tasks")
        for number, (module, state) in enumerate(zip(modules, states, strict=True)):
            check_fit(module.state_dict(), state, path=f"{key}.{number}.")


def _check_finite(network: Network, values: dict[str, Any]) -> None:
    """Refuse values that no sound training ends with; a buffer may be infinite, as a mask is."""
    tensors = {name: part["value"] for name, part in values["masked"].items()}
    tensors |= dict(network.named_parameters())
    bounded = tensors.keys()
    for name, tensor in [*tensors.items(), *network.named_buffers()]:
        odd = ~tensor.isfinite() if name in bounded else tensor.isnan()
        if odd.any():
            found = tensor[odd].flatten()[0].item()
            raise ValueError(f"{name} has the value {found}: a network is of finite values")


def _digest(payload: dict[str, Any]) -> str:
    """Hash every entry but the hash itself, tensors with their types and shapes."""
    digest = hashlib.sha256()
    for part in _parts({key: value for key, value in payload.items() if key != "digest"}):
        digest.update(part)
    return digest.hexdigest()


def _parts(value: Any) -> Iterator[bytes]:
    """Walk nested entries in a fixed order."""
    if isinstance(value, dict):
        for key in sorted(value):
            yield f"{key}:".encode()
            yield from _parts(value[key])
    elif isinstance(value, list):
        yield f"{len(value)}[".encode()
        for item in value:
            yield from _parts(item)
    elif isinstance(value, Tensor):
        yield f"{value.dtype}{tuple(value.shape)}".encode()
        yield value.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
    else:
        yield repr(value).encode()
