"""Seats, draws, openings (J6 to J9)."""

from __future__ import annotations

import pytest

from contracts.ids import NO_PROOF
from contracts.protocol.judge import facts
from contracts.protocol.judge.entries import Drawn, FaultDerived, OpeningsClosed, SeatsFilled, Voided
from contracts.protocol.judge.errors import AlreadySaid, NotBound, NotSeated, OutOfTime
from contracts.protocol.judge.facts import Reason, What
from tests.contracts.protocol.judge.court import N0, RUN, V0, V1, V2, Court
from tests.holds import Threat, holds

pytestmark = pytest.mark.unit


def test_a_secret_draws_for_every_seat_of_its_round() -> None:
    court = Court()
    first, second = court.drawn()
    assert court.secret(V0, "1+2") == [Drawn(first, V0, (0, 1, 2)), Drawn(second, V0, (0, 1, 2))]


def test_a_secret_is_the_rounds_own_and_not_shown_early() -> None:
    """F26: the server cannot have a secret of a later round."""
    court = Court()
    with pytest.raises(OutOfTime):
        court.secret(V0, "1")
    court.drawn()
    with pytest.raises(NotBound):
        court.enter(facts.Secret(RUN, 1, V0, "secret:v0:1:1"))
    with pytest.raises(NotSeated):
        court.secret(V2, "1")
    court.secret(V0, "1")
    with pytest.raises(AlreadySaid):
        court.secret(V0, "2")


@holds(
    "The seat of a late verifier goes to the next one in the draw",
    by="contracts/protocol/judge/rules/seats.py:due_substitutes",
    against=Threat.BAD_VERIFIER,
)
def test_a_seat_without_a_secret_goes_to_the_next() -> None:
    """F9: without the secret there is no draw, and nobody is slashed for what the server dropped."""
    court = Court()
    proof, other = court.drawn()
    court.secret(V0, "1")
    found = court.lapse(What.SECRET, NO_PROOF, V1, by=[V0, V2])
    filled = [entry for entry in found if isinstance(entry, SeatsFilled)]
    assert filled == [SeatsFilled(proof, (V2,)), SeatsFilled(other, (V2,))]
    court.secret(V2, "3")
    court.open(proof)
    court.say(proof, V0)
    court.say(proof, V2)
    assert type(court.pledge(proof)[0]).__name__ == "Posted"
    assert not court.proof().faults


def test_each_draw_has_its_own_period_to_open() -> None:
    court = Court()
    proof, _ = court.drawn()
    court.secret(V0, "1")
    court.lapse(What.OPENINGS, proof, V0)
    court.secret(V1, "2")
    assert court.proof().awaits[facts.Awaited(What.OPENINGS, RUN, 1, proof, V0)].period == 2
    assert court.proof().awaits[facts.Awaited(What.OPENINGS, RUN, 1, proof, V1)].period == 1
    assert OpeningsClosed(proof, V0) in court.open(proof)


def test_what_is_not_opened_in_two_periods_is_withheld() -> None:
    """F1: opening some segments and not others is no way to be paid for these."""
    court = Court()
    proof, _ = court.drawn()
    court.secret(V0, "1")
    court.open(proof, 0)
    court.lapse(What.OPENINGS, proof, V0)
    found = court.lapse(What.OPENINGS, proof, V0)
    assert Voided(proof, Reason.WITHHELD, None) in found
    with pytest.raises(OutOfTime):
        court.open(proof, 1)
    assert court.pledge(proof) == [FaultDerived(proof, N0, True, Reason.WITHHELD, True)]


def test_only_what_is_asked_for_can_be_opened_and_once() -> None:
    court = Court()
    proof, _ = court.drawn()
    court.secret(V0, "1")
    with pytest.raises(NotSeated):
        court.open(proof, 4)
    court.open(proof, 1)
    with pytest.raises(AlreadySaid):
        court.open(proof, 1)


def test_openings_come_before_words() -> None:
    court = Court()
    proof, _ = court.drawn()
    court.secret(V0, "1")
    with pytest.raises(NotSeated):
        court.say(proof, V0, s1="true")
