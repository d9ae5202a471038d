"""What the log says of the run: rounds, proofs and their ends, lapses and faults, read by the product's own machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from benchmarks.weather.network import Network
from contracts.messages.signatures import Domain
from contracts.mirrors.places import open_place
from contracts.mirrors.reading import LogReader
from contracts.protocol.judge.entries import (
    FaultDerived,
    Lapsed,
    Posted,
    RoundClosed,
    RoundMerged,
    RoundOpened,
    Undecided,
    VerifierFault,
    Voided,
)
from contracts.protocol.judge.facts import Committed
from contracts.protocol.judge.protocol import Protocol
from contracts.protocol.log.follower import Follower
from contracts.protocol.log.leaf import Entry


@dataclass(frozen=True)
class Proof:
    """A commitment, and the index of its entry."""

    node: str
    round: int
    index: int


@dataclass
class Facts:
    """`names` are the parties' by address. A round's nodes are those that were listed and awaited; what lapsed stands
    there with who was awaited and the entry's index."""

    names: Mapping[str, str]
    proofs: dict[str, Proof] = field(default_factory=dict)
    ends: dict[str, str] = field(default_factory=dict)
    awaited: dict[int, list[str]] = field(default_factory=dict)
    opened: dict[int, int] = field(default_factory=dict)
    closed: dict[int, int] = field(default_factory=dict)
    merged: list[int] = field(default_factory=list)
    at_fault: list[str] = field(default_factory=list)
    verifier_faults: list[str] = field(default_factory=list)
    lapsed: list[tuple[str, str, int, int]] = field(default_factory=list)

    def take(self, index: int, entry: Entry) -> None:
        """The next entry."""
        match entry:
            case Committed():
                self.proofs[entry.proof] = Proof(self._name(entry.node), entry.round, index)
            case RoundOpened():
                self.opened[entry.round] = index
                self.awaited[entry.round] = [self._name(listed.node) for listed in entry.nodes if listed.awaited]
            case RoundClosed():
                self._close(index, entry)
            case RoundMerged():
                self.merged.append(entry.round)
            case Posted() | Undecided():
                self.ends[entry.proof] = type(entry).__name__.lower()
            case Voided():
                self.ends[entry.proof] = f"void: {entry.reason}, segment {entry.segment}"
            case FaultDerived() if entry.at_fault:
                self.at_fault.append(f"{self._name(entry.node)}: {entry.reason}, entry {index}")
            case VerifierFault():
                self.verifier_faults.append(f"{self._name(entry.verifier)}: {entry.fault}, entry {index}")
            case Lapsed():
                what = entry.awaited
                self.lapsed.append((str(what.what), self._name(what.party), what.round, index))

    def voids(self) -> list[str]:
        """Every node here is honest: each of these is a fault of the product, or of the bench."""
        found = [(proof, self.ends.get(name, "")) for name, proof in self.proofs.items()]
        return [f"{p.node}, round {p.round}, entry {p.index}: {end}" for p, end in found if end.startswith("void")]

    def posted_since(self, index: int) -> set[str]:
        """Nodes with a paid proof of a round that opened at or behind that entry."""
        posted = (proof for name, proof in self.proofs.items() if self.ends.get(name) == "posted")
        return {proof.node for proof in posted if self.opened.get(proof.round, -1) >= index}

    def counts(self) -> dict[str, int]:
        """Proofs by their ends, those under way as `open`."""
        return dict(Counter(self.ends.get(name, "open").partition(":")[0] for name in self.proofs))

    def missed(self) -> list[tuple[str, int]]:
        """Nodes and rounds: awaited, and without a commitment when it closed."""
        had = {(proof.node, proof.round) for proof in self.proofs.values()}
        found = ((node, number) for number in self.closed for node in self.awaited[number])
        return [missed for missed in found if missed not in had]

    def _close(self, index: int, entry: RoundClosed) -> None:
        """What k verifiers do not hold is out."""
        self.closed[entry.round] = index
        for name, proof in self.proofs.items():
            if proof.round == entry.round and name not in entry.proofs:
                self.ends[name] = "out"

    def _name(self, address: str) -> str:
        return self.names.get(address.lower(), address)


def facts(network: Network) -> Facts:
    """Read the server's log, tile by tile under its signed head, by the rules. Raises Differs and what a log raises."""
    place = network.place
    deployment, log = place.deployment, place.deployment.log_key()
    functions = Protocol(
        deployment.chain_id, deployment.distributor, bytes.fromhex(deployment.model[2:]), deployment.deployer
    )
    follower = Follower(functions, Domain(deployment.chain_id, deployment.model_registry), checked=False)
    found = Facts({network.key(name).address.lower(): name for name in network.parties})
    for index, leaf in enumerate(LogReader(open_place(place.api, log), log).entries()):
        found.take(index, follower.take(leaf.decode()))
    return found
