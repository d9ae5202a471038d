"""Where the entries of an account's receipt stand: of its epoch, and of no other, and nobody else's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from contracts.ids import Address, as_address
from contracts.merkle.payout_tree import Payout, check_proof
from contracts.messages.for_contracts import EpochRoot, from_json
from contracts.messages.for_log import Commitment
from contracts.messages.signatures import Domain, digest, require_signer
from contracts.protocol.log.signed import read_envelope
from ledger.context import Ledger
from ledger.epochs.receipts import receipt_of
from ledger.errors import NotFound
from tests.databases import fresh_file
from tests.deployed import key_of
from tests.ledger.served_run import Served, ServedRun

pytestmark = pytest.mark.integration
Paid = tuple[Ledger, ServedRun]


@pytest.fixture(scope="module")
def paid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Paid]:
    """Two epochs of a round each, both final."""
    folder = tmp_path_factory.mktemp("receipts")
    served = Served()
    ledger = served.ledger(fresh_file(folder), folder)
    with ServedRun.on(served, ledger, rounds=2) as run:
        run.play(2)
        yield ledger, run


def accounts(run: ServedRun) -> list[Address]:
    bodies = [json.loads(leaf) for leaf in run.leaves]
    return [body["message"]["payout"] for body in bodies if body["kind"] == "enrolment"]


def parts_of(ledger: Ledger, epoch: int, account: str) -> dict[str, Any]:
    return dict(receipt_of(ledger, epoch, as_address(account)).to_json())


def shown(run: ServedRun, receipt: dict[str, Any]) -> list[dict[str, Any]]:
    return [json.loads(run.leaves[index]) for index in receipt["entries"]]


def test_each_epoch_shows_the_accounts_own_work_of_its_round(paid: Paid) -> None:
    ledger, run = paid
    for epoch in (1, 2):
        for node, account in zip(run.nodes, accounts(run), strict=True):
            entries = shown(run, parts_of(ledger, epoch, account))
            assert [e["kind"] for e in entries] == ["enrolment", "commitment", "posted", "epoch-closed"]
            enrolment, commitment, posted, closed = entries
            assert enrolment["message"]["node"] == commitment["message"]["node"] == node.address
            assert commitment["message"]["round"] == closed["epoch"] == epoch
            assert (posted["account"], posted["proof"]) == (account, proof_of(ledger.chain.domain, commitment))


def proof_of(domain: Domain, body: dict[str, Any]) -> str:
    inner = {name: value for name, value in body.items() if name != "kind"}
    return "0x" + digest(read_envelope(Commitment, inner).message, domain).hex()


def test_root_signatures_and_lines_are_those_of_the_epoch(paid: Paid) -> None:
    ledger, run = paid
    place = ledger.chain.deployment
    for account in accounts(run):
        receipt = parts_of(ledger, 2, account)
        root = from_json(EpochRoot, receipt["epoch"])
        assert root.logSize - 1 == receipt["entries"][-1]
        assert len(receipt["signatures"]) == 2
        for signer, signature in receipt["signatures"].items():
            require_signer(root, ledger.chain.epoch_domain, bytes.fromhex(signature[2:]), signer)
        (line,) = receipt["payouts"]
        amount = int(line["amount"])
        leaf = Payout(place.chain_id, place.distributor, 2, line["index"], account, line["kind"], amount).leaf()
        check_proof(leaf, [bytes.fromhex(node[2:]) for node in line["proof"]], root.root)


def test_the_anchors_of_all_verifiers_are_named(paid: Paid) -> None:
    ledger, run = paid
    receipt = parts_of(ledger, 1, accounts(run)[0])
    anchors = [json.loads(run.leaves[index]) for index in receipt["anchors"]]
    assert {body["kind"] for body in anchors} == {"verifier-anchor"}
    assert {body["message"]["verifier"] for body in anchors} == {v.address for v in run.verifiers}


def test_a_receipt_without_work_or_a_closed_epoch_is_not_found(paid: Paid) -> None:
    ledger, run = paid
    with pytest.raises(NotFound, match="neither work nor pay in epoch 1"):
        parts_of(ledger, 1, key_of("stranger").address)
    with pytest.raises(NotFound, match="epoch 3 is not closed"):
        parts_of(ledger, 3, accounts(run)[0])
