"""The command `run` finds the right words for Snakemake."""

import shutil
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from crossback_core.cli import project
from crossback_core.cli.app import app
from crossback_core.config.requests import results_of
from crossback_core.section import unknown

ROOT = Path(__file__).resolve().parents[3]


class Replaced(Exception):
    """Stands for the end of this process, which Snakemake replaces."""


@pytest.fixture
def started(tmp_path, monkeypatch):
    """Return what is started, in a folder with a workflow."""
    found = []

    def replace(path, words):
        found[:] = words
        raise Replaced

    monkeypatch.setattr("os.execv", replace)
    monkeypatch.chdir(tmp_path)
    Path("Snakefile").touch()
    shutil.copy(ROOT / "config.yaml", tmp_path)
    Path("more.yaml").write_text("datasets:\n  mine: {kind: folder}\n")
    return found


@pytest.mark.parametrize(
    ("words", "command"),
    [
        ("", "--cores all -q reason host"),
        ("icons 3 8", "results/icons/target_3.pt results/icons/target_8.pt --cores all"
         " -q reason host"),
        ("icons/3 --cores 2", "results/icons/target_3.pt --cores 2 -q reason host"),
        ("icons -n", "results/icons/summary.csv results/icons/report.html --cores all"
         " -n -q rules host"),
        ("study -- --profile slurm", "study --cores all --profile slurm -q reason host"),
        ("icons 3 -- -q all", "results/icons/target_3.pt --cores all -q all"),
        ("mine a -- --configfile=more.yaml",
         "results/mine/target_a.pt --cores all --configfile=more.yaml -q reason host"),
        ("mine a -- --configfile more.yaml -k",
         "results/mine/target_a.pt --cores all --configfile more.yaml -k -q reason host"),
    ],
)  # fmt: skip
def test_the_command_is_shown_and_takes_the_place_of_this_process(started, words, command):
    done = CliRunner().invoke(app, ["run", *words.split()])
    assert started[:3] == [sys.executable, "-m", "crossback_core.cli.start"]
    assert " ".join(started[3:]) == command
    assert done.stderr.splitlines()[0] == f"$ snakemake {command}"


def test_without_snakemake_the_error_says_what_to_install(started, monkeypatch):
    monkeypatch.setattr(project, "find_spec", lambda name: None)
    done = CliRunner().invoke(app, ["run", "icons"])
    assert (done.exit_code, started) == (1, [])
    assert done.stderr == (
        "Error: Snakemake is not installed in this environment, and the workflow needs it\n"
        "Hint: pip install 'crossback-core[workflow]', or activate the environment of"
        " `make install`\n"
    )


@pytest.mark.parametrize(
    ("words", "paths"),
    [
        (["icons", "3", "cub", "14"], ["results/icons/target_3.pt", "results/cub/target_14.pt"]),
        (["cub", "icons/3"],
         ["results/cub/summary.csv", "results/cub/report.html", "results/icons/target_3.pt"]),
        (["icons", "image-cats"], ["results/icons/target_image-cats.pt"]),
        (["results/icons/similarity.csv", "all"], ["results/icons/similarity.csv", "all"]),
        (["icons/a/b", "other/3"], ["icons/a/b", "other/3"]),
    ],
)  # fmt: skip
def test_words_are_targets_of_the_data_set_before_them(words, paths):
    assert results_of(words, ["icons", "cub"]) == paths


def test_an_unknown_data_set_is_told_with_those_there_are():
    with pytest.raises(ValueError) as raised:
        results_of(["icon", "3"], ["icons", "cub"])
    assert str(raised.value) == (
        "unknown data set 'icon' (did you mean 'icons'?); known: icons, cub; or give a path"
    )


def test_the_end_of_a_name_is_told_with_the_names_that_end_so():
    assert unknown("target", "pets", ["image-pets", "text-pets", "image-cars"]) == (
        "unknown target 'pets' (did you mean 'image-pets' or 'text-pets'?); known: image-pets,"
        " text-pets, image-cars"
    )


def test_an_empty_word_is_refused(started):
    done = CliRunner().invoke(app, ["run", "icons", ""])
    assert (done.exit_code, started) == (1, [])
    assert done.stderr == (
        "Error: one of the words is empty: leave it out, or give the id of a target\n"
    )


def test_several_problems_of_a_configuration_are_told_in_one_line(started):
    Path("config.yaml").write_text("run: [a]\nrun: [b]\nseed: 1_0\n")
    done = CliRunner().invoke(app, ["run", "icons"])
    assert (done.exit_code, started) == (1, [])
    assert done.stderr == (
        "Error: The configuration cannot be read as it stands: config.yaml:2: run is given more"
        " than once; config.yaml:3: seed: 1_0 is read as 10; write the number that is meant in"
        " plain digits\n"
    )
