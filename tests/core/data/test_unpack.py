import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from crossback_core.data.unpack import Limits, unpack

Members = list[tuple[str, bytes]]


def write_tar(path: Path, members: Members, **last: object) -> Path:
    """Write a .tgz; `last` are attributes of its last member."""
    with tarfile.open(path, "w:gz") as archive:
        for number, (name, content) in enumerate(members, 1):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for key, value in last.items() if number == len(members) else ():
                setattr(info, key, value)
            archive.addfile(info, io.BytesIO(content))
    return path


def write_zip(path: Path, members: Members, *, mode: int = 0o100644) -> Path:
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


def test_archives_come_to_lie_side_by_side_in_place_of_an_earlier_folder(tmp_path):
    raw = tmp_path / "raw"
    for old in (raw, tmp_path / "raw.part"):
        old.mkdir()
        (old / "old.txt").touch()
    birds = [("./birds/é.txt", b"one"), ("birds/b.txt", b"two")]
    tar = write_tar(tmp_path / "a.tar.gz", birds, mode=0o6777, uid=12345)
    zip_ = write_zip(tmp_path / "b.zip", [("seas/", b""), ("seas/c.txt", b"three")])
    (tmp_path / "labels.mat").write_bytes(b"four")
    files = {path.name: path for path in (tar, zip_, tmp_path / "labels.mat")}
    unpack(files, raw, notes={"SOURCES.txt": "all of it\n"})
    found = [path for path in raw.rglob("*") if path.is_file()]
    assert {path.relative_to(raw).as_posix(): path.read_text() for path in found} == {
        **{"birds/é.txt": "one", "birds/b.txt": "two", "seas/c.txt": "three"},
        **{"labels.mat": "four", "SOURCES.txt": "all of it\n"},
    }
    assert not (tmp_path / "raw.part").exists()
    status = (raw / "birds" / "b.txt").stat()  # permissions and owner are not taken over
    assert status.st_mode & 0o7111 == 0 and status.st_uid == os.getuid()


@pytest.mark.parametrize(
    "name", ["../out.txt", "birds/../../out.txt", "/tmp/out.txt", "birds\\..\\..\\out.txt"]
)
def test_a_member_that_leads_out_is_refused(tmp_path, name):
    members = [("birds/a.txt", b"fine"), (name, b"bad")]
    wanted = r"member '.*out\.txt': leads out of the folder"
    refuse(write_tar(tmp_path / "a.tgz", members), wanted)
    refuse(write_zip(tmp_path / "b.zip", members), wanted)


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
    members = [("birds/a.txt", b"fine"), ("birds/b", b"")]
    words = f"member 'birds/b': is a {what}; only files and folders are unpacked"
    refuse(write_tar(tmp_path / "a.tgz", members, type=kind, linkname="birds/a.txt"), words)
    refuse(write_zip(tmp_path / "b.zip", members, mode=mode), words)


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path):
    members = [(f"{number}.bin", bytes(3_000_000)) for number in range(4)]
    limits = Limits(size=10_000_000)
    wanted = r"member '3\.bin': the unpacked files have more than 10000000 bytes"
    refuse(write_tar(tmp_path / "a.tgz", members), wanted, limits)
    refuse(write_zip(tmp_path / "b.zip", members), wanted, limits)


def test_an_archive_with_too_many_members_is_refused(tmp_path):
    members = [(f"{number}", b"") for number in range(6)]
    archive = write_tar(tmp_path / "a.tgz", members)
    refuse(archive, "member '5': there are more than 5 members", Limits(members=5))


@pytest.mark.parametrize("left", [0.0, 0.5, 0.98])
def test_a_truncated_archive_is_refused(tmp_path, left):
    noise = [(f"birds/{number}.bin", os.urandom(50_000)) for number in range(4)]
    for write, name in ((write_tar, "a.tar.gz"), (write_zip, "b.zip")):
        archive = write(tmp_path / name, noise)
        whole = archive.read_bytes()
        archive.write_bytes(whole[: int(left * len(whole))])
        refuse(archive, rf"{archive.name}.* the archive is damaged or not readable")


def test_a_flipped_bit_is_noticed(tmp_path):
    archive = write_zip(tmp_path / "a.zip", [("a.bin", os.urandom(50_000))])
    content = bytearray(archive.read_bytes())
    content[20_000] ^= 1
    archive.write_bytes(content)
    refuse(archive, "member 'a.bin': the archive is damaged")


def test_a_file_that_is_a_folder_as_well_is_refused(tmp_path):
    archive = write_tar(tmp_path / "a.tgz", [("birds", b"file"), ("birds/a.txt", b"")])
    refuse(archive, "member 'birds/a.txt' is a file and a folder at once")
