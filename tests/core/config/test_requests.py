"""What is asked for and cannot be is refused with what there is."""

from typing import Any

import pytest

from crossback_core.config import Settings, load_settings
from crossback_core.config.requests import check_requests

CELL = "results/icons/study/size_5/seed_11/target_3"


@pytest.fixture
def settings(config: dict[str, Any]) -> Settings:
    """Return settings of two data sets: one with a study, and one that is called so."""
    icons = config["datasets"]["icons"]
    config["datasets"]["study"] = icons | {}
    icons["study"] = {"seeds": [11], "sizes": {5: {"candidates": [1, 101]}}}
    icons["joint"] = icons["joint"] | {101: {"name": "both", "tasks": [29], "targets": [19]}}
    return load_settings(config)


@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        (
            "icons",
            "that is a data set: ask for results/icons/summary.csv, which makes all its targets"
            ", or for one of them, results/icons/target_ID.pt",
        ),
        (
            "results/icons/",
            "that is a data set: ask for results/icons/summary.csv, which makes all its targets"
            ", or for one of them, results/icons/target_ID.pt",
        ),
        ("results/icon/x", "unknown data set 'icon' (did you mean 'icons'?); known: icons, study"),
        ("results/exp1/my.yaml", "unknown data set 'exp1'; known: icons, study"),
        (
            "results/icons/target_101.pt",
            "unknown target '101'; known: 1, 3, 17, 19 (data set icons)",
        ),
        (
            "results/icons/study/size_5/seed_11/target_1/longer.json",
            "unknown target '1'; known: 3, 19 (data set icons)",
        ),
        (
            "results/icons/data/index/101.csv",
            "unknown task '101'; known: 1, 3, 17, 19, 29, 39, 40 (data set icons)",
        ),
        (
            "results/icons/baseline/task_x.pt",
            "unknown task 'x'; known: 1, 3, 17, 19, 101, 102 (data set icons)",
        ),
        ("results/study/study/index.csv", "data set study has no `study` in the configuration"),
        (CELL.replace("_5", "_7") + "/longer.json", "unknown size '7'; known: 5 (study of icons)"),
        (CELL.replace("11", "2") + "/longer.json", "unknown seed '2'; known: 11 (study of icons)"),
        (
            f"{CELL}/backbone_101.json",
            "unknown training 'backbone_101' (did you mean 'backbone_1'?); known: baseline,"
            " longer, backbone_1 (target 3)",
        ),
    ],
)
def test_what_the_configuration_cannot_have_is_refused(
    settings: Settings, request_: str, problem: str
) -> None:
    with pytest.raises(ValueError) as caught:
        check_requests(["study", request_], settings)
    assert str(caught.value) == f"{request_}: {problem}"


def test_what_exists_and_what_is_for_others_to_judge_pass(settings: Settings) -> None:
    known = ["icons/target_3.pt", "icons/baseline/task_101.pt", "study/target_19.pt"]
    known += ["icons/target_1.pt", "icons/data/index/29.csv", "icons/data/task_3_skipped.csv"]
    known += ["icons/backbone/task_101/pruned.pt", "icons/kv_swap/target_3.pt"]
    cells = ["baseline.json", "longer.json", "backbone_1.json", "unheard_of.csv"]
    others = ["study", "all", "results", "logs/nope/target_99.log"]
    paths = [f"results/{name}" for name in known] + [f"{CELL}/{name}" for name in cells]
    check_requests(paths + others, settings)


def test_a_target_without_a_candidate_is_refused(config: dict[str, Any]) -> None:
    """Those that are configured have one; this one is asked for."""
    config["datasets"]["icons"]["candidates"] = [1]
    settings = load_settings(config)
    with pytest.raises(ValueError, match="^results/icons/target_1.pt: .*target 1 has no candidate"):
        check_requests(["results/icons/target_1.pt"], settings)
    check_requests(["results/icons/target_17.pt", "results/icons/baseline/task_1.pt"], settings)


def test_a_folder_that_is_not_there_concerns_those_who_ask_for_it(config: dict[str, Any]) -> None:
    config["datasets"]["mine"] = {"kind": "folder", "raw": "unplugged", "preset": "demo"}
    settings = load_settings(config)
    check_requests(["results/icons/target_3.pt"], settings)
    with pytest.raises(ValueError, match="unplugged is not a folder .data set mine"):
        check_requests(["results/mine/target_image-animals.pt"], settings)


def test_a_study_that_no_data_set_has_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ValueError) as caught:
        check_requests(["study"], load_settings(config))
    problem = "no data set of the configuration has a `study` (docs/study.md)"
    assert str(caught.value) == f"study: {problem}"
