"""A server of files on loopback that can be made to misbehave."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import StreamRequestHandler, ThreadingTCPServer

BUSY = 503


@dataclass
class FileServer:
    """What is served and how; `requests` lists the path and the range of each request.

    Args:
        files: Contents by path.
        busy: How many requests of a path are answered with "try again later".
        cut: How many answers of a path break off after half of it.
        ranges: Whether parts of files can be had.
        headers: More headers by path.
    """

    files: Mapping[str, bytes]
    busy: Counter[str] = field(default_factory=Counter)
    cut: Counter[str] = field(default_factory=Counter)
    ranges: bool = True
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    port: int = 0

    def url(self, name: str) -> str:
        """Return the address of a file."""
        return f"http://127.0.0.1:{self.port}/{name}"


@contextmanager
def serve_raw(*answers: Iterable[bytes]) -> Iterator[tuple[str, list[str]]]:
    """Answer each request with the next of some byte strings, the later ones with the last.

    Yields:
        The address of a file, and the heads of the requests so far.
    """
    waiting = [*answers]
    heads: list[str] = []
    over = threading.Event()

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            lines = iter(self.rfile.readline, b"\r\n")
            heads.append(b"".join(lines).decode())
            with suppress(OSError):
                for part in waiting.pop(0) if len(waiting) > 1 else waiting[0]:
                    if over.is_set():
                        return
                    self.wfile.write(part)

    server = ThreadingTCPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=[0.02])
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/birds.tgz", heads
    finally:
        over.set()
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def serve(server: FileServer) -> Iterator[FileServer]:
    """Answer requests while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            name, wanted = self.path.partition("?")[0][1:], self.headers.get("Range", "")
            server.requests.append((name, wanted))
            content = server.files.get(name)
            if content is None:
                self.send_error(404)
            elif server.busy[name] > 0:
                server.busy[name] -= 1
                self.send_error(BUSY)
            else:
                self.answer(name, content, wanted)

        def answer(self, name: str, content: bytes, wanted: str) -> None:
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
            if server.ranges and start >= len(content) > 0:
                self.send_error(416)
                return
            start = start if server.ranges else 0
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(content) - start))
            if start:
                end = len(content)
                self.send_header("Content-Range", f"bytes {start}-{end - 1}/{end}")
            for key, value in server.headers.get(name, {}).items():
                self.send_header(key, value)
            self.end_headers()
            end = len(content)
            if server.cut[name] > 0:
                server.cut[name] -= 1
                end = start + (end - start) // 2
                self.close_connection = True
            self.wfile.write(content[start:end])

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            pass  # a client may well hang up

    http = Server(("127.0.0.1", 0), Handler)
    server.port = http.server_port
    thread = threading.Thread(target=http.serve_forever, args=[0.02])
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
