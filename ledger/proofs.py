"""A node's commitment, and what it opens of it when asked."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

from eth_utils import keccak, to_checksum_address
from sqlmodel import Session, col, select

from contracts.audit_rate import MILLION
from contracts.commitment import check_ends
from contracts.draw import BEACON_DELAY, boundaries_to_open, check_link, draw_segments
from contracts.messages import Challenge, Opening, StepProof, to_json
from contracts.positional_tree import KECCAK_TREE
from contracts.run_config import RunConfig
from contracts.state_layout import boundary_entry, full_layout
from contracts.tensorfile import state_digest, unpack
from ledger import journal, log, panels
from ledger.chain import ModelChain
from ledger.enrolment import require_run, theta_layout
from ledger.errors import (
    AlreadyDecided,
    BindingMismatch,
    LedgerBusy,
    NotEnrolled,
    NotFound,
    OpeningMismatch,
    RoundClosed,
    TooEarly,
)
from ledger.service import Ledger
from ledger.tables import ChallengeRow, OpeningRow, Participant, Proof, Round, SignedMessage, Transfer

FINALITY_SHARE = 8
"""The beacon lies further ahead by this part (an eighth) of the blocks between the final one and the head."""
BLOCK_SECONDS = 0.05
"""No chain makes blocks faster than this for long."""
TRIES, STEADY_TRIES = 10, 4
"""How often a proof whose turn came too late is tried again, and how often of these at the same distance."""


@dataclass(frozen=True)
class Commitment:
    """A StepProof with what comes beside it: the gradient's blob and the paths of the first and last entry."""

    message: StepProof
    signature: bytes
    gradient_blob: str
    first_path: list[bytes]
    last_path: list[bytes]


def submit(ledger: Ledger, commitment: Commitment) -> str:
    """Record a proof as pending; returns its id, also for the same proof again.

    1. timely and signed by the node; 2. the node takes part in the round, which is open; 3. nothing else of it
    stands there; 4. bound to the round's public inputs; 5. first and last entry are in the commitment;
    6. the pseudo-gradient's bytes are those that were committed to.
    """
    message = commitment.message
    proof = ledger.check(message, commitment.signature, message.node)  # 1
    check_ends(message, commitment.first_path, commitment.last_path)  # 5
    with ledger.store.read() as session:
        layout = theta_layout(require_run(session, message.run))
    gradient = unpack(ledger.blobs.get(commitment.gradient_blob), layout)
    if state_digest(gradient) != message.pseudoGradient:  # 6
        raise BindingMismatch("the gradient blob does not have the digest in pseudoGradient")
    for attempt in range(TRIES):
        try:
            _enter(ledger, commitment, proof, _Beacon.ahead(ledger.chain, attempt))
        except _BeaconNear:
            continue
        return proof
    raise LedgerBusy("too many writers at once: the proof's beacon would be known before it is recorded; send it again")


def challenge(ledger: Ledger, message: Challenge, signature: bytes) -> ChallengeRow:
    """Record a verifier's draw. The beacon is the chain's, the link its anchored chain's: it chose neither."""
    key = ledger.check(message, signature, message.verifier)
    name, proof_id = to_checksum_address(message.verifier), "0x" + message.proof.hex()
    with ledger.store.read() as session:
        proof = require_proof(session, proof_id)
    if ledger.chain.final() < proof.beacon_block:
        raise TooEarly(f"the beacon is block {proof.beacon_block}, which is not final yet")
    beacon = ledger.chain.block_hash(proof.beacon_block)
    if (message.beaconBlock, message.beacon) != (proof.beacon_block, beacon):
        raise BindingMismatch(f"the beacon of this proof is block {proof.beacon_block}, 0x{beacon.hex()}")
    with ledger.store.write() as session:
        known = session.get(ChallengeRow, (proof_id, name))
        if known is not None:
            return known
        panels.seat(ledger, session, proof, beacon)
        bound = panels.require_seat(session, proof, name)
        check_link(bytes.fromhex(bound.anchor[2:]), message.link, proof.number)
        run, config = require_run(session, proof.run), _config(session, proof)
        segments = draw_segments(beacon, message.link, message.proof, config.segments, int(run.manifest["samples"]))
        ledger.keep(session, message, signature, name, key)
        row = ChallengeRow(proof=proof_id, verifier=name, segments=list(segments), message=key)
        session.add(row)
        _start_openings(ledger, session, row, int(run.manifest["phaseSeconds"]))
        _log(session, "challenge", message, signature, segments=list(segments))
    return row


