"""What a run tells at the screen."""

import os
from dataclasses import replace

import pytest
import recorded
from reporting import selection

from crossback_core.records import write_record
from crossback_core.report.outcome import end_of_run, outcome_line
from crossback_core.report.table import format_table, summary_table

STARTED = 1_000_000.0
THREE = replace(recorded.target("3").comparison, runs=3)


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (
            recorded.target("3", baseline_validation_accuracy=0.5),
            "target 3 of icons: 65.0% (own baseline 60.0%, gain +5.0 ± 8.0), built on network 29;"
            " verdict: helps",
        ),
        (
            recorded.target("3", comparison=THREE),
            "target 3 of icons: 65.0% (own baseline 60.0%, gain +5.0 ± 8.0 over 3 trainings), built"
            " on network 29; verdict: helps",
        ),
        (
            recorded.target("3", comparison=replace(THREE, judged_by="folds")),
            "target 3 of icons: 65.0% (own baseline 60.0%, gain +5.0 ± 8.0), built on network 29;"
            " verdict: helps",
        ),
        (
            recorded.kept("5"),
            "target 5 of icons: 60.0%, its own baseline, kept as network 29 hurts (on test"
            " +5.0 ± 8.0 points)",
        ),
        (
            recorded.without_candidate("5"),
            "target 5 of icons: 60.0%, its own baseline: no candidate has a score above the"
            " minimum",
        ),
        (
            replace(recorded.without_candidate("5"), test_accuracy=0.35),
            "target 5 of icons: 35.0%, its own baseline: no candidate has a score above the"
            " minimum; no better than guessing",
        ),
    ],
    ids=["built", "of three", "by folds", "kept", "no candidate", "guesses"],
)
def test_a_finished_target_is_one_line(record, words):
    assert outcome_line(record, dataset="icons") == words


def made(path, *, at):
    """Say that a file was written so long after the start."""
    os.utime(path, (STARTED + at, STARTED + at))


@pytest.fixture
def folder(tmp_path):
    """Return results with target 3 of this run and target 4 of one before."""
    for number, at in (("3", 1), ("4", -1)):
        write_record(recorded.target(number), tmp_path / f"target_{number}.json")
        made(tmp_path / f"target_{number}.json", at=at)
    return tmp_path


def test_a_target_made_alone_ends_with_its_row_of_the_table(folder):
    network = recorded.baseline(task="29", test_accuracy=0.8)
    write_record(network, folder / "baseline" / "task_29.json")
    chosen = selection(recorded.target("3"))
    tied = replace(chosen.ranking[1], similarity=chosen.similarity)
    tie = replace(chosen, ranking=(chosen.ranking[0], tied))
    write_record(tie, folder / "selection" / "target_3.json")
    lines = end_of_run(folder, since=STARTED, called={}).splitlines()
    frame = summary_table([recorded.target("3")], [network], [tie])
    whole = format_table(frame, folder=folder.as_posix(), called={})
    assert "Before pruning the backbones reached on their own tasks: 29 80.0%." in lines
    assert "Of equal candidates the first was chosen: for 3 (16 scored the same)." in lines
    assert lines == whole.splitlines()[:-1]  # there is no report
    assert lines[1].split()[:5] == ["3", "image", "image", "29", "0.971"]


def test_a_summary_that_was_made_stands_for_all_rows(folder):
    (folder / "summary.txt").write_text("the table")
    made(folder / "summary.txt", at=1)
    assert end_of_run(folder, since=STARTED, called={}) == "the table"
    made(folder / "summary.txt", at=-1)
    assert end_of_run(folder, since=STARTED, called={}).startswith("target modality")


def test_a_run_that_made_neither_shows_nothing(folder, tmp_path):
    assert end_of_run(folder, since=STARTED + 9, called={}) == ""
    assert end_of_run(tmp_path / "nowhere", since=STARTED, called={}) == ""
