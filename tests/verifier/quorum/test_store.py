"""Signatures on what contracts read: kept once, shown to all, taken from verifiers alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import BadField
from contracts.messages.for_contracts import NodeFault, VerifierFault, to_json
from contracts.messages.signatures import Domain, sign
from tests.contracts.protocol.log.signed_run import key
from verifier.quorum import store as stores
from verifier.quorum.store import QuorumStore

pytestmark = pytest.mark.unit
DOMAIN = Domain(31337, "0x" + "ef" * 20)
OWN, OTHER, STRANGER = key("verifier 0"), key("verifier 1"), key("stranger")
FAULT = NodeFault(b"\1" * 32, key("node 0").address, b"\2" * 32, 2**64 - 1)
ELSEWHERE = NodeFault(b"\1" * 32, key("node 1").address, b"\3" * 32, 2**64 - 1)


def signature(message: NodeFault, author: Any, domain: Domain = DOMAIN) -> bytes:
    return sign(message, domain, bytes(author.key))


def shown(fault: NodeFault, author: Any, **changes: Any) -> bytes:
    """What a mirror of this verifier answers."""
    entry = {
        "kind": "NodeFault",
        "message": to_json(fault),
        "signer": author.address,
        "signature": "0x" + signature(fault, author).hex(),
    }
    return json.dumps({"signatures": [entry | changes]}).encode()


def is_verifier(address: str) -> bool:
    return address in (OWN.address, OTHER.address)


@pytest.fixture
def store(tmp_path: Path) -> QuorumStore:
    made = QuorumStore(tmp_path / "s.db", DOMAIN, lambda: 7.0)
    assert made.keep("fault/a", FAULT, OWN.address, signature(FAULT, OWN))
    return made


def test_what_was_signed_is_there_after_a_restart(store: QuorumStore, tmp_path: Path) -> None:
    store.close()
    (signed,) = QuorumStore(tmp_path / "s.db", DOMAIN).all()
    assert (signed.subject, signed.message, signed.since) == ("fault/a", FAULT, 7.0)
    assert signed.signatures == {OWN.address: signature(FAULT, OWN)}


def test_it_is_kept_once(store: QuorumStore) -> None:
    assert not store.keep("fault/a", FAULT, OWN.address, signature(FAULT, OWN))
    assert store.has(FAULT)
    assert not store.has(ELSEWHERE)


def test_another_verifiers_signature_is_taken_once(store: QuorumStore) -> None:
    assert store.take(shown(FAULT, OTHER), is_verifier) == 1
    assert store.take(shown(FAULT, OTHER), is_verifier) == 0
    (signed,) = store.all()
    assert set(signed.signatures) == {OWN.address, OTHER.address}


def test_two_stores_that_show_each_other_have_the_same(store: QuorumStore, tmp_path: Path) -> None:
    other = QuorumStore(tmp_path / "other.db", DOMAIN)
    other.keep("fault/a", FAULT, OTHER.address, signature(FAULT, OTHER))
    assert (other.take(store.show(), is_verifier), store.take(other.show(), is_verifier)) == (1, 1)
    assert other.all()[0].signatures == store.all()[0].signatures


@pytest.mark.parametrize(
    "answer",
    [
        shown(FAULT, STRANGER),
        shown(ELSEWHERE, OTHER),
        shown(FAULT, OTHER, signature="0x" + signature(ELSEWHERE, OTHER).hex()),
        shown(FAULT, OTHER, signature="0x" + signature(FAULT, OTHER, Domain(1, "0x" + "ef" * 20)).hex()),
        shown(FAULT, OTHER, signer=STRANGER.address),
        shown(FAULT, OTHER, kind="Commitment"),
        shown(FAULT, OTHER, message={}),
        shown(FAULT, OTHER, signature=7),
        b'{"signatures": [1, null, {}]}',
    ],
)
def test_what_is_wrong_or_about_something_else_is_passed_over(store: QuorumStore, answer: bytes) -> None:
    assert store.take(answer, is_verifier) == 0
    assert set(store.all()[0].signatures) == {OWN.address}


@pytest.mark.parametrize("answer", [b"", b"[]", b"{}", b'{"signatures": 1}', b"[" * 50_000, b"\xff"])
def test_another_form_is_refused(store: QuorumStore, answer: bytes) -> None:
    with pytest.raises(BadField):
        store.take(answer, is_verifier)


def test_signers_are_bounded(store: QuorumStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "SIGNERS", 1)
    assert store.take(shown(FAULT, OTHER), is_verifier) == 0


def test_what_is_not_due_any_more_is_forgotten(store: QuorumStore) -> None:
    store.keep("fault/b", ELSEWHERE, OWN.address, signature(ELSEWHERE, OWN))
    store.forget({"fault/b"})
    assert [signed.message for signed in store.all()] == [ELSEWHERE]
    assert not store.has(FAULT)


def test_nobody_signs_under_its_own_fault(tmp_path: Path) -> None:
    """The registry refuses the whole call for it, and whoever gathers would bring it again and again."""
    fault = VerifierFault(b"\1" * 32, OTHER.address, b"\2" * 32, 2**64 - 1)
    kept = QuorumStore(tmp_path / "signatures.db", DOMAIN)
    kept.keep("fault", fault, OWN.address, sign(fault, DOMAIN, bytes(OWN.key)))
    for author in (OTHER, key("verifier 2")):
        entry = {
            "kind": "VerifierFault",
            "message": to_json(fault),
            "signer": author.address,
            "signature": "0x" + sign(fault, DOMAIN, bytes(author.key)).hex(),
        }
        kept.take(json.dumps({"signatures": [entry]}).encode(), lambda _: True)
    (found,) = kept.all()
    assert set(found.signatures) == {OWN.address, key("verifier 2").address}


def test_the_oldest_are_shown_where_there_are_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "SHOWN", 1)
    now = iter((1.0, 2.0))
    kept = QuorumStore(tmp_path / "signatures.db", DOMAIN, lambda: next(now))
    for message in (FAULT, ELSEWHERE):
        kept.keep("fault", message, OWN.address, signature(message, OWN))
    (shown_first,) = json.loads(kept.show())["signatures"]
    assert shown_first["message"] == to_json(FAULT)
