"""What the trainings of a study say of the scores, and of where gains come from.

A *cell* is a target with a number of training samples per class (the column `size`, "all" for all
that there are) and a seed. All accuracies reported are of the test split. Gains are over the
*longer* baseline of the cell: the target's own network from scratch, trained for as many steps as
its baseline and the target take together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import rankdata, weightedtau
from scipy.stats import t as student

from crossback_core.data.names import numbers_first
from crossback_core.selection.scores import SCORES
from crossback_core.study.settings import Start

CELL = ["size", "target", "seed"]
COLUMNS = (*SCORES, "sparsity")
RANDOM = "random"
VALIDATION = "validation"
OTHER_SEEDS = "other_seeds"
ORACLE = "oracle"

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A mean with its 95 % interval; NaN where there is nothing to average."""

    mean: float
    low: float
    high: float

    def named(self, name: str) -> dict[str, float]:
        """Return the columns name, name_low and name_high."""
        return {name: self.mean, f"{name}_low": self.low, f"{name}_high": self.high}


def interval(values: pd.DataFrame, column: str) -> Interval:
    """Average a column over targets, with Student's interval of the mean over targets.

    The seeds of a target are averaged first: the spread between targets holds that between seeds.
    (A bootstrap of five targets with two seeds covered the truth in only 87 to 90 % of simulated
    studies.) One target alone has no interval.

    Args:
        values: Columns target and seed and the one to average; rows of one cell are averaged.
        column: What is averaged.
    """
    cells = values.dropna(subset=[column]).groupby(["target", "seed"])[column].mean()
    means = cells.groupby("target").mean().to_numpy(float)
    if not len(means):
        return Interval(np.nan, np.nan, np.nan)
    mean = float(means.mean())
    if len(means) == 1:
        return Interval(mean, np.nan, np.nan)
    reach = float(student.ppf(0.975, len(means) - 1) * means.std(ddof=1) / len(means) ** 0.5)
    return Interval(mean, mean - reach, mean + reach)


def with_gains(trainings: pd.DataFrame, *, joint: Sequence[str]) -> pd.DataFrame:
    """Add to each training its cell's baselines, its gains over them and controls, and its kind.

    Args:
        trainings: As of `collect_study`.
        joint: Candidates trained on the classes of several tasks.

    Returns:
        The rows with baseline_validation_accuracy, baseline_test_accuracy, longer_test_accuracy,
        gain, that of the test accuracy over the longer baseline, over_baseline, over_shuffled and
        over_unpicked, those over the baseline and over the same candidate so (NaN where it was
        not trained), and kind: that of the candidate, single or joint, empty for the two baselines.

    Raises:
        ValueError: A cell lacks its baseline or longer baseline.
    """
    controls = trainings.set_index(CELL)
    columns = {"baseline": ["validation_accuracy", "test_accuracy"], "longer": ["test_accuracy"]}
    frame = trainings
    for start, wanted in columns.items():
        control = controls[controls["start"] == start][wanted].add_prefix(f"{start}_")
        frame = frame.join(control, on=CELL, validate="many_to_one")
        if frame[f"{start}_test_accuracy"].isna().any():
            raise ValueError(f"a target of the study has no {start} training: run the study again")
    kinds = np.where(frame["candidate"].isin(joint), "joint", "single")
    frame = frame.assign(
        gain=frame["test_accuracy"] - frame["longer_test_accuracy"],
        over_baseline=frame["test_accuracy"] - frame["baseline_test_accuracy"],
        kind=pd.Series(kinds, index=frame.index).where(frame["candidate"].notna()),
    )
    return _over(_over(frame, "shuffled"), "unpicked")


def by_size(frame: pd.DataFrame) -> pd.DataFrame:
    """Order rows by samples per class, all samples last; rows of one size stay in order."""
    return frame.sort_values(
        "size", key=lambda sizes: pd.to_numeric(sizes, errors="coerce"), kind="stable"
    )


