"""Verdicts and the quorum: k of n decide; one rejection moves a proof to a stage where all look at the same (ADR 3)."""

from __future__ import annotations

from eth_utils import to_checksum_address
from sqlmodel import Session, select

from contracts.errors import BadField
from contracts.messages import Verdict, to_json
from contracts.reasons import ACCEPT, NO_SEGMENT, REJECT, UNDECIDED, Reason
from contracts.run_config import RunConfig
from ledger import absences, journal, log, panels
from ledger.enrolment import require_run
from ledger.errors import AlreadyDecided, RoundClosed, TooEarly
from ledger.proofs import require_proof
from ledger.service import Ledger
from ledger.tables import ChallengeRow, Node, PledgeRow, Proof, Round, SignedMessage, VerdictRow


def submit(ledger: Ledger, message: Verdict, signature: bytes) -> None:
    """Record a verdict at the proof's stage and decide the proof if that makes a quorum."""
    key = ledger.check(message, signature, message.verifier)
    name, proof_id = to_checksum_address(message.verifier), "0x" + message.proof.hex()
    with ledger.store.write() as session:
        proof = require_proof(session, proof_id)
        known = session.get(VerdictRow, (proof_id, name, message.stage))
        if known is not None and known.message == key:
            return
        if known is not None:
            raise AlreadyDecided(f"{name} has given its stage {message.stage} verdict on {proof_id}")
        panels.require_seat(session, proof, name)
        if proof.state != "pending" or message.stage != proof.stage:
            raise RoundClosed(f"proof {proof_id} is {proof.state} at stage {proof.stage}")
        _check_coherent(session, message, proof)
        _check_drawn(session, message, proof, name)
        ledger.keep(session, message, signature, name, key)
        session.add(_row(message, proof_id, name, key))
        log.append(session, "verdict", message=to_json(message), signature="0x" + signature.hex())
        decide(ledger, session, proof)


def decide(ledger: Ledger, session: Session, proof: Proof) -> None:
    """Post, void or escalate a pending proof where its verdicts, or the time that passed, allow it.

    The first stage hears everybody: ended by its first rejection, a liar could point at honest work before the one
    verifier that drew the fake had spoken. What k accepted is posted once its node has opened its pledge.
    """
    if proof.state != "pending":
        return
    if not proof.audited:
        _accept(ledger, session, proof)
        return
    given = _verdicts(session, proof)
    rejects = [v for v in given if v.outcome == REJECT]
    complete = panels.fill(ledger, session, proof, {v.verifier: v.outcome for v in given})
    if proof.stage == 1 and rejects:
        if complete:
            # only what was drawn was opened: a liar that names another segment would make honest work unreadable
            _escalate(ledger, session, proof, {v.segment for v in rejects} & _drawn(session, proof))
        return
    accepts, threshold = sum(v.outcome == ACCEPT for v in given), _round(session, proof).threshold
    if len(rejects) >= threshold:
        _void(ledger, session, proof, rejects[0].reason, rejects[0].measured, rejects[0].limit)
    elif accepts >= threshold and (complete or proof.stage == 2):
        _accept(ledger, session, proof)
    elif complete and not panels.widen(ledger, session, proof):
        _void(ledger, session, proof, Reason.QUORUM_MISSING, 0, 0)


def all_have_spoken(ledger: Ledger, session: Session, proof: Proof) -> bool:
    """Whether no verdict of the first stage is awaited any more."""
    if proof.state != "pending" or proof.stage == 2 or not proof.audited:
        return True
    return panels.fill(ledger, session, proof, {v.verifier: v.outcome for v in _verdicts(session, proof)})


def _check_coherent(session: Session, message: Verdict, proof: Proof) -> None:
    """Outcome, reason and segment must make sense together: others will act on them."""
    if message.outcome not in (UNDECIDED, ACCEPT, REJECT):
        raise BadField("outcome must be 0 undecided, 1 accept or 2 reject")
    if message.reason not in {int(r) for r in Reason}:
        raise BadField(f"reason {message.reason} is not one of {', '.join(f'{r.value} {r.slug}' for r in Reason)}")
    if (message.outcome == ACCEPT) != (message.reason == Reason.NONE):
        raise BadField("reason must be 0 in an accepting verdict, and another in any other")
    segments = RunConfig.from_json(_round(session, proof).config).segments
    if message.segment >= segments and message.segment != NO_SEGMENT:
        raise BadField(f"segment must be below {segments}, or {NO_SEGMENT} for none")


