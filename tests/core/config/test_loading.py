import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml

from crossback_core.config import Experiment, JointTask, Preset, load_settings
from crossback_core.data.kinds.icons import IconsSettings
from crossback_core.selection.scores import SCORES
from crossback_core.selection.settings import ProbeSettings
from crossback_core.study.settings import StudySettings, StudySize

CONFIG = Path(__file__).resolve().parents[3] / "config.yaml"

Config = dict[str, Any]


@pytest.fixture
def shipped() -> Config:
    """The configuration that ships with the project."""
    loaded: Config = yaml.safe_load(CONFIG.read_text())
    return loaded


@pytest.fixture
def config(shipped: Config) -> Config:
    """The shipped presets with an experiment that stays as it is."""
    icons = {
        "kind": "icons",
        "raw": "data/icons",
        "preset": "demo",
        "tasks": [1, 3, 17, 19],
        "joint": {
            101: {"name": "both", "tasks": [29, 30]},
            102: {"name": "two", "tasks": [39, 40]},
        },
        "targets": [3, 19],
        "candidates": [1, 17, 101, 102],
        "train_per_class": 10,
    }
    return shipped | {"datasets": {"icons": icons}}


def problems(config: Config) -> list[str]:
    """What is wrong with a configuration, a line each."""
    with pytest.raises(ValueError, match=r"^The configuration has \d+ problem") as caught:
        load_settings(config)
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


def test_the_shipped_configuration_is_the_experiment_it_promises(shipped: Config) -> None:
    icons = load_settings(shipped).datasets["icons"]
    images = [task for task in icons.tasks if task <= 14]
    texts = [task for task in icons.tasks if 15 <= task <= 28]
    assert len(images) >= 4 and len(texts) >= 4
    assert len(set(images) & set(icons.targets)) >= 2 and len(set(texts) & set(icons.targets)) >= 2
    assert set(images) & set(icons.candidates) and set(texts) & set(icons.candidates)
    assert {101, 102} <= set(icons.candidates)
    assert icons.members(101) == tuple(range(29, 39))
    assert icons.members(102) == tuple(range(39, 48))
    assert icons.train_per_class == 10


@pytest.mark.parametrize(
    ("name", "tasks", "files"),
    [("cub", 56, 2), ("coco", 30, 3), ("oxford", 12, 3), ("cifar100", 20, 1), ("icons", 8, 0)],
)
def test_the_published_data_sets_are_configured(
    shipped: Config, name: str, tasks: int, files: int
) -> None:
    experiment = load_settings(shipped).datasets[name]
    assert len(experiment.tasks) == tasks
    assert len(experiment.downloads) == files
    if files:
        assert experiment.tasks == experiment.targets == experiment.candidates
        assert experiment.dataset.raw == f"resources/{name}/raw"


def test_kinds_have_the_published_sizes(shipped: Config) -> None:
    datasets = {key: value.dataset for key, value in load_settings(shipped).datasets.items()}
    cub = datasets["cub"]
    assert (cub.groups, cub.classes_per_group, cub.samples_per_class) == (28, 5, 60)
    assert (cub.image_size, cub.encoder, cub.text_length) == (224, "bert-base-uncased", 128)
    assert (datasets["coco"].groups, datasets["oxford"].groups) == (15, 6)
    assert datasets["coco"].image_size == datasets["oxford"].image_size == 64
    assert datasets["icons"] == IconsSettings(kind="icons", raw="data/icons")
    assert (datasets["icons"].test_fraction, datasets["icons"].validation_fraction) == (0.2, 0.2)


def test_what_is_read_alone_does_not_determine_the_index(shipped: Config) -> None:
    cub = load_settings(shipped).datasets["cub"].dataset
    by_images = {"image_size"}
    by_texts = {"encoder", "representation", "text_length"}
    assert cub.determining("image", "text") == asdict(cub)
    assert asdict(cub).keys() - cub.determining().keys() == by_images | by_texts
    assert asdict(cub).keys() - cub.determining("image").keys() == by_texts
    assert asdict(cub).keys() - cub.determining("text").keys() == by_images


