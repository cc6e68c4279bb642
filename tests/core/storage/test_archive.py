"""Archives hold plain values and tensors, and nothing that runs."""

import os
import pickle
import subprocess
import sys
import zipfile
from collections import Counter
from copy import copy
from pathlib import Path

import pytest
import torch
from malicious import Malicious

from crossback_core.storage.archive import entry, load_archive, save_archive

PAYLOAD = {
    "name": "Läufer",
    "numbers": [1, 2.5, None, True, (3, 4)],
    "nested": {"weights": torch.arange(6.0).view(2, 3), 7: torch.tensor([True, False])},
    "half": torch.ones(3, dtype=torch.float16),
}


def test_values_and_tensors_come_back(tmp_path):
    path, other = tmp_path / "one.pt", tmp_path / "another name.pt"
    for each in (path, other):
        save_archive(PAYLOAD, each)
    assert path.read_bytes() == other.read_bytes()
    back = load_archive(path)
    path.write_bytes(b"\0" * path.stat().st_size)  # that would kill a process that maps the file
    assert back.keys() == PAYLOAD.keys()
    assert (back["name"], back["numbers"]) == (PAYLOAD["name"], PAYLOAD["numbers"])
    assert torch.equal(back["nested"]["weights"], PAYLOAD["nested"]["weights"])
    assert torch.equal(back["nested"][7], PAYLOAD["nested"][7])
    assert back["half"].dtype == torch.float16
    with pytest.raises(FileNotFoundError):
        load_archive(tmp_path / "none.pt")


INTERRUPTIONS = """
import random, signal, sys, time
import torch
from crossback_core.storage.archive import save_archive

def interrupt(number, frame):
    raise KeyboardInterrupt

signal.signal(signal.SIGALRM, interrupt)
payload = {str(number): torch.zeros(20_000) for number in range(20)}
moments, started, hits = random.Random(1), time.perf_counter(), 0
save_archive(payload, "file")
duration = time.perf_counter() - started
for _ in range(100):
    try:
        signal.setitimer(signal.ITIMER_REAL, moments.uniform(1e-5, duration))
        save_archive(payload, "file")
        signal.setitimer(signal.ITIMER_REAL, 0)
    except KeyboardInterrupt:
        hits += 1
print(hits)
"""


def test_an_interruption_at_any_moment_of_saving_is_an_interruption(tmp_path):
    """It ended in an abort or a RuntimeError of torch when it came in between two writes."""
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTIONS],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert len(load_archive(tmp_path / "file")) == 20


@pytest.mark.parametrize(
    "save", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))]
)
def test_code_is_never_run(save, tmp_path):
    mark, path = tmp_path / "mark", tmp_path / "one.pt"
    save({"weights": Malicious(mark)}, path)
    with pytest.raises(ValueError, match="plain values and tensors|no archive"):
        load_archive(path)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"model": torch.nn.Linear(1, 1)}, "more than plain values and tensors"),
        ({"counts": Counter("ab")}, "more than plain values and tensors"),
        ([torch.zeros(2)], "holds one list, not named entries"),
    ],
)
def test_other_archives_are_refused(value, message, tmp_path):
    torch.save(value, tmp_path / "one.pt")
    with pytest.raises(ValueError, match=message):
        load_archive(tmp_path / "one.pt")


def test_compressed_parts_are_refused(tmp_path):
    """Torch writes none: where a part says so a bit has flipped, as here in the list of parts."""
    path = tmp_path / "one.pt"
    save_archive(PAYLOAD, path)
    whole = bytearray(path.read_bytes())
    method = whole.rfind(b"PK\x01\x02") + 10
    assert whole[method] == 0
    whole[method] = 8
    path.write_bytes(whole)
    with pytest.raises(ValueError, match="its part .* says that it is compressed"):
        load_archive(path)


def overlapping(path: Path, times: int) -> None:
    """Let the list of parts name the same bytes again and again, under names that differ."""
    save_archive({"a": torch.zeros(50_000)}, path)
    with zipfile.ZipFile(path, "a") as archive:
        largest = max(archive.infolist(), key=lambda part: part.file_size)
        for number in range(times):
            again = copy(largest)
            again.filename = again.orig_filename = f"{largest.filename[:-1]}\x1b{number:x<{9}}"
            archive.filelist.append(again)
        archive._didModify = True


def test_parts_cannot_have_more_bytes_than_the_file(tmp_path):
    """They overlapped: 2.6 MB took 5.2 GB to check, and more to load."""
    path = tmp_path / "one.pt"
    overlapping(path, 1000)
    with pytest.raises(ValueError, match=f"claim more than the {path.stat().st_size} bytes"):
        load_archive(path)


def test_what_is_verified_is_what_is_loaded(tmp_path, monkeypatch):
    """Another job replaces the file in between: it was opened three times."""
    path = tmp_path / "one.pt"
    save_archive(PAYLOAD, path)
    verify = zipfile.ZipFile.testzip

    def replace_then_verify(archive):
        save_archive({"other": torch.zeros(10_000)}, path)
        return verify(archive)

    monkeypatch.setattr(zipfile.ZipFile, "testzip", replace_then_verify)
    assert load_archive(path).keys() == PAYLOAD.keys()


def test_entries_are_checked():
    assert entry(PAYLOAD, "name", str) == "Läufer"
    with pytest.raises(ValueError, match="^entry age is missing$"):
        entry(PAYLOAD, "age", int)
    with pytest.raises(ValueError, match="^entry name is a str, not a int$"):
        entry(PAYLOAD, "name", int)
    with pytest.raises(ValueError, match="^entry format is a bool, not a int$"):
        entry({"format": True}, "format", int)