def judge_scores(
    trainings: pd.DataFrame, scores: pd.DataFrame, *, joint: Sequence[str]
) -> pd.DataFrame:
    """Judge each score by the backbones that it picks, beside picks at random and by training all.

    Three ways to pick train from all: "validation" takes the best by validation, "oracle" the best
    on test, which is too good to be true, and "other_seeds" the best on test with the other seeds
    (given several): an oracle without the luck of the training that is reported, though with that
    of the test samples, which are the same for all seeds.

    Args:
        trainings: As of `with_gains`.
        scores: As of `collect_study`: a row per target and candidate, a column per score.
        joint: Candidates trained on many classes; the same-modality ones are the planted useful
            backbones.

    Returns:
        A row for each size and score, with the numbers of cells and of candidates that were
        trained from, and means with intervals: accuracy of the pick, its gain over the longer
        baseline and over a candidate drawn at random, its regret (the best candidate's accuracy
        minus the pick's), Kendall's weighted tau of score and accuracy (Vigna, WWW 2015), the rank
        of the pick (1 is best; equals share a rank), and the gain where the baseline is kept unless
        the pick reaches it by validation, also for the worst target. All of this is among the
        candidates that were trained from. `planted` is the share of cells in which the pick among
        all scored candidates is a planted one.
    """
    picks = pd.DataFrame(list(_picks(trainings, scores, joint)))
    rows = []
    for (size, picked_by), part in picks.groupby(["size", "picked_by"], sort=False):
        row: dict[str, Any] = {"size": size, "picked_by": picked_by, "cells": len(part)}
        row["candidates"] = part["candidates"].max()
        for column in _JUDGED:
            row |= interval(part, column).named(column)
        row["worst_kept_gain"] = part.groupby("target")["kept_gain"].mean().min()
        rows.append(row)
    return by_size(pd.DataFrame(rows))


_JUDGED = ("accuracy", "gain", "over_random", "regret", "tau", "rank", "planted", "kept_gain")


