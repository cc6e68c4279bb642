"""What a finished project no longer needs, and that nothing else is removed."""

import os
from pathlib import Path

import pytest
import recorded
from typer.testing import CliRunner

from crossback_core.cli.app import app
from crossback_core.records import Parent, PruningRecord, write_record
from crossback_core.stages.cleaning import find_spare
from crossback_core.storage.files import sha256

SPARE = {
    "ladders": ["results/d/backbone/task_29/ladder"],
    "starts": ["results/d/kv_swap/target_3.pt"],
    "trials": ["results/d/trials/target_3/repeat_2/task.pt",
               "results/d/trials/target_3/repeat_2/baseline.pt"],
    "resume states": ["results/d/.resume/target_3"],
    "leftovers": ["results/d/.target_3.pt.0123abcd.tmp"],
    "logs": ["logs/train_target/d/3.log", ".snakemake/log/1.snakemake.log"],
}  # fmt: skip


def put(path, content="content"):
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    return file


def parents(**files):
    return {role: Parent(str(path), sha256(path)) for role, path in files.items()}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A finished project of one target, and files that are nearly spare."""
    monkeypatch.chdir(tmp_path)
    put("Snakefile")
    put("config.yaml", "datasets: {d: {kind: icons}}")
    table = put("results/d/backbone/task_29/pruning.csv")
    put("results/d/backbone/task_29/ladder/sparsity_0.5.pt")
    put("results/d/backbone/task_29/pruned.pt")
    choice = PruningRecord(
        settings={}, versions={}, parents=parents(table=table), task="29", sparsity=0.5,
        validation_accuracy=1, baseline_validation_accuracy=1, allowed_loss=0,
    )  # fmt: skip
    write_record(choice, "results/d/backbone/task_29/choice.json")
    start = put("results/d/kv_swap/target_3.pt")
    put("results/d/kv_swap/target_4.pt")  # its target is not trained yet
    target = recorded.target("3", parents=parents(initial=start))
    write_record(target, "results/d/target_3.json")
    put("results/d/target_3.pt")
    trial = "results/d/trials/target_3/repeat_2"
    made = parents(task_file=put(f"{trial}/task.pt"), baseline=put(f"{trial}/baseline.pt"))
    write_record(recorded.pair("3", parents=made), f"{trial}/target.json")
    put("results/d/data/splits/3.csv")
    put("results/d/.target_3.pt.0123abcd.tmp")
    put("results/d/.target_3.pt.tmp")
    for state in ("target_3", "target_4", "baseline_3", "study_all_1_3_baseline"):
        put(f"results/d/.resume/{state}/training.pt")
        os.utime(f"results/d/.resume/{state}", (1, 1))
    os.utime(put("results/d/baseline/task_3.json"), (0, 0))  # of before: it is trained again
    put("results/d/summary.csv")
    put("logs/train_target/d/3.log", "2026 x INFO x\n2026 x INFO finished in 1.0 s\n")
    put("logs/train_target/d/5.log", "2026 x INFO epoch 1\n")  # it was killed
    put("logs/train_target/d/6.log", "2026 x ERROR interrupted by SIGTERM\n")
    put("logs/train_target/d/4.log", "2026-01-01 10:00:00,000 ERROR failed after 1.0 s: no\n")
    put(".snakemake/log/1.snakemake.log")
    put(".snakemake/metadata/x")
    return tmp_path


def found():
    spare = {}
    for each in find_spare("."):
        spare.setdefault(each.sort, []).append(str(each.path))
    return spare


def clean(*words, **given):
    return CliRunner().invoke(app, ["clean", "--unfinished", *words], **given)


def test_spare_is_what_records_say_was_used(project):
    assert found() == SPARE


@pytest.mark.parametrize(
    ("path", "sort"),
    [
        ("results/d/backbone/task_29/pruning.csv", "ladders"),
        ("results/d/kv_swap/target_3.pt", "starts"),
        ("results/d/trials/target_3/repeat_2/task.pt", "trials"),
    ],
)
def test_what_was_made_again_since_is_kept(project, path, sort):
    put(path, "made again")
    assert found().get(sort, []) == [each for each in SPARE[sort][1:] if each != path]


def test_the_start_of_a_product_that_was_removed_is_kept(project):
    Path("results/d/target_3.pt").unlink()
    assert "starts" not in found()


def test_a_ladder_is_kept_while_its_backbone_is_not_there(project):
    Path("results/d/backbone/task_29/pruned.pt").unlink()
    assert "ladders" not in found()


@pytest.mark.parametrize(
    ("state", "result"),
    [
        ("baseline_image-a_b", "baseline/task_image-a_b.json"),
        ("backbone_9", "backbone/task_9/pruning.csv"),
        ("trial_text-a_repeat_2", "trials/target_text-a/repeat_2/target.json"),
        ("trial_3_fold_1_baseline", "trials/target_3/fold_1/baseline.json"),
    ],
)
def test_the_state_of_a_training_goes_when_its_result_is_there(tmp_path, state, result):
    (tmp_path / f"results/d/.resume/{state}").mkdir(parents=True)
    os.utime(tmp_path / f"results/d/.resume/{state}", (1, 1))
    assert find_spare(tmp_path) == []
    if not result.endswith("target.json"):  # a record
        put(tmp_path / "results/d" / result)
        assert [each.path.name for each in find_spare(tmp_path)] == [state]


def test_a_dry_run_lists_and_removes_nothing(project):
    done = clean("--dry-run")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[len(SPARE) + 1 : -1] == sum(SPARE.values(), [])
    assert found() == SPARE


@pytest.mark.parametrize("answer", ["n\n", ""], ids=["no", "none"])
def test_it_asks_before_anything_is_removed(project, answer):
    done = clean(input=answer)
    assert done.exit_code == 1 and found() == SPARE
    assert (done.stdout.splitlines()[-1], done.stderr) == ("Nothing was removed.", "")


def test_all_that_is_spare_goes_and_nothing_else(project):
    before = {path for path in project.rglob("*") if path.is_file()}
    assert clean("--yes").exit_code == 0
    spare = {project / path for paths in SPARE.values() for path in paths}
    gone = before - {path for path in project.rglob("*") if path.is_file()}
    assert gone == {path for path in before if path in spare or path.parent in spare}
    assert clean().stdout == "There is nothing to remove.\n"


def test_while_snakemake_works_nothing_is_looked_for(project):
    put(".snakemake/locks/0.input.lock")
    done = clean("--yes")
    assert done.exit_code == 1
    assert done.stderr == (
        "Error: a run of Snakemake works in this folder, or was killed: .snakemake/locks is not"
        " empty\nHint: wait for it; after a kill: snakemake --unlock\n"
    )


def test_what_snakemake_refuses_is_told_in_a_line(project):
    rules = Path(__file__).parents[3] / "rules" / "run.smk"
    problem = "It cannot be read:\\n    config.yaml: it is empty"
    put("Snakefile", f"include: '{rules}'\nraise refused(ValueError('{problem}'))\n")
    done = CliRunner().invoke(app, ["clean", "--yes"])
    assert done.exit_code == 1 and found() == SPARE
    told = "Error: Snakemake cannot plan: config.yaml: it is empty"
    assert done.stderr.splitlines()[0] == told
