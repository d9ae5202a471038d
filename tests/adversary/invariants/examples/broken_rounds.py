"""Breaks of I8 in rounds and panels."""

from __future__ import annotations

from dataclasses import replace

from contracts.ids import NO_PROOF, ProofId, as_address
from contracts.protocol.judge.chain_events import NodeStake, VerifierStands
from contracts.protocol.judge.entries import (
    BeaconFixed,
    BeaconMissed,
    Drawn,
    Lapsed,
    MergeSet,
    OpeningsClosed,
    PanelDrawn,
    RoundClosed,
    RoundMerged,
    RoundOpened,
    RunOver,
    SeatsFilled,
)
from contracts.protocol.judge.facts import (
    Anchored,
    Awaited,
    Block,
    Enrolled,
    Lapse,
    Left,
    Opened,
    PledgeOpened,
    RunCreated,
    Secret,
    Seen,
    What,
    Words,
)
from tests.adversary.history import History
from tests.adversary.invariants import causes, causes_panels, causes_rounds
from tests.adversary.invariants.examples import edit
from tests.adversary.invariants.examples.edit import (
    Case,
    append,
    at,
    change,
    change_event,
    drop,
    entry,
    insert,
    listed,
    move,
    terms,
)
from tests.adversary.invariants.examples.play import FULL, RUN, V2, V3, B
from tests.adversary.invariants.examples.stories import (
    away,
    beacon_missed,
    cheat,
    honest,
)

A1, A2, B1, B2 = ProofId("run/1/0xa"), ProofId("run/2/0xa"), ProofId("run/1/0xB"), ProofId("run/2/0xB")
READS = (Drawn, OpeningsClosed, Words, Secret)


def _opens_too_early(h: History) -> None:
    move(h, at(h, RoundOpened, round=2), at(h, RoundMerged, round=1))


def _audited_less_with_a_stake(history: History) -> None:
    """The cheat has stake enough for another round, and is audited at a lower rate in it."""
    for index, block in enumerate(history.entries):
        if isinstance(block, Block):
            rich = [replace(e, stake=100) if isinstance(e, NodeStake) else e for e in block.events]
            change(history, index, events=tuple(rich))
    listed(history, 2, B, rate=50_000, staked=True)


def _awaits_a_third(h: History) -> None:
    """A third node is listed and awaited, and the round closes without it."""
    insert(h, at(h, RoundOpened, round=2), Enrolled(RUN, as_address("0xc"), as_address("pay-c"), 1, "cpu", 1))
    opened = entry(h, RoundOpened, round=2)
    third = replace(opened.nodes[0], node="0xc", payout="pay-c", inner="joiner", staked=False)
    change(h, at(h, RoundOpened, round=2), nodes=(*opened.nodes, third))


def _twice_listed(h: History) -> None:
    opened = entry(h, RoundOpened, round=2)
    change(h, at(h, RoundOpened, round=2), nodes=(*opened.nodes, opened.nodes[0]))


def _other_payout(h: History) -> None:
    change(h, at(h, Enrolled), payout="elsewhere")


def _few_seen(h: History) -> None:
    drop(h, at(h, Seen, 0), at(h, Seen, 1))


def _seen_elsewhere(h: History) -> None:
    change(h, at(h, Seen, 0), index=3)
    change(h, at(h, Seen, 1), index=3)


def _left_out(h: History) -> None:
    """Node B delivered in round 1 and is not in round 2, in which it lapsed before; so it is awaited in round 3."""
    awaited = Awaited(What.COMMITMENT, RUN, 2, NO_PROOF, B)
    drop(h, *(i for i, e in enumerate(h.entries) if isinstance(e, Lapse | Lapsed) and e.awaited == awaited))
    change(h, at(h, RoundOpened, round=2), nodes=entry(h, RoundOpened, round=2).nodes[:1])
    listed(h, 3, B, awaited=True)


def _two_roots(h: History) -> None:
    change(h, at(h, Seen, 0), root="another")
    change(h, at(h, Seen, 1), root="a third")


def _seats_v3_instead(h: History, number: int, stop: int) -> None:
    """In the panels of one round v3 sits and reads in the place of v2."""
    start = at(h, RoundOpened, round=number)
    for index in range(start, stop):
        if isinstance(h.entries[index], PanelDrawn):
            change(h, index, order=("v1", "v3", "v2"), seats=("v1", "v3"))
    edit.rename(h, start, stop, "v2", "v3", *READS)


def _unopened(h: History) -> None:
    drop(h, at(h, Opened, 0, proof=A1, boundary=2), at(h, Opened, 1, proof=A1, boundary=2))


