"""A training that is killed goes on where it was and ends with the same bits."""

import signal
import subprocess
import time
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from processes import SIGNALS, interrupt, start

pytestmark = pytest.mark.survival

PROGRAM = Path(__file__).with_name("train_until_killed.py")
EPOCHS = 40


def begin(folder: Path) -> subprocess.Popen[bytes]:
    """Start or go on with the training in a folder."""
    files = str(folder / "result.pt"), str(folder / "resume.pt")
    return start(str(PROGRAM), *files, str(EPOCHS), folder=folder, output=folder / "log")


def wait_for_epochs(process: subprocess.Popen[bytes], log: Path, count: int) -> None:
    """Wait until a process has finished so many epochs more, or has ended."""
    while process.poll() is None and log.read_text().count("epoch ") < count:
        time.sleep(0.005)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("undisturbed")
    assert begin(folder).wait(timeout=300) == 0
    return (folder / "result.pt").read_bytes()


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_killed_training_ends_with_the_same_bits(
    number: signal.Signals, tmp_path: Path, undisturbed: bytes
) -> None:
    random, kills, resumed = Random(number), 0, 0
    for _ in range(4):
        process = begin(tmp_path)
        wait_for_epochs(process, tmp_path / "log", random.randrange(1, 12))
        time.sleep(random.uniform(0, 0.05))  # in an epoch, or while its state is being saved
        if process.poll() is None:
            interrupt(process, number)
            kills += 1
            assert process.returncode in (-number, 128 + number)
        resumed += "resumed after epoch" in (tmp_path / "log").read_text()
    assert begin(tmp_path).wait(timeout=300) == 0
    assert kills >= 2 and resumed >= 1
    assert (tmp_path / "result.pt").read_bytes() == undisturbed


def test_a_training_killed_while_it_saves_ends_with_the_same_bits(
    tmp_path: Path, undisturbed: bytes
) -> None:
    found: Counter[bool] = Counter()
    while found[True] < 2 and found.total() < 15:
        process = begin(tmp_path)
        while process.poll() is None and not (half := list(tmp_path.glob(".resume.pt.*.tmp"))):
            time.sleep(0)  # wait for the temporary file of a save
        if process.poll() is not None:
            break
        interrupt(process, signal.SIGKILL)
        found[any(path.exists() for path in half)] += 1
    assert begin(tmp_path).wait(timeout=300) == 0
    print(f"killed while a temporary file was there: {found[True]} of {found.total()} times")
    assert found[True] > 0
    assert (tmp_path / "result.pt").read_bytes() == undisturbed
    assert list(tmp_path.glob(".*.tmp")) == []


def test_damaged_resume_state_is_not_used(tmp_path: Path, undisturbed: bytes) -> None:
    process = begin(tmp_path)
    wait_for_epochs(process, tmp_path / "log", 3)
    interrupt(process, signal.SIGKILL)
    state = bytearray((tmp_path / "resume.pt").read_bytes())
    middle = len(state) // 2
    for position in range(middle, middle + 256):  # more than the padding, which nobody reads
        state[position] ^= 1
    (tmp_path / "resume.pt").write_bytes(state)
    assert begin(tmp_path).wait(timeout=300) == 0
    assert "cannot be resumed from" in (tmp_path / "log").read_text()
    assert (tmp_path / "result.pt").read_bytes() == undisturbed
