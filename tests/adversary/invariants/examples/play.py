"""Writes a history by hand, step by step. Nothing here decides anything: each step enters what it is told to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from contracts.ids import NO_PROOF, Address, ProofId, RunId, as_address
from contracts.protocol.judge import chain_events, facts
from contracts.protocol.judge import entries as derived
from contracts.protocol.judge.facts import Awaited, Reason, What, Word
from tests.adversary.history import Entry, History, Work

RUN = RunId("run")
V1, V2, V3 = (as_address(f"v{i}") for i in (1, 2, 3))
VERIFIERS = (V1, V2, V3)
A, B = as_address("0xa"), as_address("0xB")
FULL = 1_000_000
TERMS = facts.Terms(
    emission=100,
    rounds_per_epoch=1,
    min_nodes=1,
    max_nodes=4,
    panel=2,
    samples=1,
    audit_floor=50_000,
    node_stake=10,
    span=60,
    root_seconds=1000,
    behind_rounds=3,
    canaries=1,
    canary_window=10,
    exact=True,
    profiles=("cpu",),
)
DRAWS = {"v1": (0, 1), "v2": (0, 2), "v3": (0, 3)}
"""What each verifier draws of every proof: the common segment and its own."""


class Play:
    """A history with three verifiers, k = 2 and four segments a proof."""

    def __init__(self, strategy: str, corrupt: Iterable[str] = (), away: Iterable[str] = ()) -> None:
        honest = frozenset(VERIFIERS) - set(corrupt)
        self.history = History(1, strategy, 2, VERIFIERS, honest, honest - set(away), period=100, segments=4)
        self.run, self.number, self.time, self.blocks, self.epochs = RUN, 0, 1000, 0, 0
        self.theta, self.momentum = "theta0", "momentum0"
        self.inner: dict[str, str] = {}
        self.opened: derived.RoundOpened | None = None
        self.closing = -1
        self.posted: list[ProofId] = []
        self.shares = Counter[tuple[Address, int]]()
        """Weights by account and kind, since the last epoch closed."""
        self.owed = Counter[tuple[Address, int]]()
        self.earned = Counter[tuple[Address, int]]()
        """Units of the newest epoch."""
        self.paid_rounds = 0

    def add(self, *entries: Entry) -> int:
        """Enter these; returns the index of the last one."""
        self.history.entries.extend(entries)
        self.history.ticks = list(range(len(self.history.entries)))
        return len(self.history.entries) - 1

    def block(self, *events: chain_events.ChainEvent) -> facts.Block:
        """A final block, one span after the last one."""
        parent, self.time = self.time, self.time + TERMS.span
        self.blocks += 1
        block = facts.Block(self.blocks, self.time, f"hash{self.blocks}", events, parent)
        self.add(block)
        return block

    def begin(self, terms: facts.Terms = TERMS) -> None:
        """The rules, a run, its verifiers and its two nodes."""
        self.add(
            facts.Rules("1"),
            facts.RunCreated(self.run, as_address("0xC"), 1, terms, "{}", "theta0", "momentum0", "joiner"),
        )
        self.add(*(facts.Anchored(self.run, v, f"anchor-{v}", 100, "cpu", 1) for v in VERIFIERS))
        self.add(*(facts.Enrolled(self.run, node, as_address(f"pay-{node}"), 1, "cpu", 1) for node in (A, B)))
        stand = (chain_events.VerifierStands(v, True, 100) for v in VERIFIERS)
        stakes = (chain_events.NodeStake(node, 10) for node in (A, B))
        self.block(chain_events.Quorum(2, 100), chain_events.EpochLimit(1000), *stand, *stakes)

    def open(self, **changes: Mapping[str, Any]) -> None:
        """The next round; `changes` name fields of a node's listing (by node: a, b)."""
        self.number, self.posted = self.number + 1, []
        nodes = tuple(
            replace(
                derived.Listed(
                    node, as_address(f"pay-{node}"), self.inner.get(node, "joiner"), "cpu", FULL, True, True
                ),
                **changes.get(short, {}),
            )
            for short, node in (("a", A), ("b", B))
        )
        self.opened = derived.RoundOpened(
            self.run, self.number, self.theta, self.momentum, "{}", "seed", self.blocks, 2, VERIFIERS, nodes
        )
        self.add(self.opened)

    def commit(self, node: Address, **truth: Any) -> ProofId:
        """A node's commitment, and the truth about it."""
        proof = ProofId(f"{self.run}/{self.number}/{node}")
        known: dict[str, Any] = {"false": frozenset[int](), "in_time": True, "serves": True, "shown": {0, 1, 2, 3}}
        self.history.work[proof] = Work(proof, self.run, self.number, node, **{**known, **truth})
        inner = self.inner.get(node, "joiner")
        self.add(
            facts.Committed(
                self.run,
                self.number,
                node,
                proof,
                self.theta,
                inner,
                f"end-{proof}",
                f"gradient-{proof}",
                8,
                "seed",
                "{}",
                "cpu",
                f"pledge-{proof}",
                4,
                500,
            )
        )  # isort: skip
        return proof

    def close(
        self, *proofs: ProofId, seen: Iterable[Address] = VERIFIERS, has: Iterable[Address] = VERIFIERS
    ) -> facts.Block:
        """`Has`, the closing entry, `Seen` and the beacon's block."""
        self.add(*(facts.Has(self.run, self.number, v, proofs) for v in has))
        self.closing = self.add(derived.RoundClosed(self.run, self.number, proofs, self.time + TERMS.span))
        self.add(*(facts.Seen(self.run, self.number, v, self.closing, "root") for v in seen))
        return self.beacon() if proofs else self.block()

    def beacon(self) -> facts.Block:
        """A block, to which the round's beacon is fixed."""
        block = self.block()
        self.add(derived.BeaconFixed(self.run, self.number, block.number, block.hash))
        return block

    def panel(self, proof: ProofId, *order: Address, seats: int = 2, audited: bool = True) -> int:
        """Coin and panel."""
        first = order[:seats]
        for verifier in first:
            self.history.draws[proof, verifier] = DRAWS[verifier]
        return self.add(derived.PanelDrawn(proof, f"hash{self.blocks}", audited, order, first))

    def fill(self, proof: ProofId, verifier: Address) -> int:
        """The next of the order sits down."""
        self.history.draws[proof, verifier] = DRAWS[verifier]
        return self.add(derived.SeatsFilled(proof, (verifier,)))

    def secret(self, verifier: Address) -> None:
        """A verifier's secret of the round, once."""
        secret = facts.Secret(self.run, self.number, verifier, f"secret-{verifier}")
        if secret not in self.history.entries:
            self.add(secret)

    def draw(self, proof: ProofId, verifier: Address) -> int:
        """Secret and draw."""
        self.secret(verifier)
        return self.add(derived.Drawn(proof, verifier, DRAWS[verifier]))

    def openings(self, proof: ProofId, verifier: Address) -> int:
        """All openings for a draw."""
        boundaries = {side for segment in DRAWS[verifier] for side in (segment, segment + 1)}
        self.add(*(facts.Opened(proof, side, f"state{side}", f"blob{side}") for side in sorted(boundaries)))
        return self.add(derived.OpeningsClosed(proof, verifier))

    def words(self, proof: ProofId, verifier: Address, **words: Word) -> int:
        """Words by segment (s0, s1, ...)."""
        said = tuple(
            facts.SegmentWord(int(name[1:]), word, Reason.REPLAY if word is Word.FALSE else None)
            for name, word in words.items()
        )
        return self.add(facts.Words(proof, verifier, said, f"seal-{verifier}"))

    def read(self, proof: ProofId, verifier: Address, **others: Word) -> None:
        """Draw, openings, and words: true but where told otherwise."""
        self.draw(proof, verifier)
        self.openings(proof, verifier)
        words = {f"s{segment}": Word.TRUE for segment in DRAWS[verifier]}
        self.words(proof, verifier, **{**words, **others})

    def lapse(self, what: What, party: str, since: int, proof: ProofId = NO_PROOF, period: int = 1) -> int:
        """Two verifiers say that it did not come, and it lapses."""
        awaited = Awaited(what, self.run, self.number, proof, party)
        authors = [verifier for verifier in VERIFIERS if verifier != party][:2]
        self.add(*(facts.Lapse(author, awaited, since) for author in authors))
        return self.add(derived.Lapsed(awaited, since, period))

    def post(self, proof: ProofId) -> None:
        """The pledge, and the post."""
        self.add(derived.PanelSpoken(proof), facts.PledgeOpened(proof, "salt", None))
        node = self.history.work[proof].node
        self.add(derived.Posted(proof, as_address(f"pay-{node}"), 500))
        self.posted.append(proof)
        self.shares[as_address(f"pay-{node}"), 0] += 500

    def merge(self) -> None:
        """Merge set, signatures, and the merged state (the old one where nothing was posted)."""
        proofs = sorted(self.posted, key=lambda proof: self.history.work[proof].node.lower())
        gradients = tuple(f"gradient-{proof}" for proof in proofs)
        self.add(derived.MergeSet(self.run, self.number, tuple(proofs), gradients))
        if proofs:
            self.theta, self.momentum = f"theta{self.number}", f"momentum{self.number}"
            signed = (facts.MergeSigned(self.run, self.number, v, self.theta, self.momentum) for v in VERIFIERS)
            self.add(*signed)
        self.add(derived.RoundMerged(self.run, self.number, self.theta, self.momentum))
        self.inner |= {self.history.work[proof].node: f"end-{proof}" for proof in proofs}

    def credit(self, subject: str, account: Address, weight: int) -> None:
        """A contribution of code."""
        self.add(facts.Credited(self.run, subject, 1, account, weight, (as_address("m1"),)))
        self.shares[account, 1] += weight

    def epoch(self, limit: int = 1000) -> derived.EpochClosed:
        """An epoch over all rounds since the last one: a limit is not above what is owed, or not below what is due."""
        self.epochs += 1
        whole = self.shares.total()
        self.earned = Counter({key: TERMS.emission * weight // whole for key, weight in self.shares.items()})
        due = self.owed.total() + self.earned.total()
        pays = self.owed + self.earned
        if due > limit:
            before = self.owed or self.earned
            pays = Counter({key: limit * amount // before.total() for key, amount in before.items()})
        total = pays.total()
        lines = tuple(derived.Line(account, kind, amount) for (account, kind), amount in sorted(pays.items()))
        closed = derived.EpochClosed(
            self.epochs,
            0,
            self.run,
            min(self.paid_rounds + 1, self.number),
            self.number,
            due,
            total,
            lines,
            f"root{self.epochs}.1",
            self.time + TERMS.root_seconds,
            self.time,
        )  # isort: skip
        self.add(closed)
        self.shares, self.paid_rounds = Counter(), self.number
        return closed

    def final(self, epoch: derived.EpochClosed, struck: bool = False) -> None:
        """The chain makes its root final, and the epoch ends; what holders struck down is owed to nobody."""
        self.block(chain_events.EpochFinal(epoch.epoch, epoch.attempt, epoch.root))
        paid = Counter({(line.account, line.kind): line.amount for line in epoch.lines})
        self.owed = Counter() if struck else self.owed + self.earned - paid
        self.earned = Counter()
        self.add(derived.EpochEnded(epoch.epoch, epoch.attempt, epoch.root, True, self.owed.total()))
