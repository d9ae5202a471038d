"""Routes of slashable offences: signed by k verifiers under a final root, sent to the chain at anybody's cost."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from api.access import get_ledger
from contracts.ids import as_address
from contracts.messages import for_contracts as messages
from contracts.messages.for_contracts import from_json, to_json
from contracts.wire.faults import Charge, ChargedNode, ChargedVerifier
from contracts.wire.requests import NodeFaultBody, VerifierFaultBody
from ledger import cosign, faults
from ledger.context import Ledger

router = APIRouter()


@router.get("/faults")
def list_faults(ledger: Ledger = Depends(get_ledger)) -> list[Charge]:
    """List the faults that verifiers may sign now: each message to sign, and the verifiers that signed it."""
    charges = faults.signable(ledger)
    with ledger.store.read() as session:
        return [
            Charge(
                kind="NodeFault" if isinstance(charge.message, messages.NodeFault) else "VerifierFault",
                party=charge.party,
                message=to_json(charge.message),
                signatures=cosign.signers(ledger, session, charge.message),
            )
            for charge in charges
        ]


@router.post("/faults/signatures")
def sign_fault(body: VerifierFaultBody, ledger: Ledger = Depends(get_ledger)) -> ChargedVerifier:
    """Send a verifier's signature under another verifier's fault."""
    message = from_json(messages.VerifierFault, body.message)
    faults.sign(ledger, message, body.signature_bytes(), as_address(body.signer))
    return ChargedVerifier(verifier=message.verifier)


@router.post("/node-faults/signatures")
def sign_node_fault(body: NodeFaultBody, ledger: Ledger = Depends(get_ledger)) -> ChargedNode:
    """Send a verifier's signature under a node's fault."""
    message = from_json(messages.NodeFault, body.message)
    faults.sign(ledger, message, body.signature_bytes(), as_address(body.signer))
    return ChargedNode(node=message.node)
