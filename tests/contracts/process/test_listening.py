"""A port that is taken is the same line everywhere, and names what to do."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

import pytest
from starlette.applications import Starlette

from commonweight.terminal.lifetime import Stop
from commonweight.terminal.serving import serve_until
from contracts.chain.connection import connect
from contracts.devnet.chain import Devnet
from contracts.devnet.http import DevnetServer, serve
from contracts.process.listening import PortRefused, listen, url_of

pytestmark = pytest.mark.integration


def of_chain(host: str, port: int) -> None:
    DevnetServer(Devnet(), host, port, 1.0)


def of_server(host: str, port: int) -> None:
    serve_until(Stop(), Starlette(), host, port)


def of_mirror(host: str, port: int) -> None:
    listen(host, port).close()


@pytest.mark.parametrize("open_", [of_chain, of_server, of_mirror])
def test_a_port_that_is_taken_is_named(open_: Callable[[str, int], None]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortRefused) as refused:
            open_("127.0.0.1", port)
    said = f"127.0.0.1:{port} is taken by another process: end that one, or give another --port"
    assert refused.value.detail == said


@pytest.mark.parametrize("open_", [of_chain, of_server, of_mirror])
def test_an_address_of_another_machine_is_named(open_: Callable[[str, int], None]) -> None:
    with pytest.raises(PortRefused, match="is no address of this machine"):
        open_("192.0.2.1", 0)


def test_the_embedded_chain_says_where_it_is() -> None:
    stop, told = threading.Event(), list[tuple[str, int]]()

    def started(url: str, chain_id: int) -> None:
        told.append((url, chain_id))
        stop.set()

    serve(port=0, stop=stop, started=started)
    assert told[0][0].startswith("http://127.0.0.1:")
    assert told[0][1] == 31337


@pytest.mark.parametrize("open_", [of_chain, of_server, of_mirror])
@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 70_000), ("127.0.0.1", -1), (f"{'a' * 70}.x", 0)])
def test_what_is_no_port_or_name_is_named(open_: Callable[[str, int], None], host: str, port: int) -> None:
    with pytest.raises(PortRefused, match=host):
        open_(host, port)


@pytest.mark.skipif(not socket.has_ipv6, reason="this Python has no IPv6")
def test_the_embedded_chain_listens_on_ipv6() -> None:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            pass
    except OSError:
        pytest.skip("this machine has no IPv6")
    with DevnetServer(Devnet(), "::1", 0, 60.0) as server:
        assert server.url.startswith("http://[::1]:")
        assert connect(server.url).eth.chain_id == 31337


def test_an_address_of_ipv6_is_one_in_an_address() -> None:
    """A verifier announces it: without brackets nobody reaches its mirror."""
    assert url_of("fd00::2", 80) == "http://[fd00::2]:80"
    assert url_of("127.0.0.1", 80) == "http://127.0.0.1:80"
