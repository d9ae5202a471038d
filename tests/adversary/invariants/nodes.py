"""I2: under the premise no node that did its work goes unpaid, is void or loses stake."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from contracts.protocol.judge.chain_events import NodeSlashed, NodeStake
from contracts.protocol.judge.entries import Posted
from contracts.protocol.judge.facts import What
from tests.adversary.history import Work
from tests.adversary.invariants.core import Breach, Invariant
from tests.adversary.invariants.reading import Reading
from tests.adversary.invariants.views import Round


def honest_works(reading: Reading) -> list[tuple[Work, Round]]:
    """Honest work of nodes that the round lists; who made two proofs of one round did not keep to the protocol."""
    if not reading.premise:
        return []
    works = reading.history.work.values()
    made = Counter((work.run, work.round, work.node) for work in works)
    single = (work for work in works if work.honest and made[work.run, work.round, work.node] == 1)
    rounds = ((work, reading.round((work.run, work.round))) for work in single)
    return [(work, round_) for work, round_ in rounds if round_.listed(work.node) is not None]


def in_the_closing_entry(reading: Reading) -> Iterator[Breach]:
    """It is in the closing entry of its round, where the round awaits its node (others may come too late for it)."""
    for work, round_ in honest_works(reading):
        for index, closed in round_.closed[:1]:
            if round_.nodes[work.node].awaited and work.proof not in closed.proofs:
                yield index, f"round {round_.key} closes without the honest {work.proof}"


def never_void(reading: Reading) -> Iterator[Breach]:
    """It is never void, blameless or not, and never undecided."""
    for work, _ in honest_works(reading):
        for index, end in reading.proof(work.proof).ends:
            if not isinstance(end, Posted):
                yield index, f"the honest {work.proof} ends as {end}"


def never_at_fault(reading: Reading) -> Iterator[Breach]:
    """No fault names it."""
    for work, _ in honest_works(reading):
        for index, fault in reading.proof(work.proof).faults:
            yield index, f"a fault ({fault.reason}) names the honest {work.proof}"


def never_late(reading: Reading) -> Iterator[Breach]:
    """k verifiers never say that its commitment, openings or pledge did not come."""
    late = {What.OPENINGS, What.PLEDGE}
    for work, round_ in honest_works(reading):
        for index, lapsed in reading.proof(work.proof).lapsed:
            if lapsed.awaited.what in late:
                yield index, f"{lapsed.awaited.what} of the honest {work.proof} lapsed"
        for index, lapsed in round_.lapsed:
            if lapsed.awaited.what is What.COMMITMENT and lapsed.awaited.party == work.node:
                yield index, f"the commitment of {work.node} lapsed, and {work.proof} came in time"


def never_slashed(reading: Reading) -> Iterator[Breach]:
    """The chain never slashes for it."""
    honest = {work.proof for work, _ in honest_works(reading)}
    for index, slashed in reading.events[NodeSlashed]:
        if slashed.proof in honest:
            yield index, f"the stake under the honest {slashed.proof} is slashed"


def stake_is_free_again(reading: Reading) -> Iterator[Breach]:
    """Once all its work is posted, what was reserved of its stake is free for its next round (in a single run)."""
    if not reading.premise or len(reading.runs) != 1:
        return
    works, (run,) = reading.history.work.values(), reading.runs.values()
    cheats = {work.node for work in works if not work.honest}
    for round_ in run.rounds:
        index, opened = round_.opened[0]
        for listed in opened.nodes:
            mine = [p for r in run.rounds for p in r.proofs if p.committed[0][1].node == listed.node]
            posted = all(p.posted is not None and p.posted[0] < index for p in mine if p.committed[0][0] < index)
            stakes = reading.event(NodeStake, index)
            stake = next((event.stake for event in stakes if event.node == listed.node), 0)
            due = min(stake, run.created[0][1].terms.node_stake) > 0
            if posted and due and listed.node not in cheats and not listed.staked:
                yield index, f"no stake is free for {listed.node} in round {round_.key}, and all its work is posted"


def posted_at_the_end(reading: Reading) -> Iterator[Breach]:
    """At the end of a complete history it is posted."""
    if not reading.complete:
        return
    for work, round_ in honest_works(reading):
        proof = reading.proof(work.proof)
        for index, closed in round_.closed[:1]:
            if work.proof in closed.proofs and not proof.ends:
                yield index, f"the honest {work.proof} is never posted"


INVARIANT = Invariant(
    "I2",
    (
        in_the_closing_entry,
        never_void,
        never_at_fault,
        never_late,
        never_slashed,
        stake_is_free_again,
        posted_at_the_end,
    ),
)
check = INVARIANT.check
