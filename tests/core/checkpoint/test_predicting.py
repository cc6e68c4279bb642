"""Raw inputs are read as the samples of a task were, and whatever cannot be read is said."""

import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tiny
import torch
from miniatures import (
    captions,
    index_of,
    make_cifar100,
    make_encoder,
    picture,
    settings_of,
    task_of,
)
from PIL import Image, ImageOps

import crossback_core
from crossback_core.checkpoint import predicting
from crossback_core.checkpoint.network_file import save_checkpoint
from crossback_core.checkpoint.predicting import Predictions
from crossback_core.checkpoint.product import Product
from crossback_core.data import TaskData, load_task, save_task
from crossback_core.data.images import read_picture
from crossback_core.data.kinds.icons import KIND, read_images
from crossback_core.data.recipe import TokenCount
from crossback_core.learning import evaluation

ICONS = Path(__file__).parents[3] / "data" / "icons"
MODEL = replace(tiny.MODEL, max_tokens=64)


def product_of(path: Path, *tasks: TaskData) -> Product:
    """Return what comes back of the files of a network and of its tasks."""
    for data in tasks:
        save_task(data, path.with_name(f"task_{data.task}.pt"))
    loaded = [load_task(path.with_name(f"task_{data.task}.pt")) for data in tasks]
    network = tiny.network(*loaded, settings=MODEL)
    tiny.disturb(network)
    save_checkpoint(network, path)
    return crossback_core.load(path)


def write_own_data(folder: Path) -> None:
    """Write photographs and texts of two classes each, in plain folders."""
    for kind, name in enumerate(["cat", "dog"]):
        for place, suffix in ((folder / "images/pets", "jpg"), (folder / "texts/notes", "txt")):
            (place / name).mkdir(parents=True)
            for number in range(12):
                path = place / name / f"{number:02}.{suffix}"
                if suffix == "jpg":
                    picture(kind, number, size=(150 + number, 90)).save(path)
                else:
                    path.write_text("\n\n".join(captions(kind, number, 1 + number % 3)))


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Own data, its encoder, tasks and the network of both."""
    folder = tmp_path_factory.mktemp("own")
    write_own_data(folder / "raw")
    encoder = make_encoder(folder / "encoder")
    settings = settings_of("folder", encoder=str(encoder), image_size=16, text_length=24)
    index = index_of(folder / "raw", settings)
    tasks = {
        name: task_of(index, folder / "raw", settings, name)[0]
        for name in ("image-pets", "text-notes")
    }
    product = product_of(folder / "net.pt", *tasks.values())
    return {"folder": folder, "index": index, "product": product, **tasks}


@pytest.fixture(scope="module")
def icons(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A task of icons and one of glosses, and the network of both."""
    settings = settings_of("icons")
    index = KIND.index(ICONS, settings).astype({"task": str})
    index = index[index["task"].isin(["3", "19"])].reset_index(drop=True)
    index["split"] = [("train", "test", "validation")[row % 3] for row in index.index]
    tasks = {name: task_of(index, ICONS, settings, name)[0] for name in ("3", "19")}
    path = tmp_path_factory.mktemp("icons") / "net.pt"
    return {"index": index, "product": product_of(path, *tasks.values()), **tasks}


def sources(it: dict[str, Any], data: TaskData) -> list[str]:
    """Return the sources of the test samples of a task, in their order."""
    index = it["index"].set_index(["task", "id"])
    return [str(index.loc[(data.task, id_), "source"]) for id_ in data.test.ids]


def raw_icons(it: dict[str, Any], folder: Path) -> dict[str, list[Any]]:
    """Return the test tiles of task 3 as files, and the test glosses of task 19."""
    tiles = read_images(ICONS, sources(it, it["3"]), settings_of("icons"))
    paths = [folder / f"{number:03}.png" for number in range(len(tiles))]
    for path, tile in zip(paths, tiles, strict=True):
        Image.fromarray(tile.pixels).save(path)
    texts = pd.read_csv(ICONS / "texts.csv", dtype=str, keep_default_na=False)["text"]
    rows = [int(source.partition("#")[2]) for source in sources(it, it["19"])]
    return {"3": paths, "19": texts[rows].tolist()}


