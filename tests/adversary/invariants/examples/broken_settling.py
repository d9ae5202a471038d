"""Breaks of I8 in lapses and epochs."""

from __future__ import annotations

from dataclasses import replace

from contracts.ids import NO_PROOF, ProofId
from contracts.protocol.judge.chain_events import EpochFinal, EpochLapsed, EpochLimit, EpochStruck
from contracts.protocol.judge.entries import DecisionTaken as Taken
from contracts.protocol.judge.entries import (
    EpochClosed,
    EpochEnded,
    Lapsed,
    MergeSet,
    OpeningsClosed,
    PanelDrawn,
    RoundClosed,
    RoundMerged,
    RunOver,
    Undecided,
)
from contracts.protocol.judge.facts import Awaited, Block, Lapse, Opened, PledgeOpened, Secret, What
from tests.adversary.history import Entry, History
from tests.adversary.invariants import causes_epochs, causes_lapses
from tests.adversary.invariants.examples.edit import (
    Case,
    at,
    change,
    change_event,
    drop,
    drop_events,
    entry,
    insert,
    move,
)
from tests.adversary.invariants.examples.play import RUN, V1, V2, V3, A
from tests.adversary.invariants.examples.stories import (
    away,
    honest,
    late_cheat,
    undecided,
    unserved,
    withheld,
)
from tests.adversary.invariants.examples.stories_of_money import cut_again, holders, lapsed

A1, A2, B1, B2 = ProofId("run/1/0xa"), ProofId("run/2/0xa"), ProofId("run/1/0xB"), ProofId("run/2/0xB")


def _stands_until_later(h: History) -> None:
    """Its deadline has not passed, and no limit fell."""
    change(h, at(h, EpochClosed), deadline=10**9)
    drop_events(h, EpochLimit)


def _two_by_one(h: History) -> None:
    """Both `Lapse` are of one verifier."""
    change(h, at(h, Lapse, 0), verifier=entry(h, Lapse, 1).verifier)


def _since_too_late(h: History) -> None:
    """Both were said before the entry since which they speak stood in the log."""
    since = at(h, Lapsed) - 1
    for index in (at(h, Lapse, 0), at(h, Lapse, 1), at(h, Lapsed)):
        change(h, index, since=since)


def _lapses(h: History, awaited: Awaited, index: int) -> None:
    words = (Lapse(V1, awaited, index - 1), Lapse(V2, awaited, index - 1))
    insert(h, index, *words, Lapsed(awaited, index - 1, 1))


def _closes_early(h: History) -> None:
    move(h, at(h, EpochClosed, -1), at(h, RoundMerged, -1))


def _renamed_epoch(h: History) -> None:
    change(h, at(h, EpochClosed, -1), epoch=3)
    change(h, at(h, EpochEnded, -1), epoch=3)
    index = at(h, Block, -1)
    change(h, index, events=(replace(entry(h, Block, -1).events[0], epoch=3),))


def _opened_in_time() -> tuple[Entry, ...]:
    return (*(Opened(B1, side, "s", "b") for side in (0, 1, 2)), OpeningsClosed(B1, V1))


def _closes_for_nothing(h: History) -> None:
    """All is paid, and one more epoch closes."""
    last = entry(h, EpochClosed, -1)
    insert(h, at(h, RunOver), replace(last, epoch=4, due=0, total=0, lines=(), root="root4"))


