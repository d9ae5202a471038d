"""Published price lists in the form that gpuhunt reads: files of a folder, and a server of zipped ones."""

from __future__ import annotations

import csv
import io
import threading
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COLUMNS = (
    "instance_name",
    "location",
    "price",
    "cpu",
    "memory",
    "gpu_count",
    "gpu_name",
    "gpu_memory",
    "spot",
    "disk_size",
    "gpu_vendor",
    "flags",
    "cpu_arch",
    "provider_data",
)
_ROW = {
    "instance_name": "p5.48xlarge",
    "location": "us-east-1",
    "price": "98.32",
    "cpu": "192",
    "memory": "2048.0",
    "gpu_count": "8",
    "gpu_name": "H100",
    "gpu_memory": "80.0",
    "spot": "False",
    "disk_size": "",
    "gpu_vendor": "nvidia",
    "flags": "",
    "cpu_arch": "x86",
    "provider_data": "{}",
}


def row(**changes: str) -> dict[str, str]:
    """A machine of eight H100 for 98.32 dollars an hour, changed so."""
    return {**_ROW, **changes}


def catalog(rows: Sequence[Mapping[str, str]]) -> str:
    """The text of a list."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def lay(folder: Path, **lists: Sequence[Mapping[str, str]]) -> None:
    """A folder of lists, a file for each cloud."""
    for name, rows in lists.items():
        (folder / f"{name}.csv").write_text(catalog(rows))


@dataclass
class Publisher:
    """A server of lists by cloud; those of `hanging` are never answered while it stands, others are not found."""

    lists: dict[str, list[dict[str, str]]]
    hanging: frozenset[str] = frozenset()
    url: str = ""
    asked: list[str] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def body(self, path: str) -> bytes | None:
        """What is at a path."""
        cloud, _, rest = path.strip("/").partition("/")
        self.asked.append(path)
        if cloud in self.hanging:
            self.ended.wait(60)
        if cloud not in self.lists or rest not in ("version", "7/catalog.zip"):
            return None
        return b"7\n" if rest == "version" else self._zipped(cloud)

    def _zipped(self, cloud: str) -> bytes:
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w") as file:
            file.writestr(f"{cloud}.csv", catalog(self.lists[cloud]))
        return data.getvalue()


class _Handler(BaseHTTPRequestHandler):
    publisher: Publisher

    def do_GET(self) -> None:
        body = self.publisher.body(self.path)
        if self.publisher.ended.is_set():
            return
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def publishing(publisher: Publisher) -> Iterator[Publisher]:
    """The server on loopback, with its address in `url`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"publisher": publisher}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    publisher.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield publisher
    finally:
        publisher.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()
