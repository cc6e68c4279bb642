"""The model card: what an exported task is, and how to run it, in Markdown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scipy.stats import binomtest

from crossback_core.data.portable import FILE, PortableInput
from crossback_core.export.graph import OUTPUT, Graph
from crossback_core.model.network import TaskModel
from crossback_core.storage.files import sha256
from crossback_core.version import NUMERICS, __version__
from crossback_core.wording import printable

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~])")
_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Measured:
    """How good a task is on data.

    Attributes:
        accuracy: Fraction of the test samples whose class was predicted.
        samples: How many there are.
        data: What they are of, in Markdown.
    """

    accuracy: float
    samples: int
    data: str


@dataclass(frozen=True, eq=False)
class Subject:
    """What a card is of.

    Attributes:
        path: The checkpoint.
        record: How it came about.
        front: What stands before the task.
        model: The task.
        graph: Of it; None where only its values are written.
        measured: On data that were given; None takes what the record says.
    """

    path: Path
    record: Mapping[str, Any]
    front: PortableInput
    model: TaskModel
    graph: Graph | None
    measured: Measured | None = None


def model_card(subject: Subject, stem: str, sizes: Mapping[str, int]) -> str:
    """Return the card.

    Args:
        subject: What it is of.
        stem: Name of the files, without what it ends with.
        sizes: Bytes of each file beside the card, by name.
    """
    import jinja2  # others who export need no templates

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("crossback_core.export"),
        autoescape=False,  # it is Markdown: `md` escapes
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["md"] = escaped
    return environment.get_template("card.md").render(
        subject=subject,
        spec=subject.model.spec,
        body=subject.model.body.name,
        values=sum(tensor.numel() for tensor in subject.model.state_dict().values()),
        sizes=sizes,
        sha256=sha256(subject.path),
        accuracy=accuracy_sentence(
            subject.measured or recorded(subject.record, subject.model.spec.task)
        ),
        parents=_parents(subject.record),
        version=__version__,
        numerics=NUMERICS,
        preparation=subject.front.preparation.replace(FILE, stem),
        lines=run_lines(subject.front, stem),
        output=OUTPUT,
    )


def escaped(text: object) -> str:
    """Return a text as Markdown shows it: on one line, nothing of it as markup."""
    return _SPECIAL.sub(r"\\\1", printable(text))


def run_lines(front: PortableInput, stem: str) -> list[str]:
    """Return the lines of Python that run the graph on raw input."""
    example = [line.replace(FILE, stem) for line in front.example]
    return [
        "import json",
        "import numpy as np",
        "import onnxruntime",
        *front.imports,
        "",
        *example,
        f'session = onnxruntime.InferenceSession("{stem}.onnx")',
        f'(logits,) = session.run(["{OUTPUT}"], inputs)',
        'classes = json.loads(session.get_modelmeta().custom_metadata_map["classes"])',
        "print([classes[best] for best in logits.argmax(axis=1)])",
    ]


def recorded(record: Mapping[str, Any], task: str) -> Measured | None:
    """Return how good a task was when it was made; None where its checkpoint does not say so."""
    share: Any = record.get("test_accuracy")
    samples: Any = record.get("test_samples")
    known = isinstance(share, float) and type(samples) is int and samples > 0
    if record.get("target", record.get("task")) != task or not known:
        return None
    return Measured(share, samples, "the task's own data set, as the checkpoint says it")


def accuracy_sentence(measured: Measured | None) -> str:
    """Say how good a task is, and how sure that is."""
    if measured is None:
        return (
            "The checkpoint does not say how accurate this task is: export it with `--data`, a file"
            " of the task whose test samples it has not seen."
        )
    right = min(measured.samples, max(0, round(measured.accuracy * measured.samples)))
    found = binomtest(right, measured.samples).proportion_ci(_CONFIDENCE, method="wilson")
    return (
        f"**{right / measured.samples:.1%}** of {measured.samples} test samples that it was not"
        f" trained on ({_CONFIDENCE:.0%} interval {found.low:.1%} to {found.high:.1%}, Wilson), of"
        f" {measured.data}. The interval is about samples like these: others may differ by more."
    )


def _parents(record: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return role, path and hash of what a checkpoint was made from, as far as it says so."""
    parents = record.get("parents")
    if not isinstance(parents, Mapping):
        return []
    return [
        (str(role), str(parent.get("path")), str(parent.get("sha256")))
        for role, parent in parents.items()
        if isinstance(parent, Mapping)
    ]
