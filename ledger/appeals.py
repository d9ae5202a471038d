"""A voided node appeals: both sides bisect to the first step they differ on, a panel replays that step, the loser pays.

The chain holds the bond and the ruling; the ledger holds the moves. An appeal is opened on the chain by the proof's
node (anybody else's is void), and reaches this module through the indexer. Whoever lets its time run out loses; the
panel says so too.
"""

from __future__ import annotations

from collections.abc import Mapping

from eth_utils import keccak, to_checksum_address
from sqlmodel import Session, col, select

from contracts.bisection import Bisection, segment_bisection
from contracts.messages import AppealRuling, BisectionMove, StepOpening, to_json
from contracts.reasons import REJECT, Reason
from contracts.run_config import RunConfig
from contracts.state_layout import boundary_entry, full_layout
from contracts.tensorfile import unpack
from ledger import absences, cosign, journal, log, outbox
from ledger.enrolment import require_run, theta_layout
from ledger.errors import AlreadyDecided, NotFound, NotVerifier, OpeningMismatch, RoundClosed
from ledger.proofs import require_proof
from ledger.service import Ledger
from ledger.tables import AppealRow, MoveRow, OpeningRow, Proof, Round, Run, SignedMessage, Transfer, VerdictRow

MOVING = ("bisecting", "opening")


def begin(ledger: Ledger, session: Session, proof_id: str, appellant: str) -> None:
    """An `AppealOpened` event is final: start the bisection, if the proof was voided by a replay."""
    proof = session.get(Proof, proof_id)
    if proof is None or session.get(AppealRow, proof_id) is not None:
        return
    rejects = _replays(session, proof)
    void = _why_void(proof, rejects, to_checksum_address(appellant))
    if void:
        log.append(session, "appeal-void", proof=proof_id, appellant=appellant, why=void)
        return
    first = rejects[0]
    start = segment_bisection(first.segment, _config(session, proof).segment)
    row = AppealRow(
        proof=proof_id, run=proof.run, appellant=to_checksum_address(appellant), respondent=first.verifier,
        segment=first.segment, agreed=start.agreed, disputed=start.disputed, since=ledger.now(),
        deadline=ledger.now() + cosign.ON_CHAIN_SECONDS,
    )  # fmt: skip
    if _config(session, proof).profile == "bounded":
        _replay_whole(session, row)
    else:
        _settle_moves(session, row)
    session.add(row)
    log.append(
        session, "appeal-opened", proof=proof_id, appellant=row.appellant, respondent=row.respondent,
        agreed=row.agreed, disputed=row.disputed, deadline=row.deadline,
    )  # fmt: skip


def _why_void(proof: Proof, rejects: list[VerdictRow], appellant: str) -> str:
    """What is wrong with an appeal. If anybody could appeal, a respondent would, against itself, before the node."""
    if appellant != proof.node:
        return "the appellant is not the proof's node"
    lost = proof.state == "voided" and proof.reason == Reason.REPLAY_MISMATCH and bool(rejects)
    return "" if lost else "the proof lost no replay"


def move(ledger: Ledger, message: BisectionMove, signature: bytes) -> None:
    """Record a party's state at the middle; once both are in, one half is left."""
    key = ledger.check(message, signature, message.party)
    party, proof_id = to_checksum_address(message.party), "0x" + message.proof.hex()
    with ledger.store.write() as session:
        row, proof = require_appeal(session, proof_id), require_proof(session, proof_id)
        if party not in (proof.node, row.respondent):
            raise NotVerifier(f"{party} is no party to the appeal on {proof_id}")
        known = session.get(MoveRow, (proof_id, message.step, party))
        if known is not None:
            if known.state != "0x" + message.state.hex():
                raise AlreadyDecided(f"{party} has named another state after step {message.step}")
            return
        if row.state != "bisecting" or message.step != _span(row).middle:
            raise RoundClosed(f"the appeal is {row.state} between steps {row.agreed} and {row.disputed}")
        ledger.keep(session, message, signature, party, key)
        state = "0x" + message.state.hex()
        session.add(MoveRow(proof=proof_id, step=message.step, party=party, state=state, message=key))
        session.flush()
        log.append(session, "bisection-move", message=to_json(message), signature="0x" + signature.hex())
        _advance(ledger, session, row, proof)


