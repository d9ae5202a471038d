"""A deployment in the machine alone: people who say things, and what the machine derives.

`Court` has three verifiers (k = 2) and two nodes whose work is good unless a test says otherwise. A test moves on with
`commit`, `has`, `seen`, `draw`, `open`, `say`, `pledge`, `lapse`, `merge`; each gives what was derived.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

from contracts.ids import Address, ProofId, RunId, as_address
from contracts.protocol.judge import chain_events, facts
from contracts.protocol.judge.entries import Derived, Line
from contracts.protocol.judge.errors import NotBound, NotSeated, Refused
from contracts.protocol.judge.facts import Awaited, Fact, SegmentWord, What, Word
from contracts.protocol.judge.functions import CapitalTerms
from contracts.protocol.judge.machine import VERSION, apply, due, replay
from contracts.protocol.judge.state import ProofState, RoundState, State

RUN = RunId("r")
V0, V1, V2, V3 = (as_address(f"v{i}") for i in range(4))
N0, N1 = (as_address(f"n{i}") for i in range(2))
CREATOR, MAINTAINER = as_address("creator"), as_address("maintainer")
STRANGER, WALLET = as_address("stranger"), as_address("wallet")
VERIFIERS, NODES = (V0, V1, V2), (N0, N1)
TERMS = facts.Terms(
    emission=1000,
    rounds_per_epoch=1,
    min_nodes=2,
    max_nodes=8,
    panel=2,
    samples=2,
    audit_floor=1_000_000,
    node_stake=100,
    span=30,
    root_seconds=600,
    behind_rounds=3,
    canaries=1,
    canary_window=10,
    exact=True,
    profiles=("exact",),
)


def mix(*parts: object) -> int:
    """A number that follows from the parts."""
    return int.from_bytes(sha256(repr(parts).encode()).digest()[:8])


def block_hash(number: int) -> str:
    """Of the block of that number."""
    return f"0x{number:064x}"


class Plain:
    """Functions that a reader can compute in the head: a configuration is `rounds=2`, or `rounds=2 capital` of a run
    that takes invoices."""

    def data_seed(self, created: facts.RunCreated, round_number: int, theta: str) -> str:
        return f"seed:{created.run}:{round_number}:{theta}"

    def is_audited(self, beacon: str, proof: str, rate: int) -> bool:
        return mix("coin", beacon, proof) % 1_000_000 < rate

    def panel_order(self, beacon: str, proof: str, verifiers: Sequence[Address]) -> tuple[Address, ...]:
        return tuple(sorted(verifiers))

    def common_segment(self, beacon: str, proof: str, segments: int) -> int:
        return 0

    def draw(self, beacon: str, secret: str, proof: str, segments: int, samples: int) -> tuple[int, ...]:
        """The common segment, and the ones that the secret names: `secret:v0:1+2`."""
        named = [int(part) for part in secret.rpartition(":")[2].split("+")]
        return tuple(sorted({0, *named}))

    def check_creator(self, creator: str) -> None:
        if creator != "creator":
            raise NotSeated(f"{creator} is not the creator")

    def check_secret(self, anchored: facts.Anchored, place: int, secret: str, path: Sequence[str]) -> None:
        if not secret.startswith(f"secret:{anchored.anchor}:{place}:"):
            raise NotBound("another secret than was anchored")

    def check_opening(self, root: str, boundaries: int, boundary: int, state: str, path: Sequence[str]) -> None:
        if state != f"state{boundary}":
            raise NotBound("another state than was committed")

    def seal_pledge(self, node: str, salt: str, fake: int | None) -> str:
        return f"pledge:{node}:{salt}:{fake}"

    def seal_trace(self, verifier: str, trace: str) -> str:
        return f"witness:{verifier}:{trace}"

    def digest(self, config: str) -> str:
        return config

    def rounds(self, config: str) -> int:
        return int(config.removeprefix("rounds=").removesuffix(" capital"))

    def segments(self, config: str) -> int:
        return 4

    def tokens(self, config: str) -> int:
        return 64

    def decide(self, config: str, key: str, value: str) -> str:
        if key != "rounds":
            raise Refused(f"{key} cannot be voted on")
        return f"rounds={value}"

    def check_quorum(self, config: str, signers: Sequence[str]) -> None:
        if "maintainer" not in signers:
            raise NotBound("no quorum of maintainers")

    def capital(self, config: str) -> CapitalTerms:
        return CapitalTerms(30, 10**9, 10**6, 10**9) if config.endswith("capital") else CapitalTerms()

    def lines(
        self, epoch: int, config: str, contributed: dict[int, dict[Address, int]], total: int
    ) -> tuple[Line, ...]:
        weights = {(a, kind): w for kind, given in contributed.items() for a, w in given.items()}
        whole = sum(weights.values())
        if not whole or not total:
            return ()
        shares = {key: total * weight // whole for key, weight in sorted(weights.items())}
        first = min(shares)
        shares[first] += total - sum(shares.values())
        return tuple(Line(account, kind, amount) for (account, kind), amount in shares.items() if amount)

    def root(self, epoch: int, lines: Sequence[Line]) -> str:
        return f"root:{epoch}:{mix(*lines)}"


class Court:
    """One run, `r`, in the machine."""

    def __init__(
        self,
        config: str = "rounds=1",
        stakes: int = 100,
        k: int = 2,
        anchored: Mapping[Address, str] | None = None,
        enrolled: Mapping[Address, str] | None = None,
        **terms: Any,
    ) -> None:
        """`anchored` and `enrolled` are other verifiers and nodes, with their profiles."""
        self.state = State(Plain())
        self.log: list[Fact | Derived] = []
        self.fakes: dict[str, int | None] = {}
        self.time = 1000
        anchored = anchored or {as_address(f"v{i}"): "exact" for i in range(2 * k - 1)}
        enrolled = dict.fromkeys(NODES, "exact") if enrolled is None else enrolled
        self.verifiers = tuple(anchored)
        self.enter(facts.Rules(VERSION))
        events: list[chain_events.ChainEvent] = [chain_events.Quorum(k, 10)]
        events += [chain_events.VerifierStands(v, True, 10) for v in self.verifiers]
        events += [chain_events.NodeStake(n, stakes) for n in NODES]
        self.block(*events)
        self.enter(facts.RunCreated(RUN, CREATOR, 1, replace(TERMS, **terms), config, "theta0", "momentum0", "zero"))
        for verifier, profile in anchored.items():
            self.enter(facts.Anchored(RUN, verifier, verifier, 10, profile, 1))
        for node, profile in enrolled.items():
            self.enter(facts.Enrolled(RUN, node, as_address(f"wallet of {node}"), 1, profile, 1))

    def enter(self, fact: Fact) -> list[Derived]:
        """Enter a fact; what follows."""
        apply(self.state, fact)
        found = due(self.state)
        self.log += [fact, *found]
        return found

    def audit(self) -> None:
        """Replay all that was entered. Raises Differs."""
        replay(self.log, Plain())

    @property
    def round(self) -> RoundState:
        """The newest round."""
        run = self.state.runs[RUN]
        return run.rounds[run.round]

    def proof(self, node: Address = N0) -> ProofState:
        """A node's proof of the newest round."""
        return self.state.proofs[self.round.proofs[node]]

    def block(self, *events: chain_events.ChainEvent, seconds: int = 40) -> list[Derived]:
        """A final block some seconds later."""
        self.time += seconds
        number = self.time
        return self.enter(facts.Block(number, self.time, block_hash(number), events, self.time - seconds))

    # -- a round ------------------------------------------------------------------------------------------------------

    def commitment(self, node: Address, fake: int | None = None, **changes: Any) -> facts.Committed:
        """What an honest node commits to."""
        current, name = self.round, ProofId(f"proof of {node} in {self.round.number}")
        self.fakes[name] = fake
        base = facts.Committed(
            run=RUN,
            round=current.number,
            node=node,
            proof=name,
            theta=current.theta,
            inner=current.listed[node].inner,
            inner_end=f"inner of {node} after {current.number}",
            gradient=f"gradient of {node} in {current.number}",
            size=10,
            data_seed=current.data_seed,
            config=current.config,
            profile=current.listed[node].profile,
            pledge=Plain().seal_pledge(node, "salt", fake),
            segments=4,
            tokens=64,
        )
        return replace(base, **changes)

    def commit(self, node: Address, fake: int | None = None, **changes: Any) -> ProofId:
        """Commit; the proof's id."""
        fact = self.commitment(node, fake, **changes)
        self.enter(fact)
        return fact.proof

    def has(self, *proofs: ProofId, by: Sequence[Address] = ()) -> list[Derived]:
        """Verifiers, k without names, hold the gradients."""
        by = by or self.verifiers[: self.state.k]
        return [d for v in by for d in self.enter(facts.Has(RUN, self.round.number, v, proofs))]

    def seen(self, by: Sequence[Address] = (), root: str = "root") -> None:
        """Verifiers, k without names, saw the closing entry before the beacon."""
        by = by or self.verifiers[: self.state.k]
        for verifier in by:
            self.enter(facts.Seen(RUN, self.round.number, verifier, self.round.closed_at, root))

    def secret(self, verifier: Address, segments: str) -> list[Derived]:
        """A verifier's secret of the newest round, which names its segments: `1+2`."""
        place = self.round.number - 1
        return self.enter(facts.Secret(RUN, self.round.number, verifier, f"secret:{verifier}:{place}:{segments}"))

    def open(self, proof: ProofId, *boundaries: int) -> list[Derived]:
        """Open boundaries; without any, all that are asked for."""
        segments = self.state.proofs[proof].segments
        wanted = boundaries or sorted({b for s in segments for b in (s, s + 1)} - self.state.proofs[proof].opened)
        return [d for b in wanted for d in self.enter(facts.Opened(proof, b, f"state{b}", f"blob{b}"))]

    def say(self, proof: ProofId, verifier: Address, trace: str = "trace", **words: str) -> list[Derived]:
        """Words by segment: `s1="true"`; with none, true on all that the verifier owes."""
        from contracts.protocol.judge.rules.seats import owed

        named = {int(key[1:]): Word(value) for key, value in words.items()}
        named = named or dict.fromkeys(owed(self.state.proofs[proof], verifier), Word.TRUE)
        said = tuple(
            SegmentWord(s, word, facts.Reason.REPLAY if word is Word.FALSE else None) for s, word in named.items()
        )
        return self.enter(facts.Words(proof, verifier, said, Plain().seal_trace(verifier, trace)))

    def pledge(self, proof: ProofId) -> list[Derived]:
        """The node opens what it sealed."""
        return self.enter(facts.PledgeOpened(proof, "salt", self.fakes[proof]))

    def lapse(self, what: What, proof: ProofId, party: str, by: Sequence[Address] = (V1, V2)) -> list[Derived]:
        """Verifiers say that it did not come."""
        awaited = Awaited(what, RUN, self.round.number, proof, party)
        since = self.state.open[awaited]
        return [d for v in by for d in self.enter(facts.Lapse(v, awaited, since))]

    def merge(self, by: Sequence[Address] = (V0, V1)) -> list[Derived]:
        """Verifiers sign the outer step."""
        number = self.round.number
        signed = [facts.MergeSigned(RUN, number, v, f"theta{number}", f"momentum{number}") for v in by]
        return [d for fact in signed for d in self.enter(fact)]

    # -- stretches of honest work -------------------------------------------------------------------------------------

    def close(self, **fakes: int | None) -> tuple[ProofId, ...]:
        """All nodes commit and the round closes; the proofs, in order of node."""
        proofs = tuple(self.commit(node, fakes.get(node)) for node in NODES)
        self.has(*proofs)
        return proofs

    def drawn(self, **fakes: int | None) -> tuple[ProofId, ...]:
        """The round is closed, seen, and its panels are drawn."""
        proofs = self.close(**fakes)
        self.seen()
        self.block()
        return proofs

    def read(self, first: str = "1", second: str = "2", **fakes: int | None) -> tuple[ProofId, ...]:
        """The seats have drawn these segments, and all that was asked for is open."""
        proofs = self.drawn(**fakes)
        self.secret(V0, first)
        self.secret(V1, second)
        for proof in proofs:
            self.open(proof)
        return proofs

    def post(self, proof: ProofId) -> list[Derived]:
        """The seats say true, the pledge is opened, and the traces are shown."""
        for verifier in (V0, V1):
            self.say(proof, verifier)
        return [*self.pledge(proof), *self.show(proof)]

    def show(self, proof: ProofId, trace: str = "trace") -> list[Derived]:
        """Who sealed a trace shows it, where it is awaited."""
        sealed = self.state.proofs[proof]
        awaited = [a.party for a in sealed.awaits if a.what is What.TRACE]
        return [d for verifier in awaited for d in self.enter(facts.TraceShown(proof, as_address(verifier), trace))]
