"""The heat map of gains: what its rows, columns and cells say."""

from __future__ import annotations

import pandas as pd
import pytest
from matplotlib.figure import Figure

from crossback_core.study.figures import draw_transfer


def gain(size: str, target: str, candidate: str, value: float) -> dict[str, object]:
    """A training from a backbone; candidates of three digits are joint."""
    return {
        "size": size,
        "start": "backbone",
        "target": target,
        "target_modality": "image",
        "candidate": candidate,
        "modality": "image",
        "kind": "joint" if len(candidate) == 3 else "single",
        "gain": value,
    }


def labels(figure: Figure, panel: int) -> tuple[list[str], list[str]]:
    """The names of a panel's rows and columns."""
    axes = figure.axes[panel]
    return (
        [label.get_text() for label in axes.get_yticklabels()],
        [label.get_text() for label in axes.get_xticklabels()],
    )


def cells(figure: Figure, panel: int) -> dict[tuple[int, int], str]:
    """What is written into the cells of a panel, by row and column."""
    texts = figure.axes[panel].texts
    places = [text.get_position() for text in texts]
    return {(int(y), int(x)): text.get_text() for text, (x, y) in zip(texts, places, strict=True)}


def test_panels_share_their_rows_and_have_only_columns_that_were_trained() -> None:
    rows = [
        gain("10", "2", "10", 0.01),
        gain("10", "3", "2", 0.02),
        gain("10", "10", "2", 0.03),
        gain("10", "10", "2", 0.05),  # another seed
        gain("all", "10", "10", -0.1),
    ]
    figure = draw_transfer(pd.DataFrame(rows))
    assert labels(figure, 0) == (["image 2", "image 3", "image 10"], ["image 2", "image 10"])
    assert labels(figure, 1)[1] == ["image 10"]
    assert cells(figure, 0) == {(0, 1): "+1", (1, 0): "+2", (2, 0): "+4"}
    assert cells(figure, 1) == {(2, 0): "-10"}


@pytest.mark.parametrize(
    ("target", "columns"),
    [("2", ["image 3", "joint image"]), ("1", ["image 3", "image 101", "image 103"])],
)
def test_joint_candidates_share_a_column_unless_they_share_a_target(
    target: str, columns: list[str]
) -> None:
    rows = [
        gain("10", "1", "3", 0.0),
        gain("10", "1", "101", 0.4),
        gain("10", target, "103", -0.4),
    ]
    assert labels(draw_transfer(pd.DataFrame(rows)), 0)[1] == columns
