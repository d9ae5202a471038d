"""Outer steps as verifiers computed them; the round closes on the one that k of its verifiers signed (ADR 1)."""

from __future__ import annotations

from collections import defaultdict

from eth_utils import to_checksum_address
from sqlmodel import Session, select

from contracts.draw import accepted_digest
from contracts.messages import MergeAttestation
from contracts.tensorfile import state_digest, unpack
from ledger import log
from ledger.enrolment import require_run, theta_layout
from ledger.errors import AlreadyDecided, BindingMismatch, NotVerifier, RoundClosed
from ledger.proofs import round_proofs
from ledger.service import Ledger, envelopes
from ledger.tables import Anchor, MergeRow, Round


def submit(ledger: Ledger, message: MergeAttestation, signature: bytes, theta_blob: str, momentum_blob: str) -> None:
    """Record a verifier's outer step over exactly the accepted proofs; its blobs must hold what it signed."""
    key = ledger.check(message, signature, message.verifier)
    place, name = ("0x" + message.run.hex(), message.round), to_checksum_address(message.verifier)
    with ledger.store.read() as session:
        layout = theta_layout(require_run(session, message.run))
    for blob, promised in ((theta_blob, message.theta), (momentum_blob, message.momentum)):
        if state_digest(unpack(ledger.blobs.get(blob), layout)) != promised:
            raise BindingMismatch(f"blob {blob} does not hold the tensors that were signed")
    with ledger.store.write() as session:
        known = session.get(MergeRow, (*place, name))
        if known is not None and known.message == key:
            return
        if known is not None:
            raise AlreadyDecided(f"{name} has attested to round {message.round}")
        if session.get(Anchor, (place[0], name)) is None:
            raise NotVerifier(f"{name} is not an anchored verifier of this run")
        current = session.get(Round, place)
        if current is None or current.phase != "merging":
            raise RoundClosed(f"round {message.round} is not merging")
        if name not in current.verifiers:
            raise NotVerifier(f"{name} was not admitted at block {current.block}, where round {message.round} opened")
        if message.accepted != accepted(session, *place):
            raise BindingMismatch("accepted is not the digest of the round's posted proofs in node order")
        ledger.keep(session, message, signature, name, key)
        session.add(
            MergeRow(
                run=place[0], number=message.round, verifier=name, accepted="0x" + message.accepted.hex(),
                theta="0x" + message.theta.hex(), momentum="0x" + message.momentum.hex(), theta_blob=theta_blob,
                momentum_blob=momentum_blob, held_out_loss=message.heldOutLoss, message=key,
            )
        )  # fmt: skip


def accepted(session: Session, run: str, number: int) -> bytes:
    """Digest over the posted proofs of a round, in order of node address."""
    posted = [p for p in round_proofs(session, run, number) if p.state == "posted"]
    return accepted_digest([bytes.fromhex(p.id[2:]) for p in posted])


def attestations(session: Session, run: str, number: int) -> list[MergeRow]:
    """All outer steps given for a round, by verifier address."""
    rows = session.exec(select(MergeRow).where(MergeRow.run == run, MergeRow.number == number))
    return sorted(rows, key=lambda row: row.verifier.lower())


def agreed(session: Session, run: str, number: int, threshold: int) -> MergeRow | None:
    """One of the attestations that at least `threshold` verifiers share, if there are such."""
    groups: dict[tuple[str, str, str], list[MergeRow]] = defaultdict(list)
    for row in attestations(session, run, number):
        groups[_outcome(row)].append(row)
    largest = max(groups.values(), key=len, default=[])
    return largest[0] if len(largest) >= threshold else None


def log_merge(session: Session, chosen: MergeRow) -> None:
    """Put the outer step and the signatures under it in the log."""
    given = attestations(session, chosen.run, chosen.number)
    alike = [row.message for row in given if _outcome(row) == _outcome(chosen)]
    signed = envelopes(session, alike)
    log.append(
        session, "merge", run=chosen.run, round=chosen.number, theta=chosen.theta, momentum=chosen.momentum,
        accepted=chosen.accepted, attestations=[signed[key] for key in alike],
    )  # fmt: skip


def _outcome(row: MergeRow) -> tuple[str, str, str]:
    return row.accepted, row.theta, row.momentum
