"""What a result's JSON says about where it comes from."""

from __future__ import annotations

import hashlib
import json
import platform

import pytest
import tiny
import torch
from crossback_core.provenance import provenance, resolve_device

import crossback_core
from crossback_core import NUMERICS


def test_everything_that_determined_a_result(tmp_path):
    (tmp_path / "task.pt").write_bytes(b"the data")
    record = provenance(
        seed=2,
        device=torch.device("cpu"),
        settings={"training": tiny.ADAMW, "width": 1.5},
        parents={"task_file": tmp_path / "task.pt"},
    )
    assert json.loads(json.dumps(record, allow_nan=False)) is not None
    assert (record["seed"], record["device"]) == (2, "cpu")
    assert record["threads"] == torch.get_num_threads()
    assert record["settings"]["training"]["learning_rate"] == tiny.ADAMW.learning_rate
    assert record["settings"]["width"] == 1.5
    assert record["versions"] == {
        "crossback_core": crossback_core.__version__,
        "numerics": NUMERICS,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
    assert record["parents"] == {
        "task_file": {
            "path": str(tmp_path / "task.pt"),
            "sha256": hashlib.sha256(b"the data").hexdigest(),
        }
    }


def test_a_parent_that_is_missing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="none.pt"):
        provenance(
            seed=2,
            device=torch.device("cpu"),
            settings={},
            parents={"task_file": tmp_path / "none.pt"},
        )


@pytest.mark.parametrize(
    ("name", "available", "device"),
    [("auto", True, "cuda"), ("auto", False, "cpu"), ("cpu", True, "cpu"), ("cuda", True, "cuda")],
)
def test_the_device(name, available, device, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
    monkeypatch.setattr("crossback_core.provenance.own_gpu", lambda: torch.device("cuda"))
    assert resolve_device(name).type == device


def test_a_gpu_that_is_not_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="device is cuda, but torch sees no GPU: set device to"):
        resolve_device("cuda")
