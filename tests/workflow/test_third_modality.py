"""A modality and a kind of data set from another package: no line of the project knows of them."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from snakemake_project import Project

import crossback_core

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
ENTRY_POINTS = """\
[crossback_core.data.modalities]
signal = signals:SIGNAL

[crossback_core.data.kinds]
waves = signals:WAVES
"""
CONFIG = """\
run: [waves]
datasets:
  waves:
    kind: waves
    raw: .
    preset: small
    targets: [1]
    candidates: [2, 3]
presets:
  small:
    based_on: demo
    model:
      latents: 8
      latent_dim: 32
      blocks: 1
      attention_heads: 2
      head_dim: 16
      cross_head_dim: 16
    training: {epochs: 30, min_steps: 0, batch_size: 8}
    pruning: {sparsities: [0.5], epochs: 2, ramp_epochs: 1, allowed_loss: 0.2}
    selection: {score: label_cka, minimum: null, probes: 4, mutations: 4}
    target: {repeats: 1}
"""


@pytest.fixture(scope="module")
def waves(tiny: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project beside an installed package, its target of signals made."""
    site = tmp_path_factory.mktemp("site")
    shutil.copy2(HERE / "signals" / "signals.py", site)
    (site / "signals-0.1.dist-info").mkdir()
    (site / "signals-0.1.dist-info" / "METADATA").write_text("Name: signals\nVersion: 0.1\n")
    (site / "signals-0.1.dist-info" / "entry_points.txt").write_text(ENTRY_POINTS)
    (tiny.folder / "waves.yaml").write_text(CONFIG)
    project = replace(tiny, options=("--configfile", "waves.yaml"), packages=(site,))
    done = project.snakemake("results/waves/target_1.pt", "--cores", "2")
    assert done.code == 0, done.output
    return project


def test_the_target_learned_to_tell_signals_apart_on_a_foreign_backbone(waves: Project) -> None:
    results = waves.folder / "results" / "waves"
    baseline = json.loads((results / "baseline" / "task_1.json").read_text())
    metrics = json.loads((results / "target_1.json").read_text())
    assert baseline["modality"] == metrics["modality"] == "signal"
    assert baseline["test_accuracy"] > 0.8, "the spectrum tells three classes apart"
    assert metrics["backbone_modality"] in ("image", "text") and metrics["tried"]["swapped"]
    assert metrics["tried"]["test_accuracy"] > 0.6
    assert metrics["earlier_tasks"][0]["logits_identical"] is True


def test_its_raw_input_is_refused_and_that_of_its_backbone_read(waves: Project) -> None:
    """It says of no recipe; the pictures that an array holds are of 8 x 8 pixels."""
    code = (
        "import crossback_core, numpy as np\n"
        "model = crossback_core.load('results/waves/target_1.pt')\n"
        "earlier, own = model.tasks.values()\n"
        "pixels = np.full((40, 50, 3), 200, np.uint8)\n"
        "for spec in [own, earlier]:\n"
        "    try:\n"
        "        print(spec.modality, model.predict(pixels, task=spec.task).best)\n"
        "    except ValueError as refused:\n"
        "        print(refused)\n"
    )
    done = waves.python(code)
    first, second = done.output.splitlines()
    assert "task 1, of modality signal, does not know how raw input is read" in first
    assert second in ("image bright", "image dark") or "of modality text, does not know" in second


def test_scores_are_of_an_image_and_a_text_candidate(waves: Project) -> None:
    choice = (waves.folder / "results/waves/selection/target_1.json").read_text()
    ranking = json.loads(choice)["ranking"]
    assert {each["modality"] for each in ranking} == {"image", "text"}
    assert all(each["similarity"] > 0 for each in ranking)


def test_without_the_package_its_names_are_unknown(waves: Project) -> None:
    done = replace(waves, packages=()).snakemake("-n")
    assert done.code != 0
    assert "datasets.waves.kind: unknown kind of data set 'waves'; known: cifar100" in done.output
    with pytest.raises(ValueError, match="unknown modality 'signal'; known: image, text"):
        crossback_core.load(waves.folder / "results/waves/target_1.pt")
