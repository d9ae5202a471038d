"""Invoices that the holders may pay back: assessed in an entry of the log under the root of an epoch that is final.

A server names the entries. Each is read from the log's tiles under one signed head, which extends the root that k
verifiers signed and that the chain made final: a payback rests on no server's word (ADR 61).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from web3 import Web3

from contracts.bindings.verifier_registry import EpochState, EpochStatus, VerifierRegistry
from contracts.chain.deployment import Deployment
from contracts.ids import Address, RunId, as_address
from contracts.mirrors.places import open_place
from contracts.mirrors.reading import LogReader
from contracts.protocol.judge.entries import Assessed, InvoicesAssessed
from contracts.protocol.log.codec import InvalidLeaf
from contracts.protocol.log.leaf import read_derived
from contracts.wire.epochs import Epoch
from contracts.wire.runs import Credit
from trainer.client import ApiClient
from verifier.log.settled_weights import NotSettled
from verifier.receipt.cosigned_log import text_of


@dataclass(frozen=True)
class Payback:
    """What of an invoice (its message's digest, 0x-hex) may be paid back to an account, in micro-USD, by the entry that
    assessed it, under a final epoch's root."""

    invoice: str
    run: RunId
    account: Address
    amount: int
    entry: int
    epoch: int


def settled_paybacks(client: ApiClient, deployment: Deployment, w3: Web3, run: RunId) -> list[Payback]:
    """All of a run whose assessment is under a final root. Raises NotSettled for a log that is another than the
    chain's, ApiProblem, and what the log's reading raises."""
    named = sorted(
        {line.invoice.assessed.entry for line in _lines(client, run) if line.invoice and line.invoice.assessed}
    )
    if not named:
        return []
    finals = _finals(client, VerifierRegistry(w3, deployment.verifier_registry))
    log = deployment.log_key()
    reader = LogReader(open_place(client.base_url, log), log)
    found: list[Payback] = []
    for entry in named:
        final = next(((number, state) for number, state in finals if entry < state.log_size), None)
        if final is None:
            continue
        number, state = final
        if reader.size < state.log_size or reader.tree.root(state.log_size) != state.log_root:
            raise NotSettled(f"epoch {number} is final over another log than this one")
        lines = _assessed(reader, entry, run)
        found += [Payback(a.key, run, as_address(a.account), a.credited, entry, number) for a in lines]
    return found


def _lines(client: ApiClient, run: RunId) -> Iterator[Credit]:
    after = -1
    while lines := client.read_list(Credit, f"/runs/{run}/contributions", after=after):
        yield from lines
        if lines[-1].entry <= after:
            return  # a server that repeats a page ends the list
        after = lines[-1].entry


def _finals(client: ApiClient, registry: VerifierRegistry) -> list[tuple[int, EpochState]]:
    """Epochs that the chain has made final, in their order."""
    finals: list[tuple[int, EpochState]] = []
    after = -1
    while epochs := client.read_list(Epoch, "/epochs", after=after):
        states = [(epoch.epoch, registry.epoch_of(epoch.epoch)) for epoch in epochs]
        finals += [(number, state) for number, state in states if state.status is EpochStatus.FINAL]
        if epochs[-1].epoch <= after:
            break
        after = epochs[-1].epoch
    return finals


def _assessed(reader: LogReader, index: int, run: RunId) -> list[Assessed]:
    try:
        entry = read_derived(text_of(reader, index), InvoicesAssessed)
    except InvalidLeaf as error:
        raise NotSettled(f"entry {index} of the log assesses nothing") from error
    if entry.run != run:
        raise NotSettled(f"entry {index} assesses another run's invoices")
    return [line for line in entry.lines if line.payback and line.credited]
