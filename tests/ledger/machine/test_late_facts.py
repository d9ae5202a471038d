"""A late fact about a run that is over, refused, rolled back or committed: readers see what the database has."""

from __future__ import annotations

import pytest

from contracts.messages import for_log as messages
from contracts.messages.signatures import sign
from contracts.protocol.judge.errors import AlreadySaid
from contracts.protocol.judge.facts import Block, Rules
from contracts.protocol.judge.snapshot import dump
from contracts.protocol.log.signed import Envelope
from ledger.machine.replica import Replica
from ledger.storage.store import Store
from tests.contracts.protocol.log.signed_run import DOMAIN, SignedRun
from tests.ledger.service import facts_of

pytestmark = pytest.mark.integration


class Failed(Exception):
    """A transaction that ends badly."""


def seen(writer: Replica, store: Store) -> str:
    with store.read() as session, writer.view(session) as state:
        return str(dump(state))


def roll_back(writer: Replica, store: Store, fact: Rules | Block | Envelope) -> None:
    def enter() -> None:
        with store.write() as session:
            writer.enter(session, fact)
            raise Failed

    with pytest.raises(Failed):
        enter()


def test_a_late_fact_is_seen_where_it_is_committed(store: Store) -> None:
    run = SignedRun(rounds=1)
    run.play()
    writer = Replica(run.functions, DOMAIN)
    for fact in facts_of(run.leaves):
        with store.write() as session:
            writer.enter(session, fact)
    before, over = seen(writer, store), len(run.leaves)
    late = [messages.Leave(run.run, node.address, 10**6) for node in run.nodes]
    for message, node in zip(late, run.nodes, strict=True):
        run.send(message, node)
    facts = facts_of(run.leaves)[-2:]
    assert len(run.leaves) == over + 2
    for _ in range(2):  # rolled back, the first time with the machine that wrote the run, then with a copy
        roll_back(writer, store, facts[0])
        assert seen(writer, store) == before
    with store.write() as session:
        writer.enter(session, facts[0])
        assert seen(Replica(run.functions, DOMAIN), store) == before
    one = seen(writer, store)
    assert one == seen(Replica(run.functions, DOMAIN), store) != before
    older = messages.Leave(run.run, run.nodes[0].address, 10**5)
    refused = Envelope(older, (sign(older, DOMAIN, bytes(run.nodes[0].key)),), {})
    with pytest.raises(AlreadySaid), store.write() as session:
        writer.enter(session, refused)
    assert seen(writer, store) == one
    roll_back(writer, store, facts[1])
    assert seen(writer, store) == one
    with store.write() as session:
        writer.enter(session, facts[1])
    assert seen(writer, store) == seen(Replica(run.functions, DOMAIN), store) == str(dump(run.state))
