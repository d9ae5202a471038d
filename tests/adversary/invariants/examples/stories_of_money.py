"""More histories on which all invariants hold: decisions, limits, roots that fell; and the table of all."""

from __future__ import annotations

from dataclasses import replace

from contracts.ids import as_address
from contracts.protocol.judge import chain_events
from contracts.protocol.judge import entries as derived
from tests.adversary.history import History
from tests.adversary.invariants.examples import stories
from tests.adversary.invariants.examples.play import RUN, TERMS, Play
from tests.adversary.invariants.examples.stories import calm_round, counted, read_and_post
from tests.adversary.sim import simulate


def holders() -> History:
    """A decision; a limit that cuts an epoch, of which the rest is owed; a root that is struck down; a contribution."""
    play = Play("holders")
    play.begin()
    play.block(chain_events.Decided(1, "rounds", "2"), chain_events.EpochLimit(60))
    play.add(derived.DecisionTaken(RUN, 1, True, "rounds = 2"))
    for proof in calm_round(play):
        read_and_post(play, proof)
    play.merge()
    play.final(play.epoch(limit=60))
    play.credit("commit-1", as_address("pay-code"), 1000)
    for proof in calm_round(play):
        read_and_post(play, proof)
    play.merge()
    play.block(chain_events.EpochLimit(1000))
    epoch = play.epoch()
    play.block(chain_events.EpochStruck(2, 0))
    again = replace(epoch, attempt=1, root="root2.2", lines=(), total=0)
    play.add(again)
    play.final(again, struck=True)
    play.add(derived.RunOver(RUN))
    return counted(play.history)


def cut_again() -> History:
    """The limit falls after the deadline of a root that was never proposed: the epoch is cut anew, and two more pay
    what is owed."""
    play = Play("limit")
    play.begin()
    for proof in calm_round(play):
        read_and_post(play, proof)
    play.merge()
    first = play.epoch()
    play.time += TERMS.root_seconds
    play.block(chain_events.EpochLimit(40))
    lines = tuple(replace(line, amount=20) for line in first.lines)
    again = replace(first, total=40, lines=lines, root="root1.2", deadline=play.time + TERMS.root_seconds)
    play.add(again)
    play.final(again)
    play.final(play.epoch(limit=40))
    play.final(play.epoch(limit=40))
    play.add(derived.RunOver(RUN))
    return play.history


def lapsed() -> History:
    """A dispute that nobody decides delays an epoch, and costs nobody its pay; then one more, while the limit falls;
    what is owed then is paid by a further epoch."""
    play = Play("lapsed")
    play.begin()
    for proof in calm_round(play):
        read_and_post(play, proof)
    play.merge()
    first = play.epoch()
    play.block(chain_events.EpochLapsed(1, 0))
    play.add(replace(first, attempt=1, deadline=play.time + TERMS.root_seconds))
    play.block(chain_events.EpochLapsed(1, 1), chain_events.EpochLimit(60))
    lines = tuple(replace(line, amount=30) for line in first.lines)
    again = replace(first, attempt=2, total=60, lines=lines, root="root1.3", deadline=play.time + TERMS.root_seconds)
    play.add(again)
    play.final(again)
    play.final(play.epoch(limit=60))
    play.add(derived.RunOver(RUN))
    return play.history


def rented() -> History:
    """Five nodes on rented machines: bills, capital and paybacks. The simulator writes it: medians by hand are long."""
    return simulate(1, "rented")


STORIES = (
    stories.honest,
    stories.cheat,
    stories.canary,
    stories.unserved,
    stories.withheld,
    stories.silent,
    stories.traces,
    stories.nothing_posted,
    stories.away,
    stories.beacon_missed,
    stories.undecided,
    holders,
    cut_again,
    lapsed,
    rented,
)