def open_boundary(ledger: Ledger, message: Opening, signature: bytes, blob: str, path: list[bytes]) -> None:
    """Record an opening whose bytes hash, entry by entry, to the node's commitment."""
    proof_id = "0x" + message.proof.hex()
    with ledger.store.read() as session:
        proof = require_proof(session, proof_id)
        committed = session.get_one(SignedMessage, proof_id).body
        layout = full_layout(theta_layout(require_run(session, proof.run)))
    key = ledger.check(message, signature, proof.node)
    if message.blob.hex() != blob:
        raise OpeningMismatch("blob is not the one that was signed")
    entry = boundary_entry(unpack(ledger.blobs.get(blob), layout))
    if keccak(entry) != message.stateDigest:
        raise OpeningMismatch("the opened bytes do not have the signed state digest")
    root, count = bytes.fromhex(str(committed["commitment"])[2:]), int(committed["boundaries"])
    KECCAK_TREE.check_inclusion(entry, message.boundary, count, path, root)
    with ledger.store.write() as session:
        if session.get(OpeningRow, (proof_id, message.boundary)) is not None:
            return
        ledger.keep(session, message, signature, proof.node, key)
        row = OpeningRow(proof=proof_id, boundary=message.boundary, blob=blob, path=_hexed(path), message=key)
        session.add(row)
        _log(session, "opening", message, signature)


def asked_boundaries(session: Session, proof: Proof) -> list[int]:
    """All boundaries that the draws for a proof call for."""
    last = _config(session, proof).segments
    draws = session.exec(select(ChallengeRow.segments).where(ChallengeRow.proof == proof.id))
    return sorted({b for segments in draws for b in boundaries_to_open(segments, last)})


def require_proof(session: Session, proof_id: str) -> Proof:
    """The proof of that id. Raises NotFound."""
    found = session.get(Proof, proof_id)
    if found is None:
        raise NotFound(f"no proof {proof_id}")
    return found


def end_paths(session: Session, proof_id: str) -> dict[str, list[str]]:
    """The paths of a commitment's first and last entry, as the log has them."""
    entries = (json.loads(entry.body) for entry in log.about(session, [proof_id]))
    submitted = next(entry for entry in entries if entry["kind"] == "proof-submitted")
    return {name: submitted[name] for name in ("first_path", "last_path")}


def round_proofs(session: Session, run: str, number: int) -> list[Proof]:
    """A round's proofs in order of node address, which is the order of the merge."""
    rows = session.exec(select(Proof).where(Proof.run == run, col(Proof.number) == number))
    return sorted(rows, key=lambda proof: proof.node.lower())


def _enter(ledger: Ledger, commitment: Commitment, proof: str, beacon: _Beacon) -> None:
    message = commitment.message
    with ledger.store.write() as session:
        if session.get(Proof, proof) is not None:
            return
        current, participant = _open_round(session, message)  # 2, 3
        _check_binding(session, message, current, participant)  # 4
        _record(ledger, session, commitment, proof, participant, beacon.block)
        beacon.require_ahead()


class _BeaconNear(Exception):
    """Internal: too long ago was the head asked for that the beacon was counted from."""


