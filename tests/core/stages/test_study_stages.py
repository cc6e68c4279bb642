"""A study in miniature: two targets, two candidates, one control, from files to figures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import recorded
import tiny
import torch
from interruption import Interrupted

from crossback_core.checkpoint.network_file import save_checkpoint
from crossback_core.data.task_file import TaskData, save_task
from crossback_core.records import to_values
from crossback_core.selection.settings import ProbeSettings
from crossback_core.stages import study
from crossback_core.stages.artifacts import IDS
from crossback_core.stages.baseline import train_baseline
from crossback_core.stages.choice import list_candidates
from crossback_core.stages.similarity import measure_similarity
from crossback_core.storage.files import read_csv, read_json
from crossback_core.study.judging import ORACLE, RANDOM
from crossback_core.study.settings import Start

RUN: dict[str, Any] = {"device": "cpu", "seed": 1}
LONGER = replace(tiny.ADAMW, epochs=2 * tiny.ADAMW.epochs)
CANDIDATES = ("8", "9")
FIGURES = ("regret", "transfer", "gains", "sizes")


@dataclass(frozen=True)
class Study:
    """The files of a study."""

    folder: Path

    def target(self, target: str) -> Path:
        """The folder of a target."""
        return self.folder / "size_4" / "seed_1" / f"target_{target}"

    def candidate(self, data: TaskData) -> None:
        """Write a candidate: its task, its network and its pruned backbone."""
        network = tiny.network(data)
        record = to_values(recorded.baseline(validation_accuracy=0.5))
        save_task(data, self.folder / f"task_{data.task}.pt")
        save_checkpoint(network, self.folder / f"baseline_{data.task}.pt", record)
        network.ownership.weights.prune_to(0.5)
        save_checkpoint(network, self.folder / f"pruned_{data.task}.pt", record)

    def cell(self, data: TaskData) -> None:
        """Do all that is done for a target."""
        folder = self.target(data.task)
        save_task(data, folder / "task.pt")
        for name, training in (("baseline", tiny.ADAMW), ("longer", LONGER)):
            train_baseline(
                task_file=folder / "task.pt",
                checkpoint=folder / f"{name}.pt",
                metrics=folder / f"{name}.json",
                history=folder / f"{name}.csv",
                model=tiny.MODEL,
                training=training,
                resume=folder / "resume",
                **RUN,
            )
        list_candidates(
            task_files=[self.folder / f"task_{candidate}.pt" for candidate in CANDIDATES],
            baselines=[self.folder / f"baseline_{candidate}.pt" for candidate in CANDIDATES],
            candidates=self.folder / "listed.csv",
            ids=CANDIDATES,
        )
        measure_similarity(
            target_data=folder / "task.pt",
            target_baseline=folder / "baseline.pt",
            candidates=self.folder / "listed.csv",
            similarity=folder / "scores.csv",
            stacking=folder / "stacking.json",
            probing=ProbeSettings(probes=4, mutations=2, mutation_step=0.1),
            excluded=(),
            seed=1,
            shuffled=CANDIDATES[:1],
        )
        for candidate in CANDIDATES:
            self.pair(data.task, "backbone", candidate)
        self.pair(data.task, "shuffled", CANDIDATES[0])

    def pair(self, target: str, start: Start, candidate: str, **changes: int) -> dict[str, Any]:
        """Train a target from a candidate or control."""
        folder = self.target(target)
        study.train_pair(
            task_file=folder / "task.pt",
            backbone=self.folder / f"pruned_{candidate}.pt",
            baseline=folder / "baseline.pt",
            metrics=folder / f"{start}_{candidate}.json",
            start=start,
            target=tiny.TARGET,
            training=tiny.ADAMW,
            resume=folder / "resume",
            **RUN | changes,
        )
        record: dict[str, Any] = read_json(folder / f"{start}_{candidate}.json")
        return record

    def collect(self) -> None:
        """Make the tables and the figures."""
        cells = [self.target(target) for target in ("1", "2")]
        study.collect_study(
            baselines=[cell / "baseline.json" for cell in cells],
            histories=[cell / "baseline.csv" for cell in cells],
            longer=[cell / "longer.json" for cell in cells],
            longer_histories=[cell / "longer.csv" for cell in cells],
            pairs=[path for cell in cells for path in sorted(cell.glob("*_*.json"))],
            scores=[cell / "scores.csv" for cell in cells],
            trainings=self.folder / "trainings.csv",
            score_table=self.folder / "scores.csv",
        )
        study.summarize_study(
            trainings=self.folder / "trainings.csv",
            score_table=self.folder / "scores.csv",
            summary=self.folder / "summary.csv",
            gains=self.folder / "gains.csv",
            candidates=self.folder / "candidates.csv",
            signs=self.folder / "signs.csv",
            verdicts=self.folder / "verdicts.csv",
            figures=[self.folder / f"{figure}.png" for figure in FIGURES],
            joint=["8"],
        )


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Return a finished study of an image and a text target."""
    made = Study(tmp_path_factory.mktemp("study"))
    made.candidate(tiny.task_data("8", "image", classes=3))
    made.candidate(tiny.task_data("9", "text"))
    made.cell(tiny.task_data("1", "image", classes=3))
    made.cell(tiny.task_data("2", "text"))
    made.collect()
    return made


