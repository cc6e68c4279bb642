"""The whole workflow on a small part of the icons data, run for real."""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from snakemake_project import Outcome, Project

import crossback_core

pytestmark = pytest.mark.slow

TARGETS = (3, 19)
RULES = ["prepare_index", "prepare_task", "train_baseline", "measure_similarity"]
RULES += ["collect_similarity", "select_backbone", "prune_backbone", "choose_sparsity"]
RULES += ["swap_kv", "train_target", "summarize"]


@dataclass(frozen=True)
class Run:
    """A finished run: first one target alone, then everything."""

    project: Project
    alone: Outcome
    pruned_alone: Sequence[str]
    whole: Outcome

    @property
    def results(self) -> Path:
        """The results of the data set."""
        return self.project.folder / "results" / "icons"

    def metrics(self, target: int) -> dict[str, object]:
        """The JSON of a target."""
        loaded: dict[str, object] = json.loads((self.results / f"target_{target}.json").read_text())
        return loaded

    def plan(self, preset: str) -> dict[str, int]:
        """What a changed preset would rerun."""
        config = f"presets={{tiny: {preset}}}"
        return self.project.snakemake("--dry-run", "--quiet", "rules", "--config", config).plan


@pytest.fixture(scope="module")
def run(tiny: Project) -> Run:
    """Run one target from nothing, then the rest."""
    alone = tiny.snakemake("results/icons/target_3.pt", "--cores", "2")
    assert alone.code == 0, alone.output
    backbones = tiny.folder / "results" / "icons" / "backbone"
    pruned = sorted(path.name for path in backbones.iterdir())
    whole = tiny.snakemake("--cores", "2")
    assert whole.code == 0, whole.output
    return Run(tiny, alone, pruned, whole)


def test_a_target_alone_prunes_the_backbone_selected_for_it_and_no_other(run: Run) -> None:
    choice = json.loads((run.results / "selection" / "target_3.json").read_text())
    assert run.pruned_alone == [f"task_{choice['backbone']}"]
    assert choice["backbone"] in (1, 17, 101, 102)


def test_every_artifact_is_there(run: Run) -> None:
    tasks = [1, 3, 17, 19, 101, 102]
    expected = ["data/index.csv", "similarity.csv", "summary.csv", "summary.txt", "report.html"]
    expected += [f"data/task_{task}.pt" for task in tasks]
    expected += [f"baseline/task_{task}.{end}" for task in tasks for end in ("pt", "json", "csv")]
    for target in TARGETS:
        expected += [f"target_{target}.{ending}" for ending in ("pt", "json", "csv")]
        expected += [f"similarity/target_{target}.csv", f"kv_swap/target_{target}.pt"]
    missing = [name for name in expected if not (run.results / name).is_file()]
    assert missing == []


def test_every_rule_left_a_log_and_a_benchmark(run: Run) -> None:
    for rule in RULES:
        assert list((run.project.folder / "logs" / rule).rglob("*.log")), rule
        assert list((run.project.folder / "benchmarks" / rule).rglob("*.tsv")), rule


def test_no_resume_state_is_left(run: Run) -> None:
    assert [path for path in (run.results / ".resume").rglob("*") if path.is_file()] == []