@pytest.mark.parametrize("batch", [7, 256])
@pytest.mark.parametrize("task", ["3", "19", "image-pets", "text-notes"])
def test_raw_test_samples_are_what_an_evaluation_computes(
    task, batch, own, icons, tmp_path, monkeypatch
):
    """Inputs and logits, to the bit, however many are computed at a time."""
    it = icons if task in icons else own
    data, product = it[task], it["product"]
    folder = own["folder"] / "raw"
    raw = raw_icons(it, tmp_path)[task] if it is icons else [folder / x for x in sources(it, data)]
    monkeypatch.setattr(evaluation, "BATCH", batch)
    computed = []

    def predict_logits(model, *inputs):
        computed.append((*inputs, evaluation.predict_logits(model, *inputs)))
        return computed[-1][-1]

    monkeypatch.setattr(predicting, "predict_logits", predict_logits)
    found = product.predict(raw, task=task)
    wanted = (*data.test.inputs(), product.logits(task=task, inputs=data.test.inputs()))
    for parts, whole in zip(zip(*computed, strict=True), wanted, strict=True):
        assert parts[0] is None if whole is None else torch.equal(torch.cat(parts), whole)
    assert [each.source for each in found] == list(map(str, raw))
    prepared = product.predict(data.test.inputs(), task=task)
    assert [each.probabilities for each in found] == [each.probabilities for each in prepared]
    assert [each.classes for each in found] == [each.classes for each in prepared]


def test_hidden_states_of_an_encoder_are_those_of_the_task(own, tmp_path):
    """But for the rounding of batches that hold other texts."""
    encoder = str(own["folder"] / "encoder")
    settings = settings_of("folder", encoder=encoder, representation="contextual", text_length=24)
    raw = own["folder"] / "raw"
    data, _ = task_of(own["index"], raw, settings, "text-notes")
    product = product_of(tmp_path / "net.pt", data)
    found = product.predict([raw / each for each in sources(own, data)])
    wanted = product.predict(data.test.inputs())
    for each, other in zip(found, wanted, strict=True):
        assert each.probabilities == pytest.approx(other.probabilities, abs=1e-3)
    trained = own["index"].set_index("id").loc[list(data.train.ids), "source"]
    assert {each.tokens.new for each in product.predict([raw / it for it in trained])} == {0}
    assert product.predict("reds").tokens == TokenCount(read=2, unknown=0, new=1, cut=0)


def test_a_photograph_of_any_size_for_pictures_out_of_an_archive(tmp_path):
    """CIFAR-100 has its pixels in pickles."""
    settings = settings_of("cifar100")
    raw = make_cifar100(tmp_path / "cifar")
    data, _ = task_of(index_of(raw, settings), raw, settings, "1")
    picture(3, 1, size=(300, 200)).save(tmp_path / "photo.jpg")
    found = product_of(tmp_path / "net.pt", data).predict(str(tmp_path / "photo.jpg"))
    assert sorted(found.classes) == sorted(data.classes)
    assert sum(found.probabilities) == pytest.approx(1)


def test_one_input_is_one_prediction_and_the_newest_task_is_meant(own):
    product = own["product"]
    found = product.predict("this bird has a red wing and a qwertz .")
    assert (found.task, found.problem, found.best) == ("text-notes", "", found.classes[0])
    assert found.source == "this bird has a red wing and a qwertz ."
    assert found.tokens == TokenCount(read=10, unknown=1, new=0, cut=0)
    assert product.predict(["a red wing"]) == (product.predict("a red wing"),)
    assert isinstance(product.predict(["a red wing"]), Predictions)
    with pytest.raises(
        ValueError, match="the network has no task 7; it has image-pets, text-notes"
    ):
        product.predict("a red wing", task=7)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("a zyxwv  strong red wine,\n漢字", TokenCount(11, 2, 4, 0)),  # zy ##x ##w ##v
        ("wine " * 40, TokenCount(30, 0, 0, 10)),
        ("WINE Crème", TokenCount(4, 0, 2, 0)),  # cr ##em
    ],
)
def test_words_of_a_table_are_counted(icons, text, count):
    assert icons["19"].recipe.values == {"longest": 30}
    assert icons["product"].predict(text).tokens == count


