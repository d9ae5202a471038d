"""Blobs: taken from anybody if a message in the log names them with this size, under the digest of the bytes alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from blake3 import blake3
from httpx import Response

from contracts.positional_tree import KECCAK_TREE
from tests.databases import fresh_database
from tests.house import MAX_BLOB, House, accepted, check_refused

pytestmark = pytest.mark.integration
DATA = bytes(range(256)) * 4
Sent = Callable[[House], Response]


@pytest.fixture(scope="module")
def stage(database_kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A node has committed to DATA as its gradient."""
    folder = tmp_path_factory.mktemp("stage")
    with fresh_database(database_kind, folder) as url, House(folder, database=url) as house:
        house.start()
        announce(house, DATA)
        yield house


def announce(house: House, data: bytes) -> None:
    """The first node commits, with these bytes as its gradient."""
    run, node = house.run, house.run.nodes[0]
    message = replace(run.commitment(node), gradientBlob=blake3(data).digest(), gradientSize=len(data))
    entries = run.entries(node, message.round)
    first, last = (KECCAK_TREE.inclusion_proof(entries, place) for place in (0, len(entries) - 1))
    run.send(message, node, first_path=["0x" + n.hex() for n in first], last_path=["0x" + n.hex() for n in last])


def put(house: House, content: bytes, name: str = "") -> Response:
    return house.client.put(f"/v1/blobs/{name or blake3(DATA).hexdigest()}", content=content)


REFUSED: dict[str, tuple[int, str, Sent]] = {
    "announced by nobody": (403, "not-announced", lambda h: put(h, b"free", blake3(b"free").hexdigest())),
    "more than announced": (413, "blob-too-large", lambda h: put(h, DATA + b"!")),
    "above the server's limit": (413, "blob-too-large", lambda h: put(h, bytes(MAX_BLOB + 1))),
    "less than announced": (422, "blob-mismatch", lambda h: put(h, DATA[:-1])),
    "nothing": (422, "blob-mismatch", lambda h: put(h, b"")),
    "other bytes of that size": (422, "blob-mismatch", lambda h: put(h, DATA[::-1])),
    "a name in capitals": (422, "malformed-request", lambda h: put(h, DATA, blake3(DATA).hexdigest().upper())),
    "a short name": (422, "malformed-request", lambda h: put(h, DATA, "abcd")),
    "a longer name": (422, "malformed-request", lambda h: put(h, DATA, blake3(DATA).hexdigest() + "0")),
    "a name with a line's end": (422, "malformed-request", lambda h: put(h, DATA, blake3(DATA).hexdigest() + "%0a")),
    "a path": (404, "not-found", lambda h: put(h, DATA, "..%2f..%2fledger.db")),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_upload_is_refused(stage: House, name: str) -> None:
    status, code, send = REFUSED[name]
    before = stage.dump()
    check_refused(send(stage), status, code)
    assert stage.dump() == before


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("ab" * 32, 404, "not-found"),
        ("AB" * 32, 422, "malformed-request"),
        ("short", 422, "malformed-request"),
        ("%00", 422, "malformed-request"),
        ("..%2f..%2fledger.db", 404, "not-found"),
    ],
)
def test_what_was_not_stored_is_not_found(stage: House, name: str, status: int, code: str) -> None:
    check_refused(stage.client.get(f"/v1/blobs/{name}"), status, code)


def test_a_blob_comes_back_as_it_was_stored_and_in_ranges(house: House, tmp_path: Path) -> None:
    house.start()
    announce(house, DATA)
    name = blake3(DATA).hexdigest()
    for _ in range(2):
        assert accepted(put(house, DATA)) == {"blob": name}
    answer = house.client.get(f"/v1/blobs/{name}")
    assert (answer.content, answer.headers["content-type"]) == (DATA, "application/octet-stream")
    part = house.client.get(f"/v1/blobs/{name}", headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, DATA[10:20])
    assert house.client.get(f"/v1/blobs/{name}", headers={"Range": f"bytes={len(DATA)}-"}).status_code == 416
