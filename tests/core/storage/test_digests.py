"""A digest follows names and contents, and what is remembered of them is never wrong."""

import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossback_core.storage import digests
from crossback_core.storage.digests import digest_of
from crossback_core.storage.files import sha256


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "data"
    (folder / "cat").mkdir(parents=True)
    for name in ("cat/1.png", "cat/2.png", "labels.csv"):
        (folder / name).write_text(f"content of {name}")
    return folder


@pytest.fixture
def memory(tmp_path):
    return tmp_path / "state" / "memory"


@pytest.fixture
def settled(monkeypatch):
    """Let files be old when they are first read."""
    now = time.time_ns()
    monkeypatch.setattr(digests.time, "time_ns", lambda: now + 60_000_000_000)


@pytest.fixture
def read(monkeypatch):
    """List the files whose content is read."""
    names = []
    monkeypatch.setattr(digests, "sha256", lambda path: names.append(path.name) or sha256(path))
    return names


def digest(root, memory=None):
    return digest_of((it for it in root.rglob("*") if it.is_file()), root=root, memory=memory)


@given(st.permutations(["cat/1.png", "cat/2.png", "labels.csv", "labels.csv"]))
def test_order_and_repetition_do_not_matter(tmp_path_factory, names):
    root = tmp_path_factory.getbasetemp() / "ordered"
    (root / "cat").mkdir(parents=True, exist_ok=True)
    for name in names:
        (root / name).write_text(name)
    assert digest_of([root / name for name in names], root=root) == digest(root)


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "labels.csv").write_text("CONTENT of labels.csv"),
        lambda root: (root / "labels.csv").rename(root / "label.csv"),
        lambda root: (root / "cat/1.png").unlink(),
        lambda root: (root / "cat/3.png").write_text(""),
    ],
    ids=["same size", "name", "one less", "one more"],
)
def test_each_change_is_noticed(root, memory, settled, change):
    before = digest(root, memory)
    change(root)
    assert digest(root, memory) != before
    assert digest(root, memory) == digest(root)


@pytest.mark.usefixtures("settled")
def test_files_that_are_known_are_not_read_again(root, memory, read):
    before = digest(root, memory)
    read.clear()
    assert digest(root, memory) == before
    assert read == []
    (root / "labels.csv").write_text("CONTENT of labels.csv")
    digest(root, memory)
    assert read == ["labels.csv"]


@pytest.mark.usefixtures("settled")
def test_a_restored_modification_time_hides_nothing(root, memory):
    before = digest(root, memory)
    file = root / "labels.csv"
    was = file.stat()
    time.sleep(0.05)  # beyond the tick of the change time
    file.write_text("CONTENT of labels.csv")
    os.utime(file, ns=(was.st_atime_ns, was.st_mtime_ns))
    assert digest(root, memory) != before


@pytest.mark.usefixtures("settled")
def test_files_that_change_places_are_noticed(root, memory, monkeypatch):
    # Two folders unpacked within a tick: even the change times are the same.
    stamp = digests._stamp
    monkeypatch.setattr(digests, "_stamp", lambda path: [1, 2, 3, *stamp(path)[3:]])
    (root / "dog").mkdir()
    (root / "dog/1.png").write_text("content of dog/1.png")
    before = digest(root, memory)
    (root / "cat").rename(root / "x")
    (root / "dog").rename(root / "cat")
    (root / "x").rename(root / "dog")
    (root / "dog/2.png").rename(root / "cat/2.png")
    assert digest(root, memory) != before


@pytest.mark.parametrize("share", [False, True], ids=["own disk", "change times made up"])
def test_a_change_within_the_tick_of_the_last_one_is_noticed(root, memory, monkeypatch, share):
    def coarse(path):
        it = os.stat(path)
        seconds = (it.st_mtime_ns // 10**9, 0 if share else it.st_ctime_ns // 10**9)
        return [it.st_size, *(10**9 * time for time in seconds), 1]

    monkeypatch.setattr(digests, "_stamp", coarse)
    for word in ("one", "two", "six", "ten"):
        (root / "labels.csv").write_text(word)
        assert digest(root, memory) == digest(root)


@pytest.mark.parametrize("future", [0, 3600])
def test_only_settled_files_are_remembered(root, memory, read, future):
    for file in root.rglob("*.*"):
        os.utime(file, times=(time.time() + future,) * 2)
    digest(root, memory)
    assert not memory.exists()  # the change time is a moment ago, whatever the modification time


def test_a_modification_time_in_the_future_does_not_keep_a_file_unknown(root, memory, settled):
    for file in root.rglob("*.*"):
        os.utime(file, times=(time.time() + 3600,) * 2)
    digest(root, memory)
    assert memory.exists()


# with a hash that fits
WRONG = [b"[]", b'{"cat/1.png": 1}', b'{"cat/1.png": [[1, 2, 3, 4], null]}', b"[" * 9999]


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: b"",
        lambda whole: whole[: len(whole) // 2],
        lambda whole: whole.replace(b'"]', b'0"]', 1),
        lambda whole: whole[:-70] + bytes([whole[-70] ^ 1]) + whole[-69:],
        lambda whole: b"contents 2" + whole[10:],
        lambda whole: b"\xff\xfe\n{}",
        *(lambda whole, body=body: digests._header(body).encode() + b"\n" + body for body in WRONG),
    ],
    ids=["empty", "cut off", "longer", "one bit", "another version", "no text", *map(str, WRONG)],
)
def test_a_damaged_memory_is_made_again(root, memory, caplog, read, damage):
    before = digest(root, memory)
    memory.write_bytes(damage(memory.read_bytes()))
    read.clear()
    assert digest(root, memory) == before
    assert len(read) == 3
    assert "all files are read again" in caplog.messages[0] and len(caplog.messages) == 1
    digest(root, memory)
    assert len(read) == 3 and len(caplog.messages) == 1


