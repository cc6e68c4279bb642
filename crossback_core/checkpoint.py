"""Checkpoints: files that rebuild a network, strictly, and know their own contents.

A checkpoint holds the model's settings, its tasks, one float32 weight for each masked position,
who owns it (as few bits as there are owners), which earlier weights each task picks (one bit for
each), the per-task parameters, a record of how it came about, and a hash over all of these.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from crossback_core.archive import entry, load_archive, save_archive
from crossback_core.model.masked_linear import FREE, MAX_TASKS, MaskedLinear
from crossback_core.model.network import Network, TaskSpec, body_size, task_size
from crossback_core.settings import ModelSettings

CHECKPOINT_FORMAT = 1

# What values that fit their hash but no network lead to.
_UNSOUND = (ValueError, TypeError, LookupError, ArithmeticError, RuntimeError)

Owners = npt.NDArray[np.uint8]
Bits = npt.NDArray[np.bool_]

Record = dict[str, Any]


@dataclass(frozen=True)
class Checkpoint:
    """A network and the record of how it came about."""

    network: Network
    record: Record = field(default_factory=dict)


def save_checkpoint(network: Network, path: str | Path, record: Record | None = None) -> None:
    """Write a network atomically.

    Args:
        network: Its picks must be final (see `MaskedLinear.stop_picking`).
        path: Where to.
        record: Plain values about how it came about.
    """
    layers = network.masked_layers()
    payload: dict[str, Any] = {
        "format": CHECKPOINT_FORMAT,
        "model": json.dumps(asdict(network.settings)),
        "tasks": json.dumps([asdict(spec) for spec in network.specs]),
        "record": json.dumps(record or {}),
        "layers": {name: _pack_layer(layer) for name, layer in layers.items()},
        "parameters": _per_task_state(network),
    }
    payload["digest"] = _digest(payload)
    save_archive(payload, path)


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Rebuild a network from a checkpoint.

    Raises:
        FileNotFoundError: There is no such file; nothing ever starts from random instead.
        ValueError: The file is damaged, is no checkpoint, or does not describe one network.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"checkpoint {path} does not exist: run the rule that makes it")
    try:
        payload = load_archive(path)
        network = _rebuild(payload)
        record: Record = json.loads(entry(payload, "record", str))
    except _UNSOUND as error:
        raise ValueError(
            f"{path} is not a checkpoint of format {CHECKPOINT_FORMAT} or is damaged ({error}):"
            " remove it and run again"
        ) from error
    return Checkpoint(network, record)


def dense_bytes(network: Network, task: int) -> int:
    """Return the size of a task's own dense float32 network at width 1, in bytes."""
    spec = network.tasks[task]
    dense = Network(network.settings)
    dense.add_task(TaskSpec(task, spec.modality, spec.classes, spec.channels))
    return sum(4 * parameter.numel() for parameter in dense.trainable_parameters())


def _per_task_state(network: Network) -> dict[str, Tensor]:
    """Everything that no mask covers, cut loose from the network."""
    state = network.state_dict()
    for name, layer in network.masked_layers().items():
        for key in layer.state_dict():
            if not key.startswith("biases."):
                del state[f"{name}.{key}"]
    return {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}


def _pack_layer(layer: MaskedLinear) -> dict[str, Any]:
    if layer.scores is not None:
        raise ValueError("picks are still being learned: call stop_picking before saving")
    owner = layer.owner.cpu()
    return {
        "weight": layer.merged_weight().cpu().contiguous(),
        "owner": _pack_owner(owner.numpy()),
        "picks": [
            _pack_bits(layer.pick(position).cpu().numpy()[_earlier(owner.numpy(), position)])
            for position in range(2, layer.newest + 1)
        ],
    }


def _unpack_layer(layer: MaskedLinear, packed: dict[str, Any]) -> None:
    weight = entry(packed, "weight", Tensor)
    _check_tensor("a weight", weight, torch.float32, layer.owner.shape)
    owner = _unpack_owner(entry(packed, "owner", dict), tuple(weight.shape))
    layer.restore(weight, torch.from_numpy(owner))
    picks = entry(packed, "picks", list)
    if len(picks) != layer.newest - 1:
        raise ValueError(f"{len(picks)} pick masks for {layer.newest} tasks")
    for position, bits in enumerate(picks, start=2):
        pick = np.zeros(owner.shape, dtype=bool)
        earlier = _earlier(owner, position)
        pick[earlier] = _unpack_bits(bits, int(earlier.sum()))
        layer.pick(position).copy_(torch.from_numpy(pick))


def _earlier(owner: Owners, position: int) -> Bits:
    """Where an earlier task than that at `position` is the owner."""
    earlier: Bits = (owner != FREE) & (owner < position)
    return earlier


