"""Published data sets through the real rules: miniatures of them, served on loopback."""

import csv
import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from file_server import FileServer, serve
from miniatures import make_cifar100, make_coco, make_cub, make_encoder, make_oxford, pack
from snakemake_project import Outcome, Project, copy_project

import crossback_core
from crossback_core.data import load_task

pytestmark = [pytest.mark.slow, pytest.mark.published]

MAKERS: dict[str, Callable[..., Path]] = {
    "cub": make_cub,
    "mscoco": make_coco,
    "oxford": make_oxford,
    "cifar100": make_cifar100,
}
CUB, CAPTIONS = "CUB_200_2011.tgz", "cvpr2016_cub.tar.gz"
TARGET = "results/cub/target_14.pt"
UNPACKED = "resources/cub/raw/SOURCES.txt"


@dataclass(frozen=True)
class Site:
    """A project, and the archives of one data set on a server."""

    project: Project
    server: FileServer
    encoder: Path

    @property
    def folder(self) -> Path:
        """The project's folder."""
        return self.project.folder

    def configure(self, kind: str, **values: Any) -> None:
        """Write the configuration: other addresses, sizes and a tiny preset."""
        changes = {
            "preset": "tiny",
            "image_size": 16,
            "urls": {name: self.address(name) for name in self.server.files},
        }
        if kind != "cifar100":
            changes |= {"encoder": str(self.encoder), "text_length": 16}
        config = {"datasets": {kind: changes | values}}
        (self.folder / "real.yaml").write_text(yaml.safe_dump(config))

    def address(self, name: str) -> str:
        """Return the address of an archive; the captions' checksum is not known, as published."""
        checksum = hashlib.md5(self.server.files[name]).hexdigest()
        ending = "" if name.startswith("cvpr") else f"#md5={checksum}"
        return self.server.url(name) + ending

    def run(self, *arguments: str) -> Outcome:
        """Run Snakemake."""
        return self.project.snakemake(*arguments)

    def fail(self) -> str:
        """Let the unpacking of CUB fail; return what is said of it."""
        done = self.run(UNPACKED, "--cores", "2")
        assert done.code == 1
        assert "Traceback" not in done.output
        assert not (self.folder / UNPACKED).exists()
        return done.output


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny BERT."""
    return make_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory, encoder: Path) -> Callable[..., Site]:
    """Return the function that makes the archives of a data set and a project."""

    def make(kind: str, **sizes: int) -> Site:
        folder = tmp_path_factory.mktemp(kind)
        archives = pack(kind, MAKERS[kind](folder / "miniature", **sizes), folder / "archives")
        files = {name: path.read_bytes() for name, path in archives.items()}
        (folder / "project").mkdir()
        options = ("--configfile", "tests/tiny.yaml", "real.yaml")
        project = Project(copy_project(folder / "project"), options)
        return Site(project, FileServer(files), encoder)

    return make


@pytest.fixture(scope="module")
def cub(build: Callable[..., Site]) -> Iterator[Site]:
    """CUB in seven groups, from nothing to a target, over a server that is busy at first.

    Of the 14 tasks four get networks: each more takes seconds and shows nothing new.
    """
    site = build("cub", groups=7)
    site.server.busy[CUB] = 2
    with serve(site.server):
        site.configure("cub", groups=7, samples_per_class=10, tasks=[1, 7, 8, 14])
        done = site.run(TARGET, "results/cub/data/index.csv", "--cores", "2")
        assert done.code == 0, done.output
        yield site


def test_one_command_leads_from_nothing_to_a_target(cub: Site) -> None:
    results = cub.folder / "results" / "cub"
    metrics = json.loads((results / "target_14.json").read_text())
    product = crossback_core.load(cub.folder / TARGET)
    assert metrics["modality"] == "text"
    assert set(product.tasks) == {"14", metrics["backbone"]}
    assert [name for name, _ in cub.server.requests].count(CUB) == 3
    assert "Retrying" in (cub.folder / f"logs/download_file/cub/{CUB}.log").read_text()


def test_an_image_and_its_caption_share_a_split(cub: Site) -> None:
    with (cub.folder / "results/cub/data/index.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["task"] for row in rows} == {"1", "7", "8", "14"}
    splits: dict[str, set[str]] = {}
    for row in rows:
        splits.setdefault(row["group"], set()).add(row["split"])
    assert len(splits) == 100 and all(len(found) == 1 for found in splits.values())


def test_checksums_are_kept_where_none_are_published(cub: Site) -> None:
    resources = cub.folder / "resources" / "cub"
    expected = hashlib.sha256(cub.server.files[CAPTIONS]).hexdigest()
    assert (resources / f"{CAPTIONS}.sha256").read_text().split()[0] == expected
    assert not (resources / f"{CUB}.sha256").exists()
    assert f"{CAPTIONS} sha256:{expected}" in (cub.folder / UNPACKED).read_text()


def test_archives_may_be_removed_once_they_are_unpacked(cub: Site) -> None:
    moved = cub.folder / "moved"
    moved.mkdir()
    for name in (CUB, CAPTIONS):
        (cub.folder / "resources" / "cub" / name).rename(moved / name)
    done = cub.run(TARGET, "--cores", "2", "--set-threads", "prepare_task=2")
    for name in (CUB, CAPTIONS):
        (moved / name).rename(cub.folder / "resources" / "cub" / name)
    assert "Nothing to be done" in done.output


def test_raw_data_may_be_removed_once_tasks_are_prepared(cub: Site) -> None:
    (cub.folder / "resources").rename(cub.folder / "moved" / "resources")
    done = cub.run(TARGET, "results/cub/target_1.pt", "--dry-run", "--quiet", "rules")
    (cub.folder / "moved" / "resources").rename(cub.folder / "resources")
    assert done.plan["train_target"] == 1
    assert not {"download_file", "unpack_data", "prepare_index", "prepare_task"} & set(done.plan)


@pytest.mark.parametrize(
    ("change", "prepared"), [("image_size: 20", [1, 7]), ("text_length: 8", [8, 14])]
)
def test_a_setting_of_one_modality_prepares_its_tasks_alone(
    cub: Site, change: str, prepared: list[int]
) -> None:
    config = f"datasets={{cub: {{{change}}}}}"
    done = cub.run(TARGET, "--dry-run", "--config", config)
    tasks = re.findall(r"Prepare task (\d+) of cub", done.output)
    assert sorted(map(int, tasks)) == prepared
    assert "prepare_index" not in done.plan


def test_data_on_disk_are_not_downloaded(cub: Site) -> None:
    (cub.folder / "results" / "cub").rename(cub.folder / "results" / "kept")
    config = "datasets={cub: {raw: resources/cub/raw}}"
    arguments = ("--dry-run", "--quiet", "rules", "--config", config)
    plan = cub.run(TARGET, *arguments).plan
    (cub.folder / "results" / "kept").rename(cub.folder / "results" / "cub")
    assert plan["prepare_index"] == 4
    assert not {"download_file", "unpack_data"} & set(plan)


def test_a_smaller_copy_that_lacks_the_published_numbers_is_refused(cub: Site) -> None:
    config = "datasets={cub: {groups: 28, samples_per_class: 60}}"
    index = cub.folder / "results/cub/data/index/1.csv"
    before = index.read_bytes()
    done = cub.run(str(index.relative_to(cub.folder)), "--cores", "1", "--config", config)
    index.write_bytes(before)
    assert done.code == 1
    assert "samples_per_class" in done.output


@pytest.mark.parametrize(
    ("kind", "groups", "modalities"),
    [
        ("mscoco", 2, {"1": "image", "4": "text"}),
        ("oxford", 2, {"1": "image", "4": "text"}),
        ("cifar100", 3, {"3": "image"}),
    ],
)
def test_other_data_sets_come_to_prepared_tasks(
    build: Callable[..., Site], kind: str, groups: int, modalities: dict[str, str]
) -> None:
    site = build(kind)
    files = [f"results/{kind}/data/task_{task}.pt" for task in modalities]
    with serve(site.server):
        site.configure(kind, groups=groups)
        done = site.run(*files, "--cores", "2")
    assert done.code == 0, done.output
    made = [load_task(site.folder / file) for file in files]
    assert {data.task: data.modality for data in made} == modalities
    assert len({len(data.classes) for data in made}) == 1


@pytest.fixture(scope="module")
def shop(build: Callable[..., Site]) -> Iterator[Site]:
    """CUB on a server, for failures."""
    site = build("cub")
    with serve(site.server):
        yield site


@pytest.fixture
def fresh(shop: Site) -> Site:
    """The same with all archives whole and nothing downloaded."""
    shutil.rmtree(shop.folder / "resources", ignore_errors=True)
    shop.configure("cub", groups=2, samples_per_class=10, tasks="1-4")
    return shop


@pytest.fixture
def spoil(fresh: Site) -> Iterator[Callable[[str, bytes], None]]:
    """Return the function that replaces what the server has."""
    before = dict(fresh.server.files)
    files = fresh.server.files
    assert isinstance(files, dict)
    yield files.__setitem__
    files.update(before)


def test_a_wrong_checksum_is_refused(fresh: Site, spoil: Callable[[str, bytes], None]) -> None:
    spoil(CUB, b"not what the address says")
    output = fresh.fail()
    assert f"{CUB} is damaged or another file: its md5 is" in output
    assert not (fresh.folder / "resources" / "cub" / CUB).exists()


def test_a_truncated_archive_is_refused(fresh: Site, spoil: Callable[[str, bytes], None]) -> None:
    spoil(CAPTIONS, fresh.server.files[CAPTIONS][:-2000])
    output = fresh.fail()
    assert CAPTIONS in output and "the archive is damaged or not readable" in output
    assert not (fresh.folder / "resources" / "cub" / "raw.part").exists()


def test_what_cannot_be_downloaded_can_be_put_there(fresh: Site) -> None:
    urls = {CUB: fresh.server.url("gone.tgz"), CAPTIONS: fresh.address(CAPTIONS)}
    fresh.configure("cub", groups=2, samples_per_class=10, tasks="1-4", urls=urls)
    output = fresh.fail()
    assert f"{CUB} could not be downloaded from {urls[CUB]}" in output
    assert f"put it at resources/cub/{CUB}" in output
    (fresh.folder / "resources" / "cub" / CUB).write_bytes(fresh.server.files[CUB])
    asked = len(fresh.server.requests)
    fresh.configure("cub", groups=2, samples_per_class=10, tasks="1-4")
    done = fresh.run(UNPACKED, "--cores", "1")
    assert done.code == 0, done.output
    assert [name for name, _ in fresh.server.requests[asked:]] in ([], [CAPTIONS])
    assert (fresh.folder / "resources/cub/raw/CUB_200_2011/images.txt").is_file()


def test_a_folder_that_is_not_there_is_named(fresh: Site) -> None:
    done = fresh.run(
        "results/cub/data/index.csv", "--cores", "1", "--config", "datasets={cub: {raw: nowhere}}"
    )
    assert done.code == 1
    assert "nowhere is not a folder: the cub data set should be there" in done.output
    assert "Traceback" not in done.output


def test_an_encoder_that_is_not_there_is_named(fresh: Site, tmp_path: Path) -> None:
    missing = tmp_path / "no-encoder"
    fresh.configure("cub", groups=2, samples_per_class=10, tasks="1-4", encoder=str(missing))
    done = fresh.run("results/cub/data/task_3.pt", "--cores", "1")
    assert done.code == 1
    assert f"encoder '{missing}' is not a folder" in done.output
    assert "rule prepare_task:" not in done.output, "before anything runs"
