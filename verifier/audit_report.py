"""Everything that a payout rests on, recomputed by somebody who believes nobody: log, draws, roots on the chain."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from web3 import Web3

from contracts.deploy import Deployment
from contracts.verifier_registry import EpochStatus, VerifierRegistry
from trainer.client import ApiClient
from verifier.audit import LogAudit
from verifier.audit_epochs import EpochResult
from verifier.chain_authority import authority_of
from verifier.errors import AuditFailed
from verifier.log_mirror import LogMirror


def audit_model(client: ApiClient, w3: Web3, deployment: Deployment, head: Path) -> Iterator[str]:
    """A line for each thing that holds. Raises AuditFailed at the first that does not.

    1. every entry of the log follows from signed messages before it, and the log continues the head kept in `head`;
    2. every beacon that panels and draws came from is the chain's block;
    3. every epoch that the chain has carries the root that the log proves, over a log that is a prefix of this one.
    """
    audit = LogAudit(authority_of(w3, deployment))
    mirror = LogMirror(client, audit, head)
    mirror.sync()
    yield f"log: {mirror.size} entries hold, {audit.draws} draws follow from beacon and hash chain"
    for block, beacon in audit.beacons.items():
        if bytes(w3.eth.get_block(block)["hash"]) != beacon:
            raise AuditFailed(mirror.size, f"0x{beacon.hex()} is not the hash of block {block}: a draw was steered")
    yield f"beacons: {len(audit.beacons)} are blocks of the chain"
    registry = VerifierRegistry(w3, deployment.verifier_registry)
    for number, proven in audit.epochs.items():
        yield _epoch(registry, mirror, number, proven)


def _epoch(registry: VerifierRegistry, mirror: LogMirror, number: int, proven: EpochResult) -> str:
    state, size = registry.epoch_of(number), mirror.size
    if state.status is EpochStatus.NONE:
        return f"epoch {number}: not on the chain yet, {proven.count} payees, root 0x{proven.root.hex()}"
    if (state.root, state.total) != (proven.root, proven.total):
        raise AuditFailed(size, f"epoch {number} has root 0x{state.root.hex()} on the chain, not what the log proves")
    if state.log_root != mirror.root(state.log_size):
        raise AuditFailed(size, f"epoch {number} is anchored to another log")
    return f"epoch {number}: {state.status.name.lower()}, {proven.count} payees, root 0x{proven.root.hex()}"
