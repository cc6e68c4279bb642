"""Does the sign of a score with a zero tell candidates that help from those that do not?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from crossback_core.lazy import Lazy
from crossback_core.section import ALL
from crossback_core.selection.scores import SCORES
from crossback_core.study.analysis import by_size, interval
from crossback_core.study.judging import score_columns, scored_trainings

if TYPE_CHECKING:
    from scipy import stats
else:
    stats = Lazy("scipy.stats")  # a second for each training, which needs none of it

GROUP = ("size", "score", "target_modality", "modality")
_MEASURED = ("over_mean", "gain", "helped")


def judge_signs(trainings: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """Compare what targets gain from candidates above a score's zero, and from those not above it.

    Args:
        trainings: As of `with_gains`.
        scores: As of `collect_study`.

    Returns:
        A row for each size, score with a zero, modality of the target (also all) and modality of
        the candidate (same, other, all): the numbers of targets and of trainings `above` zero and
        `not_above`; of each of the two, with intervals over targets, the mean gain over the mean of
        both baselines (`_over_mean`), over the longer one (`_gain`) and the share with a gain over
        that mean (`_helped`); and `auc`, the area under the ROC curve of the score as a sign of
        such a gain: 0.5 is chance, NaN where all gain or none does.
    """
    pairs = scored_trainings(trainings, scores)
    both = (pairs["gain"] + pairs["over_baseline"]) / 2
    pairs = pairs.assign(over_mean=both, helped=(both > 0).astype(float))
    names = [name for name in score_columns(scores) if name in SCORES and SCORES[name].has_zero]
    rows = [
        {**dict(zip(GROUP, (size, name, *modalities), strict=True)), **_signs(part, name)}
        for size, of_size in pairs.groupby("size")
        for name in names
        for modalities, part in _groups(of_size.dropna(subset=[name]))
    ]
    return by_size(pd.DataFrame(rows)) if rows else pd.DataFrame(columns=list(GROUP))


def _groups(pairs: pd.DataFrame) -> Iterator[tuple[tuple[str, str], pd.DataFrame]]:
    """Yield the pairs by modalities of target and candidate, as far as there are any."""
    same = pairs["modality"] == pairs["target_modality"]
    sides = {"same": pairs[same], "other": pairs[~same], ALL: pairs}
    for modality in (*sorted(pairs["target_modality"].unique()), ALL):
        for side, part in sides.items():
            group = part if modality == ALL else part[part["target_modality"] == modality]
            if len(group):
                yield (modality, side), group


def _signs(pairs: pd.DataFrame, name: str) -> dict[str, float]:
    row: dict[str, float] = {"targets": pairs["target"].nunique()}
    above = pairs[name] > 0
    for side, part in (("above", pairs[above]), ("not_above", pairs[~above])):
        row[side] = len(part)
        for column in _MEASURED:
            row |= interval(part, column).named(f"{side}_{column}")
    return row | {"auc": _area(pairs[name], pairs["helped"] > 0)}


def _area(score: pd.Series[float], helped: pd.Series[bool]) -> float:
    """Return the probability that a helping candidate scores above one that does not help."""
    if helped.all() or not helped.any():
        return np.nan
    wins = stats.mannwhitneyu(score[helped], score[~helped]).statistic  # ties count half
    return float(wins) / (int(helped.sum()) * int((~helped).sum()))