def test_every_training_is_a_row(done: Study) -> None:
    table = read_csv(done.folder / "trainings.csv")
    assert len(table) == 2 * (2 + 2 + 1)
    assert table.groupby("start").size().to_dict() == {
        "backbone": 4, "baseline": 2, "longer": 2, "shuffled": 2
    }  # fmt: skip
    assert set(table["size"]) == {4} and set(table["seed"]) == {1}


def test_a_pair_across_modalities_continues_at_a_rate_of_its_own(done: Study) -> None:
    rates = {}
    for candidate in CANDIDATES:
        record = read_json(done.target("2") / f"backbone_{candidate}.json")
        rates[record["continued"]] = record["settings"]["target"]["learning_rate"]
    assert rates == {
        True: tiny.TARGET.continued_learning_rate, False: tiny.TARGET.learning_rate
    }  # fmt: skip


def test_rows_say_what_the_files_say(done: Study) -> None:
    table = read_csv(done.folder / "trainings.csv", names=IDS)
    table = table.set_index(["target", "start", "candidate"])
    record = read_json(done.target("2") / "backbone_8.json")
    row = table.loc[("2", "backbone", "8")]
    assert (record["target_modality"], record["modality"]) == ("text", "image")
    for name in ("test_accuracy", "half_validation_accuracy", "weights", "sparsity"):
        assert row[name] == pytest.approx(record[name])


def test_a_pruned_backbone_and_its_target_share_weights(done: Study) -> None:
    record = read_json(done.target("1") / "backbone_8.json")
    assert record["sparsity"] == pytest.approx(0.5, abs=0.02)
    # the target has the half that was pruned, and parameters of its own: fewer than two networks
    assert 0.5 < record["weights"] < 0.9


def test_the_longer_baseline_has_twice_the_epochs(done: Study) -> None:
    short, longer = (read_csv(done.target("1") / f"{n}.csv") for n in ("baseline", "longer"))
    assert len(longer) == 2 * len(short)


def test_what_a_training_reached_on_the_way() -> None:
    found = study._on_the_way([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8])
    assert found == {"quarter_validation_accuracy": 0.2, "half_validation_accuracy": 0.4}


def test_scores_and_gains_are_judged_and_drawn(done: Study) -> None:
    summary = read_csv(done.folder / "summary.csv").set_index("picked_by")
    assert {"linear_classifier", "ddv_cosine", "sparsity", RANDOM, ORACLE} <= set(summary.index)
    assert summary["cells"].eq(2).all() and summary.loc[ORACLE, "regret"] == 0
    gains = read_csv(done.folder / "gains.csv")
    assert set(gains["start"]) == {"backbone", "baseline", "longer", "shuffled"}
    for figure in FIGURES:
        assert (done.folder / f"{figure}.png").read_bytes().startswith(b"\x89PNG")


def test_a_pair_is_trained_alike_whenever_it_is_trained(done: Study) -> None:
    first = read_json(done.target("1") / "shuffled_8.json")
    again = done.pair("1", "shuffled", "8")
    assert first | {"seconds": 0} == again | {"seconds": 0}


