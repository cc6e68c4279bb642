"""Scores judged, and gains split, on tables small enough to work out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_1samp

from crossback_core.study.analysis import (
    by_size,
    gains_by_candidate,
    gains_by_group,
    interval,
    with_gains,
)
from crossback_core.study.judging import (
    ACCURACY_SAME,
    MOST_CLASSES,
    ORACLE,
    OTHER_SEEDS,
    RANDOM,
    RANDOM_SAME,
    VALIDATION,
    judge_scores,
)
from crossback_core.study.signs import judge_signs
from crossback_core.study.verdicts import judge_verdicts

JOINT = ("100",)


def training(
    target: str, seed: int, start: str, candidate: str | None, validation: float, test: float
) -> dict[str, Any]:
    """One row of the table of trainings."""
    return {
        "size": "10",
        "seed": seed,
        "target": target,
        "target_modality": "image",
        "start": start,
        "candidate": candidate,
        "modality": None if candidate is None else "image",
        "classes": None if candidate is None else 5,
        "sparsity": None if candidate is None else 0.5,
        "validation_accuracy": validation,
        "test_accuracy": test,
        "quarter_validation_accuracy": validation / 2,
        "half_validation_accuracy": validation,
        "weights": 0.6,
        "validation_outcomes": None if candidate is None else signs(validation - 0.5),
        "test_outcomes": None if candidate is None else signs(test - 0.55),
    }


def signs(gain: float) -> str:
    """Return the signs of twenty samples, with that gain."""
    count = round(20 * abs(gain))
    return ("+" if gain > 0 else "-") * count + "0" * (20 - count)


@pytest.fixture
def trainings() -> pd.DataFrame:
    """One target, one seed: three candidates of which 100 is the best on test, 2 on validation."""
    rows = [
        training("1", 1, "baseline", None, 0.50, 0.55),
        training("1", 1, "longer", None, 0.50, 0.60),
        training("1", 1, "backbone", "2", 0.70, 0.65),
        training("1", 1, "backbone", "3", 0.20, 0.40),
        training("1", 1, "backbone", "100", 0.60, 0.80),
        training("1", 1, "shuffled", "100", 0.50, 0.50),
    ]
    return pd.DataFrame(rows)


@pytest.fixture
def scores() -> pd.DataFrame:
    """A score that ranks the candidates rightly, one that ranks them wrongly, one that is flat."""
    place = {
        "size": "10",
        "seed": 1,
        "target": "1",
        "target_modality": "image",
        "modality": "image",
    }
    values = {"2": (0.2, 0.8, 1.0), "3": (0.1, 0.9, 1.0), "100": (0.3, 0.7, 1.0)}
    return pd.DataFrame(
        {
            **place,
            "candidate": candidate,
            "classes": 5,
            "knn": right,
            "cka": wrong,
            "accuracy": flat,
        }
        for candidate, (right, wrong, flat) in values.items()
    )


def judged(trainings: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    return judge_scores(with_gains(trainings, joint=JOINT), scores, joint=JOINT).set_index(
        "picked_by"
    )


def test_regret_is_what_the_pick_lacks_to_the_best_candidate(
    trainings: pd.DataFrame, scores: pd.DataFrame
) -> None:
    regrets = judged(trainings, scores)["regret"]
    assert regrets["knn"] == regrets[ORACLE] == 0
    assert regrets["cka"] == pytest.approx(0.4)
    assert regrets[VALIDATION] == pytest.approx(0.15)
    assert regrets[RANDOM] == pytest.approx(0.8 - (0.65 + 0.4 + 0.8) / 3)


def test_picks_are_compared_with_a_candidate_at_random(
    trainings: pd.DataFrame, scores: pd.DataFrame
) -> None:
    over = judged(trainings, scores)["over_random"]
    assert over["knn"] == pytest.approx(0.8 - (0.65 + 0.4 + 0.8) / 3)
    assert over[RANDOM] == 0


def test_among_equal_scores_the_lowest_id_is_picked(
    trainings: pd.DataFrame, scores: pd.DataFrame
) -> None:
    shuffled = scores.sample(frac=1, random_state=3)
    assert judged(trainings, shuffled)["accuracy"]["accuracy"] == pytest.approx(0.65)


def test_a_score_that_is_not_finite_is_never_picked(
    trainings: pd.DataFrame, scores: pd.DataFrame
) -> None:
    scores.loc[scores["candidate"] == "100", "knn"] = np.nan
    assert judged(trainings, scores)["accuracy"]["knn"] == pytest.approx(0.65)


def test_ranks_taus_and_planted_picks(trainings: pd.DataFrame, scores: pd.DataFrame) -> None:
    table = judged(trainings, scores)
    assert table["rank"].to_dict() == {
        RANDOM: 2, RANDOM_SAME: 2, ACCURACY_SAME: 2, MOST_CLASSES: 2,
        "classes": 2, "cka": 3, "knn": 1, "accuracy": 2, VALIDATION: 2, ORACLE: 1
    }  # fmt: skip
    assert table["tau"]["knn"] == pytest.approx(1)
    assert table["tau"]["cka"] == pytest.approx(-1)
    assert table["tau"]["accuracy"] == 0
    assert table["planted"]["knn"] == 1
    assert table["planted"][RANDOM] == pytest.approx(1 / 3)


def test_an_oracle_without_the_luck_of_one_seed_looks_at_the_others(
    trainings: pd.DataFrame, scores: pd.DataFrame
) -> None:
    """In the second seed candidate 3 is best; picked for the first it is worth 0.4 there."""
    tests = {"baseline": 0.5, "longer": 0.5, "shuffled": 0.5, "2": 0.6, "3": 0.9, "100": 0.7}
    second = trainings.assign(seed=2)
    second["test_accuracy"] = [
        tests.get(row.start, tests.get(row.candidate)) for row in second.itertuples()
    ]
    both = pd.concat([trainings, second], ignore_index=True)
    table = judged(both, pd.concat([scores, scores.assign(seed=2)]))
    assert table["accuracy"][OTHER_SEEDS] == pytest.approx((0.4 + 0.7) / 2)
    assert table["accuracy"][ORACLE] == pytest.approx((0.8 + 0.9) / 2)
    assert OTHER_SEEDS not in judged(trainings, scores).index


def test_equal_accuracies_in_other_seeds_stay_equal(
    trainings: pd.DataFrame, scores: pd.DataFrame
) -> None:
    """The lowest id among equals: rounding must not choose for it."""
    second = trainings.assign(seed=2, test_accuracy=37 / 60)
    first = trainings.assign(test_accuracy=[0.5, 0.5, 29 / 60, 41 / 60, 59 / 60, 0.5])
    both = pd.concat([first, second], ignore_index=True)
    table = judged(both, pd.concat([scores, scores.assign(seed=2)]))
    assert table["accuracy"][OTHER_SEEDS] == pytest.approx((29 / 60 + 37 / 60) / 2)


def test_a_score_that_some_candidates_lack_says_nothing_of_the_planted_one(
    trainings: pd.DataFrame, scores: pd.DataFrame
) -> None:
    scores.loc[len(scores)] = scores.iloc[0].to_dict() | {"candidate": "4", "knn": np.nan}
    table = judged(trainings, scores)
    assert np.isnan(table["planted"]["knn"]) and table["planted"]["cka"] == 0


def test_the_baseline_stays_where_the_verdict_is_that_the_pick_hurts(
    trainings: pd.DataFrame, scores: pd.DataFrame
) -> None:
    table = judged(trainings, scores)
    assert table["kept_gain"]["knn"] == pytest.approx(0.8 - 0.6)
    assert table["kept_gain"]["cka"] == pytest.approx(0.55 - 0.6)  # 3 hurts: the baseline stays
    assert table["gain"]["cka"] == pytest.approx(0.4 - 0.6)


def with_other_candidate(trainings: pd.DataFrame, scores: pd.DataFrame) -> list[pd.DataFrame]:
    """Add a text candidate of many classes, accurate and useless; 3 and 100 have most of the image.

    Test accuracies: 2 (5 classes) .65, 3 .4, 100 .8 (both 50 classes), 9 of texts .2.
    """
    trained = training("1", 1, "backbone", "9", 0.3, 0.2) | {"modality": "text"}
    listed = scores.iloc[0].to_dict() | {"candidate": "9", "modality": "text"}
    both = [
        pd.concat([trainings, pd.DataFrame([trained])]),
        pd.concat([scores, pd.DataFrame([listed])]),
    ]
    both[1] = both[1].assign(
        classes=both[1]["candidate"].map({"2": 5, "3": 50, "100": 50, "9": 90}),
        accuracy=both[1]["candidate"].map({"2": 0.7, "3": 0.6, "100": 0.5, "9": 0.9}),
    )
    return both


def test_static_rules_look_at_the_targets_modality_and_share_what_is_equal(
    trainings: pd.DataFrame, scores: pd.DataFrame
) -> None:
    table = judged(*with_other_candidate(trainings, scores))
    accuracies = table["accuracy"]
    assert accuracies[MOST_CLASSES] == pytest.approx((0.4 + 0.8) / 2)
    assert accuracies[ACCURACY_SAME] == pytest.approx(0.65)
    assert accuracies[RANDOM_SAME] == pytest.approx((0.65 + 0.4 + 0.8) / 3)
    assert accuracies["classes"] == pytest.approx(0.2)
    assert table["regret"][MOST_CLASSES] == pytest.approx(0.8 - 0.6)
    assert table["rank"][MOST_CLASSES] == pytest.approx((1 + 3) / 2)
    assert table["planted"][MOST_CLASSES] == pytest.approx(1 / 2)
    assert table["planted"][RANDOM_SAME] == pytest.approx(1 / 3)


def test_picks_are_compared_with_the_static_rule_cell_by_cell(
    trainings: pd.DataFrame, scores: pd.DataFrame
) -> None:
    """Target 1 has a rule worth .6, target 2 none: no candidate of its modality."""
    trained, listed = with_other_candidate(trainings, scores)
    others = [frame.assign(target="2", target_modality="sound") for frame in (trained, listed)]
    table = judged(pd.concat([trained, others[0]]), pd.concat([listed, others[1]]))
    assert table["over_static"]["knn"] == pytest.approx(0.8 - 0.6)
    assert table["over_static"][MOST_CLASSES] == 0
    assert table["cells"][MOST_CLASSES] == 1 and table["cells"]["knn"] == 2


def test_every_column_of_scores_is_judged_but_not_how_far_its_draws_differ(
    trainings: pd.DataFrame, scores: pd.DataFrame
) -> None:
    more = scores.assign(knn_excess=-scores["knn"], cka_blocks=scores["knn"], knn_excess_spread=1.0)
    table = judged(trainings, more)
    assert table["accuracy"]["knn_excess"] == pytest.approx(0.4)
    assert table["accuracy"]["cka_blocks"] == pytest.approx(0.8)
    assert "knn_excess_spread" not in table.index


def shuffled_scored(scores: pd.DataFrame) -> pd.DataFrame:
    """Score candidate 100 shuffled too: best by one score, worst by the other."""
    row = scores.iloc[2].to_dict() | {"candidate": "100 shuffled", "knn": 0.0, "cka": 1.0}
    return pd.concat([scores, pd.DataFrame([row])], ignore_index=True)


def test_a_shuffled_candidate_that_is_scored_is_a_candidate(
    trainings: pd.DataFrame, scores: pd.DataFrame
) -> None:
    table = judged(trainings, shuffled_scored(scores))
    assert table["accuracy"]["cka"] == pytest.approx(0.5)
    assert table["accuracy"][RANDOM] == pytest.approx((0.65 + 0.4 + 0.8 + 0.5) / 4)
    assert table["planted"]["knn"] == 1 and table["planted"]["cka"] == 0
    assert judged(trainings, scores)["candidates"].eq(3).all()


def test_none_is_planted_where_all_candidates_are_joint(
    trainings: pd.DataFrame, scores: pd.DataFrame
) -> None:
    joint = ("2", "3", "100")
    gains = with_gains(trainings, joint=joint)
    for listed in (scores, shuffled_scored(scores)):
        assert judge_scores(gains, listed, joint=joint)["planted"].isna().all()


def test_signs_split_gains_at_zero(trainings: pd.DataFrame, scores: pd.DataFrame) -> None:
    """Baselines .55 and .6: 2 gains .075, 3 loses .175, 100 gains .225; the zero parts 2 and 3."""
    listed = scores.assign(knn_excess=[0.0, 0.1, 0.2], knn_excess_spread=1.0)
    table = judge_signs(with_gains(trainings, joint=JOINT), listed)
    assert set(table["score"]) == {"knn_excess"}
    row = table.set_index(["target_modality", "modality"]).loc[("image", "same")]
    assert (row["above"], row["not_above"], row["targets"]) == (2, 1, 1)
    assert row["above_over_mean"] == pytest.approx((-0.175 + 0.225) / 2)
    assert row["not_above_over_mean"] == pytest.approx(0.075)
    assert row["above_gain"] == pytest.approx((-0.2 + 0.2) / 2)
    assert row["above_helped"] == pytest.approx(0.5) and row["not_above_helped"] == 1
    assert row["auc"] == pytest.approx(0.5)  # 100 is above 3, 2 is not


def test_signs_are_of_every_scored_candidate_and_area_needs_both_outcomes(
    trainings: pd.DataFrame, scores: pd.DataFrame
) -> None:
    listed = shuffled_scored(scores.assign(loo_ridge=[0.2, -0.1, 0.2])).fillna({"loo_ridge": -0.2})
    listed.loc[listed["candidate"] == "100 shuffled", "loo_ridge"] = -0.2
    table = judge_signs(with_gains(trainings, joint=JOINT), listed)
    row = table.set_index(["target_modality", "modality"]).loc[("all", "all")]
    assert (row["above"], row["not_above"], row["auc"]) == (2, 2, 1)
    alone = judge_signs(with_gains(trainings, joint=JOINT), listed[listed["loo_ridge"] > 0])
    assert alone["auc"].isna().all() and alone["not_above_gain"].isna().all()


def test_gains_are_over_the_longer_baseline(trainings: pd.DataFrame) -> None:
    gains = with_gains(trainings, joint=JOINT).set_index(["start", "candidate"])
    assert gains.loc[("backbone", "100"), "gain"] == pytest.approx(0.2)
    assert gains.loc[("backbone", "100"), "over_baseline"] == pytest.approx(0.25)


def test_a_target_without_its_longer_baseline_is_refused(trainings: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="no longer training"):
        with_gains(trainings[trainings["start"] != "longer"], joint=JOINT)


def test_gains_are_split_by_kind_and_start(trainings: pd.DataFrame) -> None:
    table = gains_by_group(with_gains(trainings, joint=JOINT)).set_index(["kind", "start"])
    assert table.loc[("single", "backbone"), "accuracy"] == pytest.approx(0.525)
    assert table.loc[("joint", "backbone"), "over_shuffled"] == pytest.approx(0.3)
    assert np.isnan(table.loc[("single", "backbone"), "over_shuffled"])
    assert table.loc[("single", "backbone"), "trainings"] == 2
    assert table.loc[("joint", "backbone"), "quarter_validation_accuracy"] == pytest.approx(0.3)


def test_gains_are_split_by_candidate(trainings: pd.DataFrame) -> None:
    table = gains_by_candidate(with_gains(trainings, joint=JOINT)).set_index(["candidate", "start"])
    assert table["gain"].round(9).to_dict() == {
        ("2", "backbone"): 0.05,
        ("3", "backbone"): -0.2,
        ("100", "backbone"): 0.2,
        ("100", "shuffled"): -0.1,
    }
    assert table["kind"].tolist() == ["single", "single", "joint", "joint"]


def test_rows_are_ordered_by_size_with_all_samples_last() -> None:
    frame = pd.DataFrame({"size": ["all", "10", "5", "10"], "row": [1, 2, 3, 4]})
    assert by_size(frame)["row"].tolist() == [3, 2, 4, 1]
    assert by_size(pd.DataFrame({"size": [10, 5]}))["size"].tolist() == [5, 10]


def cells(values: dict[tuple[int, int], float]) -> pd.DataFrame:
    """A value for each target and seed."""
    return pd.DataFrame(
        [{"target": target, "seed": seed, "x": value} for (target, seed), value in values.items()]
    )


def test_the_mean_weighs_targets_equally() -> None:
    found = interval(cells({(1, 1): 0.0, (1, 2): 0.0, (1, 3): 0.0, (2, 1): 1.0}), "x")
    assert found.mean == pytest.approx(0.5)


def test_the_interval_is_students_over_targets() -> None:
    values = {(1, 1): 0.1, (1, 2): 0.3, (2, 1): 0.4, (3, 1): 0.6, (4, 1): 0.4}
    found, expected = interval(cells(values), "x"), ttest_1samp([0.2, 0.4, 0.6, 0.4], 0)
    low, high = expected.confidence_interval(0.95)
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))


def test_one_target_has_a_mean_and_no_interval() -> None:
    found = interval(cells({(1, 1): 0.3, (1, 2): 0.5}), "x")
    assert found.mean == pytest.approx(0.4) and np.isnan(found.low) and np.isnan(found.high)


def test_the_interval_of_five_targets_covers_the_truth_as_often_as_it_says() -> None:
    random = np.random.default_rng(3)
    covered = 0
    for _ in range(200):
        values = {
            (target, seed): effect + random.normal(0, 0.5)
            for target, effect in enumerate(random.normal(0, 1, size=5))
            for seed in range(2)
        }
        found = interval(cells(values), "x")
        covered += found.low <= 0 <= found.high
    assert 0.91 < covered / 200 < 0.99


def test_nothing_to_average_is_no_number() -> None:
    assert np.isnan(interval(cells({(1, 1): np.nan}), "x").mean)


def test_a_verdict_is_held_against_the_gain_on_test(trainings: pd.DataFrame) -> None:
    """Pairs of seed 1, by validation: 2 gains .2, 3 loses .3, 100 gains .1, its shuffled 0."""
    table = judge_verdicts(trainings).set_index("verdict")
    assert set(table["runs"]) == {1}
    assert table["verdicts"].to_dict() == {"helps": 1, "undecided": 2, "hurts": 1}
    assert table["gain"].to_dict() == pytest.approx(
        {"helps": 0.1, "undecided": (0.25 - 0.05) / 2, "hurts": -0.15}
    )
    assert table["better"].to_dict() == {"helps": 0, "undecided": 1, "hurts": 0}
    assert table["worse"].sum() == 0  # of twenty, three more or less are within the interval


def test_seeds_of_one_pair_make_a_verdict_together(trainings: pd.DataFrame) -> None:
    both = pd.concat([trainings, trainings.assign(seed=2)])
    table = judge_verdicts(both).set_index(["runs", "verdict"])["verdicts"]
    assert (table[1].sum(), table[2].sum()) == (8, 4)
