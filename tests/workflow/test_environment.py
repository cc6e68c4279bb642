"""The lock holds what the project needs, from any registry and for any machine."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "envs" / "requirements.txt"
TOOLS = ROOT / "envs" / "requirements-dev.txt"


def pinned(*paths: Path) -> dict[str, str]:
    """Versions by package name."""
    lines = [line for path in paths for line in path.read_text().splitlines()]
    rows = [re.fullmatch(r"([\w.-]+)==([\w.!]+)", line) for line in lines if line[0] != "#"]
    assert None not in rows, "a line is more than name==version"
    return {canonicalize_name(row[1]): row[2] for row in rows if row}


def test_every_dependency_is_pinned_within_its_bound() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    for paths, wanted in (
        ([LOCK], project["dependencies"] + extras["workflow"]),
        ([LOCK, TOOLS], extras["dev"]),
    ):
        versions = pinned(*paths)
        for requirement in map(Requirement, wanted):
            assert versions[canonicalize_name(requirement.name)] in requirement.specifier


def test_the_lock_suits_every_machine() -> None:
    assert not [name for name in pinned(LOCK) if name.startswith(("nvidia", "triton"))]
    assert not set(pinned(LOCK)) & set(pinned(TOOLS))
