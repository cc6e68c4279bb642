"""What a user does with a finished network."""

import re
from dataclasses import replace

import pytest
import tiny
import torch
from torch.nn import functional

import crossback_core
from crossback_core.checkpoint.network_file import save_checkpoint
from crossback_core.checkpoint.product import Product
from crossback_core.data.task_file import TaskData, save_task


@pytest.fixture(scope="module")
def product(tmp_path_factory, images, texts) -> Product:
    network = tiny.network(images, texts)
    tiny.disturb(network)
    network.seen = [images.seen, texts.seen]
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
    predicted = product.predict(inputs, task=data.task)
    assert [each.best for each in predicted] == [
        data.classes[row.index(max(row))] for row in logits.tolist()
    ]
    for each, row in zip(predicted, logits.double().softmax(1), strict=True):
        assert (each.task, each.problem, each.tokens) == (data.task, "", None)
        assert list(each.probabilities) == sorted(row.tolist(), reverse=True)
        assert [row[data.classes.index(name)] for name in each.classes] == list(each.probabilities)
    assert product.predict(data.test.inputs(), task=data.task) == predicted


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
            "seen": 0 if split == "test" else len(samples),
            "trained_on": 12,
        }
        assert product.evaluate(data, split=split) == pytest.approx(expected)
    assert product.evaluate(tmp_path / "task.pt") == pytest.approx(expected)


def test_a_number_is_an_id_as_well(product, images):
    inputs = images.test.values
    assert torch.equal(
        product.logits(task=1, inputs=inputs), product.logits(task="1", inputs=inputs)
    )
    with pytest.raises(ValueError, match="the network has no task 7"):
        product.predict(inputs, task=7)


def test_a_name_is_a_task_unless_another_has_it_as_well(images):
    specs = {"1": "two", "2": "words", "3": "words"}
    network = tiny.network(*(replace(images, task=id_, name=name) for id_, name in specs.items()))
    product = Product(network, {})
    assert (product.find("two").task, product.find("1").task, product.find().task) == (
        "1",
        "1",
        "3",
    )
    with pytest.raises(ValueError, match="2 tasks have the name words: give task=2 or 3$"):
        product.find("words")
    with pytest.raises(ValueError, match=r"no task 3w; it has 1 \(two\), 2 \(words\), 3 \(w"):
        product.find("3w")
    network.specs[2] = replace(network.specs[2], name="1")
    assert product.find("1").task == "1", "an id comes first"
    network.specs[2] = replace(network.specs[2], name="")
    with pytest.raises(ValueError, match="the network has no task ; it has 1"):
        product.find("")


def test_use_changes_nothing(product, images):
    before = tiny.snapshot(product.network)
    product.predict(images.test.values, task="1")
    product.evaluate(images)
    assert tiny.same_state(before, tiny.snapshot(product.network))


PIXELS = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
WORDS = torch.zeros(2, 5, 8)
REAL = torch.ones(2, 5, dtype=torch.bool)
BLANK = REAL & torch.tensor([[True], [False]])
NO_NUMBER = WORDS.index_fill(2, torch.tensor(3), torch.nan)


