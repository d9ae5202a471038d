"""A ledger of version 0.2.0: the machine of its deployment, with what it read before, and the chain that it follows."""

from __future__ import annotations

from dataclasses import replace

from contracts.protocol.chain_reading import ChainReader
from contracts.protocol.judge.protocol import Protocol
from ledger.judgement.replica import Replica
from ledger.judgement.snapshots import EVERY, Snapshots
from ledger.service import Ledger


def judged(ledger: Ledger, snapshot_every: int = EVERY) -> Ledger:
    """The ledger with a machine of rules; its snapshots lie beside the blobs."""
    place = ledger.chain.deployment
    functions = Protocol(place.chain_id, place.distributor, ledger.chain.model, place.deployer)
    snapshots = Snapshots(ledger.blobs.beside("machine"), snapshot_every)
    replica = Replica(functions, ledger.chain.domain, snapshots)
    return replace(ledger, replica=replica, reader=ChainReader(ledger.chain.w3, place))