def test_ids_tell_the_modality_where_groups_are_numbered(shipped: Config) -> None:
    shipped["datasets"]["cub"]["joint"] = {"101": {"name": "texts", "tasks": [55, 56]}}
    shipped["datasets"]["cub"]["targets"] = [1]
    datasets = load_settings(shipped).datasets
    found = {id_: datasets["cub"].modalities(id_) for id_ in (1, 28, 29, 56, 101)}
    texts = ("text",)
    assert found == {1: ("image",), 28: ("image",), 29: texts, 56: texts, 101: texts}
    assert datasets["cifar100"].modalities(20) == ("image",)
    assert datasets["icons"].modalities(1) == ("image", "text")


def test_a_kind_has_only_settings_that_mean_it_something(shipped: Config) -> None:
    datasets = load_settings(shipped).datasets
    assert not hasattr(datasets["icons"].dataset, "encoder")
    assert not hasattr(datasets["cifar100"].dataset, "text_length")


def test_a_smaller_copy_of_a_published_data_set_says_its_sizes_alone(config: Config) -> None:
    """Tasks are as many as its groups make, and texts as long as the preset's network reads."""
    config["datasets"]["cub"] = {"kind": "cub", "preset": "demo", "raw": "small", "groups": 2}
    cub = load_settings(config).datasets["cub"]
    assert cub.tasks == cub.targets == cub.candidates == (1, 2, 3, 4)
    assert [cub.modalities(task) for task in cub.tasks] == [("image",)] * 2 + [("text",)] * 2
    assert cub.dataset.text_length == cub.preset.model.max_tokens == 64


def test_a_metric_is_one_that_is_registered(config: Config) -> None:
    config["presets"]["demo"]["selection"]["score"] = "luck"
    with pytest.raises(ValueError, match=f"'luck' is not allowed; one of {', '.join(SCORES)}"):
        load_settings(config)


