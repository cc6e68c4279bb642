"""What settings a configuration means."""

import subprocess
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml
from given import CONFIG, STUDY, Config

from crossback_core.config import Experiment, JointTask, load_settings
from crossback_core.data.kinds.icons import IconsSettings
from crossback_core.selection.settings import ProbeSettings
from crossback_core.study.settings import StudySettings, StudySize


def icons_of(config: Config) -> Experiment:
    return load_settings(config).datasets["icons"]


def ids(first: int, last: int) -> tuple[str, ...]:
    return tuple(map(str, range(first, last + 1)))


# what is shipped


def test_the_shipped_configuration_is_the_experiment_it_promises(shipped: Config) -> None:
    icons = icons_of(shipped)
    images, texts = {*ids(1, 14)}, {*ids(15, 28)}
    for modality in (images, texts):
        assert len(modality & {*icons.tasks}) >= 3
        assert len(modality & {*icons.targets}) >= 2
        assert modality & {*icons.candidates}
    assert {"101", "102"} <= {*icons.candidates}
    assert icons.members("101") == ids(29, 38)
    assert icons.members("102") == ids(39, 47)
    assert icons.train_per_class == 10
    assert icons.downloads == ()
    assert icons.dataset == IconsSettings(kind="icons", raw="data/icons", test_fraction=0.4)


def test_networks_of_families_differ_in_nothing_but_what_they_know_of(shipped: Config) -> None:
    """Else a static rule could win: the most classes, or the network of the target itself."""
    families = load_settings(shipped).datasets["icons_families"]
    members = [task for network in families.joint.values() for task in network.tasks]
    assert len(set(members)) == len(members)
    assert not set(members) & set(families.targets)
    assert {len(network.tasks) for network in families.joint.values()} == {3}
    images = {*ids(1, 14), *ids(29, 38)}
    of_images = [len(images & {*network.tasks}) for network in families.joint.values()]
    assert Counter(of_images) == {3: 6, 0: 6}


@pytest.mark.parametrize(
    ("name", "tasks", "files"),
    [("cub", 56, 2), ("mscoco", 30, 3), ("oxford", 12, 3), ("cifar100", 20, 1)],
)
def test_the_published_data_sets_are_configured(
    shipped: Config, name: str, tasks: int, files: int
) -> None:
    experiment = load_settings(shipped).datasets[name]
    assert experiment.tasks == experiment.targets == experiment.candidates == ids(1, tasks)
    assert len(experiment.downloads) == files
    assert experiment.dataset.raw == f"resources/{name}/raw"


def test_kinds_have_the_published_sizes(shipped: Config) -> None:
    datasets: Any = {key: each.dataset for key, each in load_settings(shipped).datasets.items()}
    cub = datasets["cub"]
    assert (cub.groups, cub.classes_per_group, cub.samples_per_class) == (28, 5, 60)
    assert (cub.image_size, cub.encoder, cub.text_length) == (224, "bert-base-uncased", 128)
    assert datasets["mscoco"].image_size == datasets["oxford"].image_size == 64
    assert (datasets["icons"].test_fraction, datasets["icons"].validation_fraction) == (0.4, 0.2)


