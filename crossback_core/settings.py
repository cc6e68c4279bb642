"""The configuration as frozen dataclasses, so that the core never handles raw dictionaries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import pairwise
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from crossback_core.schema import normalised, schema_problems, unknown
from crossback_core.sources import PUBLISHED, RemoteFile, remote_files

NUMERICS = 1  # raised whenever results change in any digit: Snakemake then makes them anew

Modality = Literal["image", "text"]
MODALITIES: tuple[Modality, ...] = ("image", "text")
Schedule = Literal["constant", "one_cycle", "steps"]
# Scores of a candidate in the order of their columns; the functions are in selection/scores.py.
Metric = Literal[
    "ddv_euclidean",
    "ddv_cosine",
    "ddv_euclidean_plain",
    "ddv_cosine_plain",
    "ddv_distance",
    "cka",
    "label_cka",
    "knn",
    "logme",
    "leep",
    "h_score",
    "probe",
    "accuracy",
    "classes",
]
METRICS: tuple[Metric, ...] = get_args(Metric)
# What a target of a study starts from, the controls after the backbone; see study/starts.py.
Start = Literal["backbone", "shuffled", "fresh", "unpicked"]
STARTS: tuple[Start, ...] = get_args(Start)
Swap = Literal["auto", "always", "never"]
SwappedStart = Literal["backbone", "baseline"]
SPLITS = ("train", "validation", "test")
ALL = "all"  # of the configuration: every task, every network
Kind = Literal["icons", "cub", "coco", "oxford", "cifar100", "folder"]


@dataclass(frozen=True)
class ModelSettings:
    """Shape of the Perceiver IO network at width 1.

    Source: Jaegle et al., "Perceiver IO" (arXiv 2107.14795).
    """

    latents: int
    latent_dim: int
    blocks: int
    heads: int
    head_dim: int
    cross_heads: int
    cross_head_dim: int
    feedforward_factor: int
    dropout: float
    frequency_bands: int
    max_frequency: float
    max_tokens: int
    image_mean: tuple[float, ...]
    image_std: tuple[float, ...]


@dataclass(frozen=True)
class TrainingSettings:
    """How any network is trained.

    `milestones` are fractions of the run after which the rate is multiplied by `gamma` (schedule
    "steps" only); `min_steps` lengthens the training of a small task to that many steps.
    """

    optimizer: Literal["adamw", "sgd"]
    learning_rate: float
    weight_decay: float
    momentum: float
    schedule: Schedule
    milestones: tuple[float, ...]
    gamma: float
    epochs: int
    min_steps: int
    batch_size: int
    flip: bool
    shift: int
    token_dropout: float
    precision: Literal["float32", "bfloat16"]


@dataclass(frozen=True)
class PruningSettings:
    """The ladder of sparsities (Zhu and Gupta, arXiv 1710.01878); each level is retrained."""

    sparsities: tuple[float, ...]
    epochs: int
    ramp_epochs: int
    update_every: int
    learning_rate: float
    schedule: Schedule


@dataclass(frozen=True)
class SelectionSettings:
    """How the backbone is chosen; probes and mutations are ModelDiff's (Li et al., ISSTA 2021)."""

    metric: Metric
    candidates: Literal["all", "same_modal", "cross_modal"]
    probes: int
    mutations: int
    mutation_step: float

    @property
    def probing(self) -> ProbeSettings:
        """The part that similarities depend on; the rest only picks among them."""
        return ProbeSettings(self.probes, self.mutations, self.mutation_step)


@dataclass(frozen=True)
class ProbeSettings:
    """How similarities are measured: see SelectionSettings."""

    probes: int
    mutations: int
    mutation_step: float


@dataclass(frozen=True)
class TargetSettings:
    """How a target is trained on its backbone (CPG: Hung et al., NeurIPS 2019).

    `pick_milestone` and `pick_stop` are fractions of the run: after the first the rate of the pick
    scores is multiplied by `pick_gamma`, after the second the picks no longer change.
    """

    learning_rate: float
    continued_learning_rate: float
    pick_initial: float
    pick_threshold: float
    pick_learning_rate: float
    pick_milestone: float
    pick_gamma: float
    pick_stop: float
    max_width: float
    width_step: float
    swap: Swap
    swapped_start: SwappedStart
    keep_better: bool

    @property
    def swapping(self) -> SwapSettings:
        """The part that decides how a target is added to its backbone."""
        return SwapSettings(self.swap, self.swapped_start)

    def at_rate_for(self, *, continued: bool) -> TargetSettings:
        """Return the settings with the rate of a target that continues its baseline, or not."""
        return replace(self, learning_rate=self.continued_learning_rate) if continued else self


