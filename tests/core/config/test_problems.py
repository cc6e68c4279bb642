"""A mistake is told with its path, its value and what is allowed."""

import re
from itertools import pairwise
from typing import Any

import pytest
import yaml
from given import Config

from crossback_core.config import load_settings
from crossback_core.selection.scores import SCORES
from crossback_core.wording import check_task_name


def problems(config: Config) -> list[str]:
    """Return what is wrong with a configuration, a line each."""
    with pytest.raises(ValueError, match=r"^The configuration has \d+ problem") as caught:
        load_settings(config)
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


def paths(config: Config) -> list[str]:
    return [line.partition(":")[0] for line in problems(config)]


def put(config: Config, path: str, value: Any) -> None:
    *keys, last = [int(key) if key.isdigit() else key for key in path.split(".")]
    for key in keys:
        config = config[key]
    config[last] = value


# What a configuration would say, and below it the one line that it is refused with, or its start.
MISTAKES = """
seeds: 3
    seeds: unknown key 'seeds' (did you mean 'seed'?); known: seed, device, run, datasets, presets, tracker
seed: -1
    seed: -1 is not allowed; it must be at least 0
seed: two
    seed: 'two' is not allowed; it must be an integer
device: gpu
    device: 'gpu' is not allowed; one of auto, cpu, cuda
run: []
    run: [] is not allowed; it must have entries, at least 1
run: [cub]
    run: unknown data set 'cub'; known: icons
run: [1]
    run.0: 1 is not allowed; it must be text: write it in quotes
run: ["a\\nb"]
    run.0: 'a\\nb' is not allowed; it must be text without control characters

presets.My preset: {based_on: demo}
    presets: 'My preset' is not allowed; it must be text that matches ^[a-z][a-z0-9_-]*$
presets.demo.based_on: [demo]
    presets.demo.based_on: ['demo'] is not allowed; it must be a preset's name
presets.demo.based_on: papr
    presets.demo.based_on: unknown preset 'papr' (did you mean 'paper'?); known: low_data, quick, paper
presets.demo.training: null
    presets.demo.training: null is not allowed; it must be keys with their values
presets.demo.training.epochs: 0
    presets.demo.training.epochs: 0 is not allowed; it must be at least 1
presets.demo.training.epochs: 1.5
    presets.demo.training.epochs: 1.5 is not allowed; it must be an integer
presets.demo.training.epochs: .inf
    presets.demo.training.epochs: inf is not allowed; it must be an integer
presets.demo.training.flip: 1
    presets.demo.training.flip: 1 is not allowed; it must be true or false
presets.demo.training.learning_rate: .nan
    presets.demo.training.learning_rate: nan is not allowed; it must be a finite number
presets.demo.training.learning_rate: 0
    presets.demo.training.learning_rate: 0 is not allowed; it must be above 0
presets.demo.training.optimizer: adam
    presets.demo.training.optimizer: 'adam' is not allowed; one of adamw, sgd (did you mean...
presets.demo.training.milestones: [0.8, 0.5]
    presets.demo.training.milestones: [0.8, 0.5] is not allowed; it must ascend
presets.demo.pruning.sparsities: [0.7, 0.5]
    presets.demo.pruning.sparsities: [0.7, 0.5] is not allowed; it must ascend
presets.demo.pruning.sparsities: [0.5, 1.0]
    presets.demo.pruning.sparsities.1: 1.0 is not allowed; it must be below 1
presets.mine: {based_on: demo, pruning: {epochs: 5, ramp_epochs: 999}}
    presets.mine.pruning.ramp_epochs: 999 is not allowed; it must be at most pruning.epochs = 5
presets.demo.model.image_mean: [0.5]
    presets.demo.model.image_mean: [0.5] is not allowed; it must have entries, at least 3
presets.demo.selection.score: null
    presets.demo.selection.score: null is not allowed; one of ddv_euclidean, ddv_cosine...
presets.demo.target.width_step: 1.0e-9
    presets.demo.target.width_step: 1e-09 is not allowed; it must be at least 0.01

datasets.icons.kind: pictures
    datasets.icons.kind: unknown kind of data set 'pictures'; known: cifar100, cub, folder...
datasets.icons.preset: dem
    datasets.icons.preset: unknown preset 'dem' (did you mean 'demo'?); known: demo, low_data, quick, paper
datasets.icons.raw: 2024
    datasets.icons.raw: 2024 is not allowed; it must be text: write it in quotes
datasets.icons.groups: 3
    datasets.icons.groups: is not for a data set of kind icons; remove it
datasets.icons.urls: {}
    datasets.icons.urls: is not for a data set of kind icons; remove it
datasets.icons.targets: null
    datasets.icons.targets: null is not allowed; it must be all, a list of ids, which are names or
    numbers from 1, or a range such as 1-56
datasets.icons.targets: [99, -1, "\u0663", 1.5, 17-, all]
    datasets.icons.targets: [99, -1, '\u0663', 1.5, '17-', 'all'] is not allowed; it must be all, a
    list of ids, which are names or numbers from 1, or a range such as 1-56, not -1, '\u0663', 1.5,
    '17-', 'all'
datasets.icons.targets: [a/b]
    datasets.icons.targets: ['a/b'] is not allowed; task 'a/b' has the character '/' (U+002F):
    rename it; the names of tasks become names of files, and have letters, digits and _ - . +
datasets.icons.targets: [101]
    datasets.icons.targets: unknown task '101'; known: 1, 3, 17, 19
datasets.icons.targets: [image-animals]
    datasets.icons.targets: unknown task 'image-animals'; known: 1, 3, 17, 19
datasets.icons.tasks: [1, 3, 17, 19, 48]
    datasets.icons.tasks: unknown task '48'; known: 1, 2, 3...
datasets.icons.joint.101.tasks: [29, 101-102, kitchen]
    datasets.icons.tasks: unknown task 'kitchen'; known: 1, 2, 3...
datasets.icons.tasks: [1-5, 3]
    datasets.icons.tasks: 3 is given more than once
datasets.icons.tasks: 5-1
    datasets.icons.tasks: '5-1' is not allowed; a range must ascend
datasets.icons.tasks: [0, 1]
    datasets.icons.tasks: [0, 1] is not allowed; it must be all, a list of ids, which are names
    or numbers from 1, or a range such as 1-56, not 0
datasets.icons.tasks: [1-9999, 1-9999, 1-9999]
    datasets.icons.tasks: ['1-9999', '1-9999', '1-9999'] is not allowed; it must be at most 20000...
datasets.icons.candidates: [1, 103]
    datasets.icons.candidates: unknown task or joint id '103'; known: 1, 3, 17, 19, 101, 102
datasets.icons.candidates: [3]
    datasets.icons.candidates: the target 3 has no candidate, as its own network is none, nor is a
    joint one that was trained on it or names other targets; add others
datasets.icons.joint.101: {name: some, tasks: [19, 29], targets: [3, 19]}
datasets.icons.candidates: [19, 101]
    datasets.icons.candidates: the target 19 has no candidate, as its own network is none, nor is a
    joint one that was trained on it or names other targets; add others
datasets.icons.joint.101.targets: [16]
    datasets.icons.joint.101.targets: unknown task '16'; known: 1, 3, 17, 19
datasets.icons.joint.101.tasks: [29, 102]
    datasets.icons.joint.101.tasks: 102 is joint itself; give single tasks
datasets.icons.joint.101.tasks: all
    datasets.icons.joint.101.tasks: 'all' is not allowed; it must be a list of ids...
datasets.icons.joint.3: {name: three, tasks: [29]}
    datasets.icons.joint.3: is a task's id; a joint network needs an id of its own
datasets.icons.joint.all: {name: all, tasks: [29]}
    datasets.icons.joint: 'all' is not allowed; it must be one id: a name, or a number from 1 of at
    most nine digits
datasets.icons.joint: {both: {name: two, tasks: [29, 30]}, "both ": {name: two, tasks: [39, 40]}}
    datasets.icons.joint...
datasets.icons.joint: {7-9: {name: three, tasks: [29]}}
    datasets.icons.joint: '7-9' is not allowed; it must be one id: a name, or a number...

datasets.cub: {kind: cub, preset: paper, groups: 2, tasks: 1-5}
    datasets.cub.tasks: unknown task '5'; known: 1, 2, 3, 4
datasets.cub: {kind: mscoco, preset: paper, groups: 50}
    datasets.cub.groups: 50 is not allowed; it must be at most 15
datasets.cub: {kind: cub, preset: paper, urls: {CUB_200_2011.tgz: "ftp://example.org/a.tgz"}}
    datasets.cub.urls.CUB_200_2011.tgz: 'ftp://example.org/a.tgz' is not allowed; it must be an http
    or https address; its end may be '#md5=...' or '#sha256=...'
datasets.cub: {kind: cub, preset: paper, urls: {CUB.tgz: "https://example.org/a.tgz"}}
    datasets.cub.urls: unknown file 'CUB.tgz'...
datasets.cub: {kind: cub, preset: demo, text_length: 128}
    datasets.cub.text_length: 128 is not allowed; it must be at most
    presets.demo.model.max_tokens = 64
datasets.cub: {kind: folder, preset: demo, tasks: [1, 2]}
    datasets.cub.raw: is missing; a data set of kind folder is in a folder, not downloaded
datasets.cub: {kind: folder, preset: demo, raw: mine}
run: [icons, cub]
    datasets.cub.raw: mine is not a folder
datasets.cub: {kind: icons, preset: demo, raw: mine, tasks: all}
    datasets.cub.tasks: 'all' is not allowed where the data decide how many tasks there are and are
    not there yet; give a list of ids, or a range such as 1-4
datasets.cub: {kind: cub, preset: paper, test_fraction: 0.85}
    datasets.cub.test_fraction: 0.85 is not allowed; with validation_fraction = 0.15 nothing is left
    to train on

datasets.icons.study: {seeds: [1, 2], sizes: {5: {candidates: [1]}}}
    datasets.icons.study.seeds: 2 is not allowed; it is the experiment's own seed...
datasets.icons.study: {seeds: [1], sizes: {few: {candidates: [1]}}}
    datasets.icons.study.sizes: 'few' is not allowed; it must be a number of training samples per
    class, or all
datasets.icons.study: {seeds: [1], sizes: {5: {candidates: [1-2, 101]}}}
    datasets.icons.study.sizes.5.candidates: unknown candidate '2'; known: 1, 17, 101, 102
datasets.icons.study: {seeds: [1], sizes: {all: {candidates: [1], controls: {fresh: [17]}}}}
    datasets.icons.study.sizes.all.controls.fresh: unknown candidate '17'; known: 1
datasets.icons.study: {seeds: [1], sizes: {5: {candidates: [1], shuffled_candidates: [17]}}}
    datasets.icons.study.sizes.5.shuffled_candidates: unknown candidate '17'; known: 1
datasets.icons.study: {seeds: [1], sizes: {5: {candidates: [1], controls: {random: [1]}}}}
    datasets.icons.study.sizes.5.controls.random: unknown key 'random'; known: shuffled, fresh...
datasets.icons.study: {seeds: [1], sizes: {5: {candidates: 3-1}}}
    datasets.icons.study.sizes.5.candidates: '3-1' is not allowed; a range must ascend
datasets.icons.joint.101.targets: [19]
datasets.icons.study: {seeds: [1], sizes: {5: {candidates: all}, all: {candidates: [101]}}}
    datasets.icons.study.sizes.all.candidates: the target 3 has no candidate, as its own network...
presets.mine: {based_on: demo, target: {swap: never}}
    presets.mine.target.swap: 'never' is not allowed with selection.candidates = ...
presets.mine: {based_on: demo, selection: {score: leep_excess}}
    presets.mine.selection.minimum: 0 is not allowed with score = leep_excess, which has no zero...
presets.mine: {based_on: demo, selection: {score: knn}}
    presets.mine.selection.minimum: 0 is not allowed with score = knn, which has no zero whose...
presets.mine: {based_on: demo, target: {judged_by: folds, repeats: 1, max_width: 1}}
    presets.mine.target.repeats: 1 is not allowed with judged_by = folds; it must be 2 or more: ...
presets.mine: {based_on: demo, target: {judged_by: folds}}
    presets.mine.target.max_width: 1.5 is not allowed with judged_by = folds, which leave...
presets.mine: {based_on: demo, target: {pick_initial: 0.5, pick_threshold: 0.5}}
    presets.mine.target.pick_initial: 0.5 is not allowed; it must be above pick_threshold = 0.5, ...
presets.demo.selection.candidates: same_modal
presets.demo.target.swap: never
datasets.icons.study: {seeds: [1], sizes: {5: {candidates: all}}}
    datasets.icons.study: target.swap = never of its preset is not allowed with a study, which...

presets.demo.model.heads: 1
presets.demo.model.cross_heads: {wrong: beside it}
presets.demo.selection.metric: luck
presets.demo.training.epochs: a problem that is told later
    presets.demo.model.heads: is called attention_heads now; rename it
    presets.demo.model.cross_heads: is called cross_attention_heads now; rename it
    presets.demo.selection.metric: is called score now; rename it
datasets.birds: {kind: coco, preset: none, groups: 99}
    datasets.birds.kind: coco is called mscoco now; rename it
datasets.icons.wide: {101: {}}
    datasets.icons.wide: is called joint now; rename it
presets.demo.selection.score: probe
    presets.demo.selection.score: 'probe' is not allowed; it is called linear_classifier now...
"""  # noqa: E501
CASES = re.findall(r"((?:^\S.*\n)+)((?:^    .*\n)+)", MISTAKES, re.MULTILINE)


