"""A run in real messages: keys, signatures, trees, draws. Its log is what a service of version 0.2.0 would write.

`SignedRun` has verifiers (k of them decide) and honest nodes; `play` goes through rounds and gives nothing back: the
leaves are in `leaves`. Training is not there: a state is its digest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from hashlib import sha256
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount

from contracts.ids import ProofId, RunId, as_address, to_hex
from contracts.merkle.positional_tree import KECCAK_TREE
from contracts.merkle.stored_tree import StoredTree
from contracts.messages import for_log as messages
from contracts.messages.for_contracts import Message
from contracts.messages.signatures import Domain, digest, sign
from contracts.protocol.draw import NO_SEGMENT
from contracts.protocol.judge import chain_events, facts
from contracts.protocol.judge.entries import Derived
from contracts.protocol.judge.machine import VERSION
from contracts.protocol.judge.protocol import Protocol, secret_leaf
from contracts.protocol.judge.rules.seats import owed
from contracts.protocol.judge.state import RoundState, State
from contracts.protocol.log.follower import Follower
from contracts.protocol.log.leaf import write
from contracts.protocol.log.signed import Envelope
from contracts.protocol.pledge import Pledge
from contracts.protocol.run_config import RunConfig

DOMAIN = Domain(31337, "0x" + "ab" * 20)
MODEL, PROFILE = b"\5" * 32, b"\6" * 32


def hashed(*parts: object) -> bytes:
    """32 bytes that follow from the parts."""
    return sha256(repr(parts).encode()).digest()


def key(name: str) -> LocalAccount:
    """The key of a name."""
    found: LocalAccount = Account.from_key(hashed("key", name))
    return found


class SignedRun:
    """One run of honest nodes and verifiers."""

    def __init__(
        self,
        nodes: int = 2,
        verifiers: int = 3,
        k: int = 2,
        rounds: int = 1,
        length: int = 64,
        config: Mapping[str, Any] | None = None,
        **terms: Any,
    ) -> None:
        self.functions, self.length = self.protocol(), length
        self.follower = Follower(self.functions, DOMAIN, checked=False)
        self.leaves: list[str] = []
        self._trees: dict[str, StoredTree] = {}
        self.creator = key("creator")
        self.verifiers = [key(f"verifier {i}") for i in range(verifiers)]
        self.nodes = [key(f"node {i}") for i in range(nodes)]
        small = RunConfig(rounds=rounds, steps=16, segment=4, batch=1, context=16, d_model=16, heads=2, layers=1)
        self.config = replace(small, **(config or {}))
        self.time, self.number = 1_000, 0
        self.add(facts.Rules(VERSION))
        events: list[chain_events.ChainEvent] = [chain_events.Quorum(k, 10)]
        events += [chain_events.VerifierStands(v.address, True, 10) for v in self.verifiers]
        self.block(*events)
        self._create(terms)

    @staticmethod
    def protocol() -> Protocol:
        """The functions of its deployment."""
        return Protocol(DOMAIN.chain_id, as_address("0x" + "cd" * 20), MODEL, key("creator").address)

    @property
    def state(self) -> State:
        """Of the machine at the log's end."""
        return self.follower.state

    @property
    def round(self) -> RoundState:
        """The newest round."""
        run = self.state.runs[RunId(to_hex(self.run))]
        return run.rounds[run.round]

    def add(self, entry: facts.Rules | facts.Block | Envelope) -> list[Derived]:
        """Enter something, and all that follows."""
        text = write(entry)
        self.follower.take(text)
        found = list(self.follower.due)
        texts = [write(derived) for derived in found]
        for derived in texts:
            self.follower.take(derived)
        self.leaves += [text, *texts]
        return found

    def send(self, message: Message, author: LocalAccount, **beside: Any) -> list[Derived]:
        """Sign a message and enter it."""
        return self.add(self.envelope(message, author, **beside))

    def envelope(self, message: Message, author: LocalAccount, **beside: Any) -> Envelope:
        """A signed message."""
        return Envelope(message, (sign(message, DOMAIN, bytes(author.key)),), beside)

    def block(self, *events: chain_events.ChainEvent, seconds: int = 40) -> list[Derived]:
        """A final block some seconds later."""
        before, self.time, self.number = self.time, self.time + seconds, self.number + 1
        name = to_hex(hashed("block", self.number))
        return self.add(facts.Block(self.number, self.time, name, events, before))

    def play(self, rounds: int = 1) -> None:
        """Rounds in which everybody does what is asked, each epoch final at its end."""
        for _ in range(rounds):
            self.commit_all()
            self.see()
            self.read_all()
            self.merge()
            self._make_final()

    # -- the parts of a round -----------------------------------------------------------------------------------------

    def commitment(self, node: LocalAccount) -> messages.Commitment:
        """An honest node's commitment to the newest round."""
        current = self.round
        entries = self.entries(node, current.number)
        return messages.Commitment(
            run=self.run,
            round=current.number,
            node=node.address,
            startState=entries[0][:32],
            innerState=entries[0][32:],
            root=KECCAK_TREE.root(entries),
            boundaries=len(entries),
            endState=entries[-1][:32],
            innerEnd=entries[-1][32:],
            gradient=hashed("gradient", node.address, current.number),
            gradientBlob=hashed("blob", node.address, current.number),
            gradientSize=1_000,
            dataSeed=bytes.fromhex(current.data_seed[2:]),
            config=RunConfig.from_json(current.config).digest(),
            profile=PROFILE,
            pledge=self.pledge(node, current.number).seal(node.address),
            tokens=self.config.tokens_per_round,
        )

    def entries(self, node: LocalAccount, number: int) -> list[bytes]:
        """The boundaries of a node's round, the first as the round has it."""
        listed = self.round.listed[node.address]
        start = bytes.fromhex(self.round.theta[2:]) + bytes.fromhex(listed.inner[2:])
        return [start] + [
            hashed("weights", node.address, number, i) + hashed("inner", node.address, number, i)
            for i in range(1, self.config.segments + 1)
        ]

    def pledge(self, node: LocalAccount, number: int) -> Pledge:
        """Of honest work."""
        return Pledge(hashed("salt", node.address, number))

    def commit(self, node: LocalAccount) -> bytes:
        """Commit; the proof's id."""
        message = self.commitment(node)
        entries = self.entries(node, message.round)
        paths = {
            name: [to_hex(n) for n in KECCAK_TREE.inclusion_proof(entries, place)]
            for name, place in (("first_path", 0), ("last_path", len(entries) - 1))
        }
        self.send(message, node, **paths)
        return digest(message, DOMAIN)

    def commit_all(self) -> list[bytes]:
        """All nodes commit, and the verifiers hold what they committed to."""
        proofs = [self.commit(node) for node in self.nodes]
        for verifier in self.verifiers:
            self.send(messages.Has(self.run, self.round.number, verifier.address, tuple(proofs)), verifier)
        return proofs

    def see(self) -> None:
        """The verifiers saw the closing entry, and the beacon comes."""
        closed = self.round.closed_at
        for verifier in self.verifiers:
            seen = messages.Seen(self.run, self.round.number, verifier.address, closed, self.root_at(closed))
            self.send(seen, verifier)
        self.block()

    def read_all(self) -> None:
        """Secrets, openings, words, pledges, traces."""
        for verifier in self._seated():
            self.show_secret(verifier)
        for proof in self.round.closed:
            self.open(proof)
            for verifier in self._seated():
                self.say(proof, verifier)
            self.open_pledge(proof)
            for verifier in self._seated():
                if verifier.address in self.state.proofs[proof].witnesses:
                    trace = messages.TraceReveal(bytes.fromhex(proof[2:]), verifier.address, hashed("trace", proof))
                    self.send(trace, verifier)

    def show_secret(self, verifier: LocalAccount) -> list[Derived]:
        """A verifier's secret of the newest round, with its path."""
        place = self.round.number - 1
        secret = self.secrets[verifier.address][place]
        path = [to_hex(node) for node in self.secret_tree(verifier).inclusion_proof(place, self.length)]
        return self.send(
            messages.RoundSecret(self.run, self.round.number, verifier.address, secret), verifier, path=path
        )

    def open(self, proof: ProofId) -> None:
        """Open all that is asked for."""
        state = self.state.proofs[proof]
        node = next(n for n in self.nodes if n.address == state.commitment.node)
        entries = self.entries(node, state.commitment.round)
        asked = sorted({side for segment in state.segments for side in (segment, segment + 1)})
        for boundary in asked:
            self.send(self.opening(proof, boundary, entries), node, path=self.path(entries, boundary))

    def opening(self, proof: ProofId, boundary: int, entries: list[bytes]) -> messages.StateOpening:
        """One boundary."""
        entry = entries[boundary]
        blob = hashed("state", proof, boundary)
        return messages.StateOpening(bytes.fromhex(proof[2:]), boundary, entry[:32], entry[32:], blob, 5_000)

    def path(self, entries: list[bytes], boundary: int) -> list[str]:
        """From one boundary to the root."""
        return [to_hex(node) for node in KECCAK_TREE.inclusion_proof(entries, boundary)]

    def say(self, proof: ProofId, verifier: LocalAccount) -> None:
        """True on all that a verifier owes."""
        due = owed(self.state.proofs[proof], verifier.address)
        if not due:
            return
        words = tuple(messages.SegmentVerdict(segment, 1, 0, 0, 10**15) for segment in due)
        witness = self.functions.seal_trace(verifier.address, to_hex(hashed("trace", proof)))
        name, root = bytes.fromhex(proof[2:]), self.root_at(self.state.proofs[proof].panel_at)
        message = messages.Verdict(name, verifier.address, root, bytes.fromhex(witness[2:]), words)
        self.send(message, verifier)

    def open_pledge(self, proof: ProofId) -> list[Derived]:
        """The node opens what it sealed."""
        commitment = self.state.proofs[proof].commitment
        node = next(n for n in self.nodes if n.address == commitment.node)
        salt = self.pledge(node, commitment.round).salt
        return self.send(messages.PledgeReveal(bytes.fromhex(proof[2:]), salt, NO_SEGMENT), node)

    def merge(self) -> None:
        """k verifiers sign the outer step."""
        number = self.round.number
        for verifier in self.verifiers[: self.state.k]:
            theta, momentum = hashed("theta", number), hashed("momentum", number)
            digests = (theta, momentum, theta, momentum)
            self.send(messages.Merge(self.run, number, verifier.address, self.merge_root, *digests, 5), verifier)

    def root_at(self, index: int) -> bytes:
        """Of the log up to and with an entry; zero where no message can name it any more."""
        return bytes.fromhex(self.state.roots.get(index, to_hex(b"\0" * 32))[2:])

    @property
    def merge_root(self) -> bytes:
        """Of the log up to and with the newest round's merge set."""
        return self.root_at(self.round.merge_at)

    # -- the beginning ------------------------------------------------------------------------------------------------

    def _create(self, changes: dict[str, Any]) -> None:
        terms = messages.RunTerms(
            model=MODEL,
            creator=self.creator.address,
            config=self.config.digest(),
            genesis=hashed("genesis"),
            emission=10**21,
            roundsPerEpoch=1,
            minNodes=len(self.nodes),
            maxNodes=64,
            panel=2,
            samples=2,
            auditFloor=1_000_000,
            nodeStake=0,
            beaconSpan=30,
            rootSeconds=600,
            behindRounds=3,
            canaries=1,
            canaryWindow=10,
            periodSeconds=60,
            leaseSeconds=20,
            leastRate=10**6,
            profiles=(PROFILE,),
            momentum=b"\1" * 32,
            inner=b"\0" * 32,
            nonce=1,
        )
        terms = replace(terms, **changes)
        self.run = digest(terms, DOMAIN)
        self.send(terms, self.creator, config=self.config.to_json())
        for verifier in self.verifiers:
            anchor = self.secret_tree(verifier).root(self.length)
            self.send(
                messages.VerifierAnchor(self.run, verifier.address, anchor, self.length, 1, PROFILE, MODEL), verifier
            )
        for node in self.nodes:
            payout = key(f"wallet of {node.address}").address
            self.send(messages.Enrolment(self.run, node.address, payout, 1, PROFILE, 1), node)

    @cached_property
    def secrets(self) -> dict[str, list[bytes]]:
        """Each verifier's secrets, one a round."""
        return {v.address: [hashed("secret", v.address, i) for i in range(self.length)] for v in self.verifiers}

    def secret_tree(self, verifier: LocalAccount) -> StoredTree:
        """What the verifier's anchor is the root of, hashed once: a long run shows a path of it every round."""
        if verifier.address not in self._trees:
            secrets = enumerate(self.secrets[verifier.address])
            leaves = [secret_leaf(self.run, verifier.address, i, secret) for i, secret in secrets]
            hashes = [KECCAK_TREE.leaf_hash(leaf) for leaf in leaves]
            nodes = StoredTree(lambda _: {}, KECCAK_TREE).grown(0, hashes)
            self._trees[verifier.address] = StoredTree(lambda asked: {n: nodes[n] for n in asked}, KECCAK_TREE)
        return self._trees[verifier.address]

    def _seated(self) -> Iterable[LocalAccount]:
        """The verifiers that sit on a panel of the newest round, in the order of their keys."""
        proofs = [self.state.proofs[name] for name in self.round.closed]
        return [v for v in self.verifiers if any(v.address in proof.seats for proof in proofs)]

    def _make_final(self) -> None:
        for number, epoch in list(self.state.epochs.items()):
            self.block(chain_events.EpochFinal(number, epoch.closed.attempt, epoch.closed.root))
