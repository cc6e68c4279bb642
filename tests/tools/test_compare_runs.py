import json
import shutil
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

import compare_runs

from crossback_core.storage.archive import save_archive


def run(folder: Path) -> Path:
    """Write the results of a run."""
    (folder / "baseline").mkdir(parents=True)
    payload = {"weights": {"a": torch.arange(6.0)}, "record": json.dumps({"seconds": 1, "seed": 2})}
    save_archive(payload | {"digest": "x"}, folder / "baseline" / "task_1.pt")
    (folder / "target_3.json").write_text('{"test_accuracy": 0.1, "none": null, "seconds": 3.5}')
    (folder / "summary.csv").write_text("target,gain,seconds\n3,0.25,7\n8,,9\n")
    (folder / "summary.txt").write_text("a table")
    (folder / "similarity.csv").write_text("target,candidate,knn,made_from\n3,1,0.5,a7\n")
    (folder / "candidates.csv").write_text("candidate,contents\n1,0a 1b\n")
    return folder


@pytest.fixture
def before(tmp_path) -> Path:
    return run(tmp_path / "before")


@pytest.fixture
def after(before) -> Path:
    return Path(shutil.copytree(before, before.with_name("after")))


def compared(before: Path, after: Path) -> list[str]:
    return compare_runs.compare(before, after, frozenset(compare_runs.OF_THE_RUN))[1]


def test_what_tells_of_the_run_alone_may_differ(before, after, monkeypatch, capsys):
    archive = compare_runs.load_archive(after / "baseline" / "task_1.pt")
    archive |= {"record": '{"seconds": 8, "seed": 2}', "digest": "y"}
    save_archive(archive, after / "baseline" / "task_1.pt")
    (after / "target_3.json").write_text('{"seconds": 1, "none": null, "test_accuracy": 0.1}')
    (after / "summary.csv").write_text("target,gain,seconds\n3,0.25,1\n8,,2\n")
    (after / "summary.txt").write_text("another table")
    (after / "similarity.csv").write_text("target,candidate,knn,made_from\n3,1,0.5,b8\n")
    (after / "candidates.csv").write_text("candidate,contents\n1,0a 2c\n")
    monkeypatch.setattr(sys, "argv", ["compare_runs", str(before), str(after)])
    assert compare_runs.main() == 0
    assert capsys.readouterr().out == "5 files in both, 0 differences\n"


@pytest.mark.parametrize(
    ("file", "old", "new", "found"),
    [
        ("target_3.json", "0.1", "0.10000000000000002", "test_accuracy: 0.1 and 0.1000000000000"),
        ("target_3.json", '"none"', '"nil"', "only before"),
        ("summary.csv", "0.25", "0.250001", "summary.csv/gain/0: '0.25' and '0.250001'"),
        ("summary.csv", "8,,9\n", "", "2 and 1 entries"),
    ],
)
def test_a_number_that_differs_is_named(before, after, file, old, new, found):
    (after / file).write_text((after / file).read_text().replace(old, new))
    assert any(found in line for line in compared(before, after))


def test_a_tensor_that_differs_in_its_last_bit_is_named(before, after):
    changed = torch.arange(6.0)
    changed[5] = torch.nextafter(changed[5], torch.tensor(9.0))
    archive = compare_runs.load_archive(after / "baseline" / "task_1.pt")
    save_archive(archive | {"weights": {"a": changed}}, after / "baseline" / "task_1.pt")
    (line,) = compared(before, after)
    assert line.startswith("baseline/task_1.pt/weights/a: 1 values differ, by up to 4.7")


def test_files_of_one_run_alone_are_named(before, after, monkeypatch):
    (after / "target_3.json").unlink()
    assert compared(before, after) == [f"target_3.json: only in {before}"]
    monkeypatch.setattr(sys, "argv", ["compare_runs", str(before), str(after / "none")])
    with pytest.raises(SystemExit):
        compare_runs.main()
