"""Which verifiers of a proof are at fault, and whether its node is, from what stands in this verifier's own log.

Nobody has to believe the ledger's list, nor what it shows of a proof: a message counts if the audited log holds it.
"""

from __future__ import annotations

from collections.abc import Callable

from contracts.faults import COSTS_STAKE, passed_fakes, proven_fakes, trace_faults
from contracts.reasons import ACCEPT, NO_SEGMENT, REJECT
from contracts.verifier_registry import VerifierSet
from verifier.audit_state import ProofState

Known = Callable[[str], tuple[ProofState, VerifierSet]]
"""From a proof's id to what the log has about it, and to whose word counts on it by the chain at its round's block."""


def find_faults(proof: ProofState, bench: VerifierSet) -> set[tuple[str, str]]:
    """(verifier, fault's slug) for a decided proof; while it is pending nobody had to reveal anything."""
    if proof.state == "pending":
        return set()
    verdicts = {place: said for place, said in proof.verdicts.items() if place[1] in bench.members}
    accepted = {name for (stage, name), said in verdicts.items() if (stage, said.outcome) == (1, ACCEPT)}
    witnesses = dict.fromkeys(accepted, b"") | _of(bench, proof.witnesses)
    traces = trace_faults(witnesses, _of(bench, proof.traces), bench.threshold)
    found = {(who, fault.slug) for who, fault in traces.items()}
    fakes = proven_fakes(((v.stage, v.outcome, v.reason, v.segment) for v in verdicts.values()), bench.threshold)
    draws = {name: drawn for name, drawn in proof.draws.items() if name in accepted}
    return found | {(who, fault.slug) for who, fault in passed_fakes(draws, fakes).items()}


def is_node_at_fault(proof: ProofState, bench: VerifierSet) -> bool:
    """Whether k verdicts of the second stage cost the node of a voided proof its stake; a canary never does."""
    wrong = {
        name
        for (stage, name), said in proof.verdicts.items()
        if name in bench.members and (stage, said.outcome) == (2, REJECT) and said.reason in COSTS_STAKE
    }
    canary = proof.fake not in (None, NO_SEGMENT)
    restored = proof.restored_round is not None
    return proof.state == "voided" and len(wrong) >= bench.threshold and not canary and not restored


def _of(bench: VerifierSet, said: dict[str, bytes]) -> dict[str, bytes]:
    return {name: value for name, value in said.items() if name in bench.members}
