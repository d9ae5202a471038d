"""Settled weights: merged in a round whose epoch is final on the chain, with the merge under the epoch's log root.

A server names the entry of the merge. The entry, its index in the log and the epoch's log root are checked here: by the
log's tiles, which lead to one signed head, and by the chain.
"""

from __future__ import annotations

from dataclasses import dataclass

from web3 import Web3

from contracts.bindings.verifier_registry import EpochStatus, VerifierRegistry
from contracts.chain.deployment import Deployment
from contracts.errors import CommonweightError
from contracts.ids import RunId
from contracts.mirrors.places import open_place
from contracts.mirrors.reading import LogReader
from contracts.protocol.judge.entries import RoundMerged
from contracts.protocol.log.codec import InvalidLeaf
from contracts.protocol.log.leaf import read_derived
from contracts.wire.rounds import LineageRound
from trainer.client import ApiClient
from verifier.receipt.cosigned_log import text_of


class NotSettled(CommonweightError):
    """Weights that no final epoch has: weights that may still change are not released."""

    code = "not-settled"


@dataclass(frozen=True)
class Settled:
    """The weights after a round: digest of the outer weights (0x-hex), their file, and their entry and epoch."""

    theta: str
    blob: str
    round: int
    entry: int
    epoch: int


def settled_weights(client: ApiClient, deployment: Deployment, w3: Web3, run: RunId, number: int) -> Settled:
    """The weights after a round of a run. Raises NotSettled, ApiProblem, and what the log's reading raises."""
    rows = client.read_list(LineageRound, f"/runs/{run}/lineage", first=number, last=number)
    row = rows[0] if rows else None
    if row is None or row.merged_at is None or row.weights is None or row.epoch is None:
        raise NotSettled(f"round {number} is not merged, or its epoch has not closed")
    epoch = row.epoch.epoch
    state = VerifierRegistry(w3, deployment.verifier_registry).epoch_of(epoch)
    if state.status is not EpochStatus.FINAL:
        raise NotSettled(f"epoch {epoch}, which pays round {number}, is {state.status.name.lower()} on the chain")
    index = row.merged_at
    log = deployment.log_key()
    reader = LogReader(open_place(client.base_url, log), log)
    if reader.size < state.log_size or reader.tree.root(state.log_size) != state.log_root:
        raise NotSettled(f"epoch {epoch} is final over another log than this one")
    merged = _merged(reader, index)
    if (merged.run, merged.round) != (run, number) or index >= state.log_size:
        raise NotSettled(f"entry {index} does not merge round {number} of this run under epoch {epoch}")
    return Settled(merged.theta, str(row.weights_blob), number, index, epoch)


def _merged(reader: LogReader, index: int) -> RoundMerged:
    try:
        return read_derived(text_of(reader, index), RoundMerged)
    except InvalidLeaf as error:
        raise NotSettled(f"entry {index} of the log merges nothing") from error