def test_the_paper_preset_holds_the_published_hyperparameters(config: Config) -> None:
    config["datasets"]["icons"]["preset"] = "paper"
    paper = icons_of(config).preset
    model, training, pruning = paper.model, paper.training, paper.pruning
    assert (model.latents, model.latent_dim, model.blocks) == (256, 512, 3)
    assert (model.attention_heads, model.head_dim, model.feedforward_factor) == (8, 64, 4)
    assert (training.optimizer, training.learning_rate, training.epochs) == ("sgd", 0.01, 100)
    assert (training.milestones, training.gamma, training.weight_decay) == ((0.5, 0.8), 0.1, 4e-5)
    assert pruning.sparsities == (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
    assert (pruning.epochs, pruning.ramp_epochs, pruning.update_every) == (20, 4, 10)
    assert (pruning.allowed_loss, paper.target.max_width, config["seed"]) == (0.001, 2.0, 2)


# data sets


def test_a_ramp_may_take_its_whole_level(config: Config) -> None:
    config["presets"]["demo"]["pruning"] |= {"epochs": 5, "ramp_epochs": 5}
    assert load_settings(config).datasets["icons"].preset.pruning.ramp_epochs == 5


def test_what_is_read_alone_does_not_determine_the_index(shipped: Config) -> None:
    """Nor does the place of the raw data: what lies there decides."""
    cub = load_settings(shipped).datasets["cub"].dataset
    by_images = {"image_size"}
    by_texts = {"encoder", "representation", "text_length"}
    decisive = {key: value for key, value in asdict(cub).items() if key != "raw"}
    assert cub.determining("image", "text") == decisive
    assert decisive.keys() - cub.determining().keys() == by_images | by_texts
    assert decisive.keys() - cub.determining("image").keys() == by_texts


def test_ids_tell_the_modality_where_groups_are_numbered(shipped: Config) -> None:
    shipped["datasets"]["cub"]["joint"] = {"101": {"name": "texts", "tasks": [55, 56]}}
    shipped["datasets"]["cub"]["targets"] = [1]
    datasets = load_settings(shipped).datasets
    found = {id_: datasets["cub"].modalities(id_) for id_ in ("9", "28", "29", "101")}
    assert found == {"9": ("image",), "28": ("image",), "29": ("text",), "101": ("text",)}
    assert datasets["cifar100"].modalities("20") == ("image",)
    assert datasets["icons"].modalities("1") == ("image", "text")


def test_a_smaller_copy_of_a_published_data_set_says_its_sizes_alone(config: Config) -> None:
    """Tasks are as many as its groups make, and texts as long as the preset's network reads."""
    config["datasets"]["cub"] = {"kind": "cub", "preset": "demo", "raw": "small", "groups": 2}
    cub: Any = load_settings(config).datasets["cub"]
    assert cub.tasks == cub.targets == cub.candidates == ("1", "2", "3", "4")
    assert [cub.modalities(task) for task in cub.tasks] == [("image",)] * 2 + [("text",)] * 2
    assert cub.dataset.text_length == cub.preset.model.max_tokens == 64
    assert cub.dataset.raw == "small"
    assert cub.downloads == (), "a folder has the data"


def test_an_address_can_be_replaced(config: Config) -> None:
    urls = {"CUB_200_2011.tgz": "https://example.org/a.tgz"}
    config["datasets"]["cub"] = {"kind": "cub", "preset": "demo", "urls": urls}
    first, second = load_settings(config).datasets["cub"].downloads
    assert first.url == "https://example.org/a.tgz" and first.checksum is not None
    assert first.page == "https://data.caltech.edu/records/65de6-vp158"
    assert second.url.startswith("https://drive.usercontent.google.com/")
    urls["CUB_200_2011.tgz"] += "#md5=" + "0" * 32
    other = load_settings(config).datasets["cub"].downloads[0]
    assert (other.page, other.checksum) == ("https://example.org/a.tgz", "md5:" + "0" * 32)


def test_ranges_and_all_are_written_out(config: Config) -> None:
    config["datasets"]["icons"] |= {"tasks": ["1-3", 17, "19-20"], "targets": "all"}
    config["datasets"]["icons"]["candidates"] = "all"
    config["datasets"]["icons"]["joint"][101]["tasks"] = "29-31"
    icons = icons_of(config)
    assert icons.tasks == icons.targets == ("1", "2", "3", "17", "19", "20")
    assert icons.candidates == (*icons.tasks, "101", "102")
    assert icons.members("101") == ("29", "30", "31")


def test_all_tasks_are_those_of_the_data_where_they_are_there(config: Config) -> None:
    config["datasets"]["icons"] |= {"tasks": "all", "targets": "all"}
    icons = icons_of(config)
    assert icons.tasks == icons.targets == ids(1, 47)
    del config["datasets"]["icons"]["tasks"]
    assert icons_of(config) == icons, "all is what stands for nothing said"


def test_a_folder_names_its_tasks(config: Config, tmp_path: Path) -> None:
    """By modality and name; the numbers of published data and names may stand side by side."""
    for place in ("texts/kitchen/pan/1.txt", "images/animals/cat/1.jpg", "images/b.1/x/1.png"):
        (tmp_path / place).parent.mkdir(parents=True)
        (tmp_path / place).touch()
    mine = {"kind": "folder", "preset": "demo", "raw": str(tmp_path), "targets": ["text-kitchen"]}
    mine["joint"] = {"all-pictures": {"name": "both", "tasks": ["image-animals", "image-b.1"]}}
    config["datasets"]["mine"] = mine
    experiment = load_settings(config).datasets["mine"]
    assert experiment.tasks == ("image-animals", "image-b.1", "text-kitchen")
    assert experiment.networks == (*experiment.tasks, "all-pictures")
    assert experiment.candidates_of("text-kitchen") == (
        "image-animals",
        "image-b.1",
        "all-pictures",
    )
    assert experiment.candidates_of("image-animals") == ("image-b.1", "text-kitchen")
    found = {id_: experiment.modalities(id_) for id_ in experiment.networks}
    assert found["image-b.1"] == found["all-pictures"] == ("image",)
    assert found["text-kitchen"] == ("text",)


def test_what_is_indexed_are_tasks_and_members_of_joint_networks(config: Config) -> None:
    config["datasets"]["icons"]["joint"][102]["tasks"] = [17, 39]
    assert icons_of(config).indexed == ("1", "3", "17", "19", "29", "30", "39")


def test_many_tasks_are_checked_in_a_moment(config: Config) -> None:
    every = {"tasks": "1-9999", "targets": "all", "candidates": "all", "joint": {}}
    config["datasets"]["icons"] |= every | {"raw": "not/there/yet"}
    assert len(icons_of(config).targets) == 9999


def test_train_per_class_is_for_targets_alone(config: Config) -> None:
    icons = icons_of(config)
    assert [icons.training_samples(id_) for id_ in ("3", "1", "101")] == [10, None, None]
    del config["datasets"]["icons"]["train_per_class"]
    assert icons_of(config).training_samples("3") is None


def test_a_target_is_no_candidate_of_its_own(config: Config) -> None:
    config["datasets"]["icons"]["candidates"] = [3, 1, 101]
    icons = icons_of(config)
    assert icons.candidates_of("3") == ("1", "101")
    assert icons.candidates_of("19") == ("3", "1", "101")
    assert (icons.excluded_for("3"), icons.excluded_for("19")) == (("3",), ())


def test_a_joint_network_serves_the_targets_that_it_names(config: Config) -> None:
    joint = config["datasets"]["icons"]["joint"]
    joint[101] |= {"tasks": [29], "targets": [17, 19]}  # no matter that 17 is no target
    icons = icons_of(config)
    assert icons.candidates_of("3") == ("1", "17", "102")
    assert icons.candidates_of("19") == ("1", "17", "101", "102")
    assert icons.excluded_for("3") == ("101",)


def test_a_joint_network_is_no_candidate_of_the_tasks_that_it_was_trained_on(
    config: Config,
) -> None:
    """It would know a target's own samples: that it names the target changes nothing."""
    joint = config["datasets"]["icons"]["joint"]
    joint[101]["tasks"] = [3, 29]
    joint[102] |= {"tasks": [19, 39], "targets": [3, 19]}
    icons = icons_of(config)
    assert icons.candidates_of("3") == ("1", "17", "102")
    assert icons.candidates_of("19") == ("1", "17", "101")
    assert icons.candidates_of("1") == ("17", "101"), "a task that is not in targets"
    assert (icons.excluded_for("3"), icons.excluded_for("19")) == (("101",), ("102",))


# studies


def test_a_study_is_read_with_plain_numbers(config: Config) -> None:
    sizes = STUDY["sizes"] | {"all": {"candidates": "all", "controls": {}}}
    config["datasets"]["icons"]["study"] = {"seeds": [11.0], "sizes": sizes}
    icons = icons_of(config)
    few = StudySize(("1", "101"), {"shuffled": ("101",)})
    assert icons.study == StudySettings((11,), {"5": few, "all": StudySize(icons.candidates, {})})
    assert repr(icons.study.seeds) == "(11,)"
    assert few.pairs == (("backbone", "1"), ("backbone", "101"), ("shuffled", "101"))


def test_shuffled_candidates_are_trained_shuffled_each_once(config: Config) -> None:
    size = {"candidates": [1, 17, 101], "controls": {"shuffled": [101]}}
    sizes = {
        5: size | {"shuffled_candidates": [17, 101]},
        10: size | {"shuffled_candidates": "all"},
    }
    config["datasets"]["icons"]["study"] = {"seeds": [11], "sizes": sizes}
    study = icons_of(config).study
    assert study is not None
    assert study.sizes["5"].pairs[3:] == (("shuffled", "101"), ("shuffled", "17"))
    assert study.sizes["10"].shuffled_candidates == ("1", "17", "101")


def test_a_key_of_the_command_line_replaces_that_of_the_file(config: Config) -> None:
    """The file's keys may be numbers; the command line's are texts, which Snakemake adds first."""
    part = {"candidates": [17, 101], "controls": {"shuffled": "all"}}
    config["datasets"]["icons"]["study"] = {"seeds": [11], "sizes": {"5": part, **STUDY["sizes"]}}
    study = icons_of(config).study
    assert study is not None
    assert study.sizes == {"5": StudySize(("17", "101"), {"shuffled": ("17", "101")})}


def test_a_study_has_no_pair_of_a_target_and_a_candidate_of_others(config: Config) -> None:
    config["datasets"]["icons"]["joint"][101]["targets"] = [19]
    config["datasets"]["icons"]["study"] = STUDY
    icons = icons_of(config)
    assert icons.pairs_of("3", "5") == (("backbone", "1"),)
    assert icons.pairs_of("19", "5") == (
        ("backbone", "1"),
        ("backbone", "101"),
        ("shuffled", "101"),
    )


# presets and values


def test_a_preset_based_on_another_changes_only_what_it_names(config: Config) -> None:
    config["presets"]["short"] = {"based_on": "demo", "training": {"epochs": 3}}
    config["presets"]["shorter"] = {"based_on": "short", "pruning": {"allowed_loss": 0.5}}
    config["datasets"]["icons"]["preset"] = "shorter"
    preset = icons_of(config).preset
    assert (preset.training.epochs, preset.training.batch_size) == (3, 32)
    assert preset.pruning.allowed_loss == 0.5


def test_settings_do_not_depend_on_how_values_are_written(config: Config) -> None:
    demo = config["presets"]["demo"]
    demo["training"] |= {"epochs": 30, "flip": True}
    expected = load_settings(config)
    assert expected.datasets["icons"].joint["101"] == JointTask("both", ("29", "30"))
    config["datasets"]["icons"]["joint"] = {
        "101": {"name": "both", "tasks": "29-30"},
        "102": {"name": "two", "tasks": ["39", 40]},
    }
    config["datasets"]["icons"] |= {"tasks": ["1", 3, "17", "19-19"], "targets": ["3", "19"]}
    demo["target"]["width_step"] = "5e-1"
    demo["training"]["flip"] = "True"
    demo["model"]["max_frequency"] = 10
    for written in (30.0, "30", "3e1", "30.0"):
        demo["training"]["epochs"] = written
        settings = load_settings(config)
        assert settings.datasets["icons"].preset == expected.datasets["icons"].preset
        assert repr(settings.datasets["icons"].preset) == repr(expected.datasets["icons"].preset)
    assert settings == expected


@pytest.mark.parametrize("text", ["2024", "1e3", "true"])
def test_a_text_that_spells_a_number_stays_a_text(config: Config, text: str) -> None:
    config["datasets"]["icons"]["raw"] = text
    assert icons_of(config).dataset.raw == text


def test_the_caller_keeps_its_configuration(config: Config) -> None:
    before = yaml.safe_dump(config)
    load_settings(config)
    assert yaml.safe_dump(config) == before


def test_probing_is_what_similarities_depend_on(config: Config) -> None:
    selection = icons_of(config).preset.selection
    expected = ProbeSettings(selection.probes, selection.mutations, selection.mutation_step)
    assert selection.probing == expected


def test_settings_are_read_without_heavy_libraries() -> None:
    """Snakemake has pandas and NumPy loaded anyway; torch takes two seconds in each of its jobs."""
    code = (
        "import sys, yaml, crossback_core.records;"
        "from crossback_core.config import load_settings;"
        f"load_settings(yaml.safe_load(open({str(CONFIG)!r})));"
        "heavy = {'torch', 'scipy', 'sklearn', 'transformers', 'matplotlib'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