def test_the_paper_preset_holds_the_published_hyperparameters(config: Config) -> None:
    config["datasets"]["icons"]["preset"] = "paper"
    paper = load_settings(config).datasets["icons"].preset
    model, training, pruning = paper.model, paper.training, paper.pruning
    assert (model.latents, model.latent_dim, model.blocks) == (256, 512, 3)
    assert (model.attention_heads, model.head_dim, model.feedforward_factor) == (8, 64, 4)
    assert (training.optimizer, training.learning_rate, training.epochs) == ("sgd", 0.01, 100)
    assert (training.milestones, training.gamma, training.weight_decay) == ((0.5, 0.8), 0.1, 4e-5)
    assert pruning.sparsities == (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
    assert (pruning.epochs, pruning.ramp_epochs, pruning.update_every) == (20, 4, 10)
    assert (pruning.allowed_loss, paper.target.max_width, config["seed"]) == (0.001, 2.0, 2)


def test_a_preset_based_on_another_changes_only_what_it_names(config: Config) -> None:
    config["presets"]["short"] = {"based_on": "demo", "training": {"epochs": 3}}
    config["presets"]["shorter"] = {"based_on": "short", "pruning": {"allowed_loss": 0.5}}
    config["datasets"]["icons"]["preset"] = "shorter"
    preset = load_settings(config).datasets["icons"].preset
    assert preset.training.epochs == 3
    assert preset.pruning.allowed_loss == 0.5
    assert preset.training.batch_size == 32


def test_settings_do_not_depend_on_how_numbers_are_written(config: Config) -> None:
    expected = load_settings(config)
    config["presets"]["demo"]["target"]["width_step"] = "5e-1"
    epochs = config["presets"]["demo"]["training"]["epochs"]
    config["presets"]["demo"]["training"]["epochs"] = str(epochs)
    config["presets"]["demo"]["training"]["flip"] = "true"
    config["presets"]["demo"]["model"]["max_frequency"] = 10
    config["datasets"]["icons"]["joint"]["101"] = config["datasets"]["icons"]["joint"].pop(101)
    settings = load_settings(config)
    assert settings.datasets["icons"].preset == expected.datasets["icons"].preset
    assert repr(settings.datasets["icons"].preset) == repr(expected.datasets["icons"].preset)
    assert set(settings.datasets["icons"].joint) == {101, 102}


def test_the_caller_keeps_its_configuration(config: Config) -> None:
    before = yaml.safe_dump(config)
    load_settings(config)
    assert yaml.safe_dump(config) == before


def test_train_per_class_is_for_targets_alone(config: Config) -> None:
    icons = load_settings(config).datasets["icons"]
    assert icons.training_samples(icons.targets[0]) == 10
    assert icons.training_samples(101) is None
    del config["datasets"]["icons"]["train_per_class"]
    assert load_settings(config).datasets["icons"].training_samples(icons.targets[0]) is None


def test_a_key_of_the_command_line_replaces_that_of_the_file(config: Config) -> None:
    """The file's keys may be numbers; the command line's are texts, which Snakemake adds first."""
    sizes = {"5": SIZE | {"candidates": [17], "controls": {}}, 5: SIZE}
    config["datasets"]["icons"]["study"] = STUDY | {"sizes": sizes}
    study = load_settings(config).datasets["icons"].study
    assert study.sizes["5"].candidates == (17,)


def test_controls_of_all_are_those_of_all_that_are_trained_from(config: Config) -> None:
    part = {"candidates": [1, 101], "controls": {"shuffled": "all"}}
    config["datasets"]["icons"]["study"] = STUDY | {"sizes": {5: part}}
    study = load_settings(config).datasets["icons"].study
    assert study.sizes["5"].controls == {"shuffled": (1, 101)}


def test_a_study_is_read_with_plain_numbers(config: Config) -> None:
    whole = {"candidates": "all", "controls": {}}
    config["datasets"]["icons"]["study"] = {"seeds": [11.0], "sizes": {5: SIZE, "all": whole}}
    icons = load_settings(config).datasets["icons"]
    few = StudySize((1, 101), {"shuffled": (101,)})
    assert icons.study == StudySettings((11,), {"5": few, "all": StudySize(icons.candidates, {})})
    assert repr(icons.study.seeds) == "(11,)"
    assert few.pairs == (("backbone", 1), ("backbone", 101), ("shuffled", 101))


def test_each_target_needs_a_candidate_at_each_size_of_a_study(config: Config) -> None:
    config["datasets"]["icons"]["joint"][101]["targets"] = [19]
    sizes = {5: SIZE, "all": {"candidates": [101]}}
    config["datasets"]["icons"]["study"] = {"seeds": [11], "sizes": sizes}
    assert [problem.partition(",")[0] for problem in problems(config)] == [
        "datasets.icons.study.sizes.all.candidates: the target 3 has no candidate"
    ]


def test_a_study_needs_targets_that_can_be_swapped(config: Config) -> None:
    config["presets"]["demo"]["selection"]["candidates"] = "same_modal"
    config["presets"]["demo"]["target"]["swap"] = "never"
    config["datasets"]["icons"]["study"] = STUDY
    assert problems(config)[0].startswith("datasets.icons.study: target.swap = never of its preset")


def test_ranges_and_all_are_written_out(config: Config) -> None:
    config["datasets"]["icons"] |= {"tasks": ["1-3", 17, "19-20"], "targets": "all"}
    config["datasets"]["icons"]["candidates"] = "all"
    config["datasets"]["icons"]["joint"][101]["tasks"] = "29-31"
    icons = load_settings(config).datasets["icons"]
    assert icons.tasks == icons.targets == (1, 2, 3, 17, 19, 20)
    assert icons.candidates == (*icons.tasks, 101, 102)
    assert icons.members(101) == (29, 30, 31)


def test_a_folder_with_the_data_needs_no_downloads(config: Config) -> None:
    config["datasets"]["cub"] = CUB | {"raw": "elsewhere/cub"}
    experiment = load_settings(config).datasets["cub"]
    assert experiment.downloads == () and experiment.dataset.raw == "elsewhere/cub"


def test_an_address_can_be_replaced(config: Config) -> None:
    urls = {"CUB_200_2011.tgz": "https://example.org/a.tgz"}
    config["datasets"]["cub"] = CUB | {"urls": urls}
    first, second = load_settings(config).datasets["cub"].downloads
    assert first.url == "https://example.org/a.tgz" and first.checksum is not None
    assert first.page == "https://data.caltech.edu/records/65de6-vp158"
    urls["CUB_200_2011.tgz"] += "#md5=" + "0" * 32
    other = load_settings(config).datasets["cub"].downloads[0]
    assert (other.page, other.checksum) == ("https://example.org/a.tgz", "md5:" + "0" * 32)
    assert second.url.startswith("https://drive.usercontent.google.com/")


def test_a_target_is_no_candidate_of_its_own(config: Config) -> None:
    config["datasets"]["icons"]["candidates"] = [3, 1, 101]
    icons = load_settings(config).datasets["icons"]
    assert icons.candidates_of(3) == (1, 101)
    assert icons.candidates_of(19) == (3, 1, 101)


def test_a_joint_network_serves_the_targets_that_it_names(config: Config) -> None:
    joint = config["datasets"]["icons"]["joint"]
    joint[101] |= {"tasks": [3], "targets": [17, 19]}  # no matter that 17 is no target
    icons = load_settings(config).datasets["icons"]
    assert icons.candidates_of(3) == (1, 17, 102)
    assert icons.candidates_of(19) == (1, 17, 101, 102)
    config["datasets"]["icons"]["candidates"] = [101]
    assert problems(config) == [
        "datasets.icons.candidates: the target 3 has no candidate, as its own network is none,"
        " nor is a joint one that names other targets; add others"
    ]


def test_a_study_has_no_pair_of_a_target_and_a_candidate_of_others(config: Config) -> None:
    config["datasets"]["icons"]["joint"][101]["targets"] = [19]
    config["datasets"]["icons"]["study"] = {"seeds": [11], "sizes": {5: SIZE}}
    icons = load_settings(config).datasets["icons"]
    assert icons.pairs_of(3, "5") == (("backbone", 1),)
    assert icons.pairs_of(19, "5") == (("backbone", 1), ("backbone", 101), ("shuffled", 101))


def test_probing_is_what_similarities_depend_on(config: Config) -> None:
    selection = load_settings(config).datasets["icons"].preset.selection
    assert selection.probing == ProbeSettings(
        selection.probes, selection.mutations, selection.mutation_step
    )


def put(*path: Any) -> Callable[[Config], None]:
    """Give a change of a configuration: its path, then the new value."""

    def change(config: Config) -> None:
        for key in path[:-2]:
            config = config[key]
        config[path[-2]] = path[-1]

    return change


CUB = {"kind": "cub", "preset": "paper", "tasks": "1-4", "targets": "all", "candidates": "all"}
DEMO = ("presets", "demo")
ICONS = ("datasets", "icons")
SIZE = {"candidates": [1, 101], "controls": {"shuffled": [101]}}
STUDY = {"seeds": [11], "sizes": {5: SIZE, "all": SIZE}}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (put("seeds", 3), "seeds: unknown key 'seeds' (did you mean 'seed'?); known: seed, device"),
        (put("seed", -1), "seed: -1 is not allowed; it must be at least 0"),
        (put("seed", "two"), "seed: 'two' is not allowed; it must be an integer"),
        (put("device", "gpu"), "device: 'gpu' is not allowed; one of auto, cpu, cuda"),
        (put("run", []), "run: [] is not allowed; it must have entries, at least 1"),
        (put("run", ["cub"]), "run: unknown data set 'cub'; known: icons"),
        (put("presets", None), "presets: null is not allowed; it must be keys with their values"),
        (put("seed", 10**400), "seed: a number of very many digits is not allowed; it must be at"),
        (
            put(*DEMO, "training", "learning_rate", 10**400),
            "presets.demo.training.learning_rate: inf is not allowed; it must be a finite number",
        ),
        (put(*DEMO, "based_on", ["demo"]), "presets.demo.based_on: ['demo'] is not allowed; it mu"),
        (
            put(*DEMO, "selection", "score", None),
            "presets.demo.selection.score: null is not allowed; one of ddv_euclidean, ddv_cosine",
        ),
        (
            put(*DEMO, "training", "optimizer", "adam"),
            "presets.demo.training.optimizer: 'adam' is not allowed; one of adamw, sgd (did you m",
        ),
        (put("run", [1]), "run.0: 1 is not allowed; it must be text: write it in quotes"),
        (put(*ICONS, "targets", None), "datasets.icons.targets: null is not allowed; it must be"),
        (
            put(*ICONS, "targets", [99, "x", -1, "\u0663"]),
            "datasets.icons.targets: [99, 'x', -1, '\u0663'] is not allowed; it must be all, a"
            " list of ids from 1, or a range such as 1-56 of at most four digits, not 'x', -1, ",
        ),
        (
            put(*ICONS, "tasks", ["1-9999"] * 9),
            "datasets.icons.tasks: ['1-9999', '1-9999', '1-9999', '1-9999', '1-9999', '1-9999',"
            " '1-9999', '1-9999', '1-9999'] is not allowed; it must be at most 20000 ids",
        ),
        (
            put("datasets", "cub", CUB | {"groups": 2, "tasks": "1-5"}),
            "datasets.cub.tasks: 5 is not allowed; with these sizes a data set of kind cub has"
            " tasks 1 to 4",
        ),
        (
            put("datasets", "cub", CUB | {"kind": "coco", "groups": 50}),
            "datasets.cub.groups: 50 is not allowed; it must be at most 15",
        ),
        (put("run", ["a\nb"]), "run.0: 'a\\nb' is not allowed; it must be text without control"),
        (
            put(*ICONS, "raw", 2024),
            "datasets.icons.raw: 2024 is not allowed; it must be text",
        ),
        (put(*ICONS, "raw", "a\nb"), "datasets.icons.raw: 'a\\nb' is not allowed; it must be text"),
        (
            put(*DEMO, "target", "width_step", 1e-9),
            "presets.demo.target.width_step: 1e-09 is not allowed; it must be at least 0.01",
        ),
        (
            put(*DEMO, "training", "epochs", float("inf")),
            "presets.demo.training.epochs: inf is not allowed; it must be an integer",
        ),
        (
            put(*DEMO, "training", "epochs", 0),
            "presets.demo.training.epochs: 0 is not allowed; it must be at least 1",
        ),
        (
            put(*DEMO, "training", "epochs", 1.5),
            "presets.demo.training.epochs: 1.5 is not allowed; it must be an integer",
        ),
        (
            put(*DEMO, "training", "flip", 1),
            "presets.demo.training.flip: 1 is not allowed; it must be true or false",
        ),
        (
            put(*DEMO, "training", "learning_rate", float("nan")),
            "presets.demo.training.learning_rate: nan is not allowed; it must be a finite number",
        ),
        (
            put(*DEMO, "training", "learning_rate", 0),
            "presets.demo.training.learning_rate: 0 is not allowed; it must be above 0",
        ),
        (
            put(*DEMO, "training", "optimizer", "adam"),
            "presets.demo.training.optimizer: 'adam' is not allowed; one of adamw, sgd",
        ),
        (
            put(*DEMO, "training", "milestones", [0.8, 0.5]),
            "presets.demo.training.milestones: [0.8, 0.5] is not allowed; it must ascend",
        ),
        (
            put(*DEMO, "pruning", "sparsities", [0.7, 0.5]),
            "presets.demo.pruning.sparsities: [0.7, 0.5] is not allowed; it must ascend",
        ),
        (
            put(*DEMO, "pruning", "sparsities", [0.5, 1.0]),
            "presets.demo.pruning.sparsities.1: 1.0 is not allowed; it must be below 1",
        ),
        (
            put(*DEMO, "pruning", "ramp_epochs", 999),
            "presets.demo.pruning.ramp_epochs: 999 is not allowed; "
            "it must be at most pruning.epochs = ",
        ),
        (
            put(*DEMO, "model", "image_mean", [0.5]),
            "presets.demo.model.image_mean: [0.5] is not allowed; it must have entries, at least 3",
        ),
        (
            put(*DEMO, "based_on", "papr"),
            "presets.demo.based_on: unknown preset 'papr' (did you mean 'paper'?); "
            "known: low_data, paper",
        ),
        (
            put("presets", "mine", {"training": {"epochs": 3}}),
            "presets.mine.model: is missing (give it, or a preset with it as based_on)",
        ),
        (
            put("presets", "My preset", {"based_on": "demo"}),
            "presets: 'My preset' is not allowed; it must be text that matches ^[a-z][a-z0-9_-]*$",
        ),
        (
            put(*ICONS, "kind", "pictures"),
            "datasets.icons.kind: unknown kind of data set 'pictures'; known: cifar100, coco, cub",
        ),
        (
            put(*ICONS, "preset", "dem"),
            "datasets.icons.preset: unknown preset 'dem' (did you mean 'demo'?); "
            "known: demo, low_data, paper",
        ),
        (
            put(*ICONS, "targets", [3, 3]),
            "datasets.icons.targets: 3 is given more than once",
        ),
        (
            put(*ICONS, "targets", [101]),
            "datasets.icons.targets: unknown task 101; known: 1, 3, 17, 19",
        ),
        (
            put(*ICONS, "tasks", [0, 1]),
            "datasets.icons.tasks: [0, 1] is not allowed; it must be all, a list of ids from",
        ),
        (
            put(*ICONS, "candidates", [1, 103]),
            "datasets.icons.candidates: unknown task or joint id 103; known: 1, 3, 17, 19, 101,",
        ),
        (
            put(*ICONS, "candidates", [3]),
            "datasets.icons.candidates: the target 3 has no candidate, as its own network is none",
        ),
        (
            put(*ICONS, "joint", 101, {"name": "some", "tasks": [19, 29], "targets": [3, 19]}),
            "datasets.icons.joint.101.tasks: 19 is a target; a candidate made of a target's own"
            " samples would know them all",
        ),
        (
            put(*ICONS, "joint", 101, "targets", [16]),
            "datasets.icons.joint.101.targets: unknown task 16; known: 1, 3, 17, 19",
        ),
        (
            put(*ICONS, "joint", 101, "targets", "3-1"),
            "datasets.icons.joint.101.targets: '3-1' is not allowed; a range must ascend",
        ),
        (
            put(*ICONS, "joint", 101, "tasks", [29, 102]),
            "datasets.icons.joint.101.tasks: 102 is joint itself; give single tasks",
        ),
        (
            put(*ICONS, "joint", 3, {"name": "three", "tasks": [29]}),
            "datasets.icons.joint.3: is a task's id; a joint network needs an id of its own",
        ),
        (
            put(*ICONS, "joint", "all", {"name": "all", "tasks": [29]}),
            "datasets.icons.joint: 'all' is not allowed; it must be an id from 1, of at most",
        ),
        (
            put(*ICONS, "tasks", "5-1"),
            "datasets.icons.tasks: '5-1' is not allowed; a range must ascend",
        ),
        (
            put(*ICONS, "tasks", ["1-5", 3]),
            "datasets.icons.tasks: 3 is given more than once",
        ),
        (
            put(*ICONS, "tasks", "some"),
            "datasets.icons.tasks: 'some' is not allowed; it must be all, a list of ids from 1",
        ),
        (
            put(*ICONS, "targets", "al"),
            "datasets.icons.targets: 'al' is not allowed; it must be all, a list of ids from 1",
        ),
        (
            put("datasets", "cub", CUB | {"urls": {"a.tgz": "ftp://example.org/a.tgz"}}),
            "datasets.cub.urls.a.tgz: 'ftp://example.org/a.tgz' is not allowed; it must be an",
        ),
        (
            put(*ICONS, "groups", 3),
            "datasets.icons.groups: is not for a data set of kind icons; remove it",
        ),
        (
            put("datasets", "cub", CUB | {"urls": {"CUB.tgz": "https://example.org/a.tgz"}}),
            "datasets.cub.urls: unknown file 'CUB.tgz'",
        ),
        (
            put("datasets", "cub", CUB | {"preset": "demo", "text_length": 128}),
            "datasets.cub.text_length: 128 is not allowed; it must be at most "
            "presets.demo.model.max_tokens = 64",
        ),
        (
            put("datasets", "cub", CUB | {"kind": "folder"}),
            "datasets.cub.raw: is missing; a data set of kind folder is in a folder",
        ),
        (
            put("datasets", "cub", CUB | {"test_fraction": 0.9}),
            "datasets.cub.test_fraction: 0.9 is not allowed; with validation_fraction = 0.15",
        ),
        (
            put(*ICONS, "train_per_class", 0),
            "datasets.icons.train_per_class: 0 is not allowed; it must be at least 1",
        ),
        (
            put(*ICONS, "study", STUDY | {"sizes": {5: SIZE | {"candidates": ["1-2", 101]}}}),
            "datasets.icons.study.sizes.5.candidates: unknown candidate 2; known: 1, 17, 101, 102",
        ),
        (
            put(*ICONS, "study", STUDY | {"sizes": {"all": SIZE | {"controls": {"fresh": [17]}}}}),
            "datasets.icons.study.sizes.all.controls.fresh: unknown candidate 17; known: 1, 101",
        ),
        (
            put(*ICONS, "study", STUDY | {"sizes": {5: SIZE | {"controls": {"random": [101]}}}}),
            "datasets.icons.study.sizes.5.controls.random: unknown key 'random'; known: shuffled",
        ),
        (
            put(*ICONS, "study", STUDY | {"sizes": {"few": SIZE}}),
            "datasets.icons.study.sizes: 'few' is not allowed; it must be a number of training",
        ),
        (
            put(*ICONS, "study", STUDY | {"sizes": {5: SIZE | {"candidates": "3-1"}}}),
            "datasets.icons.study.sizes.5.candidates: '3-1' is not allowed; a range must ascend",
        ),
        (
            put(*ICONS, "study", STUDY | {"seeds": [2]}),
            "datasets.icons.study.seeds: 2 is not allowed; it is the experiment's own seed",
        ),
        (
            put(*ICONS, "study", 3),
            "datasets.icons.study: 3 is not allowed; it must be keys with their values",
        ),
    ],
)
def test_a_mistake_is_named_with_its_path_its_value_and_what_was_allowed(
    config: Config, change: Callable[[Config], None], problem: str
) -> None:
    change(config)
    assert problems(config)[0].startswith(problem)


