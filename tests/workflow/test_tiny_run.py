"""The whole workflow on a small part of the icons data, run for real."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from snakemake_project import ROOT, Outcome, Project

import crossback_core
from crossback_core.data import load_task
from crossback_core.records import BaselineRecord, PairRecord, TargetRecord, read_record
from crossback_core.report.outcome import outcome_line
from crossback_core.report.table import format_rows, summary_table
from crossback_core.runtime.run_log import ELSEWHERE

pytestmark = pytest.mark.slow

TARGETS = ("3", "19")
RULES = ["prepare_index", "collect_index", "prepare_task", "train_baseline"]
RULES += ["list_candidates", "measure_similarity"]
RULES += ["collect_similarity", "select_backbone", "prune_backbone", "choose_sparsity"]
RULES += ["swap_kv", "prepare_repeat", "train_trial_baseline", "train_trial", "train_target"]
RULES += ["summarize"]


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

    def record(self, target: str) -> TargetRecord:
        """What is recorded of a target."""
        return read_record(TargetRecord, self.results / f"target_{target}.json")

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
    assert choice["backbone"] in ("1", "101")


def test_every_artifact_is_there(run: Run) -> None:
    tasks = [1, 3, 19, 101]
    expected = ["data/index.csv", "similarity.csv", "summary.csv", "summary.txt", "report.html"]
    expected += [f"data/task_{task}.pt" for task in tasks]
    expected += [f"baseline/task_{task}.{end}" for task in tasks for end in ("pt", "json", "csv")]
    for target in TARGETS:
        expected += [f"target_{target}.{ending}" for ending in ("pt", "json", "csv")]
        expected += [f"similarity/target_{target}.csv", f"kv_swap/target_{target}.pt"]
    missing = [name for name in expected if not (run.results / name).is_file()]
    assert missing == []


def test_snakemakes_own_report_has_the_table_the_page_and_the_figures(run: Run) -> None:
    made = run.project.snakemake("--report", "report.zip")
    assert made.code == 0, made.output
    told = set(re.findall(r"^Adding (\S+) \(", made.output, re.MULTILINE))
    figures = {path.name for path in (run.results / "figures").glob("*.svg")}
    assert {"accuracies.svg", "scores.svg"} < figures
    assert told == {"summary.csv", "report.html", *figures}


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
    assert [row["target"] for row in rows] == list(TARGETS)


def test_a_target_alone_ends_with_its_row_of_the_table(run: Run) -> None:
    record = run.record("3")
    network = read_record(BaselineRecord, run.results / f"baseline/task_{record.backbone}.json")
    called = {"1": "road", "3": "animals", "101": "two text tasks"}
    frame = summary_table([record], [network])
    row = format_rows(frame, folder="results/icons", called=called)
    assert row in run.alone.standard_output
    assert "target modality" in run.whole.standard_output
    assert row not in run.whole.standard_output


def test_a_finished_target_is_a_line_of_the_output(run: Run) -> None:
    lines = [
        [line for line in outcome.output.splitlines() if re.match(r"target \S+ of icons: ", line)]
        for outcome in (run.alone, run.whole)
    ]
    assert lines == [[outcome_line(run.record(target), dataset="icons")] for target in (3, 19)]


def test_in_a_pipe_progress_is_no_flood(run: Run) -> None:
    for outcome in (run.alone, run.whole):
        (told,) = re.findall(r"^Elapsed time: (.+)$", outcome.output, re.MULTILINE)
        elapsed = pd.Timedelta(told).total_seconds()
        lines = re.findall(r"epoch \d+ of \d+, about .* left$", outcome.output, re.MULTILINE)
        assert len(lines) <= 2 * elapsed / ELSEWHERE  # two jobs at a time
        assert "\r" not in outcome.output and "\x1b" not in outcome.output


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_takes_the_room_that_pruning_left_and_picks_the_rest(
    run: Run, target: str
) -> None:
    record = run.record(target)
    own = read_record(BaselineRecord, run.results / "baseline" / f"task_{target}.json")
    assert record.baseline_test_accuracy == own.test_accuracy
    assert record.modality == ("image" if target == "3" else "text")
    assert (record.target, record.train_samples) == (target, 50)
    assert record.sparsity == pytest.approx(0.8, abs=0.01)
    grown = record.width > 1  # by then the backbone's part is smaller
    assert record.owned_fraction > record.sparsity or not grown
    assert record.owned_fraction == pytest.approx(record.sparsity) or grown
    assert 0.01 < record.picked_fraction < 0.99 - record.owned_fraction, "some picks are dropped"


@pytest.mark.parametrize("target", TARGETS)
def test_the_product_serves_both_tasks_and_the_backbones_is_as_it_was(
    run: Run, target: str
) -> None:
    record = run.record(target)
    product = crossback_core.load(run.results / f"target_{target}.pt")
    assert set(product.tasks) == {target, record.backbone}
    assert [(task.task, task.logits_identical) for task in record.earlier_tasks] == [
        (record.backbone, True)
    ]


@pytest.mark.parametrize("target", TARGETS)
def test_the_verdict_is_over_all_trainings_of_a_target(run: Run, target: str) -> None:
    record = run.record(target)
    made = record.comparison
    assert made is not None and (made.runs, made.samples) == (2, record.validation_samples)
    trial = run.results / "trials" / f"target_{target}" / "repeat_2"
    pair = read_record(PairRecord, trial / "target.json")
    own = read_record(BaselineRecord, trial / "baseline.json")
    assert pair.candidate == record.backbone and pair.seed == own.seed != record.seed
    assert made.test_accuracy == pytest.approx((record.test_accuracy + pair.test_accuracy) / 2)
    both = record.baseline_test_accuracy + own.test_accuracy
    assert made.baseline_test_accuracy == pytest.approx(both / 2)
    task, other = (
        load_task(path) for path in (run.results / f"data/task_{target}.pt", trial / "task.pt")
    )
    assert task.validation.ids == other.validation.ids and task.test.ids == other.test.ids
    assert set(task.train.ids) != set(other.train.ids)


def test_more_trainings_are_those_that_lack_and_the_target(run: Run) -> None:
    more = {"prepare_repeat": 2, "train_trial_baseline": 2, "train_trial": 2}
    assert run.plan("{target: {repeats: 3}}") == more | {
        "train_target": 2,
        "summarize": 1,
        "all": 1,
    }


def test_folds_are_trained_without_each_part_in_turn(run: Run) -> None:
    folds = {"hold_out_fold": 6, "train_trial_baseline": 6, "train_trial": 6}
    plan = run.plan("{target: {judged_by: folds, repeats: 3, max_width: 1}}")
    assert plan == folds | {"train_target": 2, "summarize": 1, "all": 1}


def test_a_second_run_has_nothing_to_do(run: Run) -> None:
    again = run.project.snakemake("--cores", "2")
    assert again.code == 0
    assert "Nothing to be done" in again.output


def test_cleaned_it_has_nothing_to_do_either(run: Run, tmp_path: Path) -> None:
    copy = Project(tmp_path / "copy", run.project.options)
    shutil.copytree(run.project.folder, copy.folder, symlinks=True)
    results = copy.folder / "results" / "icons"

    def clean(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", "from crossback_core.cli.app import main; main()", *words],
            cwd=copy.folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )

    refused = clean("clean", "--yes")  # by the configuration as shipped its results are old
    assert refused.returncode == 1
    assert re.match(
        r"Error: the project is not finished: Snakemake plans \d+ jobs?", refused.stderr
    )
    assert list(results.glob("backbone/*/ladder"))
    done = clean("clean", "--yes", "--configfile", "tests/tiny.yaml")
    assert done.returncode == 0, done.stderr
    assert not list(results.glob("backbone/*/ladder")) + list(results.glob("kv_swap/*.pt"))
    assert not list(results.glob("trials/**/*.pt"))
    assert not copy.snakemake("--dry-run").plan
    products = [f"results/icons/target_{target}.pt" for target in TARGETS]
    again = copy.snakemake(*products, "results/icons/report.html", "--dry-run")
    assert "Nothing to be done" in again.output


def test_the_allowed_loss_changes_the_choice_and_what_follows(run: Run) -> None:
    plan = run.plan("{pruning: {allowed_loss: 0.05}}")
    backbones = {run.record(target).backbone for target in TARGETS}
    assert plan == {
        "choose_sparsity": len(backbones),
        "swap_kv": 2,
        "train_trial": 2,
        "train_target": 2,
        "summarize": 1,
        "all": 1,
    }


def test_a_training_value_changes_all_that_is_trained_and_no_data(run: Run) -> None:
    plan = run.plan("{training: {epochs: 3}}")
    assert plan["train_baseline"] == 4
    assert plan["measure_similarity"] == plan["train_target"] == 2
    assert not {"prepare_index", "prepare_task"} & set(plan)


def test_a_pruning_value_changes_the_ladder_and_what_follows(run: Run) -> None:
    plan = run.plan("{pruning: {epochs: 2}}")
    assert {"prune_backbone", "choose_sparsity", "swap_kv", "train_target"} <= set(plan)
    assert not {"train_baseline", "measure_similarity", "select_backbone"} & set(plan)


def test_another_choice_among_candidates_measures_no_score_again(run: Run) -> None:
    plan = run.plan("{selection: {candidates: same_modal, score: knn}}")
    assert plan["select_backbone"] == 2
    assert not {"measure_similarity", "train_baseline"} & set(plan)


def test_keep_better_concerns_the_targets_alone(run: Run) -> None:
    plan = run.plan("{target: {keep_better: true}}")
    assert plan == {"train_target": 2, "summarize": 1, "all": 1}


def test_the_graph_of_a_finished_run_is_whole(run: Run) -> None:
    done = run.project.snakemake("--rulegraph")
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
    assert "Traceback" not in done.output
    *_, count, last = done.output.strip().splitlines()
    assert count == "1 job failed:", "the last that a person sees is what went wrong, and where"
    assert last.startswith("  train_baseline icons 3: ValueError: results/icons/data/task_3.pt ")
    assert last.endswith("(full log: logs/train_baseline/icons/3.log)")
    log = run.project.folder / "logs" / "train_baseline" / "icons" / "3.log"
    assert "task_3.pt" in log.read_text()
    assert (run.results / "target_3.pt").read_bytes() == product


def test_below_the_minimum_the_baseline_is_the_product(run: Run) -> None:
    config = "presets={tiny: {selection: {score: label_cka_excess, minimum: 1.5}}}"
    done = run.project.snakemake("results/icons/target_3.pt", "--cores", "2", "--config", config)
    assert done.code == 0, done.output
    assert "its own baseline: no candidate has a score above the minimum" in done.output
    assert list(crossback_core.load(run.results / "target_3.pt").tasks) == ["3"]
    again = run.project.snakemake("results/icons/target_3.pt", "--config", config, "--dry-run")
    assert "Nothing to be done" in again.output
    start = run.project.snakemake("results/icons/kv_swap/target_3.pt", "--config", config, "-n")
    assert "target 3 of icons has no backbone" in start.output


def test_a_screen_that_has_only_ascii_shows_any_name(run: Run, monkeypatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    name = "datasets={icons: {joint: {101: {name: Möbel, tasks: [39, 40]}}}}"
    done = run.project.snakemake("--cores", "1", "--forcerun", "summarize", "--config", name)
    assert done.code == 0, done.output
    assert r"101: M\xf6bel" in done.output