@dataclass(frozen=True)
class _Beacon:
    """A block that nobody knows yet, surely so until `good_until` (time.monotonic)."""

    block: int
    good_until: float

    @classmethod
    def ahead(cls, chain: ModelChain, attempt: int) -> _Beacon:
        """Verifiers refuse a proof that they did not see in the log when its beacon was known already (ADR 20).

        So it has to be committed before, however long it waits for the write lock, under which nobody asks the chain.
        A clock stands in: the beacon is good for BLOCK_SECONDS a block, counted from before the head was asked for. In
        truth blocks take twenty times as long, or more. What is left is for the commit itself, and for a chain node
        that lags behind those of the verifiers. Nodes of a public chain lag by seconds; its finality takes minutes, of
        which the beacon is a share further away, at next to no cost. Whose turn comes too late asks anew, and after
        STEADY_TRIES counts from twice as far each time, so that a busy ledger gets slower but does not refuse.
        """
        final, asked = chain.final(), time.monotonic()
        head = chain.head()
        distance = BEACON_DELAY + max(0, head - final) // FINALITY_SHARE
        distance <<= max(0, attempt - STEADY_TRIES + 1)
        return cls(head + distance, asked + distance * BLOCK_SECONDS)

    def require_ahead(self) -> None:
        """Raises _BeaconNear."""
        if time.monotonic() > self.good_until:
            raise _BeaconNear


def _open_round(session: Session, message: StepProof) -> tuple[Round, Participant]:
    place = ("0x" + message.run.hex(), message.round)
    current = session.get(Round, place)
    if current is None or current.phase != "training":
        raise RoundClosed(f"round {message.round} takes no proofs")
    node = to_checksum_address(message.node)
    participant = session.get(Participant, (*place, node))
    if participant is None or participant.lapsed:
        raise NotEnrolled(f"{node} takes no part in round {message.round}, or its lease lapsed")
    standing = session.exec(
        select(Proof).where(Proof.run == place[0], Proof.number == message.round, Proof.node == node)
    ).first()
    if standing is not None:
        raise AlreadyDecided(f"{node} has committed to round {message.round} with proof {standing.id}")
    return current, participant


def _check_binding(session: Session, message: StepProof, current: Round, participant: Participant) -> None:
    """A record was earned on one kind of machine: who is read less may not name another, which nobody could judge."""
    config = RunConfig.from_json(current.config)
    expected = {
        "startState": current.theta,
        "innerState": participant.inner_digest,
        "dataSeed": current.data_seed,
        "config": current.config_digest,
        "steps": config.steps,
        "tokens": config.tokens_per_round,
        "boundaries": config.segments + 1,
    }
    if participant.rate < MILLION and participant.inner_proof is not None:
        expected["profile"] = session.get_one(SignedMessage, participant.inner_proof).body["profile"]
    claimed = to_json(message)
    wrong = [
        f"{name} must be {value}, is {claimed[name]}" for name, value in expected.items() if claimed[name] != value
    ]
    if wrong:
        raise BindingMismatch("; ".join(wrong))


def _record(
    ledger: Ledger, session: Session, commitment: Commitment, proof: str, participant: Participant, beacon_block: int
) -> None:
    message, node = commitment.message, participant.node
    ledger.keep(session, message, commitment.signature, node, proof)
    session.add(
        Proof(
            id=proof, run=participant.run, number=message.round, node=node, payout=participant.payout,
            work=message.tokens, gradient_blob=commitment.gradient_blob, beacon_block=beacon_block,
            stage_since=ledger.now(), disputed=[], measured=0, limit=0,
        )
    )  # fmt: skip
    journal.record(
        session,
        Transfer(
            id=proof, book="work", debit=f"run:{participant.run}", credit=participant.payout, amount=message.tokens,
            pending=True, made=ledger.now(),
        ),
    )  # fmt: skip
    paths = {name: _hexed(getattr(commitment, name)) for name in ("first_path", "last_path")}
    _log(session, "proof-submitted", message, commitment.signature, proof=proof, beacon_block=beacon_block, **paths)


def _start_openings(ledger: Ledger, session: Session, row: ChallengeRow, seconds: int) -> None:
    """Every draw starts the node's time anew: nobody can open in time what is asked for after the time is up."""
    proof = require_proof(session, row.proof)
    proof.opening_deadline = ledger.now() + seconds
    session.add(proof)


def _config(session: Session, proof: Proof) -> RunConfig:
    return RunConfig.from_json(session.get_one(Round, (proof.run, proof.number)).config)


def _hexed(path: list[bytes]) -> list[str]:
    return ["0x" + node.hex() for node in path]


def _log(
    session: Session, kind: str, message: StepProof | Challenge | Opening, signature: bytes, **extra: object
) -> None:
    log.append(session, kind, message=to_json(message), signature="0x" + signature.hex(), **extra)
