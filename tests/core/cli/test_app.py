"""How the command `crossback` is called, and how it says what is wrong."""

import io
import os
import re
import signal
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from crossback_core import __version__
from crossback_core.cli import screen
from crossback_core.cli.app import DEBUG, app

COMMANDS = ("new", "run", "predict", "evaluate", "inspect", "export", "clean", "doctor")


@pytest.fixture(autouse=True)
def _plain(monkeypatch):
    """Take away what a terminal or a person may have set."""
    for name in (DEBUG, "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


def call(*words):
    return CliRunner().invoke(app, words, prog_name="crossback")


def test_help_loads_no_torch_and_shows_every_command():
    code = (
        "import sys\nfrom crossback_core.cli.app import main\n"
        "try:\n    main()\nfinally:\n    print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--help"], capture_output=True, text=True, check=True
    )
    heavy = {"torch", "pandas", "numpy", "transformers", "snakemake", "matplotlib", "scipy"}
    assert not heavy & set(done.stderr.split())
    listed = done.stdout.partition("Commands:\n")[2].split("\n")
    assert [line.split()[0] for line in listed if line] == list(COMMANDS)
    assert "..." not in done.stdout.partition("Commands:\n")[2], "no line is cut off"


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_has_examples_and_fits_80_columns(command):
    done = call(command, "--help")
    assert done.exit_code == 0
    examples = done.stdout.partition("  Examples:\n")[2].splitlines()
    assert examples and all(line.startswith(f"    crossback {command}") for line in examples)
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_without_a_command_there_is_the_help():
    done = call()
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == call("--help").stdout


def test_the_version():
    assert call("--version").stdout == f"crossback {__version__}\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["inspcet"], "Error: No such command 'inspcet'. Did you mean 'inspect'?\n"),
        (["inspect"], "Error: Missing argument 'MODEL'.\nHint: crossback inspect --help\n"),
        (["doctor", "--all"], "Error: No such option: --all\nHint: crossback doctor --help\n"),
    ],
)
def test_a_wrong_call_is_told_in_two_lines(words, told):
    done = call(*words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(told) and done.stderr.count("\n") == 2


def test_a_failure_is_one_line_and_with_debug_a_traceback(tmp_path, monkeypatch):
    path = tmp_path / "none.pt"
    done = call("inspect", str(path))
    assert done.exit_code == 1
    assert done.stderr == f"Error: {path} does not exist: make it first\n"
    monkeypatch.setenv(DEBUG, "")  # what --debug sets is taken back afterwards
    assert isinstance(call("--debug", "inspect", str(path)).exception, FileNotFoundError)


def test_a_fault_of_the_program_has_no_traceback_either(monkeypatch):
    monkeypatch.setattr("crossback_core.runtime.diagnosis.diagnose", lambda: 1 / 0)
    done = call("doctor")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == (
        "Error: ZeroDivisionError: division by zero\n"
        "Hint: crossback --debug COMMAND shows where it happened\n"
    )


class Terminal(io.StringIO):
    """A stream that says that a person looks at it."""

    def isatty(self):  # noqa: D102
        return True


@pytest.mark.parametrize(("no_colour", "coloured"), [(None, True), ("1", False)])
def test_colours_are_for_terminals(monkeypatch, no_colour, coloured):
    monkeypatch.setenv("TERM", "xterm-256color")
    if no_colour:
        monkeypatch.setenv("NO_COLOR", no_colour)
    for stream, expected in ((Terminal(), coloured), (io.StringIO(), False)):
        monkeypatch.setattr(sys, "stdout", stream)
        screen.table([{"": "ok", "what": "[red]a[/red]"}], styles="")
        assert ("\x1b[32m" in stream.getvalue()) == expected
        assert "[red]a[/red]" in stream.getvalue(), "names are shown as they are"


def test_a_table_is_as_wide_as_the_terminal_and_whole_in_a_pipe(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    row = {"number": "1", "classes": "cat, " * 30 + "end"}
    widths = {}
    for stream in (Terminal(), io.StringIO()):
        monkeypatch.setattr(sys, "stdout", stream)
        screen.table([row], right=("number",))
        assert "end" in stream.getvalue()
        lines = re.sub(r"\x1b\[\d+m", "", stream.getvalue()).splitlines()
        widths[stream.isatty()] = max(map(len, lines))
    assert widths[True] <= 40 < widths[False]


def test_what_a_terminal_would_act_on_is_shown_instead(monkeypatch):
    monkeypatch.setattr(sys, "stdout", stream := io.StringIO())
    screen.table([{"class": "a\x1b[2Jb"}])
    assert stream.getvalue() == "class\na\\x1b[2Jb\n"


def test_a_screen_that_has_only_ascii_shows_any_name_and_a_file_is_utf_8(tmp_path):
    code = (
        "from crossback_core.cli import screen; screen.show_any_name();"
        " screen.table([{'class': 'm\\xf6bel'}]); screen.note('\\xf6'); screen.data('\\xf6')"
    )
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, env=environment, check=True
    )
    assert done.stdout == b"class\nm\\xf6bel\n\\xf6\n\xc3\xb6\n"


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1000, "1.0 kB"), (2.14e6, "2.1 MB"),
     (99.6e6, "100 MB"), (999.9e6, "1.0 GB"), (3e15, "3000.0 TB")],
)  # fmt: skip
def test_sizes(count, text):
    assert screen.size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "1 second"), (119, "119 seconds"), (730, "12 minutes"), (8000, "2 hours"),
     (400_000, "5 days")],
)  # fmt: skip
def test_durations(seconds, text):
    assert screen.duration(seconds) == text


