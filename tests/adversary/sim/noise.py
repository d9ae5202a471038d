"""Strangers, and members out of turn: facts that must be refused, or change nothing that is awaited."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from contracts.ids import NO_PROOF, Address, ProofId, RunId, as_address
from contracts.protocol.judge import facts
from contracts.protocol.judge.facts import Awaited, Fact, Reason, SegmentWord, What, Word
from tests.adversary.sim.functions import MAINTAINER, anchor_text

if TYPE_CHECKING:
    from tests.adversary.sim.world import World

STRANGER = as_address("stranger")


class Noise:
    """Says one thing out of turn, about the newest round and proof."""

    def __init__(self, world: World) -> None:
        self.world = world

    def say(self, kind: str) -> None:
        """Send it, if there is something that it can be about."""
        said = NOISE[kind](self) if self.world.rounds else None
        for fact in said if isinstance(said, list) else [said]:
            if fact is not None:
                self.world.network.send(fact, STRANGER, mirrors=False, harmless=kind not in HAS_EFFECT)

    @property
    def round(self) -> tuple[RunId, int]:
        """The newest round."""
        return next(reversed(self.world.rounds))

    @property
    def proof(self) -> ProofId:
        """The newest proof."""
        return next(reversed(self.world.history.work), ProofId("none"))

    @property
    def member(self) -> Address:
        """A verifier of the run: a corrupt one where there is one."""
        corrupt = [plan.name for plan in self.world.plan.verifiers if plan.corrupt]
        return (corrupt or [STRANGER])[0]

    def has(self) -> Fact:
        return facts.Has(*self.round, STRANGER, (self.proof,))

    def seen(self) -> Fact:
        return facts.Seen(*self.round, STRANGER, 3, "root-3")

    def seen_elsewhere(self) -> Fact:
        return facts.Seen(*self.round, self.member, 2, "root-2")

    def words(self) -> Fact:
        return facts.Words(self.proof, STRANGER, (SegmentWord(0, Word.TRUE),), "witness")

    def unasked_words(self) -> Fact:
        return facts.Words(self.proof, self.member, (SegmentWord(self.world.plan.segments + 1, Word.TRUE),), "w")

    def others_words(self) -> list[Fact]:
        """A member's words on what it neither drew nor was called to."""
        proof = self.world.state.proofs.get(self.proof)
        if proof is None or self.member in proof.seats:
            return []
        open_ = [number for number, segment in proof.segments.items() if self.member not in segment.called]
        false = (SegmentWord(number, Word.FALSE, Reason.REPLAY) for number in open_)
        return [facts.Words(self.proof, self.member, (word,), "w") for word in false]

    def secret(self) -> Fact:
        run, number = self.round
        return facts.Secret(run, number, STRANGER, f"{anchor_text(run, STRANGER)}#0")

    def other_secret(self) -> Fact:
        """A member shows the secret of another round."""
        run, number = self.round
        return facts.Secret(run, number, self.member, f"{anchor_text(run, self.member)}#{number}")

    def early_secret(self) -> Fact:
        run, number = self.round
        return facts.Secret(run, number + 1, self.member, f"{anchor_text(run, self.member)}#{number}")

    def opening(self) -> Fact:
        return facts.Opened(ProofId("nowhere"), 0, "state", "blob")

    def far_opening(self) -> Fact:
        return facts.Opened(self.proof, self.world.plan.segments + 5, "state", "blob")

    def pledge(self) -> Fact:
        return facts.PledgeOpened(self.proof, "another salt", None)

    def trace(self) -> Fact:
        return facts.TraceShown(self.proof, STRANGER, "trace")

    def lapse(self) -> Fact | None:
        for awaited, since in self.world.state.open.items():
            return facts.Lapse(STRANGER, awaited, since)
        return None

    @property
    def crowd(self) -> list[Address]:
        """As many strangers as decide."""
        return [as_address(f"{STRANGER}-{place}") for place in range(self.world.plan.k)]

    def crowd_lapses(self) -> list[Fact]:
        """All that is awaited is missing, say k of them."""
        awaited = self.world.state.open.items()
        return [facts.Lapse(name, what, since) for what, since in awaited for name in self.crowd]

    def crowd_has(self) -> list[Fact]:
        return [
            facts.Has(*self.round, name, (proof,)) for proof in self.world.logged(*self.round) for name in self.crowd
        ]

    def crowd_sees(self) -> list[Fact]:
        closed = self.world.state.runs[self.round[0]].rounds.get(self.round[1])
        at = closed.closed_at if closed is not None else 0
        return [facts.Seen(*self.round, name, at, f"root-{at}") for name in self.crowd]

    def crowd_merges(self) -> list[Fact]:
        return [facts.MergeSigned(*self.round, name, "theta-theirs", "momentum-theirs") for name in self.crowd]

    def false_lapse(self) -> Fact | None:
        """A member lapses what was never awaited, since that entry."""
        for awaited in self.world.state.open:
            return facts.Lapse(self.member, awaited, 1)
        return None

    def invented_lapse(self) -> Fact:
        run, number = self.round
        return facts.Lapse(self.member, Awaited(What.COMMITMENT, run, number, NO_PROOF, STRANGER), 5)

    def merge(self) -> Fact:
        return facts.MergeSigned(*self.round, STRANGER, "theta", "momentum")

    def commitment(self) -> Fact | None:
        known = [entry for entry in self.world.history.entries if isinstance(entry, facts.Committed)]
        return replace(known[-1], node=STRANGER, proof=ProofId("of a stranger")) if known else None

    def other_start(self) -> Fact | None:
        known = [entry for entry in self.world.history.entries if isinstance(entry, facts.Committed)]
        return replace(known[-1], theta="another", proof=ProofId("another")) if known else None

    def run_again(self) -> Fact:
        created = next(entry for entry in self.world.history.entries if isinstance(entry, facts.RunCreated))
        return replace(created, run=RunId("copy"))

    def profile(self) -> Fact:
        return facts.Enrolled(self.round[0], STRANGER, as_address("payout"), 1, "unknown profile", 1)

    def returned(self) -> Fact:
        return facts.Returned(self.round[0], STRANGER, 3)

    def bad_credit(self) -> Fact:
        return facts.Credited(self.round[0], "key-bad", 1, STRANGER, 5, (STRANGER,))

    def credit(self) -> Fact:
        return facts.Credited(self.round[0], "key", 1, as_address("author"), 50, (MAINTAINER,))

    def credit_elsewhere(self) -> Fact:
        """The same contribution in whatever run is the newest."""
        return facts.Credited(self.round[0], "key", 1, STRANGER, 9, (MAINTAINER,))

    def anchor(self) -> Fact:
        """A stranger, who is not admitted, anchors something."""
        return facts.Anchored(self.round[0], STRANGER, "anchor", 9, "exact", 9)


NOISE: dict[str, Callable[[Noise], Fact | list[Fact] | None]] = {
    name: function for name, function in vars(Noise).items() if callable(function) and not name.startswith("_")
}
del NOISE["say"]
HAS_EFFECT = frozenset({"credit", "credit_elsewhere"})