@pytest.mark.usefixtures("settled")
def test_a_memory_that_cannot_be_written_costs_one_line(root, tmp_path, caplog):
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    assert digest(root, in_the_way / "memory") == digest(root)
    assert len(caplog.messages) == 2  # it can be neither read nor written


@pytest.mark.usefixtures("settled")
def test_a_full_disk_costs_one_line(root, memory, caplog, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert digest(root, memory) == digest(root)
    assert caplog.messages == [
        f"{memory} was not written (the disk is full): next time files are read again"
    ]
    assert not memory.exists()


@pytest.mark.usefixtures("settled")
def test_a_moved_folder_is_known_and_a_copy_is_read(root, memory, read):
    before = digest(root, memory)
    read.clear()
    assert digest(root.rename(root.with_name("moved")), memory) == before
    assert read == []
    shutil.copytree(root.with_name("moved"), root.with_name("copy"))
    assert digest(root.with_name("copy"), memory) == before
    assert len(read) == 3


@pytest.mark.usefixtures("settled")
def test_what_was_read_before_an_interruption_is_known(root, memory, read, monkeypatch):
    monkeypatch.setattr(digests, "_BATCH", 1)

    def interrupted(path):
        if path.name == "labels.csv":
            raise KeyboardInterrupt
        return sha256(path)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(digests, "sha256", interrupted)
        digest(root, memory)
    assert digest(root, memory) == digest(root)
    assert read[0] == "labels.csv" and len(read) == 1 + 3


def test_several_processes_share_a_memory(root, memory):
    for number in range(300):
        (root / f"{number}.txt").write_text(str(number))
    with ProcessPoolExecutor(4, get_context("spawn")) as pool:
        found = set(pool.map(digest_as_if_later, [root] * 8, [memory] * 8))
    assert found == {digest(root)}
    assert len(digests._recall(memory)) == 303
    assert os.listdir(memory.parent) == [memory.name]


def digest_as_if_later(root, memory):
    digests._TICK = -(10**12)
    return digest(root, memory)


def test_a_file_that_vanished_is_named(root):
    with pytest.raises(FileNotFoundError, match=r"data/gone.png: .* is its folder changing\?$"):
        digest_of([root / "gone.png"], root=root)


def test_a_file_that_vanishes_before_it_is_read_is_named(root, monkeypatch):
    stamp = digests._stamp

    def vanish(path):
        found = stamp(path)
        path.unlink()
        return found

    monkeypatch.setattr(digests, "_stamp", vanish)
    with pytest.raises(FileNotFoundError, match=r"labels.csv.*: .* is its folder changing\?$"):
        digest_of([root / "labels.csv"], root=root)


def test_a_file_outside_is_refused(root, tmp_path):
    with pytest.raises(ValueError, match="is not in the subpath"):
        digest_of([tmp_path / "file"], root=root)


def test_a_name_that_is_not_unicode_is_no_obstacle(root, memory, settled):
    (root / os.fsdecode(b"\xff.png")).write_text("")
    assert digest(root, memory) == digest(root, memory) == digest(root)


def test_a_long_wait_is_explained_once(root, caplog, monkeypatch):
    monkeypatch.setattr(digests, "_LONG", 0.01)
    monkeypatch.setattr(digests, "sha256", lambda path: time.sleep(0.05) or sha256(path))
    digest(root)
    assert caplog.messages == [
        f"reading 3 files (0.0 GB) of {root} once, to know later whether they changed"
    ]


def test_a_short_wait_is_not_explained(root, caplog, monkeypatch):
    monkeypatch.setattr(digests, "_LONG", 0.2)
    digest(root)
    time.sleep(0.3)
    assert caplog.messages == []


def test_nothing_heavy_is_imported():
    heavy = "{'torch', 'pandas', 'numpy'}"
    code = f"import sys, crossback_core.storage.digests; assert not {heavy} & {{*sys.modules}}"
    subprocess.run([sys.executable, "-c", code], check=True)
