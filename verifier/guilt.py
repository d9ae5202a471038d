"""Which verifiers of a proof are at fault, recomputed from signed messages: nobody has to believe the ledger's list."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from eth_utils import to_checksum_address

from contracts.draw import draw_segments
from contracts.faults import COSTS_STAKE, passed_fakes, proven_fakes, trace_faults, witness_of
from contracts.messages import Challenge, Verdict, WorkReveal, WorkWitness, from_json
from contracts.reasons import ACCEPT, NO_SEGMENT, REJECT
from contracts.signing import digest, require_signer
from contracts.verifier_registry import VerifierSet
from trainer.client import ApiClient, octets
from verifier.opening import step_proof

M = TypeVar("M", Challenge, Verdict, WorkReveal, WorkWitness)


Bench = Callable[[str], VerifierSet]
"""From a proof's id to whose word counts on it, by the chain at the block of its round, and how many it takes."""


def find_faults(client: ApiClient, view: dict[str, Any], bench: Bench) -> set[tuple[str, str]]:
    """(verifier, fault's slug) for a decided proof, as the API shows it. Raises BadSignature and BadField.

    The server is not believed: only messages of admitted verifiers about this very proof count.
    """
    judges = bench(view["proof"])
    threshold, admitted = judges.threshold, judges.members
    verdicts = list(_signed(client, Verdict, view, "verdicts", admitted))
    accepted: set[str] = {to_checksum_address(v.verifier) for v in verdicts if (v.stage, v.outcome) == (1, ACCEPT)}
    witnesses: dict[str, bytes] = dict.fromkeys(accepted, b"")
    witnesses |= {
        to_checksum_address(w.verifier): w.witness for w in _signed(client, WorkWitness, view, "witnesses", admitted)
    }
    revealed: dict[str, bytes] = {
        to_checksum_address(r.verifier): r.trace
        for r in _signed(client, WorkReveal, view, "reveals", admitted)
        if witness_of(r.verifier, r.proof, r.trace) == witnesses.get(to_checksum_address(r.verifier))
    }
    found = {(who, fault.slug) for who, fault in trace_faults(witnesses, revealed, threshold).items()}
    fakes = proven_fakes(((v.stage, v.outcome, v.reason, v.segment) for v in verdicts), threshold)
    if not fakes:
        return found
    draws = {who: drawn for who, drawn in _draws(client, view, admitted) if who in accepted}
    return found | {(who, fault.slug) for who, fault in passed_fakes(draws, fakes).items()}


def is_node_at_fault(client: ApiClient, view: dict[str, Any], bench: Bench) -> bool:
    """Whether k signed verdicts of the second stage cost the node of a voided proof its stake; a canary never does.

    The node is the signer of the proof, not who the server says. Raises BadSignature and BadField.
    """
    committed = step_proof(client, view)
    if (digest(committed, client.domain), to_checksum_address(committed.node)) != (octets(view["proof"]), view["node"]):
        return False
    judges = bench(view["proof"])
    wrong = {
        to_checksum_address(v.verifier)
        for v in _signed(client, Verdict, view, "verdicts", judges.members)
        if (v.stage, v.outcome) == (2, REJECT) and v.reason in COSTS_STAKE
    }
    pledge = view["pledge"]
    canary = pledge is not None and int(pledge["message"]["fake"]) != NO_SEGMENT
    return view["state"] == "voided" and len(wrong) >= judges.threshold and not canary


def _draws(client: ApiClient, view: dict[str, Any], admitted: frozenset[str]) -> Iterator[tuple[str, tuple[int, ...]]]:
    for said in _signed(client, Challenge, view, "challenges", admitted):
        drawn = draw_segments(said.beacon, said.link, said.proof, int(view["segments"]), int(view["samples"]))
        yield to_checksum_address(said.verifier), drawn


def _signed(
    client: ApiClient, kind: type[M], view: dict[str, Any], where: str, admitted: frozenset[str]
) -> Iterator[M]:
    for envelope in view[where]:
        message = from_json(kind, envelope["message"])
        require_signer(message, client.domain, octets(envelope["signature"]), message.verifier)
        if message.proof == octets(view["proof"]) and to_checksum_address(message.verifier) in admitted:
            yield message