def open_step(ledger: Ledger, message: StepOpening, signature: bytes) -> None:
    """The node uploads the last agreed state, from which the panel replays the one step that is left."""
    proof_id = "0x" + message.proof.hex()
    with ledger.store.read() as session:
        proof, row = require_proof(session, proof_id), require_appeal(session, proof_id)
        layout = full_layout(theta_layout(require_run(session, proof.run)))
        agreed = _named(session, row, proof.node, row.agreed)
    key = ledger.check(message, signature, proof.node)
    entry = boundary_entry(unpack(ledger.blobs.get(message.blob.hex()), layout))
    if not keccak(entry) == message.stateDigest == agreed:
        raise OpeningMismatch(f"the bytes are not the state that both parties named after step {row.agreed}")
    with ledger.store.write() as session:
        row = require_appeal(session, proof_id)
        if row.state != "opening" or message.step != row.agreed:
            raise RoundClosed(f"the appeal is {row.state}")
        ledger.keep(session, message, signature, proof.node, key)
        row.opening_blob = message.blob.hex()
        _enter(ledger, session, row, "panel")
        log.append(session, "step-opened", message=to_json(message), signature="0x" + signature.hex())


def rule(ledger: Ledger, message: AppealRuling, signature: bytes, signer: str) -> None:
    """Take a panel member's ruling; k that agree go to the chain and end the appeal."""
    proof_id = "0x" + message.proof.hex()
    name = cosign.check(ledger, message, signature, signer, message.respondent)
    with ledger.store.write() as session:
        row = require_appeal(session, proof_id)
        if row.state != "panel":
            raise RoundClosed(f"the appeal is {row.state}")
        if message != ruling_message(ledger, row, message.upheld):
            raise RoundClosed("model, respondent or deadline is not the appeal's")
        if name in rulings(ledger, session, row):
            return
        signed = cosign.collect(ledger, session, message, signature, name)
        if signed:
            _decide(ledger, session, row, message, signed)


def lapse(ledger: Ledger) -> None:
    """End the moves of appeals in which a party let its time run out."""
    with ledger.store.read() as session:
        moving = list(session.exec(select(AppealRow).where(col(AppealRow.state).in_(MOVING))))
        late = [row.proof for row in moving if _is_late(ledger, session, row)]
    for proof_id in late:
        with ledger.store.write() as session:
            row, proof = require_appeal(session, proof_id), require_proof(session, proof_id)
            if not _is_late(ledger, session, row):
                continue  # a move came while this waited for its turn
            row.silent = _silent(session, row, proof)
            _enter(ledger, session, row, "panel")
            log.append(session, "appeal-lapsed", proof=proof_id, silent=row.silent)


def _is_late(ledger: Ledger, session: Session, row: AppealRow) -> bool:
    patience = int(require_run(session, row.run).manifest["phaseSeconds"])
    return row.state in MOVING and absences.waited(ledger, session, row.since) > patience


def require_appeal(session: Session, proof_id: str) -> AppealRow:
    """The appeal on that proof. Raises NotFound."""
    found = session.get(AppealRow, proof_id)
    if found is None:
        raise NotFound(f"no appeal on proof {proof_id}")
    return found


def ruling_message(ledger: Ledger, row: AppealRow, upheld: bool) -> AppealRuling:
    """What panel members sign."""
    proof = bytes.fromhex(row.proof[2:])
    return AppealRuling(ledger.chain.model, proof, row.appellant, row.respondent, upheld, row.deadline)


def moves(session: Session, proof_id: str) -> list[MoveRow]:
    """All moves of an appeal."""
    return list(session.exec(select(MoveRow).where(MoveRow.proof == proof_id)))


def rulings(ledger: Ledger, session: Session, row: AppealRow) -> list[str]:
    """Which panel members have ruled, either way."""
    either = (ruling_message(ledger, row, upheld) for upheld in (True, False))
    return [name for message in either for name in cosign.signers(ledger, session, message)]


def upheld_proofs(session: Session, run: str, first: int, last: int) -> list[Proof]:
    """Proofs restored by appeals that were decided in these rounds: their work is paid in that epoch."""
    rows = select(AppealRow).where(
        AppealRow.run == run, AppealRow.state == "upheld",
        col(AppealRow.decided_round) >= first, col(AppealRow.decided_round) <= last,
    )  # fmt: skip
    return [require_proof(session, row.proof) for row in session.exec(rows)]


