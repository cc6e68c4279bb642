"""The page of the study says what its tables say."""

from __future__ import annotations

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

import update_study


def test_the_page_is_what_its_tables_make_it() -> None:
    text = update_study.PAGE.read_text(encoding="utf-8")
    assert update_study.with_tables(text, update_study.KEPT) == text


def test_every_table_of_the_page_is_filled() -> None:
    text = update_study.PAGE.read_text(encoding="utf-8")
    names = {name for _, name, _ in update_study.MARKS.findall(text)}
    assert names == {"scores", "gains", "joint", "baselines"}
    assert all(re.search(rf"<!-- table: {name} -->\n\| ", text) for name in names)


def test_figures_and_tables_of_the_page_are_there() -> None:
    text = update_study.PAGE.read_text(encoding="utf-8")
    linked = re.findall(r"\]\((study/[\w.]+)\)", text)
    assert linked
    assert all((update_study.PAGE.parent / path).is_file() for path in linked)
