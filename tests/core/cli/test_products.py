"""What the commands say about one product."""

import json

import pytest
import tiny

import crossback_core
from crossback_core.checkpoint.network_file import save_checkpoint
from crossback_core.data.task_file import save_task
from crossback_core.storage.files import sha256


def test_inspect_shows_tasks_owners_and_lineage(call, model):
    done = call("inspect", model)
    assert done.exit_code == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"{model}: 2 tasks, ")
    assert lines[1] == f"sha256 {sha256(model)}"
    assert [line.split() for line in lines[3:6]] == [
        ["number", "task", "modality", "width", "owned", "picked", "classes"],
        ["1", "2", "text", "1.00", "100.0%", "0.0%", "2:", "class", "0,", "class", "1"],
        ["2", "1", "image", "1.00", "0.0%", "100.0%", "3:", "class", "0,", "class", "1,", "class",
         "2"],
    ]  # fmt: skip
    assert "Verdict of target 1: helps." in lines
    assert "Made by numerics 3." in lines
    assert lines[-1].split() == ["baseline", "results/x/baseline/task_1.pt", "ab" * 6]


def test_inspect_as_json_says_the_same_whole(call, model):
    found = json.loads(call("inspect", model, "--format", "json").stdout)
    network = crossback_core.load(model).network
    assert [(each["number"], each["task"], each["classes"]) for each in found["tasks"]] == [
        (1, "2", ["class 0", "class 1"]),
        (2, "1", ["class 0", "class 1", "class 2"]),
    ]
    shares = [network.ownership.weights.shares(place) for place in (1, 2)]
    assert [(each["owned"], each["picked"]) for each in found["tasks"]] == [
        (each.owned, each.picked) for each in shares
    ]
    assert found["parents"]["baseline"]["sha256"] == "ab" * 32
    assert (found["values"], found["bytes"]) == (network.stored_values(), model.stat().st_size)


def test_evaluate_is_that_of_the_library(call, model, images, tmp_path):
    save_task(images, tmp_path / "task.pt")
    found = crossback_core.load(model).evaluate(images)
    done = call("evaluate", model, tmp_path / "task.pt", "--format", "json")
    assert json.loads(done.stdout) == {
        **{"task": "1", "task_name": None, "split": "test"},
        **found,
    }
    shown = call("evaluate", model, tmp_path / "task.pt").stdout.splitlines()[1].split()
    assert shown[:3] == ["1", "test", f"{found['accuracy']:.1%}"]


def test_seen_test_samples_are_refused_with_the_option_that_measures_them(
    call, model, images, tmp_path
):
    from dataclasses import replace

    save_task(replace(images, test=images.train), tmp_path / "task.pt")
    done = call("evaluate", model, tmp_path / "task.pt")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == (
        "Error: 12 of 12 test samples of task 1 are among those that the network was trained or"
        " validated on: give others, or measure them on purpose with --allow-seen\n"
    )
    assert call("evaluate", model, tmp_path / "task.pt", "--allow-seen").exit_code == 0


def test_export_writes_a_task_and_refuses_to_overwrite_it(call, model, tmp_path):
    words = ["export", model, "--task", "1", "--to", tmp_path / "to", "--format"]
    done = call(*words, "onnx")
    assert done.exit_code == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines[:3]] == [
        "file",
        str(tmp_path / "to" / "task_1.onnx"),
        str(tmp_path / "to" / "task_1.md"),
    ]
    assert lines[3].startswith("Task 1: on 12 random inputs the logits of onnxruntime differ by ")
    again = call(*words, "both")
    assert again.exit_code == 1
    assert again.stderr == (
        f"Error: already there: {tmp_path}/to/task_1.onnx, {tmp_path}/to/task_1.md;"
        " give --force to overwrite\n"
    )


def test_what_a_record_says_does_not_reach_the_screen_as_it_is(call, images, tmp_path):
    record = {
        "target": "1\x1b[31m",
        "verdict": "\x1b]0;x\x07",
        "versions": {"a\x9b2J\nb": "1"},
        "parents": {"r": {"path": "p\x1b[5m", "sha256": "ab"}},
    }
    save_checkpoint(tiny.network(images), tmp_path / "odd.pt", record)
    done = call("inspect", tmp_path / "odd.pt")
    assert done.exit_code == 0, done.stderr
    assert all(each.isprintable() for each in done.stdout.replace("\n", ""))
    assert "Verdict of target 1\\x1b[31m: \\x1b]0;x\\x07." in done.stdout


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        ({"versions": "abc"}, "entry versions is a str, not a dict"),
        ({"parents": [1]}, "entry parents is a list, not a dict"),
        ({"parents": {"x": "y"}}, "entry x is a str, not a dict"),
        ({"parents": {"x": {"path": "y"}}}, "entry sha256 is missing"),
        ({"verdict": 3}, "entry verdict is a int, not a str"),
    ],
)
def test_a_record_of_another_program_is_refused(call, images, tmp_path, record, problem):
    save_checkpoint(tiny.network(images), path := tmp_path / "odd.pt", record)
    done = call("inspect", path)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == f"Error: {path}: its record is none of the workflow: {problem}\n"
