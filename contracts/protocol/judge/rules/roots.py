"""On which log a message was said: it names the root of the log up to the entry that asks for it.

An operator may show one verifier a fork for a while. A message there, in time and in good faith, must not count on
the other log, where the same entry stands at the same place and means another time, beacon or merge set (J2). So the
machine keeps the peaks of the log's Merkle tree (RFC 6962, 2.1) and, of the entries that messages may name, the root up
to each. In a simulation of the rules no log lies beneath, and nothing is compared.
"""

from __future__ import annotations

from contracts.ids import to_hex
from contracts.merkle.positional_tree import SHA256_TREE
from contracts.protocol.judge.entries import BeaconMissed, MergeSet, PanelDrawn, RoundClosed
from contracts.protocol.judge.errors import NotBound
from contracts.protocol.judge.state import State

_NAMED = (RoundClosed, BeaconMissed, PanelDrawn, MergeSet)
"""Entries that messages name whether something is awaited since them or not."""


def grow(state: State, entry: object, leaf: str) -> None:
    """The next leaf of the log lies beneath the entry that it holds, which the machine has taken."""
    index = state.leaves
    state.leaves = state.leaves + 1
    node = SHA256_TREE.leaf_hash(leaf.encode())
    size = index
    while size & 1:
        node = SHA256_TREE.node_hash(bytes.fromhex(state.peaks.pop()), node)
        size = size >> 1
    state.peaks.append(node.hex())
    if isinstance(entry, _NAMED) or index in state.open.values():
        state.roots[index] = _root(state)


def check(state: State, index: int, root: str) -> None:
    """Raises NotBound unless the log up to and with an entry has that root."""
    if state.leaves and state.roots.get(index) != root:
        raise NotBound(f"it is said of another log: this one has another root up to entry {index}")


def forget(state: State) -> None:
    """Drop the roots of entries that no message can name any more."""
    rounds = [current for run in state.runs.values() for current in run.rounds.values()]
    indexes = {*state.open.values(), *(proof.panel_at for proof in state.proofs.values())}
    for current in rounds:
        indexes |= {current.closed_at, current.merge_at, *current.closed_before}
    state.roots = {index: root for index, root in state.roots.items() if index in indexes}


def _root(state: State) -> str:
    nodes = [bytes.fromhex(peak) for peak in state.peaks]
    root = nodes.pop()
    while nodes:
        root = SHA256_TREE.node_hash(nodes.pop(), root)
    return to_hex(root)
