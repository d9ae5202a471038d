"""HTTP to a chain node that ends: an answer byte by byte, or without end, fails as a node that is silent does.

Requests' own time-out is of the pause between two bytes, so that an answer of a byte a second lasts for ever. Here the
whole of an answer has its seconds and its bytes, and a process that ends can hang up on awaited answers.
"""

from __future__ import annotations

import io
import socket
import threading
import time
from contextlib import suppress
from functools import partial
from http.client import HTTPResponse
from typing import Any
from weakref import WeakSet

from requests import Session
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

MOST_BYTES = 2**27
"""Bytes of an answer as it comes over the wire; a whole block, or the logs of a range, are far smaller."""
AT_ONCE = 64
"""Connections that are kept for the next request."""


class _Within(io.RawIOBase):
    """The bytes of an answer until its time, from now on, or its length is over: then TimeoutError."""

    def __init__(self, raw: io.RawIOBase, connection: socket.socket, seconds: float) -> None:
        self._raw = raw
        self._connection = connection
        self._end = time.monotonic() + seconds
        self._left = MOST_BYTES

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Raises TimeoutError, and what the connection raises."""
        seconds = self._end - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("the answer takes too long")
        self._connection.settimeout(seconds)
        count = self._raw.readinto(buffer)
        self._left -= count or 0
        if self._left < 0:  # logs are asked for in smaller pieces then, as where a node is slow
            raise TimeoutError(f"the answer has more than {MOST_BYTES} bytes")
        return int(count) if count is not None else None

    def close(self) -> None:
        """Close both."""
        if not self.closed:
            self._raw.close()
        super().close()


class _Answer(HTTPResponse):
    """An answer that has as many seconds as its connection waits for a byte."""

    def __init__(self, adapter: BoundedAdapter, connection: socket.socket, *rest: Any, **more: Any) -> None:
        super().__init__(connection, *rest, **more)
        self.connection, seconds = connection, connection.gettimeout()
        if seconds is not None:
            self.fp = io.BufferedReader(_Within(self.fp.detach(), connection, seconds))
        adapter.noticed(self)

    def end(self) -> None:
        """End the answer, also where a thread waits for its bytes."""
        with suppress(OSError):
            socket.socket.shutdown(self.connection, socket.SHUT_RDWR)


class BoundedAdapter(HTTPAdapter):
    """An adapter of answers that end. Threads may share it."""

    def __init__(self) -> None:
        self._lock, self._awaited, self._over = threading.Lock(), WeakSet[_Answer](), False
        super().__init__(pool_maxsize=AT_ONCE)

    def init_poolmanager(self, *args: Any, **more: Any) -> None:
        """With connections of this kind."""
        super().init_poolmanager(*args, **more)
        self._bind(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **more: Any) -> Any:
        """The same, but for SOCKS."""
        manager = super().proxy_manager_for(proxy, **more)
        if not proxy.lower().startswith("socks"):
            self._bind(manager)
        return manager

    def noticed(self, answer: _Answer) -> None:
        """An answer is awaited from now on."""
        with self._lock:
            self._awaited.add(answer)
            if self._over:
                answer.end()

    def hang_up(self) -> None:
        """End all answers that are awaited, and will be, at once, as connections that were lost."""
        with self._lock:
            self._over = True
            for answer in list(self._awaited):
                answer.end()

    def _bind(self, manager: Any) -> None:
        answer = staticmethod(partial(_Answer, self))
        plain = type("Plain", (HTTPConnection,), {"response_class": answer})
        secure = type("Secure", (HTTPSConnection,), {"response_class": answer})
        manager.pool_classes_by_scheme = {
            "http": type("PlainPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
            "https": type("SecurePool", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
        }


def bounded_session(adapter: BoundedAdapter) -> Session:
    """A session whose requests all go through the adapter."""
    session = Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, adapter)
    return session