@pytest.mark.parametrize("key", ["seed", "device", "run", "presets", "datasets"])
def test_a_missing_key_is_named(config: Config, key: str) -> None:
    del config[key]
    assert problems(config) == [f"{key}: is missing"]


def test_presets_based_on_each_other_are_refused(config: Config) -> None:
    config["presets"]["a"] = {"based_on": "b"}
    config["presets"]["b"] = {"based_on": "a"}
    assert sorted(line.split(":")[0] for line in problems(config)) == [
        "presets.a.based_on",
        "presets.b.based_on",
    ]


def test_a_mistake_hides_no_other(config: Config) -> None:
    icons = config["datasets"]["icons"]
    icons |= {"train_per_class": 0, "test_fraction": 3, "targetz": 1, "joint": {"x": 1, 101: {}}}
    icons["study"] = STUDY | {"sizes": {5: SIZE | {"controls": {"freh": [1], "shufled": [1]}}}}
    config["datasets"]["birds"] = {"kind": "bird", "preset": "demo", "targetz": [1]}
    config["presets"]["a"] = {"based_on": "b", "training": {"epochs": 0}}
    config["presets"]["b"] = 7
    paths = {line.partition(":")[0] for line in problems(config)}
    assert paths == {
        "presets.a.training.epochs",
        "presets.b",
        "datasets.icons.targetz",
        "datasets.icons.train_per_class",
        "datasets.icons.test_fraction",
        "datasets.icons.joint",
        "datasets.icons.joint.101.name",
        "datasets.icons.joint.101.tasks",
        "datasets.icons.study.sizes.5.controls.freh",
        "datasets.icons.study.sizes.5.controls.shufled",
        "datasets.birds.kind",
        "datasets.birds.targetz",
    }