def test_the_table_ends_the_run(run: Run) -> None:
    table = (run.results / "summary.txt").read_text()
    assert table in run.whole.output
    with (run.results / "summary.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["target"]) for row in rows] == list(TARGETS)


@pytest.mark.parametrize("target", TARGETS)
def test_the_json_of_a_target_is_complete(run: Run, target: int) -> None:
    metrics = run.metrics(target)
    assert set(metrics) >= {
        "target",
        "modality",
        "backbone",
        "backbone_modality",
        "similarity",
        "verdict",
        "validation_accuracy",
        "test_accuracy",
        "baseline_validation_accuracy",
        "baseline_test_accuracy",
        "width",
        "sparsity",
        "owned_fraction",
        "picked_fraction",
        "free_fraction",
        "checkpoint_bytes",
        "dense_bytes",
        "seconds",
        "seed",
        "earlier_tasks",
    }
    assert metrics["target"] == target
    assert metrics["modality"] == ("image" if target == 3 else "text")
    assert metrics["train_samples"] == 50


@pytest.mark.parametrize("target", TARGETS)
def test_the_backbone_keeps_what_it_knew(run: Run, target: int) -> None:
    metrics = run.metrics(target)
    earlier = metrics["earlier_tasks"]
    assert isinstance(earlier, list)
    assert [task["task"] for task in earlier] == [metrics["backbone"]]
    assert all(task["logits_identical"] is True for task in earlier)


@pytest.mark.parametrize("target", TARGETS)
def test_the_product_serves_both_tasks(run: Run, target: int) -> None:
    product = crossback_core.load(run.results / f"target_{target}.pt")
    assert set(product.tasks) == {target, run.metrics(target)["backbone"]}


def test_a_second_run_has_nothing_to_do(run: Run) -> None:
    again = run.project.snakemake("--cores", "2")
    assert again.code == 0
    assert "Nothing to be done" in again.output


def test_the_allowed_loss_changes_the_choice_and_what_follows(run: Run) -> None:
    plan = run.plan("{pruning: {allowed_loss: 0.9}}")
    backbones = {run.metrics(target)["backbone"] for target in TARGETS}
    assert plan == {
        "choose_sparsity": len(backbones),
        "swap_kv": 2,
        "train_target": 2,
        "summarize": 1,
        "all": 1,
    }


def test_a_training_value_changes_all_that_is_trained_and_no_data(run: Run) -> None:
    plan = run.plan("{training: {epochs: 3}}")
    assert plan["train_baseline"] == 6
    assert plan["measure_similarity"] == plan["train_target"] == 2
    assert not {"prepare_index", "prepare_task"} & set(plan)


def test_a_pruning_value_changes_the_ladder_and_what_follows(run: Run) -> None:
    plan = run.plan("{pruning: {epochs: 2}}")
    assert {"prune_backbone", "choose_sparsity", "swap_kv", "train_target"} <= set(plan)
    assert not {"train_baseline", "measure_similarity", "select_backbone"} & set(plan)


@pytest.mark.parametrize("change", ["{candidates: same_modal}", "{score: knn}"])
def test_the_choice_of_candidates_measures_nothing_anew(run: Run, change: str) -> None:
    plan = run.plan(f"{{selection: {change}}}")
    assert plan["select_backbone"] == 2
    assert not {"measure_similarity", "train_baseline"} & set(plan)


def test_keep_better_concerns_the_targets_alone(run: Run) -> None:
    plan = run.plan("{target: {keep_better: true}}")
    assert plan == {"train_target": 2, "summarize": 1, "all": 1}


@pytest.mark.parametrize("arguments", [("--dag", "dot"), ("--dag", "mermaid-js"), ("--rulegraph",)])
def test_the_graph_of_a_finished_run_is_whole(run: Run, arguments: tuple[str, ...]) -> None:
    done = run.project.snakemake(*arguments)
    assert done.code == 0
    missing = [rule for rule in RULES if rule not in done.standard_output]
    assert missing == []


def test_damaged_data_ends_with_one_message_and_leaves_what_there_was(run: Run) -> None:
    task_file = run.results / "data" / "task_3.pt"
    whole, product = task_file.read_bytes(), (run.results / "target_3.pt").read_bytes()
    task_file.write_bytes(whole[:1000])
    done = run.project.snakemake("results/icons/baseline/task_3.pt", "--cores", "1")
    task_file.write_bytes(whole)
    assert done.code == 1
    assert "ValueError" in done.output and "task_3.pt" in done.output
    assert "Traceback" not in done.output
    log = run.project.folder / "logs" / "train_baseline" / "icons" / "3.log"
    assert "task_3.pt" in log.read_text()
    assert (run.results / "target_3.pt").read_bytes() == product
