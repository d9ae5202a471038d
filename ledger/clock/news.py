"""The log's changes as lines of the server's own log, a line each: in the morning an operator reads the evening.

Heads, verdicts and openings have no lines: a run's lines are those of its rounds, proofs and epochs.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

from contracts.amounts import TOKENS, amount
from contracts.ids import ZERO_ADDRESS
from contracts.protocol.judge import entries, facts
from contracts.protocol.log.leaf import Entry, read
from ledger.books import log
from ledger.context import Ledger

MOST = 500
"""Entries of one look."""
logger = logging.getLogger(__name__)
Line = Callable[[Any], str]

LINES: dict[type, Line] = {
    facts.RunCreated: lambda e: f"run {e.run} is created by {e.creator}",
    facts.Anchored: lambda e: f"verifier {e.verifier} is bound to run {e.run} from round {e.first}, for {e.length}",
    facts.Enrolled: lambda e: f"node {e.node} enrols in run {e.run} from round {e.first_round}, paid to {e.payout}",
    facts.Left: lambda e: f"node {e.node} leaves run {e.run}",
    facts.Returned: lambda e: f"{e.party} is back in run {e.run}",
    facts.Committed: lambda e: f"round {e.round} of run {e.run}: node {e.node} commits, proof {e.proof}",
    facts.Credited: lambda e: f"run {e.run} credits {e.account} with weight {e.weight}",
    facts.Invoiced: lambda e: (
        f"run {e.run} takes an invoice of {e.amount} micro-USD for {e.machine} at {e.provider}, for {e.account}"
    ),
    entries.InvoicesAssessed: lambda e: (
        f"run {e.run} assesses {len(e.lines)} invoices: so far {e.capital} micro-USD are capital, "
        f"{e.payable} may be paid back"
    ),
    entries.RoundOpened: lambda e: (
        f"round {e.round} of run {e.run} opens: {len(e.nodes)} nodes, {len(e.verifiers)} verifiers, {e.k} decide"
    ),
    entries.Lapsed: lambda e: (
        f"the {e.awaited.what} of {e.awaited.party or 'all'} did not come in time ({_round_of(e)})"
    ),
    entries.RoundClosed: lambda e: f"round {e.round} of run {e.run} closes with {len(e.proofs)} proofs",
    entries.BeaconMissed: lambda e: f"round {e.round} of run {e.run}: its beacon is missed, a later block draws",
    entries.BenchCalled: lambda e: f"proof {e.proof}: segment {e.segment} is in question, all its verifiers read it",
    entries.Voided: lambda e: f"proof {e.proof} is void: {e.reason}" + _segment(e.segment),
    entries.FaultDerived: lambda e: (
        f"proof {e.proof} of {e.node} ends void: {e.reason}, {'at' if e.at_fault else 'without'} fault"
        + (", which costs stake" if e.costs_stake else "")
    ),
    entries.Posted: lambda e: f"proof {e.proof} holds: {e.tokens} tokens of work for {e.account}",
    entries.Undecided: lambda e: f"proof {e.proof} stays undecided, and is not paid",
    entries.VerifierFault: lambda e: f"verifier {e.verifier} is at fault in round {e.round} of run {e.run}: {e.fault}",
    entries.RoundMerged: lambda e: f"round {e.round} of run {e.run} is merged: weights {e.theta}",
    entries.DecisionTaken: lambda e: (
        f"decision {e.sequence} {'counts' if e.applied else 'is refused'} in run {e.run}: {e.detail}"
    ),
    entries.EpochClosed: lambda e: (
        f"epoch {e.epoch}, attempt {e.attempt}, closes over rounds {e.first_round} to {e.last_round} of run {e.run}: "
        f"{amount(e.total, TOKENS)} to {len(e.lines)} lines"
    ),
    entries.EpochEnded: lambda e: (
        f"epoch {e.epoch} is final on the chain" + ("" if e.ours else " WITH A ROOT THAT DOES NOT FOLLOW FROM THE LOG")
    ),
    entries.RunOver: lambda e: f"run {e.run} is over",
}


class News:
    """The lines of one process, from its start on."""

    def __init__(self) -> None:
        self._next: int | None = None
        self._configs: dict[str, str] = {}

    def tell(self, ledger: Ledger) -> None:
        """Write the lines of the entries since the last time. Authors of openings and pledges have no line, and are not
        looked up."""
        with ledger.store.read() as session:
            if self._next is None:
                self._next = log.size(session)
            rows = log.bodies(session, self._next, MOST)
        for row in rows:
            self._next = row.index + 1
            self._tell(read(row.body, ledger.chain.domain, lambda _proof: ZERO_ADDRESS, checked=False))

    def _tell(self, entry: Entry) -> None:
        line = LINES.get(type(entry))
        if line is not None:
            logger.info("%s", line(entry))
        if isinstance(entry, entries.RoundOpened):
            self._tell_changes(entry)

    def _tell_changes(self, opened: entries.RoundOpened) -> None:
        """Write how a round's configuration differs from the one before."""
        before, self._configs[opened.run] = self._configs.get(opened.run), opened.config
        if before is None or before == opened.config:
            return
        old = json.loads(before)
        new = json.loads(opened.config)
        changed = [f"{name} from {old.get(name)} to {new[name]}" for name in new if old.get(name) != new[name]]
        logger.info("run %s has a new configuration: %s", opened.run, ", ".join(changed))


def _round_of(entry: entries.Lapsed) -> str:
    awaited = entry.awaited
    proof = f", proof {awaited.proof}" if awaited.proof else ""
    return f"round {awaited.round} of run {awaited.run}{proof}"


def _segment(number: int | None) -> str:
    return "" if number is None else f" in segment {number}"