def _picks(
    trainings: pd.DataFrame, scores: pd.DataFrame, joint: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Yield one row for each cell and score, or other way to pick."""
    tried = trainings[trainings["start"] == "backbone"]
    columns = [name for name in COLUMNS if name in scores]
    joined = tried.drop(columns=columns, errors="ignore").merge(
        scores[[*CELL, "candidate", *columns]], on=[*CELL, "candidate"], validate="one_to_one"
    )
    joined = joined.assign(
        kept_gain=_gain_of_the_better(joined), in_other_seeds=_accuracy_in_other_seeds(joined)
    )
    useful = scores["candidate"].isin(joint) & (scores["modality"] == scores["target_modality"])
    joined, every_score = (
        frame.sort_values("candidate", key=numbers_first)
        for frame in (joined, scores.assign(useful=useful))
    )
    scored = dict(list(every_score.groupby(CELL)))
    for cell, part in joined.groupby(CELL):
        place = dict(zip(CELL, cell, strict=True)) | {"candidates": len(part)}
        every = scored[cell]
        yield place | {"picked_by": RANDOM, "planted": every["useful"].mean()} | _random_pick(part)
        for name in columns:
            score = part[name].to_numpy(float)
            planted = {"picked_by": name, "planted": _is_useful(every, name)}
            yield place | planted | _pick(part, score)
        for name, column in _PICKS_AFTER_TRAINING.items():
            if part[column].notna().any():
                yield place | {"picked_by": name} | _pick(part, part[column].to_numpy(float))


_PICKS_AFTER_TRAINING = {
    VALIDATION: "validation_accuracy",
    OTHER_SEEDS: "in_other_seeds",
    ORACLE: "test_accuracy",
}


def _accuracy_in_other_seeds(trainings: pd.DataFrame) -> pd.Series[float]:
    """Return the mean test accuracy of the same pair over the other seeds; NaN without any."""
    seeds = trainings.groupby(["size", "target", "candidate"])["test_accuracy"]
    others = seeds.transform("size") - 1
    left = seeds.transform("sum") - trainings["test_accuracy"]
    return (left / others.where(others > 0)).round(9)  # equal accuracies stay equal


def _is_useful(scored: pd.DataFrame, name: str) -> float:
    """Return 1 where the pick among all candidates is a planted one; NaN where one has no score."""
    score = scored[name].to_numpy(float)
    return np.nan if np.isnan(score).any() else float(scored["useful"].iloc[_best(score)])


def _best(score: Floats) -> int:
    """Return the place of the highest score that is finite, the first among equals."""
    return int(np.argmax(np.where(np.isfinite(score), score, -np.inf)))


def _gain_of_the_better(trainings: pd.DataFrame) -> pd.Series[float]:
    """Return the gain where the baseline is kept unless the target reaches it by validation."""
    kept = trainings["validation_accuracy"] < trainings["baseline_validation_accuracy"]
    product = trainings["test_accuracy"].mask(kept, trainings["baseline_test_accuracy"])
    return product - trainings["longer_test_accuracy"]


def _pick(part: pd.DataFrame, score: Floats) -> dict[str, float]:
    """Return what the candidate of the highest score is worth; the lowest id among equals."""
    accuracies = part["test_accuracy"].to_numpy(float)
    best = _best(score)
    row = part.iloc[best]
    return {
        "accuracy": row["test_accuracy"],
        "gain": row["gain"],
        "over_random": accuracies[best] - accuracies.mean(),
        "kept_gain": row["kept_gain"],
        "regret": accuracies.max() - accuracies[best],
        "tau": _tau(score, accuracies),
        "rank": float(rankdata(-accuracies)[best]),
    }


def _tau(score: Floats, accuracies: Floats) -> float:
    """Return Kendall's weighted tau; 0 for a flat score, NaN where there is nothing to rank."""
    if np.ptp(accuracies) == 0:
        return np.nan
    return 0.0 if np.ptp(score) == 0 else float(weightedtau(score, accuracies).statistic)


def _random_pick(part: pd.DataFrame) -> dict[str, float]:
    """Return what a candidate drawn at random is worth on average."""
    accuracies = part["test_accuracy"]
    return {
        "accuracy": accuracies.mean(),
        "gain": part["gain"].mean(),
        "over_random": 0.0,
        "kept_gain": part["kept_gain"].mean(),
        "regret": accuracies.max() - accuracies.mean(),
        "tau": np.nan if accuracies.nunique() == 1 else 0.0,
        "rank": (len(part) + 1) / 2,
    }


def gains_by_group(trainings: pd.DataFrame) -> pd.DataFrame:
    """Split accuracies and gains, as of `with_gains`, by direction, kind of candidate and start.

    Returns:
        A row for each size, modality of the target, modality and kind of the candidate (single or
        joint; empty for the two baselines) and start: number of targets and trainings, accuracy,
        gain over the longer baseline, over the baseline, over the same candidate shuffled and over
        it unpicked, each with an interval, and the validation accuracy on the way.
    """
    return _gains_by(["size", "target_modality", "modality", "kind", "start"], trainings)


def gains_by_candidate(trainings: pd.DataFrame) -> pd.DataFrame:
    """Split accuracies and gains, as of `with_gains`, by candidate, direction and start.

    Returns:
        The columns of `gains_by_group`, and candidate.
    """
    tried = trainings[trainings["candidate"].notna()]
    keys = ["size", "target_modality", "candidate", "modality", "kind", "start"]
    gains = _gains_by(keys, tried)
    return by_size(gains.sort_values("candidate", key=numbers_first, kind="stable"))


def _gains_by(keys: list[str], trainings: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for key, part in trainings.groupby(keys, dropna=False, sort=True):
        row = dict(zip(keys, key, strict=True))
        row |= {"targets": part["target"].nunique(), "trainings": len(part)}
        for name, column in _MEASURED.items():
            row |= interval(part, column).named(name)
        for column in ("quarter_validation_accuracy", "half_validation_accuracy", "weights"):
            row[column] = part[column].mean()
        rows.append(row)
    return by_size(pd.DataFrame(rows))


_MEASURED = {
    "accuracy": "test_accuracy",
    "gain": "gain",
    "over_baseline": "over_baseline",
    "over_shuffled": "over_shuffled",
    "over_unpicked": "over_unpicked",
}


def _over(trainings: pd.DataFrame, control: Start) -> pd.DataFrame:
    """Add the test accuracy's difference to that from a control of the same candidate."""
    keys = [*CELL, "candidate"]
    other = (
        trainings[trainings["start"] == control].set_index(keys)["test_accuracy"].rename("other")
    )
    joined = trainings.join(other, on=keys)
    over = (joined["test_accuracy"] - joined["other"]).where(joined["start"] != control)
    return joined.drop(columns="other").assign(**{f"over_{control}": over})