LAPSES = (
    Case(causes_lapses.lapses_have_k_words, away, lambda h: drop(h, at(h, Lapse))),
    Case(causes_lapses.lapses_have_k_words, away, lambda h: change(h, at(h, Lapse), verifier="v9")),
    Case(causes_lapses.lapses_have_k_words, away, lambda h: change(h, at(h, Lapse), since=1)),
    Case(causes_lapses.lapses_have_k_words, away, _two_by_one),
    Case(causes_lapses.lapses_have_k_words, away, _since_too_late),
    Case(causes_lapses.second_follows_first, withheld, lambda h: drop(h, at(h, Lapsed))),
    Case(causes_lapses.second_follows_first, withheld, lambda h: change(h, at(h, Lapsed, 1), period=3)),
    Case(
        causes_lapses.lapsed_was_not_given,
        away,
        lambda h: insert(h, at(h, Lapsed), Secret(RUN, 1, V3, "secret-v3")),
    ),
    Case(
        causes_lapses.lapsed_was_not_given,
        unserved,
        lambda h: insert(h, at(h, Lapsed, -1), PledgeOpened(B1, "salt", None)),
    ),
    Case(
        causes_lapses.lapsed_was_not_given,
        withheld,
        lambda h: insert(h, at(h, Lapsed), *_opened_in_time()),
    ),
    Case(
        causes_lapses.lapsed_was_not_given,
        honest,
        lambda h: _lapses(h, Awaited(What.COMMITMENT, RUN, 2, NO_PROOF, A), at(h, RoundClosed, 1)),
    ),
    Case(
        causes_lapses.lapsed_was_not_given,
        honest,
        lambda h: _lapses(h, Awaited(What.WORDS, RUN, 2, A2, "v1"), at(h, PanelDrawn, proof=B2)),
    ),
    Case(
        causes_lapses.lapsed_was_awaited,
        honest,
        lambda h: _lapses(h, Awaited(What.SECRET, RUN, 1, NO_PROOF, "v3"), at(h, MergeSet)),
    ),
    Case(
        causes_lapses.lapsed_was_awaited,
        honest,
        lambda h: _lapses(h, Awaited(What.TRACE, RUN, 1, A1, "v3"), at(h, MergeSet)),
    ),
)
EPOCHS = (
    Case(causes_epochs.decisions_have_a_ground, holders, lambda h: move(h, at(h, Taken), at(h, Block, 1))),
    Case(
        causes_epochs.decisions_have_a_ground,
        holders,
        lambda h: insert(h, at(h, Taken), Taken(RUN, 0, False, "unknown")),
    ),
    Case(causes_epochs.decisions_are_taken, holders, lambda h: drop(h, at(h, Taken))),
    Case(causes_epochs.decisions_are_taken, holders, lambda h: move(h, at(h, Taken), len(h.entries))),
    Case(causes_epochs.epochs_close_in_order, honest, _renamed_epoch),
    Case(
        causes_epochs.epochs_close_when_due, honest, lambda h: move(h, at(h, EpochClosed, -1), at(h, RoundMerged, -1))
    ),
    Case(causes_epochs.proofs_end_with_their_epoch, undecided, lambda h: drop(h, at(h, Undecided))),
    Case(causes_epochs.attempts_have_a_ground, holders, lambda h: drop_events(h, EpochStruck)),
    Case(causes_epochs.late_epochs_have_a_ground, cut_again, _closes_for_nothing),
    Case(causes_epochs.attempts_have_a_ground, lapsed, lambda h: drop_events(h, EpochLapsed)),
    Case(causes_epochs.attempts_have_a_ground, lapsed, lambda h: change(h, at(h, EpochClosed, 2), settled_at=10**9)),
    Case(causes_epochs.attempts_have_a_ground, cut_again, _stands_until_later),
    Case(causes_epochs.no_stake_leaves_early, late_cheat, lambda h: change(h, at(h, EpochClosed), settled_at=10**9)),
    Case(causes_epochs.ends_follow_the_chain, honest, lambda h: change(h, at(h, EpochEnded), ours=False)),
    Case(causes_epochs.ends_follow_the_chain, honest, lambda h: drop_events(h, EpochFinal)),
    Case(causes_epochs.ends_follow_the_chain, honest, lambda h: change_event(h, EpochFinal, root="other")),
    Case(causes_epochs.a_run_that_is_over_owes_nothing, honest, lambda h: change(h, at(h, EpochEnded, -1), carried=5)),
    Case(causes_epochs.runs_end_when_settled, honest, lambda h: drop(h, at(h, EpochClosed, -1), at(h, EpochEnded, -1))),
)
CASES = (*LAPSES, *EPOCHS)