def test_a_blank_section_is_one_mistake(config: Config) -> None:
    config["presets"]["demo"]["training"] = None
    assert problems(config) == [
        "presets.demo.training: null is not allowed; it must be keys with their values"
    ]


def test_many_tasks_are_checked_in_a_moment(config: Config) -> None:
    icons = {"tasks": "1-9999", "targets": "all", "candidates": "all", "joint": {}}
    config["datasets"]["icons"] |= icons
    assert len(load_settings(config).datasets["icons"].targets) == 9999


def test_what_goes_in_a_circle_is_written_out(config: Config) -> None:
    config["presets"]["a"] = {"based_on": "b"}
    config["presets"]["b"] = {"based_on": "a"}
    assert problems(config)[0] == (
        "presets.b.based_on: 'a' is not allowed; it leads in a circle: a -> b -> a"
    )


def test_long_lists_are_cut_in_messages(config: Config) -> None:
    config["datasets"]["icons"] |= {"tasks": "1-5000", "targets": "5001-9999", "candidates": [1]}
    assert max(map(len, problems(config))) < 600


def test_all_mistakes_are_listed_at_once(config: Config) -> None:
    del config["seed"]
    config["presets"]["demo"]["training"] |= {"epochs": 0, "lr": 0.1}
    config["datasets"]["icons"]["candidate"] = [3]
    assert [line.split(":")[0] for line in problems(config)] == [
        "seed",
        "presets.demo.training.epochs",
        "presets.demo.training.lr",
        "datasets.icons.candidate",
    ]