@pytest.mark.parametrize(("changes", "message"), CASES, ids=[case[0].strip() for case in CASES])
def test_a_mistake_is_told(config: Config, changes: str, message: str) -> None:
    for change in changes.splitlines():
        path, _, value = change.partition(": ")
        put(config, path, yaml.safe_load(value))
    found = " ".join(problems(config))
    told = " ".join(message.split())
    assert found == told or (told.endswith("...") and found.startswith(told[:-3].rstrip()))


def test_numbers_without_end_are_not_written_out(config: Config) -> None:
    config["seed"] = 10**400
    config["presets"]["demo"]["training"]["learning_rate"] = 10**400
    assert problems(config) == [
        "seed: a number of very many digits is not allowed; it must be at most 4294967295",
        "presets.demo.training.learning_rate: inf is not allowed; it must be a finite number",
    ]


def test_a_score_is_one_that_there_is(config: Config) -> None:
    config["presets"]["demo"]["selection"]["score"] = "luck"
    path = "presets.demo.selection.score: 'luck' is not allowed"
    assert problems(config) == [f"{path}; one of {', '.join(SCORES)}"]


def test_an_empty_configuration_lacks_all_keys() -> None:
    keys = ("seed", "device", "run", "datasets", "presets")
    assert problems({}) == [f"{key}: is missing" for key in keys]


