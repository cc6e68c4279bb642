"""What runs again, and what stays: a folder of own data, a finished run, and what comes after."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pandas as pd
import pytest
from snakemake_project import ROOT, Outcome, Project, copy_project, make_example

pytestmark = pytest.mark.reruns

CONFIG = """\
run: [mine]
datasets:
  mine: {kind: folder, raw: raw, encoder: encoder, image_size: 32, preset: tiny}
presets: # all know five classes, so the first candidate by name is chosen, by any numbers
  tiny: {selection: {score: classes}}
"""
CHOICES = ("image-transport", "image-animals", "image-animals")  # of the targets below
TARGETS = ("image-animals", "image-transport", "text-kitchen")
OWN = ["prepare_index", "prepare_task", "train_baseline"]  # what each new task needs
TRIAL = ["prepare_repeat", "train_trial_baseline", "train_trial"]  # and each trial of a target
ON_BACKBONE = ["swap_kv", "train_trial", "train_target"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Three tasks of two modalities, each a target and a candidate, all made."""
    folder = copy_project(tmp_path_factory.mktemp("finished"))
    make_example(folder, samples=10)
    shutil.move(folder / "example" / "data", folder / "raw")
    shutil.move(folder / "example" / "encoder", folder / "encoder")
    shutil.move(folder / "raw" / "texts" / "callings", folder / "callings")
    (folder / "mine.yaml").write_text(CONFIG)
    project = Project(folder, ("--configfile", "tests/tiny.yaml", "mine.yaml"))
    done = project.snakemake("--cores", "2")
    assert done.code == 0, done.output
    assert choices(project) == dict(zip(TARGETS, CHOICES, strict=True))
    return project


@pytest.fixture
def week_later(finished: Project, tmp_path: Path) -> Project:
    """A copy of the finished project at another place, all its times new and in another order."""
    folder = tmp_path / "copy"
    shutil.copytree(finished.folder, folder, symlinks=True, copy_function=shutil.copyfile)
    return Project(folder, finished.options)


def plan(project: Project, *arguments: str) -> dict[str, int]:
    done = project.snakemake(*arguments, "-n", "-q", "rules", "host")
    assert done.code == 0, done.output
    return {rule: count for rule, count in done.plan.items() if rule != "all"}


def run(project: Project, *arguments: str) -> Outcome:
    return project.snakemake(*arguments, "--cores", "2")


def ran(done: Outcome) -> list[str]:
    """Name the rules of the jobs that a run finished, in alphabetical order."""
    assert done.code == 0, done.output
    lines = [line for line in done.output.splitlines() if line.startswith("Finished jobid")]
    return sorted(line.split("Rule: ")[1].rstrip(")") for line in lines)


def products(project: Project) -> dict[str, str]:
    """Return the hash of each file that a user would keep."""
    results = project.folder / "results" / "mine"
    files = [
        *results.glob("target_*.*"),
        *results.glob("trials/*/*/*.*"),
        *results.glob("baseline/*.pt"),
        *results.glob("data/*.pt"),
    ]
    return {str(path.relative_to(results)): sha256(path.read_bytes()).hexdigest() for path in files}


def of_target(made: dict[str, str], target: str) -> dict[str, str]:
    """Return the product of a target and its trials, out of all files."""
    return {name: it for name, it in made.items() if f"target_{target}" in re.split(r"[/.]", name)}


def choices(project: Project) -> dict[str, str | None]:
    """Return the backbone of each target."""
    records = (project.folder / "results" / "mine" / "selection").glob("*.json")
    read = [json.loads(path.read_text()) for path in sorted(records)]
    return {record["target"]: record["backbone"] for record in read}


def scores(project: Project, target: str) -> pd.DataFrame:
    path = project.folder / "results" / "mine" / "similarity" / f"target_{target}.csv"
    return pd.read_csv(path, dtype=str)


def add_task(project: Project, name: str) -> str:
    """Add pictures that nobody has seen: those of the animals, mirrored."""
    from PIL import Image, ImageOps

    images = project.folder / "raw" / "images"
    for path in (images / "animals").glob("*/*.png"):
        copy = images / name / path.parent.name / path.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        ImageOps.mirror(Image.open(path)).save(copy)
    return f"image-{name}"


