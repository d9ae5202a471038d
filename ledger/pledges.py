"""A node opens what it pledged at its commitment: honest work, or a canary (contracts/pledge.py)."""

from __future__ import annotations

from contracts.messages import PledgeOpening, to_json
from contracts.pledge import Pledge
from ledger import log, verdicts
from ledger.errors import OpeningMismatch, TooEarly
from ledger.proofs import require_proof
from ledger.service import Ledger
from ledger.tables import PledgeRow, SignedMessage


def open_pledge(ledger: Ledger, message: PledgeOpening, signature: bytes) -> None:
    """Record a pledge once every verifier of the proof has spoken; what waited for it is decided.

    Raises OpeningMismatch for another pledge than the sealed one, TooEarly before all have spoken.
    """
    proof_id = "0x" + message.proof.hex()
    with ledger.store.read() as session:
        node = require_proof(session, proof_id).node
        sealed = str(session.get_one(SignedMessage, proof_id).body["pledge"])
    key = ledger.check(message, signature, node)
    if "0x" + Pledge(message.salt, message.fake).seal(node).hex() != sealed:
        raise OpeningMismatch("salt and fake are not what the proof's pledge was sealed over")
    with ledger.store.write() as session:
        proof = require_proof(session, proof_id)
        if session.get(PledgeRow, proof_id) is not None:
            return
        if not verdicts.all_have_spoken(ledger, session, proof):
            raise TooEarly("a pledge is opened when every verifier has spoken, so that none of them reads it first")
        ledger.keep(session, message, signature, node, key)
        session.add(PledgeRow(proof=proof_id, fake=message.fake, message=key))
        log.append(session, "pledge-opened", message=to_json(message), signature="0x" + signature.hex())
        verdicts.decide(ledger, session, proof)
