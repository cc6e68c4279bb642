"""The values of a task as safetensors, with what rebuilds the module that they belong to."""

from __future__ import annotations

import json
from typing import Any

from safetensors.torch import save

from crossback_core.data.portable import PortableInput
from crossback_core.model.body import describe
from crossback_core.model.flat import detached
from crossback_core.model.network import TaskModel
from crossback_core.version import NUMERICS, __version__

METADATA = "crossback"


def values_file(front: PortableInput, model: TaskModel) -> bytes:
    """Return the bytes of a safetensors file.

    Its tensors are those of the task alone, as it computes with them (`body.*`, `head.*`,
    `input.*`), and what stands before it (`front.*`, a table of embeddings or an encoder). Its
    metadata are one entry, JSON, METADATA: docs/export.md says what of.
    """
    tensors = {
        **model.state_dict(),
        **{f"front.{name}": tensor for name, tensor in front.values().items()},
    }
    return save(detached(tensors), metadata=_metadata(front, model))


def _metadata(front: PortableInput, model: TaskModel) -> dict[str, str]:
    """Return one entry: the library writes several in any order, and files would differ."""
    spec = model.spec
    described: dict[str, Any] = {
        "crossback_core": __version__,
        "numerics": NUMERICS,
        "task": spec.task,
        "modality": spec.modality,
        "classes": spec.classes,
        "channels": spec.channels,
        "width": spec.width,
        "body": describe(model.body),
        "recipe": dict(front.recipe),
    }
    return {METADATA: json.dumps(described, ensure_ascii=False)}