@dataclass(frozen=True)
class SwapSettings:
    """How a target is added to its backbone: see `learning.kv_swap.reconstruct`."""

    swap: Swap
    swapped_start: SwappedStart


@dataclass(frozen=True)
class Preset:
    """Everything about networks and their training.

    `allowed_loss` is the fraction of validation accuracy by which the chosen sparsity may be below
    the baseline; it decides on a finished ladder, so it is no part of `pruning`.
    """

    model: ModelSettings
    training: TrainingSettings
    pruning: PruningSettings
    allowed_loss: float
    selection: SelectionSettings
    target: TargetSettings


@dataclass(frozen=True)
class DatasetSettings:
    """What the reader of a data set has to know.

    Args:
        kind: Which reader.
        raw: The folder with the data in its published layout.
        image_size: Height and width in pixels that pictures are brought to.
        encoder: Name on the Hugging Face Hub, or folder, of the model that represents texts.
        representation: Its token embeddings, or its last hidden states.
        text_length: Tokens of a text; longer ones are cut.
        groups: Groups of classes, each an image task and mostly a text task; 0: all there are.
        classes_per_group: Classes of a task; 0: the data decides.
        samples_per_class: Pictures of a class; 0: the data decides.
        max_skipped: Fraction of the samples that may be unreadable.
        test_fraction: Part of a class that is tested on.
        validation_fraction: Part of a class that decides; training has the rest.
    """

    kind: Kind
    raw: str
    image_size: int
    encoder: str
    representation: Literal["tokens", "contextual"]
    text_length: int
    groups: int
    classes_per_group: int
    samples_per_class: int
    max_skipped: float
    test_fraction: float
    validation_fraction: float

    def determining(self, *modalities: Modality) -> dict[str, Any]:
        """Give what samples of some modalities depend on; without any, what the index does."""
        others = [key for name in MODALITIES if name not in modalities for key in _READ_BY[name]]
        return {key: value for key, value in asdict(self).items() if key not in others}


# Settings by which samples of a modality alone are read; the index is made without them.
_READ_BY: dict[Modality, tuple[str, ...]] = {
    "image": ("image_size",),
    "text": ("encoder", "representation", "text_length"),
}

_COMMON: dict[str, Any] = {
    "encoder": "bert-base-uncased",
    "representation": "tokens",
    "text_length": 128,
    "groups": 0,
    "classes_per_group": 0,
    "samples_per_class": 0,
    "max_skipped": 0.01,
    "test_fraction": 0.2,
    "validation_fraction": 0.15,
}
# What a kind of data set is unless the configuration says otherwise.
DATASET_DEFAULTS: dict[str, dict[str, Any]] = {
    "icons": _COMMON
    | {"image_size": 32, "encoder": "", "text_length": 64}
    | {"max_skipped": 0.0, "validation_fraction": 0.2},
    "cub": _COMMON
    | {"image_size": 224, "groups": 28, "classes_per_group": 5, "samples_per_class": 60},
    "coco": _COMMON | {"image_size": 64, "groups": 15, "classes_per_group": 4},
    "oxford": _COMMON | {"image_size": 64, "groups": 6, "classes_per_group": 4},
    "cifar100": _COMMON | {"image_size": 32, "encoder": "", "groups": 20, "classes_per_group": 5},
    "folder": _COMMON | {"image_size": 64, "text_length": 64},
}


@dataclass(frozen=True)
class WideTask:
    """A network trained on the classes of several tasks at once.

    Args:
        name: What reports call it.
        members: The tasks.
        targets: Whose candidate it is; None stands for all targets.
    """

    name: str
    members: tuple[int, ...]
    targets: tuple[int, ...] | None = None


@dataclass(frozen=True)
class StudySize:
    """What targets of a number of training samples are trained from in a study.

    Args:
        candidates: Those whose backbones targets are trained from; scored are all.
        controls: For each control (see study/starts.py) the candidates that it is trained from.
    """

    candidates: tuple[int, ...]
    controls: Mapping[Start, tuple[int, ...]]

    @property
    def pairs(self) -> tuple[tuple[Start, int], ...]:
        """What targets are trained from: starts with their candidates."""
        starts: dict[Start, tuple[int, ...]] = {"backbone": self.candidates, **self.controls}
        return tuple((start, each) for start, candidates in starts.items() for each in candidates)


