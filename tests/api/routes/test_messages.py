"""The door over HTTP: a message in its one text is taken once; whatever else arrives is a problem, kept nowhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount
from eth_keys.constants import SECPK1_N
from httpx import Response

from api.http.body_size import MAX_JSON_BYTES
from contracts.messages import for_log as messages
from contracts.messages.for_contracts import Message
from contracts.messages.signatures import Domain, sign
from contracts.protocol.log.codec import canonical
from contracts.protocol.log.leaf import LARGEST_LEAF, write
from contracts.protocol.log.signed import Envelope
from tests.api.conftest import Refusal
from tests.deployed import key_of, verifier_keys
from tests.holds import Threat, holds
from tests.house import House, accepted, check_refused

pytestmark = pytest.mark.integration
Body = dict[str, Any]


def post(house: House, data: bytes) -> Response:
    answer: Response = house.client.post("/v1/messages", content=data)
    return answer


def has(house: House, verifier: LocalAccount | None = None) -> messages.Has:
    """A verifier's word that the rules take now: it holds what was committed."""
    author = verifier or verifier_keys()[0]
    proofs = tuple(bytes.fromhex(name[2:]) for name in house.run.round.proofs.values())
    return messages.Has(house.run.run, house.run.round.number, author.address, proofs)


def body_of(house: House, message: Message | None = None, author: LocalAccount | None = None) -> Body:
    signed = house.run.envelope(message or has(house), author or verifier_keys()[0])
    return dict(json.loads(write(signed)))


