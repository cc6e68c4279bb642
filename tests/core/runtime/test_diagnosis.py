"""What a machine has and lacks is told with what to do."""

import json
from importlib.metadata import PackageNotFoundError

import pytest
from typer.testing import CliRunner

from crossback_core.cli.app import app
from crossback_core.runtime import diagnosis


def finding(what, folder="."):
    return next(each for each in diagnosis.diagnose(folder) if each.what == what)


def lacking(name):
    raise PackageNotFoundError(name)


def test_here_nothing_is_missing_and_each_line_says_what_there_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["doctor", "--format", "json"])
    found = json.loads(done.stdout)
    assert [each["what"] for each in found] == [
        "Python", "PyTorch", "cores", "GPU", "Snakemake", "lock", "Slurm", "memory", "disk",
        "encoders", "ONNX",
    ]  # fmt: skip
    assert done.exit_code == 0
    assert all(each["found"] and (each["status"] == "ok" or each["advice"]) for each in found)


@pytest.mark.parametrize(
    ("in_project", "status", "code"), [(False, "warning", 0), (True, "error", 1)]
)
def test_snakemake_is_needed_where_a_workflow_is(tmp_path, monkeypatch, in_project, status, code):
    monkeypatch.setattr(diagnosis, "version", lacking)
    monkeypatch.chdir(tmp_path)
    if in_project:
        (tmp_path / "Snakefile").touch()
    found = finding("Snakemake")
    assert (found.status, found.found) == (status, "not installed: crossback run needs it")
    done = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == code
    assert "Do: make install, or pip install 'crossback-core[workflow]'" in done.stdout


def test_the_lock_of_a_run_that_was_killed_is_told(tmp_path):
    assert finding("lock", tmp_path).status == "ok"
    (tmp_path / ".snakemake/locks").mkdir(parents=True)
    (tmp_path / ".snakemake/locks/0.input.lock").touch()
    found = finding("lock", tmp_path)
    assert found.status == "warning" and found.advice.endswith("snakemake --unlock")


@pytest.mark.parametrize(
    ("there", "status", "words"),
    [
        ((), "ok", "not here: only crossback export needs it (pip install"),
        (("onnx",), "warning", "no onnxscript, onnxruntime"),
        (("onnx", "onnxscript", "onnxruntime"), "ok", "onnx, onnxscript, onnxruntime"),
    ],
)
def test_what_an_export_lacks_is_told(monkeypatch, there, status, words):
    monkeypatch.setattr(diagnosis, "find_spec", lambda name: name in there or None)
    found = finding("ONNX")
    assert found.status == status and found.found.startswith(words)


@pytest.mark.parametrize(("found", "status"), [("9.19.4", "warning"), ("10.0", "ok")])
def test_an_old_snakemake_is_told(tmp_path, monkeypatch, found, status):
    monkeypatch.setattr(diagnosis, "version", lambda name: found)
    assert finding("Snakemake", tmp_path).status == status


@pytest.mark.parametrize(
    ("there", "status", "found"),
    [
        ((), "ok", "not here: only --profile slurm needs it"),
        (("sbatch", "squeue"), "warning", "no scancel, sacct"),
        (("sbatch", "squeue", "scancel", "sacct"), "ok", "sbatch, squeue, scancel, sacct"),
    ],
)
def test_slurm_is_there_whole_or_not_at_all(monkeypatch, there, status, found):
    monkeypatch.setattr("shutil.which", lambda name: name if name in there else None)
    assert (finding("Slurm").status, finding("Slurm").found) == (status, found)


def test_a_gpu_that_torch_does_not_see_is_told(monkeypatch):
    monkeypatch.setattr(diagnosis, "has_gpu", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    assert finding("GPU").status == "warning" and "pytorch.org" in finding("GPU").advice
    monkeypatch.setattr(diagnosis, "has_gpu", lambda: False)
    assert finding("GPU").status == "ok"


def test_cached_encoders_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    (tmp_path / "models--org--bert").mkdir()
    assert finding("encoders").found == f"org/bert in {tmp_path}"
    (tmp_path / "models--org--bert").rmdir()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert finding("encoders").status == "warning"
