import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import tenacity
from file_server import FileServer, serve

from crossback_core.data import download as module
from crossback_core.data.download import check_file, download
from crossback_core.data.kind import KINDS
from crossback_core.data.sources import RemoteFile, relocated

CONTENT = bytes(range(256)) * 4096
MD5 = "md5:" + hashlib.md5(CONTENT).hexdigest()
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module._RETRIES, "wait", tenacity.wait_none())


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serve(FileServer({"birds.tgz": CONTENT})) as running:
        yield running


@pytest.fixture
def source(server: FileServer) -> RemoteFile:
    return RemoteFile("birds.tgz", server.url("birds.tgz"), "https://example.org/birds", MD5)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "resources" / "cub" / "birds.tgz"


def names(path: Path) -> list[str]:
    """What lies beside a file, itself included."""
    return sorted(entry.name for entry in path.parent.iterdir())


def test_a_file_that_is_there_is_only_checked(source, server, path):
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    download(source, path)
    assert server.requests == []
    path.write_bytes(CONTENT[1:])
    words = f"its md5 is [0-9a-f]+, not {MD5[4:]}.* Remove {path} and run again"
    with pytest.raises(ValueError, match=words):
        download(source, path)
    assert path.read_bytes() == CONTENT[1:]


@pytest.mark.parametrize("busy", [2, 100])
def test_a_busy_server_is_asked_six_times_at_most(source, server, path, caplog, busy):
    server.busy["birds.tgz"] = busy
    if busy == 100:
        with pytest.raises(OSError, match="503"):
            download(source, path)
    else:
        download(source, path)
        assert path.read_bytes() == CONTENT
    assert len(server.requests) == min(busy + 1, 6)
    assert len(caplog.records) == len(server.requests) - 1


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_download_goes_on_where_the_server_can_do_that(source, server, path, ranges):
    server.cut["birds.tgz"] = 1
    server.ranges = ranges
    download(source, path)
    assert path.read_bytes() == CONTENT
    assert server.requests[0] == ("birds.tgz", "")
    assert server.requests[1][1].startswith("bytes=") and len(server.requests) == 2
    assert names(path) == ["birds.tgz"]


@pytest.mark.parametrize(
    ("left", "ranges"), [(1000, ["bytes=1000-"]), (len(CONTENT), [f"bytes={len(CONTENT)}-", ""])]
)
def test_a_later_run_goes_on_from_what_an_earlier_one_left(source, server, path, left, ranges):
    part = path.with_name("birds.tgz.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT[:left])
    download(source, path)
    assert path.read_bytes() == CONTENT
    assert [wanted for _, wanted in server.requests] == ranges


def test_another_file_is_refused_and_nothing_of_it_is_left(source, path):
    other = replace(source, checksum="md5:" + "0" * 32)
    words = f"birds.tgz is damaged or another file: its md5 is {MD5[4:]}, not {'0' * 32}"
    with pytest.raises(ValueError, match=words):
        download(other, path)
    assert names(path) == []


def test_the_checksum_of_the_first_download_holds_where_none_is_known(source, path):
    unknown = replace(source, checksum=None)
    download(unknown, path)
    record = path.with_name("birds.tgz.sha256")
    assert record.read_text() == f"{SHA256}  birds.tgz\n"
    assert check_file(unknown, path) == f"sha256:{SHA256}"
    path.unlink()
    record.write_text("0" * 64 + "  birds.tgz\n")
    with pytest.raises(ValueError, match=f"if it is the right one, remove {record}"):
        download(unknown, path)


def test_an_impossible_download_says_how_to_get_the_file_by_hand(source, server, path):
    gone = replace(source, url=server.url("gone.tgz"))
    words = (
        rf"birds.tgz could not be downloaded from {gone.url} \(404.*Get it by hand from "
        f"https://example.org/birds and put it at {path}.*`urls`.*`raw`"
    )
    with pytest.raises(OSError, match=words):
        download(gone, path)
    assert len(server.requests) == 1
    with serve(FileServer({})) as other:
        silent = replace(source, url=other.url("birds.tgz"))
    with pytest.raises(OSError, match=r"could not be downloaded .* Get it by hand"):
        download(silent, path)


def test_a_web_page_is_no_file(source, server, path):
    server.headers["birds.tgz"] = {"Content-Type": "text/html; charset=utf-8"}
    with pytest.raises(OSError, match="a web page came instead of the file"):
        download(source, path)
    assert not path.exists() and len(server.requests) == 1


def test_an_archive_that_a_server_calls_encoded_is_kept_as_it_is(source, server, path):
    server.headers["birds.tgz"] = {"Content-Encoding": "x-gzip", "Content-Type": "text/plain"}
    download(source, path)
    assert path.read_bytes() == CONTENT


def test_files_on_drive_are_fetched_with_their_resource_key():
    for kind in ("cub", "oxford"):
        (file,) = (file for file in KINDS.find(kind).files if "cvpr2016" in file.name)
        assert file.url.startswith("https://drive.usercontent.google.com/download?id=0B0ywwgff")
        assert "&confirm=t&resourcekey=0-" in file.url


def test_an_address_can_be_replaced_with_or_without_another_checksum():
    same, other = "https://example.org/a.tgz", "https://example.org/b.tgz#sha256=" + "1" * 64
    urls = {"CUB_200_2011.tgz": same, "cvpr2016_cub.tar.gz": other}
    files = relocated(KINDS.find("cub").files, urls)
    assert [file.url for file in files] == [same, "https://example.org/b.tgz"]
    assert files[0].checksum == "md5:97eceeb196236b17998738112f37df78"
    assert files[1].checksum == "sha256:" + "1" * 64
    assert relocated(KINDS.find("icons").files, {}) == ()
