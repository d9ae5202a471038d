"""A corrupt verifier: it knows the truth, what the others said, and its plan."""

from __future__ import annotations

from dataclasses import replace

from contracts.ids import ProofId, RunId
from contracts.protocol.judge import facts
from contracts.protocol.judge.entries import BeaconMissed, EpochClosed, MergeSet, RoundClosed
from contracts.protocol.judge.facts import Awaited, Reason, SegmentWord, What, Word
from tests.adversary.history import Work
from tests.adversary.sim.truth import replayed
from tests.adversary.sim.verifier import Verifier

GROUND = 40
"""Secrets that one tries."""


class Corrupt(Verifier):
    """Departs from the protocol in the fields of its plan."""

    def is_about(self, work: Work) -> bool:
        """Whether its words are bent for that node."""
        return self.plan.about in ("", work.node)

    def committed(self, work: Work) -> None:
        """A commitment is on its way: say `Has` for what it does not hold."""
        if self.plan.has == "lying":
            self.world.at(self.world.tick + 1, self.say, facts.Has(work.run, work.round, self.name, (work.proof,)))

    def see(self, closed: RoundClosed | BeaconMissed, index: int) -> None:
        """At once, never, or when the beacon is known."""
        fact = facts.Seen(closed.run, closed.round, self.name, index, f"root-{index}")
        if self.plan.seen == "honest":
            self.say(fact)
        elif self.plan.seen == "other":
            self.say(replace(fact, root="another root"))
        elif self.plan.seen == "late":
            self.world.at(self.world.chain.tick_of(closed.beacon_time) + 1, self.say, fact)

    def show_secret(self, run: RunId, number: int) -> None:
        """Where its draw helps, late, or never."""
        how = self.plan.secret
        if (run, number) in self.shown or how == "never" or (how == "suits" and not self._suits(run, number)):
            return
        self.shown.add((run, number))
        if how == "ground":
            self._grind(run, number)
        period = self.world.plan.period
        after = {"late": period, "second": period + 4}.get(how, 0)
        self.world.at(self.world.tick + after, self.send_secret, run, number)

    def _grind(self, run: RunId, number: int) -> None:
        """Another secret than the anchored one, which draws nothing false."""
        for salt in range(GROUND):
            secret = f"{self.secret(run, number)}-{salt}"
            if self._suits(run, number, secret):
                self.say(facts.Secret(run, number, self.name, secret))
                return

    def _suits(self, run: str, number: int, secret: str = "") -> bool:
        """Whether it draws no false segment of the node that it helps."""
        world, secret = self.world, secret or self.secret(run, number)
        for proof, panel in world.panels.items():
            work = world.history.work[proof]
            if (work.run, work.round) == (run, number) and self.is_about(work):
                drawn = world.functions.draw(panel.beacon, secret, proof, world.plan.segments, world.plan.samples)
                if work.false & set(drawn):
                    return False
        return True

    def read(self, proof: ProofId) -> None:
        """It knows the truth without reading; some wait for the others, or say nothing."""
        _, segments = self.reads.pop(proof, (0, []))
        work, period = self.world.history.work[proof], self.world.plan.period
        how = self.plan.words if self.is_about(work) else "honest"
        if not segments or how == "silent":
            return
        after = {"late": period + 3, "last": period - 2, "copy": 2}.get(how, 0)
        words = [self.opinion(work, segment, how) for segment in segments]
        if after:
            self.world.at(self.world.tick + after, self.speak, work, words)
        else:
            self.speak(work, words)
        if how in ("two", "waver"):
            honest = [replayed(self.world.plan, work, segment, self.name) for segment in segments]
            others = [_opposite(said) for said in (honest if how == "waver" else words)]
            self.world.at(self.world.tick + self.world.plan.roll(4, "two", proof), self.speak, work, others)

    def opinion(self, work: Work, segment: int, how: str) -> SegmentWord:
        """The word that it says."""
        honest = replayed(self.world.plan, work, segment, self.name)
        if how == "true" or (how == "told" and not self._is_told(work, segment)):
            return SegmentWord(segment, Word.TRUE)
        if how == "false":
            return SegmentWord(segment, Word.FALSE, Reason.REPLAY, 7, 1)
        if how in ("unserved", "waver"):
            return SegmentWord(segment, Word.UNSERVED)
        if how == "drift":
            return SegmentWord(segment, Word.DRIFT, None, 2, 1)
        return _opposite(honest) if how == "opposite" else honest

    def _is_told(self, work: Work, segment: int) -> bool:
        """Whether an open pledge names the segment: nobody has to replay it to know."""
        found = self.world.state.proofs.get(work.proof)
        return found is not None and found.pledge is not None and found.pledge.fake == segment

    def speak(self, work: Work, words: list[SegmentWord]) -> None:
        """And show the trace before its time, if so planned."""
        super().speak(work, words)
        if self.plan.trace == "early":
            super().show_trace(work.proof)

    def trace(self, proof: str) -> str:
        """Its own, or a wrong one."""
        right = super().trace(proof)
        bad = self.plan.trace in ("wrong", "other") or self.plan.words == "copy"
        return f"{right}-wrong" if bad else right

    def witness(self, trace: str) -> str:
        """Or none."""
        return "" if self.plan.trace == "unsealed" else super().witness(trace)

    def show_trace(self, proof: ProofId) -> None:
        """Or not, or that of the others."""
        if self.plan.trace == "other":
            self.say(facts.TraceShown(proof, self.name, super().trace(proof)))
        elif self.plan.trace != "never":
            super().show_trace(proof)

    def merge(self, entry: MergeSet) -> None:
        """The right weights, others, or none."""
        if self.plan.merge == "honest":
            super().merge(entry)
        elif self.plan.merge == "wrong":
            self.say(facts.MergeSigned(entry.run, entry.round, self.name, "theta-wrong", "momentum-wrong"))

    def come_back(self, run: RunId, index: int) -> None:
        """It says so at once, also where it is not there."""
        if self.plan.blind:
            self.say(facts.Returned(run, self.name, index - 1))
        if self.plan.returns:
            super().come_back(run, index)

    def sign_epoch(self, entry: EpochClosed) -> None:
        """It signs whatever there is."""
        self.world.epochs.sign(self.name, entry)

    def watch(self, fresh: list[tuple[Awaited, int]]) -> None:
        """Lapse whatever is awaited, at once, like the honest do, or never."""
        if self.plan.lapses == "honest":
            super().watch(fresh)
        elif self.plan.lapses in self.world.verifiers:
            super().watch([(a, s) for a, s in fresh if a.what is not What.WORDS or a.party == self.plan.lapses])
        elif self.plan.lapses == "all":
            for awaited, since in fresh:
                if not self.plan.about or self.plan.about in (awaited.party, awaited.proof.split("/")[-1]):
                    self.world.at(self.world.tick + 1, self.say, facts.Lapse(self.name, awaited, since))


def _opposite(said: SegmentWord) -> SegmentWord:
    if said.word is Word.TRUE:
        return SegmentWord(said.segment, Word.FALSE, Reason.REPLAY, 7, 1)
    return SegmentWord(said.segment, Word.TRUE)