@pytest.mark.parametrize("value", [None, 3, [1]])
def test_a_configuration_without_keys_is_refused(value: Any) -> None:
    (found,) = problems(value)
    assert found.startswith("the configuration: ")
    assert found.endswith("is not allowed; it must be keys with their values")


def test_a_mistake_hides_no_other(config: Config) -> None:
    icons = config["datasets"]["icons"]
    icons |= {
        "train_per_class": 0,
        "test_fraction": 3,
        "targetz": 1,
        "joint": {0: 1, "x": 1, 101: {}},
    }
    controls = {"freh": [1], "shufled": [1]}
    icons["study"] = {"seeds": [11], "sizes": {5: {"candidates": [1], "controls": controls}}}
    config["datasets"]["birds"] = {"kind": "bird", "preset": "demo", "targetz": [1]}
    config["presets"]["a"] = {"based_on": "b", "training": {"epochs": 0, "lr": 0.1}}
    config["presets"]["b"] = 7
    del config["seed"]
    assert sorted(paths(config)) == [
        "datasets.birds.kind",
        "datasets.birds.targetz",
        "datasets.icons.joint",
        "datasets.icons.joint.101.name",
        "datasets.icons.joint.101.tasks",
        "datasets.icons.joint.x",
        "datasets.icons.study.sizes.5.controls.freh",
        "datasets.icons.study.sizes.5.controls.shufled",
        "datasets.icons.targetz",
        "datasets.icons.test_fraction",
        "datasets.icons.train_per_class",
        "presets.a.training.epochs",
        "presets.a.training.lr",
        "presets.b",
        "seed",
    ]


