"""The door: whatever comes through it stands in log, books and rows at once, and what is refused stands nowhere."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from sqlmodel import select

from contracts.errors import CommonweightError
from contracts.messages import for_log as messages
from contracts.messages.for_contracts import Message
from contracts.messages.signatures import sign
from contracts.protocol.log.follower import audit
from contracts.protocol.log.leaf import write
from contracts.protocol.log.signed import Envelope
from ledger.books import journal
from ledger.context import Ledger
from ledger.intake import door
from ledger.machine import sharing
from ledger.storage.store import Store
from ledger.storage.tables import Epoch, MirrorRow, PayoutRow
from tests.contracts.protocol.log.signed_run import DOMAIN, SignedRun, key
from tests.holds import Threat, holds
from tests.ledger.service import facts_of, give, leaves, ledger_of, rows, state_text

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def run() -> SignedRun:
    made = SignedRun(rounds=2)
    made.play(2)
    return made


@pytest.fixture
def ledger(store: Store, tmp_path: Path) -> Ledger:
    return ledger_of(store, tmp_path)


def signed(message: Message, author: str) -> bytes:
    return write_beside(message, sign(message, DOMAIN, bytes(key(author).key)))


def write_beside(message: Message, *signatures: bytes) -> bytes:
    """As `leaf.write`, also for what stands in no log."""
    kind = "mirror-address" if isinstance(message, messages.MirrorAddress) else "lease-renewal"
    body = {"kind": kind, **Envelope(message, signatures, {}).body()}
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def test_an_honest_run_is_in_log_books_and_rows(ledger: Ledger, run: SignedRun) -> None:
    for fact in facts_of(run.leaves):
        give(ledger, fact)
    with ledger.store.read() as session:
        assert leaves(session) == run.leaves
        assert sum(journal.balances(session, "work").values()) == 0
        owed = journal.balances(session, "units")
        for node in run.nodes:
            wallet = key(f"wallet of {node.address}").address
            assert journal.balance(session, "work", wallet) == 2 * run.config.tokens_per_round
            assert owed[f"owed:{wallet}"] == 10**21
        epochs = session.exec(select(Epoch)).all()
        assert [(e.number, e.state, e.ours, e.attempt, e.total) for e in epochs] == [
            (1, "final", True, 0, 10**21),
            (2, "final", True, 0, 10**21),
        ]
        assert len(session.exec(select(PayoutRow)).all()) == 4


def test_a_message_is_answered_with_its_place_and_what_followed(ledger: Ledger, run: SignedRun) -> None:
    """The same again when it is sent again, and nothing changes."""
    answers = [(fact, give(ledger, fact)) for fact in facts_of(run.leaves)]
    before = rows(ledger.store)
    for fact, answer in answers:
        if answer is None:
            continue
        assert answer.index is not None
        assert run.leaves[answer.index] == write(fact)
        assert give(ledger, fact) == answer
    kept = [answer for _, answer in answers if answer is not None]
    assert sum(answer.entered for answer in kept) > 20
    assert rows(ledger.store) == before


def test_what_is_refused_changes_nothing_and_costs_no_copy(
    ledger: Ledger, run: SignedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = facts_of(run.leaves)
    for fact in facts[:20]:
        give(ledger, fact)
    before, text = rows(ledger.store), state_text(ledger)

    def no_copy(_: Any) -> Any:
        raise AssertionError("a refused fact cost a copy")

    monkeypatch.setattr(sharing, "copied", no_copy)
    refused = 0
    for fact in facts[20:]:
        if not isinstance(fact, Envelope) or isinstance(fact.message, messages.Commitment):
            continue
        if is_taken(ledger, fact):
            before, text = rows(ledger.store), state_text(ledger)
        else:
            refused += 1
            assert rows(ledger.store) == before
    assert refused > 10
    assert state_text(ledger) == text


def is_taken(ledger: Ledger, fact: Envelope) -> bool:
    try:
        give(ledger, fact)
    except CommonweightError:
        return False
    return True


@holds("A malformed message is refused before the writers' turn", by="ledger/intake/door.py:take", against=Threat.FLOOD)
@pytest.mark.parametrize("spoil", ["signature", "spelling", "beside", "kind", "size", "bytes"])
def test_what_is_malformed_is_refused_without_the_writers_turn(
    ledger: Ledger, run: SignedRun, spoil: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = facts_of(run.leaves)
    for fact in facts[:2]:
        give(ledger, fact)
    manifest = facts[2]
    assert isinstance(manifest, Envelope)
    text = write(manifest)
    forged = write(replace(manifest, signatures=(b"\1" * 64 + b"\x1b",)))
    spoilt = {
        "signature": forged.encode(),
        "spelling": text.replace('":', '": ', 1).encode(),
        "beside": write(replace(manifest, beside={**manifest.beside, "more": 1})).encode(),
        "kind": text.replace("run-terms", "run-ends").encode(),
        "size": text.encode() + b" " * 65_536,
        "bytes": b"\xff" + text.encode(),
    }[spoil]
    monkeypatch.setattr(ledger.store, "write", None)
    with pytest.raises(CommonweightError) as refusal:
        door.take(ledger, spoilt)
    assert refusal.value.status in (401, 413, 422)


def test_a_heartbeat_is_refused_with_a_code(ledger: Ledger, run: SignedRun) -> None:
    renewal = messages.LeaseRenewal(run.run, 1, key("node 0").address, 3)
    with pytest.raises(door.NotForTheLog) as refusal:
        door.take(ledger, signed(renewal, "node 0"))
    assert refusal.value.code == "not-for-the-log"


def test_of_a_mirrors_addresses_the_newest_is_kept(ledger: Ledger, run: SignedRun) -> None:
    for fact in facts_of(run.leaves)[:2]:
        give(ledger, fact)
    mine = key("verifier 0").address
    two = [messages.MirrorAddress(mine, f"https://mirror.example/{name}", 7) for name in "ab"]
    answers = [door.take(ledger, signed(message, "verifier 0")) for message in two]
    assert all(answer.index is None and answer.entered == 0 for answer in answers)
    larger = max(zip(answers, two, strict=True), key=lambda pair: pair[0].digest)[1]
    old = messages.MirrorAddress(mine, "https://mirror.example/old", 6)
    for message in (*two, old, two[0]):
        door.take(ledger, signed(message, "verifier 0"))
    assert [row.url for row in kept(ledger)] == [larger.url]
    door.take(ledger, signed(messages.MirrorAddress(mine, "-", 2**53 - 1), "verifier 0"))
    door.take(ledger, signed(messages.MirrorAddress(key("verifier 1").address, "http://other", 1), "verifier 1"))
    found = {row.verifier: row for row in kept(ledger)}
    assert found[mine].url == "-"
    assert json.loads(found[mine].text)["message"]["url"] == "-"
    assert len(found) == 2
    with ledger.store.read() as session:
        assert len(leaves(session)) == 2


@pytest.mark.parametrize(
    ("url", "author", "signer"),
    [
        ("https://mirror.example", "stranger", "stranger"),
        ("https://mirror.example", "verifier 0", "verifier 1"),
        ("ftp://mirror.example", "verifier 0", "verifier 0"),
        ("https://mirror.example/" + "a" * 200, "verifier 0", "verifier 0"),
    ],
)
def test_other_addresses_are_refused(ledger: Ledger, run: SignedRun, url: str, author: str, signer: str) -> None:
    for fact in facts_of(run.leaves)[:2]:
        give(ledger, fact)
    with pytest.raises(CommonweightError):
        door.take(ledger, signed(messages.MirrorAddress(key(author).address, url, 1), signer))
    assert kept(ledger) == []


def kept(ledger: Ledger) -> list[MirrorRow]:
    with ledger.store.read() as session:
        return door.mirrors(session)


def test_many_hands_at_once_enter_each_message_once(ledger: Ledger, run: SignedRun, tmp_path: Path) -> None:
    """Two processes with several threads each, all with the same messages; readers look on."""
    facts = facts_of(run.leaves)
    last = next(n for n, fact in enumerate(facts) if n > 2 and not isinstance(fact, Envelope))
    for fact in facts[:2]:
        give(ledger, fact)
    processes = [ledger, ledger_of(ledger.store, tmp_path)]
    start = threading.Barrier(4)

    def send(number: int) -> None:
        start.wait()
        for fact in facts[2:last]:
            while not is_taken(processes[number % 2], cast(Envelope, fact)):
                time.sleep(0.01)  # what it follows on is on its way by another hand
            state_text(processes[number % 2])

    with ThreadPoolExecutor(4) as hands:
        list(hands.map(send, range(4)))
    with ledger.store.read() as session:
        texts = leaves(session)
    audit(texts, run.functions, DOMAIN)
    assert sorted(texts) == sorted(run.leaves[: len(texts)])
    assert state_text(processes[0]) == state_text(processes[1])
