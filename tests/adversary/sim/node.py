"""A node: trains or skips, commits, opens what draws ask for, serves bytes, opens its pledge."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from contracts.ids import ProofId, as_address
from contracts.protocol.judge import facts
from contracts.protocol.judge.entries import Listed, RoundOpened
from contracts.protocol.judge.facts import Awaited
from tests.adversary.history import Work
from tests.adversary.sim.truth import drifting, fake_of, heavy, is_bad, skipped

if TYPE_CHECKING:
    from tests.adversary.sim.plan import NodePlan
    from tests.adversary.sim.world import World


_PUBLIC = ("theta", "inner", "data_seed", "config", "profile", "tokens")
"""What a commitment must have from its round."""


class Node:
    """Acts on the entries about its round and itself."""

    def __init__(self, world: World, plan: NodePlan) -> None:
        self.world = world
        self.plan = plan
        self.name = plan.name
        self.period = world.plan.period
        self.opened: set[tuple[str, int]] = set()
        self.given: dict[tuple[str, int], tuple[int, frozenset[str] | None]] = {}
        """When the bytes of (proof, segment) can be had, and who gets them (None: everybody)."""

    def begin(self, opened: RoundOpened, listed: Listed) -> None:
        """A round in which it takes part."""
        how = self.plan.commit if is_bad(self.plan, opened.round) else "now"
        after = 1 + self.world.plan.roll(2, "train", self.name, opened.run, opened.round)
        if how == "slow":
            after = self.period - 1
        elif how == "after":
            after = 2 * self.period + self.world.plan.roll(2 * self.period, "after", self.name, opened.round)
        elif how == "late":
            after = self.period + 2 + self.world.plan.roll(3, "late", self.name, opened.round)
        if how != "never":
            self.world.at(self.world.tick + after, self.commit, opened, listed, how)
        if self.plan.leaves == opened.round:
            self.world.network.send(facts.Left(opened.run, self.name, 2), self.name)
            if self.plan.rejoins:
                again = facts.Enrolled(
                    opened.run, self.name, as_address(f"pay-{self.name}"), opened.round + 1, "exact", 3
                )
                self.world.at(self.world.tick + 3 * self.period, self.world.network.send, again, self.name)

    def commit(self, opened: RoundOpened, listed: Listed, how: str) -> None:
        """Once, or twice to half of the verifiers each."""
        proof = ProofId(f"{opened.run}/{opened.round}/{self.name}")
        if self.plan.twice and is_bad(self.plan, opened.round):
            names = list(self.world.verifiers)
            half = len(names) // 2
            self._send(opened, listed, proof, frozenset(names[:half]), how)
            self._send(opened, listed, ProofId(f"{proof}/again"), frozenset(names[half:]), how)
        else:
            corrupt = frozenset(v.name for v in self.world.verifiers.values() if v.plan.corrupt)
            self._send(opened, listed, proof, corrupt if how == "corrupt" else None, how)

    def _send(
        self, opened: RoundOpened, listed: Listed, proof: ProofId, holders: frozenset[str] | None, how: str
    ) -> None:
        world, number = self.world, opened.round
        false = skipped(world.plan, self.plan, number, proof)
        fake = fake_of(world.plan, self.plan, number, proof, false)
        drifts = drifting(world.plan, self.plan, number, proof, false)
        slow = heavy(world.plan, self.plan, number, proof)
        serves = self._serves(number) and how not in ("broken", "unbound")
        work = Work(proof, opened.run, number, self.name, false, fake, drifts, slow, serves=serves)
        world.history.work[proof] = work
        functions = world.functions
        fact = facts.Committed(
            run=opened.run,
            round=number,
            node=self.name,
            proof=proof,
            theta=opened.theta,
            inner=listed.inner,
            inner_end=f"inner-{proof}",
            gradient=f"gradient-{proof}",
            size=1,
            data_seed=opened.data_seed,
            config=opened.config,
            profile=listed.profile,
            pledge=functions.seal_pledge(self.name, f"salt-{proof}", fake),
            segments=functions.segments(opened.config),
            tokens=functions.tokens(opened.config),
        )
        if how == "unbound":
            fact = self._unbound(fact)
        taken = world.network.send(fact, self.name, server=how != "mirrors", mirrors=how != "server")
        if how != "broken" and (taken or how != "server"):
            world.spread(work, holders)

    def _unbound(self, fact: facts.Committed) -> facts.Committed:
        """Bound to another thing than the round asks for."""
        name = _PUBLIC[self.world.plan.roll(len(_PUBLIC), "unbound", fact.proof)]
        other = 10 * getattr(fact, name) if name == "tokens" else f"another {name}"
        return replace(fact, **{name: other})  # type: ignore[arg-type]

    def _serves(self, number: int) -> bool:
        plan = self.plan
        kept = (plan.opens, plan.gives) == ("all", "all") and plan.pledge in ("open", "early")
        return (kept or not is_bad(plan, number)) and not (plan.twice and is_bad(plan, number))

    def open(self, proof: ProofId, verifier: str, segments: tuple[int, ...]) -> None:
        """What a draw asks for."""
        work = self.world.history.work[proof]
        how = self.plan.opens if is_bad(self.plan, work.round) else "all"
        wanted = [s for s in segments if how != "true" or s not in work.false]
        if how == "nothing":
            return
        if how == "partly":
            wanted = wanted[: len(wanted) // 2]
        after = {"second": self.period + 4, "edge": self.period}.get(how, 1)
        self.world.at(self.world.tick + after, self._open, work, wanted)

    def _open(self, work: Work, segments: list[int]) -> None:
        proof = work.proof
        if self.plan.pledge == "early" and is_bad(self.plan, work.round):
            self._pledge(proof, "open")
        for segment in segments:
            if (proof, segment) not in self.given:
                self.given[proof, segment] = self._gives(work, segment)
            for boundary in (segment, segment + 1):
                if (proof, boundary) not in self.opened:
                    self.opened.add((proof, boundary))
                    state = f"state-{proof}-{boundary}"
                    self.world.network.send(facts.Opened(proof, boundary, state, f"blob-{state}"), self.name)

    def _gives(self, work: Work, segment: int) -> tuple[int, frozenset[str] | None]:
        world, now = self.world, self.world.tick
        how = self.plan.gives if is_bad(self.plan, work.round) else "all"
        names = list(world.verifiers)
        corrupt = frozenset(v.name for v in world.verifiers.values() if v.plan.corrupt)
        cut = frozenset(v.name for v in world.verifiers.values() if v.plan.cut)
        late = now + world.plan.roll(3 * self.period, "bytes", work.proof, segment)
        return {
            "all": (now, None),
            "nobody": (now, frozenset()),
            "corrupt": (now, corrupt),
            "cut": (now, cut),
            "true": (now, frozenset() if segment in work.false else None),
            "late": (late, None),
            "half": (now, frozenset(names[: len(names) // 2])),
            "edge": (now + self.period - 1, frozenset(names[segment % len(names) :][:1])),
        }[how]

    def gives(self, proof: str, segment: int, verifier: str) -> int | None:
        """From when on a verifier can have the bytes of a segment from the node itself."""
        found = self.given.get((proof, segment))
        if found is None or (found[1] is not None and verifier not in found[1]):
            return None
        return found[0]

    def pledge(self, awaited: Awaited) -> None:
        """Its pledge is awaited."""
        how = self.plan.pledge if is_bad(self.plan, awaited.round) else "open"
        if how == "never":
            return
        after = self.period + 4 if how == "second" else 2
        self.world.at(self.world.tick + after, self._pledge, awaited.proof, how)

    def _pledge(self, proof: ProofId, how: str) -> None:
        work = self.world.history.work[proof]
        fake = None if how == "wrong" and work.fake is not None else work.fake
        salt = f"salt-{proof}" + ("-wrong" if how == "wrong" and work.fake is None else "")
        self.world.network.send(facts.PledgeOpened(proof, salt, fake), self.name)
