"""The signed message that says what a fact of the simulator says; each name has its key, its trees and its digests."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from contracts.ids import ProofId, as_address, to_hex
from contracts.merkle.positional_tree import KECCAK_TREE
from contracts.messages import for_log as messages
from contracts.messages.for_contracts import Message
from contracts.messages.signatures import digest, sign
from contracts.protocol.draw import NO_SEGMENT
from contracts.protocol.judge import chain_events, facts
from contracts.protocol.judge.chain_events import ChainEvent
from contracts.protocol.judge.facts import Fact, Reason, What, Word
from contracts.protocol.judge.protocol import secret_leaf
from contracts.protocol.log.signed import REASONS, WHAT, WORDS, Envelope
from contracts.protocol.pledge import Pledge
from contracts.protocol.run_config import RunConfig
from tests.adversary.service.names import NO_PAIRS, Names, is_config, key, real_config
from tests.adversary.service.twin import Twin
from tests.contracts.protocol.log.signed_run import DOMAIN, MODEL

ZERO = b"\0" * 32
NOBODY = as_address("0x" + "00" * 20)
ELSEWHERE = "stranger"
"""Who signs what is about a proof that is nowhere."""
_SECRET = re.compile(r"(.+)#([0-9]+)(?:-[0-9]+)?")
"""A secret of the simulator: its anchor, its place, and what a grinder made of it."""
_PLEDGE = re.compile(r"pledge (\S+) (\S+) (None|[0-9]+)")
_ROOT = re.compile(r"root-([0-9]+)")
_WITNESS = re.compile(r"sealed (\S+) (\S+)")
_KEYS = {"tokens": "clip", "weight": "compute_weight"}
"""What stands for a key of the simulator that holders cannot vote on."""
_WORD = {word: number for number, word in WORDS.items()}
_REASON: dict[Reason | None, int] = {None: 0} | {reason: number for number, reason in REASONS.items()}

Said = tuple[Message, tuple[str, ...], dict[str, Any]]
"""A message, the names that sign it, and what stands beside it."""


@dataclass
class Speaker:
    """Says the facts of one history."""

    names: Names
    functions: Twin
    tokens: dict[str, int] = field(default_factory=dict)
    """What a proof's commitment said in the service, by the simulator's name."""
    roots: Callable[[], dict[int, str]] = dict
    """Those of the service's log that messages may name."""
    _exact: bool = True
    _runs: dict[str, int] = field(default_factory=dict)
    _nodes: dict[str, str] = field(default_factory=dict)
    _boundaries: dict[str, list[bytes]] = field(default_factory=dict)
    _anchors: dict[str, list[bytes]] = field(default_factory=dict)

    def envelope(self, fact: Fact) -> Envelope:
        """The message, signed by everybody who has to."""
        message, authors, beside = _SAYS[type(fact)](self, fact)
        keys = sorted((key(name) for name in authors), key=lambda found: str(found.address))
        return Envelope(message, tuple(sign(message, DOMAIN, bytes(one.key)) for one in keys), beside)

    def block(self, fact: facts.Block) -> facts.Block:
        """A block with a hash, and events about addresses."""
        events = tuple(self._event(event) for event in fact.events)
        return replace(fact, hash=self.names.digest(fact.hash), events=events)

    def config(self, text: str) -> RunConfig:
        """The real configuration of the simulator's."""
        return real_config(text, self._exact)

    def _event(self, event: ChainEvent) -> ChainEvent:
        names = self.names
        if isinstance(event, chain_events.VerifierStands):
            return replace(event, verifier=names.address(event.verifier))
        if isinstance(event, chain_events.NodeStake):
            return replace(event, node=names.address(event.node))
        if isinstance(event, chain_events.NodeSlashed):
            return replace(event, proof=ProofId(names.digest(event.proof)))
        if isinstance(event, chain_events.EpochFinal):
            return replace(event, root=names.root(event.root))
        if isinstance(event, chain_events.Decided):
            return replace(event, key=_KEYS.get(event.key, event.key))
        return event

    # -- runs and who takes part --------------------------------------------------------------------------------------

    def run(self, fact: facts.RunCreated) -> Said:
        """Two manifests under one nonce are not one message: `leastRate`, which decides nothing, tells them apart."""
        names, terms = self.names, fact.terms
        self._exact = terms.exact
        config = self.config(fact.config)
        message = messages.RunTerms(
            model=MODEL,
            creator=names.address(fact.creator),
            config=config.digest(),
            genesis=names.octets(fact.theta),
            emission=terms.emission,
            roundsPerEpoch=terms.rounds_per_epoch,
            minNodes=terms.min_nodes,
            maxNodes=terms.max_nodes,
            panel=terms.panel,
            samples=terms.samples,
            auditFloor=terms.audit_floor,
            nodeStake=terms.node_stake,
            beaconSpan=terms.span,
            rootSeconds=terms.root_seconds,
            behindRounds=terms.behind_rounds,
            canaries=terms.canaries,
            canaryWindow=terms.canary_window,
            periodSeconds=60,
            leaseSeconds=20,
            leastRate=10**6 + self._runs.setdefault(fact.run, len(self._runs)),
            profiles=tuple(names.octets(profile) for profile in terms.profiles),
            momentum=names.octets(fact.momentum),
            inner=names.octets(fact.inner),
            nonce=fact.nonce,
        )
        names.pair(fact.run, to_hex(digest(message, DOMAIN)))
        beside = {"config": config.to_json()} | ({} if terms.exact else {"limits": NO_PAIRS.to_json()})
        return message, (fact.creator,), beside

    def anchor(self, fact: facts.Anchored) -> Said:
        names, run, verifier = self.names, self.names.octets(fact.run), self.names.address(fact.verifier)
        secrets = enumerate(names.octets(f"{fact.anchor}#{place}") for place in range(fact.length))
        leaves = [secret_leaf(run, verifier, place, secret) for place, secret in secrets]
        self._anchors[fact.anchor] = leaves
        names.pair(fact.anchor, to_hex(KECCAK_TREE.root(leaves)))
        profile, log_key = names.octets(fact.profile), names.octets(f"log key of {fact.verifier}")
        anchor, length, first = names.octets(fact.anchor), fact.length, fact.first
        message = messages.VerifierAnchor(run, verifier, anchor, length, first, profile, log_key)
        return message, (fact.verifier,), {}

    def enrol(self, fact: facts.Enrolled) -> Said:
        names = self.names
        node, payout, profile = names.address(fact.node), names.address(fact.payout), names.octets(fact.profile)
        run, first, nonce = names.octets(fact.run), fact.first_round, fact.sequence
        return messages.Enrolment(run, node, payout, first, profile, nonce), (fact.node,), {}

    def leave(self, fact: facts.Left) -> Said:
        names = self.names
        message = messages.Leave(names.octets(fact.run), names.address(fact.node), fact.sequence)
        return message, (fact.node,), {}

    def come_back(self, fact: facts.Returned) -> Said:
        names, root = self.names, self.names.octets(f"root-{fact.size}")
        message = messages.Return(names.octets(fact.run), names.address(fact.party), fact.size, root)
        return message, (fact.party,), {}

    # -- a round ------------------------------------------------------------------------------------------------------

    def commit(self, fact: facts.Committed) -> Said:
        """Its root is that of a tree, with the first and the last boundary as the fact has them."""
        names, entries = self.names, self._entries(fact)
        config = self.config(fact.config).digest() if is_config(fact.config) else names.octets(fact.config)
        message = messages.Commitment(
            run=names.octets(fact.run),
            round=fact.round,
            node=names.address(fact.node),
            startState=entries[0][:32],
            innerState=entries[0][32:],
            root=KECCAK_TREE.root(entries),
            boundaries=len(entries),
            endState=entries[-1][:32],
            innerEnd=entries[-1][32:],
            gradient=names.octets(fact.gradient),
            gradientBlob=names.octets(f"blob of {fact.gradient}"),
            gradientSize=fact.size,
            dataSeed=names.octets(fact.data_seed),
            config=config,
            profile=names.octets(fact.profile),
            pledge=self._pledge(fact.pledge),
            tokens=self._tokens(fact),
        )
        names.pair(fact.proof, to_hex(digest(message, DOMAIN)))
        self._nodes[fact.proof], self._boundaries[fact.proof] = fact.node, entries
        self.tokens[fact.proof] = message.tokens
        paths = {"first_path": _path(entries, 0), "last_path": _path(entries, len(entries) - 1)}
        return message, (fact.node,), paths

    def _entries(self, fact: facts.Committed) -> list[bytes]:
        octets, proof = self.names.octets, fact.proof
        inner = [octets(f"weights-{proof}-{i}") + octets(f"moments-{proof}-{i}") for i in range(1, fact.segments)]
        first = octets(fact.theta) + octets(fact.inner)
        return [first, *inner, octets(f"end of {proof}") + octets(fact.inner_end)]

    def _tokens(self, fact: facts.Committed) -> int:
        """As many as the configuration asks for, or as many times more as the simulator's node named."""
        if not is_config(fact.config):
            return fact.tokens
        asked = int(fact.config.split()[2])
        return self.config(fact.config).tokens_per_round * fact.tokens // asked

    def _pledge(self, text: str) -> bytes:
        found = _PLEDGE.fullmatch(text)
        if found is None:
            return self.names.octets(text)
        fake = NO_SEGMENT if found[3] == "None" else int(found[3])
        return Pledge(self.names.octets(found[2]), fake).seal(self.names.address(found[1]))

    def has(self, fact: facts.Has) -> Said:
        names, proofs = self.names, tuple(self.names.octets(proof) for proof in fact.proofs)
        message = messages.Has(names.octets(fact.run), fact.round, names.address(fact.verifier), proofs)
        return message, (fact.verifier,), {}

    def see(self, fact: facts.Seen) -> Said:
        run, root = self.names.octets(fact.run), self._root(fact.root)
        message = messages.Seen(run, fact.round, self.names.address(fact.verifier), fact.index, root)
        return message, (fact.verifier,), {}

    def _root(self, text: str) -> bytes:
        """The service's own for an entry that a message may name; any other text stands for a root of another log."""
        found = _ROOT.fullmatch(text)
        known = self.roots().get(int(found[1])) if found else None
        return bytes.fromhex(known[2:]) if known is not None else self.names.octets(text)

    def secret(self, fact: facts.Secret) -> Said:
        """With the path of its place under its anchor, whether it is the one that is asked for or not."""
        names, found = self.names, _SECRET.fullmatch(fact.secret)
        leaves, place = (self._anchors.get(found[1], []), int(found[2])) if found else ([], 0)
        path = _path(leaves, place) if place < len(leaves) else []
        run, verifier, secret = names.octets(fact.run), names.address(fact.verifier), names.octets(fact.secret)
        return messages.RoundSecret(run, fact.round, verifier, secret), (fact.verifier,), {"path": path}

    def merge(self, fact: facts.MergeSigned) -> Said:
        names, theta, momentum = self.names, self.names.octets(fact.theta), self.names.octets(fact.momentum)
        run, verifier = names.octets(fact.run), names.address(fact.verifier)
        root = self._root(fact.root)
        message = messages.Merge(run, fact.round, verifier, root, theta, momentum, theta, momentum, 5)
        return message, (fact.verifier,), {}

    # -- a proof ------------------------------------------------------------------------------------------------------

    def open(self, fact: facts.Opened) -> Said:
        """The committed boundary; where there is none, any."""
        entries, octets = self._boundaries.get(fact.proof, []), self.names.octets
        known = fact.boundary < len(entries)
        entry = entries[fact.boundary] if known else octets(fact.state) * 2
        path, proof, blob = _path(entries, fact.boundary) if known else [], octets(fact.proof), octets(fact.blob)
        message = messages.StateOpening(proof, fact.boundary, entry[:32], entry[32:], blob, 5_000)
        return message, (self._nodes.get(fact.proof, ELSEWHERE),), {"path": path}

    def words(self, fact: facts.Words) -> Said:
        names = self.names
        said = tuple(
            messages.SegmentVerdict(one.segment, _WORD[one.word], _REASON[one.reason], one.measured, one.limit)
            for one in fact.words
        )
        witness = self._witness(fact.witness)
        proof, root = names.octets(fact.proof), self._root(fact.root)
        message = messages.Verdict(proof, names.address(fact.verifier), root, witness, said)
        return message, (fact.verifier,), {}

    def _witness(self, text: str) -> bytes:
        found = _WITNESS.fullmatch(text)
        if found is None:
            return self.names.octets(text) if text else ZERO
        sealed = self.functions.seal_trace(self.names.address(found[1]), self.names.digest(found[2]))
        return bytes.fromhex(sealed[2:])

    def pledge(self, fact: facts.PledgeOpened) -> Said:
        fake = NO_SEGMENT if fact.fake is None else fact.fake
        message = messages.PledgeReveal(self.names.octets(fact.proof), self.names.octets(fact.salt), fake)
        return message, (self._nodes.get(fact.proof, ELSEWHERE),), {}

    def trace(self, fact: facts.TraceShown) -> Said:
        names = self.names
        proof, trace = names.octets(fact.proof), names.octets(fact.trace)
        return messages.TraceReveal(proof, names.address(fact.verifier), trace), (fact.verifier,), {}

    def lapse(self, fact: facts.Lapse) -> Said:
        names, awaited = self.names, fact.awaited
        looks, nobody = awaited.what is What.SECOND_LOOK, awaited.what in (What.SECOND_LOOK, What.SEEN)
        message = messages.Lapse(
            run=names.octets(awaited.run),
            round=awaited.round,
            verifier=names.address(fact.verifier),
            what=WHAT.index(awaited.what),
            proof=names.octets(awaited.proof) if awaited.proof else ZERO,
            party=NOBODY if nobody else names.address(awaited.party),
            segment=int(awaited.party) if looks else NO_SEGMENT,
            since=fact.since,
            root=self._root(fact.root),
        )
        return message, (fact.verifier,), {}

    def credit(self, fact: facts.Credited) -> Said:
        names = self.names
        run, account, source = names.octets(fact.run), names.address(fact.account), "https://example.org/code"
        message = messages.Contribution(run, fact.kind, source, fact.key, "Apache-2.0", account, fact.weight)
        return message, fact.signers, {}


def _path(entries: list[bytes], place: int) -> list[str]:
    return [to_hex(node) for node in KECCAK_TREE.inclusion_proof(entries, place)]


_SAYS: dict[type[Fact], Callable[[Speaker, Any], Said]] = {
    facts.RunCreated: Speaker.run,
    facts.Anchored: Speaker.anchor,
    facts.Enrolled: Speaker.enrol,
    facts.Left: Speaker.leave,
    facts.Returned: Speaker.come_back,
    facts.Committed: Speaker.commit,
    facts.Has: Speaker.has,
    facts.Seen: Speaker.see,
    facts.Secret: Speaker.secret,
    facts.MergeSigned: Speaker.merge,
    facts.Opened: Speaker.open,
    facts.Words: Speaker.words,
    facts.PledgeOpened: Speaker.pledge,
    facts.TraceShown: Speaker.trace,
    facts.Lapse: Speaker.lapse,
    facts.Credited: Speaker.credit,
}
assert set(_WORD) == set(Word), "each word has its number"
