"""Runs and rounds as people read them. Amounts are decimal strings, digests 0x-hex, rates parts per million."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from contracts.ids import RunId, to_hex
from contracts.protocol.judge import entries, facts
from contracts.protocol.judge.facts import What
from contracts.protocol.run_config import RunConfig
from contracts.wire.states import ProofState, RoundPhase, RunPhase
from ledger.errors import NotFound
from ledger.storage.tables.columns import Document
from ledger.views.documents import Documents
from ledger.views.invoices import INVOICES

Handle = Callable[[Documents, Any], None]
COUNTED = ("nodes", "active_nodes", "epochs", "decisions", "contributions", "faults")
"""Rows that grow in number with a run: its document has their counts, the rows are in pages."""


def _run_created(documents: Documents, leaf: Any) -> None:
    entry = leaf.entry
    start = {"theta": entry.theta, "theta_blob": None, "momentum": entry.momentum, "momentum_blob": None}
    documents.add_run(
        {
            "run": entry.run,
            "creator": entry.creator,
            "manifest": leaf.body["message"],
            "config": entry.config,
            "phase": RunPhase.ENROLLING,
            "round": 0,
            "verifiers": [],
            "last_epoch": None,
            "counts": dict.fromkeys(COUNTED, 0),
            "outer": start,
        }
    )


def _anchored(documents: Documents, leaf: Any) -> None:
    entry = leaf.entry
    verifiers = documents.run(entry.run)["verifiers"]
    line = {
        "verifier": entry.verifier,
        "profile": entry.profile,
        "first_round": entry.first,
        "rounds": entry.length,
        "entry": leaf.index,
    }
    _replace(verifiers, "verifier", line)


def _enrolled(documents: Documents, leaf: Any) -> None:
    entry = leaf.entry
    line = {
        "node": entry.node,
        "payout": entry.payout,
        "from_round": entry.first_round,
        "profile": entry.profile,
        "active": True,
        "entry": leaf.index,
    }
    counts = documents.run(entry.run)["counts"]
    earlier = documents.node(entry.run, entry.node)
    counts["nodes"] += earlier is None
    counts["active_nodes"] += earlier is None or not earlier["active"]
    documents.put_node(entry.run, line)


def _left(documents: Documents, leaf: Any) -> None:
    node = documents.node(leaf.entry.run, leaf.entry.node)
    if node is not None and node["active"]:
        documents.put_node(leaf.entry.run, {**node, "active": False})
        documents.run(leaf.entry.run)["counts"]["active_nodes"] -= 1


def _opened(documents: Documents, leaf: Any) -> None:
    entry = leaf.entry
    run = documents.run(entry.run)
    run["round"] = entry.round
    run["phase"] = RunPhase.TRAINING
    run["config"] = entry.config
    outer = run["outer"]
    documents.add_round(
        {
            "run": entry.run,
            "round": entry.round,
            "entry": leaf.index,
            "phase": RoundPhase.TRAINING,
            "config": entry.config,
            "config_digest": to_hex(RunConfig.from_json(entry.config).digest()),
            "data_seed": entry.data_seed,
            "theta": {"digest": entry.theta, "blob": outer["theta_blob"]},
            "momentum": {"digest": entry.momentum, "blob": outer["momentum_blob"]},
            "verifiers": list(entry.verifiers),
            "threshold": entry.k,
            "block": entry.block,
            "nodes": [_listed(documents, entry.run, node) for node in entry.nodes],
            "proofs": [],
            "closed_by": None,
            "lapses": [],
            "beacon": None,
            "merges": {},
            "merge": None,
        }
    )


def _listed(documents: Documents, run: RunId, node: entries.Listed) -> Document:
    """`enrolment` is the entry in which the node named its payout address. Raises NotFound."""
    enrolled = documents.node(run, node.node)
    if enrolled is None:
        raise NotFound(f"{node.node} takes part in run {run}, and never enrolled")
    return {
        "enrolment": enrolled["entry"],
        "node": node.node,
        "payout": node.payout,
        "inner": node.inner,
        "profile": node.profile,
        "rate": node.rate,
        "awaited": node.awaited,
        "staked": node.staked,
        "lapsed": False,
    }


def _lapsed(documents: Documents, leaf: Any) -> None:
    awaited = leaf.entry.awaited
    line = {"what": str(awaited.what), "party": awaited.party, "period": leaf.entry.period, "entry": leaf.index}
    if awaited.proof:
        documents.proof(awaited.proof)["lapses"].append(line)
        return
    current = documents.round(awaited.run, awaited.round)
    current["lapses"].append(line)
    for node in current["nodes"]:
        if awaited.what is What.COMMITMENT and node["node"] == awaited.party:
            node["lapsed"] = True


def _closed(documents: Documents, leaf: Any) -> None:
    entry = leaf.entry
    current = documents.round(entry.run, entry.round)
    current["phase"] = RoundPhase.VERIFYING
    current["closed_by"] = leaf.index
    for proof in current["proofs"]:
        if proof not in entry.proofs:
            documents.proof(proof)["state"] = ProofState.OUT


def _beacon(documents: Documents, leaf: Any) -> None:
    entry = leaf.entry
    documents.round(entry.run, entry.round)["beacon"] = {"block": entry.block, "hash": entry.hash}


def _merge_set(documents: Documents, leaf: Any) -> None:
    current = documents.round(leaf.entry.run, leaf.entry.round)
    current["phase"] = RoundPhase.MERGING
    current["merge_set"] = list(leaf.entry.proofs)


def _merge(documents: Documents, leaf: Any) -> None:
    entry = leaf.entry
    message = leaf.body["message"]
    documents.round(entry.run, entry.round)["merges"][entry.verifier] = {
        "theta": entry.theta,
        "momentum": entry.momentum,
        "theta_blob": message["thetaBlob"],
        "momentum_blob": message["momentumBlob"],
        "held_out_loss": message["heldOutLoss"],
    }


def _merged(documents: Documents, leaf: Any) -> None:
    entry = leaf.entry
    run = documents.run(entry.run)
    current = documents.round(entry.run, entry.round)
    current["phase"] = RoundPhase.CLOSED
    run["phase"] = RunPhase.BETWEEN_ROUNDS
    equal = {v: m for v, m in current["merges"].items() if (m["theta"], m["momentum"]) == (entry.theta, entry.momentum)}
    if not equal:
        return
    first = next(iter(equal.values()))
    blobs = {"theta_blob": first["theta_blob"], "momentum_blob": first["momentum_blob"]}
    run["outer"] = {"theta": entry.theta, "momentum": entry.momentum, **blobs}
    losses = {verifier: merge["held_out_loss"] for verifier, merge in equal.items()}
    current["merge"] = {**run["outer"], "held_out_loss": losses, "entry": leaf.index}


def _decision(documents: Documents, leaf: Any) -> None:
    entry = leaf.entry
    line = {"sequence": entry.sequence, "applied": entry.applied, "detail": entry.detail, "entry": leaf.index}
    documents.add_taken(entry.run, line)
    documents.run(entry.run)["counts"]["decisions"] += 1


def _credited(documents: Documents, leaf: Any) -> None:
    entry = leaf.entry
    message = leaf.body["message"]
    line = {
        "entry": leaf.index,
        "kind": entry.kind,
        "source": message["source"],
        "subject": message["subject"],
        "licence": message["licence"],
        "account": entry.account,
        "weight": str(entry.weight),
        "signers": list(entry.signers),
        "invoice": None,
    }
    documents.add_credit(entry.run, line)
    documents.run(entry.run)["counts"]["contributions"] += 1


def _epoch(documents: Documents, leaf: Any) -> None:
    """An epoch that closes anew is counted once."""
    run = documents.run(leaf.entry.run)
    number = leaf.entry.epoch
    if run["last_epoch"] is None or run["last_epoch"] < number:
        run["last_epoch"] = number
        run["counts"]["epochs"] += 1


def _over(documents: Documents, leaf: Any) -> None:
    documents.run(leaf.entry.run)["phase"] = RunPhase.OVER


def _replace(lines: list[Document], key: str, line: Document) -> None:
    """Put a line in the place of the one with the same key."""
    lines[:] = [*(old for old in lines if old[key] != line[key]), line]


ROUNDS: dict[type, Handle] = {
    facts.RunCreated: _run_created,
    facts.Anchored: _anchored,
    facts.Enrolled: _enrolled,
    facts.Left: _left,
    entries.RoundOpened: _opened,
    entries.Lapsed: _lapsed,
    entries.RoundClosed: _closed,
    entries.BeaconFixed: _beacon,
    entries.MergeSet: _merge_set,
    facts.MergeSigned: _merge,
    entries.RoundMerged: _merged,
    entries.DecisionTaken: _decision,
    facts.Credited: _credited,
    **INVOICES,
    entries.EpochClosed: _epoch,
    entries.RunOver: _over,
}
