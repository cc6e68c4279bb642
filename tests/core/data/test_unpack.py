import io
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from crossback_core.data.unpack import Limits, unpack

Change = Callable[[tarfile.TarInfo], None]


def write_tar(path: Path, *members: tuple[str, bytes], change: Change | None = None) -> Path:
    """Write a .tgz; `change` spoils its last member."""
    with tarfile.open(path, "w:gz") as archive:
        for number, (name, content) in enumerate(members, 1):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            if change is not None and number == len(members):
                change(info)
            archive.addfile(info, io.BytesIO(content))
    return path


def write_zip(path: Path, *members: tuple[str, bytes], mode: int = 0o100644) -> Path:
    """Write a .zip; `mode` is that of its last member."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, (name, content) in enumerate(members, 1):
            info = zipfile.ZipInfo(name)
            info.external_attr = (mode if number == len(members) else 0o100644) << 16
            archive.writestr(info, content, zipfile.ZIP_DEFLATED)
    return path


def refuse(archive: Path, match: str, limits: Limits | None = None) -> None:
    """See that an archive is refused and that nothing of it is left."""
    folder = archive.parent / "raw"
    before = sorted(archive.parent.rglob("*"))
    with pytest.raises(ValueError, match=match):
        unpack({archive.name: archive}, folder, notes={}, limits=limits or Limits())
    assert sorted(archive.parent.rglob("*")) == before


def test_archives_come_to_lie_side_by_side(tmp_path):
    tar = write_tar(tmp_path / "a.tar.gz", ("./birds/é.txt", b"one"), ("birds/b.txt", b"two"))
    zip_ = write_zip(tmp_path / "b.zip", ("seas/", b""), ("seas/c.txt", b"three"))
    table = tmp_path / "labels.mat"
    table.write_bytes(b"four")
    files = {path.name: path for path in (tar, zip_, table)}
    unpack(files, tmp_path / "raw", notes={"SOURCES.txt": "all of it\n"})
    found = [path for path in (tmp_path / "raw").rglob("*") if path.is_file()]
    texts = {path.relative_to(tmp_path / "raw").as_posix(): path.read_text() for path in found}
    birds = {"birds/é.txt": "one", "birds/b.txt": "two"}
    others = {"seas/c.txt": "three", "labels.mat": "four", "SOURCES.txt": "all of it\n"}
    assert texts == birds | others
    assert not (tmp_path / "raw.part").exists()


def test_an_earlier_folder_is_replaced(tmp_path):
    for name, text in (("raw", "old"), ("raw.part", "cut off")):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{text}.txt").touch()
    unpack({"a.tgz": write_tar(tmp_path / "a.tgz", ("new.txt", b""))}, tmp_path / "raw", notes={})
    assert [path.name for path in (tmp_path / "raw").iterdir()] == ["new.txt"]
    assert not (tmp_path / "raw.part").exists()


def test_permissions_of_an_archive_are_not_taken_over(tmp_path):
    def change(info: tarfile.TarInfo) -> None:
        info.mode, info.uid = 0o6777, 12345

    archive = write_tar(tmp_path / "a.tgz", ("tool", b"#!"), change=change)
    unpack({archive.name: archive}, tmp_path / "raw", notes={})
    status = (tmp_path / "raw" / "tool").stat()
    assert status.st_mode & 0o7111 == 0 and status.st_uid == os.getuid()


@pytest.mark.parametrize(
    "name", ["../out.txt", "birds/../../out.txt", "/tmp/out.txt", "birds\\..\\..\\out.txt"]
)
def test_a_member_that_leads_out_is_refused(tmp_path, name):
    members = (("birds/a.txt", b"fine"), (name, b"bad"))
    wanted = r"member '.*out\.txt': leads out of the folder"
    refuse(write_tar(tmp_path / "a.tgz", *members), wanted)
    refuse(write_zip(tmp_path / "b.zip", *members), wanted)


@pytest.mark.parametrize(
    ("kind", "mode", "what"),
    [
        (tarfile.SYMTYPE, 0o120777, "link"),
        (tarfile.LNKTYPE, 0o120777, "link"),
        (tarfile.CHRTYPE, 0o020666, "device"),
        (tarfile.FIFOTYPE, 0o010666, "device"),
    ],
)
def test_links_and_devices_are_refused(tmp_path, kind, mode, what):
    def change(info: tarfile.TarInfo) -> None:
        info.type, info.linkname, info.size = kind, "birds/a.txt", 0

    members = (("birds/a.txt", b"fine"), ("birds/b", b""))
    words = f"member 'birds/b': is a {what}; only files and folders are unpacked"
    refuse(write_tar(tmp_path / "a.tgz", *members, change=change), words)
    refuse(write_zip(tmp_path / "b.zip", *members, mode=mode), words)


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path):
    members = [(f"{number}.bin", bytes(3_000_000)) for number in range(4)]
    limits = Limits(size=10_000_000)
    wanted = r"member '3\.bin': the unpacked files have more than 10000000 bytes"
    refuse(write_tar(tmp_path / "a.tgz", *members), wanted, limits)
    refuse(write_zip(tmp_path / "b.zip", *members), wanted, limits)


def test_an_archive_with_too_many_members_is_refused(tmp_path):
    members = [(f"{number}", b"") for number in range(6)]
    archive = write_tar(tmp_path / "a.tgz", *members)
    refuse(archive, "member '5': there are more than 5 members", Limits(members=5))


@pytest.mark.parametrize("left", [0.0, 0.5, 0.98])
def test_a_truncated_archive_is_refused(tmp_path, left):
    noise = [(f"birds/{number}.bin", os.urandom(50_000)) for number in range(4)]
    for write, name in ((write_tar, "a.tar.gz"), (write_zip, "b.zip")):
        archive = write(tmp_path / name, *noise)
        whole = archive.read_bytes()
        archive.write_bytes(whole[: int(left * len(whole))])
        refuse(archive, rf"{archive.name}.* the archive is damaged or not readable")


def test_a_flipped_bit_is_noticed(tmp_path):
    archive = write_zip(tmp_path / "a.zip", ("a.bin", os.urandom(50_000)))
    content = bytearray(archive.read_bytes())
    content[20_000] ^= 1
    archive.write_bytes(content)
    refuse(archive, "member 'a.bin': the archive is damaged")


def test_a_file_that_is_a_folder_as_well_is_refused(tmp_path):
    archive = write_tar(tmp_path / "a.tgz", ("birds", b"file"), ("birds/a.txt", b""))
    refuse(archive, "member 'birds/a.txt' is a file and a folder at once")