@dataclass(frozen=True)
class StudySettings:
    """Which trainings the study of the selection compares.

    Args:
        seeds: Each draws the targets' training samples and trains baseline and target anew.
        sizes: By training samples a class of the targets, as a text; "all" takes all.
    """

    seeds: tuple[int, ...]
    sizes: Mapping[str, StudySize]


@dataclass(frozen=True)
class Experiment:
    """What is done with one data set; `train_per_class` applies to the targets alone.

    `downloads` is empty where the configuration names a folder that has the data.
    """

    name: str
    dataset: DatasetSettings
    downloads: tuple[RemoteFile, ...]
    tasks: tuple[int, ...]
    wide: Mapping[int, WideTask]
    targets: tuple[int, ...]
    candidates: tuple[int, ...]
    train_per_class: int | None
    study: StudySettings | None
    preset: Preset

    @property
    def networks(self) -> tuple[int, ...]:
        """Ids of all that a network is trained for: tasks, then wide tasks."""
        return (*self.tasks, *self.wide)

    def members(self, network: int) -> tuple[int, ...]:
        """Tasks whose classes a network knows: itself, unless it is wide."""
        return self.wide[network].members if network in self.wide else (network,)

    def modalities(self, network: int) -> tuple[Modality, ...]:
        """Modalities that a network may be of, as far as the ids of its tasks tell."""
        if not self.dataset.groups:
            return MODALITIES  # the data decide
        return ("image",) if self.members(network)[0] <= self.dataset.groups else ("text",)

    def training_samples(self, network: int) -> int | None:
        """Training samples a class; None stands for all."""
        return self.train_per_class if network in self.targets else None

    def candidates_of(self, target: int) -> tuple[int, ...]:
        """Candidates for a target's backbone.

        None is the target's own network, nor a wide one that names other targets.
        """
        served = {network: task.targets for network, task in self.wide.items()}
        return tuple(each for each in self.candidates if _may_serve(each, target, served.get(each)))

    def pairs_of(self, target: int, size: str) -> tuple[tuple[Start, int], ...]:
        """What the study trains a target of some size from: starts with their candidates."""
        candidates = self.candidates_of(target)
        pairs = self.study.sizes[size].pairs if self.study else ()
        return tuple((start, each) for start, each in pairs if each in candidates)


def _may_serve(candidate: int, target: int, served: Sequence[int] | None) -> bool:
    """Tell whether a candidate is one for a target; None stands for serving all targets."""
    return candidate != target and (served is None or target in served)


@dataclass(frozen=True)
class Settings:
    """A whole configuration; `run` names the data sets worked on when no target is given."""

    seed: int
    device: Literal["auto", "cpu", "cuda"]
    run: tuple[str, ...]
    datasets: Mapping[str, Experiment]


def load_settings(config: Mapping[str, Any]) -> Settings:
    """Check a configuration and turn it into settings.

    Raises:
        ValueError: One line for each problem found: the key's path, its value, what was allowed.
    """
    plain = normalised(config)
    problems = schema_problems(plain) or list(_range_problems(plain))
    if not problems:
        plain["datasets"] = {
            name: _written_out(plain["datasets"][name]) for name in plain["datasets"]
        }
        plain["presets"] = {name: _merged(plain["presets"], name) for name in plain["presets"]}
        problems = [*_preset_problems(plain), *_dataset_problems(plain)]
    if problems:
        count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
        raise ValueError("\n    ".join([f"The configuration has {count}:", *problems]))
    presets = {name: _preset(values) for name, values in plain["presets"].items()}
    datasets = {
        name: _experiment(name, values, presets) for name, values in plain["datasets"].items()
    }
    return Settings(plain["seed"], plain["device"], tuple(plain["run"]), datasets)


def _merged(presets: Mapping[str, Any], name: str, above: tuple[str, ...] = ()) -> dict[str, Any]:
    """Lay a preset over the one it is based on; `based_on` stays only where that leads nowhere."""
    own = presets[name]
    base = own.get("based_on")
    if base not in presets or base in (*above, name):
        return dict(own)
    merged = _merged(presets, base, (*above, name))
    sections = {key: {**merged.get(key, {}), **own[key]} for key in own if key != "based_on"}
    return {**merged, **sections}