@pytest.mark.parametrize(
    ("task", "inputs", "message"),
    [
        ("7", PIXELS, "the network has no task 7; it has 1, 2"),
        ("1", PIXELS / 255, "images are torch.float32 of shape (2, 3, 4, 4), not torch.uint8 of"),
        ("1", PIXELS.int(), "images are torch.int32 of shape (2, 3, 4, 4), not torch.uint8 of"),
        ("1", PIXELS[0], "of shape (3, 4, 4), not torch.uint8 of (any, 3, any, any)"),
        ("1", PIXELS[:, :1], "of shape (2, 1, 4, 4), not torch.uint8 of (any, 3, any, any)"),
        ("1", PIXELS.permute(0, 2, 3, 1), "of shape (2, 4, 4, 3), not torch.uint8 of (any, 3,"),
        ("1", PIXELS[:0], "of shape (0, 3, 4, 4), not torch.uint8 of (any, 3, any, any)"),
        ("1", (PIXELS, REAL), "images have no mask"),
        ("1", PIXELS.numpy(), "a tensor, or a pair of values and a mask, not ndarray, NoneType"),
        ("2", (WORDS, REAL, REAL), "a pair of values and a mask, not Tensor, Tensor, Tensor"),
        ("2", (WORDS, [True]), "a tensor, or a pair of values and a mask, not Tensor, list"),
        ("2", PIXELS, "texts are torch.uint8 of shape (2, 3, 4, 4), not torch.float32 of (any,"),
        ("2", WORDS.double(), "texts are torch.float64 of shape (2, 5, 8), not torch.float32"),
        ("2", WORDS[:, :, :7], "of shape (2, 5, 7), not torch.float32 of (any, any, 8)"),
        ("2", WORDS[:0], "of shape (0, 5, 8), not torch.float32 of (any, any, 8)"),
        ("2", torch.zeros(1, 9, 8), "texts have 9 tokens, the model at most 8"),
        ("2", (WORDS, REAL[:1]), "of shape (1, 5), not torch.bool of (2, 5)"),
        ("2", (WORDS, REAL.float()), "are torch.float32 of shape (2, 5), not torch.bool of (2, 5)"),
        ("2", (WORDS, BLANK), "a text has no token but padding"),
        ("2", (NO_NUMBER, REAL), "texts hold NaN or infinite values where tokens are real"),
    ],
)
def test_inputs_that_do_not_fit(product, task, inputs, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        product.logits(task=task, inputs=inputs)


def test_logits_that_are_no_numbers_are_no_class(product, texts):
    values, mask = texts.test.inputs()
    values = values.index_fill(0, torch.tensor([1, 4]), 3e38)  # finite: their squares are not
    with pytest.raises(ValueError, match="logits that are NaN or infinite for 2 of 6 inputs"):
        product.predict((values, mask), task="2")


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


# samples that were seen before


def holding(data: TaskData, *contents: str) -> TaskData:
    """Return data whose first test samples have these contents."""
    kept = data.test.contents[len(contents) :]
    return replace(data, test=replace(data.test, contents=(*contents, *kept)))


def refused(product: Product, data: TaskData, count: int) -> None:
    """Check that a test is refused but on purpose, and that validation is no test."""
    message = f"{count} of 6 test samples of task {data.task} are among those .* allow_seen=True"
    with pytest.raises(ValueError, match=message):
        product.evaluate(data)
    assert product.evaluate(data, allow_seen=True)["seen"] == count
    assert product.evaluate(data, split="validation")["seen"] == 6


@pytest.mark.parametrize("role", ["train", "validation"])
def test_a_test_on_seen_samples_is_refused_with_how_many(product, texts, role):
    one, two = getattr(texts, role).contents[:2]
    refused(product, holding(texts, one, one, two), 3)


def test_what_an_earlier_task_has_seen_is_seen_but_not_what_a_later_one_has(product, images, texts):
    refused(product, holding(texts, images.train.contents[0]), 1)
    later = holding(images, texts.train.contents[0])
    assert product.evaluate(later)["seen"] == 0, "task 1 computes as if task 2 were not there"


def test_other_data_of_the_same_name_is_told_apart(product, images, texts):
    for others in (texts.test, texts.validation):  # which it was not trained on
        assert product.evaluate(replace(texts, train=others))["trained_on"] == 0
    half = replace(texts.train, contents=texts.train.contents[:5] + images.train.contents[:7])
    assert product.evaluate(replace(texts, train=half))["trained_on"] == 5


def without(data: TaskData, split: str) -> TaskData:
    """Return data one of whose splits has no hashes."""
    return replace(data, **{split: replace(getattr(data, split), contents=None)})


def test_data_without_hashes_is_measured_and_what_cannot_be_known_is_said(product, texts, caplog):
    assert product.evaluate(without(texts, "test"))["seen"] is None
    assert "task 2: the checkpoint or the data do not say" in caplog.text
    caplog.clear()
    assert product.evaluate(without(texts, "test"), allow_seen=True)["seen"] is None
    assert product.evaluate(without(texts, "validation"), split="validation")["seen"] is None
    assert product.evaluate(without(texts, "train"))["trained_on"] is None
    assert caplog.text == ""


def test_a_product_can_be_published_without_its_samples(product, texts, tmp_path, caplog):
    whole, published = tmp_path / "whole.pt", tmp_path / "published.pt"
    product.save(whole)
    product.save(published, samples=False)
    assert crossback_core.load(whole).network.seen == product.network.seen
    back = crossback_core.load(published)
    assert (back.network.seen, back.record) == ([None, None], product.record)
    leaking = holding(texts, texts.train.contents[0])
    found = back.evaluate(leaking)
    assert (found["seen"], found["trained_on"]) == (None, None)
    assert "cannot be known" in caplog.text
    assert found["loss"] == product.evaluate(leaking, allow_seen=True)["loss"]
    for content in texts.train.contents:
        stored = bytes.fromhex(content)[::-1]
        assert stored in whole.read_bytes() and stored not in published.read_bytes()


def test_what_is_left_of_the_hashes_still_refuses(product, images, texts, tmp_path):
    """The backbone was published without them, the target is one's own."""
    product.save(tmp_path / "again.pt")
    own = crossback_core.load(tmp_path / "again.pt")
    own.network.seen[0] = None
    refused(own, holding(texts, texts.train.contents[0]), 1)
    assert own.evaluate(texts)["seen"] is None
    assert own.evaluate(images)["seen"] is None
