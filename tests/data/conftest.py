"""A small data set of our own, and a server on the loopback that misbehaves on request."""

from __future__ import annotations

import hashlib
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from toolkit.data import datasets, store, transfer
from toolkit.data.datasets import Dataset, File

Behaviour = Callable[["Handler", bytes], None]


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Serves ``server.contents``, with ranges; each ``server.script`` entry spoils one answer."""

    def do_GET(self):
        self.server.requests.append((self.path, self.headers.get("Range")))
        content = self.server.contents.get(self.path.rsplit("/", 1)[-1])
        if self.server.script:
            self.server.script.pop(0)(self, content)
        elif content is None:
            self.send_error(404)
        else:
            self.honest(content)

    def honest(self, content: bytes) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if asked is None:
            return self.answer(200, content)
        start = int(asked[1])
        span = f"bytes {start}-{len(content) - 1}/{len(content)}"
        return self.answer(206, content[start:], {"Content-Range": span})

    def answer(self, code: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Send ``body``; a header of None is left out."""
        self.send_response(code)
        for key, value in ({"Content-Length": str(len(body))} | dict(headers or {})).items():
            if value is not None:
                self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)

    def reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.rfile.close()
        self.connection.close()

    def log_message(self, *args) -> None:
        pass


@dataclass
class Server:
    """What a test says to and reads from the server."""

    url: str
    contents: dict[str, bytes]
    script: list[Behaviour] = field(default_factory=list)
    requests: list[tuple[str, str | None]] = field(default_factory=list)


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(transfer, "BACKOFF_S", 0.0)
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state = Server(f"http://127.0.0.1:{httpd.server_port}/", {})
    httpd.contents, httpd.script, httpd.requests = state.contents, state.script, state.requests
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield state
    httpd.shutdown()
    thread.join()
    httpd.server_close()


@pytest.fixture
def register(monkeypatch):
    """Put a data set called ``toy`` into the registry."""

    def register(contents: Mapping[str, bytes], base_url: str = "", known=True, archive=None):
        files = {
            name: File(
                name,
                base_url + name,
                digest(content) if known else None,
                len(content) if known else None,
            )
            for name, content in contents.items()
        }
        toy = Dataset("toy", "Toy", "ecg", "toy", "", "", (), base_url, files, archive)
        for module in (datasets, store):
            monkeypatch.setattr(module, "registry", lambda: {"toy": toy})
        return toy

    return register
