"""Task files come back as they went, and whatever is wrong with one is said."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from malicious import Malicious

from crossback_core.data import TASK_FORMAT, Split, TaskData, load_task, save_task
from crossback_core.data.contents import Seen
from crossback_core.data.modalities import MODALITIES

IMAGE, TEXT = map(MODALITIES.find, ("image", "text"))


@pytest.fixture(params=["image_task", "text_task"])
def task(request) -> TaskData:
    return request.getfixturevalue(request.param)


@pytest.fixture
def payload(text_task, tmp_path) -> dict:
    save_task(text_task, tmp_path / "sound.pt")
    return torch.load(tmp_path / "sound.pt", weights_only=True)


def test_a_task_comes_back_as_it_went(task, tmp_path):
    save_task(task, tmp_path / "task.pt")
    back = load_task(tmp_path / "task.pt")
    assert (back.task, back.modality, back.classes) == (task.task, task.modality, task.classes)
    assert back.channels == task.channels == {"image": 3, "text": 4}[task.modality]
    assert back.train.values.dtype == task.train.values.dtype
    assert back.train.table is back.validation.table is back.test.table
    for before, after in zip(
        (task.train, task.validation, task.test),
        (back.train, back.validation, back.test),
        strict=True,
    ):
        assert after.ids == before.ids
        assert after.contents == before.contents
        assert torch.equal(after.labels, before.labels)
        assert torch.equal(after.inputs()[0], before.inputs()[0])
    save_task(back, tmp_path / "another name.pt")
    assert (tmp_path / "task.pt").read_bytes() == (tmp_path / "another name.pt").read_bytes()


@pytest.mark.parametrize("rows", [slice(1, 3), torch.tensor([4, 0]), torch.tensor([True] * 6)])
def test_inputs_of_images_are_their_pixels(image_task, rows):
    values, mask = image_task.train.inputs(rows)
    assert mask is None
    assert torch.equal(values, image_task.train.values[rows])


def test_inputs_of_texts_are_embeddings_and_a_mask(text_task):
    values, mask = text_task.train.inputs(torch.tensor([1, 0]))
    assert values.dtype == torch.float32
    assert values.shape == (2, 3, 4)
    assert mask.tolist() == [[True, True, True], [True, False, False]]
    # Row r of the table is 4 r, 4 r + 1, ...; the first text is token 1 alone.
    assert values[1].tolist() == [[4, 5, 6, 7], [0, 0, 0, 0], [0, 0, 0, 0]]


LABELS = torch.tensor([0, 1])
IDS = ("x", "y")
PIXELS = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
TOKENS = torch.ones(2, 3, dtype=torch.int32)
TABLE = torch.tensor([[0, 0], [1, 2]], dtype=torch.float16)
HASH = 16 * "0"


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ((TEXT, LABELS, IDS, TOKENS), "texts have a table"),
        ((IMAGE, LABELS, IDS, PIXELS, TABLE), "images have no table"),
        ((IMAGE, LABELS, IDS, PIXELS.float()), r"pixels are torch.float32 .*, not torch.uint8"),
        ((IMAGE, LABELS, IDS, PIXELS[:1]), r"\(1, 3, 4, 4\), not torch.uint8 of \(2, 3, any, any"),
        ((IMAGE, LABELS, IDS, PIXELS[:, :1]), r"shape \(2, 1, 4, 4\)"),
        ((IMAGE, LABELS, IDS, PIXELS[:, :, :0]), r"shape \(2, 3, 0, 4\)"),
        ((IMAGE, LABELS, IDS, PIXELS[0]), r"shape \(3, 4, 4\)"),
        ((IMAGE, LABELS.int(), IDS, PIXELS), "labels are torch.int32"),
        ((IMAGE, LABELS[:0], (), PIXELS), r"labels are torch.int64 of shape \(0,\)"),
        ((IMAGE, LABELS[None], IDS, PIXELS), r"labels are torch.int64 of shape \(1, 2\)"),
        ((IMAGE, LABELS, ("x",), PIXELS), "2 labels and 1 ids"),
        ((IMAGE, LABELS, IDS, PIXELS, None, (HASH,)), "2 labels and 1 contents"),
        ((IMAGE, LABELS, IDS, PIXELS, None, ()), "2 labels and 0 contents"),
        ((IMAGE, LABELS, IDS, PIXELS, None, (HASH, HASH[:-1])), "content '0+' is no hash: take"),
        ((TEXT, LABELS, IDS, TOKENS.long(), TABLE), "tokens are torch.int64"),
        ((TEXT, LABELS, IDS, TOKENS, TABLE.float()), "table are torch.float32"),
        ((TEXT, LABELS, IDS, 2 * TOKENS, TABLE), "tokens 2 to 2 are not rows of the table, 0 to 1"),
        ((TEXT, LABELS, IDS, -TOKENS, TABLE), "tokens -1 to -1 are not rows"),
        ((TEXT, LABELS, IDS, 0 * TOKENS, TABLE), "a text has no token but padding"),
        ((TEXT, LABELS, IDS, TOKENS, TABLE + 1), "row 0 of the table, the padding, is not zeros"),
    ],
)
def test_a_split_refuses_what_does_not_belong_together(parts, words):
    with pytest.raises(ValueError, match=words):
        Split(*parts)


TEXTS = Split(TEXT, LABELS, IDS, TOKENS, TABLE)
SMALL = Split(IMAGE, LABELS, IDS, PIXELS)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"test": TEXTS}, r"split test of task 1 \(image\) holds texts"),
        ({"classes": ("a", "a")}, r"classes \['a', 'a'\] are not two or more distinct names"),
        ({"classes": ("a",)}, "are not two or more distinct names"),
        ({"classes": ("a", "\x9b2J")}, r"classes \['a', '\\x9b2J'\] are not two or more distinct"),
        ({"task": "\x1b]0;"}, r"task '\\x1b\]0;' is not an id: give it as text"),
        (
            {"test": replace(SMALL, labels=2 * LABELS)},
            "labels 0 to 2 of split test are not all in 0 to 1",
        ),
        ({"test": replace(SMALL, labels=LABELS - 1)}, "labels -1 to 0 of split test"),
        ({"validation": SMALL}, r"validation have shape \(3, 4, 4\), those of train \(3, 8, 8\)"),
    ],
)
def test_a_task_refuses_what_is_not_one_task(image_task, change, words):
    with pytest.raises(ValueError, match=words):
        replace(image_task, **change)


def test_what_a_training_sees_is_known_where_both_splits_have_hashes(image_task, text_task):
    train, validation = (frozenset(text_task.__dict__[s].contents) for s in ("train", "validation"))
    assert text_task.seen == Seen(train, validation)
    assert image_task.seen is None
    for name in ("train", "validation"):
        without = replace(getattr(text_task, name), contents=None)
        assert replace(text_task, **{name: without}).seen is None


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"task_7\.pt does not exist: prepare"):
        load_task(tmp_path / "task_7.pt")


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("format", 2, "format 2"),
        ("format", "1", "entry format is a str, not a int"),
        ("task", float("nan"), "entry task is a float, not a str"),
        ("name", None, "entry name is missing"),
        ("name", "a\nb", r"a task is named 'a\\nb', which is no name: give text without control"),
        ("modality", "sound", "modality 'sound'"),
        ("modality", "image", "split train: images have no table"),
        ("classes", ["a", 1], "entry classes holds 1, not only names"),
        ("table", None, "entry table is missing"),
        ("table", TABLE.double(), "split train: table are torch.float64"),
        ("table", torch.nan * TABLE, "split train: the texts hold a number that is not finite"),
        ("recipe", None, "entry recipe is missing"),
        ("recipe/tasks", [], "recipes of 0 tasks for 1 task"),
        ("recipe/tasks", [{"values": "{}", "arrays": {}}], "recipe.longest: is missing"),
        ("test", [], "entry test is a list, not a dict"),
        ("test/labels", 5 * LABELS, "labels 0 to 5 of split test"),
        ("test/labels", torch.tensor([0, 1, 0]), "split test: 3 labels and 2 ids"),
        ("test/ids", ["x", None], "entry ids holds null"),
        ("test/contents", None, "entry contents is missing"),
        ("test/contents", [HASH, 1], "entry contents holds 1"),
        ("test/contents", [HASH, "G" + HASH[1:]], "split test: content 'G0+' is no hash"),
        ("validation/values", TOKENS, "split validation: tokens are torch.int32 of shape"),
    ],
)
def test_each_fault_of_an_entry_is_named_with_the_file(payload, tmp_path, path, value, words):
    *above, key = path.split("/")
    place = payload[above[0]] if above else payload
    if value is None:
        del place[key]
    else:
        place[key] = value
    torch.save(payload, tmp_path / "task.pt")
    with pytest.raises(ValueError, match=words) as caught:
        load_task(tmp_path / "task.pt")
    assert f"task.pt is not a task file of format {TASK_FORMAT} or is damaged" in str(caught.value)
    assert "remove it and run again" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("network.pt", {"format": 4, "body": "{}"}, "is a network, not a task file: give it to"),
        ("other.pt", {"weights": PIXELS}, "is of another program: give a task file"),
        ("README.md", None, "is no archive of tensors .truncated.*: give another file"),
    ],
)
def test_a_file_of_another_sort_is_nobodys_to_remove(tmp_path, name, content, words):
    torch.save(content, tmp_path / name)
    if content is None:
        (tmp_path / name).write_text("# CrossBack")
    with pytest.raises(ValueError, match=f"{name} {words}") as caught:
        load_task(tmp_path / name)
    assert "remove" not in str(caught.value)


def test_code_in_a_task_file_is_not_run(tmp_path, payload):
    torch.save(payload | {"extra": Malicious(tmp_path / "trace")}, tmp_path / "task.pt")
    with pytest.raises(
        ValueError, match=r"task\.pt holds more than plain values and tensors .* trust it$"
    ):
        load_task(tmp_path / "task.pt")
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize("part", [0.0, 0.5, 0.999])
def test_a_truncated_file_is_damaged(text_task, tmp_path, part):
    path = tmp_path / "task.pt"
    save_task(text_task, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(ValueError, match=r"task\.pt is not a task file .*remove it and run again"):
        load_task(path)