def _advance(ledger: Ledger, session: Session, row: AppealRow, proof: Proof) -> None:
    named = [_named(session, row, party, _span(row).middle) for party in (proof.node, row.respondent)]
    if named[0] is None or named[1] is None:
        return
    left = _span(row).after(named[0], named[1])
    row.agreed, row.disputed, row.since = left.agreed, left.disputed, ledger.now()
    _settle_moves(session, row)
    session.add(row)


def _settle_moves(session: Session, row: AppealRow) -> None:
    """Nothing left to halve: the node opens the agreed state, unless it is a boundary that it opened long ago."""
    if not _span(row).over:
        return
    boundary = session.get(OpeningRow, (row.proof, row.segment))
    at_start = row.agreed == _segment_start(session, row)
    row.state = "panel" if at_start and boundary is not None else "opening"
    row.opening_blob = boundary.blob if row.state == "panel" and boundary is not None else None


def _replay_whole(session: Session, row: AppealRow) -> None:
    """In a bounded run honest machines differ at every step: the panel replays the segment, which is short there."""
    row.state, row.opening_blob = "panel", session.get_one(OpeningRow, (row.proof, row.segment)).blob


def _segment_start(session: Session, row: AppealRow) -> int:
    proof = require_proof(session, row.proof)
    return row.segment * _config(session, proof).segment


def _named(session: Session, row: AppealRow, party: str, step: int) -> bytes | None:
    if step == _segment_start(session, row):
        opening = session.get_one(OpeningRow, (row.proof, row.segment))
        return bytes.fromhex(str(session.get_one(SignedMessage, opening.message).body["stateDigest"])[2:])
    found = session.get(MoveRow, (row.proof, step, party))
    return None if found is None else bytes.fromhex(found.state[2:])


def _silent(session: Session, row: AppealRow, proof: Proof) -> str:
    """The node owes the opening; in a bisection it moves first, and the respondent owes an answer to it."""
    if row.state == "opening" or _named(session, row, proof.node, _span(row).middle) is None:
        return proof.node
    return row.respondent


def _decide(
    ledger: Ledger, session: Session, row: AppealRow, message: AppealRuling, signed: Mapping[str, bytes]
) -> None:
    outbox.enqueue(session, f"appeal:{row.proof}", ledger.chain.registry.decide_appeal(message, signed))
    run = session.get_one(Run, row.run)
    row.decided_round = run.round + (run.phase == "complete")  # an epoch that is closed pays nothing more
    _enter(ledger, session, row, "upheld" if message.upheld else "dismissed")
    signatures = {name: "0x" + text.hex() for name, text in sorted(signed.items())}
    log.append(
        session, "appeal-decided", proof=row.proof, message=to_json(message), signatures=signatures,
        decided_round=row.decided_round, account=require_proof(session, row.proof).payout,
    )  # fmt: skip
    if message.upheld:
        _restore(ledger, session, row)


def _restore(ledger: Ledger, session: Session, row: AppealRow) -> None:
    """A correction is a new entry: the voided transfer stays voided."""
    proof = require_proof(session, row.proof)
    journal.record(
        session,
        Transfer(
            id=f"appeal:{proof.id}", book="work", debit=f"run:{proof.run}", credit=proof.payout, amount=proof.work,
            pending=False, made=ledger.now(),
        ),
    )  # fmt: skip


def _enter(ledger: Ledger, session: Session, row: AppealRow, state: str) -> None:
    row.state, row.since = state, ledger.now()
    session.add(row)


def _span(row: AppealRow) -> Bisection:
    return Bisection(row.agreed, row.disputed)


def _replays(session: Session, proof: Proof) -> list[VerdictRow]:
    """Rejections by a replay of a segment whose start was opened: what two parties can bisect."""
    rows = session.exec(
        select(VerdictRow).where(
            VerdictRow.proof == proof.id, VerdictRow.stage == 2, VerdictRow.outcome == REJECT,
            VerdictRow.reason == int(Reason.REPLAY_MISMATCH),
        )
    )  # fmt: skip
    opened = [row for row in rows if session.get(OpeningRow, (proof.id, row.segment)) is not None]
    return sorted(opened, key=lambda r: r.verifier.lower())


def _config(session: Session, proof: Proof) -> RunConfig:
    return RunConfig.from_json(session.get_one(Round, (proof.run, proof.number)).config)
