"""The choice of a backbone: the most similar candidate, never the target."""

import json
import logging
from dataclasses import asdict

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossback_core.selection.choice import choose_backbone

SCORES = pd.DataFrame(
    [
        ("3", "1", "image", "image", 0.70),
        ("3", "2", "image", "image", 0.80),
        ("3", "3", "image", "image", 1.00),
        ("3", "9", "text", "image", 0.90),
        ("3", "16", "text", "image", 0.90),
        ("4", "1", "image", "text", 0.99),
        ("4", "9", "text", "text", 0.10),
    ],
    columns=["target", "candidate", "modality", "target_modality", "similarity"],
)


def choose(scores=SCORES, *, target="3", candidates="all", minimum=None):
    """Choose with a fixed name of the score."""
    return choose_backbone(
        scores, target=target, candidates=candidates, score="ddv_euclidean", minimum=minimum
    )


@pytest.mark.parametrize(
    ("target", "candidates", "backbone"),
    [
        ("3", "all", "9"),  # not itself; of two equals the lower id
        ("3", "same_modal", "2"),
        ("4", "all", "1"),
        ("4", "cross_modal", "1"),
    ],
)
def test_the_most_similar_candidate_is_chosen(target, candidates, backbone):
    assert choose(target=target, candidates=candidates).backbone == backbone


def test_the_choice_says_why_in_json():
    choice = json.loads(json.dumps(asdict(choose()), allow_nan=False))
    assert [tuple(ranked.values()) for ranked in choice.pop("ranking")] == [
        ("9", "text", 0.90),
        ("16", "text", 0.90),
        ("2", "image", 0.80),
        ("1", "image", 0.70),
    ]
    assert choice == {
        **{"target": "3", "modality": "image", "score": "ddv_euclidean", "candidates": "all"},
        **{"backbone": "9", "backbone_modality": "text", "similarity": 0.90, "minimum": None},
    }


@pytest.mark.parametrize(("minimum", "backbone"), [(0.89, "9"), (0.90, None), (1.0, None)])
def test_no_candidate_is_chosen_that_is_not_above_the_minimum(minimum, backbone):
    choice = choose(minimum=minimum)
    of_it = (choice.backbone, choice.backbone_modality, choice.similarity)
    assert of_it == ((backbone, "text", 0.90) if backbone else (None, None, None))
    assert [ranked.candidate for ranked in choice.ranking] == ["9", "16", "2", "1"]


def test_a_score_that_is_not_finite_is_never_chosen(caplog):
    bad = SCORES["candidate"].map({"9": float("nan"), "16": float("inf")})
    scores = SCORES.assign(similarity=SCORES["similarity"].mask(SCORES["modality"] == "text", bad))
    with caplog.at_level(logging.WARNING):
        choice = choose(scores)
    assert choice.backbone == "2"
    assert [ranked.candidate for ranked in choice.ranking] == ["2", "1", "9", "16"]
    assert [ranked.similarity for ranked in choice.ranking[2:]] == [None, None]
    assert "candidate 9 has no finite score" in caplog.text


NOTHING = "no candidate can be the backbone of target"


@pytest.mark.parametrize(
    ("scores", "options", "message"),
    [
        (SCORES, {"target": "9"}, f"{NOTHING} 9"),
        (SCORES[SCORES["candidate"] == "3"], {}, f"{NOTHING} 3"),  # none but the target itself
        (SCORES.assign(similarity=float("nan")), {}, f"{NOTHING} 3"),
        (SCORES.head(3), {"candidates": "cross_modal"}, "cross_modal.*add candidates"),
        (SCORES.iloc[:, [0, 1, 3]], {}, "lack the columns modality, similarity"),
        (pd.concat([SCORES, SCORES.head(1)]), {}, "candidate 1 is scored twice for target 3"),
        (SCORES, {"candidates": "both"}, "unknown candidates 'both'; choose one of all"),
    ],
)
def test_what_cannot_be_chosen_from(scores, options, message):
    with pytest.raises(ValueError, match=message):
        choose(scores, **options)


IDS = st.integers(1, 1200).map(str) | st.sampled_from(["image-a", "image-b", "text-10", "Ä"])


def _place(id_: str) -> tuple[bool, int, str]:
    """Numbers come before names, 2 before 10."""
    return (True, 0, id_) if not id_.isdigit() else (False, int(id_), id_)


@given(
    st.dictionaries(IDS, st.floats(0, 1), min_size=2, max_size=12),
    st.randoms(use_true_random=False),
)
def test_the_order_of_the_rows_does_not_matter(scores, random):
    target = random.choice(list(scores))
    rows = [(target, candidate, "image", "image", score) for candidate, score in scores.items()]
    shuffled = random.sample(rows, len(rows))
    choice = choose(pd.DataFrame(shuffled, columns=SCORES.columns), target=target)
    others = {candidate: score for candidate, score in scores.items() if candidate != target}
    best = max(others.values())
    assert choice.similarity == best
    first = min(c for c in map(_place, others) if others[c[-1]] == best)
    assert choice.backbone == first[-1]
