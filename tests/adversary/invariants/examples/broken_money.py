"""Breaks of I6."""

from __future__ import annotations

from dataclasses import replace

from contracts.ids import ProofId, as_address
from contracts.protocol.judge.entries import EpochClosed, EpochEnded, Line, Posted, RunOver
from contracts.protocol.judge.facts import Committed, Credited, RunCreated
from tests.adversary.history import History
from tests.adversary.invariants import identities, money, shares
from tests.adversary.invariants.examples.edit import Case, append, at, change, drop, entry, insert
from tests.adversary.invariants.examples.play import RUN
from tests.adversary.invariants.examples.stories import cheat, honest
from tests.adversary.invariants.examples.stories_of_money import cut_again, holders, lapsed

PAY_A, PAY_B = as_address("pay-0xa"), as_address("pay-0xB")
CODER, MAINTAINER = as_address("c"), as_address("m1")


def _lines(first: int, second: int) -> tuple[Line, ...]:
    return Line(PAY_B, 0, second), Line(PAY_A, 0, first)


def _last(h: History, **fields: object) -> None:
    change(h, at(h, EpochClosed, -1), **fields)


def _pays_less(h: History) -> None:
    _last(h, total=90, lines=_lines(45, 45))
    change(h, at(h, EpochEnded, -1), carried=10)


def _lapse_cancels(h: History) -> None:
    """A dispute that lapsed is taken for one that holders decided; what it cost is paid later."""
    change(h, at(h, EpochClosed, attempt=2), total=0, lines=())
    change(h, at(h, EpochEnded, 0), carried=100)
    _last(h, due=100, total=60, lines=_lines(30, 30))
    change(h, at(h, EpochEnded, -1), carried=40)


def _over_the_limit(h: History) -> None:
    """The epoch that was cut pays everything, and owes nothing; the next one has no more than its own."""
    change(h, at(h, EpochClosed, 0), total=100, lines=_lines(50, 50))
    change(h, at(h, EpochEnded, 0), carried=0)
    change(h, at(h, EpochClosed, 1), due=100, total=100, lines=_with_code(25, 25, 50))
    change(h, at(h, EpochClosed, 2), due=100)


def _with_code(first: int, second: int, code: int) -> tuple[Line, ...]:
    return (*_lines(first, second), Line(as_address("pay-code"), 1, code))


def _goes_to_the_next_earners(h: History) -> None:
    """What the limit cut is split like the next epoch's emission."""
    change(h, at(h, EpochClosed, 1), lines=_with_code(35, 35, 70))


def _owed_to_one(h: History) -> None:
    """Of what is owed one account is paid the whole limit."""
    change(h, at(h, EpochClosed, epoch=2), lines=(Line(PAY_A, 0, 40),))


def _pays_again(h: History) -> None:
    _last(h, total=140, lines=entry(h, EpochClosed, 1).lines)


def _pays_a_little(h: History) -> None:
    _last(h, total=1, lines=(Line(PAY_A, 0, 1),))


def _struck_is_owed(h: History) -> None:
    change(h, at(h, EpochEnded, -1), carried=140)


def _carried_is_lost(h: History) -> None:
    """What the cut left over is not due in the next epoch."""
    change(h, at(h, EpochClosed, 1), due=100, total=100, lines=_with_code(35, 35, 30))
    change(h, at(h, EpochClosed, 2), due=100)


def _ends_with(h: History, **fields: object) -> None:
    """The first epoch ends otherwise, and no other follows."""
    change(h, at(h, EpochEnded), **fields)
    later = [at(h, kind, epoch=number) for kind in (EpochClosed, EpochEnded) for number in (2, 3)]
    drop(h, *later)


def _unpaid_end(h: History) -> None:
    drop(h, at(h, EpochClosed, -1), at(h, EpochEnded, -1))


def _late_credit(h: History) -> None:
    insert(h, at(h, RunOver), Credited(RUN, "late", 1, as_address("pay-code"), 7, (MAINTAINER,)))


def _created_again(h: History, **fields: object) -> None:
    append(h, replace(entry(h, RunCreated), **fields))


def _twin(h: History) -> None:
    """A second proof of one node and round is posted, and paid."""
    place = at(h, Posted, proof="run/2/0xa")
    twin = replace(entry(h, Committed, proof="run/2/0xa"), proof="twin")
    insert(h, place, twin, Posted(ProofId("twin"), PAY_A, 500))
    _last(h, lines=_lines(67, 33))


