"""A task that was exported computes what it computes here, without this project."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime
import pytest
import tiny
import torch
from miniatures import make_encoder, picture, settings_of
from safetensors import safe_open
from torch import nn
from transformers import BertModel

import crossback_core
from crossback_core.checkpoint.network_file import save_checkpoint
from crossback_core.data.encoder import encode
from crossback_core.data.modality import Modality
from crossback_core.data.recipe import Recipe
from crossback_core.data.task_file import save_task
from crossback_core.data.text_reader import completed
from crossback_core.export import graph
from crossback_core.export.card import escaped, recorded
from crossback_core.export.folder import export_task
from crossback_core.model.body import read_settings
from crossback_core.model.network import TaskSpec
from crossback_core.storage.files import sha256

TEXTS = ["a loaf of bread", "a red bird"]  # of the card
CLASSES = ("loaf | *bread*", "<b>bird</b>")


def words_of(texts):
    """Return the recipe of texts that knows some words of the card, and what is unknown."""
    rows = len(texts.test.table)
    known = ["[PAD]", "[UNK]", "a", "red", "##d", "bird", "bread"]
    words = "\n".join([*known, *(f"w{n}" for n in range(len(known), rows))]).encode()
    arrays = {**texts.recipe.arrays, "words": np.array([*words], np.uint8)}
    return Recipe(texts.recipe.values, arrays)


@pytest.fixture(scope="module")
def made(tmp_path_factory, images, texts):
    """A product that grew for its second task, and both tasks of it, exported."""
    folder = tmp_path_factory.mktemp("export")
    texts = replace(texts, recipe=words_of(texts), classes=CLASSES)
    network = tiny.network(images)
    tiny.disturb(network)
    network.add_task(tiny.spec(texts, width=1.5), recipe=texts.recipe)
    tiny.disturb(network)
    parents = {"task": {"path": "results/x/data/task_2.pt", "sha256": "ab" * 32}}
    record = {"target": "2", "test_accuracy": 0.75, "test_samples": 60, "parents": parents}
    save_checkpoint(network, folder / "target_2.pt", record)
    done = {task: export_task(folder / "target_2.pt", folder, task=task) for task in ("1", "2")}
    product = crossback_core.load(folder / "target_2.pt")
    return SimpleNamespace(folder=folder, product=product, images=images, texts=texts, done=done)


def run_card(folder, stem):
    """Run the lines of a card where nothing of this project can be imported."""
    text = (folder / f"{stem}.md").read_text()
    (lines,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    guard = "import sys\nsys.modules['crossback_core'] = None\n"
    shown = f"{lines}print(logits.tolist())\n"
    done = subprocess.run(
        [sys.executable, "-c", guard + shown],
        cwd=folder,
        capture_output=True,
        text=True,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
    )
    assert done.returncode == 0, done.stderr
    classes, logits = done.stdout.splitlines()
    return classes, torch.tensor(json.loads(logits))


def agree(found, wanted):
    return torch.allclose(torch.as_tensor(found), wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("samples", [1, 6])
def test_a_graph_computes_the_logits_of_its_task(made, samples):
    session = onnxruntime.InferenceSession(made.folder / "task_1.onnx")
    pixels = made.images.test.values[:samples]
    (found,) = session.run(None, {"pixels": pixels.numpy()})
    assert agree(found, made.product.logits(task=1, inputs=pixels))
    session = onnxruntime.InferenceSession(made.folder / "task_2.onnx")
    tokens = made.texts.test.values[:samples].long()
    values, mask = made.texts.test.inputs()
    (found,) = session.run(None, {"tokens": tokens.numpy(), "mask": mask[:samples].numpy()})
    assert agree(found, made.product.logits(task=2, inputs=(values[:samples], mask[:samples])))


def test_any_length_up_to_the_models_is_taken_and_what_is_masked_does_not_count(made):
    session = onnxruntime.InferenceSession(made.folder / "task_2.onnx")
    rows = np.array([[3, 5, 2]])
    (short,) = session.run(None, {"tokens": rows, "mask": np.ones((1, 3), bool)})
    longer = np.pad(rows, ((0, 0), (0, tiny.MODEL.max_tokens - 3)), constant_values=7)
    (padded,) = session.run(None, {"tokens": longer, "mask": np.arange(8)[None] < 3})
    assert agree(short, torch.from_numpy(padded))


def test_the_lines_of_the_card_name_the_classes_of_a_picture(made):
    photo = picture(0, 1, size=(90, 61))
    exif = photo.getexif()
    exif[0x0112] = 6  # lies on its side
    photo.save(made.folder / "photo.jpg", exif=exif)
    classes, logits = run_card(made.folder, "task_1")
    found = made.product.predict(made.folder / "photo.jpg", task=1)
    assert classes == repr([found.best])
    wanted = dict(zip(found.classes, found.probabilities, strict=True))
    assert agree(logits.softmax(1)[0], torch.tensor([wanted[name] for name in made.images.classes]))


def test_the_lines_of_the_card_name_the_classes_of_texts(made):
    classes, logits = run_card(made.folder, "task_2")
    found = made.product.predict(TEXTS, task=2)
    assert classes == repr([each.best for each in found])
    for row, each in zip(logits.softmax(1), found, strict=True):
        wanted = dict(zip(each.classes, each.probabilities, strict=True))
        assert agree(row, torch.tensor([wanted[name] for name in CLASSES]))
    assert [(each.tokens.read, each.tokens.unknown) for each in found] == [(4, 2), (3, 0)]


def product_of_notes(folder, encoder, representation):
    """Write a product of one task, whose texts an encoder reads."""
    settings = settings_of(
        "folder", encoder=str(encoder), representation=representation, text_length=12
    )
    network = tiny.network()
    texts = encode(TEXTS, settings)
    recipe = completed(texts.recipe, 8, texts.ids)
    network.add_task(TaskSpec("notes", "text", ("a", "b", "c"), 16), recipe=recipe)
    tiny.disturb(network, 1.0)
    save_checkpoint(network, folder / "net.pt")
    return folder / "net.pt"


@pytest.mark.parametrize("representation", ["tokens", "contextual"])
def test_the_lines_of_the_card_run_where_an_encoder_reads(tmp_path, representation):
    product = product_of_notes(tmp_path, make_encoder(tmp_path / "encoder"), representation)
    done = export_task(product, tmp_path, kinds=["onnx"])
    assert [file.name for file in done.files] == [
        "task_notes.onnx",
        "task_notes.tokenizer.json",
        "task_notes.md",
    ]
    classes, logits = run_card(tmp_path, "task_notes")
    loaded = crossback_core.load(product)
    found = loaded.predict(TEXTS)
    assert classes == repr([each.best for each in found])
    for row, each in zip(logits.softmax(1), found, strict=True):
        wanted = dict(zip(each.classes, each.probabilities, strict=True))
        assert torch.allclose(row, torch.tensor([wanted[name] for name in "abc"]), atol=1e-4)
    card = (tmp_path / "task_notes.md").read_text()
    assert loaded.network.recipes[0].values["digest"] in card
    assert ("encoder lies in the graph, with its weights" in card) == (
        representation == "contextual"
    )
    assert "At most 8 tokens" in card, "the network has no more positions"


def test_weights_that_an_encoder_lacks_are_in_no_file(tmp_path):
    folder = make_encoder(tmp_path / "encoder")
    BertModel.from_pretrained(folder, add_pooling_layer=False).save_pretrained(folder)
    product = product_of_notes(tmp_path, folder, "contextual")
    done = [export_task(product, tmp_path / to, kinds=["safetensors"]) for to in ("a", "b")]
    first, again = (each.files[0] for each in done)
    assert first.read_bytes() == again.read_bytes(), "what is missing is filled with random numbers"
    with safe_open(first, "pt") as file, safe_open(folder / "model.safetensors", "pt") as own:
        names = [name for name in file.keys() if name.startswith("front.")]  # noqa: SIM118
        assert sorted(names) == sorted(f"front.encoder.{name}" for name in own.keys())  # noqa: SIM118
        for name in names:
            wanted = own.get_tensor(name.removeprefix("front.encoder."))
            assert torch.equal(file.get_tensor(name), wanted), name


def test_an_encoder_that_cannot_be_a_graph_is_told_in_one_line(made, monkeypatch):
    model = made.product.network.settled("1")
    front = tiny.IMAGE.portable(tiny.MODEL, made.images.recipe, 3)
    read = type(front).forward

    def by_its_values(front, pixels):
        values, mask = read(front, pixels)
        return (values if pixels.sum() > 0 else -values), mask

    monkeypatch.setattr(type(front), "forward", by_its_values)
    with pytest.raises(ValueError, match="PyTorch cannot write this task as ONNX .*safetensors"):
        graph.make_graph(front, model)
    monkeypatch.setattr(graph, "_MOST_BYTES", 10)
    with pytest.raises(ValueError, match="bytes of values, a file of ONNX holds 10: write safe"):
        graph.make_graph(front, model)


def test_the_values_and_their_metadata_rebuild_the_task(made):
    for task in ("1", "2"):
        with safe_open(made.folder / f"task_{task}.safetensors", "pt") as file:
            told = json.loads(file.metadata()["crossback"])
            values = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        body_type = type(made.product.network.ownership.body)
        described = told["body"]
        assert described["name"] == body_type.name
        settings = read_settings(body_type.settings_type, described["settings"])
        body = body_type(settings).grown(told["width"])
        reading = body.make_input(told["modality"], told["channels"])
        reading.fit(body.input_shape)
        head = nn.Linear(body.features, len(told["classes"]))
        for part, module in (("body", body), ("input", reading), ("head", head)):
            own = {k.removeprefix(f"{part}."): v for k, v in values.items() if k.startswith(part)}
            module.load_state_dict(own, strict=True)
        data = made.images if task == "1" else made.texts
        given, mask = data.test.inputs()
        if task == "2":
            table = values["front.table"]
            assert torch.equal(table[data.test.values.long()].float(), given)
        with torch.no_grad():
            logits = head(body.eval()(reading(given, mask)))
        assert torch.equal(logits, made.product.network.settled(task)(given, mask))


def test_a_graph_says_what_it_is_and_nothing_of_the_machine_that_made_it(made):
    content = (made.folder / "task_2.onnx").read_bytes()
    assert os.fspath(os.path.dirname(crossback_core.__file__)).encode() not in content
    assert b".py" not in content
    loaded = onnx.load_from_string(content)
    onnx.checker.check_model(loaded, full_check=True)
    told = {each.key: each.value for each in loaded.metadata_props}
    assert json.loads(told["classes"]) == [*CLASSES]
    assert (told["task"], told["modality"]) == ("2", "text")
    shapes = {
        each.name: [axis.dim_param or axis.dim_value for axis in each.type.tensor_type.shape.dim]
        for each in (*loaded.graph.input, *loaded.graph.output)
    }
    assert shapes == {
        "tokens": ["batch", "tokens"],
        "mask": ["batch", "tokens"],
        "logits": ["batch", 2],
    }


def test_the_same_product_gives_the_same_files(made, tmp_path):
    done = export_task(made.folder / "target_2.pt", tmp_path)
    assert len(done.files) == 4
    for file in done.files:
        assert file.read_bytes() == (made.folder / file.name).read_bytes(), file.name


def test_the_card_says_classes_accuracy_and_lineage(made):
    card = (made.folder / "task_2.md").read_text()
    assert "| 0 | loaf \\| \\*bread\\* |\n| 1 | \\<b\\>bird\\</b\\> |\n" in card
    assert "**75.0%** of 60 test samples" in card
    # Wilson's interval of 45 of 60, z = 1.959964
    assert "95% interval 62.8% to 84.2%" in card
    assert f"| task | results/x/data/task\\_2.pt | {'ab' * 32} |" in card
    assert "does not say how accurate" in (made.folder / "task_1.md").read_text()


@pytest.mark.parametrize(
    "record",
    [{}, {"task": "3", "test_accuracy": 0.5, "test_samples": 4}, {"task": "2", "test_accuracy": 1}],
)
def test_what_a_record_does_not_say_is_not_made_up(record):
    assert recorded(record, "2") is None


def test_an_earlier_task_is_measured_on_data_that_are_given(made, tmp_path):
    path, data = made.folder / "target_2.pt", tmp_path / "task_1.pt"
    save_task(made.images, data)
    done = export_task(path, tmp_path, task=1, kinds=["safetensors"], data=data)
    found = made.product.evaluate(made.images)
    card = done.files[-1].read_text()
    assert f"**{found['accuracy']:.1%}** of 6 test samples" in card
    assert f"(SHA-256 {sha256(data)})" in card
    with pytest.raises(ValueError, match="holds task 1, not 2, which is exported"):
        export_task(path, tmp_path, task=2, kinds=["safetensors"], data=data)


def test_names_are_no_markup():
    assert escaped("a|b_c\n# d") == "a\\|b\\_c \\# d"


def test_a_graph_that_computes_something_else_is_refused(made):
    content = (made.folder / "task_1.onnx").read_bytes()
    model = made.product.network.settled("1")
    front = tiny.IMAGE.portable(tiny.MODEL, made.images.recipe, 3)
    good = graph.compare(content, graph._Whole(front, model))
    assert good.difference <= good.allowed and good.inputs == 12
    model.head.bias += 0.001
    with pytest.raises(
        ValueError, match=r"differ from the task's by up to 0\.001; 0\.000\d+ would"
    ):
        graph.compare(content, graph._Whole(front, model))


def test_files_that_are_there_stay_unless_forced(made, tmp_path):
    path = made.folder / "target_2.pt"
    (tmp_path / "task_2.md").write_text("mine")
    with pytest.raises(FileExistsError, match=r"already there: .*task_2\.md; give force=True"):
        export_task(path, tmp_path, kinds=["safetensors"])
    assert [each.name for each in tmp_path.iterdir()] == ["task_2.md"]
    done = export_task(path, tmp_path, kinds=["safetensors"], force=True)
    assert done.check is None and "Run it" not in done.files[-1].read_text()
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "task_2.md", "task_2.safetensors", "task_2.tokenizer.json",
    ]  # fmt: skip


def test_packages_that_are_missing_are_named_before_anything_is_done(tmp_path, monkeypatch):
    monkeypatch.setattr(graph, "find_spec", lambda name: None if name == "onnxscript" else name)
    with pytest.raises(ModuleNotFoundError, match="needs onnxscript, not installed here: pip inst"):
        export_task(tmp_path / "none.pt", tmp_path / "to")
    assert not (tmp_path / "to").exists()


@pytest.mark.parametrize(
    ("recipe", "told"),
    [
        (None, "task a/../b, of modality text, does not know how raw input is read"),
        ("words", r"no \[UNK\]"),
    ],
)
def test_input_that_no_graph_can_read_is_refused(tmp_path, texts, recipe, told):
    network = tiny.network()
    spec = replace(tiny.spec(texts), task="a/../b")
    network.add_task(spec, recipe=recipe and texts.recipe)
    save_checkpoint(network, tmp_path / "net.pt")
    with pytest.raises(ValueError, match=told):
        export_task(tmp_path / "net.pt", tmp_path / "to")
    assert not (tmp_path / "to").exists()


def test_a_modality_that_says_nothing_of_graphs_is_refused(images):
    with pytest.raises(ValueError, match="modality image cannot be exported: it does not say how"):
        Modality.portable(tiny.IMAGE, tiny.MODEL, images.recipe, 3)


def test_a_task_is_written_into_the_folder_whatever_it_is_called(tmp_path, images):
    network = tiny.network()
    network.add_task(replace(tiny.spec(images), task="../a b"), recipe=images.recipe)
    save_checkpoint(network, tmp_path / "net.pt")
    done = export_task(tmp_path / "net.pt", tmp_path / "to", kinds=["safetensors"])
    assert [file.name for file in done.files] == [
        "task_..%2Fa%20b.safetensors",
        "task_..%2Fa%20b.md",
    ]
    assert all(file.parent == tmp_path / "to" and file.is_file() for file in done.files)
