"""How the results came about: jobs and files of each target, settings, versions, times."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crossback_core.data.names import by_number
from crossback_core.records import Parent, Record, SelectionRecord, TargetRecord, Tried
from crossback_core.report.inputs import ReportInputs
from crossback_core.report.names import Named
from crossback_core.wording import counted

_SPARE = {"initial"}  # files that a finished project may remove: a link to them would be dead


@dataclass(frozen=True)
class Step:
    """A step of a target's way.

    Attributes:
        title: What was done.
        text: With what, and what came of it.
        files: That it left: a name, and an address as seen from the report, if it is to stay.
    """

    title: str
    text: str
    files: Sequence[tuple[str, str | None]]


def way(
    record: TargetRecord,
    selection: SelectionRecord,
    inputs: ReportInputs,
    names: Mapping[str, Named],
) -> list[Step]:
    """Return the steps that made a target's product, as its records say.

    Args:
        record: Of the product.
        selection: The choice of its backbone.
        inputs: Of the report.
        names: Of all tasks.
    """
    files = _Files(record.parents | selection.parents, inputs.folder)
    target = names[record.target]
    steps = [
        Step("Data", target.told, files.of("task_file")),
        Step("Baseline", "trained on the target alone", files.of("baseline")),
        Step(
            "Scores, choice",
            f"{counted(len(selection.ranking), 'candidate')} by {selection.score}",
            files.of("similarity", "selection"),
        ),
    ]
    if record.tried is not None:
        steps += _on_backbone(record.tried, inputs, names, files)
    own = f"target_{record.target}"
    kept = "on the backbone" if record.backbone else "the baseline, kept"
    made = [(f"{own}.{ending}", f"{own}.{ending}") for ending in ("pt", "json", "csv")]
    return [*steps, Step("Product", kept, made)]


def _on_backbone(
    tried: Tried, inputs: ReportInputs, names: Mapping[str, Named], files: _Files
) -> Iterator[Step]:
    """Yield the steps that only a target has for which a network was chosen."""
    known = names[tried.backbone]
    ladder = inputs.pruning.get(known.id)
    pruned = "" if ladder is None else f", pruned by {ladder.choice.sparsity:.0%}"
    yield Step("Backbone", f"{known.told}{pruned}", files.of("backbone"))
    reads = "input swapped: it reads the target" if tried.swapped else "reads the target as it is"
    yield Step("Start", reads, files.of("initial"))
    trials = [role for role in files.parents if role.startswith("trial_")]
    if trials:
        told = f"{len(trials)} of both networks, for the verdict"
        yield Step("Further trainings", told, files.of(*trials))


@dataclass(frozen=True)
class _Files:
    """Files by role, named as the report sees them."""

    parents: Mapping[str, Parent]
    folder: str

    def of(self, *roles: str) -> list[tuple[str, str | None]]:
        """Return names and addresses of those that there are."""
        seen = {
            role: posixpath.relpath(self.parents[role].path, self.folder)
            for role in roles
            if role in self.parents
        }
        return [(path, None if role in _SPARE else path) for role, path in seen.items()]


def glance(inputs: ReportInputs) -> list[tuple[str, str]]:
    """Return what was asked, in numbers."""
    made = [each.comparison for each in inputs.records if each.comparison]
    considered = {ranked.candidate for each in inputs.selections for ranked in each.ranking}
    modalities = sorted({each.modality for each in inputs.records})
    return [
        ("targets", f"{len(inputs.records)} ({' and '.join(modalities)})"),
        ("candidates", str(len(considered))),
        ("chosen by", inputs.records[0].score),
        ("backbones pruned", str(len(inputs.pruning))),
        ("trainings for a verdict", str(max((each.runs for each in made), default=0))),
        ("training samples of a target", _range(each.train_samples for each in inputs.records)),
    ]


def _range(numbers: Iterable[int]) -> str:
    low, *_, high = sorted([*numbers] * 2)
    return str(low) if low == high else f"{low} to {high}"


def settings_of(inputs: ReportInputs) -> dict[str, list[tuple[str, str]]]:
    """Return the settings by step, each as a key and all values that records have of it."""
    ladders = [ladder.choice for ladder in inputs.pruning.values()]
    steps: dict[str, Sequence[Record]] = {
        "networks and their training": inputs.networks,
        "choice of the backbone": inputs.selections,
        "choice of its sparsity": ladders,
        "targets": inputs.records,
    }
    return {
        step: _distinct(pair for each in records for pair in _flat(each.settings))
        for step, records in steps.items()
        if records
    }


def versions_of(inputs: ReportInputs) -> list[tuple[str, str]]:
    """Return what computed the results: packages, device, threads, seed."""
    told = [pair for each in inputs.records for pair in _flat(each.versions)]
    told += [
        (name, str(getattr(each, name)))
        for name in ("device", "threads", "seed")
        for each in (*inputs.records, *inputs.networks)
    ]
    return _distinct(told)


def _flat(values: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", written(value)


def written(value: Any) -> str:
    """Return a plain value as people read it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _distinct(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Join the values of each key that differ."""
    found: dict[str, dict[str, None]] = {}
    for key, value in pairs:
        found.setdefault(key, {})[value] = None
    return [(key, "; ".join(values)) for key, values in found.items()]


def times_of(inputs: ReportInputs, names: Mapping[str, Named]) -> list[tuple[str, str, float]]:
    """Return what was trained, of what, and for how many seconds."""
    baselines = [("baseline", each.task, each.seconds) for each in inputs.networks]
    ladders = [
        ("pruning, all levels", task, float(ladder.levels["seconds"].sum()))
        for task, ladder in inputs.pruning.items()
    ]
    targets = [("target", each.target, each.seconds) for each in inputs.records if each.tried]
    return [
        (what, names[task].told if task in names else task, seconds)
        for part in (baselines, ladders, targets)
        for what, task, seconds in sorted(part, key=lambda each: by_number(each[1]))
    ]
