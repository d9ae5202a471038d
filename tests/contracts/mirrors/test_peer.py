"""A call to a mirror that may lie: it ends in time, reads no more than it may, and says what was wrong."""

from __future__ import annotations

import asyncio
import datetime
import socket
import ssl
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from contracts.mirrors.peer import Limits, Peer, PeerMisbehaved, PeerUnreachable, Reply
from contracts.mirrors.urls import InvalidMirrorAddress
from tests.verifier.mirror import hostile
from tests.verifier.mirror.world import bare_server, raw_server, serving

pytestmark = pytest.mark.integration

QUICK = Limits(idle=0.4, call=0.8)
MISBEHAVES = {hostile.ten_gigabytes, hostile.redirects, hostile.bomb, hostile.deep_json}


def get(url: str, most: int = 1000) -> Reply:
    return asyncio.run(Peer(url, True, QUICK).get("/x", most))


async def _says(request: Request) -> Response:
    return PlainTextResponse(f"{request.method} {request.url.path} {request.headers['host']}")


def test_a_right_answer_is_read() -> None:
    with serving(Starlette(routes=[Route("/a/x", _says)])) as url:
        reply = get(f"{url}/a")
    assert (reply.status, reply.body) == (200, f"GET /a/x {httpx.URL(url).netloc.decode()}".encode())


def test_a_refusal_is_an_answer_of_its_own() -> None:
    with serving(Starlette()) as url:
        reply = get(url)
    assert reply.status == 404
    with pytest.raises(PeerUnreachable):
        reply.require()


@pytest.mark.parametrize("bad", [b for b in hostile.ALL if b is not hostile.other_bytes], ids=lambda bad: bad.__name__)
def test_a_hostile_answer_ends_in_time(bad: hostile.Bad) -> None:
    begun = time.monotonic()
    with raw_server(bad) as url, pytest.raises(PeerMisbehaved if bad in MISBEHAVES else PeerUnreachable):
        get(url)
    assert time.monotonic() - begun < 5


def test_nobody_at_the_address_is_unreachable() -> None:
    with raw_server(hostile.hangs) as url:
        pass
    with pytest.raises(PeerUnreachable):
        get(url)


def test_loopback_is_not_asked_unless_it_may_be() -> None:
    with raw_server(hostile.other_bytes) as url, pytest.raises(InvalidMirrorAddress):
        asyncio.run(Peer(url, False, QUICK).get("/x", 10))


def test_a_name_of_a_private_machine_is_not_asked() -> None:
    peer = Peer("http://mirror.example", False, QUICK, lambda host, port: ["169.254.169.254"])
    with pytest.raises(InvalidMirrorAddress):
        asyncio.run(peer.get("/x", 10))


def test_a_resolver_that_hangs_ends_in_time() -> None:
    def slow(host: str, port: int) -> list[str]:
        time.sleep(1.5)
        return ["127.0.0.1"]

    with pytest.raises(PeerUnreachable):
        asyncio.run(Peer("http://mirror.example", True, QUICK, slow).get("/x", 10))


def test_a_name_is_connected_where_it_was_checked() -> None:
    """For the connection the name is the address that was checked; the request says the name."""
    with serving(Starlette(routes=[Route("/x", _says)])) as url:
        port = httpx.URL(url).port
        peer = Peer(f"http://mirror.example:{port}", True, QUICK, lambda host, port: ["127.0.0.1"])
        reply = asyncio.run(peer.get("/x", 1000))
    assert reply.body == f"GET /x mirror.example:{port}".encode()


@pytest.mark.parametrize(("keeps", "connections"), [(True, 1), (False, 3)])
def test_a_connection_is_kept_where_that_is_asked_for(keeps: bool, connections: int) -> None:
    clients: set[object] = set()

    async def note(request: Request) -> Response:
        clients.add(request.client)
        return PlainTextResponse("hi")

    async def three(url: str) -> None:
        peer = Peer(url, True, QUICK, keeps=keeps)
        for _ in range(3):
            assert (await peer.get("/x", 10)).body == b"hi"
        await peer.close()

    with serving(Starlette(routes=[Route("/x", note)])) as url:
        asyncio.run(three(url))
    assert len(clients) == connections


def test_a_private_machine_is_asked_where_its_user_chose_it() -> None:
    with serving(Starlette(routes=[Route("/x", _says)])) as url:
        assert asyncio.run(Peer(url, False, QUICK, chosen=True).get("/x", 1000)).status == 200


def test_tls_is_checked_for_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection goes to an address; the certificate must be of the name all the same."""
    certificate, key = _certificate(tmp_path, "mirror.example")
    trusted = ssl.create_default_context(cafile=str(certificate))
    monkeypatch.setattr("contracts.mirrors.peer._tls", lambda: trusted)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)

    def answer(raw: socket.socket) -> None:
        with suppress(ssl.SSLError), server.wrap_socket(raw, server_side=True) as connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi")

    with bare_server(answer) as url:
        port = httpx.URL(url).port
        right, wrong = (
            Peer(f"https://{name}.example:{port}", True, QUICK, lambda host, port: ["127.0.0.1"])
            for name in ("mirror", "another")
        )
        assert asyncio.run(right.get("/x", 10)).body == b"hi"
        with pytest.raises(PeerUnreachable):
            asyncio.run(wrong.get("/x", 10))


def _certificate(folder: Path, name: str) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, SHA256())
    )
    certificate, secret = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(built.public_bytes(Encoding.PEM))
    secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return certificate, secret
