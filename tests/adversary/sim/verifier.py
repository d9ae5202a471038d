"""An honest verifier: a replica that acts on its copy of the log, which may stand a look or two behind."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from contracts.ids import ProofId, RunId
from contracts.protocol.judge import facts
from contracts.protocol.judge.entries import BeaconMissed, EpochClosed, MergeSet, RoundClosed
from contracts.protocol.judge.facts import Awaited, SegmentWord, What, Word
from tests.adversary.history import Work
from tests.adversary.sim.functions import anchor_text, outer_step
from tests.adversary.sim.truth import replayed, trace_of

if TYPE_CHECKING:
    from tests.adversary.sim.network import Message
    from tests.adversary.sim.plan import VerifierPlan
    from tests.adversary.sim.world import World


class Verifier:
    """Its duties, each done one look after the entry that asks for it."""

    def __init__(self, world: World, plan: VerifierPlan) -> None:
        self.world = world
        self.plan = plan
        self.name = plan.name
        self.lag = plan.lag
        self.absent = plan.away
        self.dark = tuple((start, end) for start, end, dark in world.plan.operator.stops if dark)
        self.away = self.absent + self.dark
        self.halted = False
        self.held: set[ProofId] = set()
        self.shown: set[tuple[str, int]] = set()
        self.reads: dict[str, tuple[int, list[int]]] = {}
        self.unserved: set[tuple[str, int]] = set()
        self.sealed: dict[str, str] = {}
        self.bound: dict[str, list[tuple[int, str]]] = {}
        """Its anchors by run: from which round on."""
        self.said: dict[str, set[int]] = {}
        self.lapsed: set[tuple[Awaited, int]] = set()

    def up(self, tick: int) -> bool:
        """Whether it is there."""
        return not self.absent or not any(start <= tick < end for start, end in self.absent)

    def is_cut(self, tick: int) -> bool:
        """Whether it reaches no mirror."""
        return any(start <= tick < end for start, end in self.plan.cut)

    def when(self, tick: int | None = None) -> int:
        """The tick of the look in which its copy holds what was stored now."""
        found = (self.world.tick if tick is None else tick) + 1 + self.lag
        return self.there(found) if self.away else found

    def there(self, tick: int) -> int:
        """The first tick from `tick` on at which it is there."""
        for start, end in sorted(self.away):
            if start <= tick < end:
                tick = end
        return tick

    def later(self, action: Callable[..., None], *args: Any) -> None:
        """Do it at the next look."""
        self.world.at(self.when(), self.do, action, *args)

    def do(self, action: Callable[..., None], *args: Any) -> None:
        """Do it now, unless its replica has stopped at an entry that does not follow."""
        if not self.halted:
            action(*args)

    def say(self, fact: facts.Fact) -> None:
        """Send a message."""
        self.world.network.send(fact, self.name)

    def hold(self, proofs: list[Work]) -> None:
        """Gradients are here: hashed, finite, of the layout."""
        if self.halted:
            return
        self.held.update(work.proof for work in proofs)
        for work in proofs:
            self.world.note_held(self, work)
        if self.plan.has != "never":
            self.attest(proofs, self.world.tick + 6 * self.world.plan.period)

    def attest(self, proofs: list[Work], until: int) -> None:
        """Say `Has` for those that the log names; look again for the others."""
        world, first = self.world, proofs[0]
        logged = world.logged(first.run, first.round)
        there = tuple(work.proof for work in proofs if work.proof in logged)
        if there:
            self.say(facts.Has(first.run, first.round, self.name, there))
        others = [work for work in proofs if work.proof not in logged]
        if others and world.tick < until:
            world.at(self.there(world.tick + 1), self.do, self.attest, others, until)

    def see(self, closed: RoundClosed | BeaconMissed, index: int) -> None:
        """The round is closed, and its own chain has not come to the beacon."""
        if self.world.chain.head_time(self.world.tick, self.plan.chain_lag) < closed.beacon_time:
            self.say(facts.Seen(closed.run, closed.round, self.name, index, f"root-{index}"))

    def show_secret(self, run: RunId, number: int) -> None:
        """It has a seat, and its own chain has the beacon as final: a look later where that lags."""
        if (run, number) in self.shown:
            return
        self.shown.add((run, number))
        if self.plan.chain_lag:
            self.world.at(self.world.tick + self.plan.chain_lag, self.do, self.send_secret, run, number)
        else:
            self.send_secret(run, number)

    def send_secret(self, run: RunId, number: int) -> None:
        """One secret for all draws of the round."""
        self.say(facts.Secret(run, number, self.name, self.secret(run, number)))
        if self.plan.vanishes == number:
            gone = 1 + self.world.plan.roll(6 * self.world.plan.period, "vanishes", self.name)
            self.absent += ((self.world.tick + 1, self.world.tick + 1 + gone),)
            self.away = self.absent + self.dark

    def secret(self, run: str, number: int) -> str:
        """The secret of a round, under the newest anchor that counts in it."""
        start, anchor = max(entry for entry in self.bound[run] if entry[0] <= number)
        return f"{anchor}#{number - start}"

    def bind(self, anchored: facts.Anchored) -> None:
        """The log has an anchor of its."""
        self.bound.setdefault(anchored.run, []).append((anchored.first, anchored.anchor))

    def anchor_anew(self, run: RunId, number: int) -> None:
        """New secrets, from the next round but one on."""
        self.say(facts.Anchored(run, self.name, anchor_text(run, self.name, 1), 40, self.plan.profile, number + 2))

    def must_read(self, proof: str, segments: tuple[int, ...]) -> None:
        """These have to be read, within a period of now."""
        until, known = self.reads.get(proof, (self.world.tick + self.world.plan.period - 1, []))
        known += [segment for segment in segments if segment not in known]
        self.reads[proof] = until, known
        self.later(self.read, proof)

    def read(self, proof: ProofId) -> None:
        """Replay what can be had; wait for bytes almost a period long, and then say that they are not served."""
        until, segments = self.reads.get(proof, (0, []))
        if not segments:
            return
        world = self.world
        work, there = world.history.work[proof], {s: world.bytes_there(proof, s, self) for s in segments}
        if not all(there.values()) and world.tick < until:
            world.at(self.there(world.tick + 1), self.do, self.read, proof)
            return
        del self.reads[proof]
        found = [self.word(work, segment, there[segment]) for segment in segments]
        light = [said for said in found if said.segment not in work.heavy or not there[said.segment]]
        if len(light) < len(found):
            self.labour(work, found, light)
        else:
            self.speak(work, found)

    def labour(self, work: Work, found: list[SegmentWord], light: list[SegmentWord]) -> None:
        """Some of it takes periods: it says the rest at once."""
        if light:
            self.speak(work, light)
        late = [said for said in found if said not in light]
        self.world.at(self.labour_ends(work), self.do, self.speak, work, late)

    def labour_ends(self, work: Work) -> int:
        """When a replay that begins now and takes some periods is done."""
        period = self.world.plan.period
        after = 3 * period + self.world.plan.roll(4 * period, "labour", work.proof, self.name)
        return self.there(self.world.tick + after)

    def word(self, work: Work, segment: int, there: bool) -> SegmentWord:
        """What it finds."""
        if there:
            work.shown.add(segment)
            return replayed(self.world.plan, work, segment, self.name)
        self.unserved.add((work.proof, segment))
        self.world.at(self.there(self.world.tick + 1), self.do, self.look_again, work, segment, self.world.tick)
        return SegmentWord(segment, Word.UNSERVED)

    def speak(self, work: Work, words: list[SegmentWord]) -> None:
        """One message; its witness seals the trace of the common segment."""
        self.said.setdefault(work.proof, set()).update(said.segment for said in words)
        common = self.world.common.get(work.proof)
        witness = ""
        if any(said.segment == common and said.word is not Word.UNSERVED for said in words):
            sealed = self.sealed[work.proof] = self.trace(work.proof)
            self.world.history.sealed.setdefault((work.proof, self.name), sealed)
            witness = self.witness(sealed)
        self.say(facts.Words(work.proof, self.name, tuple(words), witness))

    def trace(self, proof: str) -> str:
        """The trace that it seals."""
        return trace_of(proof)

    def witness(self, trace: str) -> str:
        """What it says of its trace before it shows it."""
        return self.world.functions.seal_trace(self.name, trace)

    def look_again(self, work: Work, segment: int, since: int) -> None:
        """Bytes came later: the word `unserved` is replaced, once."""
        world = self.world
        away = sum(end - begin for begin, end, _ in world.plan.operator.stops)
        if (work.proof, segment) not in self.unserved or world.tick > since + 4 * world.plan.period + away:
            return
        if world.bytes_there(work.proof, segment, self):
            self.unserved.discard((work.proof, segment))
            found = [self.word(work, segment, True)]
            if segment in work.heavy:
                world.at(self.labour_ends(work), self.do, self.speak, work, found)
            else:
                self.speak(work, found)
        else:
            world.at(self.there(world.tick + 1), self.do, self.look_again, work, segment, since)

    def show_trace(self, proof: ProofId) -> None:
        """What it sealed with its words."""
        if proof in self.sealed:
            self.say(facts.TraceShown(proof, self.name, self.sealed[proof]))

    def merge(self, entry: MergeSet) -> None:
        """The outer step over exactly the merge set."""
        opened = self.world.rounds[entry.run, entry.round]
        theta, momentum = outer_step(opened.theta, opened.momentum, entry.gradients)
        self.say(facts.MergeSigned(entry.run, entry.round, self.name, theta, momentum))

    def come_back(self, run: RunId, index: int) -> None:
        """It lapsed, and is there again."""
        self.say(facts.Returned(run, self.name, index + 1))

    def sign_epoch(self, entry: EpochClosed) -> None:
        """All that it holds has to stand in the log, before or after the closing entry."""
        network = self.world.network
        self.sign_when_entered(entry, [*network.floating, *network.dropped])

    def sign_when_entered(self, entry: EpochClosed, held: list[Message]) -> None:
        """Look again until the log has all of it."""
        network = self.world.network
        missing = [message for message in held if message in network.floating or message in network.dropped]
        if missing:
            self.world.at(self.there(self.world.tick + 2), self.do, self.sign_when_entered, entry, missing)
        else:
            self.world.epochs.sign(self.name, entry)

    def watch(self, fresh: list[tuple[Awaited, int]]) -> None:
        """Things are awaited from now on: look after one period whether they came."""
        held = self.when()
        self.world.at(held + self.world.plan.period, self.check_all, fresh, held)

    def check_all(self, fresh: list[tuple[Awaited, int]], held: int) -> None:
        """Whether each of them came."""
        for awaited, since in fresh:
            if not self.came(awaited, since):
                self.check(awaited, since, held)

    def came(self, awaited: Awaited, since: int) -> bool:
        """Whether its copy shows that it is not awaited any more."""
        gone = self.world.gone.get((awaited, since))
        return gone is not None and gone < self.world.tick - self.lag

    def check(self, awaited: Awaited, since: int, held: int) -> None:
        """Say that it lapsed, once a period of looks that count is over and no mirror has it (J3)."""
        world, now = self.world, self.world.tick
        own = awaited.party == self.name and awaited.what is not What.OPENINGS
        if self.halted or own or self.came(awaited, since) or (awaited, since) in self.lapsed:
            return
        short = held + world.plan.period + world.network.short_looks(self, held, now) - now
        if not self.up(now) or short > 0 or world.network.floats(awaited) or self.has_it(awaited):
            world.at(self.there(now + max(1, min(short, 3))), self.check, awaited, since, held)
            return
        self.lapsed.add((awaited, since))
        self.say(facts.Lapse(self.name, awaited, since))

    def has_it(self, awaited: Awaited) -> bool:
        """Whether it holds the gradient of a commitment that the log names, or that is on its way there."""
        if awaited.what is not What.COMMITMENT:
            return False
        coming = (message.fact for message in self.world.operator.inbox)
        logged = dict(self.world.logged(awaited.run, awaited.round))
        logged |= {fact.proof: fact.node for fact in coming if isinstance(fact, facts.Committed)}
        return any(logged[proof] == awaited.party for proof in self.held & logged.keys())
