"""Blobs: taken if a message in the log names them with this size, of its author or a verifier, under the digest of
the bytes alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3
from eth_account.signers.local import LocalAccount
from httpx import Response

from contracts.ids import as_address
from contracts.merkle.positional_tree import KECCAK_TREE
from contracts.mirrors.tickets import LIFE, SKEW, TO_SERVER, Tickets, UploadTicket
from tests.databases import fresh_database
from tests.deployed import key_of, verifier_keys
from tests.holds import Threat, holds
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


def ticket(house: House, by: LocalAccount | None = None, **changes: Any) -> dict[str, str]:
    """The header under which a key, that of the first node if none is named, brings DATA to the server."""
    tickets = Tickets(by or house.run.nodes[0], house.ledger.judge.domain)
    until = int(time.time()) + LIFE
    made = UploadTicket(as_address(str(tickets.account.address)), blake3(DATA).digest(), TO_SERVER, until)
    return tickets.signed(replace(made, **changes))


def put(house: House, content: bytes, name: str = "", headers: dict[str, str] | None = None) -> Response:
    path = f"/v1/blobs/{name or blake3(DATA).hexdigest()}"
    answer: Response = house.client.put(path, content=content, headers=ticket(house) if headers is None else headers)
    return answer


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


TICKETS: dict[str, tuple[int, str, Callable[[House], dict[str, str]]]] = {
    "none": (422, "invalid-ticket", lambda h: {}),
    "no ticket": (422, "invalid-ticket", lambda h: {"Upload-Ticket": "{}"}),
    "for another blob": (403, "foreign-ticket", lambda h: ticket(h, blob=b"1" * 32)),
    "for a mirror": (403, "foreign-ticket", lambda h: ticket(h, receiver=verifier_keys()[0].address)),
    "over": (403, "ticket-over", lambda h: ticket(h, until=int(time.time()) - SKEW - 5)),
    "for a year": (403, "ticket-over", lambda h: ticket(h, until=int(time.time()) + 31_536_000)),
    "by a stranger": (403, "not-theirs", lambda h: ticket(h, key_of("stranger"))),
    "by another node": (403, "not-theirs", lambda h: ticket(h, h.run.nodes[1])),
    "forged": (401, "bad-signature", lambda h: ticket(h, key_of("stranger"), key=h.run.nodes[0].address)),
}


@pytest.mark.parametrize("name", TICKETS)
def test_an_upload_with_another_ticket_is_refused(stage: House, name: str) -> None:
    status, code, headers = TICKETS[name]
    before = stage.dump()
    check_refused(put(stage, DATA, headers=headers(stage)), status, code)
    assert stage.dump() == before


def test_a_verifier_may_bring_what_somebody_else_announced(house: House) -> None:
    house.start()
    announce(house, DATA)
    assert accepted(put(house, DATA, headers=ticket(house, verifier_keys()[0]))) == {"blob": blake3(DATA).hexdigest()}


@holds(
    "The server stores only blobs that a message in the log names",
    by="ledger/machine/announced.py:sizes",
    against=Threat.FLOOD,
)
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
