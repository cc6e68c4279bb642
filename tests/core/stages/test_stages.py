"""The whole method in miniature: every stage after the data, from file to file."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pandas as pd
import pytest
import recorded
import tiny
import torch
from interruption import Interrupted

import crossback_core
from crossback_core import NUMERICS
from crossback_core.checkpoint.network_file import load_checkpoint, save_checkpoint
from crossback_core.data import task_file
from crossback_core.data.contents import Seen, content_hash
from crossback_core.data.index import COLUMNS, save_index
from crossback_core.data.sample_table import texts_of
from crossback_core.data.settings import SPLITS, DatasetSettings
from crossback_core.data.task_file import TaskData, load_task, save_task
from crossback_core.learning import training
from crossback_core.records import (
    PairRecord,
    SelectionRecord,
    StackingRecord,
    read_record,
    to_values,
    write_record,
)
from crossback_core.selection.comparison import Target
from crossback_core.selection.scores import SCORES, columns
from crossback_core.selection.settings import ProbeSettings
from crossback_core.stages import backbone, baseline, report, similarity, target
from crossback_core.stages.artifacts import IDS, record_of
from crossback_core.stages.choice import collect_similarity, list_candidates, select_backbone
from crossback_core.storage.files import read_csv, read_json, sha256, write_json
from crossback_core.storage.resume import ResumeFile

RUN: dict[str, Any] = {"device": "cpu", "seed": 2}
LEVELS = tiny.PRUNING.sparsities
PAIRS = ["image to image", "text to image", "image to text"]


@dataclass(frozen=True)
class Chain:
    """The files of one target (task 1) and its only candidate (task 2)."""

    folder: Path
    target: TaskData
    source: TaskData
    places: dict[str, Path] = field(default_factory=dict)

    def path(self, name: str) -> Path:
        """Return the path of an artifact."""
        return self.places.get(name, self.folder / name)

    def json(self, name: str) -> Any:
        """Return the contents of a JSON artifact."""
        return read_json(self.path(name))

    @cached_property
    def levels(self) -> list[Path]:
        """The files of the ladder."""
        return [self.path(f"ladder/{level:g}.pt") for level in LEVELS]

    def train_baseline(self, data: TaskData) -> None:
        """Write the task file and the baseline of a task."""
        save_task(data, self.path(f"task_{data.task}.pt"))
        baseline.train_baseline(
            task_file=self.path(f"task_{data.task}.pt"),
            checkpoint=self.path(f"baseline_{data.task}.pt"),
            metrics=self.path(f"baseline_{data.task}.json"),
            history=self.path(f"baseline_{data.task}.csv"),
            model=tiny.MODEL,
            training=tiny.ADAMW,
            resume=self.path(f"resume/baseline_{data.task}"),
            **RUN,
        )

    def measure(
        self,
        candidates: dict[str, Path],
        table: Path,
        *,
        excluded: Sequence[str] = (),
        seed: int = 2,
    ) -> list[str]:
        """List candidates beside a table, given by their networks; return the table's lines."""
        list_candidates(
            task_files=[self.path(f"task_{id_}.pt") for id_ in candidates],
            baselines=list(candidates.values()),
            candidates=table.with_name("candidates.csv"),
            ids=list(candidates),
        )
        similarity.measure_similarity(
            target_data=self.path("task_1.pt"),
            target_baseline=self.path("baseline_1.pt"),
            candidates=table.with_name("candidates.csv"),
            similarity=table,
            stacking=table.with_name("stacking_1.json"),
            probing=ProbeSettings(probes=6, mutations=6, mutation_step=0.1),
            excluded=excluded,
            seed=seed,
        )
        return table.read_text().splitlines()

    def score(self) -> None:
        """Compare the target with its only candidate."""
        self.measure({"2": self.path("baseline_2.pt")}, self.path("similarity_1.csv"))

    def select(self, name: str = "selection_1", *, minimum: float | None = None) -> None:
        """Choose among the candidates that were compared."""
        select_backbone(
            similarity=self.path("similarity_1.csv"),
            selection=self.path(f"{name}.json"),
            target="1",
            candidates="all",
            score="ddv_cosine",
            minimum=minimum,
        )

    def prune(self) -> None:
        """Climb the ladder."""
        backbone.prune_backbone(
            task_file=self.path("task_2.pt"),
            baseline=self.path("baseline_2.pt"),
            levels=self.levels,
            table=self.path("pruning.csv"),
            pruning=tiny.PRUNING,
            training=tiny.ADAMW,
            resume=self.path("resume/backbone_2"),
            **RUN,
        )

    def choose(self, *, allowed_loss: float = 1.0) -> None:
        """Choose a level of the ladder: the highest, unless told otherwise."""
        backbone.choose_sparsity(
            baseline=self.path("baseline_2.pt"),
            baseline_metrics=self.path("baseline_2.json"),
            table=self.path("pruning.csv"),
            levels=self.levels,
            checkpoint=self.path("pruned.pt"),
            choice=self.path("choice.json"),
            allowed_loss=allowed_loss,
        )

    def swap(self) -> None:
        """Add the target to the backbone."""
        target.swap_kv(
            selection=self.path("selection_1.json"),
            backbone=self.path("pruned.pt"),
            baseline=self.path("baseline_1.pt"),
            checkpoint=self.path("swapped.pt"),
            swapping=tiny.TARGET.swapping,
            seed=2,
        )

    def train_target(
        self,
        name: str = "target_1",
        *,
        metrics: str = "baseline_1.json",
        selection: str = "selection_1.json",
        trials: Sequence[str] = (),
        **changes: Any,
    ) -> None:
        """Train the target on its backbone, if it has one."""
        chosen = self.json(selection)["backbone"] is not None
        target.train_target(
            task_file=self.path("task_1.pt"),
            initial=[self.path("swapped.pt")][:chosen],
            backbone=[self.path("pruned.pt")][:chosen],
            backbone_data=[self.path("task_2.pt")][:chosen],
            baseline=self.path("baseline_1.pt"),
            baseline_metrics=self.path(metrics),
            selection=self.path(selection),
            trials=[self.path(trial) for trial in trials],
            checkpoint=self.path(f"{name}.pt"),
            metrics=self.path(f"{name}.json"),
            history=self.path(f"{name}.csv"),
            target=replace(tiny.TARGET, **changes),
            training=tiny.ADAMW,
            resume=self.path(f"resume/{name}"),
            **RUN,
        )

    def with_folds_at(self, *validation: str) -> dict[str, Any]:
        """Write folds of which that came out; return how a target is judged by them."""
        record = recorded.pair("1", candidate="2", target_modality=self.target.modality)
        for number, signs in enumerate(validation, start=1):
            fold = replace(
                record, validation_outcomes=signs, test_outcomes="1" * 6, seed=10 + number
            )
            write_record(fold, self.path(f"fold_{number}.json"))
        trials = [f"fold_{number}.json" for number in range(1, len(validation) + 1)]
        return {"trials": trials, "judged_by": "folds", "repeats": len(validation)}

    def with_baseline_at(self, accuracy: float, **others: float) -> str:
        """Write the baseline's metrics with another validation accuracy; return their name."""
        metrics = self.json("baseline_1.json") | {"validation_accuracy": accuracy} | others
        write_json(metrics, self.path("other.json"))
        return "other.json"

    def run(self) -> Chain:
        """Do all of it."""
        for data in (self.target, self.source):
            self.train_baseline(data)
        self.score()
        self.select()
        self.prune()
        self.choose()
        self.swap()
        self.train_target()
        return self