def _range_problems(config: Mapping[str, Any]) -> Iterator[str]:
    """Find ranges of ids that descend, and ids that are in two ranges."""
    for name, values in config["datasets"].items():
        lists = {key: values[key] for key in ("tasks", "targets", "candidates")}
        lists |= {
            f"wide.{network}.{key}": task[key]
            for network, task in values.get("wide", {}).items()
            for key in ("tasks", "targets")
            if key in task
        }
        if "study" in values:
            lists |= {key: ids for key, ids, _ in _study_lists(values)}
        for key, given in lists.items():
            if given == ALL:
                continue
            ids = Counter(_ids(given))
            twice = [str(id_) for id_, count in ids.items() if count > 1]
            if not ids:
                yield f"datasets.{name}.{key}: {given!r} is not allowed; a range must ascend"
            if twice:
                yield f"datasets.{name}.{key}: {', '.join(twice)} is given more than once"


_Given = str | Sequence[int | str]  # ids as they are configured


def _study_lists(values: Mapping[str, Any]) -> Iterator[tuple[str, _Given, _Given]]:
    """List the ids that a data set's study names: where, the ids, and the list they are from."""
    for size, part in values["study"]["sizes"].items():
        where = f"study.sizes.{size}"
        yield f"{where}.candidates", part["candidates"], values["candidates"]
        for control, ids in part.get("controls", {}).items():
            yield f"{where}.controls.{control}", ids, part["candidates"]


def _written_out(values: Mapping[str, Any]) -> dict[str, Any]:
    """Write a data set's ranges of ids out ("1-56"), and what "all" stands for."""
    wide = {
        network: task | {key: _ids(task[key]) for key in ("tasks", "targets") if key in task}
        for network, task in values.get("wide", {}).items()
    }
    tasks = _ids(values["tasks"])
    everything = {"targets": tasks, "candidates": [*tasks, *map(int, wide)]}
    roles = {
        key: known if values[key] == ALL else _ids(values[key]) for key, known in everything.items()
    }
    written = {**values, **roles, "tasks": tasks, "wide": wide}
    if "study" in values:
        sizes = values["study"]["sizes"]
        parts = {size: _part_written_out(sizes[size], roles["candidates"]) for size in sizes}
        written["study"] = {**values["study"], "sizes": parts}
    return written


def _part_written_out(part: Mapping[str, Any], candidates: list[int]) -> dict[str, Any]:
    """Write the ids of one size of a study out."""
    own = candidates if part["candidates"] == ALL else _ids(part["candidates"])
    controls = part.get("controls", {})
    controlled = {name: own if ids == ALL else _ids(ids) for name, ids in controls.items()}
    return {"candidates": own, "controls": controlled}


def _ids(given: _Given) -> list[int]:
    """Write ids and ranges of ids out."""
    ids: list[int] = []
    for item in [given] if isinstance(given, str) else given:
        first, _, last = str(item).partition("-")
        ids.extend(range(int(first), int(last or first) + 1))
    return ids


_SECTIONS: dict[str, type] = {
    "model": ModelSettings,
    "training": TrainingSettings,
    "pruning": PruningSettings,
    "selection": SelectionSettings,
    "target": TargetSettings,
}


def _preset_problems(config: Mapping[str, Any]) -> Iterator[str]:
    for name, preset in config["presets"].items():
        path = f"presets.{name}"
        if "based_on" in preset:
            others = [other for other in config["presets"] if other != name]
            yield f"{path}.based_on: {unknown('or circular preset', preset['based_on'], others)}"
            continue
        missing = list(_missing_keys(preset))
        for key in missing:
            yield f"{path}.{key}: is missing (give it, or a preset with it as based_on)"
        if not missing:
            yield from _value_problems(path, preset)


def _missing_keys(preset: Mapping[str, Any]) -> Iterator[str]:
    for section, kind in _SECTIONS.items():
        wanted = [field.name for field in fields(kind)]
        wanted += ["allowed_loss"] if section == "pruning" else []
        if section not in preset:
            yield section
        else:
            yield from (f"{section}.{key}" for key in wanted if key not in preset[section])


