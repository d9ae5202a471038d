"""The receipt of an account for an epoch: its proofs' entries in the log, and its lines in the payout tree."""

from __future__ import annotations

from collections.abc import Sequence

from eth_utils import to_checksum_address
from sqlmodel import Session, col, select

from contracts.messages import to_json
from contracts.receipt import Contracts, ProvenEntry, ProvenPayout, Receipt, SignedHead
from ledger import appeals, cosign, epochs, log, payouts
from ledger.errors import NotFound
from ledger.service import Ledger
from ledger.tables import Epoch, LogEntry, PayoutRow, Proof


def receipt_of(ledger: Ledger, session: Session, number: int, account: str) -> Receipt:
    """What `account` earned in an epoch and why, proven up to the head of now. Raises NotFound."""
    epoch, name = epochs.require_epoch(session, number), to_checksum_address(account)
    proofs = _proofs(session, epoch, name)
    lines = session.exec(select(PayoutRow).where(PayoutRow.epoch == number, PayoutRow.account == name)).all()
    if not proofs and not lines:
        raise NotFound(f"{name} has neither work nor pay in epoch {number}")
    root, head = epochs.root_message(ledger, epoch), log.head(ledger, session)
    path = log.consistency(session, epoch.log_size, head["message"]["logSize"])
    signed = cosign.signatures(ledger, session, root)
    return Receipt(
        contracts=Contracts.of(ledger.chain.deployment),
        account=name,
        epoch=to_json(root),
        signatures={signer: "0x" + signature.hex() for signer, signature in sorted(signed.items())},
        head=SignedHead(**head),
        consistency=_hex(path),
        entries=[_entry(session, epoch, entry) for entry in _entries(session, epoch, proofs)],
        payouts=_payouts(ledger, session, epoch, lines),
    )


def _proofs(session: Session, epoch: Epoch, account: str) -> list[str]:
    """Proofs paid to the account that the epoch decides about: of its rounds, and restored by appeal in them."""
    first, last = epoch.first_round, epoch.last_round
    own = select(Proof.id).where(
        Proof.run == epoch.run, col(Proof.number) >= first, col(Proof.number) <= last, Proof.payout == account
    )
    restored = [p.id for p in appeals.upheld_proofs(session, epoch.run, first, last) if p.payout == account]
    return [*session.exec(own), *restored]


def _entries(session: Session, epoch: Epoch, proofs: list[str]) -> list[LogEntry]:
    """What the epoch's log says of them, and its last entry, which closes it. What came later it does not anchor."""
    decided = [entry for entry in log.about(session, proofs) if entry.index < epoch.log_size]
    return decided + log.bodies(session, epoch.log_size - 1, 1)


def _entry(session: Session, epoch: Epoch, entry: LogEntry) -> ProvenEntry:
    path = log.inclusion(session, entry.index, epoch.log_size)
    return ProvenEntry(index=entry.index, body=entry.body, path=_hex(path))


def _payouts(ledger: Ledger, session: Session, epoch: Epoch, lines: Sequence[PayoutRow]) -> list[ProvenPayout]:
    if not lines:
        return []
    proofs = payouts.proofs(ledger, session, epoch, [line.leaf for line in lines])
    return [
        ProvenPayout(index=line.index, kind=line.kind, amount=str(line.amount), proof=_hex(proof))
        for line, proof in zip(lines, proofs, strict=True)
    ]


def _hex(nodes: list[bytes]) -> list[str]:
    return ["0x" + node.hex() for node in nodes]
