"""What a user does with a finished network."""

from dataclasses import replace

import pytest
import tiny
import torch
from torch.nn import functional

import crossback_core
from crossback_core.checkpoint.network_file import save_checkpoint
from crossback_core.checkpoint.product import Product
from crossback_core.data.task_file import save_task


@pytest.fixture(scope="module")
def product(tmp_path_factory, images, texts) -> Product:
    network = tiny.network(images, texts)
    tiny.disturb(network)
    path = tmp_path_factory.mktemp("product") / "target_2.pt"
    save_checkpoint(network, path, {"seed": 2})
    return crossback_core.load(path)


def test_a_product_knows_its_tasks_and_its_history(product, images, texts):
    assert product.tasks == {"1": tiny.spec(images), "2": tiny.spec(texts)}
    assert product.tasks["1"].classes == ("class 0", "class 1", "class 2")
    assert product.record == {"seed": 2}


@pytest.mark.parametrize("data", ["images", "texts"])
def test_predictions_are_the_largest_logits(product, data, request):
    data = request.getfixturevalue(data)
    values, mask = data.test.inputs()
    inputs = values if mask is None else (values, mask)
    logits = product.logits(task=data.task, inputs=inputs)
    assert torch.equal(logits, product.network.settled(data.task)(values, mask))
    predicted = product.predict(task=data.task, inputs=inputs)
    assert predicted.tolist() == [row.index(max(row)) for row in logits.tolist()]
    assert torch.equal(product.predict(task=data.task, inputs=data.test.inputs()), predicted)


@pytest.mark.parametrize("data", ["images", "texts"])
def test_evaluation_equals_its_definition(product, data, request, tmp_path):
    data = request.getfixturevalue(data)
    save_task(data, tmp_path / "task.pt")
    for split in ("train", "validation", "test"):
        samples = getattr(data, split)
        logits = product.logits(task=data.task, inputs=samples.inputs())
        expected = {
            "accuracy": int((logits.argmax(1) == samples.labels).sum()) / len(samples),
            "loss": functional.nll_loss(logits.log_softmax(1), samples.labels).item(),
            "samples": len(samples),
        }
        assert product.evaluate(data, split=split) == pytest.approx(expected)
    assert product.evaluate(tmp_path / "task.pt") == pytest.approx(expected)


def test_a_number_is_an_id_as_well(product, images):
    inputs = images.test.values
    assert torch.equal(
        product.logits(task=1, inputs=inputs), product.logits(task="1", inputs=inputs)
    )
    with pytest.raises(ValueError, match="the network has no task 7"):
        product.predict(task=7, inputs=inputs)


def test_use_changes_nothing(product, images):
    before = tiny.snapshot(product.network)
    product.predict(task="1", inputs=images.test.values)
    product.evaluate(images)
    assert tiny.same_state(before, tiny.snapshot(product.network))


@pytest.mark.parametrize(
    ("task", "inputs", "message"),
    [
        ("7", torch.zeros(1, 3, 4, 4), "the network has no task 7; it has 1, 2"),
        ("1", torch.zeros(1, 5, 8), r"images must be \(batch, 3, height, width\), got \(1, 5, 8\)"),
        ("2", torch.zeros(1, 9, 8), "texts have 9 tokens, the model at most 8"),
        ("2", (torch.zeros(2, 5, 8), torch.ones(1, 5).bool()), "2 inputs, but the mask is of 1"),
        ("2", (torch.zeros(2, 5, 8), torch.ones(2, 5)), "the mask must be bool of shape"),
    ],
)
def test_inputs_that_do_not_fit(product, task, inputs, message):
    with pytest.raises(ValueError, match=message):
        product.predict(task=task, inputs=inputs)


def test_data_that_does_not_fit(product, images, tmp_path):
    with pytest.raises(ValueError, match="split 'dev' is not one of train, validation, test"):
        product.evaluate(images, split="dev")
    with pytest.raises(ValueError, match="the network has no task 7"):
        product.evaluate(replace(images, task="7"))
    with pytest.raises(ValueError, match="task 1 has classes .*'x'.*, the network .*'class 0'"):
        product.evaluate(replace(images, classes=("x", "y", "z")))
    for read in (product.evaluate, crossback_core.load):
        with pytest.raises(FileNotFoundError, match="none.pt does not exist"):
            read(str(tmp_path / "none.pt"))
