"""The server as a verifier uses it: whatever it answers, and however slowly, each call has an end."""

from __future__ import annotations

import json
import socket
import time

import pytest

from contracts.mirrors.peer import Limits, PeerUnreachable
from contracts.wire.requests import VerifierFaultBody
from tests.verifier.mirror import hostile
from tests.verifier.mirror.world import raw_server
from verifier.replica.errors import ServerRefused
from verifier.service.server import Server

pytestmark = pytest.mark.integration

QUICK = Limits(idle=0.5, call=0.5)
BODY = VerifierFaultBody.made(message={}, signature="0x" + "1f" * 65, signer="0x" + "11" * 20)


def refuses(connection: socket.socket, head: bytes) -> None:
    """With a reason."""
    body = json.dumps({"code": "too-late", "detail": "it is final"}).encode()
    connection.sendall(b"HTTP/1.1 409 No\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


def drips(connection: socket.socket, head: bytes) -> None:
    """A byte again and again, none of them late: the whole never ends."""
    connection.sendall(hostile.OK + b"Content-Length: 1000\r\n\r\n")
    while True:
        connection.sendall(b" ")
        time.sleep(0.05)


@pytest.mark.parametrize("answer", [drips, hostile.goes_on, hostile.hangs])
def test_a_signature_is_not_waited_for_without_an_end(answer: hostile.Bad) -> None:
    with raw_server(answer) as url:
        server = Server(url, QUICK)
        with pytest.raises(PeerUnreachable, match=r"did not answer|cannot be reached"):
            server.signature("/epochs/1/signatures", BODY)
        server.close()


def test_a_refusal_says_why() -> None:
    with raw_server(refuses) as url:
        server = Server(url, QUICK)
        with pytest.raises(ServerRefused, match="409: too-late: it is final"):
            server.signature("/epochs/1/signatures", BODY)
        server.close()


def test_a_signature_comes_as_json() -> None:
    """The routes for signatures take no body that does not say what it is."""
    came = list[bytes]()

    def notes(connection: socket.socket, head: bytes) -> None:
        came.append(head)
        connection.sendall(hostile.OK + b"Content-Length: 2\r\n\r\n{}")

    with raw_server(notes) as url:
        server = Server(url, QUICK)
        server.signature("/faults/signatures", BODY)
        server.close()
    assert came[0].startswith(b"POST /v1/faults/signatures ")
    assert b"content-type: application/json" in came[0].lower()
