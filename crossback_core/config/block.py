"""A data set's block of the configuration, proposed for own data, and put into config.yaml."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import indent
from typing import Any

import yaml

from crossback_core.config.experiment import Settings
from crossback_core.config.loading import check_name, load_settings
from crossback_core.config.plain import check_files
from crossback_core.data.survey import Survey, TaskFound
from crossback_core.storage.files import write_text
from crossback_core.wording import counted

_TRAINED_ON = 0.65  # part of the samples: what test and validation leave
_FEW, _MANY = 10, 200  # training samples per class
_LARGE = 48  # pixels: pictures that are no smaller lose by 32
_HALVES_FROM = 3  # tasks of a modality: of two, a joint network would serve neither
_MISFIT = "the block does not fit into the configuration: add it by hand"
_NAME = re.compile(r"[^a-z0-9_-]+")


def name_for(raw: Path) -> str:
    """Return a name for the data set in a folder, as the configuration takes it."""
    name = _NAME.sub("_", Path(os.path.abspath(raw)).name.lower()).strip("_-")
    return name if name[:1].isalpha() else f"data_{name}".rstrip("_")


def propose(raw: str, found: Survey, *, gpu: bool) -> str:
    """Return the lines of a data set's block without its name, each indented by nothing.

    Args:
        raw: Where the data are, as the configuration names it.
        found: What is there.
        gpu: Whether this machine has one.

    Raises:
        ValueError: No network can be trained for any of the tasks.
    """
    if not found.trainable:
        why = "; ".join(f"{task.task}: {task.problem}" for task in found.tasks)
        raise ValueError(f"no network can be trained on {raw}: {why or 'it holds no tasks'}")
    return "\n".join(_lines(raw, found, gpu))


def _lines(raw: str, found: Survey, gpu: bool) -> Iterator[str]:
    tasks = found.trainable
    preset, why = _preset(tasks, gpu)
    yield "kind: folder"
    yield f"raw: {_yaml(raw)} # the folder of the raw data"
    yield f"preset: {preset} # {why}"
    yield "# Each task is trained and may be a backbone for the others:"
    yield from (f"#   {_described(task)}" for task in tasks)
    if len(tasks) < len(found.tasks):
        yield f"tasks: {_yaml([task.task for task in tasks])} # all that can be trained"
    yield from _joint_lines(tasks)
    yield "targets: # tasks that look for a backbone: take out those that need none"
    yield from (f"  - {_yaml(task.task)}" for task in tasks)
    yield from _amount_lines(tasks)
    if found.side is not None:
        size = 64 if found.side >= _LARGE else 32
        yield f"image_size: {size} # pixels; pictures are squeezed into a square: proportions are"
        yield f"# not kept; the shorter side of yours has {found.side}"
    if any(task.modality == "text" for task in tasks):
        yield from _encoder_lines(found)
    yield "test_fraction: 0.2 # part of each class that is tested on"
    yield "validation_fraction: 0.15 # part of each class that decides"


def _described(task: TaskFound) -> str:
    least, most = min(task.classes.values()), max(task.classes.values())
    each = str(least) if least == most else f"{least} to {most}"
    classes = counted(len(task.classes), "class")
    return f"{task.task}: {classes}, {counted(task.samples, 'sample')}, {each} a class"


def _per_class(tasks: Sequence[TaskFound]) -> int:
    """Return the training samples per class of a middling task."""
    counts = sorted(task.samples / len(task.classes) for task in tasks)
    return round(_TRAINED_ON * counts[len(counts) // 2])


def _preset(tasks: Sequence[TaskFound], gpu: bool) -> tuple[str, str]:
    samples = _per_class(tasks)
    if samples <= _FEW:
        return "low_data", f"small networks, for few training samples (about {samples} per class)"
    if gpu and samples >= _MANY:
        return "paper", "the published networks, as there is a GPU; demo: small ones"
    return "demo", "small networks, minutes on a laptop; paper: the published ones, wants a GPU"


def _joint_lines(tasks: Sequence[TaskFound]) -> Iterator[str]:
    """Yield two joint networks for each modality, each of every other task.

    A joint network is no candidate for the tasks that it was trained on, so each half of the tasks
    has that of the other half.
    """
    joint = [*_halves(tasks, "image", "pictures"), *_halves(tasks, "text", "texts")]
    if not joint:
        return
    yield "joint: # networks of several tasks, often the better backbones; none for its own tasks"
    for id_, name, members in joint:
        yield f"  {id_}: {{name: {name}, tasks: {_yaml(members)}}}"


def _halves(
    tasks: Sequence[TaskFound], modality: str, what: str
) -> Iterator[tuple[str, str, list[str]]]:
    own = [task.task for task in tasks if task.modality == modality]
    if len(own) < _HALVES_FROM:
        return
    for which, members in (("first", own[::2]), ("second", own[1::2])):
        if len(members) > 1:
            yield f"{modality}_{which}_half", f"{which} half of the {what}", members


def _amount_lines(tasks: Sequence[TaskFound]) -> Iterator[str]:
    samples = _per_class(tasks)
    meaning = "training samples per class of a target; null: all"
    if samples > _MANY:
        yield f"train_per_class: {_MANY} # {meaning}, about {samples}, which takes longer"
    else:
        yield f"train_per_class: null # {meaning}, about {samples}"


def _encoder_lines(found: Survey) -> Iterator[str]:
    if found.encoder is not None:
        yield f"encoder: {_yaml(str(found.encoder))} # the model's folder; it represents texts"
    else:
        yield "encoder: bert-base-uncased # represents texts; is downloaded at first use (440 MB),"
        yield "# or a folder with such a model (docs/datasets.md)"
    yield "text_length: 64 # tokens of a text; longer ones are cut"


def _yaml(value: Any) -> str:
    """Write a value in one line."""
    text = yaml.safe_dump([value], default_flow_style=True, allow_unicode=True, width=10**6)
    return text.strip()[1:-1]


def whole_block(name: str, block: str) -> str:
    """Return a data set's block under its name, as it stands under `datasets`.

    Raises:
        ValueError: It is no name of a data set.
    """
    check_name("datasets", name)
    return f"{_yaml(name)}:\n{indent(block, '  ')}"


def settings_with(config: str, name: str, block: str) -> tuple[str, Settings]:
    """Put a data set's block into the text of a configuration, and load the result.

    All else stays as it is written, comments too, but for `run`, which then names the new data set
    alone.

    Args:
        config: The text of config.yaml.
        name: Of the data set.
        block: Its lines, as `propose` returns them.

    Returns:
        The new text, and its settings.

    Raises:
        ValueError: The name is there or cannot be one, or the result is no sound configuration.
    """
    before = yaml.safe_load(config)
    if not isinstance(before, dict) or not isinstance(before.get("datasets"), dict):
        raise ValueError(
            "the configuration has no data sets under `datasets`: add the block by hand"
        )
    if name in map(str, before["datasets"]):
        raise ValueError(f"the configuration has a data set {name}: give another name with --name")
    try:
        text = _with_run(_with_block(config, name, block), name)
        after = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(_MISFIT) from error
    settings = load_settings(after)
    _check_rest(before, after, name)
    return text, settings


def add_block(path: str | Path, name: str, block: str) -> Settings:
    """Write a data set's block into a configuration file, atomically.

    Args:
        path: The file.
        name: Of the data set.
        block: Its lines, as `propose` returns them.

    Raises:
        ValueError: As of `settings_with`; the file then stays as it is.
    """
    file = Path(path).resolve()
    text, settings = settings_with(read_config(file), name, block)
    write_text(text, file)
    return settings


def read_config(path: str | Path) -> str:
    """Return the text of a configuration file, its ends of lines as they are.

    Raises:
        ValueError: It does not say what it seems to (see `check_files`).
    """
    check_files([path])
    return Path(path).read_bytes().decode("utf-8")


def _with_block(config: str, name: str, block: str) -> str:
    """Put the block behind the last data set, as far in as the others."""
    _, datasets = _entry(config, "datasets")
    if not isinstance(datasets, yaml.MappingNode) or datasets.flow_style:
        raise ValueError("`datasets` is written in braces: add the block by hand")
    column = datasets.value[0][0].start_mark.column  # of a name: before it may be an anchor
    lines = config.splitlines(keepends=True)
    end = _last_line(lines, datasets.end_mark.line)
    ending = "\r\n" if config.endswith("\r\n", 0, len(lines[0])) else "\n"
    before = "".join(lines[:end])
    if not before.endswith("\n"):
        before += ending
    own = indent(whole_block(name, block), " " * column)
    added = ["", *own.split("\n")]
    return before + "".join(f"{line}{ending}" for line in added) + "".join(lines[end:])


def _last_line(lines: Sequence[str], end: int) -> int:
    """Return the line behind the last one, before `end`, that is indented: a value or a comment."""
    while end > 1 and not (lines[end - 1].startswith((" ", "\t")) and lines[end - 1].strip()):
        end -= 1
    return end


def _with_run(config: str, name: str) -> str:
    """Let plain `snakemake` work on the new data set alone."""
    key, value = _entry(config, "run")
    end = value.end_mark.index
    if isinstance(value, yaml.SequenceNode) and not value.flow_style:
        end = value.value[-1].end_mark.index  # that of the list is where the next key begins
    return f"{config[: key.end_mark.index]}: [{_yaml(name)}]{config[end:]}"


def _entry(config: str, key: str) -> tuple[yaml.Node, yaml.Node]:
    """Return the nodes of a key and its value."""
    root = yaml.compose(config, Loader=yaml.SafeLoader)
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    for name, value in pairs:
        if name.value == key:
            return name, value
    raise ValueError(f"the configuration has no `{key}`: add the block by hand")


def _check_rest(before: Mapping[str, Any], after: Mapping[str, Any], name: str) -> None:
    """Refuse a result in which anything but the new data set and `run` has changed."""
    rest = {**after, "run": before["run"]}
    rest["datasets"] = {key: value for key, value in after["datasets"].items() if key != name}
    if rest != before:
        raise ValueError(_MISFIT)