def test_the_command_ends_with_its_exit_code_as_a_process(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", "from crossback_core.cli.app import main; main()", "run"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"Error: {tmp_path} is not the folder of the project: it has no Snakefile and config.yaml\n"
        "Hint: cd to the clone of the repository\n"
    )


@pytest.mark.parametrize(("stream", "shown"), [(0, True), (1, False), (2, True)])
def test_a_command_started_without_a_stream_does_its_work(tmp_path, stream, shown):
    (tmp_path / "Snakefile").touch()
    (tmp_path / "config.yaml").touch()
    code = "from crossback_core.cli.start import main; main()"
    done = subprocess.run(
        ["bash", "-c", f'exec "$@" {stream}>&-', "bash", sys.executable, "-c", code, "clean"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert bool(done.stdout) == shown


PRESSED = """
import builtins, os, signal, sys

def press(*_):
    os.kill(os.getpid(), signal.SIGINT)

class Packages:  # of which one is still to be loaded
    def __init__(self, name):
        self.name = name

    def find_spec(self, name, *_):
        if name == self.name:
            self.name = None  # a second look for it is not interrupted
            press()

{deed}
from crossback_core.cli.start import main
main()
"""


@pytest.mark.parametrize(
    ("deed", "words", "shown"),
    [
        ("sys.meta_path.insert(0, Packages('typer'))", ["doctor"], ""),
        ("sys.meta_path.insert(0, Packages('numpy'))", ["doctor"], ""),  # PyTorch does without it
        (
            "import threading, time; threading.Thread(target=time.sleep, args=[600]).start();"
            " import crossback_core.runtime.diagnosis as it; it.diagnose = press",
            ["doctor"],
            "",
        ),
        (
            "import crossback_core.stages.cleaning as it; from pathlib import Path;"
            " it.find_spare = lambda _: [it.Spare('logs', Path('log'), 1)]; builtins.input = press",
            ["clean"],
            "Remove what is listed",
        ),
    ],
    ids=["loading", "loading PyTorch", "working", "asking"],
)
def test_ctrl_c_ends_any_command_in_a_line(tmp_path, deed, words, shown):
    (tmp_path / "Snakefile").touch()
    (tmp_path / "config.yaml").touch()
    done = subprocess.run(
        [sys.executable, "-c", PRESSED.format(deed=deed), *words],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "Interrupted\n")
    assert shown in done.stdout
