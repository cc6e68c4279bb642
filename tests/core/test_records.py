"""Records are written whole, read strictly, and say where a result comes from."""

from __future__ import annotations

import hashlib
import json
import platform
from pathlib import Path
from typing import Any

import pytest
import recorded
import tiny
import torch

import crossback_core
from crossback_core import NUMERICS
from crossback_core.records import (
    RECORD_FORMAT,
    BaselineRecord,
    PairRecord,
    Record,
    SelectionRecord,
    TargetRecord,
    origin,
    read_record,
    write_record,
)
from crossback_core.selection.choice import Choice, Ranked


@pytest.mark.parametrize(
    "record", [recorded.baseline(), recorded.target("3"), recorded.kept("5")], ids=lambda r: type(r)
)
def test_a_record_comes_back_as_it_went(record: Record, tmp_path: Path) -> None:
    write_record(record, tmp_path / "record.json")
    assert read_record(type(record), tmp_path / "record.json") == record


def test_what_determined_a_result_stands_last(tmp_path: Path) -> None:
    write_record(recorded.baseline(), tmp_path / "record.json")
    keys = list(json.loads((tmp_path / "record.json").read_text()))
    assert keys[0] == "format" and keys[-3:] == ["settings", "versions", "parents"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"format": 99},
            f"record of format 99; crossback_core .* reads format {RECORD_FORMAT}: remove the file",
        ),
        ({"format": None}, "record of format null"),
        (
            {"verdict": "luck"},
            "verdict: 'luck' is not allowed; one of helps, undecided, hurts, no candidate",
        ),
        ({"target": 3}, "target: 3 is not allowed; it must be text"),
        ({"test_accuracy": "high"}, "test_accuracy: 'high' is not allowed; it must be a number"),
        ({"sparsity": 1.5}, "sparsity: 1.5 is not allowed; it must be at most 1"),
        ({"test_accuracy": float("nan")}, "NaN is not a JSON number"),
        ({"seconds": -1}, "seconds: -1 is not allowed; it must be at least 0"),
        ({"classes": {"3": ["a", "a"]}}, "classes.3: a is given more than once"),
        ({"classes": {"3": "ab"}}, "classes.3: 'ab' is not allowed; it must be a list"),
        ({"score": "\x1b[2J"}, r"score: '\\x1b\[2J' is not .* text without control characters"),
        (
            {f"luck {number}": 1 for number in range(10_000)},
            r"luck 0: unknown.*\.\.\.\): remove it$",
        ),
        ({"luck": 1}, "luck: unknown key 'luck'"),
        ({"earlier_tasks": [{"task": "29"}]}, "earlier_tasks.0.logits_identical: is missing"),
    ],
)
def test_a_record_that_is_none_is_refused_by_name(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "target_3.json"
    write_record(recorded.target("3"), path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ValueError, match=f"target_3.json .*{message}") as caught:
        read_record(TargetRecord, path)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("backbone", "\x1b[2J", r"backbone: '\\x1b\[2J' .* without control characters"),
        ("backbone", None, "the backbone None is not what the ranking says"),
        ("minimum", 0.5, "the backbone 29 is not what the ranking says"),  # not above it
        ("candidates", "some", "candidates: 'some' is not allowed; one of"),
        ("ranking", "29", "ranking: '29' is not allowed; it must be a list"),
    ],
)
def test_a_choice_that_is_none_is_refused(
    place: str, value: object, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "selection_3.json"
    choice = Choice(
        "3", "image", "29", "image", 0.5, "knn", None, "all", (Ranked("29", "image", 0.5),)
    )
    write_record(SelectionRecord(**vars(choice), settings={}, versions={}, parents={}), path)
    path.write_text(json.dumps(json.loads(path.read_text()) | {place: value}))
    with pytest.raises(ValueError, match=f"selection_3.json .*{message}"):
        read_record(SelectionRecord, path)


def test_a_record_of_the_version_before_has_no_format(tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    path.write_text('{"task": "3", "validation_accuracy": 0.5}')
    with pytest.raises(
        ValueError, match=f"version 0.1 or older.* reads format {RECORD_FORMAT}: remove"
    ):
        read_record(BaselineRecord, path)


@pytest.mark.parametrize("content", ["[1]", "3"])
def test_what_is_no_record_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "pair.json").write_text(content)
    with pytest.raises(ValueError, match="pair.json holds a .*, not a record"):
        read_record(PairRecord, tmp_path / "pair.json")


def test_everything_that_determined_a_result(tmp_path: Path) -> None:
    (tmp_path / "task.pt").write_bytes(b"the data")
    made = origin(
        settings={"training": tiny.ADAMW, "width": 1.5}, parents={"task_file": tmp_path / "task.pt"}
    )
    assert made["settings"]["training"]["learning_rate"] == tiny.ADAMW.learning_rate
    assert made["settings"]["width"] == 1.5
    assert made["versions"] == {
        "crossback_core": crossback_core.__version__,
        "numerics": NUMERICS,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
    parent = made["parents"]["task_file"]
    assert parent.path == str(tmp_path / "task.pt")
    assert parent.sha256 == hashlib.sha256(b"the data").hexdigest()


def test_a_parent_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="none.pt"):
        origin(settings={}, parents={"task_file": tmp_path / "none.pt"})
