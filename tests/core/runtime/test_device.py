"""No two processes on one GPU; the GPUs are made up, the locks and processes are real."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import torch

from crossback_core.runtime import device as gpus

# Says its GPU, then keeps it until it is told to end.
HOLDER = """
import sys
from crossback_core.runtime import device as gpus
gpus.visible_gpus = lambda: ["GPU-a", "GPU-b"]
print(gpus.own_gpu().index, flush=True)
sys.stdin.read()
"""


@contextmanager
def holder(temporary: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a process that takes one of two GPUs."""
    environment = os.environ | {"TMPDIR": str(temporary)}
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process


def gpu_of(process: subprocess.Popen[str]) -> int:
    """Wait until a process has its GPU."""
    assert process.stdout is not None
    return int(process.stdout.readline())


@pytest.mark.slow
def test_each_process_has_its_own_gpu_and_a_killed_one_gives_it_back(tmp_path: Path) -> None:
    with ExitStack() as running:
        first, second = (running.enter_context(holder(tmp_path)) for _ in range(2))
        given = [gpu_of(first), gpu_of(second)]
        assert sorted(given) == [0, 1]
        third = running.enter_context(holder(tmp_path))
        locks = tmp_path / f"crossback-gpus-{os.getuid()}"
        assert gpus.take_free(["GPU-a", "GPU-b"], locks, 1) is None
        first.send_signal(signal.SIGKILL)
        first.wait()
        assert gpu_of(third) == given[0]
        assert gpus.take_free(["GPU-a", "GPU-b"], locks, 1) is None


def test_empty_gpus_come_before_shared_ones(tmp_path: Path) -> None:
    taken = [gpus.take_free(["GPU-a", "GPU-b"], tmp_path, 2) for _ in range(5)]
    assert [found and found[0] for found in taken] == [0, 1, 0, 1, None]


@pytest.mark.parametrize("text", ["0", "two", ""])
def test_an_impossible_share_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(gpus.PER_GPU, text)
    with pytest.raises(ValueError, match=f"{gpus.PER_GPU} is '{text}'; it must be a whole number"):
        gpus.processes_per_gpu()


def test_a_process_has_one_gpu_however_often_it_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpus.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(gpus, "visible_gpus", lambda: ["GPU-a", "GPU-b"])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(gpus, "_held", [])
    gpus.own_gpu.cache_clear()
    assert gpus.resolve_device("auto") == gpus.resolve_device("cuda") == torch.device("cuda", 0)
    gpus.own_gpu.cache_clear()


@pytest.mark.parametrize(("name", "available"), [("auto", False), ("cpu", True)])
def test_a_network_may_be_trained_without_a_gpu(
    name: str, available: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
    assert gpus.resolve_device(name).type == "cpu"


@pytest.mark.parametrize(
    ("visible", "sign", "found"),
    [(None, True, True), ("0,1", True, True), ("", True, False), (None, False, False)],
)
def test_a_gpu_is_known_by_its_driver_unless_it_is_hidden(
    visible: str | None, sign: bool, found: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if sign:
        (tmp_path / "driver").touch()
    monkeypatch.setattr(gpus, "_SIGNS", (str(tmp_path / "other"), str(tmp_path / "driver")))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert gpus.has_gpu() == found


def test_asking_for_a_gpu_does_not_load_torch() -> None:
    code = "import sys; from crossback_core.runtime.device import has_gpu; has_gpu();"
    code += "sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_gpu_that_is_not_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="device is cuda, but torch sees no GPU: set device to"):
        gpus.resolve_device("cuda")
