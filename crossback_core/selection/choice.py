"""The choice of a target's backbone among the candidates."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import get_args

import numpy as np
import pandas as pd

from crossback_core.data.names import numbers_first
from crossback_core.section import Text
from crossback_core.selection.settings import Candidates

logger = logging.getLogger(__name__)

COLUMNS = ("target", "candidate", "modality", "target_modality", "similarity")


@dataclass(frozen=True)
class Ranked:
    """A candidate and its score; None where it could not be scored."""

    candidate: Text
    modality: Text
    similarity: float | None


@dataclass(frozen=True)
class Choice:
    """The backbone chosen for a target, and among what.

    `ranking` holds every candidate considered, the most similar first: the backbone, unless its
    similarity is not above the minimum. Then there is none, and what is of it is None.
    """

    target: Text
    modality: Text
    backbone: Text | None
    backbone_modality: Text | None
    similarity: float | None
    score: Text
    minimum: float | None
    candidates: Candidates
    ranking: tuple[Ranked, ...]

    def __post_init__(self) -> None:
        """Refuse a choice that is not what its ranking says: it may come from a file."""
        found = (self.backbone, self.backbone_modality, self.similarity)
        if not self.ranking or found != _first_of(self.ranking, self.minimum):
            raise ValueError(f"the backbone {self.backbone} is not what the ranking says")

    @property
    def tied(self) -> tuple[str, ...]:
        """Candidates as similar as the backbone, which its id alone put before them."""
        if self.backbone is None:
            return ()
        others = self.ranking[1:]
        return tuple(each.candidate for each in others if each.similarity == self.similarity)


def choose_backbone(
    scores: pd.DataFrame,
    *,
    target: str,
    candidates: Candidates,
    score: str,
    minimum: float | None,
) -> Choice:
    """Choose the candidate of the highest similarity; among equals the first id.

    The target itself is never a candidate. A score that is not finite ranks last and is never
    chosen. Nor is one that is not above the minimum: then no candidate is.

    Args:
        scores: One row per pair: target, candidate, modality (the candidate's), target_modality and
            similarity (higher is more alike).
        target: Whose backbone is chosen.
        candidates: Which modality to consider: "all", the target's ("same_modal") or the other
            ("cross_modal").
        score: Name of the score, for the record.
        minimum: What the similarity has to be above; None for whatever it is.

    Raises:
        ValueError: Columns are missing, a candidate occurs twice, or none can be chosen.
    """
    rows = _considered(scores, target, candidates)
    ranking = _rank(rows)
    if not ranking or ranking[0].similarity is None:
        raise ValueError(
            f"no candidate can be the backbone of target {target}: of {len(scores)} scored pairs "
            f"{len(ranking)} are its own and {candidates}, none with a finite score; add "
            f"candidates or set selection.candidates to 'all'"
        )
    backbone, modality, similarity = _first_of(ranking, minimum)
    return Choice(
        target=target,
        modality=rows["target_modality"].iloc[0],
        backbone=backbone,
        backbone_modality=modality,
        similarity=similarity,
        score=score,
        minimum=minimum,
        candidates=candidates,
        ranking=ranking,
    )


def _first_of(
    ranking: tuple[Ranked, ...], minimum: float | None
) -> tuple[str, str, float] | tuple[None, None, None]:
    """Return candidate, modality and similarity of the first, if it is above the minimum."""
    first = ranking[0]
    if first.similarity is None or (minimum is not None and first.similarity <= minimum):
        return None, None, None
    return first.candidate, first.modality, first.similarity


def _considered(scores: pd.DataFrame, target: str, candidates: Candidates) -> pd.DataFrame:
    missing = [column for column in COLUMNS if column not in scores.columns]
    if missing:
        raise ValueError(f"the scores lack the columns {', '.join(missing)}")
    if candidates not in get_args(Candidates):
        raise ValueError(
            f"unknown candidates {candidates!r}; choose one of {', '.join(get_args(Candidates))}"
        )
    rows = scores[(scores["target"] == target) & (scores["candidate"] != target)]
    twice = rows["candidate"][rows["candidate"].duplicated()]
    if len(twice):
        raise ValueError(f"candidate {twice.iloc[0]} is scored twice for target {target}")
    if candidates == "all":
        return rows
    same = rows["modality"] == rows["target_modality"]
    return rows[same if candidates == "same_modal" else ~same]


def _rank(rows: pd.DataFrame) -> tuple[Ranked, ...]:
    finite = rows.assign(similarity=rows["similarity"].where(np.isfinite(rows["similarity"])))
    for candidate in finite["candidate"][finite["similarity"].isna()]:
        logger.warning("candidate %s has no finite score and cannot be chosen", candidate)
    ordered = finite.sort_values("candidate", key=numbers_first)
    ordered = ordered.sort_values("similarity", ascending=False, kind="stable")
    return tuple(
        Ranked(
            candidate=row["candidate"],
            modality=row["modality"],
            similarity=None if pd.isna(row["similarity"]) else float(row["similarity"]),
        )
        for row in ordered.to_dict("records")
    )
