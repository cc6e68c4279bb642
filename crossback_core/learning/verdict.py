"""Does a backbone help? The paired difference of two networks' accuracies, with its interval.

Both networks of a *run* answer the same samples: the target on its backbone, and its own baseline.
Runs differ in the training samples that were drawn, or, where samples are held out in turn, in
those that were left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import Field
from pydantic.dataclasses import dataclass

from crossback_core.lazy import Lazy
from crossback_core.learning.settings import JudgedBy
from crossback_core.section import STRICT

if TYPE_CHECKING:
    from scipy import stats
    from torch import Tensor
else:
    stats = Lazy("scipy.stats")

Verdict = Literal["helps", "undecided", "hurts", "no candidate"]
NO_CANDIDATE: Verdict = "no candidate"  # none knows enough to be tried

# One sign for each sample: both networks are right, the first alone, the second alone, neither.
BOTH, FIRST, SECOND, NEITHER = "1+-0"
Outcomes = Annotated[str, Field(pattern=r"^[01+-]+$")]
LEVEL = 0.95  # of an interval
Share = Annotated[float, Field(ge=0, le=1)]  # of samples that are right; of all weights

_SIGNS = {(True, True): BOTH, (True, False): FIRST, (False, True): SECOND, (False, False): NEITHER}
_WORTH = {BOTH: 0.0, FIRST: 1.0, SECOND: -1.0, NEITHER: 0.0}

_ROUNDING = 1e-9  # an error below this is none

Floats = npt.NDArray[np.float64]
Bound = Annotated[float, Field(allow_inf_nan=False)]


class Run(NamedTuple):
    """What a target and its baseline answer to the samples that decide, and to the test split."""

    validation: Outcomes
    test: Outcomes


@dataclass(frozen=True, config=STRICT)
class Gain:
    """A difference of accuracies, its standard error, and its 95 % interval (perhaps beyond 1)."""

    mean: Bound
    error: Bound
    low: Bound
    high: Bound

    @property
    def verdict(self) -> Verdict:
        """What the interval says: it leaves zero out on one side, or it does not."""
        if self.low > 0:
            return "helps"
        return "hurts" if self.high < 0 else "undecided"


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Comparison:
    """A target on its backbone against its own baseline, over one training of both or several.

    Attributes:
        judged_by: What the verdict is by: the validation split, or training samples that are held
            out in turn.
        runs: Trainings of both: each with training samples of its own, or other ones held out.
        samples: That each run answers, or all runs together where they are held out in turn.
        accuracy: On those samples, the mean over runs; that of the baseline likewise.
        gain: Their difference; the verdict is what its interval says.
        test_accuracy: On the test split, the mean over runs (where samples are held out, of the
            one training with all); that of the baseline likewise.
        test_gain: Their difference.
    """

    judged_by: JudgedBy
    runs: Annotated[int, Field(ge=1)]
    samples: Annotated[int, Field(ge=1)]
    accuracy: Share
    baseline_accuracy: Share
    gain: Gain
    test_accuracy: Share
    baseline_test_accuracy: Share
    test_gain: Gain

    @property
    def trainings(self) -> int:
        """Trainings of both that the test split was answered after."""
        return 1 if self.judged_by == "folds" else self.runs


def accuracy_interval(accuracy: float, samples: int) -> tuple[float, float]:
    """Return the 95 % interval that so many samples leave of an accuracy (Wilson, 1927)."""
    test = stats.binomtest(min(samples, round(accuracy * samples)), samples)
    found = test.proportion_ci(confidence_level=LEVEL, method="wilson")
    return float(found.low), float(found.high)


def compare(own: Run, others: Sequence[Run], *, judged_by: JudgedBy) -> Comparison:
    """Put the verdict's evidence together.

    Args:
        own: Of the product's own training and its baseline.
        others: Of further trainings of both: by "validation" of other draws of training samples;
            by "folds" of all parts of the training samples, which are the runs then.
        judged_by: As of `TargetSettings`.

    Raises:
        ValueError: The runs are not of the same samples, or too few folds.
    """
    by_folds = judged_by == "folds"
    tested = [own] if by_folds else [own, *others]
    judging = [run.validation for run in (others if by_folds else tested)]
    accuracy, baseline = accuracies(judging)
    test_accuracy, test_baseline = accuracies([run.test for run in tested])
    return Comparison(
        judged_by=judged_by,
        runs=len(judging),
        samples=sum(map(len, judging)) if by_folds else len(own.validation),
        accuracy=accuracy,
        baseline_accuracy=baseline,
        gain=(gain_over_folds if by_folds else gain_over_draws)(judging),
        test_accuracy=test_accuracy,
        baseline_test_accuracy=test_baseline,
        test_gain=gain_over_draws([run.test for run in tested]),
    )


def outcomes(first: Tensor, second: Tensor, labels: Tensor) -> Outcomes:
    """Say of each sample which of two networks is right.

    Args:
        first: Logits (samples, classes) of the target's network.
        second: Those of its baseline.
        labels: The true classes (samples,).
    """
    rights = zip(
        *((each.argmax(dim=1) == labels).tolist() for each in (first, second)), strict=True
    )
    return "".join(_SIGNS[pair] for pair in rights)


def accuracies(runs: Sequence[Outcomes]) -> tuple[float, float]:
    """Return the mean accuracies of both networks over runs."""
    count = sum(map(len, runs))
    first, second = (
        sum(run.count(sign) for run in runs for sign in signs) / count
        for signs in ((BOTH, FIRST), (BOTH, SECOND))
    )
    return first, second


def gain_over_draws(runs: Sequence[Outcomes]) -> Gain:
    """Return the mean difference of several runs that answer the same samples.

    Samples and runs are two crossed random effects: the variance of the mean is
    (MS_runs + max(MS_samples - MS_rest, 0)) / (runs x samples), with Hillis' degrees of freedom,
    at least runs - 1. Where runs differ no more than their samples would have them, it is that of
    samples alone. One run says nothing of the luck of a training: its interval is that of a paired
    t test over its samples. In simulations of three runs the interval covers 93 to 96 %, of two 88
    to 97 % (samples alone, as if they were all different: 80 %).

    Source: Hillis, "A comparison of denominator degrees of freedom methods for multiple observer
    ROC analysis" (Statistics in Medicine, 2007): readers and cases are crossed as these are.

    Args:
        runs: Of as many samples each, in the same order.

    Raises:
        ValueError: There is no run, or they are not of the same samples.
    """
    if not runs or len({len(run) for run in runs}) > 1:
        raise ValueError(
            f"runs of {sorted({len(run) for run in runs})} samples: of one number each"
        )
    table = np.array([_differences(run) for run in runs])  # (runs, samples)
    count, samples = table.shape
    mean = float(table.mean())
    by_sample = count * ((table.mean(axis=0) - mean) ** 2).sum()
    by_run = samples * ((table.mean(axis=1) - mean) ** 2).sum()
    rest = ((table - mean) ** 2).sum() - by_sample - by_run
    parts = [(by_sample, samples - 1), (by_run, count - 1), (rest, (count - 1) * (samples - 1))]
    squares = [max(0.0, total) / free if free else 0.0 for total, free in parts]
    if squares[1] <= squares[2]:  # runs differ no more than their samples would have them
        return _interval(mean, squares[0] / table.size, samples - 1, samples)
    of_samples, of_runs, of_rest = squares
    whole = of_runs + max(of_samples - of_rest, 0.0)
    return _interval(mean, whole / table.size, (count - 1) * (whole / of_runs) ** 2, samples)


def gain_over_folds(runs: Sequence[Outcomes]) -> Gain:
    """Return the mean difference of several runs, each of which answers samples of its own.

    Samples are nested in runs: the variance of the mean is that between runs, or that within them
    if it is larger.

    Args:
        runs: One for each part of the samples.

    Raises:
        ValueError: There are fewer than two runs.
    """
    if len(runs) < 2:
        raise ValueError(f"samples held out in turn make two runs or more, not {len(runs)}")
    parts = [_differences(run) for run in runs]
    every = np.concatenate(parts)
    mean = float(every.mean())
    between = sum(len(part) * (part.mean() - mean) ** 2 for part in parts) / (len(parts) - 1)
    free = len(every) - len(parts)
    within = sum(((part - part.mean()) ** 2).sum() for part in parts) / free if free else 0.0
    if between > within:
        return _interval(mean, between / len(every), len(parts) - 1, len(every))
    return _interval(mean, within / len(every), free, len(every))


def _differences(run: Outcomes) -> Floats:
    return np.array([_WORTH[sign] for sign in run])


def _interval(mean: float, variance: float, free: float, samples: int) -> Gain:
    """Return Student's interval; where all samples differ alike, what their number alone says.

    That is the exact interval of as many successes as samples (Clopper and Pearson, 1934), a
    success being a difference of that sign: five samples decide nothing, six do.
    """
    error = variance**0.5
    if error > _ROUNDING:
        reach = float(stats.t.ppf((1 + LEVEL) / 2, free)) * error
        return Gain(mean, error, mean - reach, mean + reach)
    reach = 2 * abs(mean) * (1 - ((1 - LEVEL) / 2) ** (1 / samples))
    return Gain(mean, 0.0, mean - reach, mean + reach)
