"""Is a verdict to be trusted? What targets gain on test, by what was said of them by validation."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from crossback_core.learning.verdict import Verdict, gain_over_draws
from crossback_core.study.analysis import by_size, interval

_PAIR = ["size", "target", "start", "candidate"]
_VERDICTS: tuple[Verdict, ...] = ("helps", "undecided", "hurts")


def judge_verdicts(trainings: pd.DataFrame) -> pd.DataFrame:
    """Count what became on test of the targets that a verdict was said of.

    Gains are over the target's own baseline, as in the workflow. Each training of a target is
    judged alone, and all seeds of one together, as repeats are.

    Args:
        trainings: As of `collect_study`.

    Returns:
        A row for each size, number of trainings that a verdict is over, and verdict: numbers of
        targets and of verdicts, the mean gain on test with its interval over targets, and how many
        are `better` and `worse`: by more than the interval of their own gain on test.
    """
    tried = trainings[trainings["candidate"].notna()]
    judged = pd.DataFrame([*_judged(tried, [*_PAIR, "seed"]), *_judged(tried, _PAIR)])
    judged = judged.drop_duplicates()  # of one seed both are the same
    rows = []
    for (size, runs), part in judged.groupby(["size", "runs"]):
        for verdict in _VERDICTS:
            said = part[part["verdict"] == verdict]
            rows.append(
                {
                    **{"size": size, "runs": runs, "verdict": verdict, "verdicts": len(said)},
                    "targets": said["target"].nunique(),
                    **interval(said, "gain").named("gain"),
                    "better": int((said["low"] > 0).sum()),
                    "worse": int((said["high"] < 0).sum()),
                }
            )
    return by_size(pd.DataFrame(rows))


def _judged(trainings: pd.DataFrame, keys: list[str]) -> Iterator[dict[str, object]]:
    """Yield the verdict of each group of trainings, and what it came to on test."""
    for _, part in trainings.groupby(keys):
        on_test = gain_over_draws(part["test_outcomes"].tolist())
        first = part.iloc[0]
        yield {
            **{key: first[key] for key in [*_PAIR, "seed"]},
            "runs": len(part),
            "verdict": gain_over_draws(part["validation_outcomes"].tolist()).verdict,
            "gain": on_test.mean,
            "low": on_test.low,
            "high": on_test.high,
        }
