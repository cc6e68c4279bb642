"""The tiny workflow through a real Slurm; what ran there is read from Slurm's own records."""

import json
import shutil
from collections import Counter
from dataclasses import dataclass

import pytest
import torch
from slurm_records import Record, jobs, slurm_project
from snakemake_project import ROOT, Outcome, Project

pytestmark = [pytest.mark.slow, pytest.mark.slurm]

ONE_TARGET = ROOT / "tests" / "slurm" / "one_target.yaml"
TINY = ("--configfile", "tests/tiny.yaml", str(ONE_TARGET))
TASKS = ("1", "19", "101")
INDEXED = ("1", "19", "39", "40")  # with those that the joint network knows
TARGETS = ("19",)


@dataclass(frozen=True)
class Run:
    """A finished run and Slurm's records of its jobs."""

    project: Project
    outcome: Outcome
    records: list[Record]

    def of(self, comment: str) -> list[Record]:
        """Return the records of the jobs whose comment begins so."""
        return [record for record in self.records if record["Comment"].startswith(comment)]


@pytest.fixture(scope="module")
def run(slurm: None, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run everything from nothing."""
    project = slurm_project(tmp_path_factory.mktemp("slurm"), *TINY)
    outcome = project.snakemake()
    assert outcome.code == 0, outcome.output
    return Run(project, outcome, jobs(project))


def test_the_results_are_there(run: Run) -> None:
    results = run.project.folder / "results" / "icons"
    names = ["summary.csv", "report.html", *(f"target_{target}.pt" for target in TARGETS)]
    assert [name for name in names if not (results / name).is_file()] == []
    assert (results / "summary.txt").read_text() in run.outcome.output


def test_slurm_ran_every_step_under_a_name_that_tells_it(run: Run) -> None:
    selections = run.project.folder.glob("results/icons/selection/*.json")
    backbones = {json.loads(path.read_text())["backbone"] for path in selections}
    assert Counter(record["Comment"] for record in run.records) == Counter(
        [
            *(f"rule_prepare_index_wildcards_icons_{task}" for task in INDEXED),
            "rule_collect_index_wildcards_icons",
            *["rule_baseline_prepare_task_train_baseline"] * len(TASKS),
            "rule_list_candidates_wildcards_icons",
            *["rule_similarity_measure_similarity_select_backbone"] * len(TARGETS),
            "rule_collect_similarity_wildcards_icons",
            *["rule_backbone_choose_sparsity_prune_backbone"] * len(backbones),
            *["rule_target_swap_kv_train_target"] * len(TARGETS),
            *["rule_trial_prepare_repeat_train_trial_baseline"] * len(TARGETS),
            *(f"rule_train_trial_wildcards_icons_{target}_repeat_2" for target in TARGETS),
            "rule_summarize_wildcards_icons",
        ]
    )


def test_every_job_ended_well_on_a_node_of_the_partition(run: Run) -> None:
    for record in run.records:
        assert (record["JobState"], record["ExitCode"]) == ("COMPLETED", "0:0"), record
        assert record["Partition"] == "main"
        assert record["NodeList"] in ("c1", "c2")
        assert record["JobName"].startswith("crossback_")
        assert "TresPerJob" not in record  # nobody asked for a GPU


@pytest.mark.parametrize(
    ("comment", "memory", "time"),
    [
        ("rule_prepare_index_wildcards_icons_19", "2000M", "00:30:00"),
        ("rule_list_candidates", "1000M", "00:10:00"),
        ("rule_baseline", "4000M", "04:30:00"),  # two rules in one Slurm job
        ("rule_similarity", "2000M", "01:05:00"),
        ("rule_collect_similarity", "1000M", "00:05:00"),
        ("rule_target", "2000M", "08:05:00"),
        ("rule_trial", "4000M", "04:30:00"),
        ("rule_train_trial", "2000M", "08:00:00"),
        ("rule_summarize", "2000M", "00:10:00"),
    ],
)
def test_a_job_had_what_its_rules_ask_for(run: Run, comment: str, memory: str, time: str) -> None:
    asked = ("NumCPUs", "MinMemoryNode", "TimeLimit")
    assert {tuple(map(record.get, asked)) for record in run.of(comment)} == {("1", memory, time)}


def test_logs_of_slurm_are_kept_of_failures_only(run: Run) -> None:
    assert list(run.project.folder.glob("logs/slurm/**/*.log")) == []
    assert list(run.project.folder.glob("logs/train_target/icons/*.log")) != []


def test_a_second_run_finds_nothing_to_do(run: Run) -> None:
    again = run.project.snakemake()
    assert again.code == 0
    assert "Nothing to be done" in again.output
    assert len(jobs(run.project)) == len(run.records)


@pytest.mark.skipif(torch.cuda.is_available(), reason="made for a machine without a GPU")
def test_a_training_asks_for_a_gpu_if_the_configuration_does(
    run: Run, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("gpu") / "project"
    shutil.copytree(run.project.folder, folder, symlinks=True)
    project = Project(folder, run.project.options)
    wanted = ("results/icons/baseline/task_1.pt", "--retries", "0", "--config", "device=cuda")
    outcome = project.snakemake(*wanted)
    (record,) = jobs(project)
    assert (record["TresPerJob"], record["NodeList"]) == ("gres:gpu:1", "c2")
    assert record["MinMemoryNode"] == "8000M"
    # The GPUs of the node are made up, so the job fails, and its log is shown.
    assert (outcome.code, record["JobState"]) == (1, "FAILED")
    assert "device is cuda, but torch sees no GPU" in outcome.output