def chain_of(folder: Path, pair: str) -> Chain:
    source, target = pair.split(" to ")
    return Chain(folder, tiny.task_data("1", target), tiny.task_data("2", source, classes=3))


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Callable[[str], Chain]:
    """Finished chains, each run once; tests write beside their files, never over them."""
    return cache(lambda pair: chain_of(tmp_path_factory.mktemp("chain"), pair).run())


@pytest.fixture(params=PAIRS)
def chain(request, finished) -> Chain:
    """A finished chain of each pair."""
    return finished(request.param)


@pytest.fixture
def crossing(finished) -> Chain:
    """A finished chain from image to text."""
    return finished("image to text")


@pytest.fixture
def copied(crossing, tmp_path) -> Chain:
    """A copy of it, to be changed."""
    shutil.copytree(crossing.folder, tmp_path / "copied", ignore=shutil.ignore_patterns("resume"))
    return replace(crossing, folder=tmp_path / "copied")


def state(path: Path) -> dict[str, torch.Tensor]:
    return tiny.snapshot(load_checkpoint(path).network)


# the product


def test_the_metrics_of_a_target(chain):
    metrics = chain.json("target_1.json")
    choice, baseline = chain.json("selection_1.json"), chain.json("baseline_1.json")
    assert metrics["target"] == "1" and metrics["backbone"] == "2"
    assert metrics["modality"] == chain.target.modality
    assert metrics["backbone_modality"] == chain.source.modality
    assert metrics["similarity"] == choice["similarity"] and 0 < choice["similarity"] <= 1
    assert metrics["score"] == "ddv_cosine"
    for split in ("validation", "test"):
        assert metrics[f"baseline_{split}_accuracy"] == baseline[f"{split}_accuracy"]
        assert metrics["tried"][f"{split}_accuracy"] == metrics[f"{split}_accuracy"]
    made = metrics["comparison"]
    assert (made["judged_by"], made["runs"], made["samples"]) == ("validation", 1, 6)
    for name, split in (("", "validation"), ("test_", "test")):
        difference = metrics[f"{split}_accuracy"] - metrics[f"baseline_{split}_accuracy"]
        assert made[f"{name}accuracy"] == pytest.approx(metrics[f"{split}_accuracy"])
        assert made[f"{name}gain"]["mean"] == pytest.approx(difference)
    gain = made["gain"]
    verdicts = {(True, False): "helps", (False, True): "hurts", (False, False): "undecided"}
    assert metrics["verdict"] == verdicts[gain["low"] > 0, gain["high"] < 0]
    counts = metrics["test_confusion"]
    right = sum(of.get(name, 0) for name, of in counts.items())
    assert sum(sum(of.values()) for of in counts.values()) == 6
    assert (
        right / 6 == metrics["test_accuracy"] == metrics["test_balanced_accuracy"]
    )  # equal classes
    assert metrics["majority_test_accuracy"] == 0.5
    assert metrics["width"] == 1.0 and metrics["sparsity"] == pytest.approx(0.8, abs=0.005)
    assert metrics["checkpoint_bytes"] == chain.path("target_1.pt").stat().st_size
    assert metrics["seconds"] > 0 and metrics["seed"] == 2
    sizes = [metrics[f"{split}_samples"] for split in ("train", "validation", "test")]
    assert sizes == [12, 6, 6]
    assert json.loads(json.dumps(metrics, allow_nan=False)) == metrics


def test_the_weights_of_a_target_add_up(chain):
    """What the backbone left free is the target's; it picks among the rest."""
    metrics = chain.json("target_1.json")
    assert metrics["owned_fraction"] == pytest.approx(metrics["sparsity"])
    assert metrics["free_fraction"] == 0.0
    assert 0 < metrics["picked_fraction"] <= 1 - metrics["sparsity"] + 1e-9
    parameters = load_checkpoint(chain.path("baseline_1.pt")).network.parameters()
    assert metrics["dense_bytes"] == sum(4 * parameter.numel() for parameter in parameters)


def test_the_backbones_task_is_as_it_was(chain):
    """Computed by the stage, and once more here."""
    data = chain.source
    before, after = (
        load_checkpoint(chain.path(name)).network for name in ("pruned.pt", "target_1.pt")
    )
    logits = [*tiny.logits_of(before, data), *tiny.logits_of(after, data)]
    assert torch.equal(*logits)
    accuracy = float((logits[0].argmax(1) == data.test.labels).double().mean())
    assert chain.json("target_1.json")["earlier_tasks"] == [
        {
            "task": "2",
            "test_accuracy_before": accuracy,
            "test_accuracy_after": accuracy,
            "logits_identical": True,
        }
    ]


