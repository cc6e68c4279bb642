"""What Snakemake plans and draws before anything has run."""

import shutil
import subprocess

import pytest
import yaml
from snakemake_project import Project

from crossback_core.config import load_settings

pytestmark = pytest.mark.slow


def test_the_default_plan_covers_every_step(project: Project) -> None:
    plan = project.snakemake("--dry-run", "--quiet", "rules").plan
    config = yaml.safe_load((project.folder / "config.yaml").read_text())
    icons = load_settings(config).datasets["icons"]
    networks, targets = len(icons.networks), len(icons.targets)
    assert plan == {
        "prepare_index": 1,
        "prepare_task": networks,
        "train_baseline": networks,
        "measure_similarity": targets,
        "collect_similarity": 1,
        "select_backbone": targets,
        "swap_kv": targets,
        "train_target": targets,
        "summarize": 1,
        "all": 1,
    }


def test_one_target_plans_only_itself(tiny: Project) -> None:
    plan = tiny.snakemake("results/icons/target_3.pt", "--dry-run", "--quiet", "rules").plan
    assert plan == {
        "prepare_index": 1,
        "prepare_task": 5,
        "train_baseline": 5,
        "measure_similarity": 1,
        "select_backbone": 1,
        "swap_kv": 1,
        "train_target": 1,
    }


def test_one_command_plans_a_target_of_a_published_data_set_from_nothing(project: Project) -> None:
    done = project.snakemake("results/cub/target_14.pt", "--dry-run", "--quiet", "rules")
    assert done.plan == {
        "download_file": 2,
        "unpack_data": 1,
        "prepare_index": 1,
        "prepare_task": 56,
        "train_baseline": 56,
        "measure_similarity": 1,
        "select_backbone": 1,
        "swap_kv": 1,
        "train_target": 1,
    }


def test_the_data_alone_can_be_planned(project: Project) -> None:
    arguments = ("results/cub/target_14.pt", "--until", "prepare_task")
    plan = project.snakemake(*arguments, "--dry-run", "--quiet", "rules").plan
    assert plan == {"download_file": 2, "unpack_data": 1, "prepare_index": 1, "prepare_task": 56}


def test_lint_finds_nothing(tiny: Project) -> None:
    done = tiny.snakemake("--lint")
    assert done.code == 0
    assert "Congratulations" in done.output


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["results/icons/target_3.pt", "--dag", "dot"], "digraph snakemake_dag"),
        (["--dag", "mermaid-js"], "flowchart TB"),
        (["--rulegraph"], "digraph snakemake_dag"),
    ],
)
def test_graphs_are_drawn_before_a_run(tiny: Project, arguments: list[str], expected: str) -> None:
    done = tiny.snakemake(*arguments)
    assert done.code == 0
    assert expected in done.standard_output
    assert "train_target" in done.standard_output


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_graphviz_reads_the_graph(tiny: Project) -> None:
    graph = tiny.snakemake("results/icons/target_3.pt", "--dag", "dot").standard_output
    picture = subprocess.run(["dot", "-Tsvg"], input=graph, capture_output=True, text=True)
    assert picture.returncode == 0
    assert "train_target" in picture.stdout


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (
            "results/icons/target_99.pt",
            "unknown target '99'; known: 3, 19 (data set icons)",
        ),
        ("results/icons/target_1.json", "unknown target '1'; known: 3, 19"),
        (
            "results/icons/baseline/task_7.pt",
            "unknown task '7'; known: 1, 3, 17, 19, 101, 102",
        ),
        ("results/icons/backbone/task_7/pruned.pt", "unknown task '7'"),
        (
            "results/icon/target_3.pt",
            "unknown data set 'icon' (did you mean 'icons'?); known: icons",
        ),
        ("results/nope/summary.csv", "unknown data set 'nope'; known: icons"),
    ],
)
def test_an_unknown_target_is_refused(tiny: Project, target: str, message: str) -> None:
    done = tiny.snakemake("--dry-run", target)
    assert done.code == 1
    shown = done.output.splitlines()[1:]  # the first line tells of tests/tiny.yaml
    assert shown[0] == "Refused:" and len(shown) == 2
    assert shown[1].startswith(f"{target}: {message}")


def test_another_unknown_file_is_left_to_snakemake(tiny: Project) -> None:
    done = tiny.snakemake("--dry-run", "results/icons/nothing.txt")
    assert done.code == 1
    assert "No rule to produce results/icons/nothing.txt" in done.output


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            "presets={tiny: {training: {epoch: 3}}}",
            "presets.tiny.training.epoch: unknown key 'epoch' (did you mean 'epochs'?)",
        ),
        (
            "presets={tiny: {pruning: {allowed_loss: 1.5}}}",
            "presets.tiny.pruning.allowed_loss: 1.5 is not allowed; it must be at most 1",
        ),
        (
            "datasets={icons: {targets: [3, 99]}}",
            "datasets.icons.targets: unknown task 99; known: 1, 3, 17, 19",
        ),
    ],
)
def test_a_bad_configuration_is_refused_without_a_traceback(
    tiny: Project, config: str, message: str
) -> None:
    done = tiny.snakemake("--dry-run", "--config", config)
    assert done.code == 1
    assert f"Refused:\nThe configuration has 1 problem:\n    {message}" in done.output
    assert "Traceback" not in done.output
    assert ".smk" not in done.output


def test_missing_raw_data_is_named(tiny: Project) -> None:
    done = tiny.snakemake("--dry-run", "--config", "datasets={icons: {raw: nowhere}}")
    assert done.code == 1
    assert "Missing input files for rule prepare_index" in done.output
    assert "nowhere" in done.output


def test_a_study_trains_each_target_from_candidates_and_controls(project: Project) -> None:
    done = project.snakemake("study", "--dry-run", "--quiet", "rules")
    config = yaml.safe_load((project.folder / "config.yaml").read_text())
    studied = load_settings(config).datasets["icons_study"]
    study = studied.study
    assert study is not None
    cells_of_a_size = len(studied.targets) * len(study.seeds)
    cells = cells_of_a_size * len(study.sizes)
    pairs = cells_of_a_size * (6 + 6 + 4 + 4)  # of which controls 6, 2 and 2
    used = {candidate for part in study.sizes.values() for candidate in part.candidates}
    assert done.plan == {
        "prepare_index": 1,
        "prepare_task": len(studied.candidates),
        "train_baseline": len(studied.candidates),
        "prune_backbone": len(used),
        "choose_sparsity": len(used),
        "prepare_study_task": cells,
        "train_study_baseline": cells,
        "train_longer_baseline": cells,
        "score_study_candidates": cells,
        "train_pair": pairs,
        "collect_study": 1,
        "summarize_study": 1,
        "study": 1,
    }


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("size_7/seed_11/target_2/scores.csv", "unknown size '7'; known: 10, 5, all"),
        ("size_5/seed_1/target_2/longer.json", "unknown seed '1'; known: 11, 12"),
        ("size_5/seed_11/target_2/backbone_103.json", "unknown training 'backbone_103'"),
        ("size_all/seed_11/target_2/fresh_101.json", "known: baseline, longer, backbone_101,"),
    ],
)
def test_a_training_that_is_not_in_the_study_is_refused(
    project: Project, place: str, message: str
) -> None:
    done = project.snakemake(f"results/icons_study/study/{place}", "--dry-run")
    assert done.code != 0
    assert message in done.output


def test_a_data_set_without_a_study_has_none(project: Project) -> None:
    done = project.snakemake("results/icons/study/summary.csv", "--dry-run")
    assert done.code != 0
    assert "data set icons has no `study` in the configuration" in done.output
