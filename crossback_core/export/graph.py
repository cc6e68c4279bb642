"""A task as an ONNX graph, compared with the task itself."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from crossback_core.data.portable import PortableInput
from crossback_core.model.network import TaskModel
from crossback_core.version import __version__
from crossback_core.wording import printable

if TYPE_CHECKING:
    import onnx

PACKAGES = ("onnx", "onnxscript", "onnxruntime")
OUTPUT = "logits"
_MOST_BYTES = 2**31 - 2**20  # of values in one file of ONNX, which may have 2 GiB in all
_SEED = 0
_LONGEST = 200  # characters of what the exporter says
# What the exporter says that nobody can do anything about.
_CHATTY = ("torch.onnx", "onnxscript", "onnx_ir")
_IDLE_WARNINGS = (
    (FutureWarning, r"`isinstance\(treespec, LeafSpec\)` is deprecated"),
    (UserWarning, r"# The axis name: \w+ will not be used"),
)


@dataclass(frozen=True)
class Check:
    """How far a graph is from its task.

    Attributes:
        difference: Largest of all logits, absolute.
        allowed: The largest that is taken for rounding.
        inputs: How many were compared.
    """

    difference: float
    allowed: float
    inputs: int


@dataclass(frozen=True, eq=False)
class Graph:
    """A task as ONNX.

    Attributes:
        content: Bytes of the file.
        opset: Version of ONNX's operators.
        check: What comparing it found.
    """

    content: bytes
    opset: int
    check: Check


def check_packages() -> None:
    """Refuse to go on without what making a graph takes.

    Raises:
        ModuleNotFoundError: One of them is not installed.
    """
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise ModuleNotFoundError(
            f"ONNX needs {', '.join(missing)}, not installed here: pip install"
            f" {' '.join(PACKAGES)}, or write safetensors alone"
        )


def make_graph(front: PortableInput, model: TaskModel) -> Graph:
    """Make the graph of a task, and compare it by onnxruntime on random valid inputs.

    Args:
        front: What stands before the task.
        model: The task, on the CPU.

    Raises:
        ModuleNotFoundError: A package is missing.
        ValueError: The graph computes something else; or what stands before the task, such as an
            encoder, is too large for a graph or cannot be one.
    """
    check_packages()
    whole = _Whole(front, model).eval()
    held = sum(tensor.nbytes for tensor in whole.state_dict().values())
    if held > _MOST_BYTES:
        raise ValueError(
            f"task and encoder have {held:,} bytes of values, a file of ONNX holds {_MOST_BYTES:,}:"
            " write safetensors alone"
        )
    made = _exported(whole)
    _strip(made)
    for name, value in _metadata(model).items():
        made.metadata_props.add(key=name, value=value)
    content = made.SerializeToString()
    return Graph(content, made.opset_import[0].version, compare(content, whole))


class _Whole(nn.Module):
    """Raw input to logits."""

    def __init__(self, front: PortableInput, model: TaskModel) -> None:
        super().__init__()
        self.front = front
        self.model = model

    def forward(self, *given: Tensor) -> Tensor:
        values, mask = self.front(*given)
        logits: Tensor = self.model(values, mask)
        return logits


def _exported(whole: _Whole) -> onnx.ModelProto:
    example = next(whole.front.draws(_generator()))
    with torch.no_grad():
        whole(*example)  # what is computed once and kept is then a constant of the graph
        try:
            with _quietly():
                program = torch.onnx.export(
                    whole,
                    example,
                    dynamo=True,
                    input_names=[each.name for each in whole.front.inputs],
                    output_names=[OUTPUT],
                    dynamic_shapes=(_open_axes(whole.front),),
                    external_data=False,
                    verbose=False,
                )
        except torch.onnx.errors.OnnxExporterError as error:  # encoders may be of any kind
            raise ValueError(
                f"PyTorch cannot write this task as ONNX ({printable(error, _LONGEST)}): write"
                " safetensors alone"
            ) from error
    assert program is not None  # of dynamo=True
    made: onnx.ModelProto = program.model_proto
    return made


def _open_axes(front: PortableInput) -> tuple[dict[int, Any], ...]:
    """Return, for each input, the axes whose length each call chooses."""
    names = {name for each in front.inputs for name in each.shape if isinstance(name, str)}
    axes = {name: torch.export.Dim(name, max=front.longest.get(name)) for name in names}
    return tuple(
        {place: axes[name] for place, name in enumerate(each.shape) if isinstance(name, str)}
        for each in front.inputs
    )


@contextmanager
def _quietly() -> Iterator[None]:
    """Leave out what the exporter says of itself, but for errors."""
    loggers = [logging.getLogger(name) for name in _CHATTY]
    before = [logger.level for logger in loggers]
    try:
        with warnings.catch_warnings():
            for category, message in _IDLE_WARNINGS:
                warnings.filterwarnings("ignore", message, category)
            for logger in loggers:
                logger.setLevel(logging.ERROR)
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def _strip(made: onnx.ModelProto) -> None:
    """Take away where each node comes from: paths of this machine, half of a small file."""
    graph = made.graph
    parts = (graph.node, graph.input, graph.output, graph.initializer, graph.value_info)
    for part in (graph, *(each for several in parts for each in several)):
        del part.metadata_props[:]
        part.doc_string = ""
    made.doc_string = ""
    graph.name = "task"


def _metadata(model: TaskModel) -> dict[str, str]:
    spec = model.spec
    return {
        "crossback_core": __version__,
        "task": spec.task,
        "modality": spec.modality,
        "classes": json.dumps(spec.classes, ensure_ascii=False),
    }


def compare(content: bytes, whole: nn.Module) -> Check:
    """Compare a graph with the module that it was made of, on random valid inputs.

    Args:
        content: Of an ONNX file.
        whole: Has a `front`; turns what that draws into logits.

    Raises:
        ValueError: They differ by more than rounding, or in shape.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    front: Any = whole.front
    differences, largest, inputs = [], [1.0], 0
    for drawn in front.draws(_generator()):
        pairs = zip(front.inputs, drawn, strict=True)
        (found,) = session.run([OUTPUT], {each.name: tensor.numpy() for each, tensor in pairs})
        with torch.inference_mode():
            wanted = whole(*drawn)
        if found.shape != tuple(wanted.shape):
            raise ValueError(f"the graph returns {found.shape}, the task {tuple(wanted.shape)}")
        differences.append(float((torch.from_numpy(found) - wanted).abs().max()))
        largest.append(float(wanted.abs().max()))
        inputs += len(wanted)
    check = Check(max(differences), front.tolerance * max(largest), inputs)
    if not check.difference <= check.allowed:  # NaN is no rounding
        raise ValueError(
            f"the logits of the ONNX graph differ from the task's by up to {check.difference:.2g};"
            f" {check.allowed:.2g} would be rounding: nothing was written; please report it"
        )
    return check


def _generator() -> torch.Generator:
    return torch.Generator().manual_seed(_SEED)
