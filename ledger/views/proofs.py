"""Proofs as people read them: why one was not paid stands on one page."""

from __future__ import annotations

from typing import Any

from contracts.ids import Address
from contracts.protocol.judge import entries, facts
from contracts.protocol.judge.facts import Word
from contracts.wire.states import ProofStage, ProofState
from ledger.storage.tables.columns import Document
from ledger.views.documents import Documents
from ledger.views.rounds import Handle


def _committed(documents: Documents, leaf: Any) -> None:
    entry = leaf.entry
    message = leaf.body["message"]
    current = documents.round(entry.run, entry.round)
    payout = next(node["payout"] for node in current["nodes"] if node["node"] == entry.node)
    current["proofs"].append(entry.proof)
    documents.add_proof(
        {
            "proof": entry.proof,
            "run": entry.run,
            "round": entry.round,
            "node": entry.node,
            "payout": payout,
            "work": entry.tokens,
            "state": ProofState.PENDING,
            "stage": ProofStage.COMMITTED,
            "audited": None,
            "reason": None,
            "segment": None,
            "at_fault": None,
            "costs_stake": None,
            "measured": "0",
            "limit": "0",
            "segments": entry.segments,
            "message": message,
            "signature": leaf.body["signatures"][0],
            "gradient_blob": message["gradientBlob"],
            "has": [],
            "panel": [],
            "draws": {},
            "openings": {},
            "words": [],
            "bench": [],
            "decided": {},
            "pledge": None,
            "traces": {},
            "faults": [],
            "overruled": [],
            "lapses": [],
        }
    )


def _has(documents: Documents, leaf: Any) -> None:
    for proof in leaf.entry.proofs:
        documents.proof(proof)["has"].append(leaf.entry.verifier)


def _panel(documents: Documents, leaf: Any) -> None:
    entry = leaf.entry
    proof = documents.proof(entry.proof)
    proof["audited"], proof["panel"], proof["order"] = entry.audited, list(entry.seats), list(entry.order)
    proof["stage"] = ProofStage.READING if entry.audited else ProofStage.SPARED


def _filled(documents: Documents, leaf: Any) -> None:
    documents.proof(leaf.entry.proof)["panel"] += leaf.entry.verifiers


def _drawn(documents: Documents, leaf: Any) -> None:
    documents.proof(leaf.entry.proof)["draws"][leaf.entry.verifier] = list(leaf.entry.segments)


def _opened(documents: Documents, leaf: Any) -> None:
    message = leaf.body["message"]
    line = {"blob": message["blob"], "size": message["size"], "path": leaf.body["beside"]["path"]}
    documents.proof(leaf.entry.proof)["openings"][str(leaf.entry.boundary)] = line


def _words(documents: Documents, leaf: Any) -> None:
    words = documents.proof(leaf.entry.proof)["words"]
    words += [_word(leaf.entry.verifier, word) for word in leaf.entry.words]


def _word(verifier: Address, word: facts.SegmentWord) -> Document:
    return {
        "verifier": verifier,
        "segment": word.segment,
        "word": str(word.word),
        "reason": None if word.reason is None else str(word.reason),
        "measured": str(word.measured),
        "limit": str(word.limit),
    }


def _bench(documents: Documents, leaf: Any) -> None:
    proof = documents.proof(leaf.entry.proof)
    proof["stage"] = ProofStage.BENCH
    proof["bench"].append({"segment": leaf.entry.segment, "members": list(leaf.entry.members)})


def _decided(documents: Documents, leaf: Any) -> None:
    documents.proof(leaf.entry.proof)["decided"][str(leaf.entry.segment)] = leaf.entry.true


def _spoken(documents: Documents, leaf: Any) -> None:
    documents.proof(leaf.entry.proof)["stage"] = ProofStage.SPOKEN


def _voided(documents: Documents, leaf: Any) -> None:
    entry = leaf.entry
    proof = documents.proof(entry.proof)
    proof["state"] = ProofState.VOIDED
    proof["stage"] = ProofStage.VOID
    proof["reason"], proof["segment"] = str(entry.reason), entry.segment
    against = [w for w in proof["words"] if w["segment"] == entry.segment and w["word"] in (Word.FALSE, Word.DRIFT)]
    if against:
        worst = max(against, key=lambda word: int(word["measured"]))
        proof["measured"], proof["limit"] = worst["measured"], worst["limit"]


def _fault(documents: Documents, leaf: Any) -> None:
    entry = leaf.entry
    proof = documents.proof(entry.proof)
    proof["stage"], proof["reason"] = ProofStage.ENDED, str(entry.reason)
    proof["at_fault"], proof["costs_stake"] = entry.at_fault, entry.costs_stake


def _posted(documents: Documents, leaf: Any) -> None:
    proof = documents.proof(leaf.entry.proof)
    proof["state"] = ProofState.POSTED
    proof["stage"] = ProofStage.POSTED


def _undecided(documents: Documents, leaf: Any) -> None:
    proof = documents.proof(leaf.entry.proof)
    proof["state"] = ProofState.UNDECIDED
    proof["reason"] = "undecided"


def _pledge(documents: Documents, leaf: Any) -> None:
    documents.proof(leaf.entry.proof)["pledge"] = {"fake": leaf.entry.fake, "salt": leaf.entry.salt}


def _trace(documents: Documents, leaf: Any) -> None:
    documents.proof(leaf.entry.proof)["traces"][leaf.entry.verifier] = leaf.entry.trace


def _verifier_fault(documents: Documents, leaf: Any) -> None:
    entry = leaf.entry
    line = {"proof": entry.proof, "verifier": entry.verifier, "fault": str(entry.fault), "round": entry.round}
    documents.add_fault(entry.run, {**line, "entry": leaf.index})
    documents.run(entry.run)["counts"]["faults"] += 1
    if entry.proof:
        documents.proof(entry.proof)["faults"].append(line)


def _overruled(documents: Documents, leaf: Any) -> None:
    line = {"verifier": leaf.entry.verifier, "until": leaf.entry.until}
    documents.proof(leaf.entry.proof)["overruled"].append(line)


PROOFS: dict[type, Handle] = {
    facts.Committed: _committed,
    facts.Has: _has,
    entries.PanelDrawn: _panel,
    entries.SeatsFilled: _filled,
    entries.Drawn: _drawn,
    facts.Opened: _opened,
    facts.Words: _words,
    entries.BenchCalled: _bench,
    entries.SegmentDecided: _decided,
    entries.PanelSpoken: _spoken,
    entries.Voided: _voided,
    entries.FaultDerived: _fault,
    entries.Posted: _posted,
    entries.Undecided: _undecided,
    facts.PledgeOpened: _pledge,
    facts.TraceShown: _trace,
    entries.VerifierFault: _verifier_fault,
    entries.Overruled: _overruled,
}
