"""How a verifier proves that it did its work, and what the others sign who found that one did not.

All verifiers of a proof replay one segment in common. With its words each signs a seal over its own address and the
trace of a state *inside* that segment, which the node never published (contracts/protocol/judge/protocol.py).
Later it shows the trace. A copied seal is a hash over another's address; a verifier that signs unread has no trace to
show. A segment of one step has no inside: such a run proves nothing about its verifiers.
"""

from __future__ import annotations

from collections.abc import Sequence

from contracts.ids import ProofId, from_hex
from contracts.keccak import keccak256
from contracts.protocol.judge import entries


def trace_of(states: Sequence[bytes]) -> bytes:
    """32-byte trace over 64-byte boundary entries inside a segment: that before its last step, or none if it has one.

    A verifier that knows that state has done every step before it; hashing the others too cost a tenth of the replay.
    """
    return keccak256(b"commonweight trace" + b"".join(states))


def fault_evidence(proof: ProofId, fault: str) -> bytes:
    """The evidence that verifiers sign for a fault of the machine (`entries.Fault`) about a proof (0x-hex).

    The contract punishes it once for each verifier.
    """
    index = list(entries.Fault).index(entries.Fault(fault)) + 1
    return keccak256(b"commonweight fault" + from_hex(proof) + index.to_bytes(2))