def _check_drawn(session: Session, message: Verdict, proof: Proof, verifier: str) -> None:
    """Who did not draw cannot have looked, and who looked names what it drew, or at stage 2 what is in dispute too."""
    drawn = session.get(ChallengeRow, (proof.id, verifier))
    if message.stage == 1 and message.outcome != UNDECIDED and drawn is None:
        raise TooEarly(f"{verifier} has not drawn segments of {proof.id}; send the challenge first")
    read = sorted({*(proof.disputed if message.stage == 2 else ()), *(drawn.segments if drawn is not None else ())})
    if message.reason in (Reason.REPLAY_MISMATCH, Reason.DRIFT) and message.segment not in read:
        raise BadField(f"segment must be one that this verifier had to replay: {', '.join(map(str, read)) or 'none'}")


def _verdicts(session: Session, proof: Proof) -> list[VerdictRow]:
    rows = session.exec(select(VerdictRow).where(VerdictRow.proof == proof.id, VerdictRow.stage == proof.stage))
    return sorted(rows, key=lambda row: row.verifier.lower())


def _round(session: Session, proof: Proof) -> Round:
    return session.get_one(Round, (proof.run, proof.number))


def _patience(session: Session, proof: Proof) -> int:
    return int(require_run(session, proof.run).manifest["phaseSeconds"])


def _accept(ledger: Ledger, session: Session, proof: Proof) -> None:
    """What k accepted is posted if its node pledged honest work; a canary that somebody let through is replayed."""
    pledge = session.get(PledgeRow, proof.id)
    if pledge is None:
        _await_pledge(ledger, session, proof)
    elif not pledge.canary:
        _post(ledger, session, proof)
    elif proof.stage == 1 and pledge.fake in _drawn(session, proof):
        _escalate(ledger, session, proof, {pledge.fake})
    else:
        _void(ledger, session, proof, Reason.CANARY, 0, 0)


def _await_pledge(ledger: Ledger, session: Session, proof: Proof) -> None:
    if proof.accepted_since is None:
        proof.accepted_since = ledger.now()
        session.add(proof)
        log.append(session, "pledge-awaited", proof=proof.id)
    elif absences.waited(ledger, session, proof.accepted_since) > _patience(session, proof):
        _void(ledger, session, proof, Reason.PLEDGE_WITHHELD, 0, 0)


def _drawn(session: Session, proof: Proof) -> set[int]:
    draws = session.exec(select(ChallengeRow.segments).where(ChallengeRow.proof == proof.id))
    return {segment for segments in draws for segment in segments}


def _escalate(ledger: Ledger, session: Session, proof: Proof, disputed: set[int]) -> None:
    proof.stage, proof.stage_since, proof.disputed = 2, ledger.now(), sorted(disputed)
    session.add(proof)
    log.append(session, "proof-disputed", proof=proof.id, disputed=proof.disputed)


def _post(ledger: Ledger, session: Session, proof: Proof) -> None:
    proof.state = "posted"
    session.add(proof)
    journal.resolve(session, proof.id, "posted", ledger.now())
    node = session.get_one(Node, (proof.run, proof.node))
    committed = log_message(session, proof.id)
    node.inner_digest, node.inner_proof = str(committed["innerEnd"]), proof.id
    session.add(node)
    log.append(session, "proof-posted", proof=proof.id, account=proof.payout, work=proof.work)


def _void(ledger: Ledger, session: Session, proof: Proof, reason: int, measured: int, limit: int) -> None:
    proof.state, proof.reason, proof.measured, proof.limit = "voided", int(reason), measured, limit
    session.add(proof)
    journal.resolve(session, proof.id, "voided", ledger.now())
    slug = Reason(reason).slug
    log.append(session, "proof-voided", proof=proof.id, reason=slug, measured=str(measured), limit=str(limit))


def log_message(session: Session, digest: str) -> dict[str, object]:
    """The body of the stored message of that digest."""
    return session.get_one(SignedMessage, digest).body


def _row(message: Verdict, proof_id: str, verifier: str, key: str) -> VerdictRow:
    return VerdictRow(
        proof=proof_id, verifier=verifier, stage=message.stage, outcome=message.outcome, reason=message.reason,
        segment=message.segment, measured=message.measured, limit=message.limit, message=key,
    )  # fmt: skip