def _pack_owner(owner: Owners) -> dict[str, Any]:
    """Number the owners that occur and write as many bits a weight as their number needs."""
    owners, codes = np.unique(owner, return_inverse=True)
    planes = [_pack_bits((codes.ravel() >> bit) & 1) for bit in range(_bits_needed(len(owners)))]
    return {"owners": owners.tolist(), "planes": planes}


def _unpack_owner(packed: dict[str, Any], shape: tuple[int, ...]) -> Owners:
    owners, planes = entry(packed, "owners", list), entry(packed, "planes", list)
    if not owners or len(planes) != _bits_needed(len(owners)):
        raise ValueError(f"{len(planes)} bit planes cannot tell {len(owners)} owners apart")
    count = int(np.prod(shape))
    codes = np.zeros(count, dtype=np.int64)
    for bit, plane in enumerate(planes):
        codes |= _unpack_bits(plane, count).astype(np.int64) << bit
    if codes.max(initial=0) >= len(owners):
        raise ValueError(f"owner code {codes.max()} but only {len(owners)} owners")
    return np.asarray(owners, dtype=np.uint8)[codes].reshape(shape)


def _bits_needed(kinds: int) -> int:
    return (kinds - 1).bit_length()


def _pack_bits(bits: npt.NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.packbits(bits.astype(bool)))


def _unpack_bits(packed: Any, count: int) -> Bits:
    wanted = (count + 7) // 8
    if not isinstance(packed, Tensor) or packed.dtype != torch.uint8 or len(packed) != wanted:
        raise ValueError(f"a mask of {count} bits needs {wanted} bytes")
    return np.unpackbits(packed.numpy(), count=count).astype(bool)


def _rebuild(payload: dict[str, Any]) -> Network:
    version = entry(payload, "format", int)
    if version != CHECKPOINT_FORMAT:
        raise ValueError(f"format {version}")
    if entry(payload, "digest", str) != _digest(payload):
        raise ValueError("its contents do not match its hash")
    settings = _model_settings(entry(payload, "model", str))
    specs = [
        TaskSpec(**{**spec, "classes": tuple(spec["classes"])})
        for spec in json.loads(entry(payload, "tasks", str))
    ]
    packed, parameters = entry(payload, "layers", dict), entry(payload, "parameters", dict)
    _check_sizes(settings, specs, packed, parameters)
    network = Network(settings)
    for spec in specs:
        network.add_task(spec)
    layers = network.masked_layers()
    if layers.keys() != packed.keys():
        raise ValueError(f"layers {sorted(packed)}, the model has {sorted(layers)}")
    for name, layer in layers.items():
        _unpack_layer(layer, packed[name])
    _check_parameters(network, parameters)
    network.load_state_dict(network.state_dict() | parameters)
    return network


def _check_sizes(
    settings: ModelSettings,
    specs: Sequence[TaskSpec],
    packed: dict[str, Any],
    parameters: dict[str, Any],
) -> None:
    """Refuse a description of another size than what is stored, before it takes memory."""
    if len(specs) > MAX_TASKS:
        raise ValueError(f"{len(specs)} tasks, {MAX_TASKS} are the most")
    weights = [entry(entry(packed, name, dict), "weight", Tensor) for name in packed]
    stored = sum(weight.numel() for weight in weights)
    described = body_size(settings, max((spec.width for spec in specs), default=1.0))
    if described != stored:
        raise ValueError(f"{stored} weights, the model has {described}")
    stored = sum(entry(parameters, name, Tensor).numel() for name in parameters)
    described = sum(task_size(settings, spec) for spec in specs)
    if described > stored:
        raise ValueError(f"{stored} values of tasks, the model has at least {described}")


def _check_parameters(network: Network, parameters: dict[str, Any]) -> None:
    wanted = _per_task_state(network)
    if wanted.keys() != parameters.keys():
        odd = sorted(wanted.keys() ^ parameters.keys(), key=str)
        raise ValueError(f"parameters missing or unknown: {', '.join(map(str, odd[:5]))}")
    for name, value in wanted.items():
        _check_tensor(name, entry(parameters, name, Tensor), value.dtype, value.shape)


def _check_tensor(name: str, value: Tensor, dtype: torch.dtype, shape: torch.Size) -> None:
    if value.dtype != dtype or value.shape != shape:
        raise ValueError(
            f"{name} is {value.dtype} {tuple(value.shape)}, the model needs {dtype} {tuple(shape)}"
        )


def _model_settings(text: str) -> ModelSettings:
    values = json.loads(text)
    known = {item.name for item in fields(ModelSettings)}
    if not isinstance(values, dict) or values.keys() != known:
        raise ValueError(f"the model is described by {values!r}, not by {sorted(known)}")
    counts = [values[item.name] for item in fields(ModelSettings) if item.type == "int"]
    if not all(type(count) is int and count > 0 for count in counts):
        raise ValueError(f"the model is described by {values!r}: counts must be 1 or more")
    lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    return ModelSettings(**{**values, **lists})


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
        yield value.contiguous().numpy().tobytes()
    else:
        yield repr(value).encode()