def test_presets_one_on_another_without_end_are_refused(config: Config) -> None:
    for number in range(3000):
        base = f"p{number - 1}" if number else "demo"
        config["presets"][f"p{number}"] = {"based_on": base}
    found = problems(config)
    assert len(found) == 3000 - 20
    assert found[-1].startswith("presets.p2999.based_on: more than 20 presets one on another")


@pytest.mark.parametrize("written", [30, 30.0, "30", "3e1", "30.0"])
def test_a_whole_number_may_be_written_in_any_way(config: Config, written: object) -> None:
    config["presets"]["demo"]["training"]["epochs"] = written
    assert repr(load_settings(config).datasets["icons"].preset.training.epochs) == "30"


@pytest.mark.parametrize("text", ["2024", "1e3", "true"])
def test_a_text_that_spells_a_number_stays_a_text(config: Config, text: str) -> None:
    config["datasets"]["icons"]["raw"] = text
    assert load_settings(config).datasets["icons"].dataset.raw == text


def test_a_mistake_of_a_base_is_told_once_where_it_stands(config: Config) -> None:
    config["presets"]["demo"]["training"]["epochs"] = 0
    config["presets"]["short"] = {"based_on": "demo", "training": {"batch_size": -1}}
    assert [problem.partition(":")[0] for problem in problems(config)] == [
        "presets.demo.training.epochs",
        "presets.short.training.batch_size",
    ]


def test_an_empty_configuration_is_refused() -> None:
    assert len(problems({})) == 5


@pytest.mark.parametrize("value", [None, 3, "a", [1]])
def test_a_configuration_without_keys_is_refused(value: Any) -> None:
    expected = "the configuration: .* is not allowed; it must be keys with their values"
    with pytest.raises(ValueError, match=expected):
        load_settings(value)


def test_settings_are_read_without_heavy_libraries() -> None:
    """Snakemake has pandas and NumPy loaded anyway; torch takes two seconds in each of its jobs."""
    code = (
        "import sys, yaml; from crossback_core.config import load_settings;"
        f"load_settings(yaml.safe_load(open({str(CONFIG)!r})));"
        "print(sorted({'torch', 'scipy', 'transformers', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_settings_compare_by_value(config: Config) -> None:
    icons = load_settings(config).datasets["icons"]
    assert isinstance(icons, Experiment) and isinstance(icons.preset, Preset)
    assert icons.joint[101] == JointTask("both", (29, 30))
    assert icons == load_settings(config).datasets["icons"]