def test_the_state_of_a_pair_is_of_its_seed_and_of_what_its_files_hold(
    done: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys: list[object] = []

    def note(path: Path, key: object) -> None:
        keys.append(key)
        raise Interrupted

    monkeypatch.setattr(study, "ResumeFile", note)
    pairs: list[tuple[str, Start, str]] = [("1", "backbone", name) for name in CANDIDATES]
    pairs += [("2", "backbone", CANDIDATES[0]), ("1", "shuffled", CANDIDATES[0])]
    for pair in [*pairs, pairs[0]]:
        with pytest.raises(Interrupted):
            done.pair(*pair)
    monkeypatch.setitem(RUN, "seed", 5)
    with pytest.raises(Interrupted):
        done.pair(*pairs[0])
    assert keys[len(pairs)] == keys[0]
    assert len(set(map(repr, keys))) == len(keys) - 1


def test_each_seed_of_a_study_starts_otherwise(
    done: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []

    def begin(*networks: object, **options: object) -> None:
        drawn.append(float(torch.rand(())))
        raise Interrupted

    monkeypatch.setattr(study, "begin", begin)
    for seed in (1, 1, 2):
        with pytest.raises(Interrupted):
            done.pair("1", "shuffled", "8", seed=seed)
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_path_that_is_none_of_a_study_is_refused(done: Study) -> None:
    with pytest.raises(ValueError, match="not the path of an artifact of a study"):
        study.collect_study(
            baselines=[],
            histories=[],
            longer=[],
            longer_histories=[],
            pairs=[done.target("1").parent / "backbone_8.json"],
            scores=[],
            trainings=done.folder / "none.csv",
            score_table=done.folder / "none.csv",
        )


@pytest.mark.parametrize(
    ("name", "other", "words"),
    [
        ("backbone_8.json", "shuffled_8.json", "holds backbone_8, but its path says shuffled_8"),
        ("backbone_9.json", "backbone_8.json", "holds backbone_9, but its path says backbone_8"),
        ("backbone_8.json", "../../seed_2/target_1/backbone_8.json", "holds seed 1, .* seed 2"),
        ("backbone_8.json", "../target_2/backbone_8.json", "holds 1, but its path says 2"),
    ],
)
def test_a_record_in_the_place_of_another_training_is_refused(
    done: Study, tmp_path: Path, name: str, other: str, words: str
) -> None:
    place = (tmp_path / "size_4" / "seed_1" / "target_1" / other).resolve()
    place.parent.mkdir(parents=True)
    place.write_bytes((done.target("1") / name).read_bytes())
    with pytest.raises(ValueError, match=words):
        study.collect_study(
            baselines=[],
            histories=[],
            longer=[],
            longer_histories=[],
            pairs=[place],
            scores=[],
            trainings=tmp_path / "none.csv",
            score_table=tmp_path / "none.csv",
        )


def test_tables_read_back_as_they_were_judged(done: Study) -> None:
    table = read_csv(done.folder / "scores.csv", names=IDS)
    assert list(table["candidate"]) == [*CANDIDATES, "8 shuffled", *CANDIDATES, "8 shuffled"]
    assert table["sparsity"].notna().all()


def test_a_shuffled_candidate_is_scored_trained_and_judged(done: Study) -> None:
    """Its scores are of another network than the candidate's, and it is one that may be picked."""
    table = read_csv(done.folder / "scores.csv", names=IDS).set_index(["target", "candidate"])
    plain, shuffled = (table.loc[("1", name)] for name in ("8", "8 shuffled"))
    assert shuffled["classes"] == plain["classes"]
    assert shuffled["label_cka"] != pytest.approx(plain["label_cka"])
    assert shuffled["made_from"] != plain["made_from"]
    summary = read_csv(done.folder / "summary.csv").set_index("picked_by")
    assert summary["candidates"].eq(3).all()
    trained = read_csv(done.folder / "trainings.csv", names=IDS)
    trained = trained[trained["candidate"].notna()]
    assert summary.loc[RANDOM, "accuracy"] == pytest.approx(trained["test_accuracy"].mean())


def test_gains_by_candidate_are_kept_as_a_table(done: Study) -> None:
    table = read_csv(done.folder / "candidates.csv", names=IDS)
    kinds = table.groupby("candidate")["kind"].unique().map(list).to_dict()
    assert kinds == {"8": ["joint"], "9": ["single"]}
    assert table["targets"].eq(1).all() and table["trainings"].sum() == 2 * (2 + 1)