ROUNDS = (
    Case(causes.entries_stand_once, honest, lambda h: append(h, entry(h, RunOver))),
    Case(causes.entries_stand_once, honest, lambda h: append(h, entry(h, MergeSet))),
    Case(causes_rounds.rounds_follow, honest, lambda h: move(h, at(h, RunCreated), len(h.entries))),
    Case(causes_rounds.rounds_follow, honest, _opens_too_early),
    Case(causes_rounds.verifiers_stand, honest, lambda h: drop(h, at(h, Anchored))),
    Case(causes_rounds.verifiers_stand, honest, lambda h: change_event(h, VerifierStands, admitted=False)),
    Case(causes_rounds.verifiers_stand, honest, lambda h: change_event(h, VerifierStands, stake=99)),
    Case(causes_rounds.nodes_are_enrolled, honest, lambda h: drop(h, at(h, Enrolled))),
    Case(
        causes_rounds.nodes_are_enrolled,
        honest,
        lambda h: insert(h, at(h, RoundOpened, round=2), Left(RUN, B, 2)),
    ),
    Case(causes_rounds.nodes_are_enrolled, honest, _other_payout),
    Case(causes_rounds.nodes_are_enrolled, honest, _twice_listed),
    Case(causes_rounds.nodes_are_enrolled, honest, lambda h: terms(h, profiles=("gpu",))),
    Case(causes_rounds.who_delivered_stays, away, _left_out),
    Case(causes_rounds.awaited_unless_lapsed, honest, lambda h: listed(h, 2, B, awaited=False)),
    Case(causes_rounds.awaited_unless_lapsed, away, lambda h: listed(h, 3, B, awaited=True)),
    Case(
        causes_rounds.full_audits_after_a_void,
        cheat,
        _audited_less_with_a_stake,
    ),
    Case(causes_rounds.stake_counts_once, cheat, lambda h: listed(h, 2, B, staked=True)),
    Case(causes_rounds.stake_counts_once, honest, lambda h: change_event(h, NodeStake, stake=0)),
    Case(causes_rounds.blocks_come_in_order, honest, lambda h: change(h, at(h, Block, -1), number=1)),
    Case(causes_rounds.closing_follows, honest, lambda h: change(h, at(h, RoundClosed), proofs=(B1, A1))),
    Case(causes_rounds.closing_follows, honest, _awaits_a_third),
    Case(causes_rounds.beacon_time_follows, honest, lambda h: change(h, at(h, RoundClosed), beacon_time=1119)),
    Case(causes_rounds.beacon_time_follows, beacon_missed, lambda h: change(h, at(h, BeaconMissed), beacon_time=1179)),
    Case(
        causes_rounds.beacon_missed_without_k,
        beacon_missed,
        lambda h: insert(h, at(h, BeaconMissed), Seen(RUN, 1, V2, at(h, RoundClosed), "root")),
    ),
    Case(causes_rounds.beacon_missed_without_k, beacon_missed, lambda h: change(h, at(h, BeaconMissed), block=3)),
)
BEACONS = (
    Case(causes_rounds.beacon_is_fixed, honest, lambda h: change(h, at(h, BeaconFixed), hash="hash9")),
    Case(causes_rounds.beacon_is_fixed, honest, lambda h: change(h, at(h, BeaconFixed), block=1)),
)
PANELS = (
    Case(causes_panels.beacon_draws, honest, lambda h: change(h, at(h, PanelDrawn), beacon="hash1")),
    Case(causes_panels.beacon_draws, honest, _few_seen),
    Case(causes_panels.beacon_draws, honest, _seen_elsewhere),
    Case(causes_panels.beacon_draws, honest, lambda h: h.beacons.update({entry(h, RoundClosed).beacon_time: "hash9"})),
    Case(causes_panels.beacon_draws, honest, _two_roots),
    Case(causes_panels.audited_where_it_must_be, honest, lambda h: listed(h, 2, B, rate=FULL)),
    Case(causes_panels.seats_are_the_first, honest, lambda h: change(h, at(h, PanelDrawn), order=("v3", "v1", "v2"))),
    Case(causes_panels.seats_are_the_first, honest, lambda h: change(h, at(h, PanelDrawn), order=("v1", "v2", "v9"))),
    Case(causes_panels.seats_are_the_first, honest, lambda h: change(h, at(h, PanelDrawn), order=("v1", "v2", "v2"))),
    Case(causes_panels.seats_are_calibrated, honest, lambda h: terms(h, pairs=frozenset({("cpu", "gpu")}))),
    Case(causes_panels.overruled_sit_behind, cheat, lambda h: _seats_v3_instead(h, 2, len(h.entries))),
    Case(causes_panels.lapsed_do_not_sit, away, lambda h: _seats_v3_instead(h, 2, at(h, RoundOpened, round=3))),
    Case(causes_panels.seats_are_filled_in_order, away, lambda h: change(h, at(h, PanelDrawn), order=("v1", "v3"))),
    Case(
        causes_panels.seats_are_filled_in_order,
        honest,
        lambda h: insert(h, at(h, PledgeOpened), SeatsFilled(A1, (V3,))),
    ),
    Case(causes_panels.draws_follow, honest, lambda h: h.draws.update({(A1, "v1"): (1, 2)})),
    Case(causes_panels.draws_follow, honest, lambda h: drop(h, at(h, Secret))),
    Case(
        causes_panels.secrets_come_from_seats,
        honest,
        lambda h: append(h, Secret(RUN, 1, V3, "secret-v3")),
    ),
    Case(causes_panels.openings_are_complete, honest, lambda h: drop(h, at(h, Opened, proof=A1, boundary=3))),
    Case(causes_panels.openings_are_complete, honest, _unopened),
    Case(causes_panels.openings_are_complete, honest, lambda h: append(h, OpeningsClosed(A1, V3))),
)
CASES = (*ROUNDS, *BEACONS, *PANELS)
