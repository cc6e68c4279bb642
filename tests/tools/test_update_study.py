"""The page of the study says what its tables say."""

from __future__ import annotations

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

import update_study

TEXT = update_study.PAGE.read_text(encoding="utf-8")


def test_the_page_is_what_its_tables_make_it() -> None:
    assert update_study.with_tables(TEXT, update_study.KEPT) == TEXT


def test_every_table_of_the_page_is_filled_and_every_figure_there() -> None:
    filled = set(re.findall(r"<!-- table: (\w+) -->\n\| ", TEXT))
    assert filled == {"scores", "gains", "joint", "baselines"}
    linked = re.findall(r"\]\((study/[\w.]+)\)", TEXT)
    assert linked and all((update_study.PAGE.parent / path).is_file() for path in linked)
