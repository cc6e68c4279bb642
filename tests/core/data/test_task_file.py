"""Task files come back as they went, and whatever is wrong with one is said."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

import pytest
import torch

from crossback_core.data import Split, TaskData, load_task, save_task
from crossback_core.data.modalities import MODALITIES

SPLITS = ("train", "validation", "test")


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
    for name in SPLITS:
        before, after = getattr(task, name), getattr(back, name)
        assert after.ids == before.ids
        assert torch.equal(after.labels, before.labels)
        for old, new in zip(before.inputs(), after.inputs(), strict=True):
            assert (old is None and new is None) or torch.equal(old, new)


def test_the_same_task_gives_the_same_bytes_under_any_name(task, tmp_path):
    save_task(task, tmp_path / "one.pt")
    save_task(load_task(tmp_path / "one.pt"), tmp_path / "another name.pt")
    assert (tmp_path / "one.pt").read_bytes() == (tmp_path / "another name.pt").read_bytes()


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


def labels(*values: int) -> torch.Tensor:
    return torch.tensor(values)


IDS = ("x", "y")
PIXELS = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
IMAGE, TEXT = map(MODALITIES.find, ("image", "text"))
TOKENS = torch.ones(2, 3, dtype=torch.int32)
TABLE = torch.tensor([[0, 0], [1, 2]], dtype=torch.float16)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ((TEXT, TOKENS), "texts have a table"),
        ((IMAGE, PIXELS, TABLE), "images have no table"),
        ((IMAGE, PIXELS.float()), r"pixels are torch.float32 .*, not torch.uint8"),
        ((IMAGE, PIXELS[:1]), r"shape \(1, 3, 4, 4\), not torch.uint8 of \(2, 3, any, any\)"),
        ((IMAGE, PIXELS[:, :1]), r"shape \(2, 1, 4, 4\)"),
        ((IMAGE, PIXELS[:, :, :0]), r"shape \(2, 3, 0, 4\)"),
        ((IMAGE, PIXELS[0]), r"shape \(3, 4, 4\)"),
        ((TEXT, TOKENS.long(), TABLE), "tokens are torch.int64"),
        ((TEXT, TOKENS, TABLE.float()), "table are torch.float32"),
        ((TEXT, 2 * TOKENS, TABLE), "tokens 2 to 2 are not rows of the table, 0 to 1"),
        ((TEXT, -TOKENS, TABLE), "tokens -1 to -1 are not rows"),
        ((TEXT, 0 * TOKENS, TABLE), "a text has no token but padding"),
        ((TEXT, TOKENS, TABLE + 1), "row 0 of the table, the padding, is not zeros"),
    ],
)
def test_a_split_refuses_what_does_not_belong_together(parts, words):
    modality, *values = parts
    with pytest.raises(ValueError, match=words):
        Split(modality, labels(0, 1), IDS, *values)


LARGE = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)


@pytest.mark.parametrize(
    ("wrong", "ids", "words"),
    [
        (labels(0, 1).int(), IDS, "labels are torch.int32"),
        (labels().long(), (), r"labels are torch.int64 of shape \(0,\)"),
        (labels(0, 1), ("x",), "2 labels and 1 ids"),
        (labels(0, 1)[None], IDS, r"labels are torch.int64 of shape \(1, 2\)"),
    ],
)
def test_a_split_refuses_wrong_labels_and_ids(wrong, ids, words):
    with pytest.raises(ValueError, match=words):
        Split(IMAGE, wrong, ids, PIXELS)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"test": Split(TEXT, labels(0, 1), IDS, TOKENS, TABLE)},
            r"split test of task 1 \(image\) holds texts",
        ),
        ({"classes": ("a", "a")}, r"classes \('a', 'a'\) are not two or more distinct names"),
        ({"classes": ("a",)}, "are not two or more distinct names"),
        (
            {"test": Split(IMAGE, labels(0, 2), IDS, LARGE)},
            "labels 0 to 2 of split test are not all in 0 to 1",
        ),
        ({"test": Split(IMAGE, labels(-1, 1), IDS, LARGE)}, "labels -1 to 1 of split test"),
        (
            {"validation": Split(IMAGE, labels(0, 1), IDS, PIXELS)},
            r"samples of split validation have shape \(3, 4, 4\), those of train \(3, 8, 8\)",
        ),
    ],
)
def test_a_task_refuses_what_is_not_one_task(image_task, change, words):
    with pytest.raises(ValueError, match=words):
        replace(image_task, **change)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"task_7\.pt does not exist: prepare"):
        load_task(tmp_path / "task_7.pt")


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("format", None, "entry format is missing"),
        ("format", 2, "format 2"),
        ("format", "1", "entry format is a str, not a int"),
        ("task", None, "entry task is missing"),
        ("modality", "sound", "modality 'sound'"),
        ("modality", "image", "split train: images have no table"),
        ("classes", ["a", 1], "entry classes holds 1, not only names"),
        ("table", None, "entry table is missing"),
        ("table", TABLE.double(), "split train: table are torch.float64"),
        ("test", [], "entry test is a list, not a dict"),
        ("test/labels", None, "entry labels is missing"),
        ("test/labels", labels(0, 5), "labels 0 to 5 of split test"),
        ("test/labels", labels(0, 1, 0), "split test: 3 labels and 2 ids"),
        ("test/ids", ["x", None], "entry ids holds None"),
        ("test/values", None, "entry values is missing"),
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
    assert "task.pt is not a task file of format 1 or is damaged" in str(caught.value)
    assert "remove it and run again" in str(caught.value)


@dataclass
class Malicious:
    """An object that makes a folder when it is unpickled."""

    path: str

    def __reduce__(self):
        """Name the call that unpickling would make."""
        return os.mkdir, (self.path,)


def test_code_in_a_task_file_is_not_run(tmp_path, payload):
    trace = tmp_path / "trace"
    torch.save(payload | {"extra": Malicious(str(trace))}, tmp_path / "task.pt")
    with pytest.raises(ValueError, match=r"task\.pt is not a task file .*more than plain values"):
        load_task(tmp_path / "task.pt")
    assert not trace.exists()


@pytest.mark.parametrize("part", [0.0, 0.5, 0.999])
def test_a_truncated_file_is_damaged(text_task, tmp_path, part):
    path = tmp_path / "task.pt"
    save_task(text_task, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(ValueError, match=r"task\.pt is not a task file .*remove it and run again"):
        load_task(path)
