"""Mirrors that lie: each answers every request in its own bad way."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

Bad = Callable[[socket.socket, bytes], None]

OK = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/octet-stream\r\n"


def other_bytes(connection: socket.socket, head: bytes) -> None:
    """Bytes that nobody asked for."""
    connection.sendall(OK + b"Content-Length: 5\r\n\r\nbogus")


def never_ends(connection: socket.socket, head: bytes) -> None:
    """One byte after the other, for ever."""
    connection.sendall(OK + b"Transfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"1\r\nx\r\n")
        time.sleep(0.05)


def ten_gigabytes(connection: socket.socket, head: bytes) -> None:
    """As much as the wire takes."""
    connection.sendall(OK + b"Content-Length: 10000000000\r\n\r\n")
    while True:
        connection.sendall(b"x" * 2**20)


def redirects(connection: socket.socket, head: bytes) -> None:
    """To an address inside."""
    head = b"HTTP/1.1 302 Found\r\nConnection: close\r\nContent-Length: 0\r\n"
    connection.sendall(head + b"Location: http://169.254.169.254/\r\n\r\n")


def fails(connection: socket.socket, head: bytes) -> None:
    """A bug, or so it says."""
    connection.sendall(b"HTTP/1.1 500 Oops\r\nConnection: close\r\nContent-Length: 4\r\n\r\noops")


def breaks_off(connection: socket.socket, head: bytes) -> None:
    """Fewer bytes than it said."""
    connection.sendall(OK + b"Content-Length: 1000\r\n\r\nhalf")


def hangs(connection: socket.socket, head: bytes) -> None:
    """Takes the request and says nothing."""
    time.sleep(20)


def no_http(connection: socket.socket, head: bytes) -> None:
    """Another protocol."""
    connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")


def goes_on(connection: socket.socket, head: bytes) -> None:
    """Says for ever that it is about to answer: each of these lines restarts a reader's clock."""
    while True:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        time.sleep(0.05)


def long_head(connection: socket.socket, head: bytes) -> None:
    """Headers without an end."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X-More: " + b"x" * 1000 + b"\r\n")


def bomb(connection: socket.socket, head: bytes) -> None:
    """Compressed bytes, which nobody asked for."""
    connection.sendall(OK + b"Content-Encoding: gzip\r\nContent-Length: 10\r\n\r\n0123456789")


def deep_json(connection: socket.socket, head: bytes) -> None:
    """Brackets that would end a decoder's stack."""
    connection.sendall(OK + b"Content-Length: 100000\r\n\r\n" + b"[" * 100_000)


ALL: tuple[Bad, ...] = (
    other_bytes,
    never_ends,
    ten_gigabytes,
    redirects,
    fails,
    breaks_off,
    hangs,
    no_http,
    goes_on,
    long_head,
    bomb,
    deep_json,
)
