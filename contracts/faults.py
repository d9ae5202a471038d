"""What a verifier can be found guilty of, from public messages alone, and how it proves that it did its work.

All verifiers of a proof replay one segment in common. Each signs, before its verdict, a witness: a hash over its own
address and the trace of a state *inside* that segment, which the node never published. Later it reveals the trace. Who
copies another's witness copies a hash over another's address; who signs unread has no trace to reveal. A segment of
one step has no inside: such a run proves nothing about its verifiers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from eth_utils import to_canonical_address

from contracts.keccak import keccak256
from contracts.protocol.judge import entries
from contracts.reasons import REJECT, Coded, Reason


class Fault(Coded):
    """Why a verifier loses stake."""

    TRACE_WITHHELD = 1
    TRACE_WRONG = 2
    PASSED_A_FAKE = 3


COSTS_STAKE: frozenset[Reason] = frozenset({
    Reason.REPLAY_MISMATCH, Reason.OPENING_WITHHELD, Reason.OPENING_INVALID, Reason.START_STATE_MISMATCH,
    Reason.END_STATE_MISMATCH, Reason.PSEUDO_GRADIENT_MISMATCH, Reason.NOT_FINITE,
})  # fmt: skip
"""Why a node loses stake. A withheld opening is among them, or a node that sees that it is audited would fall silent.
Drift is not, since it is a matter of statistics, and neither is a machine of another kind."""


def trace_of(states: Sequence[bytes]) -> bytes:
    """32-byte trace over 64-byte boundary entries inside a segment: that before its last step, or none if it has one.

    Whoever knows that state has done every step before it; hashing the others too cost a tenth of the replay.
    """
    return keccak256(b"commonweight trace" + b"".join(states))


def witness_of(verifier: str, proof: bytes, trace: bytes) -> bytes:
    """What a verifier signs before its verdict: the trace, keyed by who signs and what about."""
    return keccak256(b"commonweight witness" + to_canonical_address(verifier) + proof + trace)


def evidence_of(proof: bytes, fault: Fault) -> bytes:
    """What the verifiers who found the fault sign, and what the contract punishes once."""
    return keccak256(b"commonweight fault" + proof + int(fault).to_bytes(2))


def fault_evidence(proof: str, fault: str) -> bytes:
    """What the verifiers sign who found a fault of the machine (`entries.Fault`) about a proof (0x-hex).

    The contract punishes it once for each verifier.
    """
    index = list(entries.Fault).index(entries.Fault(fault)) + 1
    return keccak256(b"commonweight fault" + bytes.fromhex(proof.removeprefix("0x")) + index.to_bytes(2))


def agreed_trace(revealed: Mapping[str, bytes], threshold: int) -> bytes | None:
    """The trace that at least `threshold` verifiers revealed, if there is one."""
    counts: dict[bytes, int] = {}
    for trace in revealed.values():
        counts[trace] = counts.get(trace, 0) + 1
    best = max(counts, key=lambda trace: (counts[trace], trace), default=None)
    return best if best is not None and counts[best] >= threshold else None


def trace_faults(witnesses: Mapping[str, bytes], revealed: Mapping[str, bytes], threshold: int) -> dict[str, Fault]:
    """Verifiers at fault once the time to reveal is over, among those who spoke as readers (by address).

    `witnesses` holds an empty value for who accepted without binding itself to anything. Where fewer than `threshold`
    agree on a trace nobody can be called wrong, only silent.
    """
    agreed = agreed_trace(revealed, threshold)
    found: dict[str, Fault] = {}
    for verifier in witnesses:
        if verifier not in revealed:
            found[verifier] = Fault.TRACE_WITHHELD
        elif agreed is not None and revealed[verifier] != agreed:
            found[verifier] = Fault.TRACE_WRONG
    return found


def proven_fakes(verdicts: Iterable[tuple[int, int, int, int]], threshold: int) -> frozenset[int]:
    """Segments that at least `threshold` verdicts of the second stage found false by replay.

    A verdict is given as (stage, outcome, reason, segment).
    """
    wrong = (2, REJECT, Reason.REPLAY_MISMATCH)
    found = Counter(segment for stage, outcome, reason, segment in verdicts if (stage, outcome, reason) == wrong)
    return frozenset(segment for segment, count in found.items() if count >= threshold)


def passed_fakes(accepted: Mapping[str, Sequence[int]], fakes: frozenset[int]) -> dict[str, Fault]:
    """Verifiers who accepted though a segment that a quorum found fake was among those they drew (by address)."""
    return {verifier: Fault.PASSED_A_FAKE for verifier, drawn in accepted.items() if fakes & set(drawn)}