def test_a_task_that_changed_is_found_by_the_files_on_disk(copied, tmp_path):
    """An error that names it; the product and the metrics that were there before stay."""
    checkpoint = load_checkpoint(copied.path("pruned.pt"))
    with torch.no_grad():
        checkpoint.network.heads[0].bias += torch.tensor([5.0, 0.0, 0.0])
    save_checkpoint(checkpoint.network, copied.path("pruned.pt"), checkpoint.record)
    made = [copied.path(f"target_1.{suffix}") for suffix in ("pt", "json", "csv")]
    before = [sha256(path) for path in made]
    with pytest.raises(ValueError, match="task 2 of .*pruned.pt computes other logits in the prod"):
        copied.train_target()
    assert [sha256(path) for path in made] == before


def test_a_product_that_lost_an_earlier_task_is_not_written(copied, monkeypatch):
    """As if training had changed what the backbone owns."""

    def spoilt(network, path, *given):
        with torch.no_grad():
            network.heads[0].bias += 1e-6
        save_checkpoint(network, path, *given)

    copied.path("target_1.pt").unlink()
    monkeypatch.setattr(target, "save_checkpoint", spoilt)
    with pytest.raises(ValueError, match="task 2 of .*pruned.pt computes other logits"):
        copied.train_target()
    assert not copied.path("target_1.pt").exists()


def test_the_product_serves_both_tasks(chain):
    product = crossback_core.load(chain.path("target_1.pt"))
    assert list(product.tasks) == ["2", "1"]
    for split in ("validation", "test"):
        found = product.evaluate(chain.path("task_1.pt"), split=split)["accuracy"]
        assert found == chain.json("target_1.json")[f"{split}_accuracy"]
    predicted = product.predict(chain.source.test.inputs(), task="2")
    assert len(predicted) == 6 and {each.best for each in predicted} <= set(chain.source.classes)
    assert product.record["target"] == "1"
    assert product.record["settings"]["target"]["swap"] == "auto"


def test_recipes_go_from_stage_to_stage(chain):
    given = {data.task: data.recipe.values for data in (chain.source, chain.target)}
    files = [chain.path("baseline_2.pt"), *chain.levels, chain.path("pruned.pt")]
    for path in (*files, chain.path("swapped.pt"), chain.path("target_1.pt")):
        network = load_checkpoint(path).network
        assert [each.values for each in network.recipes] == [given[task] for task in network.tasks]


def test_what_was_seen_goes_from_stage_to_stage(chain):
    """Baseline, ladder, swap, target: each file says it of each of its tasks."""
    source, target = chain.source.seen, chain.target.seen
    swapped = chain.json("target_1.json")["tried"]["swapped"]
    for path in (chain.path("baseline_2.pt"), *chain.levels, chain.path("pruned.pt")):
        assert load_checkpoint(path).network.seen == [source]
    start = load_checkpoint(chain.path("swapped.pt")).network
    assert start.seen == [source, target if swapped else Seen()]
    assert load_checkpoint(chain.path("target_1.pt")).network.seen == [source, target]
    for data in (chain.source, chain.target):
        found = crossback_core.load(chain.path("target_1.pt")).evaluate(data)
        assert (found["seen"], found["trained_on"]) == (0, 12)


def test_a_copy_in_the_test_split_is_logged_and_the_run_goes_on(tmp_path, caplog):
    data = tiny.task_data("1", "image")
    copied = data.validation.contents[:1] + data.test.contents[1:]
    Chain(tmp_path, data, data).train_baseline(
        replace(data, test=replace(data.test, contents=copied))
    )
    assert "1 of 6 test samples of task 1 are copies of samples" in caplog.text
    assert (tmp_path / "baseline_1.json").is_file()


def test_a_target_that_continues_its_baseline_trains_at_a_rate_of_its_own(finished):
    tried, rates = {}, {}
    for pair in ("image to image", "image to text"):
        chain = finished(pair)
        tried[pair] = chain.json("target_1.json")["tried"]
        rates[pair] = pd.read_csv(chain.path("target_1.csv"))["learning_rate"]
    assert [tried[pair]["swapped"] for pair in tried] == [False, True]
    assert [tried[pair]["continued"] for pair in tried] == [False, True]
    ratio = tiny.TARGET.continued_learning_rate / tiny.TARGET.learning_rate
    assert list(rates["image to text"] / rates["image to image"]) == pytest.approx([ratio] * 3)


def test_where_a_product_comes_from(chain):
    metrics = chain.json("target_1.json")
    parents = {"task_file": "task_1.pt", "initial": "swapped.pt", "baseline": "baseline_1.pt"}
    for role, name in parents.items():
        assert metrics["parents"][role]["sha256"] == sha256(chain.path(name))
    assert metrics["device"] == "cpu" and metrics["versions"]["numerics"] == NUMERICS
    assert metrics["settings"]["training"]["learning_rate"] == tiny.ADAMW.learning_rate


def test_histories_have_one_row_an_epoch(chain):
    for name in ("baseline_1", "baseline_2", "target_1"):
        history = pd.read_csv(chain.path(f"{name}.csv"))
        assert history["epoch"].tolist() == [1, 2, 3]
        last = history["validation_accuracy"].iloc[-1]
        assert last == pytest.approx(chain.json(f"{name}.json")["validation_accuracy"])
    assert history["width"].tolist() == [1.0] * 3


def test_nothing_waits_to_be_resumed(chain):
    assert list(chain.path("resume").iterdir()) == []


# keeping the better one


HURTS = ("------", "--0---")  # a sign for each held-out sample


def test_by_default_the_product_is_the_network_on_its_backbone(crossing):
    crossing.train_target("kept", **crossing.with_folds_at(*HURTS))
    metrics = crossing.json("kept.json")
    assert (metrics["verdict"], metrics["backbone"]) == ("hurts", "2")
    assert list(crossback_core.load(crossing.path("kept.pt")).tasks) == ["2", "1"]


