"""What is said of own data, and the block of the configuration that is made of it."""

import io
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml
from PIL import Image
from typer.testing import CliRunner

from crossback_core.cli import screen
from crossback_core.cli.app import app
from crossback_core.config import load_settings
from crossback_core.config.block import add_block, name_for, propose, settings_with, whole_block
from crossback_core.config.estimate import Size, estimate
from crossback_core.data.survey import Survey, TaskFound, concerns, survey

ROOT = Path(__file__).resolve().parents[3]
CONFIG = (ROOT / "config.yaml").read_text()


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Three tasks of pictures and one of texts, with some files that are not read."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "config.yaml", tmp_path)
    for task, classes in {"pets": "ab", "cars": "cd", "birds": "ef"}.items():
        for label in classes:
            folder = Path("my data/images") / task / label
            folder.mkdir(parents=True)
            for number in range(4):
                Image.new("RGB", (40, 90)).save(folder / f"{number}.png")
    for label in "gh":
        folder = Path("my data/texts/kitchen") / label
        folder.mkdir(parents=True)
        for number in range(4):
            (folder / f"{number}.txt").write_text(f"text {number}")
    Path("my data/images/pets/a/notes.doc").touch()
    Path("my data/images/pets/lost.png").touch()
    Path("my data/texts/kitchen/g/blank.txt").touch()
    return Path("my data")


def test_a_survey_counts_samples_and_what_is_not_read(data):
    (data / "images/pets/nothing").mkdir()
    found = survey(data)
    assert [(each.task, each.modality, each.classes) for each in found.tasks] == [
        ("image-birds", "image", {"e": 4, "f": 4}),
        ("image-cars", "image", {"c": 4, "d": 4}),
        ("image-pets", "image", {"a": 4, "b": 4, "nothing": 0}),
        ("text-kitchen", "text", {"g": 4, "h": 4}),
    ]
    assert found.side == 40 and found.encoder is None
    firsts = {path: count for count, path in found.skipped.values()}
    assert firsts == {
        "images/pets/a/notes.doc": 1,
        "images/pets/lost.png": 1,
        "images/pets/nothing": 1,
        "texts/kitchen/g/blank.txt": 1,
    }
    assert concerns(found)[0] == (
        "task image-pets is left out: too few samples of nothing: each class needs at least 3, one"
        " for each split"
    )


def test_pictures_are_opened_and_too_many_that_cannot_be_are_told_with_what_to_do(data):
    Image.effect_noise((90, 90), 50).save(whole := data / "images/cars/c/4.jpg")
    Path("my data/images/cars/c/5.jpg").write_bytes(whole.read_bytes()[:-900])  # it still opens
    Path("my data/images/cars/d/6.jpg").write_bytes(b"none")
    with Image.open("my data/images/cars/c/5.jpg") as picture:
        assert picture.size == (90, 90)
    done = CliRunner().invoke(app, ["new", "my data"])
    assert done.exit_code == 0, done.stderr
    assert "image-cars          9  2: c 5, d 4\n" in done.stderr
    assert (
        "Not read: 2 files, such as images/cars/c/5.jpg: unreadable image: image file is truncated"
    ) in done.stderr
    assert (
        "Warning: the run will stop at task image-cars: 2 of 11 samples cannot be used, more than"
        " max_skipped = 0.01 allows: images/cars/c/5.jpg: unreadable image: image file is truncated"
    ) in done.stderr
    assert "format; remove them, or raise max_skipped\n" in done.stderr
    assert "task image-birds" not in done.stderr