def test_a_mistake_of_a_base_is_told_once_where_it_stands(config: Config) -> None:
    config["presets"]["demo"]["training"]["epochs"] = 0
    config["presets"]["short"] = {"based_on": "demo", "training": {"batch_size": -1}}
    assert paths(config) == ["presets.demo.training.epochs", "presets.short.training.batch_size"]


def test_presets_in_a_circle_are_refused(config: Config) -> None:
    config["presets"] |= {"a": {"based_on": "b"}, "b": {"based_on": "a"}}
    allowed = "is not allowed; it leads in a circle"
    assert problems(config) == [
        f"presets.b.based_on: 'a' {allowed}: a -> b -> a",
        f"presets.a.based_on: 'b' {allowed}: b -> a -> b",
    ]


def test_presets_one_on_another_without_end_are_refused(config: Config) -> None:
    chain = ["demo", *(f"p{number}" for number in range(30))]
    config["presets"] |= {name: {"based_on": base} for base, name in pairwise(chain)}
    found = problems(config)
    assert len(found) == 30 - 20
    assert found[-1].startswith("presets.p29.based_on: more than 20 presets one on another")


def test_long_lists_are_cut_in_messages(config: Config) -> None:
    config["datasets"]["icons"] |= {"tasks": "1-5000", "targets": "5001-9999", "candidates": [1]}
    assert max(map(len, problems(config))) < 600


@pytest.mark.parametrize("name", [" lead", "trail ", "soft\u00adhyphen", "\u200fשלום", 1001 * "x"])
def test_the_name_of_a_joint_network_is_one_that_its_files_can_hold(
    config: Config, name: str
) -> None:
    config["datasets"]["icons"]["joint"][101]["name"] = name
    with pytest.raises(ValueError, match="joint.101.name: .* is not allowed; it must be text with"):
        load_settings(config)
    with pytest.raises(ValueError, match="which is no name: give text without control characters"):
        check_task_name(name)