def test_known_words_that_no_training_text_has_are_counted(icons):
    """Counted by hand from the tokens of the training texts."""
    rows = pd.read_csv(ICONS / "texts.csv", dtype=str, keep_default_na=False).set_index("id")
    words = (ICONS / "vocabulary.txt").read_text().split("\n")
    data = icons["19"]
    trained, tested = (
        [set(rows["tokens"][name].split()) for name in split.ids]
        for split in (data.train, data.test)
    )
    text, unseen = max(
        ((id_, it - set().union(*trained)) for id_, it in zip(data.test.ids, tested, strict=True)),
        key=lambda found: len(found[1]),
    )
    assert unseen and unseen < set(words)
    tokens = rows["tokens"][text].split()
    found = icons["product"].predict(rows["text"][text])
    assert found.tokens == TokenCount(len(tokens), 0, sum(it in unseen for it in tokens), 0)


def test_an_encoder_cuts_at_the_text_length_and_is_loaded_without_a_word(own, capfd):
    (found,) = crossback_core.load(own["folder"] / "net.pt").predict(["a red wing and " * 10])
    assert capfd.readouterr() == ("", "")
    assert found.tokens == TokenCount(read=22, unknown=0, new=0, cut=18)


def test_unknown_tokens_are_counted_and_not_warned_of_as_well(own, caplog):
    (found,) = own["product"].predict(["red zzz qqq xxx"], task="text-notes")
    assert found.tokens == TokenCount(read=4, unknown=3, new=0, cut=0)
    assert not caplog.records


def save_turned(path: Path, image: Image.Image) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(path, exif=exif)


def test_pictures_of_all_sorts_are_one_picture(own, tmp_path):
    product = own["product"]
    photo = picture(1, 1, size=(16, 16))  # of the task's size: nothing is rounded
    photo.save(tmp_path / "photo.png")
    save_turned(tmp_path / "turned.png", photo.transpose(Image.Transpose.ROTATE_90))
    alpha = photo.copy()
    alpha.putalpha(255)
    with Image.open(tmp_path / "turned.png") as turned:
        kinds = [tmp_path / "photo.png", str(tmp_path / "turned.png"), turned, photo, alpha]
        before = turned.tobytes()
        found = product.predict(kinds, task="image-pets")
        assert turned.tobytes() == before and turned.getexif()[0x0112] == 6
    assert len({each.probabilities for each in found}) == 1
    assert [each.source for each in found[2:]] == [
        str(tmp_path / "turned.png"),
        *["input 4", "input 5"],
    ]
    grey = ImageOps.grayscale(photo)
    read = [product.predict(each, task="image-pets") for each in (grey, grey.convert("RGB"))]
    assert read[0] == read[1] != found[3]


def test_one_open_picture_may_stand_in_a_batch_several_times(own, tmp_path):
    picture(0, 1, size=(1500, 1500)).save(tmp_path / "large.jpg", quality=95)
    alone = own["product"].predict(Image.open(tmp_path / "large.jpg"), task="image-pets")
    given = [Image.open(tmp_path / "large.jpg")] * 8
    found = own["product"].predict(given, task="image-pets", threads=8)
    assert {(each.problem, each.probabilities) for each in found} == {("", found[0].probabilities)}
    assert found[0].probabilities == pytest.approx(alone.probabilities, abs=1e-6), "other batches"