def test_of_many_things_a_bar_shows_how_many_have_come(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setenv("TERM", "xterm")
    for count, shown in ((3, False), (300, True)):
        monkeypatch.setattr("sys.stderr", stream := Terminal())
        assert list(screen.watched(range(count), count, doing="Opening")) == [*range(count)]
        assert ("Opening" in stream.getvalue() and f"/{count}" in stream.getvalue()) == shown


@pytest.mark.parametrize("place", ["images", "images/pets", "images/pets/a"])
def test_a_folder_within_the_data_is_told_with_the_one_that_is_meant(data, place):
    (data / "images/pets/lost.png").unlink()
    done = CliRunner().invoke(app, ["new", f"my data/{place}"])
    assert done.exit_code == 1
    assert done.stderr.endswith(f"; did you mean {data.absolute()}?\n")


@pytest.mark.parametrize("add", [[], ["--add"]])
@pytest.mark.parametrize("name", ["my data", ""])
def test_a_name_that_cannot_be_is_refused_whether_added_or_not(data, add, name):
    done = CliRunner().invoke(app, ["new", "my data", "--name", name, *add])
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == (
        f"Error: datasets: {name!r} is not allowed; it must be text that matches"
        " ^[a-z][a-z0-9_-]*$\n"
    )


def test_a_linked_folder_stays_a_link(data, tmp_path_factory):
    place = tmp_path_factory.mktemp("elsewhere") / "Other"
    data.rename(place)
    Path("linked").symlink_to(place)
    for given in ("linked", Path.cwd() / "linked", "more/../linked"):
        Path("more").mkdir(exist_ok=True)
        (block,) = yaml.safe_load(CliRunner().invoke(app, ["new", str(given)]).stdout).values()
        assert block["raw"] == (str(place) if ".." in str(given) else "linked")


def test_a_table_is_looked_at_as_well(tmp_path):
    rows = [("x", label, f"text {n} {label}") for label in "ab" for n in range(5)]
    frame = pd.DataFrame(rows, columns=["task", "class", "text"])
    frame.to_csv(tmp_path / "samples.csv", index=False)
    (found,) = survey(tmp_path).tasks
    assert (found.task, found.classes) == ("text-x", {"a": 5, "b": 5})


def test_a_block_is_shown_on_standard_output_alone(data):
    done = CliRunner().invoke(app, ["new", "my data", "--name", "mine"])
    assert done.exit_code == 0, done.stderr
    block = yaml.safe_load(done.stdout)["mine"]
    assert block == {
        "kind": "folder",
        "raw": "my data",
        "preset": "low_data",
        "joint": {
            "image_first_half": {
                "name": "first half of the pictures",
                "tasks": ["image-birds", "image-pets"],
            }
        },
        "targets": ["image-birds", "image-cars", "image-pets", "text-kitchen"],
        "train_per_class": None,
        "image_size": 32,
        "encoder": "bert-base-uncased",
        "text_length": 64,
        "test_fraction": 0.2,
        "validation_fraction": 0.15,
    }
    assert " jobs at most, about" in done.stderr and "of one core" in done.stderr
    assert Path("config.yaml").read_text() == CONFIG


def test_added_a_block_stands_with_the_data_sets_and_all_else_stays(data):
    done = CliRunner().invoke(app, ["new", "my data", "--add"])
    assert done.exit_code == 0, done.stderr
    text = Path("config.yaml").read_text()
    before, _, rest = text.partition("\n  my_data:\n")
    _, _, after = rest.partition("\npresets:\n")
    assert f"{before}\npresets:\n{after}" == CONFIG.replace("run: [icons]", "run: [my_data]")
    settings = load_settings(yaml.safe_load(text))
    assert settings.run == ("my_data",)
    assert settings.datasets["my_data"].candidates_of("image-cars") == (
        "image-birds",
        "image-pets",
        "text-kitchen",
        "image_first_half",
    )
    again = CliRunner().invoke(app, ["new", "my data", "--add"])
    assert again.exit_code == 1
    assert again.stderr.splitlines()[-1] == (
        "Error: the configuration has a data set my_data: give another name with --name"
    )
    assert Path("config.yaml").read_text() == text


def test_what_does_not_load_is_not_written(data):
    with pytest.raises(ValueError, match=r"datasets\.mine\.preset: unknown preset 'none'"):
        add_block("config.yaml", "mine", "kind: folder\nraw: my data\npreset: none")
    assert Path("config.yaml").read_text() == CONFIG


@pytest.mark.parametrize(
    "run", ["run: [icons]", "run:\n- icons # the first\n- cub", "run:\n    - icons\n"]
)
def test_run_is_set_however_it_is_written(data, run):
    config = CONFIG.replace("run: [icons]", run)
    block = propose("my data", survey(data), gpu=False)
    text, settings = settings_with(config, "mine", block)
    assert settings.run == ("mine",)
    assert settings.datasets.keys() > {"icons", "cub", "mine"}


def test_ends_of_lines_stay_what_they_are(data):
    Path("config.yaml").write_bytes(CONFIG.replace("\n", "\r\n").encode())
    add_block("config.yaml", "mine", propose("my data", survey(data), gpu=False))
    text = Path("config.yaml").read_bytes().decode()
    assert "\r\n  mine:\r\n" in text and text.count("\n") == text.count("\r\n")
    settings = load_settings(yaml.safe_load(text))
    assert settings.datasets.keys() == {"mine"} | yaml.safe_load(CONFIG)["datasets"].keys()


@pytest.mark.parametrize("name", ["on", "yes", "mine"])
def test_an_anchor_or_a_name_that_yaml_reads_otherwise_spoils_nothing(data, name):
    config = CONFIG.replace("datasets: #", "datasets: &all #")
    text, settings = settings_with(
        config, name, block := propose("my data", survey(data), gpu=False)
    )
    assert list(yaml.safe_load(whole_block(name, block))) == [name]
    assert settings.run == (name,) and name in settings.datasets
    assert "datasets: &all #" in text


def test_a_configuration_that_is_no_yaml_is_told_by_its_line(data):
    Path("config.yaml").write_text(CONFIG + "\n\tx: 1\n")
    done = CliRunner().invoke(app, ["new", "my data", "--add"])
    assert done.exit_code == 1
    assert "it is not YAML: found character" in done.stderr.splitlines()[-1]


def test_a_block_that_has_to_be_added_by_hand_is_shown(data):
    Path("config.yaml").write_text("datasets: {a: {kind: icons}}\nrun: [a]\n")
    done = CliRunner().invoke(app, ["new", "my data"])
    assert done.exit_code == 0, done.stderr
    assert "Warning: `datasets` is written in braces: add the block by hand\n" in done.stderr
    assert yaml.safe_load(done.stdout)["my_data"]["kind"] == "folder"


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("run: [a]\ndatasets:\n  a: {kind: icons,\n  raw: x\n}\n", "does not fit"),
        ("seed: 1", "has no data sets under `datasets`"),
        ("datasets: {a: {kind: icons}}\nrun: [a]", "is written in braces"),
        ("datasets:\n  a: {kind: icons}\n", "has no `run`"),
    ],
)
def test_a_configuration_that_cannot_be_added_to_is_refused(config, words):
    with pytest.raises(ValueError, match=words):
        settings_with(config, "mine", "kind: folder")


