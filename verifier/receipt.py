"""A receipt checked by somebody who believes only what they brought along: addresses, and on request the chain."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from web3 import Web3

from contracts.errors import BadField, CommonweightError
from contracts.messages import EpochRoot, StepProof, TreeHead, from_json
from contracts.payout_tree import Payout, check_proof
from contracts.positional_tree import SHA256_TREE
from contracts.receipt import Contracts, MalformedReceipt, ProvenPayout, Receipt
from contracts.signing import Domain, digest, recover, require_signer
from contracts.token import ModelToken
from contracts.verifier_registry import EpochStatus, VerifierRegistry
from verifier import receipt_errors as wrong


@dataclass
class Findings:
    """What holds, and what nobody here could tell; `receipts` are the mint receipts (leaves) of the payouts."""

    holds: list[str] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)
    leaves: list[bytes] = field(default_factory=list)


def check_receipt(
    receipt: Receipt, trusted: Contracts | None = None, operator: str | None = None, w3: Web3 | None = None
) -> Findings:
    """All that can be said of a receipt, without a network unless a chain is given.

    Raises MalformedReceipt and ReceiptRefused at the first thing that is wrong.

    1. the contracts are those of `trusted`;
    2. the tree head is signed by `operator`;
    3. the log that the epoch is anchored to is a prefix of that head;
    4. every entry stands in that log, and the last one closes the epoch with the root that verifiers sign;
    5. every proof is signed by its node, and what was posted is credited to the account as it proved;
    6. every line of the account is under the root;
    7. every signature under the root is its verifier's;
    8. the chain has that root over that log; whether it is final, and what is paid.
    """
    found = Findings()
    try:
        epoch, head = from_json(EpochRoot, receipt.epoch), from_json(TreeHead, receipt.head.message)
        _check_contracts(receipt, epoch, trusted, found)  # 1.
        _check_head(receipt, head, operator, found)  # 2.
        _check_history(receipt, epoch, head, found)  # 3.
        closing = _check_entries(receipt, epoch, found)  # 4.
        _check_work(receipt, closing, found)  # 5.
        _check_payouts(receipt, epoch, found)  # 6.
        _check_cosignatures(receipt, epoch, found)  # 7.
        _check_chain(receipt, epoch, w3, found)  # 8.
    except (BadField, KeyError, ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise MalformedReceipt(f"not what a receipt holds: {error!r}") from error
    found.unchecked.append("that the amount is the account's share: it follows from the whole log (commonweight audit)")
    return found


def _check_contracts(receipt: Receipt, epoch: EpochRoot, trusted: Contracts | None, found: Findings) -> None:
    if "0x" + epoch.model.hex() != receipt.contracts.model:
        raise wrong.ReceiptForeign("the epoch's root is of another model than the receipt")
    if trusted is None:
        found.unchecked.append("that these contracts are the model's: give --deployment from somewhere you trust")
        return
    for name, given in trusted.model_dump().items():
        if str(getattr(receipt.contracts, name)).lower() != str(given).lower():
            raise wrong.ReceiptForeign(f"{name} is {getattr(receipt.contracts, name)}, not {given}")
    found.holds.append(f"contracts: those of your deployment, chain {trusted.chain_id}, model {trusted.model}")


def _check_head(receipt: Receipt, head: TreeHead, operator: str | None, found: Findings) -> None:
    with _refused_as(wrong.HeadUnsigned):
        signer = recover(head, _domain(receipt), _octets(receipt.head.signature))
    if operator is None:
        found.unchecked.append(f"that {signer}, who signed the tree head, is the operator: give --operator")
    elif signer.lower() != operator.lower():
        raise wrong.HeadUnsigned(f"the tree head is signed by {signer}, not by the operator {operator}")
    found.holds.append(f"head: {head.logSize} entries, signed by {signer} at {head.timestamp}")


def _check_history(receipt: Receipt, epoch: EpochRoot, head: TreeHead, found: Findings) -> None:
    path = [_octets(node) for node in receipt.consistency]
    with _refused_as(wrong.HistoryBroken):
        SHA256_TREE.check_consistency(epoch.logSize, head.logSize, epoch.logRoot, head.logRoot, path)
    found.holds.append(f"history: the epoch's log of {epoch.logSize} entries is a prefix of that head")


def _check_entries(receipt: Receipt, epoch: EpochRoot, found: Findings) -> dict[str, Any]:
    """Returns the entry that closes the epoch."""
    for entry in receipt.entries:
        path = [_octets(node) for node in entry.path]
        with _refused_as(wrong.EntryUnproven, f"entry {entry.index}: "):
            SHA256_TREE.check_inclusion(entry.body.encode(), entry.index, epoch.logSize, path, epoch.logRoot)
    found.holds.append(f"entries: {len(receipt.entries)} stand in the epoch's log")
    last = [entry for entry in receipt.entries if entry.index == epoch.logSize - 1]
    closing: dict[str, Any] = json.loads(last[0].body) if last else {}
    said = tuple(closing.get(name) for name in ("kind", "epoch", "root", "total", "count", "deadline"))
    signed = ("0x" + epoch.root.hex(), str(epoch.total), epoch.count, epoch.deadline)
    if said != ("epoch-closed", epoch.epoch, *signed):
        raise wrong.ClosingDiffers(f"the last entry of the epoch's log does not close epoch {epoch.epoch} as signed")
    found.holds.append(f"closing: the log gives epoch {epoch.epoch} the root 0x{epoch.root.hex()}")
    return closing


def _check_work(receipt: Receipt, closing: dict[str, Any], found: Findings) -> None:
    proofs: dict[str, StepProof] = {}
    ends: dict[str, str] = {}
    for entry in sorted(receipt.entries, key=lambda e: e.index):
        said = json.loads(entry.body)
        if said["kind"] == "proof-submitted":
            proofs[said["proof"]] = _submitted(receipt, said, closing)
        elif said["kind"] in ("proof-posted", "proof-voided", "appeal-decided"):
            key = said["proof"]
            _require(key in proofs, f"entry {entry.index} is about a proof that the receipt does not show")
            ends[key] = _decided(receipt, said, proofs[key], closing, ends.get(key))
    for key, proof in proofs.items():
        found.holds.append(f"work: {proof.tokens} tokens of round {proof.round}, {ends.get(key, 'undecided')} ({key})")


def _submitted(receipt: Receipt, said: dict[str, Any], closing: dict[str, Any]) -> StepProof:
    with _refused_as(wrong.WorkDiffers):
        proof = from_json(StepProof, said["message"])
        require_signer(proof, _domain(receipt), _octets(said["signature"]), proof.node)
    _require("0x" + digest(proof, _domain(receipt)).hex() == said["proof"], "a proof's id is not its message's")
    _require("0x" + proof.run.hex() == closing["run"], "a proof is of another run than the epoch")
    return proof


def _decided(
    receipt: Receipt, said: dict[str, Any], proof: StepProof, closing: dict[str, Any], before: str | None
) -> str:
    """How the proof stands after this entry, `before` being how it stood."""
    paid_rounds = range(closing["first_round"], closing["last_round"] + 1)
    if said["kind"] == "appeal-decided":
        _require(before is not None and before.startswith("voided"), "an appeal on a proof that was not voided")
        _require_own(receipt, said)
        if not said["message"]["upheld"]:
            return f"{before}, appeal dismissed"
        _require(said["decided_round"] in paid_rounds, "a proof was restored in rounds that another epoch pays")
        return "restored by appeal"
    _require(before is None, "a proof is decided twice")
    if said["kind"] == "proof-voided":
        return f"voided for {said['reason']}"
    _require_own(receipt, said)
    _require(said["work"] == proof.tokens, "a proof is credited with other work than it names")
    _require(proof.round in paid_rounds, "a proof is of rounds that another epoch pays")
    return "posted"


def _require_own(receipt: Receipt, said: dict[str, Any]) -> None:
    mine = said["account"].lower() == receipt.account.lower()
    _require(mine, f"proof {said['proof']} is credited to {said['account']}, not to {receipt.account}")


def _check_payouts(receipt: Receipt, epoch: EpochRoot, found: Findings) -> None:
    for line in receipt.payouts:
        leaf = _leaf(receipt, epoch, line)
        with _refused_as(wrong.PayoutUnproven, f"line {line.index}: "):
            check_proof(leaf, [_octets(node) for node in line.proof], epoch.root)
        if leaf in found.leaves:
            raise wrong.PayoutUnproven(f"line {line.index} comes twice")
        found.leaves.append(leaf)
        found.holds.append(f"payout: {line.amount} units for {receipt.account} are under that root")
    if not receipt.payouts:
        found.holds.append(f"payout: none for {receipt.account}")


def _leaf(receipt: Receipt, epoch: EpochRoot, line: ProvenPayout) -> bytes:
    place, amount = receipt.contracts, int(line.amount)
    return Payout(place.chain_id, place.distributor, epoch.epoch, line.index, receipt.account, line.kind, amount).leaf()


def _check_cosignatures(receipt: Receipt, epoch: EpochRoot, found: Findings) -> None:
    domain = Domain(receipt.contracts.chain_id, receipt.contracts.verifier_registry)
    for signer, signature in receipt.signatures.items():
        with _refused_as(wrong.CosignatureBroken):
            require_signer(epoch, domain, _octets(signature), signer)
    signers = {signer.lower() for signer in receipt.signatures}
    found.holds.append(f"signatures: {len(signers)} under the root of epoch {epoch.epoch}")


def _check_chain(receipt: Receipt, epoch: EpochRoot, w3: Web3 | None, found: Findings) -> None:
    if w3 is None:
        found.unchecked.append("that the signers are verifiers, and the chain has this root, final and paid: --rpc-url")
        return
    place = receipt.contracts
    if w3.eth.chain_id != place.chain_id:
        raise wrong.ReceiptForeign(f"the node is of chain {w3.eth.chain_id}, the receipt of {place.chain_id}")
    state = VerifierRegistry(w3, place.verifier_registry).epoch_of(epoch.epoch)
    if state.status is EpochStatus.NONE:
        found.unchecked.append(f"the root of epoch {epoch.epoch}: the chain has none yet; ask again later")
        return
    held = (state.root, state.total, state.count, state.log_size, state.log_root)
    if held != (epoch.root, epoch.total, epoch.count, epoch.logSize, epoch.logRoot):
        raise wrong.ChainDiffers(f"the chain has root 0x{state.root.hex()} for epoch {epoch.epoch}, or another log")
    found.holds.append(f"chain: epoch {epoch.epoch} is {state.status.name.lower()} there, with this root and this log")
    token = ModelToken(w3, place.token)
    for line, leaf in zip(receipt.payouts, found.leaves, strict=True):
        paid = "paid" if token.receipt_paid(leaf) else "not claimed yet"
        found.holds.append(f"chain: {line.amount} units under mint receipt 0x{leaf.hex()} are {paid}")


def _domain(receipt: Receipt) -> Domain:
    return Domain(receipt.contracts.chain_id, receipt.contracts.model_registry)


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise wrong.WorkDiffers(otherwise)


@contextmanager
def _refused_as(kind: type[wrong.ReceiptRefused], where: str = "") -> Iterator[None]:
    """What a check below raises, under the receipt's own code."""
    try:
        yield
    except CommonweightError as error:
        raise kind(where + error.detail) from error


def _octets(text: str) -> bytes:
    return bytes.fromhex(text[2:])
