"""A mirror over HTTP on loopback: its routes and no other, its bounds, and clients that are slow or lie."""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from blake3 import blake3

from contracts.tlog.checkpoint import open_checkpoint
from contracts.tlog.cosignature import verify_cosignature
from contracts.tlog.mirror import INFO_TYPE, UploadHeader, origin_hash, parse_mirror_info
from contracts.tlog.note import parse_note, parse_signatures
from contracts.tlog.tile_tree import check_tiles
from contracts.tlog.tiles import tile_of
from contracts.tlog.witness import MAX_REQUEST, SIZE_TYPE, AddCheckpoint, parse_size
from tests.verifier.mirror.world import (
    LOG,
    ORIGIN,
    READER,
    VERIFIERS,
    Operator,
    address,
    blob,
    cosigner_key,
    everything,
    has,
    make_mirror,
    mirror_on,
    ticket,
)
from verifier.mirror.errors import NotWelcome
from verifier.mirror.http.routes import Mirror
from verifier.mirror.store.parsing import MAX_MESSAGE

pytestmark = pytest.mark.integration

DATA = bytes(range(256)) * 400
NAME = blake3(DATA).hexdigest()
PREFIX = f"/{origin_hash(ORIGIN)}"


@pytest.fixture(scope="module")
def reading(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """One mirror for all tests that change nothing: twenty entries, and a blob."""
    mirror = make_mirror(tmp_path_factory.mktemp("mirror"))
    mirror.blobs.announce(blob(DATA))
    with mirror_on(mirror) as url, httpx.Client(base_url=url, timeout=20, verify=False) as client:
        fill(client, Operator().grow(20)).raise_for_status()
        client.put(f"/blobs/{NAME}", content=DATA, headers=ticket(NAME)).raise_for_status()
        yield client


def refused(answer: httpx.Response, status: int, code: str) -> None:
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert set(answer.json()) == {"type", "title", "status", "code", "detail"}


def fill(client: httpx.Client, operator: Operator) -> httpx.Response:
    client.post("/add-checkpoint", content=operator.add_checkpoint().format()).raise_for_status()
    return client.post("/add-entries", content=operator.upload())


# ---- the log


def test_a_log_comes_in_and_is_served_as_tiles(client: httpx.Client) -> None:
    operator = Operator().grow(300)
    done = fill(client, operator)
    assert done.status_code == 200
    note = parse_note(client.get(f"{PREFIX}/checkpoint").content)
    head = open_checkpoint(note.format(), LOG)
    assert (head.size, head.root) == (300, operator.tree.root(300))
    assert verify_cosignature(note, cosigner_key())
    assert parse_signatures(done.content)[0] in note.signatures
    check_tiles(lambda tile: client.get(f"{PREFIX}/{tile.path()}").content, 300, head.root)
    bundle = tile_of(0, 1, 300, entries=True)
    assert client.get(f"{PREFIX}/{bundle.path()}").content == operator.tile(bundle)


def test_a_part_of_an_upload_is_answered_with_202(client: httpx.Client) -> None:
    operator = Operator().grow(300)
    client.post("/add-checkpoint", content=operator.add_checkpoint().format())
    part = client.post("/add-entries", content=operator.upload(packages=1))
    assert (part.status_code, part.headers["content-type"]) == (202, INFO_TYPE)
    assert parse_mirror_info(part.content).next_entry == 256


def test_conflicts_are_answered_in_the_protocols_form(client: httpx.Client) -> None:
    operator = Operator().grow(20)
    client.post("/add-checkpoint", content=operator.add_checkpoint().format())
    size = client.post("/add-checkpoint", content=operator.add_checkpoint(7).format())
    assert (size.status_code, size.headers["content-type"]) == (409, SIZE_TYPE)
    assert parse_size(size.content) == 20
    info = client.post("/add-entries", content=UploadHeader(ORIGIN, 0, 0).format())
    assert (info.status_code, info.headers["content-type"]) == (409, INFO_TYPE)
    assert parse_mirror_info(info.content).size == 20


def test_an_upload_in_chunks_is_taken_as_it_comes(client: httpx.Client) -> None:
    operator = Operator().grow(300)
    client.post("/add-checkpoint", content=operator.add_checkpoint().format())
    body = operator.upload()
    chunks = (body[at : at + 700] for at in range(0, len(body), 700))
    assert client.post("/add-entries", content=chunks).status_code == 200


def test_refusals_of_the_log_have_their_codes(client: httpx.Client) -> None:
    operator = Operator().grow(20)
    refused(client.get(f"{PREFIX}/checkpoint"), 404, "not-found")
    refused(client.post("/add-checkpoint", content=b"old x\n\nx"), 400, "invalid-mirror-message")
    refused(client.post("/add-checkpoint", content=b"x" * (MAX_REQUEST + 1)), 413, "body-too-large")
    refused(client.post("/add-entries", content=b""), 400, "invalid-mirror-message")
    refused(client.post("/add-entries", content=b"", headers={"Content-Encoding": "br"}), 422, "bad-field")
    fill(client, operator)
    fork = Operator().grow(20, "another").head()
    refused(client.post("/add-checkpoint", content=AddCheckpoint(20, (), fork).format()), 409, "head-contradicts")
    assert len(client.get("/mirrors").json()["evidence"]) == 1


@pytest.mark.parametrize(
    "path", ["tile/0/001", "tile/0/000.p/21", "tile/8/000", "tile/0/0", "tile/%2e%2e/checkpoint", "x"]
)
def test_a_tile_that_is_not_there_is_not_found(reading: httpx.Client, path: str) -> None:
    refused(reading.get(f"{PREFIX}/{path}"), 404, "not-found")


# ---- messages and addresses


def test_a_message_comes_in_and_is_shown(client: httpx.Client) -> None:
    for number in range(3):
        client.post("/messages", content=has(number)).raise_for_status()
    page = client.get("/messages", params={"since": 1}).json()
    assert [entry["sequence"] for entry in page["messages"]] == [2, 3]
    assert page["messages"][0]["body"] == json.loads(has(1))
    assert page["last"] == 3
    assert client.get("/messages").json()["store"] == page["store"]


@pytest.mark.parametrize("since", ["-1", "x", "01", "1e3", "9" * 30])
def test_a_number_that_is_none_is_refused(reading: httpx.Client, since: str) -> None:
    refused(reading.get("/messages", params={"since": since}), 422, "bad-field")


def test_a_message_above_64_kb_is_refused_unread(client: httpx.Client) -> None:
    url = httpx.URL(client.base_url)
    with socket.create_connection((url.host, url.port or 80), timeout=5) as raw:
        raw.sendall(f"POST /messages HTTP/1.1\r\nHost: x\r\nContent-Length: {MAX_MESSAGE + 1}\r\n\r\n".encode())
        assert b" 413 " in raw.recv(4096), "the answer comes before any of the body"


def test_a_message_in_endless_chunks_is_ended(client: httpx.Client) -> None:
    chunks = (b"x" * 10_000 for _ in range(100))
    refused(client.post("/messages", content=chunks), 413, "body-too-large")


def test_a_message_that_is_not_welcome_has_its_code(tmp_path: Path) -> None:
    def unwelcome(claim: Any) -> bool:
        raise NotWelcome("not now")

    with mirror_on(make_mirror(tmp_path, unwelcome)) as url:
        refused(httpx.post(f"{url}/messages", content=has(1), verify=False), 403, "not-welcome")
        refused(httpx.post(f"{url}/messages", content=b"{", verify=False), 422, "invalid-leaf")


def test_addresses_are_shown_with_who_has_none(client: httpx.Client) -> None:
    client.post("/messages", content=address("http://127.0.0.1:9")).raise_for_status()
    refused(client.post("/messages", content=address("http://10.0.0.1", 2)), 422, "invalid-mirror-address")
    shown = client.get("/mirrors").json()["mirrors"]
    assert [entry["verifier"] for entry in shown] == [str(key.address) for key in VERIFIERS]
    assert [entry["url"] for entry in shown] == ["http://127.0.0.1:9"] + [None] * (len(VERIFIERS) - 1)
    assert READER.read(json.dumps(shown[0]["message"], sort_keys=True, separators=(",", ":")).encode())
    assert client.get("/messages").json()["messages"] == []


# ---- blobs


def test_a_blob_comes_in_and_is_served(mirror: Mirror, client: httpx.Client) -> None:
    mirror.blobs.announce(blob(DATA))
    for _ in range(2):
        assert client.put(f"/blobs/0x{NAME}", content=DATA, headers=ticket(NAME)).json() == {"blob": NAME}
    answer = client.get(f"/blobs/{NAME}")
    assert (answer.content, answer.headers["accept-ranges"]) == (DATA, "bytes")


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("0-0", 0, 1),
        ("5-9", 5, 10),
        ("100-", 100, len(DATA)),
        ("-7", len(DATA) - 7, len(DATA)),
        ("9-999999", 9, len(DATA)),
    ],
)
def test_a_range_of_a_blob_is_served(reading: httpx.Client, asked: str, start: int, end: int) -> None:
    answer = reading.get(f"/blobs/{NAME}", headers={"Range": f"bytes={asked}"})
    assert (answer.status_code, answer.content) == (206, DATA[start:end])
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{len(DATA)}"