def tasks(count, samples, modality="image"):
    names = (f"{modality}-t{number}" for number in range(count))
    return tuple(TaskFound(name, modality, {"a": samples, "b": samples}) for name in names)


@pytest.mark.parametrize(
    ("found", "gpu", "expected"),
    [
        (tasks(2, 14), False, {"preset": "low_data", "train_per_class": None}),
        (tasks(2, 100), True, {"preset": "demo", "train_per_class": None}),
        (tasks(2, 1000), False, {"preset": "demo", "train_per_class": 200}),
        (tasks(2, 1000), True, {"preset": "paper", "train_per_class": 200}),
    ],
)
def test_preset_and_samples_follow_the_amount_of_data(found, gpu, expected):
    block = yaml.safe_load(propose("x", Survey(found, {}, 64, None), gpu=gpu))
    assert {key: block[key] for key in expected} == expected


def test_each_half_of_the_tasks_has_a_joint_network_of_the_other():
    block = yaml.safe_load(propose("x", Survey(tasks(4, 50) + tasks(2, 50, "text"), {}, 64, None),
                                   gpu=False))  # fmt: skip
    members = [each["tasks"] for each in block["joint"].values()]
    assert members == [["image-t0", "image-t2"], ["image-t1", "image-t3"]]


def test_what_no_network_can_be_trained_for_is_in_no_block():
    good, bad = tasks(2, 30), (TaskFound("image-lonely", "image", {"a": 40}),)
    block = yaml.safe_load(propose("data", Survey((*good, *bad), {}, 64, None), gpu=False))
    assert block["tasks"] == block["targets"] == [task.task for task in good]
    assert "lonely" not in str(block)
    assert "tasks" not in yaml.safe_load(propose("data", Survey(good, {}, 64, None), gpu=False))
    with pytest.raises(ValueError, match="no network can be trained on data: image-lonely: it has"):
        propose("data", Survey(bad, {}, 64, None), gpu=False)


def test_names_of_tasks_stay_what_they_are():
    odd = tuple(
        TaskFound(f"image-{name}", "image", {"a": 9, "b": 9}) for name in ("1:30", "größe", "+#")
    )
    block = yaml.safe_load(propose("a: b", Survey(odd, {}, 64, None), gpu=False))
    assert block["targets"] == ["image-1:30", "image-größe", "image-+#"]
    assert block["raw"] == "a: b"


@pytest.mark.parametrize(
    ("folder", "name"), [("/a/My Birds", "my_birds"), ("/a/2024", "data_2024"), ("/a/ö", "data")]
)
def test_a_data_set_is_called_by_its_folder(folder, name):
    assert name_for(Path(folder)) == name


def test_the_demo_takes_what_is_estimated():
    experiment = load_settings(yaml.safe_load(CONFIG)).datasets["icons"]
    # its index: 5 classes of 60 samples a task, a few fewer in three tasks of icons
    sizes = {
        task: Size("text" if 15 <= int(task) <= 28 or int(task) >= 39 else "image", 5, 300)
        for task in experiment.indexed
    }
    found = estimate(experiment, sizes)
    assert found.jobs == 89, "as many logs as its run leaves"
    assert found.seconds == pytest.approx(13 * 60, rel=0.1)
    assert found.bytes == pytest.approx(98e6, rel=0.1)
