"""One task of a product as a folder of files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import quote

from crossback_core.checkpoint.product import Product
from crossback_core.data.modalities import MODALITIES
from crossback_core.data.portable import PortableInput
from crossback_core.data.task_file import load_task
from crossback_core.export.card import Measured, Subject, escaped, model_card
from crossback_core.export.graph import Check, check_packages, make_graph
from crossback_core.export.values import values_file
from crossback_core.model.network import Network, TaskModel
from crossback_core.section import some_of
from crossback_core.storage.files import atomic_write, sha256

Kind = Literal["onnx", "safetensors"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        task: Id of the task.
        files: All files, the model card last.
        check: What comparing the graph with the task found; None where there is no graph.
    """

    task: str
    files: tuple[Path, ...]
    check: Check | None


def export_task(
    path: str | Path,
    folder: str | Path,
    *,
    task: str | int | None = None,
    kinds: Sequence[Kind] = KINDS,
    encoder: str | Path | None = None,
    data: str | Path | None = None,
    force: bool = False,
) -> Exported:
    """Write one task of a product so that it runs without this project.

    Files are named by the task: `task_3.onnx`, `task_3.safetensors`, a tokenizer where the graph
    takes its ids, and the model card, `task_3.md`. Either all are written, or, before the first
    one is, an error says what is wrong.

    Args:
        path: A checkpoint.
        folder: Where to; it is made.
        task: Its id or its name; None is the newest task.
        kinds: "onnx", "safetensors" or both.
        encoder: Folder of the encoder that reads the task's texts, if it has moved.
        data: A file of the task, on whose test samples it is measured for the card; None takes
            what the checkpoint says.
        force: Overwrite files that are there.

    Raises:
        FileExistsError: A file is there already.
        FileNotFoundError: There is no such checkpoint, or the encoder is not here.
        ModuleNotFoundError: A package that ONNX needs is not installed.
        ValueError: There is no such task, its input cannot be read in a graph, or the graph does
            not compute what the task does; or the data are of another task, or were seen.
    """
    if "onnx" in kinds:
        check_packages()
    product = Product.load(path)
    id_ = product.find(task).task
    model = product.network.settled(id_)
    front = _front(product.network, model, None if encoder is None else str(encoder))
    stem = Path(folder) / f"task_{quote(id_, safe='')}"
    wanted = [*(f".{kind}" for kind in kinds), *front.files, ".md"]
    files = {suffix: stem.with_name(stem.name + suffix) for suffix in wanted}
    if not force:
        _check_free(files.values())
    graph = make_graph(front, model) if "onnx" in kinds else None
    measured = None if data is None else _measured(product, id_, data)
    subject = Subject(Path(path), product.record, front, model, graph, measured)
    contents = _contents(subject, files)
    for suffix, file in files.items():
        with atomic_write(file) as opened:
            opened.write(contents[suffix])
    return Exported(id_, tuple(files.values()), None if graph is None else graph.check)


def _front(network: Network, model: TaskModel, encoder: str | None) -> PortableInput:
    spec = model.spec
    recipe = network.recipes[network.position(spec.task) - 1]
    if recipe is None:
        raise ValueError(
            f"task {spec.called}, of modality {spec.modality}, does not know how raw input is read:"
            " its data set does not say it, so it cannot be exported"
        )
    modality = MODALITIES.find(spec.modality)
    return modality.portable(model.body.settings, recipe, spec.channels, encoder)


def _measured(product: Product, task: str, path: str | Path) -> Measured:
    data = load_task(path)
    if data.task != task:
        raise ValueError(f"{path} holds task {data.task}, not {task}, which is exported")
    found = product.evaluate(data)
    where = f"{escaped(path)} (SHA-256 {sha256(path)})"
    return Measured(found["accuracy"], found["samples"], where)


def _check_free(files: Iterable[Path]) -> None:
    taken = [str(file) for file in files if file.exists()]
    if taken:
        raise FileExistsError(f"already there: {some_of(taken)}; give force=True to overwrite")


def _contents(subject: Subject, files: Mapping[str, Path]) -> dict[str, bytes]:
    """Return what each file holds, by what its name ends with."""
    made = {suffix: text.encode() for suffix, text in subject.front.files.items()}
    if subject.graph is not None:
        made[".onnx"] = subject.graph.content
    if ".safetensors" in files:
        made[".safetensors"] = values_file(subject.front, subject.model)
    sizes = {files[suffix].name: len(content) for suffix, content in made.items()}
    stem = files[".md"].stem
    return {**made, ".md": model_card(subject, stem, sizes).encode()}
