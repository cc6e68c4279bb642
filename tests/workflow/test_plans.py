"""What Snakemake plans and draws before anything has run."""

import shutil
import subprocess
from collections import Counter
from dataclasses import replace

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
        "prepare_index": len(icons.indexed),
        "collect_index": 1,
        "prepare_task": networks,
        "train_baseline": networks,
        "list_candidates": 1,
        "measure_similarity": targets,
        "collect_similarity": 1,
        "select_backbone": targets,
        "train_target": targets,
        "summarize": 1,
        "all": 1,
    }


def test_a_plan_has_a_short_form_and_a_long_one_that_names_tasks(project: Project) -> None:
    short, long = (project.snakemake(*it) for it in (("-nq", "rules", "host"), ("--dry-run",)))
    assert short.plan == long.plan != {}
    lines = short.output.splitlines()
    assert len(lines) < 50 < 200 < len(long.output.splitlines())
    assert not any(line.startswith(("Reason: ", "SNAKEMAKE")) for line in lines)
    assert ": Train the baseline of task 101 (fifty kinds of icons) of icons\n" in long.output


def test_one_target_plans_only_itself(tiny: Project) -> None:
    plan = tiny.snakemake("results/icons/target_3.pt", "--dry-run", "--quiet", "rules").plan
    assert plan == {
        "prepare_index": 4,
        "prepare_task": 3,
        "train_baseline": 3,
        "list_candidates": 1,
        "measure_similarity": 1,
        "select_backbone": 1,
        "train_target": 1,
    }


def test_one_command_plans_a_target_of_a_published_data_set_from_nothing(project: Project) -> None:
    done = project.snakemake("results/cub/target_14.pt", "--dry-run", "--quiet", "rules")
    assert done.plan == {
        "download_file": 2,
        "unpack_data": 1,
        "prepare_index": 56,
        "prepare_task": 56,
        "train_baseline": 56,
        "list_candidates": 1,
        "measure_similarity": 1,
        "select_backbone": 1,
        "train_target": 1,
    }


def test_the_data_alone_can_be_planned(project: Project) -> None:
    arguments = ("results/cub/target_14.pt", "--until", "prepare_task")
    plan = project.snakemake(*arguments, "--dry-run", "--quiet", "rules").plan
    assert plan == {"download_file": 2, "unpack_data": 1, "prepare_index": 56, "prepare_task": 56}


def test_lint_finds_nothing(tiny: Project) -> None:
    done = tiny.snakemake("--lint")
    assert done.code == 0
    assert "Congratulations" in done.output


def test_a_graph_is_drawn_before_a_run(tiny: Project) -> None:
    done = tiny.snakemake("--dag", "mermaid-js")
    assert done.code == 0
    assert "flowchart TB" in done.standard_output and "train_target" in done.standard_output


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_graphviz_reads_the_graph(tiny: Project) -> None:
    graph = tiny.snakemake("results/icons/target_3.pt", "--dag", "dot").standard_output
    picture = subprocess.run(["dot", "-Tsvg"], input=graph, capture_output=True, text=True)
    assert picture.returncode == 0
    assert "train_target" in picture.stdout


def test_an_unknown_target_is_refused_in_one_line(tiny: Project) -> None:
    """What there is to ask for: tests/core/config/test_requests.py."""
    done = tiny.snakemake("--dry-run", "results/icons/target_99.pt")
    assert done.code == 1
    lines = done.output.splitlines()
    assert [line for line in lines if not line.startswith(("Config file", "Using workflow"))] == [
        "Refused:",
        "results/icons/target_99.pt: unknown target '99'; known: 1, 3, 19 (data set icons)",
    ]


def test_only_targets_are_held_against_the_configuration(tiny: Project) -> None:
    other = tiny.folder / "results" / "exp1" / "my.yaml"
    other.parent.mkdir(parents=True)
    other.write_text("seed: 3\n")
    options = ("--configfile", "tests/tiny.yaml", str(other.relative_to(tiny.folder)))
    arguments = ("results/icons/target_3.pt", "--dry-run", "--quiet", "rules")
    done = replace(tiny, options=options).snakemake(*arguments)
    assert done.plan["train_target"] == 1, done.output


def test_another_unknown_file_is_left_to_snakemake(tiny: Project) -> None:
    done = tiny.snakemake("--dry-run", "results/icons/nothing.txt")
    assert done.code == 1
    assert "No rule to produce results/icons/nothing.txt" in done.output


def test_a_bad_configuration_is_refused_without_a_traceback(tiny: Project) -> None:
    config = "presets={tiny: {training: {epoch: 3}}}"
    done = tiny.snakemake("--dry-run", "--config", config)
    assert done.code == 1
    message = "presets.tiny.training.epoch: unknown key 'epoch' (did you mean 'epochs'?)"
    assert f"Refused:\nThe configuration has 1 problem:\n    Error: {message}" in done.output
    assert "Traceback" not in done.output
    assert ".smk" not in done.output


def test_a_study_trains_each_target_from_candidates_and_controls(project: Project) -> None:
    done = project.snakemake("study", "--dry-run", "--quiet", "rules")
    config = yaml.safe_load((project.folder / "config.yaml").read_text())
    pairs = {"icons_study": 4 + 2, "icons_families": 12 + 4}  # and shuffled ones
    expected = Counter({"study": 1})
    for name, of_a_cell in pairs.items():
        studied = load_settings(config).datasets[name]
        study = studied.study
        assert study is not None
        cells_of_a_size = len(studied.targets) * len(study.seeds)
        cells = cells_of_a_size * len(study.sizes)
        used = {candidate for part in study.sizes.values() for candidate in part.candidates}
        expected += Counter(
            {
                "prepare_index": len(studied.indexed),
                "list_candidates": 1,
                "prepare_task": len(studied.candidates),
                "train_baseline": len(studied.candidates),
                "prune_backbone": len(used),
                "choose_sparsity": len(used),
                "prepare_study_task": cells,
                "train_study_baseline": cells,
                "train_longer_baseline": cells,
                "score_study_candidates": cells,
                "train_pair": cells_of_a_size * of_a_cell,
                "collect_study": 1,
                "summarize_study": 1,
            }
        )
    assert done.plan == expected