def test_the_baseline_is_kept_where_the_backbone_hurts(chain):
    chain.train_target("kept", keep_better=True, **chain.with_folds_at(*HURTS))
    metrics, baseline = chain.json("kept.json"), chain.json("baseline_1.json")
    for key in ("backbone", "backbone_modality", "similarity", "sparsity"):
        assert metrics[key] is None
    assert (metrics["verdict"], metrics["target"], metrics["width"]) == ("hurts", "1", 1.0)
    assert metrics["earlier_tasks"] == []
    assert metrics["validation_accuracy"] == baseline["validation_accuracy"]
    assert metrics["test_accuracy"] == baseline["test_accuracy"]
    made = metrics["comparison"]
    assert (made["runs"], made["samples"], made["baseline_accuracy"]) == (2, 12, 11 / 12)
    assert (metrics["owned_fraction"], metrics["picked_fraction"]) == (1.0, 0.0)
    choice, tried = chain.json("selection_1.json"), metrics["tried"]
    assert (tried["backbone"], tried["similarity"]) == ("2", choice["similarity"])
    assert tried["validation_accuracy"] == chain.json("target_1.json")["validation_accuracy"]
    assert tiny.same_state(state(chain.path("kept.pt")), state(chain.path("baseline_1.pt")))


def test_the_backbone_is_kept_where_nothing_is_decided(crossing):
    crossing.train_target("kept", keep_better=True, **crossing.with_folds_at("-+1101", "1-0+01"))
    metrics = crossing.json("kept.json")
    assert (metrics["verdict"], metrics["backbone"]) == ("undecided", "2")
    assert metrics["earlier_tasks"][0]["logits_identical"] is True


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"candidate": "3"}, "is a training from 3, but 2 was chosen"),
        ({"seed": 11}, "is a training of seed 11, as another of them is"),
        ({"test_outcomes": "1"}, "has answers to 1 test sample, not 6"),
    ],
)
def test_a_trial_that_is_none_of_the_target_is_refused(copied, change, words):
    folds = copied.with_folds_at(*HURTS)
    record = read_record(PairRecord, copied.path("fold_2.json"))
    write_record(replace(record, **change), copied.path("fold_2.json"))
    with pytest.raises(ValueError, match=rf"fold_2\.json {words}: remove it"):
        copied.train_target("kept", **folds)


def test_without_a_candidate_the_baseline_is_the_product(chain):
    chain.select("none", minimum=1.0)
    chain.train_target("alone", selection="none.json")
    metrics, baseline = chain.json("alone.json"), chain.json("baseline_1.json")
    assert chain.json("none.json")["ranking"][0]["candidate"] == "2"
    assert (metrics["verdict"], metrics["backbone"], metrics["tried"]) == (
        "no candidate",
        None,
        None,
    )
    assert metrics["test_accuracy"] == baseline["test_accuracy"] and not metrics["earlier_tasks"]
    assert tiny.same_state(state(chain.path("alone.pt")), state(chain.path("baseline_1.pt")))
    assert list(crossback_core.load(chain.path("alone.pt")).tasks) == ["1"]


def test_a_target_grows_until_it_reaches_its_baseline(crossing):
    """By validation: what the baseline does on test is nothing to grow for."""
    low = crossing.with_baseline_at(1.01, test_accuracy=0.0)
    crossing.train_target("grown", metrics=low, max_width=1.5)
    metrics = crossing.json("grown.json")
    assert list(metrics["tried"]["validation_accuracy_by_width"]) == ["1", "1.5"]
    network = load_checkpoint(crossing.path("grown.pt")).network
    assert network.width == metrics["width"] == metrics["tried"]["width"]
    assert metrics["earlier_tasks"][0]["logits_identical"] is True
    assert not crossing.path("resume/grown").exists()


# selection and ladder


def test_similarities_and_the_choice(chain):
    rows = read_csv(chain.path("similarity_1.csv"), names=IDS)
    assert rows[["target", "candidate"]].to_numpy().tolist() == [["1", "2"]]
    assert rows["modality"].item() == chain.source.modality
    assert rows["target_modality"].item() == chain.target.modality
    assert chain.json("selection_1.json")["similarity"] == rows["ddv_cosine"].item()
    assert list(rows.columns)[4:] == [*columns(), "made_from"] and rows.notna().all(axis=None)
    assert rows["classes"].item() == 3
    assert rows["accuracy"].item() == chain.json("baseline_2.json")["validation_accuracy"]
    collect_similarity(
        similarities=[chain.path("similarity_1.csv")] * 2, matrix=chain.path("matrix.csv")
    )
    matrix = read_csv(chain.path("matrix.csv"), names=IDS)
    pd.testing.assert_frame_equal(matrix, pd.concat([rows, rows], ignore_index=True))


@pytest.fixture
def added(crossing) -> Path:
    """The network of another candidate, 10, whose task file lies beside the others'."""
    data = tiny.task_data("10", "image")
    record = to_values(recorded.baseline(validation_accuracy=0.5))
    save_task(data, crossing.path("task_10.pt"))
    save_checkpoint(tiny.network(data, seed=4), crossing.path("other_10.pt"), record)
    return crossing.path("other_10.pt")


@pytest.fixture
def scored(monkeypatch) -> list[str]:
    """The candidates that are scored, in order."""
    found, scores = [], Target.scores

    def watched(self, candidate):
        found.append(candidate.data.task)
        return scores(self, candidate)

    monkeypatch.setattr(Target, "scores", watched)
    return found


def test_rows_of_an_earlier_table_are_kept(crossing, added, scored, tmp_path):
    """Byte for byte: a candidate that is added costs what its own row costs."""
    table = tmp_path / "similarity.csv"
    known = {"2": crossing.path("baseline_2.pt")}
    heading, row = crossing.measure(known, table)
    assert crossing.measure({"10": added} | known, table)[::2] == [heading, row]
    assert scored == ["2", "10"]
    both = crossing.measure(known | {"10": added}, table)
    assert (both[1], scored) == (row, ["2", "10"]), "in the order of the list"
    assert crossing.measure(known | {"10": added}, tmp_path / "new" / "similarity.csv") == both


def test_a_candidate_whose_files_changed_is_scored_again(crossing, added, scored, tmp_path):
    table, candidates = (
        tmp_path / "similarity.csv",
        {"2": crossing.path("baseline_2.pt"), "10": added},
    )
    _, first, before = crossing.measure(candidates, table)
    checkpoint = load_checkpoint(added)
    tiny.disturb(checkpoint.network)
    save_checkpoint(checkpoint.network, added, checkpoint.record)
    _, *rows = crossing.measure(candidates, table)
    assert rows[0] == first and rows[1] != before
    assert scored == ["2", "10", "10"]
    save_task(tiny.task_data("10", "image", train=8), crossing.path("task_10.pt"))
    _, *others = crossing.measure(candidates, table)
    assert others[0] == first and others[1] != rows[1]
    assert scored == ["2", "10", "10", "10"]