def _other_account(h: History) -> None:
    change(h, at(h, Posted, proof="run/2/0xa"), account="pay-x")
    _last(h, lines=(Line(PAY_B, 0, 50), Line(as_address("pay-x"), 0, 50)))


def _more_tokens(h: History) -> None:
    change(h, at(h, Posted, proof="run/2/0xa"), tokens=1000)
    _last(h, lines=_lines(67, 33))


def _credited_twice(h: History) -> None:
    insert(h, at(h, Credited), entry(h, Credited))
    change(h, at(h, EpochClosed, 1), lines=_with_code(37, 37, 66))


def _credited_elsewhere(h: History) -> None:
    """The same contribution in another run, whose epoch the history does not reach."""
    h.complete = False
    insert(h, at(h, Credited), replace(entry(h, Credited), run="other"))


def _unvouched(h: History) -> None:
    h.maintainers = frozenset({"m1"})
    insert(h, at(h, EpochClosed), Credited(RUN, "work", 1, CODER, 0, (CODER,)))


CASES = (
    Case(money.lines_make_the_total, honest, lambda h: _last(h, lines=_lines(49, 49))),
    Case(
        money.lines_make_the_total,
        honest,
        lambda h: _last(h, lines=(*_lines(50, 50), Line(PAY_A, 1, 0))),
    ),
    Case(money.total_is_due_or_cut, honest, _pays_less),
    Case(money.total_is_due_or_cut, holders, _over_the_limit),
    Case(money.total_is_due_or_cut, lapsed, _lapse_cancels),
    Case(money.struck_root_pays_nothing, holders, _pays_again),
    Case(money.struck_root_pays_nothing, holders, _pays_a_little),
    Case(money.due_is_emitted_and_carried, honest, lambda h: _last(h, due=120, total=120, lines=_lines(60, 60))),
    Case(money.due_is_emitted_and_carried, holders, _carried_is_lost),
    Case(money.carried_is_unpaid, honest, lambda h: change(h, at(h, EpochEnded, -1), carried=5)),
    Case(money.carried_is_unpaid, cut_again, lambda h: _ends_with(h, carried=0)),
    Case(money.carried_is_unpaid, holders, _struck_is_owed),
    Case(money.carried_is_unpaid, cut_again, lambda h: _ends_with(h, ours=False, carried=101)),
    Case(shares.pay_stays_with_who_earned_it, honest, lambda h: _last(h, lines=_lines(60, 40))),
    Case(shares.pay_stays_with_who_earned_it, honest, lambda h: _last(h, lines=(Line(PAY_A, 0, 100),))),
    Case(
        shares.pay_stays_with_who_earned_it,
        honest,
        lambda h: _last(h, lines=(*_lines(49, 49), Line(as_address("pay-x"), 0, 2))),
    ),
    Case(shares.pay_stays_with_who_earned_it, holders, _goes_to_the_next_earners),
    Case(shares.pay_stays_with_who_earned_it, cut_again, _owed_to_one),
    Case(
        money.lines_are_distinct,
        honest,
        lambda h: _last(h, lines=(*_lines(25, 50), Line(PAY_A, 0, 25))),
    ),
    Case(
        money.lines_are_distinct,
        honest,
        lambda h: _last(h, lines=(*_lines(25, 50), Line(as_address("pay-0xA"), 0, 25))),
    ),
    Case(money.nothing_is_left, honest, _unpaid_end),
    Case(money.nothing_is_left, honest, _late_credit),
    Case(money.epochs_join, honest, lambda h: _last(h, first_round=1)),
    Case(money.epochs_join, honest, lambda h: _last(h, first_round=3, last_round=3)),
    Case(identities.trajectories_are_distinct, honest, lambda h: _created_again(h, run="other")),
    Case(identities.trajectories_are_distinct, honest, lambda h: _created_again(h, nonce=2)),
    Case(identities.one_post_a_round, honest, _twin),
    Case(identities.paid_as_listed, honest, _other_account),
    Case(identities.paid_as_listed, honest, _more_tokens),
    Case(identities.paid_as_listed, honest, lambda h: h.tokens.update({("run", 1): 499})),
    Case(identities.credits_are_vouched, honest, _unvouched),
    Case(identities.one_credit, holders, _credited_twice),
    Case(identities.one_credit, holders, _credited_elsewhere),
    Case(
        identities.nothing_after_the_run,
        honest,
        lambda h: append(h, Credited(RUN, "late", 1, CODER, 7, (MAINTAINER,))),
    ),
    Case(identities.nothing_after_the_run, cheat, lambda h: append(h, entry(h, Posted))),
)