def pictures(project: Project, task: str = "animals") -> list[Path]:
    return sorted((project.folder / "raw" / "images" / task).glob("*/*.png"))


def touch_all(project: Project, *places: str) -> None:
    for place in places:
        for path in sorted((project.folder / place).rglob("*"), reverse=True):
            path.touch()


def test_copies_touches_and_folders_of_file_managers_plan_nothing(week_later: Project) -> None:
    assert plan(week_later) == {}
    touch_all(week_later, "raw", "encoder", "results", "workflow_scripts", "rules")
    animals = week_later.folder / "raw" / "images" / "animals"
    (animals / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (animals / "empty").mkdir()
    assert plan(week_later) == {}
    (week_later.folder / "raw").rename(week_later.folder / "moved")
    config = week_later.folder / "mine.yaml"
    config.write_text(config.read_text().replace("raw: raw", "raw: moved"))
    assert plan(week_later) == {}


def test_the_word_for_the_processor_plans_nothing(finished: Project) -> None:
    assert plan(finished, "--config", "device=cpu") == {}


def test_a_gpu_that_is_not_there_is_refused_before_anything_is_planned(finished: Project) -> None:
    before = products(finished)
    done = run(finished, "--config", "device=cuda", "--forceall")
    assert done.code == 1
    assert "device: cuda is not allowed: this machine has no GPU" in done.output
    assert products(finished) == before


def test_a_new_task_costs_what_it_needs_itself(week_later: Project) -> None:
    before = products(week_later)
    task = add_task(week_later, "beasts")  # sorts between others
    target = f"results/mine/target_{task}.pt"
    own = [*OWN, "list_candidates", "measure_similarity", "select_backbone", "train_target"]
    assert sorted(plan(week_later, target)) == sorted(own)
    own += [*TRIAL, "swap_kv"]  # known once the backbone is, which has been pruned
    assert ran(run(week_later, target)) == sorted(own)
    assert before.items() <= products(week_later).items()

    # The others look at the new candidate. Who chooses it is trained again, by its own samples.
    old = {target: scores(week_later, target) for target in TARGETS}
    more = ran(run(week_later))
    for target in TARGETS:
        table = scores(week_later, target)
        kept = table[table["candidate"] != task]
        assert kept.reset_index(drop=True).equals(old[target])
        assert len(table) == len(old[target]) + 1
    moved, *stay = TARGETS
    assert choices(week_later)[moved] == task
    assert [more.count(rule) for rule in ON_BACKBONE] == [1, 1, 1]
    assert not {*OWN, *TRIAL[:2]} & set(more)
    after = products(week_later)
    for target in stay:
        assert len(of_target(before, target)) == 9
        assert of_target(after, target) == of_target(before, target)
    assert more.count("measure_similarity") == len(TARGETS)
    assert plan(week_later) == {}


def test_a_target_without_a_candidate_stays_as_long_as_none_comes(week_later: Project) -> None:
    none = ("--config", "presets={tiny: {selection: {score: loo_ridge, minimum: 1}}}")
    done = ran(run(week_later, *none))
    assert done.count("train_target") == len(TARGETS) and not {"swap_kv", *TRIAL} & set(done)
    assert set(choices(week_later).values()) == {None}, "no R² is above 1"
    before = products(week_later)
    add_task(week_later, "beasts")
    done = ran(run(week_later, *none))
    assert done.count("train_target") == 1 and not {"swap_kv", *TRIAL} & set(done)
    assert before.items() <= products(week_later).items()
    assert plan(week_later, *none) == {}


def test_more_samples_concern_their_task_and_what_is_built_on_it(week_later: Project) -> None:
    before = products(week_later)
    index = week_later.folder / "results" / "mine" / "data" / "index.csv"
    old = pd.read_csv(index)
    for number, path in enumerate(pictures(week_later, "transport")[:3]):
        data = pictures(week_later)[number].read_bytes()
        path.with_name(f"new-{number}.png").write_bytes(data + b"more")
    done = ran(run(week_later))
    assert [done.count(rule) for rule in (*OWN, *TRIAL[:2])] == [1, 1, 1, 1, 1]
    assert [done.count(rule) for rule in ON_BACKBONE] == [2, 2, 2]
    joined = old.merge(pd.read_csv(index), on="id")
    assert len(joined) == len(old)
    assert (joined["split_x"] == joined["split_y"]).all()
    after = products(week_later)
    changed = {name for name in before if before[name] != after[name]}
    of_transport = {name for name in before if "image-transport" in name}
    of_its_target = {*of_target(before, "image-animals")} - {
        name for name in before if "repeat_2/baseline" in name or "repeat_2/task" in name
    }
    assert changed <= of_transport | of_its_target
    assert {"data/task_image-transport.pt", "target_image-transport.pt"} <= changed
    assert {f"trials/target_{task}/repeat_2/target.json" for task in TARGETS[:2]} <= changed
    assert plan(week_later) == {}


@pytest.mark.parametrize("what", ["picture", "encoder"])
def test_replaced_contents_concern_what_reads_them(week_later: Project, what: str) -> None:
    if what == "picture":
        one, other = pictures(week_later)[0], pictures(week_later, "transport")[0]
        one.write_bytes(other.read_bytes() + b"more")
        planned = plan(week_later)
        assert [planned[rule] for rule in OWN] == [1, 1, 1]
        ran(run(week_later, "results/mine/data/index.csv"))  # its names are as they were
        planned = plan(week_later)
        assert [planned.get(rule, 0) for rule in OWN] == [0, 1, 1]
    else:
        vocabulary = week_later.folder / "encoder" / "tokenizer.json"
        vocabulary.write_text(vocabulary.read_text() + " ")
        planned = plan(week_later)
        assert "prepare_index" not in planned
        assert [planned[rule] for rule in OWN[1:]] == [1, 1]


def test_a_rerun_that_fails_takes_nothing_and_is_tried_again(week_later: Project) -> None:
    before = products(week_later)
    picture = pictures(week_later)[0]
    whole = picture.read_bytes()
    picture.write_bytes(b"no picture")
    done = run(week_later, "--keep-going")
    assert done.code == 1
    assert "1 of 50 samples cannot be used, more than max_skipped" in done.output
    assert products(week_later) == before
    assert plan(week_later)["prepare_task"] == 1
    again = run(week_later)
    assert again.code == 1, "the next run tries it again"
    picture.write_bytes(whole)
    ran(run(week_later))
    after = products(week_later)
    same = {name: value for name, value in before.items() if after[name] == value}
    assert {name for name in before if name.startswith("data/")} <= same.keys()
    assert plan(week_later) == {}


def test_a_file_added_while_a_run_is_on_is_seen_by_none_of_its_jobs_or_by_all(
    week_later: Project,
) -> None:
    task = add_task(week_later, "beasts")
    arguments = ["-m", "snakemake", f"results/mine/baseline/task_{task}.pt", "--cores", "1"]
    process = subprocess.Popen(
        [sys.executable, *arguments, *week_later.options],
        cwd=week_later.folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    data = week_later.folder / "results" / "mine" / "data"
    while not (data / "index" / f"{task}.csv").exists() and process.poll() is None:
        time.sleep(0.02)
    late = pictures(week_later, "beasts")[0]
    late.with_name("late.png").write_bytes(pictures(week_later)[0].read_bytes())
    assert process.wait(timeout=300) == 0
    from crossback_core.data import load_task

    made = load_task(data / f"task_{task}.pt")
    ids = {id_ for split in (made.train, made.validation, made.test) for id_ in split.ids}
    assert ids == set(pd.read_csv(data / "index" / f"{task}.csv")["id"])
    assert not any("late" in id_ for id_ in ids)
    assert plan(week_later, f"results/mine/baseline/task_{task}.pt") == dict.fromkeys(OWN, 1)


def test_ladders_are_given_back_and_nothing_is_planned_for_them(week_later: Project) -> None:
    ladders = week_later.folder / "results" / "mine" / "backbone"
    assert list(ladders.glob("*/ladder/*.pt"))
    assert ran(run(week_later, "clean_ladders")) == ["clean_ladders"]
    assert not list(ladders.glob("*/ladder"))
    assert plan(week_later) == {}


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let results be equal to the digit."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    yield
