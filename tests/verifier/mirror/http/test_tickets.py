"""Who may bring a blob to a mirror: whoever announced it, and verifiers; and nobody else ends what they bring."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import ExitStack

import httpx
import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from contracts.ids import as_address
from contracts.mirrors.tickets import SKEW, TO_SERVER
from tests.holds import Threat, holds
from tests.verifier.mirror.http.test_routes import DATA, NAME, refused
from tests.verifier.mirror.http.test_serving import put, wait_for
from tests.verifier.mirror.world import NODE, VERIFIERS, blob, everything, ticket
from verifier.mirror.http.routes import Mirror

pytestmark = pytest.mark.integration

STRANGER = Account.from_key(b"\x63" * 32)
OTHER = as_address(str(VERIFIERS[1].address))

TICKETS: dict[str, tuple[int, str, Callable[[], dict[str, str]]]] = {
    "none": (422, "invalid-ticket", dict),
    "no ticket": (422, "invalid-ticket", lambda: {"Upload-Ticket": "x"}),
    "for another blob": (403, "foreign-ticket", lambda: ticket("1" * 64)),
    "for another verifier": (403, "foreign-ticket", lambda: ticket(NAME, OTHER)),
    "for the server": (403, "foreign-ticket", lambda: ticket(NAME, TO_SERVER)),
    "over": (403, "ticket-over", lambda: ticket(NAME, until=int(time.time()) - SKEW - 5)),
    "for a year": (403, "ticket-over", lambda: ticket(NAME, until=int(time.time()) + 31_536_000)),
    "by a stranger": (403, "not-theirs", lambda: ticket(NAME, by=STRANGER)),
    "forged": (401, "bad-signature", lambda: ticket(NAME, by=STRANGER, key=str(NODE.address))),
}


@pytest.mark.parametrize("name", TICKETS)
def test_an_upload_with_another_ticket_is_refused(mirror: Mirror, client: httpx.Client, name: str) -> None:
    status, code, headers = TICKETS[name]
    mirror.blobs.announce(blob(DATA))
    refused(client.put(f"/blobs/{NAME}", content=DATA, headers=headers()), status, code)
    assert not mirror.blobs.has(NAME)


@pytest.mark.parametrize("by", [NODE, VERIFIERS[3]], ids=["its author", "a verifier"])
def test_its_author_and_verifiers_bring_it(mirror: Mirror, client: httpx.Client, by: LocalAccount) -> None:
    mirror.blobs.announce(blob(DATA))
    answer = client.put(f"/blobs/{NAME}", content=DATA, headers=ticket(NAME, by=by))
    assert answer.json() == {"blob": NAME}


@holds(
    "A blob is uploaded by its announcer or by a verifier, and nobody else can end the upload",
    by="contracts/mirrors/tickets.py:bringer",
    against=Threat.FLOOD,
)
def test_strangers_end_no_upload_and_hold_no_place(mirror: Mirror, client: httpx.Client) -> None:
    """Garbage and heads alone, without a ticket and with whatever one can have: the node's own upload goes on."""
    mirror.blobs.announce(blob(DATA))
    url = httpx.URL(client.base_url)

    def connected() -> socket.socket:
        return socket.create_connection((url.host, url.port or 80), timeout=5)

    with connected() as honest, ExitStack() as held:
        honest.sendall(put(NAME).encode() + DATA[:1])
        wait_for(mirror.slots, 1)
        heads = [put(NAME, receiver=OTHER), put(NAME, until=1), put(NAME, by=STRANGER)]
        heads.append(f"PUT /blobs/{NAME} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(DATA)}\r\n\r\n")
        crowd = [held.enter_context(connected()) for _ in range(5) for _ in heads]
        for raw, head in zip(crowd, heads * 5, strict=True):
            raw.sendall(head.encode() + b"x" * 1000)
        assert all(b" 403 " in answer or b" 422 " in answer for answer in map(everything, crowd))
        assert len(mirror.slots) == 1
        honest.sendall(DATA[1:])
        assert b" 200 " in everything(honest)
    assert mirror.blobs.has(NAME)