@pytest.mark.parametrize(
    "asked", ["bytes=", "bytes=-", "bytes=5-4", "bytes=0-1,3-4", "lines=1-2", "bytes=999999-", "bytes=-0"]
)
def test_any_other_range_is_refused(reading: httpx.Client, asked: str) -> None:
    refused(reading.get(f"/blobs/{NAME}", headers={"Range": asked}), 416, "range-refused")


def test_blobs_are_refused_with_their_codes(mirror: Mirror, client: httpx.Client) -> None:
    refused(client.put(f"/blobs/{NAME}", content=DATA, headers=ticket(NAME)), 403, "not-announced")
    mirror.blobs.announce(blob(DATA))
    refused(client.put(f"/blobs/{NAME}", content=DATA + b"x", headers=ticket(NAME)), 413, "blob-too-large")
    refused(client.put(f"/blobs/{NAME}", content=b"x" * len(DATA), headers=ticket(NAME)), 422, "blob-mismatch")
    endless = (b"x" * 2**16 for _ in range(100))
    refused(client.put(f"/blobs/{NAME}", content=endless, headers=ticket(NAME)), 413, "blob-too-large")
    refused(client.get(f"/blobs/{NAME}"), 404, "not-found")
    refused(client.get("/blobs/x"), 404, "not-found")


