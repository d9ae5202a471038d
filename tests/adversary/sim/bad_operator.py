"""Strategies of the operator."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tests.adversary.sim.bad_nodes import skip
from tests.adversary.sim.draft import (
    any_skips,
    corrupt,
    node,
    operator,
    somebody,
)
from tests.adversary.sim.plan import Change, Drop, Plan

Strategy = Callable[[Plan, Random], None]
_ALTERED = (
    "RoundOpened",
    "Lapsed",
    "RoundClosed",
    "PanelDrawn",
    "Drawn",
    "OpeningsClosed",
    "BenchCalled",
    "SegmentDecided",
    "PanelSpoken",
    "Voided",
    "FaultDerived",
    "Posted",
    "MergeSet",
    "RoundMerged",
    "EpochClosed",
    "VerifierFault",
)


def operator_drops_node(plan: Plan, random: Random) -> None:
    drop = Drop(somebody(plan, random, "node"), random.choice(("", "", "Committed", "Opened", "PledgeOpened")))
    operator(plan, drops=(drop,), hold=random.choice((0, 0, 1, plan.period, 2 * plan.period)))


def operator_drops_verifier(plan: Plan, random: Random) -> None:
    drop = Drop(somebody(plan, random, "verifier"), random.choice(("", "Words", "Secret", "TraceShown", "Lapse")))
    operator(plan, drops=(drop,), hold=random.choice((0, 0, 1, plan.period, 2 * plan.period)))


def operator_never_enters(plan: Plan, random: Random) -> None:
    party = somebody(plan, random, random.choice(("node", "verifier")))
    operator(plan, drops=(Drop(party, "", hard=True),))
    if random.random() < 0.5:
        node(plan, random, skips="one")


def operator_delays(plan: Plan, random: Random) -> None:
    operator(plan, delay=random.choice((1, 2)), shuffles=random.random() < 0.5, repeats=random.random() < 0.3)


def operator_scatters(plan: Plan, random: Random) -> None:
    """Everything reaches the log by mirrors, in the operator's order."""
    kind = random.choice(("", "", "Words", "Opened", "Lapse"))
    operator(plan, drops=(Drop("", kind),), hold=random.choice((2, plan.period)), scatters=True)
    if random.random() < 0.5:
        node(plan, random, gives=random.choice(("late", "edge")), skips=random.choice(("nothing", "one")))


def operator_repeats(plan: Plan, random: Random) -> None:
    operator(plan, repeats=True, shuffles=True)


def operator_hides_blocks(plan: Plan, random: Random) -> None:
    operator(plan, blocks=random.choice(("late", "rare")))


def operator_passes_blocks(plan: Plan, random: Random) -> None:
    """A block beyond the beacon, or an older one once more."""
    operator(plan, blocks=random.choice(("past", "past", "again")))


def operator_false_block(plan: Plan, random: Random) -> None:
    operator(plan, blocks="false")


def operator_helps_cheat(plan: Plan, random: Random) -> None:
    """Whoever drew a false segment is not heard, and the node says nothing either."""
    bad = node(plan, random, skips=any_skips(random), opens=random.choice(("all", "true")))
    kind = random.choice(("Secret", "Words", "Lapse"))
    operator(plan, drops=(Drop("", kind),), hold=random.choice((0, plan.period)), helps=bad.name)
    corrupt(plan, random, words="true", secret="suits", about=bad.name)


def changes(how: str) -> Strategy:
    def change(plan: Plan, random: Random) -> None:
        entry = random.choice(_ALTERED)
        operator(plan, change=Change(how, entry, random.randint(1, 2)))
        if entry in ("BenchCalled", "SegmentDecided", "Voided", "FaultDerived", "Lapsed", "VerifierFault"):
            skip(plan, random)

    return change


def fork(plan: Plan, random: Random) -> None:
    operator(plan, fork=random.randint(4, 30))


def restart(plan: Plan, random: Random) -> None:
    start = random.randint(3, 30)
    operator(plan, stops=((start, start + random.randint(2, 4 * plan.period), random.random() < 0.5),))