def test_candidates_are_stacked(crossing, added, tmp_path):
    """The target itself is listed, and so is one that is none for it."""
    known = {name: crossing.path(f"baseline_{name}.pt") for name in ("1", "2")} | {"10": added}
    made = []
    for excluded in ((), ("2",)):
        crossing.measure(known, tmp_path / "similarity_1.csv", excluded=excluded)
        made.append(record_of(StackingRecord, tmp_path / "stacking_1.json"))
    both, one = made
    assert {*both.order, both.second} == {"2", "10"}
    assert 0 < both.p_value <= 1 and both.samples == 12
    assert (one.order, one.second) == (("10",), None)
    assert set(one.parents) == {"target", "baseline", "candidates"}


@pytest.mark.parametrize("name", ["task_1.pt", "baseline_1.pt"])
def test_another_target_has_all_scored_again(crossing, scored, name, tmp_path):
    """Other samples of it, or another network."""
    known, table = {"2": crossing.path("baseline_2.pt")}, tmp_path / "similarity.csv"
    crossing.measure(known, table)
    if name == "task_1.pt":
        save_task(tiny.task_data("1", "text", train=8), tmp_path / name)
    else:
        checkpoint = load_checkpoint(crossing.path(name))
        tiny.disturb(checkpoint.network)
        save_checkpoint(checkpoint.network, tmp_path / name, checkpoint.record)
    replace(crossing, places={name: tmp_path / name}).measure(known, table)
    assert scored == ["2", "2"]


@pytest.mark.parametrize("earlier", ["a,b\n1", "", "target,candidate\n1,2\n"])
def test_all_is_scored_again_where_the_earlier_table_says_nothing(
    crossing, scored, earlier, tmp_path
):
    table, known = tmp_path / "similarity.csv", {"2": crossing.path("baseline_2.pt")}
    expected = crossing.measure(known, table)
    other = crossing.measure(known, table, seed=3)
    values = {row.rpartition(",")[0] for row in (expected[1], other[1])}  # all but made_from
    assert len(values) == 2, "another seed"
    table.write_text(earlier)
    assert crossing.measure(known, table) == expected
    assert scored == ["2", "2", "2"]


def test_candidates_that_are_none_for_a_target_are_not_scored(crossing, added, scored, tmp_path):
    candidates = {"1": crossing.path("baseline_1.pt"), "2": crossing.path("baseline_2.pt")}
    table = tmp_path / "similarity.csv"
    crossing.measure(candidates | {"10": added}, table, excluded=["1", "10"])
    assert read_csv(table, names=IDS)["candidate"].tolist() == scored == ["2"]


def test_every_level_is_on_disk_and_in_the_table(chain):
    table = pd.read_csv(chain.path("pruning.csv"))
    assert table["sparsity"].tolist() == [0.5, 0.8]
    assert table["measured_sparsity"].tolist() == pytest.approx([0.5, 0.8], abs=0.005)
    for row, path in zip(table.to_dict("records"), chain.levels, strict=True):
        evaluated = crossback_core.load(path).evaluate(chain.source)
        assert evaluated["accuracy"] == pytest.approx(row["test_accuracy"])
    assert chain.json("choice.json")["sparsity"] == 0.8
    assert sha256(chain.path("pruned.pt")) == sha256(chain.levels[1])


def test_the_time_left_of_a_ladder_is_that_of_all_its_levels(crossing, tmp_path, monkeypatch):
    again = chain_of(tmp_path, "image to text")
    for name in ("task_2.pt", "baseline_2.pt"):
        (tmp_path / name).write_bytes(crossing.path(name).read_bytes())
    told = Mock(return_value="")
    monkeypatch.setattr(training, "progress", told)
    again.prune()
    calls = [(*call.args[1:], call.kwargs["later"]) for call in told.call_args_list]
    assert [epochs - len(seconds) + later for seconds, epochs, later in calls] == [5, 4, 3, 2, 1, 0]


def test_any_score_can_choose(crossing, tmp_path):
    rows = pd.read_csv(crossing.path("similarity_1.csv"))
    for score in SCORES:
        select_backbone(
            similarity=crossing.path("similarity_1.csv"),
            selection=tmp_path / "choice.json",
            target="1",
            candidates="all",
            score=score,
            minimum=None,
        )
        choice = read_record(SelectionRecord, tmp_path / "choice.json")
        assert (choice.score, choice.similarity) == (score, rows[score].item())


def test_a_score_that_was_not_measured_is_refused(crossing, tmp_path):
    with pytest.raises(ValueError, match="has no scores 'luck': it has .*ddv_cosine.*classes"):
        select_backbone(
            similarity=crossing.path("similarity_1.csv"),
            selection=tmp_path / "choice.json",
            target="1",
            candidates="all",
            score="luck",
            minimum=None,
        )


def test_a_candidate_is_a_baseline(crossing, tmp_path):
    nameless = tmp_path / "nameless.pt"
    save_checkpoint(load_checkpoint(crossing.path("baseline_2.pt")).network, nameless)
    with pytest.raises(ValueError, match="nameless.pt holds a record of version 0.1 or older"):
        crossing.measure({"2": nameless}, tmp_path / "similarity.csv")


