"""The HTTP side of the embedded chain, towards callers that leave."""

from __future__ import annotations

import json
import socket
import struct

import pytest

from contracts.devnet.chain import Devnet
from contracts.devnet.http import DevnetServer
from tests.waiting import until

pytestmark = pytest.mark.integration
REQUEST = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []}).encode()
HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"


class Slow(Devnet):
    """Answers when `left` is set: by then the caller is gone."""

    answered = 0

    def handle(self, request: object) -> object:
        self.answered += 1
        return {"jsonrpc": "2.0", "id": 1, "result": "0x" + "00" * 10_000_000}


def test_a_caller_that_hangs_up_leaves_no_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    chain = Slow()
    with DevnetServer(chain, "127.0.0.1", 0, 3_600) as server:
        host, port = server.url.removeprefix("http://").split(":")
        for _ in range(3):
            with socket.create_connection((host, int(port))) as caller:
                caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # reset, not closed
                caller.sendall(HEAD % len(REQUEST) + REQUEST)
        until(lambda: chain.answered == 3)
    assert capfd.readouterr().err == ""
