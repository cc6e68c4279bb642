"""What the trainings of a study say of the ways to pick a backbone: scores, static rules, oracles.

A way to pick leaves one candidate of those that were trained from, or several among which it does
not decide: what it is worth is then their mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from crossback_core.data.names import numbers_first
from crossback_core.lazy import Lazy
from crossback_core.learning.verdict import gain_over_draws
from crossback_core.study.analysis import CELL, by_size, interval
from crossback_core.study.settings import as_candidate

if TYPE_CHECKING:
    from scipy import stats
else:
    stats = Lazy("scipy.stats")  # a second for each training, which needs none of it

RANDOM = "random"
RANDOM_SAME = "random_same_modality"
ACCURACY_SAME = "accuracy_same_modality"
MOST_CLASSES = "most_classes_same_modality"
VALIDATION = "validation"
OTHER_SEEDS = "other_seeds"
ORACLE = "oracle"

Floats = npt.NDArray[np.float64]
Left = npt.NDArray[np.bool_]

_PAIR = [*CELL, "candidate"]
_NO_SCORES = {*_PAIR, "target_modality", "modality", "made_from"}
_JUDGED = (
    *("accuracy", "gain", "over_random", "over_static", "regret", "tau", "rank"),
    *("planted", "kept_gain"),
)


def score_columns(scores: pd.DataFrame) -> list[str]:
    """Return the names of a table's scores; what ends in _spread is how far one's draws differ."""
    names = map(str, scores)
    return [name for name in names if name not in _NO_SCORES and not name.endswith("_spread")]


def scored_trainings(trainings: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """Join trainings from candidates with their scores; a shuffled one that was scored is one too.

    Args:
        trainings: As of `with_gains`.
        scores: As of `collect_study`.

    Returns:
        A row for each training from a scored candidate, with all columns of both tables.
    """
    tried = trainings[trainings["candidate"].notna()]
    names = map(as_candidate, tried["start"], tried["candidate"])
    tried = tried.assign(candidate=pd.Series(list(names), index=tried.index, dtype=object))
    columns = score_columns(scores)
    return tried.drop(columns=columns, errors="ignore").merge(
        scores[[*_PAIR, *columns]], on=_PAIR, validate="one_to_one"
    )


def judge_scores(
    trainings: pd.DataFrame, scores: pd.DataFrame, *, joint: Sequence[str]
) -> pd.DataFrame:
    """Judge each score by the backbones that it picks, beside static rules and training all.

    Static rules look at nothing of the target but its modality: a candidate at random, or among
    those of the target's modality one at random, the most accurate on its own task, the one of the
    most classes. Where a rule leaves several, it is worth their mean.

    Three ways to pick train from all: "validation" takes the best by validation, "oracle" the best
    on test, which is too good to be true, and "other_seeds" the best on test with the other seeds
    (given several): an oracle without the luck of the training that is reported, though with that
    of the test samples, which are the same for all seeds.

    Args:
        trainings: As of `with_gains`.
        scores: As of `collect_study`: a row per target and candidate, a column per score.
        joint: Candidates trained on many classes; among others of one task, the same-modality ones
            are the planted useful backbones. Where all are joint none is planted.

    Returns:
        A row for each size and way to pick, with the numbers of cells and of candidates that were
        trained from, and means with intervals: accuracy of the pick, its gain over the longer
        baseline, over a candidate drawn at random and over the static rule "most classes in the
        target's modality", its regret (the best candidate's accuracy minus the pick's), Kendall's
        weighted tau of score and accuracy (Vigna, WWW 2015), the rank of the pick (1 is best;
        equals share a rank), and the gain where the baseline is kept if the pick hurts by
        validation, also for the worst target. All of this is among the candidates that were
        trained from. `planted` is the share of cells in which the pick among all scored candidates
        is a planted one.
    """
    picks = pd.DataFrame(list(_picks(trainings, scores, joint)))
    static = picks[picks["picked_by"] == MOST_CLASSES].set_index(CELL)["accuracy"]
    picks = picks.join(static.rename("static"), on=CELL)
    picks = picks.assign(over_static=picks["accuracy"] - picks["static"])
    rows = []
    for (size, picked_by), part in picks.groupby(["size", "picked_by"], sort=False):
        row: dict[str, Any] = {"size": size, "picked_by": picked_by, "cells": len(part)}
        row["candidates"] = part["candidates"].max()
        for column in _JUDGED:
            row |= interval(part, column).named(column)
        row["worst_kept_gain"] = part.groupby("target")["kept_gain"].mean().min()
        rows.append(row)
    return by_size(pd.DataFrame(rows))


def _picks(
    trainings: pd.DataFrame, scores: pd.DataFrame, joint: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Yield one row for each cell and way to pick."""
    joined = scored_trainings(trainings, scores)
    joined = joined.assign(
        kept_gain=_gain_of_the_better(joined), in_other_seeds=_accuracy_in_other_seeds(joined)
    )
    joined, every_score = (
        frame.sort_values("candidate", key=numbers_first)
        for frame in (joined, scores.assign(useful=_planted(scores, joint)))
    )
    scored = dict(list(every_score.groupby(CELL)))
    for cell, part in joined.groupby(CELL):
        place = dict(zip(CELL, cell, strict=True)) | {"candidates": len(part)}
        every = scored[cell]
        for name, rule in _STATIC.items():
            if (left := rule(part)).any():
                planted = {"picked_by": name, "planted": every["useful"][rule(every)].mean()}
                yield place | planted | _worth(part, left.to_numpy())
        for name in score_columns(scores):
            planted = {"picked_by": name, "planted": _is_useful(every, name)}
            yield place | planted | _pick(part, part[name].to_numpy(float))
        for name, column in _PICKS_AFTER_TRAINING.items():
            if part[column].notna().any():
                yield place | {"picked_by": name} | _pick(part, part[column].to_numpy(float))


