"""What a run tells at the screen: a line when a target is finished, and a table at its end."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from crossback_core.records import BaselineRecord, SelectionRecord, TargetRecord, read_record
from crossback_core.report.table import NO_BETTER, format_rows, guesses, points_of, summary_table


def outcome_line(record: TargetRecord, *, dataset: str) -> str:
    """Say in one line what became of a target: its accuracies are on test data."""
    said = _became(record, f"target {record.target} of {dataset}: {record.test_accuracy:.1%}")
    return f"{said}; {NO_BETTER}" if guesses(record) else said


def _became(record: TargetRecord, reached: str) -> str:
    if record.comparison is None or record.tried is None:
        return f"{reached}, its own baseline: no candidate has a score above the minimum"
    gain = points_of(record.comparison.test_gain)
    trainings = record.comparison.trainings
    over = f" over {trainings} trainings" if trainings > 1 else ""  # the accuracies are of one
    if record.backbone is None:
        tried = f"network {record.tried.backbone} hurts (on test {gain} points{over})"
        return f"{reached}, its own baseline, kept as {tried}"
    own = f"own baseline {record.baseline_test_accuracy:.1%}, gain {gain}{over}"
    return f"{reached} ({own}), built on network {record.backbone}; verdict: {record.verdict}"


def end_of_run(folder: str | Path, *, since: float, called: Mapping[str, str]) -> str:
    """Return what a run shows of a data set when it ends; nothing if it made nothing to show.

    Args:
        folder: The results of the data set, such as "results/icons".
        since: When the run started, in seconds of the epoch.
        called: Names of the tasks and joint networks that have one, by id.

    Returns:
        The summary if this run made it, otherwise the rows of the targets that it made.
    """
    summary, *records = Path(folder) / "summary.txt", *Path(folder).glob("target_*.json")
    if _made(summary, since):
        return summary.read_text(encoding="utf-8")
    made = [read_record(TargetRecord, path) for path in records if _made(path, since)]
    if not made:
        return ""
    baselines = {Path(folder) / f"baseline/task_{each.backbone}.json" for each in made}
    selections = {Path(folder) / f"selection/target_{each.target}.json" for each in made}
    frame = summary_table(
        made,
        [read_record(BaselineRecord, path) for path in baselines if path.is_file()],
        [read_record(SelectionRecord, path) for path in selections if path.is_file()],
    )
    return format_rows(frame, folder=Path(folder).as_posix(), called=called)


def _made(path: Path, since: float) -> bool:
    return path.is_file() and path.stat().st_mtime >= since
