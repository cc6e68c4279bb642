"""The page of the study says what its tables say."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

import update_study

TEXT = update_study.PAGE.read_text(encoding="utf-8")


def test_the_page_is_what_its_tables_make_it() -> None:
    assert update_study.with_tables(TEXT, update_study.KEPT) == TEXT


def test_every_table_of_the_page_is_filled_and_every_figure_there() -> None:
    both = {"gains", "scores", "signs", "verdicts"}
    filled = set(re.findall(r"<!-- table: ([\w/]+) -->\n\| ", TEXT))
    assert filled == {"baselines", "joint", *both, *(f"families/{name}" for name in both)}
    linked = re.findall(r"\]\((study/[\w./]+)\)", TEXT)
    assert linked and all((update_study.PAGE.parent / path).is_file() for path in linked)


def with_interval(name: str, value: float) -> dict[str, float]:
    """A mean and its interval of two points to either side."""
    return {name: value, f"{name}_low": value - 0.02, f"{name}_high": value + 0.02}


def test_a_mark_may_name_the_folder_of_another_study(tmp_path: Path) -> None:
    """Least regret first, no choice of two, and no column of what is not there."""
    rows = [
        {"size": 10, "picked_by": name, "candidates": count, "cells": 4, "planted": float("nan")}
        | with_interval("over_static", over)
        | with_interval("regret", 0.05 - over)
        | {"worst_kept_gain": -0.05}
        for name, count, over in (("knn", 4, 0.01), ("leep", 4, 0.03), ("cka", 2, 0.0))
    ]
    for name in ("over_random", "gain", "tau", "kept_gain"):
        rows = [row | with_interval(name, 0.1) for row in rows]
    (tmp_path / "families").mkdir()
    pd.DataFrame(rows).to_csv(tmp_path / "families" / "summary.csv", index=False)
    page = "before\n<!-- table: families/scores -->\nold\n<!-- end -->\nafter\n"
    made = update_study.with_tables(page, tmp_path).splitlines()
    assert (made[0], made[-2], made[-1]) == ("before", "<!-- end -->", "after")
    head, _, *cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in made[2:-2]]
    assert [row[0] for row in cells] == ["leep", "knn"]
    assert cells[1][1:3] == ["4.0 (2.0 to 6.0)", "+1.0 (-1.0 to +3.0)"]
    assert "samples per class" not in head and "useful one picked" not in head


def signs_row(target: str, candidate: str, **below: float) -> dict[str, object]:
    """A row of signs.csv with 12 trainings above zero, and with none below unless it is given."""
    row: dict[str, object] = {"size": 10, "score": "knn_excess", "above": 12, "not_above": 0}
    row |= {"target_modality": target, "modality": candidate, "auc": float("nan")}
    for name, value in (("over_mean", 0.062), ("gain", 0.05), ("helped", 0.75)):
        row |= with_interval(f"above_{name}", value)
        row |= with_interval(f"not_above_{name}", below.get(name, float("nan")))
    return row


def test_the_table_of_signs_says_what_each_side_gains(tmp_path: Path) -> None:
    """Not of all modalities; and no column is of what nothing was measured of."""
    rows = [signs_row("text", "same"), signs_row("all", "other"), signs_row("all", "all")]
    pd.DataFrame([*rows, signs_row("text", "all", gain=-0.01)]).to_csv(tmp_path / "signs.csv")
    made = update_study.with_tables("<!-- table: signs -->\n<!-- end -->", tmp_path)
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in made.splitlines()[1:-1]]
    assert [row[1:3] for row in cells[2:]] == [["all", "other"], ["text", "all"]]
    assert cells[2][3:8] == ["12", "+6.2 (+4.2 to +8.2)", "+5.0 (+3.0 to +7.0)", "75%", "0"]
    assert cells[0][8:] == ["not above: over the longer", "area under the curve"]
    assert [row[8] for row in cells[2:]] == ["-", "-1.0 (-3.0 to +1.0)"]


def test_of_the_scores_what_is_kept_is_short(tmp_path: Path) -> None:
    head = "size,seed,target,candidate,knn,knn_excess_spread,made_from"
    text = f"{head}\nall,11,3,202 shuffled,0.123456,0.1,ab\n"
    (tmp_path / "scores.csv").write_text(text)
    (tmp_path / "kept").mkdir()
    update_study.keep(tmp_path / "scores.csv", tmp_path / "kept" / "scores.csv")
    kept = (tmp_path / "kept" / "scores.csv").read_text()
    assert kept == "size,seed,target,candidate,knn\nall,11,3,202 shuffled,0.1235\n"
