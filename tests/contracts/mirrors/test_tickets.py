"""A ticket is one key's word for one blob, one receiver and a few minutes; anything else is refused by its code."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from eth_account import Account

from contracts.errors import BadSignature, CommonweightError
from contracts.ids import as_address
from contracts.messages.fields import type_string
from contracts.messages.signatures import Domain
from contracts.mirrors import tickets
from contracts.mirrors.tickets import (
    HEADER,
    LIFE,
    LONGEST,
    SKEW,
    TO_SERVER,
    ForeignTicket,
    InvalidTicket,
    NotTheirs,
    TicketOver,
    Tickets,
    UploadTicket,
    bringer,
)
from contracts.protocol.log.codec import canonical

pytestmark = pytest.mark.unit

DOMAIN = Domain(31337, "0x" + "ab" * 20)
NODE, VERIFIER, STRANGER = (Account.from_key(bytes([number]) * 32) for number in (1, 2, 3))
BLOB = "5a" * 32
NOW = 1_700_000_000


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("contracts.mirrors.tickets.time.time", lambda: float(NOW))


def asked(*texts: str, receiver: str = str(VERIFIER.address), domain: Domain = DOMAIN) -> str:
    return bringer(texts, BLOB, receiver, domain, lambda key: key == NODE.address)


def text(by: Any = NODE, **changes: Any) -> str:
    """A ticket for the verifier, or another one."""
    made = UploadTicket(
        as_address(str(NODE.address)), bytes.fromhex(BLOB), as_address(str(VERIFIER.address)), NOW + LIFE
    )
    return Tickets(by, DOMAIN).signed(replace(made, **changes))[HEADER]


def test_its_type_names_key_blob_receiver_and_end() -> None:
    assert type_string(UploadTicket) == "UploadTicket(address key,bytes32 blob,address receiver,uint64 until)"


@pytest.mark.parametrize("receiver", [TO_SERVER, str(VERIFIER.address)])
def test_the_key_that_signed_brings_the_blob(receiver: str) -> None:
    made = Tickets(NODE, DOMAIN).headers(BLOB, receiver.lower())
    assert asked(made[HEADER], receiver=receiver) == NODE.address


@pytest.mark.parametrize("until", [NOW - SKEW, NOW, NOW + LIFE + SKEW])
def test_clocks_may_differ_by_two_minutes_either_way(until: int) -> None:
    assert asked(text(until=until)) == NODE.address


REFUSED: dict[str, tuple[type[CommonweightError], Callable[[], str]]] = {
    "over": (TicketOver, lambda: asked(text(until=NOW - SKEW - 1))),
    "too far ahead": (TicketOver, lambda: asked(text(until=NOW + LIFE + SKEW + 1))),
    "for another blob": (ForeignTicket, lambda: asked(text(blob=b"1" * 32))),
    "for another verifier": (ForeignTicket, lambda: asked(text(receiver=str(STRANGER.address)))),
    "for the server": (ForeignTicket, lambda: asked(text(receiver=TO_SERVER))),
    "by a stranger": (NotTheirs, lambda: asked(text(STRANGER, key=str(STRANGER.address)))),
    "by a stranger in the node's name": (BadSignature, lambda: asked(text(STRANGER))),
    "of another chain": (BadSignature, lambda: asked(text(), domain=Domain(1, DOMAIN.verifying_contract))),
}


@pytest.mark.parametrize("name", REFUSED)
def test_any_other_ticket_is_refused(name: str) -> None:
    kind, ask = REFUSED[name]
    with pytest.raises(kind):
        ask()


def spelt(change: Callable[[dict[str, Any]], Any]) -> str:
    body = json.loads(text())
    change(body)
    return canonical(body)


MISSPELT: dict[str, Callable[[], tuple[str, ...]]] = {
    "none": lambda: (),
    "two": lambda: (text(), text()),
    "empty": lambda: ("",),
    "no JSON": lambda: ("{",),
    "a list": lambda: ("[]",),
    "too long": lambda: (text() + " " * LONGEST,),
    "spaced": lambda: (json.dumps(json.loads(text())),),
    "a field too many": lambda: (spelt(lambda body: body["message"].update(nonce=1)),),
    "a field too few": lambda: (spelt(lambda body: body["message"].pop("until")),),
    "an address without its checksum": lambda: (spelt(lambda b: b["message"].update(key=NODE.address.lower())),),
    "no signature": lambda: (spelt(lambda body: body["signatures"].clear()),),
    "two signatures": lambda: (spelt(lambda body: body["signatures"].append(body["signatures"][0])),),
    "a signature in capitals": lambda: (spelt(lambda b: b.update(signatures=[b["signatures"][0].upper()])),),
    "something beside it": lambda: (spelt(lambda body: body["beside"].update(more="")),),
    "letters of no alphabet": lambda: (text().replace("beside", "b\xe9side"),),
}


@pytest.mark.parametrize("name", MISSPELT)
def test_a_misspelt_ticket_is_none(name: str) -> None:
    with pytest.raises(InvalidTicket):
        asked(*MISSPELT[name]())


@pytest.mark.parametrize("signature", ["0x", "0x" + "11" * 64, "0x" + "ff" * 65, "0x" + "00" * 64 + "1b"])
def test_a_signature_that_is_none_is_refused(signature: str) -> None:
    with pytest.raises(BadSignature):
        asked(spelt(lambda body: body.update(signatures=[signature])))


def test_nothing_is_recovered_for_a_key_that_may_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any) -> None:
        raise AssertionError("a signature was looked at")

    monkeypatch.setattr(tickets, "require_signer", never)
    with pytest.raises(NotTheirs):
        asked(text(STRANGER, key=str(STRANGER.address)))


def test_the_clock_is_the_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    made = text()
    monkeypatch.setattr("contracts.mirrors.tickets.time.time", lambda: float(NOW + LIFE + SKEW + 1))
    with pytest.raises(TicketOver):
        asked(made)
    assert asked(Tickets(NODE, DOMAIN).headers(BLOB, str(VERIFIER.address))[HEADER]) == NODE.address
