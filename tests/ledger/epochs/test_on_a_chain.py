"""The ledger of 0.2.0 on a real chain: blocks into the log, roots and faults to the chain, claims to their payees."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from eth_account.signers.local import LocalAccount
from sqlmodel import select

from contracts.chain.connection import send
from contracts.errors import CommonweightError
from contracts.ids import ProofId, as_address
from contracts.messages.for_contracts import NodeFault, VerifierFault
from contracts.messages.signatures import sign
from contracts.protocol.faults import fault_evidence
from contracts.protocol.judge.entries import Fault
from contracts.protocol.judge.facts import Block, Rules
from contracts.protocol.log.follower import audit
from contracts.protocol.log.leaf import read
from ledger import faults
from ledger.books import journal
from ledger.clock import keeper
from ledger.context import Ledger
from ledger.crash_points import Crashed, armed
from ledger.epochs import settlement
from ledger.errors import TooEarly
from ledger.fsck.examine import FsckFailed, require_sound
from ledger.intake import blocks
from ledger.relay import outbox
from ledger.storage.tables import Epoch, PayoutRow
from tests.deployed import PARAMS, key_of, verifier_keys
from tests.holds import Threat, holds
from tests.ledger.served_run import Served, ServedRun
from tests.ledger.service import leaves, rows

pytestmark = pytest.mark.integration


@pytest.fixture
def served() -> Served:
    return Served()


@pytest.fixture
def ledger(served: Served, database: str, tmp_path: Path) -> Ledger:
    return served.ledger(database, tmp_path)


def entered(ledger: Ledger) -> list[Block]:
    """The blocks in the log."""
    with ledger.store.read() as session:
        texts = leaves(session)
    return [e for e in (read(text, ledger.judge.domain, as_address) for text in texts) if isinstance(e, Block)]


def test_an_honest_run_is_paid_on_the_chain(served: Served, ledger: Ledger) -> None:
    with ServedRun.on(served, ledger, rounds=2) as run:
        run.play(2)
        with ledger.store.read() as session:
            assert leaves(session) == run.leaves
            epochs = session.exec(select(Epoch)).all()
            assert [(e.number, e.state, e.ours) for e in epochs] == [(1, "final", True), (2, "final", True)]
            line = session.exec(select(PayoutRow).where(PayoutRow.epoch == 1)).first()
        assert line is not None
        audit(run.leaves, ledger.judge.functions, ledger.judge.domain)
        require_sound(ledger)
        settlement.claim(ledger, 1, as_address(line.account))
        outbox.flush(ledger)
        for _ in range(3):
            run.block()
            run.settle()
        assert served.model.token.balance_of(as_address(line.account)) == line.amount
        with ledger.store.read() as session:
            assert journal.balance(session, "units", f"minted:{line.account}") == line.amount
        require_sound(ledger)


def test_the_keeper_enters_final_blocks_as_they_are_due(served: Served, ledger: Ledger) -> None:
    keeper.step(ledger)
    (first,) = entered(ledger)
    with ledger.store.read() as session:
        assert isinstance(read(leaves(session)[0], ledger.judge.domain, as_address), Rules)
        with ledger.judge.view(session) as state:
            assert sorted(n for n, v in state.verifiers.items() if v.admitted and v.stake == PARAMS.min_stake) == [
                v.address for v in sorted(verifier_keys(), key=lambda v: v.address)
            ]
            assert state.k == PARAMS.threshold
    keeper.step(ledger)
    assert entered(ledger) == [first]
    served.chain.increase_time(ledger.enter_every + 1)
    served.chain.mine()
    keeper.step(ledger)
    assert [block.number for block in entered(ledger)] == [first.number, served.model.final()]


def test_of_two_processes_one_enters_a_block(served: Served, ledger: Ledger, database: str, tmp_path: Path) -> None:
    """Both read it; whoever has its turn first enters it."""
    other = served.ledger(database, tmp_path)
    with armed("blocks.read", lambda: blocks.follow(other)):
        blocks.follow(ledger)
    assert len(entered(ledger)) == 1
    served.chain.increase_time(100)
    served.chain.mine()
    with armed("blocks.read", lambda: blocks.follow(other)):
        blocks.follow(ledger)
    assert len(entered(ledger)) == 2
    with ledger.store.read() as session:
        assert ledger.judge.copy(session) == other.judge.copy(session)


def test_an_event_is_entered_once_though_a_later_block_was_read(served: Served, ledger: Ledger) -> None:
    """One process has read up to the newest final block, and another enters an earlier one before it."""
    blocks.follow(ledger)
    verifier, reader = verifier_keys()[0], ledger.reader
    send(served.model.w3, verifier, served.model.registry.stake(), value=7)
    earlier = served.model.final()
    served.chain.mine(2)

    def enter_earlier() -> None:
        with ledger.store.read() as session:
            state = ledger.judge.copy(session)
        with ledger.store.write() as session:
            ledger.judge.enter(session, reader.block(state, earlier))

    with armed("blocks.read", enter_earlier):
        blocks.follow(ledger)
    served.chain.increase_time(100)
    served.chain.mine()
    blocks.follow(ledger)
    said = [(block.number, len(block.events)) for block in entered(ledger)[1:]]
    assert said == [(earlier, 1), (served.model.final(), 0)]


@holds(
    "A block is entered whole and once, whoever else writes",
    by="ledger/intake/blocks.py:follow",
    against=Threat.BAD_CHAIN,
)
@pytest.mark.parametrize("point", ["blocks.read", "judgement.applied", "judgement.logged", "judgement.booked"])
def test_a_block_is_entered_whole_or_not_at_all(served: Served, ledger: Ledger, point: str) -> None:
    blocks.follow(ledger)
    served.chain.increase_time(100)
    served.chain.mine()
    before = rows(ledger.store)
    with pytest.raises(Crashed), armed(point, "raise"):
        blocks.follow(ledger)
    assert rows(ledger.store) == before
    blocks.follow(ledger)
    assert len(entered(ledger)) == 2


def test_a_root_takes_k_signatures_over_the_closed_epoch(served: Served, ledger: Ledger) -> None:
    """Of admitted verifiers."""
    with ServedRun.on(served, ledger) as run:
        run.commit_all()
        run.see()
        run.read_all()
        run.merge()
        with ledger.store.read() as session:
            message = settlement.root_message(ledger, session.get_one(Epoch, 1))
        stranger, verifier = key_of("stranger"), verifier_keys()[0]
        for author, said in ((stranger, message), (verifier, replace(message, settledAt=message.settledAt + 1))):
            signature = sign(said, served.model.epoch_domain, bytes(author.key))
            with pytest.raises(CommonweightError):
                settlement.sign(ledger, 1, said, signature, author.address)
        run.sign_root(1, run.verifiers[:1])
        run.settle()
        assert calls(ledger) == []
        run.sign_root(1, run.verifiers[1:2])
        run.settle()
        (name,) = calls(ledger)
        assert name.startswith("propose-root:1:0:")
        with pytest.raises(TooEarly):
            settlement.claim(ledger, 1, run.creator.address)


def test_the_relayer_claims_for_no_contract(served: Served, ledger: Ledger) -> None:
    with pytest.raises(settlement.ContractAccount):
        settlement.claim(ledger, 1, served.model.deployment.timelock)
    assert calls(ledger) == []


def calls(ledger: Ledger) -> list[str]:
    with ledger.store.read() as session:
        return [row.id for row in outbox.listed(session)]


@holds("A slash needs k signatures under a final root", by="ledger/faults.py:sign", against=Threat.BAD_VERIFIER)
def test_faults_are_signed_as_the_machine_lets_them_and_slashed(
    served: Served, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine's list is given here: how it comes to be is tested with the machine."""
    blocks.follow(ledger)
    node, bad, *others = key_of("creator"), *verifier_keys()
    proof, evidence_of = ProofId("0x" + "1d" * 32), fault_evidence
    signable = {(proof, node.address, ""), (proof, bad.address, str(Fault.WRONG_TRACE))}
    with ledger.store.write() as session:
        ledger.judge.at_end(session).signable |= signable
    with ledger.store.read() as session, ledger.judge.view(session) as state:
        state.signable |= signable
    about_node = NodeFault(served.model.model, node.address, bytes.fromhex(proof[2:]), 2**64 - 1)
    evidence = evidence_of(proof, Fault.WRONG_TRACE)
    about_verifier = VerifierFault(served.model.model, bad.address, evidence, 2**64 - 1)

    def given(message: NodeFault | VerifierFault, author: LocalAccount) -> None:
        signature = sign(message, served.model.epoch_domain, bytes(author.key))
        faults.sign(ledger, message, signature, author.address)

    refused: list[tuple[NodeFault | VerifierFault, LocalAccount]] = [
        (about_verifier, bad),
        (about_verifier, node),
        (replace(about_node, deadline=2**63), others[0]),
        (replace(about_node, proof=b"\1" * 32), others[0]),
        (replace(about_verifier, evidence=evidence_of(proof, Fault.TWO_WORDS)), others[0]),
    ]
    for message, author in refused:
        with pytest.raises(CommonweightError):
            given(message, author)
    given(about_verifier, others[0])
    given(about_node, others[0])
    faults.settle(ledger)
    assert calls(ledger) == []
    given(about_verifier, others[1])
    given(about_node, others[1])
    faults.settle(ledger)
    faults.settle(ledger)
    assert calls(ledger) == [f"punish:0x{evidence.hex()}:{bad.address}"]  # the node has nothing to take
    send(served.w3, node, served.model.nodes.stake(), value=10**16)
    faults.settle(ledger)
    assert sorted(calls(ledger)) == [f"punish:0x{evidence.hex()}:{bad.address}", f"slash-node:{proof}"]
    with ledger.store.write() as session:
        (punish, *_) = outbox.listed(session)
        punish.state = "dead"
        session.add(punish)
    said = ledger.store.changes.count
    faults.settle(ledger)
    assert ledger.store.changes.count == said, "what is dead is not queued again in each pass"
    with ledger.store.write() as session:
        outbox.retry(session, punish.id)
    before = served.model.registry.stake_of(bad.address)
    outbox.flush(ledger)
    served.chain.mine(2)
    outbox.flush(ledger)
    assert served.model.registry.stake_of(bad.address) < before


def test_fsck_names_what_differs_from_log_and_chain(served: Served, ledger: Ledger) -> None:
    with ServedRun.on(served, ledger) as run:
        run.play(1)
        require_sound(ledger)
        with ledger.store.write() as session:
            row = session.get_one(Epoch, 1)
            row.total, row.state = row.total + 1, "closed"
            session.add(row)
            session.add(
                PayoutRow(epoch=1, index=7, account=run.creator.address, kind=0, amount=5, leaf="0x" + "11" * 32)
            )
        with pytest.raises(FsckFailed) as failed:
            require_sound(ledger)
        named = {(finding.table, finding.key) for finding in failed.value.findings}
        assert {("epoch", "1"), ("payout", "(1, 7)")} <= named