# ---- nothing else


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/docs", 404),
        ("GET", "/openapi.json", 404),
        ("GET", "/messages/", 404),
        ("GET", "/mirrors/", 404),
        ("GET", "/checkpoint", 404),
        ("GET", "/blobs/a/b", 404),
        ("GET", "/blobs/..%2f..%2fmessages.db", 404),
        ("DELETE", "/messages", 405),
        ("HEAD", "/messages", 405),
        ("POST", "/mirrors", 405),
        ("POST", f"/blobs/{NAME}", 405),
        ("OPTIONS", "/messages", 405),
        ("GET", "/add-entries", 405),
    ],
)
def test_nothing_else_is_answered(reading: httpx.Client, method: str, path: str, status: int) -> None:
    answer = reading.request(method, path)
    assert answer.status_code == status
    assert "location" not in answer.headers


def test_what_is_no_http_is_refused_in_the_same_form(reading: httpx.Client) -> None:
    url = httpx.URL(reading.base_url)
    with socket.create_connection((url.host, url.port or 80), timeout=5) as raw:
        raw.sendall(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
        answer = everything(raw)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"application/problem+json" in answer
    assert b"malformed-request" in answer


def test_of_too_many_connections_an_idle_one_is_cut(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("contracts.mirrors.crowding.CONNECTIONS", 1)
    url = httpx.URL(client.base_url)
    with socket.create_connection((url.host, url.port or 80), timeout=5) as raw:
        client.get("/mirrors").raise_for_status()
        assert everything(raw) == b""


def test_a_full_disk_is_answered_with_507(
    mirror: Mirror, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "no room")

    mirror.blobs.announce(blob(DATA))
    monkeypatch.setattr(os, "fsync", full)
    refused(client.put(f"/blobs/{NAME}", content=DATA, headers=ticket(NAME)), 507, "disk-full")


def test_a_broken_disk_is_said_without_its_details(mirror: Mirror, client: httpx.Client, tmp_path: Path) -> None:
    mirror.blobs.announce(blob(DATA))
    (tmp_path / "blobs" / "coming").rmdir()
    answer = client.put(f"/blobs/{NAME}", content=DATA, headers=ticket(NAME))
    refused(answer, 500, "internal-error")
    assert str(tmp_path) not in answer.text
