"""The choice of a backbone: the most similar candidate, never the target."""

from __future__ import annotations

import json
import logging

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossback_core.selection.choice import Ranked, choose_backbone

SCORES = pd.DataFrame(
    [
        (3, 1, "image", "image", 0.70),
        (3, 2, "image", "image", 0.80),
        (3, 3, "image", "image", 1.00),
        (3, 15, "text", "image", 0.90),
        (3, 16, "text", "image", 0.90),
        (4, 1, "image", "text", 0.99),
        (4, 15, "text", "text", 0.10),
    ],
    columns=["target", "candidate", "modality", "target_modality", "similarity"],
)


def choose(scores=SCORES, *, target=3, candidates="all"):
    """Choose with a fixed name of the score."""
    return choose_backbone(scores, target=target, candidates=candidates, score="ddv_euclidean")


@pytest.mark.parametrize(
    ("target", "candidates", "backbone"),
    [
        (3, "all", 15),  # not itself; of two equals the lower id
        (3, "same_modal", 2),
        (4, "all", 1),
        (4, "cross_modal", 1),
    ],
)
def test_the_most_similar_candidate_is_chosen(target, candidates, backbone):
    assert choose(target=target, candidates=candidates).backbone == backbone


def test_the_choice_says_why():
    choice = choose()
    assert (choice.target, choice.modality) == (3, "image")
    assert (choice.backbone, choice.backbone_modality, choice.similarity) == (15, "text", 0.90)
    assert (choice.score, choice.candidates) == ("ddv_euclidean", "all")
    assert choice.ranking == (
        Ranked(15, "text", 0.90),
        Ranked(16, "text", 0.90),
        Ranked(2, "image", 0.80),
        Ranked(1, "image", 0.70),
    )


def test_the_choice_is_json():
    written = json.loads(json.dumps(choose().to_dict(), allow_nan=False))
    assert written["backbone"] == 15
    assert written["ranking"][-1] == {"candidate": 1, "modality": "image", "similarity": 0.7}


def test_a_score_that_is_not_finite_is_never_chosen(caplog):
    scores = SCORES.assign(
        similarity=SCORES["similarity"].mask(SCORES["candidate"] == 15, float("nan"))
    )
    scores.loc[scores["candidate"] == 16, "similarity"] = float("inf")
    with caplog.at_level(logging.WARNING):
        choice = choose(scores)
    assert choice.backbone == 2
    assert [ranked.candidate for ranked in choice.ranking] == [2, 1, 15, 16]
    assert [ranked.similarity for ranked in choice.ranking[2:]] == [None, None]
    assert "candidate 15 has no finite score" in caplog.text


@pytest.mark.parametrize(
    ("scores", "target"),
    [
        (SCORES, 9),  # no row of that target
        (SCORES[SCORES["candidate"] == 3], 3),  # none but the target itself
        (SCORES.assign(similarity=float("nan")), 3),
    ],
)
def test_nothing_to_choose_from(scores, target):
    with pytest.raises(ValueError, match=f"no candidate can be the backbone of target {target}"):
        choose(scores, target=target)


def test_no_candidate_of_the_modality():
    scores = SCORES[SCORES["modality"] == "image"]
    with pytest.raises(ValueError, match="cross_modal.*add candidates"):
        choose(scores, candidates="cross_modal")


def test_bad_scores_are_refused():
    with pytest.raises(ValueError, match="lack the columns modality, similarity"):
        choose(SCORES.drop(columns=["modality", "similarity"]))
    with pytest.raises(ValueError, match="candidate 1 is scored twice for target 3"):
        choose(pd.concat([SCORES, SCORES.head(1)]))
    with pytest.raises(ValueError, match="unknown candidates 'both'; choose one of all"):
        choose(candidates="both")


@given(
    st.dictionaries(st.integers(1, 60), st.floats(0, 1), min_size=2, max_size=12),
    st.randoms(use_true_random=False),
)
def test_the_order_of_the_rows_does_not_matter(scores, random):
    target = min(scores)
    rows = [(target, candidate, "image", "image", score) for candidate, score in scores.items()]
    shuffled = random.sample(rows, len(rows))
    choice = choose(pd.DataFrame(shuffled, columns=SCORES.columns), target=target)
    others = {candidate: score for candidate, score in scores.items() if candidate != target}
    best = max(others.values())
    assert choice.similarity == best
    assert choice.backbone == min(c for c, score in others.items() if score == best)
