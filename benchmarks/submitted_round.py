"""Rounds of many nodes whose commitments the server takes: what submitters can send, without training.

A run's nodes stand in one entry of the log, so that many nodes are in many runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from eth_account.signers.local import LocalAccount

from contracts.ids import to_hex
from contracts.merkle.positional_tree import KECCAK_TREE
from contracts.protocol.log.leaf import write
from ledger.context import Ledger
from ledger.machine.snapshots import Snapshots
from ledger.storage.store import Store
from tests.contracts.protocol.log.signed_run import SignedRun, key
from tests.ledger.service import facts_of, give, ledger_of

NODES = 64
"""Nodes of a run."""
SNAPSHOT_EVERY = 1_000
"""Entries: processes that begin together read few of them."""


def ledger_at(url: str, folder: Path) -> Ledger:
    """What a server process opens; no chain is asked."""
    return ledger_of(Store(url), folder, Snapshots(folder / "machine", SNAPSHOT_EVERY))


@dataclass(frozen=True)
class Opened:
    """Runs whose first rounds are open: the texts of their nodes' commitments, and how long the log was before."""

    texts: list[bytes]
    size: int
    tokens: int
    """Of one commitment."""


def open_rounds(ledger: Ledger, commitments: int) -> Opened:
    """As many runs as it takes, and the signed commitments of their nodes; bytes and digests are made up."""
    run = ManyRuns(commitments)
    for fact in facts_of(run.leaves):
        give(ledger, fact)
    with ledger.store.read() as session, ledger.judge.view(session) as state:
        return Opened(run.texts, state.size, run.config.tokens_per_round)


class ManyRuns(SignedRun):
    """Runs by one creator, each of NODES nodes."""

    def __init__(self, commitments: int) -> None:
        self.texts: list[bytes] = []
        names = iter(range(commitments))
        super().__init__(nodes=min(NODES, commitments))
        self._take(list(islice(names, NODES)))
        nonce = 1
        while numbers := list(islice(names, NODES)):
            nonce += 1
            self.nodes = [key(f"node {number}") for number in numbers]
            self._trees.clear()
            self._create({"nonce": nonce})
            self._take(numbers)

    def _take(self, numbers: list[int]) -> None:
        """Sign the commitments of the newest run, and enter none of them."""
        self.texts += [self._text(key(f"node {number}")) for number in numbers]

    def _text(self, node: LocalAccount) -> bytes:
        message = self.commitment(node)
        entries = self.entries(node, message.round)
        first, last = (KECCAK_TREE.inclusion_proof(entries, place) for place in (0, len(entries) - 1))
        paths = {"first_path": [to_hex(n) for n in first], "last_path": [to_hex(n) for n in last]}
        return write(self.envelope(message, node, **paths)).encode()
