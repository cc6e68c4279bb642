import bz2
import gzip
import io
import lzma
import os
import tarfile
import tracemalloc
import zipfile
import zlib
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


COMPRESSORS = {".tar": bytes, ".tar.gz": gzip.compress, ".tar.bz2": bz2.compress}
COMPRESSORS |= {".tar.xz": lzma.compress}


def header(kind: bytes, size: int, name: str = "././@LongLink") -> bytes:
    """Return the block that stands before a member, or before what is said of the next one."""
    info = tarfile.TarInfo(name)
    info.type = kind
    info.size = size
    return info.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize("suffix", COMPRESSORS)
@pytest.mark.parametrize(
    "before",
    [
        header(tarfile.XHDTYPE, 1 << 29),
        header(tarfile.XGLTYPE, 1 << 29),
        header(tarfile.GNUTYPE_LONGNAME, 1 << 29),
        header(tarfile.GNUTYPE_LONGLINK, 1 << 29),
        b"".join(header(tarfile.GNUTYPE_LONGNAME, 1 << 14) + bytes(1 << 14) for _ in range(5)),
    ],
    ids=["pax", "pax of all", "name", "link", "names"],
)
def test_what_is_said_of_a_member_is_no_way_to_burst(tmp_path, before, suffix):
    """A file of 1,250 bytes took 3.3 GB."""
    archive = tmp_path / f"a{suffix}"
    first = header(tarfile.REGTYPE, 0, "a.txt")
    archive.write_bytes(COMPRESSORS[suffix](first + before + bytes(1 << 20)))
    tracemalloc.start()
    refuse(archive, "member 'a.txt': its name and what else is said of it have more than 65536")
    assert tracemalloc.get_traced_memory()[1] < 20 << 20
    tracemalloc.stop()


def test_an_archive_does_not_say_how_much_memory_it_takes(tmp_path):
    """The dictionary of LZMA: 137 kB took 850 MB."""
    content = bytearray(lzma.compress(header(tarfile.REGTYPE, 0, "a.txt") + bytes(1024)))
    end = 12 + 4 * content[12] + 4
    content[content.index(b"\x21\x01", 12) + 2] = 40  # 4 GiB
    content[end - 4 : end] = zlib.crc32(content[12 : end - 4]).to_bytes(4, "little")
    (tmp_path / "a.tar.xz").write_bytes(content)
    refuse(tmp_path / "a.tar.xz", "damaged or not readable .Memory usage limit exceeded")
    with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a.txt", "one")
    refuse(tmp_path / "b.zip", "member 'a.txt': is a file packed by LZMA; only files and folders")


def test_a_xz_file_may_be_of_several_streams(tmp_path):
    plain = gzip.decompress(
        write_tar(tmp_path / "a.tgz", [("a.bin", bytes(3_000_000))]).read_bytes()
    )
    parts = [lzma.compress(plain[:1000]), bytes(8), lzma.compress(plain[1000:]), bytes(4)]
    (tmp_path / "b.tar.xz").write_bytes(b"".join(parts))
    unpack({"b": tmp_path / "b.tar.xz"}, tmp_path / "raw", notes={})
    assert (tmp_path / "raw" / "a.bin").read_bytes() == bytes(3_000_000)
    (tmp_path / "c.tar.xz").write_bytes(b"".join(parts[:2]) + parts[2][:300])
    with pytest.raises(ValueError, match="it is cut off"):
        unpack({"c": tmp_path / "c.tar.xz"}, tmp_path / "other", notes={})


@pytest.mark.parametrize("suffix", COMPRESSORS)
def test_a_damaged_header_is_not_the_end(tmp_path, suffix):
    archive = tmp_path / f"a{suffix}"
    second = bytearray(header(tarfile.REGTYPE, 0, "b.txt"))
    second[0] ^= 1
    first = header(tarfile.REGTYPE, 0, "a.txt")
    archive.write_bytes(COMPRESSORS[suffix](first + second + bytes(1024)))
    refuse(archive, r"member 'a.txt': the archive is damaged or not readable \(the header of a")


@pytest.mark.parametrize("name", ["SOURCES.txt", "./SOURCES.txt", "SOURCES.txt/a.txt", "x.mat/a"])
def test_a_member_cannot_be_a_file_that_is_put_beside_it(tmp_path, name):
    (tmp_path / "x.mat").write_bytes(b"labels")
    for archive in (
        write_tar(tmp_path / "a.tgz", [(name, b"")]),
        write_zip(tmp_path / "b.zip", [(name, b"")]),
    ):
        files = {path.name: path for path in (archive, tmp_path / "x.mat")}
        with pytest.raises(ValueError, match=f"member '{name}': .* is the name of a file that is"):
            unpack(files, tmp_path / "raw", notes={"SOURCES.txt": "all of it"})


@pytest.mark.parametrize("what", ["link", "file"])
def test_a_link_in_the_way_is_told_and_not_followed(tmp_path, what):
    archive = write_tar(tmp_path / "a.tgz", [("a.txt", b"one")])
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept.txt").touch()
    raw = tmp_path / "raw"
    raw.symlink_to(elsewhere) if what == "link" else raw.touch()
    refuse(archive, f"raw is a {what}, and archives are unpacked there: remove it, or name")
    (tmp_path / "raw").unlink()
    (tmp_path / "raw.part").symlink_to(elsewhere)
    unpack({archive.name: archive}, raw, notes={})
    assert (raw / "a.txt").read_text() == "one"
    assert [path.name for path in elsewhere.iterdir()] == ["kept.txt"]


def test_names_in_messages_are_short_and_printable(tmp_path):
    archive = write_zip(tmp_path / "a.zip", [("\x1b[2J" + "x" * 60_000 + "/../..", b"")])
    with pytest.raises(ValueError, match=r"member '\\x1b\[2Jxx") as caught:
        unpack({archive.name: archive}, tmp_path / "raw", notes={})
    assert str(caught.value).isprintable() and len(str(caught.value)) < 1000


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


def test_damaged_data_of_bzip2_is_an_error_like_others(tmp_path):
    content = bytearray(bz2.compress(header(tarfile.REGTYPE, 0, "a.txt") + bytes(1024)))
    content[4] ^= 1
    (tmp_path / "a.tar.bz2").write_bytes(content)
    refuse(tmp_path / "a.tar.bz2", "a.tar.bz2: Invalid data stream")


def test_a_file_that_is_a_folder_as_well_is_refused(tmp_path):
    archive = write_tar(tmp_path / "a.tgz", [("birds", b"file"), ("birds/a.txt", b"")])
    refuse(archive, "member 'birds/a.txt' is a file and a folder at once")