def test_arrays_are_pictures_and_batches_of_them(own):
    product = own["product"]
    pixels = own["image-pets"].test.values.permute(0, 2, 3, 1).numpy()
    batch = product.predict(pixels, task="image-pets")
    assert [each.source for each in batch[:2]] == ["input 1, row 1", "input 1, row 2"]
    one = product.predict(pixels[1], task="image-pets")
    assert one.source == "input 1" and one.classes == batch[1].classes
    large = np.asarray(picture(0, 0, size=(64, 48)))
    assert product.predict(large, task="image-pets").classes
    for odd in (large / 255, large[..., 0], large[..., :2], large[:0]):
        with pytest.raises(ValueError, match=r"input 1: .* not uint8 of \(height, width, 3\)"):
            product.predict(odd, task="image-pets")


def test_a_folder_is_its_files_of_the_tasks_modality(own, tmp_path):
    product = own["product"]
    shutil.copytree(own["folder"] / "raw", tmp_path / "raw")
    (tmp_path / "raw" / ".thumbs").mkdir()
    shutil.copy(tmp_path / "raw/images/pets/cat/00.jpg", tmp_path / "raw/.thumbs/00.jpg")
    found = product.predict(tmp_path / "raw", task="image-pets")
    paths = sorted(map(str, (tmp_path / "raw").glob("images/*/*/*.jpg")))
    assert [each.source for each in found] == paths and len(paths) == 24
    assert len(product.predict(str(tmp_path / "raw"), task="image-pets", threads=1)) == 24
    assert {each.source[-4:] for each in product.predict(tmp_path / "raw")} == {".txt"}
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"empty has no file of modality image \(\.jpg .*another"):
        product.predict(tmp_path / "empty", task="image-pets")
    with pytest.raises(ValueError, match="there is no input"):
        product.predict([])


@pytest.fixture
def spoilt(own, tmp_path) -> Path:
    """A folder of files of which few can be read."""
    photo = own["folder"] / "raw/images/pets/cat/00.jpg"
    (tmp_path / "cut.jpg").write_bytes(photo.read_bytes()[:1500])
    (tmp_path / "empty.jpg").write_bytes(b"")
    shutil.copy(photo, tmp_path / "photo.dat")
    shutil.copy(photo, tmp_path / "sound.jpg")
    shutil.copy(photo, tmp_path / "picture.txt")
    (tmp_path / "text.png").write_text("a red wing")
    (tmp_path / "note.txt").write_text("a red wing")
    (tmp_path / "blank.txt").write_text(" \n")
    (tmp_path / "folder.txt").mkdir()
    return tmp_path


FILES = [
    ("image-pets", "sound.jpg", ""),
    ("image-pets", "photo.dat", ""),
    ("image-pets", "cut.jpg", "unreadable image: .*truncated"),
    ("image-pets", "empty.jpg", "unreadable image: the file is empty"),
    ("image-pets", "text.png", "unreadable image: not a picture of a known format"),
    ("image-pets", "none.jpg", "missing image file"),
    ("text-notes", "note.txt", ""),
    ("text-notes", "picture.txt", "unreadable text: .*save it as UTF-8"),
    ("text-notes", "blank.txt", "empty caption"),
    ("text-notes", "none.txt", "missing caption file"),
]


@pytest.mark.parametrize("task", ["image-pets", "text-notes"])
def test_what_cannot_be_read_among_many_is_named_in_its_row(own, spoilt, task):
    files = [(spoilt / name, problem) for kind, name, problem in FILES if kind == task]
    found = own["product"].predict([path for path, _ in files], task=task)
    for each, (path, problem) in zip(found, files, strict=True):
        assert each.source == str(path)
        assert re.match(problem, each.problem) if problem else each.problem == ""
        assert bool(each.classes) == (not problem) == bool(each.probabilities)
    frame = found.to_frame(top=2)
    whole = sum(not problem for _, problem in files)
    assert len(frame) == len(files) + whole
    assert frame["class"].count() == frame["rank"].count() == 2 * whole
    assert list(frame[frame["problem"] != ""]["source"]) == [str(p) for p, what in files if what]


