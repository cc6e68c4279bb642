"""What is done with a data set: the sections of the rooms, composed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass as plain_dataclass
from dataclasses import field
from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from crossback_core.config.ids import Ids, IdsOrAll
from crossback_core.data.kind import KINDS
from crossback_core.data.settings import DatasetSettings
from crossback_core.data.sources import RemoteFile
from crossback_core.learning.settings import PruningSettings, TargetSettings, TrainingSettings
from crossback_core.model.settings import ModelSettings
from crossback_core.runtime.trackers import NONE
from crossback_core.section import STRICT, Count, Distinct, Entries, Name, Seed, Text
from crossback_core.selection.settings import SelectionSettings
from crossback_core.study.settings import Start, StudySettings

Device = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True, config=STRICT)
class TopSettings:
    """The keys of a configuration."""

    seed: Annotated[Seed, Field(description="determines every result, bit for bit on one machine")]
    device: Annotated[
        Device, Field(description="where networks are trained; auto: a GPU if there is one")
    ]
    run: Annotated[
        tuple[Text, ...],
        Field(min_length=1, description="data sets that plain `snakemake` works on"),
        Entries,
        Distinct,
    ]
    datasets: Annotated[dict[str, Any], Field(min_length=1, description="data sets by name")]
    presets: Annotated[dict[str, Any], Field(min_length=1, description="presets by name")]
    tracker: Annotated[
        Text, Field(description="shows trainings while they run: tensorboard; or none")
    ] = NONE


@dataclass(frozen=True, config=STRICT)
class JointTask:
    """A network trained on the classes of several tasks at once."""

    name: Annotated[Name, Field(description="what reports call it, and files made from now on")]
    tasks: Annotated[Ids, Field(description="whose classes it knows")]
    targets: Annotated[
        IdsOrAll, Field(description="whose candidate it is; if not said, of all but its own tasks")
    ] = None


@dataclass(frozen=True, config=STRICT)
class SizePlan:
    """What targets of some size are trained from in a study, as configured."""

    candidates: Annotated[IdsOrAll, Field(description="whose backbones targets are trained from")]
    controls: Annotated[
        dict[Start, IdsOrAll],
        Field(description="of shuffled, fresh, unpicked: candidates that each is trained from"),
    ] = field(default_factory=dict)
    shuffled_candidates: Annotated[
        IdsOrAll,
        Field(
            description="candidates once more with their weights shuffled: scored, trained and"
            " judged so"
        ),
    ] = ()


@dataclass(frozen=True, config=STRICT)
class StudyPlan:
    """A study as configured."""

    seeds: Annotated[
        tuple[Seed, ...],
        Field(min_length=1, description="each draws the targets' training samples"),
        Entries,
        Distinct,
    ]
    sizes: Annotated[
        dict[str, Any],
        Field(min_length=1, description="by training samples per class of the targets, or all"),
    ]


@dataclass(frozen=True, config=STRICT)
class DatasetPlan:
    """What is done with a data set, as configured; its kind has settings beside these."""

    preset: Annotated[Text, Field(description="networks and their training")]
    tasks: Annotated[IdsOrAll, Field(description="one network each; all: those of the data")] = None
    joint: Annotated[
        dict[str, Any],
        Field(description="networks trained on several tasks' classes, by id: a number or a name"),
    ] = field(default_factory=dict)
    targets: Annotated[
        IdsOrAll, Field(description="tasks that look for a backbone when no file is asked for")
    ] = None
    candidates: Annotated[
        IdsOrAll, Field(description="tasks and joint networks that may become a backbone")
    ] = None
    train_per_class: Annotated[
        Count | None,
        Field(description="training samples per class of a target, also as a candidate of others"),
    ] = None
    urls: Annotated[
        dict[str, Any], Field(description="other addresses of the files that are downloaded")
    ] = field(default_factory=dict)
    study: Annotated[dict[str, Any], Field(description="of `snakemake study` (docs/study.md)")] = (
        field(default_factory=dict)
    )


@plain_dataclass(frozen=True)
class Preset:
    """Everything about networks and their training."""

    model: ModelSettings
    training: TrainingSettings
    pruning: PruningSettings
    selection: SelectionSettings
    target: TargetSettings


@plain_dataclass(frozen=True)
class Experiment:
    """What is done with one data set; `train_per_class` applies to the targets alone.

    `downloads` is empty where the configuration names a folder that has the data.
    """

    name: str
    dataset: DatasetSettings
    downloads: tuple[RemoteFile, ...]
    tasks: tuple[str, ...]
    joint: Mapping[str, JointTask]
    targets: tuple[str, ...]
    candidates: tuple[str, ...]
    train_per_class: int | None
    study: StudySettings | None
    preset: Preset

    @property
    def networks(self) -> tuple[str, ...]:
        """Ids of all that a network is trained for: tasks, then joint tasks."""
        return (*self.tasks, *self.joint)

    @property
    def indexed(self) -> tuple[str, ...]:
        """Ids of the tasks whose samples anything that runs is trained on."""
        members = (task for network in self.candidates for task in self.members(network))
        return tuple(dict.fromkeys((*self.tasks, *members)))

    def members(self, network: str) -> tuple[str, ...]:
        """Return the tasks whose classes a network knows: itself, unless it is joint."""
        return self.joint[network].tasks if network in self.joint else (network,)

    def modalities(self, network: str) -> tuple[str, ...]:
        """Return the modalities that a network may be of, as far as the ids of its tasks tell."""
        kind = KINDS.find(self.dataset.kind)
        found = kind.modality_of(self.members(network)[0], self.dataset)
        return tuple(kind.readers) if found is None else (found,)

    def training_samples(self, network: str) -> int | None:
        """Return the training samples per class; None stands for all."""
        return self.train_per_class if network in self.targets else None

    def candidates_of(self, target: str) -> tuple[str, ...]:
        """Return the candidates for a target's backbone."""
        return tuple(each for each in self.candidates if may_serve(each, target, self.joint))

    def excluded_for(self, target: str) -> tuple[str, ...]:
        """Return the candidates of the data set that are none for a target."""
        return tuple(each for each in self.candidates if not may_serve(each, target, self.joint))

    def pairs_of(self, target: str, size: str) -> tuple[tuple[Start, str], ...]:
        """Return what the study trains a target of some size from: starts, their candidates."""
        candidates = self.candidates_of(target)
        pairs = self.study.sizes[size].pairs if self.study else ()
        return tuple((start, each) for start, each in pairs if each in candidates)


def may_serve(candidate: str, target: str, joint: Mapping[str, JointTask]) -> bool:
    """Say whether a candidate is one for a target.

    None is the target's own network, a joint one that was trained on the target's samples, nor a
    joint one that names other targets.
    """
    if candidate not in joint:
        return candidate != target
    network = joint[candidate]
    served = network.targets is None or target in network.targets
    return served and target not in network.tasks


@plain_dataclass(frozen=True)
class Settings:
    """A whole configuration; `run` names the data sets worked on when no target is given."""

    seed: int
    device: Device
    tracker: str
    run: tuple[str, ...]
    datasets: Mapping[str, Experiment]