TEXTS: dict[str, bytes] = {
    "nothing": b"",
    "not JSON": b"{",
    "a list": b"[]",
    "null": b"null",
    "not UTF-8": b'{"kind":"\xff"}',
    "half of a pair": b'{"kind":"\\ud800"}',
    "a zero byte": b'{"kind":"\x00"}',
    "too deep": b"[" * 60_000,
    "a fraction": b'{"kind":1.0}',
    "no number": b'{"kind":NaN}',
    "no kind": b"{}",
    "a number as kind": b'{"kind":7}',
    "an unknown kind": b'{"kind":"surprise"}',
    "a key twice": b'{"kind":"has","kind":"has"}',
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_that_is_no_message_is_refused(stage: House, refused: Refusal, name: str) -> None:
    refused(lambda: post(stage, TEXTS[name]), 422, "invalid-leaf")


@pytest.mark.parametrize("size", [LARGEST_LEAF + 1, MAX_JSON_BYTES + 1])
def test_too_many_bytes_are_refused(stage: House, refused: Refusal, size: int) -> None:
    refused(lambda: post(stage, b" " * size), 413, "body-too-large")


@holds(
    "Entries of the server are refused as messages",
    by="contracts/protocol/log/envelope.py:parse_envelope",
    against=Threat.FORGED_MESSAGE,
)
@pytest.mark.parametrize("kind", ["rules", "block", "round-opened", "round-closed", "posted", "epoch-closed"])
def test_what_only_the_server_enters_comes_through_no_door(stage: House, refused: Refusal, kind: str) -> None:
    """Derived entries, blocks and rules, each as it stands in the log."""
    entry = canonical(stage.log(kind)[0]).encode()
    refused(lambda: post(stage, entry), 422, "invalid-leaf")


def _message(**changes: Any) -> Callable[[Body], Body]:
    return lambda body: {**body, "message": {**body["message"], **changes}}


def _without(name: str) -> Callable[[Body], Body]:
    return lambda body: {**body, "message": {k: v for k, v in body["message"].items() if k != name}}


def _signature(**parts: Any) -> Callable[[Body], Body]:
    return lambda body: {**body, **parts}


FIELDS: dict[str, tuple[str, Callable[[Body], Body]]] = {
    "unknown field inside": ("bad-field", _message(surprise=1)),
    "field missing": ("bad-field", _without("round")),
    "message not an object": ("bad-field", lambda body: {**body, "message": [1]}),
    "unknown field beside": ("invalid-leaf", _signature(surprise=1)),
    "number as text": ("bad-field", _message(round="2")),
    "number as truth": ("bad-field", _message(round=True)),
    "number negative": ("bad-field", _message(round=-1)),
    "number beyond its type": ("bad-field", _message(round=str(2**64))),
    "number of no type": ("bad-field", _message(round=[])),
    "digest too short": ("bad-field", _message(run="0x00")),
    "digest as number": ("bad-field", _message(run=7)),
    "address not one": ("bad-field", _message(verifier="0x" + "zz" * 20)),
    "no list": ("bad-field", _message(proofs={})),
    "a list beyond any": ("bad-field", _message(proofs=["0x1"] * 1_025)),
    "no signatures": ("invalid-leaf", _signature(signatures={})),
}


@pytest.mark.parametrize("name", FIELDS)
def test_a_misfitting_field_is_refused(stage: House, refused: Refusal, name: str) -> None:
    code, change = FIELDS[name]
    text = canonical(change(body_of(stage))).encode()
    refused(lambda: post(stage, text), 422, code)


def test_a_number_too_large_for_json_readers_is_refused(stage: House, refused: Refusal) -> None:
    """As a number it is no leaf; as a string it is read, and what it says is then refused by the rules."""
    body = body_of(stage, replace(has(stage), round=2**53))
    assert body["message"]["round"] == str(2**53)
    as_number = {**body, "message": {**body["message"], "round": 2**53}}
    refused(lambda: post(stage, canonical(as_number).encode()), 422, "invalid-leaf")
    answer = post(stage, canonical(body).encode())
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-subject"), answer.text


@holds("A message has exactly one text", by="contracts/protocol/log/leaf.py:read", against=Threat.FORGED_MESSAGE)
def test_another_spelling_is_refused(stage: House, refused: Refusal) -> None:
    text = json.dumps(body_of(stage), sort_keys=True)
    refused(lambda: post(stage, text.encode()), 422, "invalid-leaf")


def _by(key: LocalAccount, domain: Domain | None = None) -> Callable[[House], bytes]:
    return lambda house: sign(has(house), domain or house.ledger.chain.domain, bytes(key.key))


def _true(house: House) -> bytes:
    return _by(verifier_keys()[0])(house)


def _malleable(house: House) -> bytes:
    good = _true(house)
    s = SECPK1_N - int.from_bytes(good[32:64], "big")
    return good[:32] + s.to_bytes(32, "big") + bytes([55 - good[64]])


SIGNATURES: dict[str, Callable[[House], bytes]] = {
    "another's": _by(verifier_keys()[1]),
    "a stranger's": _by(key_of("stranger")),
    "for another chain": lambda h: _by(verifier_keys()[0], replace(h.ledger.chain.domain, chain_id=1))(h),
    "for another contract": lambda h: _by(verifier_keys()[0], h.ledger.chain.epoch_domain)(h),
    "under another message": lambda h: sign(
        replace(has(h), round=9), h.ledger.chain.domain, bytes(verifier_keys()[0].key)
    ),
    "malleable": _malleable,
    "v of 0": lambda h: _true(h)[:64] + b"\0",
    "of zeros": lambda h: bytes(65),
    "cut": lambda h: _true(h)[:64],
    "too long": lambda h: _true(h) + b"\0",
    "empty": lambda h: b"",
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_a_wrong_signature_is_refused(stage: House, refused: Refusal, name: str) -> None:
    body = {**body_of(stage), "signatures": ["0x" + SIGNATURES[name](stage).hex()]}
    before = stage.dump()
    answer = post(stage, canonical(body).encode())
    check_refused(answer, answer.status_code, answer.json()["code"])
    assert (answer.status_code, answer.json()["code"]) in {(401, "bad-signature"), (422, "invalid-leaf")}
    assert stage.dump() == before


@pytest.mark.parametrize("count", [0, 2])
def test_a_message_has_one_signature(stage: House, refused: Refusal, count: int) -> None:
    body = body_of(stage)
    text = canonical({**body, "signatures": body["signatures"] * count}).encode()
    before = stage.dump()
    answer = post(stage, text)
    assert answer.status_code in (401, 422), answer.text
    assert stage.dump() == before


def test_a_heartbeat_and_a_strangers_mirror_are_refused(stage: House, refused: Refusal) -> None:
    node, stranger = stage.run.nodes[0], key_of("stranger")
    renewal = messages.LeaseRenewal(stage.run.run, 2, node.address, 3)
    mirror = messages.MirrorAddress(stranger.address, "https://mirror.example", 1)
    sent = {
        "lease-renewal": stage.run.envelope(renewal, node),
        "mirror-address": stage.run.envelope(mirror, stranger),
    }
    texts = {kind: canonical({"kind": kind, **envelope.body()}).encode() for kind, envelope in sent.items()}
    refused(lambda: post(stage, texts["lease-renewal"]), 422, "not-for-the-log")
    refused(lambda: post(stage, texts["mirror-address"]), 403, "not-verifier")


def test_what_the_rules_refuse_has_their_code(stage: House, refused: Refusal) -> None:
    """By who has no part in it, about what is not there, and again in other words."""
    stranger = key_of("stranger")
    own = stage.run.commitment(stage.run.nodes[0])
    cases: list[tuple[Any, LocalAccount, dict[str, Any]]] = [
        (has(stage, stranger), stranger, {}),
        (replace(has(stage), run=b"\7" * 32), verifier_keys()[0], {}),
        (replace(own, tokens=own.tokens + 1), stage.run.nodes[0], {"first_path": [], "last_path": []}),
    ]
    for message, author, beside in cases:
        text = write(Envelope(message, stage.run.envelope(message, author).signatures, beside)).encode()
        before = stage.dump()
        answer = post(stage, text)
        check_refused(answer, answer.status_code, answer.json()["code"])
        assert answer.status_code in (403, 404, 409, 422), answer.text
        assert stage.dump() == before


@holds(
    "A message that is sent twice is entered once",
    by="ledger/machine/replica.py:Replica.known",
    against=Threat.FORGED_MESSAGE,
)
def test_a_message_is_taken_once_and_answered_alike(house: House) -> None:
    house.start()
    proof = house.run.commit(house.run.nodes[0])
    text = canonical(body_of(house)).encode()
    first = accepted(post(house, text))
    size, before = len(house.log()), house.dump()
    assert (first["index"], first["entered"]) == (size - 1, 0)
    assert house.log()[first["index"]] == json.loads(text)
    assert accepted(post(house, text)) == first
    assert house.dump() == before
    assert house.get(f"/proofs/0x{proof.hex()}")["has"] == [verifier_keys()[0].address]


def test_a_mirrors_address_is_shown_to_who_begins_here(house: House) -> None:
    house.start()
    verifier = verifier_keys()[1]
    message = messages.MirrorAddress(verifier.address, "https://mirror.example/log", 2**60)
    body = {"kind": "mirror-address", **house.run.envelope(message, verifier).body()}
    assert accepted(post(house, canonical(body).encode()))["index"] is None
    shown = {line["verifier"]: line for line in house.get("/mirrors")["mirrors"]}
    assert set(shown) == {v.address for v in verifier_keys()}
    assert shown[verifier.address] == {"verifier": verifier.address, "url": message.url, "message": body}