@pytest.mark.parametrize(("task", "name", "problem"), [each for each in FILES if each[2]])
def test_one_input_that_cannot_be_read_is_an_error(own, spoilt, task, name, problem):
    missing = name.startswith("none")
    with pytest.raises(
        FileNotFoundError if missing else ValueError,
        match=f"{name} does not exist" if missing else f"{name}: {problem}",
    ):
        own["product"].predict(str(spoilt / name), task=task)


@pytest.mark.parametrize("text", ["", " \n", "\u200b", "qwertz", "[SEP] [MASK]"])
def test_a_text_without_a_known_word_is_none(own, text):
    product = own["product"]
    with pytest.raises(ValueError, match="empty text: it has no token that the encoder knows"):
        product.predict(text)
    found = product.predict([text, "a red wing", "half \ud83d"])
    assert [bool(each.classes) for each in found] == [False, True, False]
    assert "holds half a character" in found[2].problem


@pytest.mark.parametrize(
    ("task", "given", "words"),
    [
        ("text-notes", Path("photo.JPG"), "is of modality image, but task text-notes reads"),
        ("text-notes", "photo.heic", r"photo.heic is of modality image.*: give task=image-pets$"),
        ("text-notes", Image.new("RGB", (2, 2)), "input 1 is of modality image"),
        ("text-notes", ["a red wing", np.zeros((2, 2, 3), np.uint8)], "input 2 is of modality im"),
        ("image-pets", "a red bird", "a red bird is of modality text.*give task=text-notes$"),
        ("image-pets", ["x" * 5000], "is of modality text, but task image-pets reads"),
        ("image-pets", [Path("note.txt")], "note.txt is of modality text"),
        ("image-pets", [{"a": 1}], "input 1 is no input but a dict: give paths, folders, texts"),
        ("text-notes", 5, "input 1 is no input but a int"),
    ],
)
def test_a_picture_never_goes_to_texts_nor_the_reverse(own, task, given, words):
    with pytest.raises(ValueError, match=words):
        own["product"].predict(given, task=task)


def test_no_task_fits(icons, tmp_path):
    product = product_of(tmp_path / "net.pt", icons["3"])
    with pytest.raises(ValueError, match="a red bird .*: no task of this network reads that$"):
        product.predict("a red bird")


def test_a_text_is_a_file_only_where_it_names_one(own, spoilt, monkeypatch):
    monkeypatch.chdir(spoilt)
    Path("wing").write_text("a blue tail")
    product = own["product"]
    by_file = product.predict("note.txt")
    assert by_file.source == "note.txt"
    assert by_file.probabilities == product.predict("a red wing").probabilities
    assert (
        product.predict(Path("wing")).probabilities == product.predict("a blue tail").probabilities
    )
    assert product.predict(["wing"])[0].tokens == TokenCount(1, 0, 0, 0), "a word: it has no suffix"
    assert product.predict("wing and note.txt").tokens.read == 5, "a sentence: it has blanks"
    with pytest.raises(FileNotFoundError, match=r"wing\.txt does not exist"):
        product.predict("wing.txt")


# the encoder, which is not in the file


def copied(own: dict[str, Any], tmp_path: Path) -> tuple[Path, Path]:
    """Return a product whose encoder lies beside it, both of one's own to spoil."""
    encoder = shutil.copytree(own["folder"] / "encoder", tmp_path / "encoder")
    settings = settings_of("folder", encoder=str(encoder), text_length=24)
    data, _ = task_of(own["index"], own["folder"] / "raw", settings, "text-notes")
    product_of(tmp_path / "net.pt", data)
    return tmp_path / "net.pt", encoder