@pytest.mark.parametrize(
    ("accuracies", "allowed_loss", "file", "sparsity"),
    [
        ([0.9, 0.85], 0.05, "ladder/0.8.pt", 0.8),
        ([0.9, 0.84], 0.05, "ladder/0.5.pt", 0.5),
        ([0.8, 0.84], 0.05, "baseline_2.pt", 0.0),  # none is good enough: the dense one
    ],
)
def test_the_chosen_level_is_copied(crossing, accuracies, allowed_loss, file, sparsity, tmp_path):
    table = pd.read_csv(crossing.path("pruning.csv")).assign(validation_accuracy=accuracies)
    table.to_csv(tmp_path / "pruning.csv", index=False)
    dense = crossing.json("baseline_2.json") | {"validation_accuracy": 0.9}
    write_json(dense, tmp_path / "baseline_2.json")
    shutil.copy(crossing.path("baseline_2.pt"), tmp_path)
    levels = [tmp_path / "ladder" / path.name for path in crossing.levels]
    for level, path, reached in zip(levels, crossing.levels, accuracies, strict=True):
        checkpoint = load_checkpoint(path)
        record = checkpoint.record | {"validation_accuracy": reached}
        save_checkpoint(checkpoint.network, level, record)
    backbone.choose_sparsity(
        baseline=tmp_path / "baseline_2.pt",
        baseline_metrics=tmp_path / "baseline_2.json",
        table=tmp_path / "pruning.csv",
        levels=levels,
        checkpoint=tmp_path / "pruned.pt",
        choice=tmp_path / "choice.json",
        allowed_loss=allowed_loss,
    )
    assert sha256(tmp_path / "pruned.pt") == sha256(tmp_path / file)
    choice = read_json(tmp_path / "choice.json")
    assert (choice["task"], choice["sparsity"]) == ("2", sparsity)
    expected = dict(zip([0.5, 0.8, 0.0], [*accuracies, 0.9], strict=True))[sparsity]
    assert choice["validation_accuracy"] == pytest.approx(expected)
    assert choice["baseline_validation_accuracy"] == 0.9


def test_choices_tell_what_they_were_made_from(chain):
    choice, selection = chain.json("choice.json"), chain.json("selection_1.json")
    assert choice["settings"] == {"allowed_loss": 1.0}
    assert selection["settings"] == {"candidates": "all", "score": "ddv_cosine", "minimum": None}
    assert choice["versions"] == selection["versions"] == chain.json("target_1.json")["versions"]
    parents = {**choice["parents"], **selection["parents"]}
    assert parents.keys() == {"baseline_metrics", "table", "level", "similarity"}
    assert all(sha256(parent["path"]) == parent["sha256"] for parent in parents.values())


def indexed(data: TaskData, path: Path, sources: Sequence[str] = ()) -> Path:
    """Write the index of a task, whose test samples were read from these sources."""
    rows = []
    for name in SPLITS:
        split = getattr(data, name)
        tested = name == "test"
        for place, label in enumerate(split.labels.tolist()):
            id_ = split.ids[place] if tested else f"{name} {place}"
            source = sources[place] if sources and tested else id_
            rows.append((id_, data.task, data.classes[label], data.modality, name, id_, source))
    save_index(pd.DataFrame(rows, columns=COLUMNS), path)
    return path


def summarize(chain: Chain, **changed: Any) -> None:
    """Make the table and the report of a finished chain; some inputs may be others."""
    names = {"summary": "summary.csv", "text": "summary.txt", "report": "report.html"}
    names |= {"figures": "figures"}
    collect_similarity(similarities=[chain.path("similarity_1.csv")], matrix=chain.path("all.csv"))
    inputs = {
        "metrics": [chain.path("target_1.json")],
        "selections": [chain.path("selection_1.json")],
        "histories": [chain.path("target_1.csv")],
        "products": [chain.path("target_1.pt")],
        "task_files": [chain.path("task_1.pt")],
        "indexes": [indexed(chain.target, chain.path("index.csv"))],
        "networks": [chain.path(f"baseline_{task}.json") for task in "12"],
        "baseline_histories": [chain.path("baseline_1.csv")],
        "matrix": chain.path("all.csv"),
        "stacks": [chain.path("stacking_1.json")],
        "tables": [chain.path("pruning.csv")],
        "choices": [chain.path("choice.json")],
        "joint": {"2": "many texts"},
        "dataset": DatasetSettings(kind="folder", raw=str(chain.path("raw"))),
        **{key: chain.path(name) for key, name in names.items()},
    }
    report.summarize(**inputs | changed)


def test_the_summary_of_a_finished_chain(crossing):
    chosen = crossing.json("selection_1.json") | {"similarity": 0.125, "score": "knn"}
    chosen["ranking"][0]["similarity"] = 0.125
    crossing.path("chosen_now.json").write_text(json.dumps(chosen))
    crossing.path("figures").mkdir(exist_ok=True)
    crossing.path("figures/weights_9.svg").touch()  # of a target that is none any more
    # by another score, the same network
    summarize(crossing, selections=[crossing.path("chosen_now.json")])
    row = read_csv(crossing.path("summary.csv"), as_text=True).iloc[0]
    assert row["target"] == "1" and row["backbone"] == "2"
    assert row["similarity"] == "0.125"
    page = crossing.path("report.html").read_text()
    assert "<html" in page and "many texts: " in page
    assert "with a knn of 0.125" in page  # not the score by which it was chosen before
    assert "2: many texts" in crossing.path("summary.txt").read_text()
    figures = {path.stem for path in crossing.path("figures").glob("*.svg")}
    trained = {f"training_1_{column}" for column in ("loss", "validation_accuracy")}
    assert figures == {"accuracies", "scores", "ladder_2", "weights_1"} | trained


@pytest.fixture
def texts(crossing, tmp_path) -> dict[str, Any]:
    """Inputs of a report whose test samples are lines of a file, of two tables, and gone."""
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "a.txt").write_text("in a file\n")
    (raw / "a#1.txt").write_text("in a file\n")
    (raw / "texts.csv").write_text("text,tokens\nIn the icons,in the icon ##s\n")
    (raw / "samples.csv").write_text("task,class,text\nx,class 0,in a table\n")
    (in_table,) = (source for source, text in texts_of(raw / "samples.csv").items() if text)
    sources = ["a#1.txt", "texts.csv#0", in_table, "gone.txt", "a.txt", "texts.csv#9"]
    told = ["in a file", "in the icon ##s", "in a table", "gone", "another", "gone"]
    data = crossing.target
    contents = tuple(map(content_hash, told))
    data = replace(data, test=replace(data.test, contents=contents))
    save_task(data, tmp_path / "task_1.pt")
    index = indexed(data, tmp_path / "index.csv", sources)
    dataset = DatasetSettings(kind="folder", raw=str(raw))
    return {"task_files": [tmp_path / "task_1.pt"], "indexes": [index], "dataset": dataset}


