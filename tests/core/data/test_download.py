import gc
import hashlib
import threading
import time
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import tenacity
from file_server import FileServer, serve, serve_raw

from crossback_core.data import fetching
from crossback_core.data.download import check_file, download
from crossback_core.data.kind import KINDS
from crossback_core.data.sources import RemoteFile, relocated

CONTENT = bytes(range(256)) * 4096
MD5 = "md5:" + hashlib.md5(CONTENT).hexdigest()
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching._RETRIES, "wait", tenacity.wait_none())


@pytest.fixture
def swept() -> Iterator[None]:
    """Let what urllib3 leaves open be noticed here, not in a later test."""
    yield
    gc.collect()


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


OK = "HTTP/1.1 200 OK"
PART = "HTTP/1.1 206 Partial Content"


def answer(status: str, *headers: str, body: bytes = b"", length: int | None = None) -> list[bytes]:
    """Return what a server sends at once; the stated length may be wrong."""
    size = len(body) if length is None else length
    lines = [status, f"Content-Length: {size}", "Connection: close", *headers, "", ""]
    return ["\r\n".join(lines).encode() + body]


def endlessly(first: bytes, again: bytes, pause: float = 0.0) -> Iterator[bytes]:
    """Send something without end, as slowly as wanted."""
    yield first
    while True:
        time.sleep(pause)
        yield again


IGNORED = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@IGNORED
@pytest.mark.usefixtures("swept")
@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (answer(OK), "an empty file came"),
        (answer("HTTP/1.1 204 No Content"), "204 No Content came instead of the file"),
        (answer("HTTP/1.1 304 Not Modified"), "304 Not Modified came instead of the file"),
        (answer(PART, "Content-Range: bytes 5-9/10", body=b"56789"), "206 Partial Content came"),
        (answer(OK, "content-type: TEXT/HTML", body=b"x"), "a web page came instead of the file"),
        (answer(OK, body=b"\n<!DocType HTML><p>"), "a web page came instead of the file"),
        (answer("HTTP/1.1 404 \x1b[2J"), r"404 Client Error: \\x1b\[2J"),
        (answer(OK, "Content-Length: 7", body=b"x"), "multiple unmatching"),
        (answer(OK, body=b"x", length=1 << 50), f"it has {1 << 50} bytes, more than"),
        (answer(OK, "X: " + "x" * 70_000, body=b"x"), "got more than 65536 bytes"),
        (answer(OK, *["X: x"] * 200, body=b"x"), "got more than 100 headers"),
    ],
)
def test_what_is_not_the_file_is_refused_and_nothing_recorded(source, path, sent, words):
    """No checksum is known, so nothing else would tell."""
    with serve_raw(sent) as (url, _), pytest.raises(OSError, match=words) as caught:
        download(replace(source, url=url, checksum=None), path)
    assert not path.exists() and not path.with_name("birds.tgz.sha256").exists()
    assert str(caught.value).isprintable()


@IGNORED
@pytest.mark.usefixtures("swept")
@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (lambda: endlessly(b"HTTP/1.1 200 OK\r\n\r\n", bytes(10_000)), "more than 1000000 bytes"),
        (lambda: endlessly(b"HTTP/1.1 200 OK\r\n\r\n", b"x", 0.01), "next to nothing came in 0.3"),
        (lambda: endlessly(b"HTTP/1.1 200 OK\r\nX: ", b"x", 0.01), "next to nothing came in 0.3"),
        (lambda: endlessly(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.01), "next to nothing came"),
        (
            lambda: endlessly(b"HTTP/1.1 200 OK\r\n\r\n", bytes(80_000), 0.1),
            "it takes longer than 0.5 seconds",
        ),
        (
            lambda: endlessly(b"HTTP/1.1 302 Found\r\nLocation: /a\r\n\r\n", bytes(10_000)),
            "Exceeded 30 redirects",
        ),
    ],
    ids=["body", "slow body", "header", "answers", "time", "redirects"],
)
def test_a_server_without_end_is_left(source, path, monkeypatch, sent, words):
    monkeypatch.setattr(fetching, "MOST", 1_000_000)
    monkeypatch.setattr(fetching, "PATIENCE", 0.3 if "nothing" in words else 60.0)
    monkeypatch.setattr(fetching, "LONGEST", 0.5 if "longer" in words else 60.0)

    class Again:
        def __iter__(self) -> Iterator[bytes]:
            return iter(sent())

    with serve_raw(Again()) as (url, _), pytest.raises(OSError, match=words):
        download(replace(source, url=url, checksum=None), path)
    assert not path.exists()
    for thread in threading.enumerate():
        if thread.name == "fetch":
            thread.join()  # the server has gone


FIRST, SECOND = b"a" * 200_000, b"b" * 200_000
CUT = FIRST[:150_000]


def rest(first: int, *headers: str) -> list[bytes]:
    """Return the rest of the second version from some byte on."""
    where = f"Content-Range: bytes {first}-{len(SECOND) - 1}/{len(SECOND)}"
    return answer(PART, where, *headers, body=SECOND[first:])


@pytest.mark.parametrize(
    ("tag", "second"),
    [
        ('ETag: "1"', answer(OK, 'ETag: "2"', body=SECOND)),
        ("Last-Modified: Sat, 24 Oct 2026", answer(OK, body=SECOND)),
        ('ETag: "1"', rest(131072, 'ETag: "2"')),  # a server that does not know If-Range
        ('ETag: "1"', rest(131073, 'ETag: "1"')),
        ('ETag: "1"', answer(PART, 'ETag: "1"', body=SECOND[131072:])),
        ('ETag: W/"1"', answer(OK, body=SECOND)),
        ("X: x", answer(OK, body=SECOND)),
    ],
    ids=["changed", "changed later", "changed, not noticed", "range", "no range", "weak", "no tag"],
)
def test_a_file_is_of_one_version(source, path, tag, second):
    """No checksum is known: what two tries bring together must be of one file."""
    first = answer(OK, tag, body=CUT, length=len(FIRST))
    with serve_raw(first, second, answer(OK, body=SECOND)) as (url, heads):
        download(replace(source, url=url, checksum=None), path)
    assert path.read_bytes() == SECOND
    name, value = tag.split(": ", 1)
    named = "Range: bytes=131072-" in heads[1] and f"If-Range: {value}\r\n" in heads[1]
    assert named == (name != "X" and not value.startswith("W/"))
    assert names(path) == ["birds.tgz", "birds.tgz.sha256"]


def test_a_part_of_the_same_version_is_gone_on_with(source, path):
    tag = 'ETag: "1"'
    first = answer(OK, tag, body=SECOND[:150_000], length=len(SECOND))
    with serve_raw(first, rest(131072, tag)) as (url, heads):
        download(replace(source, url=url, checksum=None), path)
    assert path.read_bytes() == SECOND and len(heads) == 2


def test_a_password_in_an_address_is_in_no_message(source, server, path, caplog):
    secret = server.url("birds.tgz?token=hush").replace("//", "//ann:hush@")
    server.busy["birds.tgz"] = 100
    hidden = relocated([source], {"birds.tgz": f"{secret}#md5={'0' * 32}"})[0]
    with pytest.raises(
        OSError, match=r"from http://\.\.\.@127.0.0.1:\d+/birds.tgz\?\.\.\."
    ) as caught:
        download(hidden, path)
    told = [*traceback.format_exception(caught.value), caplog.text, repr(hidden), repr((hidden,))]
    assert len(caplog.records) == 5
    assert not any("hush" in text or "ann" in text for text in told)


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
