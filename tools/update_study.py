"""Bring docs/study.md and docs/study up to date with what `snakemake study` made.

`make study` runs the studies and then this. Tables, and the figures that the page shows, are copied
to docs/study, those of the second set of candidates to docs/study/families; what stands between
two marks in docs/study.md is made from them. A mark names a kind of table, after the folder of
docs/study that it is made from, if any: scores, families/scores. `--check` only compares the page
with the tables in docs/study.
"""

from __future__ import annotations

import argparse
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from crossback_core.section import ALL
from crossback_core.storage.files import read_csv, write_csv, write_text
from crossback_core.study.analysis import by_size

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "study.md"
KEPT = ROOT / "docs" / "study"
MARKS = re.compile(r"(<!-- table: (?:(\w+)/)?(\w+) -->\n)(?:.*?\n)??(<!-- end -->)", re.DOTALL)
STUDIES = {"icons_study": KEPT, "icons_families": KEPT / "families"}


def main() -> None:
    """Update the page, or compare it."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--results", type=Path, default=ROOT / "results")
    parser.add_argument("--check", action="store_true", help="change nothing; fail if it is old")
    arguments = parser.parse_args()
    text = PAGE.read_text(encoding="utf-8")
    if not arguments.check:
        for study, kept in STUDIES.items():
            kept.mkdir(exist_ok=True)
            for path in sorted((arguments.results / study / "study").glob("*.*")):
                shown = (kept / path.name).relative_to(PAGE.parent).as_posix()
                if path.suffix == ".csv" or f"({shown})" in text:
                    keep(path, kept / path.name)
    current = with_tables(text, KEPT)
    if current == text:
        return
    if arguments.check:
        raise SystemExit("docs/study.md is older than docs/study: run tools/update_study.py")
    write_text(current, PAGE)


def keep(path: Path, kept: Path) -> None:
    """Copy a result; of the scores what the pages are made of, in few digits: there are many."""
    if path.name != "scores.csv":
        shutil.copyfile(path, kept)
        return
    scores = read_csv(path, as_text=True)
    scores = scores[[name for name in scores if not name.endswith(("_spread", "made_from"))]]
    write_csv(scores.map(_shortened), kept)


def _shortened(text: str) -> str:
    try:
        return text if text.lstrip("-").isdigit() else f"{float(text):.4g}"
    except ValueError:
        return text


def with_tables(text: str, folder: Path) -> str:
    """Return a page with each marked table made from the tables in a folder."""

    def written(mark: re.Match[str]) -> str:
        source, table = TABLES[mark[3]]
        rows = table(read_csv(folder / (mark[2] or "") / source))
        rows = rows.loc[:, (rows != "-").any()]  # what a study has no training for
        if rows["samples per class"].nunique() == 1:
            rows = rows.drop(columns="samples per class")
        return f"{mark[1]}{rows.to_markdown(index=False, disable_numparse=True)}\n{mark[4]}"

    return MARKS.sub(written, text)


def scores_table(summary: pd.DataFrame) -> pd.DataFrame:
    """One row a score, the least regret first, where there is more than one of two to pick."""
    ordered = by_size(summary[summary["candidates"] > 2].sort_values("regret"))
    return pd.DataFrame(
        {
            "samples per class": ordered["size"],
            "picked by": ordered["picked_by"],
            "regret": _intervals(ordered, "regret", sign=""),
            "over the static rule": _intervals(ordered, "over_static"),
            "over random": _intervals(ordered, "over_random"),
            "gain": _intervals(ordered, "gain"),
            "weighted tau": _intervals(ordered, "tau", unit=1, digits=2),
            "useful one picked": _counts(ordered),
            "gain, better kept": _intervals(ordered, "kept_gain"),
            "worst target": [f"{100 * worst:+.1f}" for worst in ordered["worst_kept_gain"]],
        }
    )


def signs_table(signs: pd.DataFrame) -> pd.DataFrame:
    """Three rows a score with a zero: targets of images, of texts, and all across modalities.

    signs.csv has the other combinations of modalities, and the scores of blocks.
    """
    every, other = signs["modality"] == ALL, signs["modality"] == "other"
    single = signs["target_modality"] != ALL
    features = ~signs["score"].str.contains("_blocks")
    signs = signs[features & ((single & every) | (~single & other))]
    table = {
        "samples per class": signs["size"],
        "score": signs["score"],
        "target": signs["target_modality"],
        "candidate": signs["modality"],
    }
    for side, title in (("above", "above zero"), ("not_above", "not above")):
        table[title] = signs[side]
        table[f"{title}: gain over both"] = _intervals(signs, f"{side}_over_mean")
        table[f"{title}: over the longer"] = _intervals(signs, f"{side}_gain")
        table[f"{title}: share that gains"] = _percent(signs[f"{side}_helped"], digits=0)
    table["area under the curve"] = [f"{area:.2f}" for area in signs["auc"]]
    return pd.DataFrame(table)


def verdicts_table(verdicts: pd.DataFrame) -> pd.DataFrame:
    """One row a number of trainings and verdict."""
    return pd.DataFrame(
        {
            "samples per class": verdicts["size"],
            "trainings": verdicts["runs"],
            "verdict": verdicts["verdict"],
            "said of": verdicts["verdicts"],
            "targets": verdicts["targets"],
            "gain on test over the baseline": _intervals(verdicts, "gain"),
            "better by more than its interval": verdicts["better"],
            "worse by more than its interval": verdicts["worse"],
        }
    )


def gains_table(gains: pd.DataFrame) -> pd.DataFrame:
    """One row a direction and start."""
    tried = gains[gains["kind"].notna()]
    return pd.DataFrame(
        {
            "samples per class": tried["size"],
            "target": tried["target_modality"],
            "from": tried["kind"] + " " + tried["modality"],
            "start": tried["start"],
            "targets": tried["targets"],
            "trainings": tried["trainings"],
            "accuracy": _percent(tried["accuracy"]),
            "gain": _intervals(tried, "gain"),
            "over baseline": _intervals(tried, "over_baseline"),
            "over shuffled": _intervals(tried, "over_shuffled"),
            "over unpicked": _intervals(tried, "over_unpicked"),
            "validation at 1/4, 1/2": _on_the_way(tried),
            "weights of two": _percent(tried["weights"]),
        }
    )


def joint_table(candidates: pd.DataFrame) -> pd.DataFrame:
    """One row a joint backbone and modality of the target."""
    backbones = (candidates["kind"] == "joint") & (candidates["start"] == "backbone")
    rows = candidates[backbones]
    return pd.DataFrame(
        {
            "samples per class": rows["size"],
            "target": rows["target_modality"],
            "backbone": [f"{row.candidate} ({row.modality})" for row in rows.itertuples()],
            "targets": rows["targets"],
            "accuracy": _percent(rows["accuracy"]),
            "gain": _intervals(rows, "gain"),
            "over baseline": _intervals(rows, "over_baseline"),
            "over shuffled": _intervals(rows, "over_shuffled"),
        }
    )


def baselines_table(gains: pd.DataFrame) -> pd.DataFrame:
    """Return the two baselines of each modality."""
    rows = gains[gains["kind"].isna()]
    return pd.DataFrame(
        {
            "samples per class": rows["size"],
            "target": rows["target_modality"],
            "training": rows["start"],
            "steps": rows["start"].map({"baseline": "as the target", "longer": "twice as many"}),
            "accuracy": _intervals(rows, "accuracy", sign=""),
            "validation at 1/4, 1/2": _on_the_way(rows),
        }
    )


# by kind of table: the file that it is made from, and how
TABLES: dict[str, tuple[str, Callable[[pd.DataFrame], pd.DataFrame]]] = {
    "scores": ("summary.csv", scores_table),
    "signs": ("signs.csv", signs_table),
    "verdicts": ("verdicts.csv", verdicts_table),
    "gains": ("gains.csv", gains_table),
    "joint": ("candidates.csv", joint_table),
    "baselines": ("gains.csv", baselines_table),
}


def _percent(values: pd.Series[float], digits: int = 1) -> list[str]:
    return ["-" if np.isnan(value) else f"{value:.{digits}%}" for value in values]


def _on_the_way(rows: pd.DataFrame) -> list[str]:
    quarter = rows["quarter_validation_accuracy"]
    half = rows["half_validation_accuracy"]
    return [f"{one:.1%}, {two:.1%}" for one, two in zip(quarter, half, strict=True)]


def _counts(rows: pd.DataFrame) -> list[str]:
    """In how many of the cells: "16 of 20"; a dash where that is not counted."""
    return [
        "-" if np.isnan(share) else f"{share * cells:.0f} of {cells}"
        for share, cells in zip(rows["planted"], rows["cells"], strict=True)
    ]


def _intervals(
    rows: pd.DataFrame, column: str, *, sign: str = "+", unit: float = 100, digits: int = 1
) -> list[str]:
    """Means, in points unless another unit is given, with 95 % intervals where there are some."""
    values = unit * rows[[column, f"{column}_low", f"{column}_high"]].to_numpy(float)
    shown = f"{sign}.{digits}f"
    texts = []
    for mean, low, high in values:
        reach = "" if np.isnan(low) else f" ({low:{shown}} to {high:{shown}})"
        texts.append("-" if np.isnan(mean) else f"{mean:{shown}}{reach}")
    return texts


if __name__ == "__main__":
    main()