def test_an_encoder_that_has_moved_is_said_where_it_is(own, tmp_path):
    path, encoder = copied(own, tmp_path)
    before = crossback_core.load(path).predict("a red wing")
    moved = encoder.rename(tmp_path / "elsewhere")
    product = crossback_core.load(path)
    with pytest.raises(
        FileNotFoundError, match=r"encoder '.*/encoder'.* is not here: give its folder"
    ):
        product.predict("a red wing")
    assert product.predict("a red wing", encoder=moved) == before
    assert (moved / "README.md").write_text("of no consequence")
    assert crossback_core.load(path).predict("a red wing", encoder=moved) == before


def test_another_encoder_is_refused(own, tmp_path):
    from safetensors.torch import load_file, save_file

    path, encoder = copied(own, tmp_path)
    weights = load_file(encoder / "model.safetensors")
    weights["embeddings.word_embeddings.weight"][9, 3] += 0.1
    save_file(weights, encoder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match="is another one than that which read the texts"):
        crossback_core.load(path).predict("a red wing")
    shutil.copytree(own["folder"] / "encoder", encoder, dirs_exist_ok=True)
    config = (encoder / "tokenizer_config.json").read_text()
    cased = config.replace('"do_lower_case": true', '"do_lower_case": false')
    (encoder / "tokenizer_config.json").write_text(cased)
    with pytest.raises(ValueError, match="is another one than that which read the texts"):
        crossback_core.load(path).predict("a red wing")


def test_nothing_is_downloaded_because_a_file_says_so(own, tmp_path, monkeypatch):
    path, _ = copied(own, tmp_path)
    product = crossback_core.load(path)
    recipe = product.network.recipes[0]
    named = replace(recipe, values={**recipe.values, "encoder": "somebody/encoder"})
    product.network.recipes[0] = named
    monkeypatch.setattr("socket.socket.connect", lambda *given: pytest.fail("asks the network"))
    with pytest.raises(FileNotFoundError, match="'somebody/encoder'.* is not here: .*download it"):
        product.predict("a red wing")


def test_a_task_without_a_recipe_takes_prepared_tensors_only(own, tmp_path):
    data = replace(own["text-notes"], recipe=None)
    product = product_of(tmp_path / "net.pt", data)
    with pytest.raises(ValueError, match="task text-notes, of modality text, does not know how"):
        product.predict("a red wing")
    assert len(product.predict(data.test.inputs())) == len(data.test)


def test_a_frame_has_a_row_for_each_class_wanted(own):
    found = own["product"].predict(["a red wing", "a blue tail"])
    frame = found.to_frame(top=5)
    assert list(frame.columns) == predicting._COLUMNS
    assert frame["rank"].tolist() == [1, 2, 1, 2]
    assert frame["class"].tolist() == [name for each in found for name in each.classes]
    assert frame["tokens"].tolist() == [3] * 4 and frame["problem"].tolist() == [""] * 4
    assert found.to_frame()["probability"].tolist() == [each.probabilities[0] for each in found]
    with pytest.raises(ValueError, match="top is 0"):
        found.to_frame(top=0)


def test_pictures_are_decoded_side_by_side(own, monkeypatch):
    """Two must be at it at once, or both wait until the time is out."""
    from threading import Barrier

    from crossback_core.data import picture_reader

    meeting = Barrier(2, timeout=20)
    decode = picture_reader.decode_picture
    monkeypatch.setattr(
        picture_reader,
        "decode_picture",
        lambda data, *, size: (meeting.wait(), decode(data, size=size))[1],
    )
    folder = own["folder"] / "raw/images/pets/cat"
    assert len(own["product"].predict(folder, task="image-pets", threads=2)) == 12


def test_pixels_that_a_task_file_holds_are_those_of_its_files(own):
    """The size of a recipe is that of the stored pictures."""
    path = own["folder"] / "raw" / sources(own, own["image-pets"])[0]
    assert own["image-pets"].recipe.values == {"size": 16}
    assert read_picture(path).shape[:2] == (90, 150 + int(path.stem))
