"""Bring pages that lie elsewhere into the site: those of the root, and one a room from docstrings.

MkDocs loads this file as a hook (mkdocs.yml). Links are written for readers of the repository; here
they are turned to where the pages are in the site.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
CORE = ROOT / "crossback_core"
# By their path in the repository: pages, and files that pages link to.
BROUGHT = {
    "README.md": "index.md",
    "SECURITY.md": "security.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "data/icons/README.md": "icons.md",
    "CITATION.cff": "CITATION.cff",
    "LICENSE": "LICENSE",
    "slurm/config.yaml": "slurm.yaml",
}
PLACES = {place: path for path, place in BROUGHT.items()}
LINK = re.compile(r"(?<=\]\()([^)#:\s]+)(?=[)#])")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the pages of the Python interface at the end of the navigation."""
    assert config.nav is not None
    config.nav.append({"Python interface": [place for place, _ in api_pages()]})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what does not lie in docs/."""
    for path, place in BROUGHT.items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / path)))
    for place, text in api_pages():
        files.append(File.generated(config, place, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn the links of a page."""
    here = page.file.src_uri
    source = PLACES.get(here, f"docs/{here}")

    def turned(link: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), link[1]))
        place = BROUGHT.get(path, path.removeprefix("docs/"))
        return posixpath.relpath(place, posixpath.dirname(here) or ".")

    return LINK.sub(turned, markdown)


def api_pages() -> Iterator[tuple[str, str]]:
    """Yield the pages of the Python interface: what users import first, then one a room."""
    yield "api/index.md", documented("crossback_core", submodules=False)
    for room in rooms():
        yield f"api/{room}.md", documented(f"crossback_core.{room}")


def rooms() -> list[str]:
    """Return the packages and modules of the core."""
    found = (
        path for path in CORE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    )
    return sorted(path.stem for path in found if path.stem != "__init__")


def documented(name: str, *, submodules: bool = True) -> str:
    """Return the directive that documents a module."""
    return f"::: {name}\n    options:\n      show_submodules: {str(submodules).lower()}\n"
