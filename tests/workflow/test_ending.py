"""How a run ends on the screen: interrupted, failed, or in the place of another one."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from snakemake_project import ROOT

ENDING = "Interrupted; nothing is lost: start the same command again"
SNAKEFILE = f"""
include: "{ROOT}/rules/run.smk"


rule wait:
    output:
        "waited",
    log:
        "wait.log",
    shell:
        "touch started; sleep 600"


rule load:
    output:
        "loaded",
    log:
        "load.log",
    script:
        "load.py"


rule fail:
    output:
        "failed",
    log:
        "fail.log",
    shell:
        "echo '2026 x ERROR failed after 1 s: ValueError: no' > {{log}}; exit 1"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a workflow that ends as the project's does."""
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    (tmp_path / "load.py").write_text(
        "open('started', 'w').close()\nimport time\ntime.sleep(600)\n"
    )
    return tmp_path


def start(folder: Path, target: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "snakemake", target, "--cores", "1"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stderr=subprocess.STDOUT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def end(process: subprocess.Popen[str], folder: Path, number: signal.Signals) -> str:
    """Send a signal to all processes of a run, as a terminal does, once its job runs."""
    until = time.monotonic() + 300
    while not (folder / "started").exists() and process.poll() is None:
        assert time.monotonic() < until
        time.sleep(0.1)
    os.killpg(process.pid, number)
    return process.communicate(timeout=300)[0]


def test_an_interrupted_run_ends_with_one_line_and_no_lock(folder: Path) -> None:
    output = end(process := start(folder, "waited"), folder, signal.SIGINT)
    assert process.returncode == -signal.SIGINT, "a shell calls that 130"
    assert output.splitlines()[-1] == ENDING
    assert "Exception" not in output and "Error" not in output
    assert not list(folder.glob(".snakemake/locks/*"))


def test_a_job_that_was_still_loading_its_packages_says_nothing(folder: Path) -> None:
    output = end(start(folder, "loaded"), folder, signal.SIGINT)
    assert "Traceback" not in output and output.endswith(f"{ENDING}\n")


TWICE = """
import os, signal, threading

def press():
    os.kill(os.getpid(), signal.SIGINT)

def press_again():
    threading.main_thread().join()  # which waits for the other threads
    press()

threading.Thread(target=press_again).start()
press()
"""


@pytest.mark.parametrize(
    "pressed", ["import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n", TWICE]
)
def test_a_run_is_interrupted_while_the_workflow_is_read(folder: Path, pressed: str) -> None:
    (folder / "Snakefile").write_text(f"{SNAKEFILE}\n{pressed}")
    process = start(folder, "waited")
    assert process.communicate(timeout=300)[0] == f"{ENDING}\n"
    assert process.returncode == -signal.SIGINT


def test_after_a_kill_the_lock_is_told_with_what_to_do(folder: Path) -> None:
    end(start(folder, "waited"), folder, signal.SIGKILL)
    process = start(folder, "waited")
    output = process.communicate(timeout=300)[0]
    assert process.returncode == 1 and "LockException" not in output
    assert output.splitlines()[-2:] == [
        "Error: another run is going on in this folder, or one was killed: .snakemake/locks is not"
        " empty",
        "Hint: wait for it; after a kill, when its jobs have ended: snakemake --unlock",
    ]


def test_a_job_that_failed_is_told_in_a_line(folder: Path) -> None:
    process = start(folder, "failed")
    output = process.communicate(timeout=300)[0]
    assert process.returncode == 1
    assert output.splitlines()[-2:] == [
        "1 job failed:",
        "  fail: ValueError: no (full log: fail.log)",
    ]
    for words in ("RuleException", "Error in rule", "keep-incomplete", "Cannot restore", "did not"):
        assert words not in output
