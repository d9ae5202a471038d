"""Listening on an address of this machine, and the error of every command where that cannot be."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from contracts.errors import CommonweightError


class PortRefused(CommonweightError):
    """Nothing can listen at an address: its port is taken, or it is none of this machine's."""

    code = "port-refused"
    status = 500


def listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections; port 0 is a free one. Raises PortRefused."""
    with binding(host, port):
        return socket.create_server((host, port), family=family_of(host), backlog=2048)


def family_of(host: str) -> socket.AddressFamily:
    """The family of a host to listen on: only an address of IPv6 has colons."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def url_of(host: str, port: int) -> str:
    """The url at which others on the network reach the listener."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def binding(host: str, port: int) -> Iterator[None]:
    """For code that binds by other means. Raises PortRefused."""
    try:
        yield
    except OSError as error:
        raise PortRefused(f"{host}:{port} {_why(error)}") from error
    except (OverflowError, UnicodeError) as error:
        raise PortRefused(f"{host}:{port} is no address: ports are 0 to 65535, names those of this machine") from error


def _why(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "is taken by another process: end that one, or give another --port"
    if error.errno == errno.EACCES:
        return "may not be listened on by this user: give a --port above 1023"
    return "is no address of this machine: give another --host, 0.0.0.0 for all of its addresses"