_PICKS_AFTER_TRAINING = {
    VALIDATION: "validation_accuracy",
    OTHER_SEEDS: "in_other_seeds",
    ORACLE: "test_accuracy",
}


def _all(candidates: pd.DataFrame) -> pd.Series[bool]:
    return pd.Series(True, index=candidates.index)


def _same(candidates: pd.DataFrame) -> pd.Series[bool]:
    return candidates["modality"] == candidates["target_modality"]


def _highest_of_same(column: str) -> Callable[[pd.DataFrame], pd.Series[bool]]:
    def rule(candidates: pd.DataFrame) -> pd.Series[bool]:
        values = candidates[column].where(_same(candidates))
        highest: pd.Series[bool] = values == values.max()
        return highest

    return rule


_STATIC: dict[str, Callable[[pd.DataFrame], pd.Series[bool]]] = {
    RANDOM: _all,
    RANDOM_SAME: _same,
    ACCURACY_SAME: _highest_of_same("accuracy"),
    MOST_CLASSES: _highest_of_same("classes"),
}


def _planted(scores: pd.DataFrame, joint: Sequence[str]) -> pd.Series[float]:
    """Say of each scored candidate whether it is a planted useful one; NaN where none is."""
    wide = scores["candidate"].isin({*joint, *(as_candidate("shuffled", each) for each in joint)})
    useful = (scores["candidate"].isin(joint) & _same(scores)).astype(float)
    return useful * np.nan if wide.all() else useful


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
    """Return the gain where the baseline is kept if the verdict is that the backbone hurts."""
    verdicts = [gain_over_draws([run]).verdict for run in trainings["validation_outcomes"]]
    kept = pd.Series(verdicts, index=trainings.index) == "hurts"
    product = trainings["test_accuracy"].mask(kept, trainings["baseline_test_accuracy"])
    return product - trainings["longer_test_accuracy"]


def _pick(part: pd.DataFrame, score: Floats) -> dict[str, float]:
    """Return what the candidate of the highest score is worth; the lowest id among equals."""
    left = np.arange(len(part)) == _best(score)
    return _worth(part, left) | {"tau": _tau(score, part["test_accuracy"].to_numpy(float))}


def _worth(part: pd.DataFrame, left: Left) -> dict[str, float]:
    """Return what the candidates that are left are worth on average."""
    accuracies = part["test_accuracy"].to_numpy(float)
    accuracy = accuracies[left].mean()
    return {
        "accuracy": accuracy,
        "gain": part["gain"][left].mean(),
        "over_random": accuracy - accuracies.mean(),
        "kept_gain": part["kept_gain"][left].mean(),
        "regret": accuracies.max() - accuracy,
        "tau": _tau(left.astype(float), accuracies),
        "rank": stats.rankdata(-accuracies)[left].mean(),
    }


def _tau(score: Floats, accuracies: Floats) -> float:
    """Return Kendall's weighted tau; 0 for a flat score, NaN where there is nothing to rank."""
    if np.ptp(accuracies) == 0:
        return np.nan
    return 0.0 if np.ptp(score) == 0 else float(stats.weightedtau(score, accuracies).statistic)