def _value_problems(path: str, preset: Mapping[str, Any]) -> Iterator[str]:
    """Find what a schema cannot say about the values of a complete preset."""
    pruning = preset["pruning"]
    for key, values in (
        ("pruning.sparsities", pruning["sparsities"]),
        ("training.milestones", preset["training"]["milestones"]),
    ):
        if any(later <= earlier for earlier, later in pairwise(values)):
            yield f"{path}.{key}: {values} is not allowed; it must ascend"
    target, candidates = preset["target"], preset["selection"]["candidates"]
    if target["pick_initial"] <= target["pick_threshold"]:
        yield (
            f"{path}.target.pick_initial: {target['pick_initial']} is not allowed; it must be above"
            f" pick_threshold = {target['pick_threshold']}, so that everything is picked at first"
        )
    if target["swap"] == "never" and candidates != "same_modal":
        yield (
            f"{path}.target.swap: 'never' is not allowed with selection.candidates = {candidates};"
            " a backbone of the other modality has to be swapped: set candidates to same_modal"
        )
    if pruning["ramp_epochs"] > pruning["epochs"]:
        yield (
            f"{path}.pruning.ramp_epochs: {pruning['ramp_epochs']} is not allowed; "
            f"it must be at most pruning.epochs = {pruning['epochs']}"
        )


def _dataset_problems(config: Mapping[str, Any]) -> Iterator[str]:
    datasets = config["datasets"]
    for name in config["run"]:
        if name not in datasets:
            yield f"run: {unknown('data set', name, datasets)}"
    for name, values in datasets.items():
        path = f"datasets.{name}"
        if values["preset"] not in config["presets"]:
            yield f"{path}.preset: {unknown('preset', values['preset'], config['presets'])}"
        yield from _source_problems(path, values)
        yield from _text_problems(path, values, config["presets"].get(values["preset"], {}))
        yield from _wide_problems(path, values)
        yield from _role_problems(path, values)
        if "study" in values:
            yield from _study_problems(path, values, config)


def _source_problems(path: str, values: Mapping[str, Any]) -> Iterator[str]:
    kind = values["kind"]
    if kind not in PUBLISHED and "raw" not in values:
        yield f"{path}.raw: is missing; a data set of kind {kind} is in a folder, not downloaded"
    if kind not in PUBLISHED:
        for key in ("groups", "classes_per_group", "samples_per_class", "urls"):
            if key in values:
                yield f"{path}.{key}: is not for a data set of kind {kind}; remove it"
    known = [file.name for file in PUBLISHED.get(kind, ())]
    for name in values.get("urls", {}) if known else ():
        if name not in known:
            yield f"{path}.urls: {unknown('file', name, known)}"
    parts = {**DATASET_DEFAULTS[kind], **values}
    total = parts["test_fraction"] + parts["validation_fraction"]
    if total >= 1:
        yield (
            f"{path}.test_fraction: {parts['test_fraction']} is not allowed; with "
            f"validation_fraction = {parts['validation_fraction']} nothing is left to train on"
        )


def _text_problems(
    path: str, values: Mapping[str, Any], preset: Mapping[str, Any]
) -> Iterator[str]:
    """Find texts that are longer than the network has positions for."""
    parts = {**DATASET_DEFAULTS[values["kind"]], **values}
    longest = preset.get("model", {}).get("max_tokens")
    if parts["encoder"] and longest is not None and parts["text_length"] > longest:
        yield (
            f"{path}.text_length: {parts['text_length']} is not allowed; it must be at most "
            f"presets.{values['preset']}.model.max_tokens = {longest}"
        )


def _wide_problems(path: str, values: Mapping[str, Any]) -> Iterator[str]:
    wide = {int(network): task for network, task in values.get("wide", {}).items()}
    for network, task in wide.items():
        if network in values["tasks"]:
            yield f"{path}.wide.{network}: is a task's id; a wide network needs an id of its own"
        served = task.get("targets", values["targets"])
        own = set(task["tasks"]) & set(values["targets"]) & set(served)
        if network in values["candidates"] and own:
            yield (
                f"{path}.wide.{network}.tasks: {min(own)} is a target; a candidate made of a"
                " target's own samples would know them all: take it out, or name the targets that"
                f" the network may serve in wide.{network}.targets"
            )
        for target in task.get("targets", ()):
            if target not in values["tasks"]:
                known = values["tasks"]
                yield f"{path}.wide.{network}.targets: {unknown('task', target, known)}"
        for member in task["tasks"]:
            if member in wide:
                yield f"{path}.wide.{network}.tasks: {member} is wide itself; give single tasks"