def test_a_text_is_shown_as_it_was_tested_or_not_at_all(crossing, texts, tmp_path, monkeypatch):
    monkeypatch.setattr("crossback_core.report.examples.SHOWN", 6)
    summarize(crossing, report=tmp_path / "report.html", **texts)
    shown = re.findall(r"<blockquote>(.*)</blockquote>", (tmp_path / "report.html").read_text())
    assert sorted(shown) == ["In the icons", "in a file", "in a table"]
    page = (tmp_path / "report.html").read_text()
    assert page.count("what it was read from is not at hand, or no longer the same") == 3


def test_a_report_counts_the_weights_as_the_record_does(chain):
    product = load_checkpoint(chain.path("target_1.pt")).network.ownership.weights
    counts = product.counts(2)
    record = chain.json("target_1.json")
    total = sum(each.total for each in counts.values())
    shares = [sum(each[place] for each in counts.values()) / total for place in range(3)]
    assert shares == [record[f"{share}_fraction"] for share in ("owned", "picked", "free")]
    assert counts.keys() == product.named().keys()


@pytest.mark.parametrize(
    ("name", "other", "words"),
    [
        ("tables", "baseline_2.csv", "baseline_2.csv is not the table that .*choice.json was made"),
        ("histories", "baseline_2.csv", "baseline_2.csv ends with a validation accuracy of "),
        ("baseline_histories", "baseline_2.csv", "baseline_2.csv ends with a validation accuracy"),
    ],
)
def test_a_report_is_not_made_of_the_tables_of_others(copied, name, other, words):
    table = pd.read_csv(copied.path(other))
    table.assign(validation_accuracy=0.125).to_csv(copied.path(other), index=False)
    with pytest.raises(ValueError, match=words):
        summarize(copied, **{name: [copied.path(other)]})


def test_a_report_wants_the_scores_of_all_its_targets(crossing, tmp_path):
    (tmp_path / "similarity.csv").write_text("target,candidate,ddv_cosine\n7,2,0.5\n")
    with pytest.raises(ValueError, match=r"the table of similarities lacks targets \(1\)"):
        summarize(crossing, matrix=tmp_path / "similarity.csv")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("target,candidate,modality,target_modality,knn\n", "similarity.csv holds no scores"),
        ("knn,leep\n1,2\n", "similarity.csv holds no scores"),
        (
            "target,candidate,modality,target_modality,knn\n1,2,text,text,high\n",
            "'knn' are not all",
        ),
    ],
)
def test_scores_that_are_none_are_refused(tmp_path, rows, words):
    (tmp_path / "similarity.csv").write_text(rows)
    with pytest.raises(ValueError, match=words):
        select_backbone(
            similarity=tmp_path / "similarity.csv",
            selection=tmp_path / "choice.json",
            target="1",
            candidates="all",
            score="knn",
            minimum=None,
        )


def test_a_ladder_is_given_back_once_its_level_is_chosen(chain, tmp_path):
    ladder = tmp_path / "ladder"
    shutil.copytree(chain.path("ladder"), ladder)
    for name in ("choice.json", "pruning.csv"):
        shutil.copy(chain.path(name), tmp_path / name)
    table = (tmp_path / "pruning.csv").read_bytes()
    (tmp_path / "pruning.csv").write_bytes(table + b"later\n")
    backbone.clean_ladders(ladders=[ladder])
    assert ladder.is_dir(), "it was pruned again since"
    (tmp_path / "pruning.csv").write_bytes(table)
    backbone.clean_ladders(ladders=[ladder])
    assert not ladder.exists() and (tmp_path / "choice.json").exists()


# repeatable, resumable, strict


def test_the_same_chain_again_gives_equal_tensors(crossing, tmp_path):
    again = chain_of(tmp_path, "image to text").run()
    for name in ("baseline_1", "baseline_2", "pruned", "swapped", "target_1"):
        assert tiny.same_state(state(again.path(f"{name}.pt")), state(crossing.path(f"{name}.pt")))
    first, second = (each.json("target_1.json") for each in (crossing, again))
    timed = {"seconds", "parents", "checkpoint_bytes"}
    assert all(first[key] == second[key] for key in first.keys() - timed)
    tables = [read_csv(each.path("similarity_1.csv")) for each in (crossing, again)]
    # but for the hash of files that have a record of their seconds
    pd.testing.assert_frame_equal(*(table.drop(columns="made_from") for table in tables))


def test_a_fresh_head_follows_the_seed(finished, tmp_path):
    chain = finished("image to image")
    again = replace(chain, places={"swapped.pt": tmp_path / "swapped.pt"})
    torch.manual_seed(99)  # what went before must not matter
    again.swap()
    assert tiny.same_state(*(state(each.path("swapped.pt")) for each in (again, chain)))


class Cut(ResumeFile):
    """Goes down after so many more saved epochs, of whatever training: the machine's end."""

    left = 0

    def save(self, state: dict[str, Any]) -> None:
        """Save, then go down if it is time."""
        super().save(state)
        Cut.left -= 1
        if Cut.left == 0:
            raise Interrupted


STAGES: dict[str, tuple[int, str, Callable[[Chain], None]]] = {
    "baseline_1.pt": (2, "resume/baseline_1", lambda chain: chain.train_baseline(chain.target)),
    "ladder/0.8.pt": (5, "resume/backbone_2", Chain.prune),
    "target_1.pt": (2, "resume/target_1", Chain.train_target),
}


@pytest.mark.parametrize("result", STAGES)
def test_an_interrupted_stage_goes_on_where_it_was(crossing, result, tmp_path, monkeypatch):
    epochs, folder, stage = STAGES[result]
    again = chain_of(tmp_path, "image to text")
    for name in ("task_1", "task_2", "baseline_1", "baseline_2", "pruned", "swapped"):
        (tmp_path / f"{name}.pt").write_bytes(crossing.path(f"{name}.pt").read_bytes())
    for name in ("baseline_1", "selection_1"):
        (tmp_path / f"{name}.json").write_bytes(crossing.path(f"{name}.json").read_bytes())
    again.path(result).unlink(missing_ok=True)
    monkeypatch.setattr(Cut, "left", epochs)
    with monkeypatch.context() as patched, pytest.raises(Interrupted):
        for module in (baseline, backbone, target):
            patched.setattr(module, "ResumeFile", Cut)
        stage(again)
    assert not again.path(result).exists() and any(again.path(folder).iterdir())
    stage(again)
    assert tiny.same_state(state(again.path(result)), state(crossing.path(result)))
    assert not again.path(folder).exists()


