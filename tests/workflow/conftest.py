"""Copies of the project for the tests of the workflow."""

import pytest
from snakemake_project import Project, copy_project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project with its own configuration, not run yet."""
    return Project(copy_project(tmp_path_factory.mktemp("project")))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project with the tiny configuration, not run yet."""
    folder = copy_project(tmp_path_factory.mktemp("tiny"))
    return Project(folder, ("--configfile", "tests/tiny.yaml"))