def _role_problems(path: str, values: Mapping[str, Any]) -> Iterator[str]:
    tasks, candidates = values["tasks"], values["candidates"]
    networks = [*tasks, *map(int, values.get("wide", {}))]
    for target in values["targets"]:
        if target not in tasks:
            yield f"{path}.targets: {unknown('task', target, tasks)}"
    for candidate in candidates:
        if candidate not in networks:
            yield f"{path}.candidates: {unknown('task or wide id', candidate, networks)}"
    yield from _unserved(f"{path}.candidates", candidates, values)


def _unserved(where: str, candidates: Sequence[int], values: Mapping[str, Any]) -> Iterator[str]:
    """Find targets that none of some candidates may serve."""
    served = {int(network): task.get("targets") for network, task in values["wide"].items()}
    for target in values["targets"]:
        if not any(_may_serve(each, target, served.get(each)) for each in candidates):
            yield (
                f"{where}: the target {target} has no candidate, as its own network is none, nor"
                " is a wide one that names other targets; add others"
            )


def _study_problems(
    path: str, values: Mapping[str, Any], config: Mapping[str, Any]
) -> Iterator[str]:
    for key, given, known in _study_lists(values):
        for candidate in given:
            if candidate not in known:
                yield f"{path}.{key}: {unknown('candidate', candidate, known)}"
    for size, part in values["study"]["sizes"].items():
        yield from _unserved(f"{path}.study.sizes.{size}.candidates", part["candidates"], values)
    if config["seed"] in values["study"]["seeds"]:
        yield (
            f"{path}.study.seeds: {config['seed']} is not allowed; it is the experiment's own seed,"
            " and a target's network would start from the same random weights as its candidates"
        )
    preset = config["presets"].get(values["preset"], {})
    if preset.get("target", {}).get("swap") == "never":
        yield (
            f"{path}.study: presets.{values['preset']}.target.swap = never is not allowed with a"
            " study, which trains targets from candidates of either modality: set it to auto"
        )


def _preset(values: Mapping[str, Any]) -> Preset:
    allowed_loss = float(values["pruning"]["allowed_loss"])
    sections: dict[str, Any] = {
        name: _section(kind, values[name]) for name, kind in _SECTIONS.items()
    }
    return Preset(allowed_loss=allowed_loss, **sections)


def _experiment(name: str, values: Mapping[str, Any], presets: Mapping[str, Preset]) -> Experiment:
    wide = {
        int(network): WideTask(
            task["name"],
            members=_cast(tuple[int, ...], task["tasks"]),
            targets=_cast(tuple[int, ...], task["targets"]) if "targets" in task else None,
        )
        for network, task in values.get("wide", {}).items()
    }
    ids = {key: _cast(tuple[int, ...], values[key]) for key in ("tasks", "targets", "candidates")}
    kind = values["kind"]
    raw = {"raw": f"resources/{name}/raw"}  # of downloaded data
    return Experiment(
        name=name,
        dataset=_section(DatasetSettings, {**DATASET_DEFAULTS[kind], **raw, **values}),
        downloads=() if "raw" in values else remote_files(kind, values.get("urls", {})),
        wide=wide,
        train_per_class=values.get("train_per_class"),
        study=_study(values["study"]) if "study" in values else None,
        preset=presets[values["preset"]],
        **ids,
    )


def _study(values: Mapping[str, Any]) -> StudySettings:
    sizes = {
        size: StudySize(
            candidates=_cast(tuple[int, ...], part["candidates"]),
            controls={name: _cast(tuple[int, ...], ids) for name, ids in part["controls"].items()},
        )
        for size, part in values["sizes"].items()
    }
    return StudySettings(seeds=_cast(tuple[int, ...], values["seeds"]), sizes=sizes)


Section = TypeVar("Section")


def _section(kind: type[Section], values: Mapping[str, Any]) -> Section:
    """Fill a dataclass; numbers get its types, so that 2 and 2.0 are the same setting."""
    hints = get_type_hints(kind)
    return kind(**{key: _cast(hint, values[key]) for key, hint in hints.items()})


def _cast(hint: Any, value: Any) -> Any:
    if get_origin(hint) is tuple:
        return tuple(_cast(get_args(hint)[0], item) for item in value)
    return hint(value) if hint in (int, float) else value
