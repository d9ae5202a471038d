"""Blobs are taken as messages in the log announce them, until their epoch is final."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlmodel import select

from contracts.messages import for_log as messages
from contracts.protocol.log.signed import Envelope
from contracts.protocol.run_config import RunConfig
from contracts.tensors.tensorfile import pack
from ledger.context import Ledger
from ledger.machine import announced
from ledger.machine.announced import NotAnnounced
from ledger.storage.store import Store
from ledger.storage.tables import AnnouncedRow
from tests.contracts.protocol.log.signed_run import SignedRun
from tests.ledger.service import facts_of, give, ledger_of
from trainer.model.state import initial_theta, start_tensors

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def run() -> SignedRun:
    made = SignedRun(rounds=2)
    made.play(2)
    return made


def all_announced(ledger: Ledger) -> list[AnnouncedRow]:
    with ledger.store.read() as session:
        return list(session.exec(select(AnnouncedRow)))


def test_a_message_announces_its_blobs_until_its_epoch_is_final(store: Store, tmp_path: Path, run: SignedRun) -> None:
    ledger = ledger_of(store, tmp_path)
    seen: dict[str, AnnouncedRow] = {}
    for fact in facts_of(run.leaves):
        give(ledger, fact)
        seen |= {row.digest: row for row in all_announced(ledger)}
    sent = [fact.message for fact in facts_of(run.leaves) if isinstance(fact, Envelope)]
    for message in sent:
        if isinstance(message, messages.Commitment):
            assert (seen[message.gradientBlob.hex()].size, seen[message.gradientBlob.hex()].kind) == (1_000, "gradient")
        if isinstance(message, messages.StateOpening):
            assert (seen[message.blob.hex()].size, seen[message.blob.hex()].kind) == (5_000, "state")
        if isinstance(message, messages.Merge):
            assert (seen[message.thetaBlob.hex()].size, seen[message.momentumBlob.hex()].size) == (1_000, 1_000)
    left = all_announced(ledger)
    assert {(row.round, row.kind) for row in left} == {(2, "weights"), (2, "momentum")}


def test_what_nobody_announced_is_refused(store: Store, tmp_path: Path, run: SignedRun) -> None:
    ledger = ledger_of(store, tmp_path)
    facts = facts_of(run.leaves)
    place = next(n for n, fact in enumerate(facts) if isinstance(getattr(fact, "message", None), messages.Commitment))
    for fact in facts[: place + 1]:
        give(ledger, fact)
    (row,) = all_announced(ledger)
    with ledger.store.read() as session:
        announced.require_announced(session, row.digest, 1_000)
        assert announced.sizes(session, row.digest) == {1_000}
        for digest, size in ((row.digest, 999), ("00" * 32, 1_000)):
            with pytest.raises(NotAnnounced) as refusal:
                announced.require_announced(session, digest, size)
            assert refusal.value.code == "not-announced"


@pytest.mark.parametrize("layers", [1, 3])
def test_no_state_of_a_run_is_larger_than_the_bound(layers: int) -> None:
    config = RunConfig(layers=layers, d_model=32, heads=2)
    theta = initial_theta(config)
    outer, whole = len(pack(theta)), len(pack(start_tensors(theta, None)))
    assert outer <= announced.largest(config, "weights") < 1.2 * outer
    assert whole <= announced.largest(config, "state") < 1.2 * whole