READ = {
    "score": ["task_1.pt", "baseline_1.pt", "task_2.pt", "baseline_2.pt"],
    "select": ["similarity_1.csv"],
    "prune": ["task_2.pt", "baseline_2.pt"],
    "choose": ["baseline_2.json", "ladder/0.8.pt"],
    "swap": ["selection_1.json", "pruned.pt", "baseline_1.pt"],
    "train_target": ["task_1.pt", "swapped.pt", "pruned.pt", "task_2.pt", "baseline_1.json"],
}


@pytest.mark.parametrize(
    ("step", "name"), [(step, name) for step, names in READ.items() for name in names]
)
def test_a_file_in_the_place_of_another_task_is_refused_by_each_stage(copied, step, name):
    """Whole files under another task's name, as of two that were swapped by hand."""
    other = copied.path("task_77") / name.replace("task", "moved")
    other.parent.mkdir(parents=True)
    shutil.move(copied.path(name), other)
    if step == "score":
        copied.path("similarity_1.csv").unlink()  # or its rows would be kept
    holds = "[12], but its path says 77"
    moved = replace(copied, places={name: other})
    with pytest.raises(ValueError, match=f"{re.escape(str(other))} holds {holds}"):
        getattr(moved, step)()


def test_levels_that_were_swapped_are_refused(copied):
    one, two = copied.levels
    kept = one.read_bytes()
    shutil.copy(two, one)
    two.write_bytes(kept)
    message = "0.8.pt holds .*'sparsity': 0.5.*, but its ladder's table says .*'sparsity': 0.8"
    with pytest.raises(ValueError, match=message):
        copied.choose()


def test_data_of_other_classes_is_refused(copied):
    """A task file of another data set, whose task has the same name."""
    other = replace(copied.source, classes=("x", "y", "z"))
    save_task(other, copied.path("task_2.pt"))
    for step in (copied.score, copied.prune, copied.train_target):
        with pytest.raises(ValueError, match=r"has classes \['x', 'y', 'z'\], the network"):
            step()


class Noted(Exception):
    """Names the key of a resume state, before anything is trained."""


class Notes(ResumeFile):
    """Tells its key and ends the stage."""

    def __init__(self, path: str | Path, key: object) -> None:
        super().__init__(path, key)
        raise Noted(self.key)


DETERMINED: dict[str, list[str]] = {
    "baseline_1.pt": ["task_1.pt"],
    "ladder/0.8.pt": ["task_2.pt", "baseline_2.pt"],
    "target_1.pt": ["task_1.pt", "swapped.pt"],
}


def touched(path: Path) -> None:
    """Change what a file of tensors holds by next to nothing."""
    if path.name.startswith("task"):
        data = load_task(path)
        ids = tuple(f"{each} again" for each in data.test.ids)
        task_file.save_task(replace(data, test=replace(data.test, ids=ids)), path)
    else:
        checkpoint = load_checkpoint(path)
        with torch.no_grad():
            checkpoint.network.heads[0].bias += 1e-3
        save_checkpoint(checkpoint.network, path, checkpoint.record)


@pytest.mark.parametrize("result", STAGES)
def test_a_state_is_of_one_seed_and_of_the_contents_of_files(
    crossing, result, tmp_path, monkeypatch
):
    """Whatever determines the training is in the key of its state."""
    again = replace(crossing, folder=tmp_path)
    for path in crossing.folder.glob("*_[12].*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    for name in ("pruned.pt", "swapped.pt"):
        (tmp_path / name).write_bytes(crossing.path(name).read_bytes())
    monkeypatch.setitem(globals(), "save_task", Mock())  # the file stays as this test has it
    for module in (baseline, backbone, target):
        monkeypatch.setattr(module, "ResumeFile", Notes)

    def key() -> str:
        with pytest.raises(Noted) as noted:
            STAGES[result][2](again)
        return str(noted.value)

    keys = [key()]
    assert key() == keys[0]
    with monkeypatch.context() as patched:
        patched.setitem(RUN, "seed", 3)
        keys.append(key())
    for name in DETERMINED[result]:
        touched(again.path(name))
        keys.append(key())
    assert len(set(keys)) == len(keys) == 2 + len(DETERMINED[result])


def test_a_backbone_that_is_not_the_selected_one_is_refused(crossing, tmp_path):
    other = tmp_path / "selection.json"
    choice = crossing.json("selection_1.json") | {"backbone": "3"}
    write_json(choice, other)
    with pytest.raises(ValueError, match="the backbone 3 is not what the ranking says"):
        read_record(SelectionRecord, other)
    choice["ranking"][0]["candidate"] = "3"
    write_json(choice, other)
    message = f"pruned.pt is of task 2, but {other} chose 3: remove both and run again"
    with pytest.raises(ValueError, match=message):
        target.swap_kv(
            selection=other,
            backbone=crossing.path("pruned.pt"),
            baseline=crossing.path("baseline_1.pt"),
            checkpoint=tmp_path / "swapped.pt",
            swapping=tiny.TARGET.swapping,
            seed=2,
        )
    assert list(tmp_path.iterdir()) == [other]


def test_a_damaged_input_ends_the_stage_and_writes_nothing(crossing, tmp_path):
    again = chain_of(tmp_path, "image to text")
    for path in crossing.folder.glob("*.*"):
        if not path.name.startswith(("target", "kept", "grown")):
            (tmp_path / path.name).write_bytes(path.read_bytes())
    again.path("pruned.pt").write_bytes(again.path("pruned.pt").read_bytes()[:-100])
    with pytest.raises(ValueError, match="pruned.pt"):
        again.train_target()
    assert list(tmp_path.glob("target_1*")) == []
