"""A folder behind HTTP."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Served:
    """A folder behind HTTP, with what was asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.asked, self.broken = folder, list[str](), 0
        served = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            def do_GET(self) -> None:
                served.asked.append(self.path.rsplit("/", 1)[1])
                if served.broken:
                    served.broken -= 1
                    self.send_error(503)
                    return
                super().do_GET()

            def log_message(self, *_args: object) -> None:
                return

        handler = functools.partial(Handler, directory=str(folder.parent))
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/{folder.name}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@contextmanager
def served_folder(folder: Path) -> Iterator[Served]:
    """The folder, for as long as the block lasts."""
    found = Served(folder)
    try:
        yield found
    finally:
        found.server.shutdown()
        found.server.server_close()
