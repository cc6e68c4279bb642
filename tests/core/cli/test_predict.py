"""The command `predict`: what the library finds, as a table, as JSON and as CSV."""

import csv
import io
import json
import os
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import tiny
from PIL import Image

import crossback_core
from crossback_core.checkpoint.network_file import save_checkpoint
from crossback_core.data.recipe import Recipe
from crossback_core.data.task_file import save_task


@pytest.fixture
def pictures(tmp_path):
    """A folder of two pictures."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, name in enumerate(("a.png", "b.png")):
        values = np.full((4, 4, 3), 200 * number, np.uint8)
        Image.fromarray(values).save(folder / name)
    return folder


def test_a_folder_is_a_table_of_the_likely_classes(call, model, pictures):
    done = call("predict", model, pictures, "--top", 2)
    assert done.exit_code == 0, done.stderr
    found = crossback_core.load(model).predict([pictures / "a.png", pictures / "b.png"])
    rows = [line.split(maxsplit=2) for line in done.stdout.splitlines()]
    assert rows[0] == ["input", "probability", "class"]
    assert rows[1] == [str(pictures / "a.png"), f"{found[0].probabilities[0]:.1%}",
                       found[0].classes[0]]  # fmt: skip
    assert [row[0] for row in rows[2:]][1] == str(pictures / "b.png") and len(rows) == 5
    assert done.stderr == "By task 1, the newest; --task: 2\n"


def test_json_and_csv_hold_the_same(call, model, pictures):
    (found,) = json.loads(call("predict", model, pictures / "a.png", "--format", "json").stdout)
    text = call("predict", model, pictures / "a.png", "--format", "csv").stdout
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["class"], float(row["probability"])) for row in rows] == [
        (each["class"], pytest.approx(each["probability"])) for each in found["classes"]
    ]
    assert len(rows) == 3 and (found["task"], found["problem"]) == ("1", None)
    assert found["task_name"] is None and rows[0]["task_name"] == ""


def test_a_sentence_goes_to_the_task_that_is_named(call, model):
    done = call("predict", model, "w1 nothing w2", "--task", "2", "--format", "json")
    (found,) = json.loads(done.stdout)
    assert found["tokens"] == {"read": 3, "unknown": 1, "new": 0, "cut": 0}
    done = call("predict", model, "w1 nothing w2", "--task", "2")
    told = "unknown to the encoder of this task: 1; in no text that the task was trained on: 0"
    assert f"Warning: of 3 tokens, {told}\n" in done.stderr


def test_tasks_are_shown_and_found_by_their_names(call, images, texts, tmp_path):
    data = replace(images, name="bright things")
    network = tiny.network(replace(texts, name="words"), data)
    save_checkpoint(network, tmp_path / "net.pt")
    done = call("predict", tmp_path / "net.pt", "w1 w2", "--task", "words", "--format", "json")
    (found,) = json.loads(done.stdout)
    assert (found["task"], found["task_name"]) == ("2", "words")
    done = call("predict", tmp_path / "net.pt", "w1 w2")
    assert "but task 1 (bright things) reads modality image: give --task 2\n" in done.stderr
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    done = call("predict", tmp_path / "net.pt", tmp_path / "a.png")
    assert done.stderr == "By task 1 (bright things), the newest; --task: 2 (words)\n"
    inspected = call("inspect", tmp_path / "net.pt").stdout
    described = json.loads(call("inspect", tmp_path / "net.pt", "--format", "json").stdout)
    assert [each["task_name"] for each in described["tasks"]] == ["words", "bright things"]
    assert re.search(
        r"^ +1  2 \(words\) +text .*\n +2  1 \(bright things\) +image ", inspected, re.M
    )
    save_task(data, tmp_path / "task.pt")
    done = call("evaluate", tmp_path / "net.pt", tmp_path / "task.pt", "--allow-seen")
    assert done.stdout.splitlines()[1].startswith("1 (bright things)  test ")


def test_an_input_of_another_modality_is_refused_by_the_option(call, model, tmp_path):
    (tmp_path / "note.txt").write_text("w1 w2")
    done = call("predict", model, tmp_path / "note.txt")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: /")
    assert done.stderr.endswith(
        " is of modality text, but task 1 reads modality image: give --task 2\n"
    )


def test_what_cannot_be_read_is_told_and_keeps_no_other_from_it(call, model, pictures):
    (pictures / "c.png").write_bytes(b"none")
    done = call("predict", model, pictures, "--top", 1)
    assert done.exit_code == 1
    rows = done.stdout.splitlines()[1:]
    assert len(rows) == 3 and rows[2].split()[:3] == [str(pictures / "c.png"), "not", "read"]
    assert (
        done.stderr.splitlines()[-1] == "Error: 1 of 3 inputs could not be read: each row says why"
    )


@pytest.mark.parametrize("given", ["pictuers", "pictuers/a", "my pictuers/a", "a.pgn"])
def test_the_path_of_nothing_is_no_sentence_for_a_task_of_pictures(call, model, pictures, given):
    for others in ((), (pictures,)):
        done = call("predict", model, *others, given)
        assert (done.exit_code, done.stdout) == (1, "")
        assert done.stderr == f"Error: there is no file or folder {given}\n"


def test_csv_begins_with_what_people_look_for_and_holds_nothing_that_a_terminal_obeys(call, model):
    done = call("predict", model, "w1\x1b[2J w2", "--task", "2", "--format", "csv", "--top", 1)
    assert done.exit_code == 0, done.stderr
    head, row = done.stdout.splitlines()
    assert head == "source,class,probability,rank,task,task_name,tokens,unknown,new,cut,problem"
    assert row.startswith("w1\\x1b[2J w2,class ")


def test_a_sentence_may_be_longer_than_a_path(call, model):
    done = call("predict", model, "w1 " * 2000, "--task", "2", "--format", "csv")
    assert done.exit_code == 0, done.stderr


def test_nothing_is_no_path_of_the_present_folder(call, model, pictures, monkeypatch):
    monkeypatch.chdir(pictures)
    done = call("predict", model, "")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "Error: input 1 is empty: give a path\n"
    done = call("predict", model, "", "--task", "2")
    assert done.exit_code == 1 and "not read  empty text" in done.stdout


def test_an_encoder_that_is_gone_is_asked_for_by_the_option(call, tmp_path):
    values = {"encoder": str(tmp_path / "none"), "digest": "ab" * 32, "representation": "tokens",
              "text_length": 8, "longest": 5}  # fmt: skip
    texts = tiny.task_data("2", "text")
    trained = {"trained": texts.recipe.arrays["trained"]}
    data = replace(texts, recipe=Recipe(values, trained))
    save_checkpoint(tiny.network(data), tmp_path / "net.pt")
    done = call("predict", tmp_path / "net.pt", "w1")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "is not here: give its folder as --encoder, or" in done.stderr


def test_a_warning_of_a_library_is_one_line(call, model, tmp_path):
    Image.new("1", (10_000, 10_000)).save(tmp_path / "giant.png")
    words = "from crossback_core.cli.app import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", words, "predict", model, tmp_path / "giant.png"],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 1
    assert [line.partition(" (")[0] for line in done.stderr.splitlines()] == [
        "Warning: Image size",
        "By task 1, the newest; --task: 2",
        "Error: 1 of 1 input could not be read: each row says why",
    ]


@pytest.mark.parametrize(("task", "given"), [("1", "a.png"), ("2", "w1 w2")])
def test_an_encoder_that_is_not_looked_at_is_refused(
    call, model, pictures, monkeypatch, task, given
):
    monkeypatch.chdir(pictures)
    done = call("predict", model, given, "--task", task, "--encoder", "some")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "Error: the task reads without an encoder: leave out 'some'\n"
