"""Time-outs are k verifiers' word (J3)."""

from __future__ import annotations

import pytest

from contracts.ids import NO_PROOF
from contracts.protocol.judge import facts
from contracts.protocol.judge.errors import AlreadySaid, NotAwaited, NotSeated, UnknownSubject
from contracts.protocol.judge.facts import Awaited, What
from tests.contracts.protocol.judge.court import N0, RUN, STRANGER, V0, V1, V2, Court
from tests.holds import Threat, holds

pytestmark = pytest.mark.unit


def test_a_lapse_of_what_is_not_awaited_is_refused() -> None:
    court = Court()
    awaited = Awaited(What.COMMITMENT, RUN, 1, NO_PROOF, N0)
    since = court.state.open[awaited]
    with pytest.raises(NotAwaited):
        court.enter(facts.Lapse(V0, awaited, since + 1))
    with pytest.raises(NotAwaited):
        court.enter(facts.Lapse(V0, Awaited(What.PLEDGE, RUN, 1, NO_PROOF, N0), since))
    with pytest.raises(UnknownSubject):
        court.enter(facts.Lapse(V0, Awaited(What.COMMITMENT, RUN, 2, NO_PROOF, N0), since))
    with pytest.raises(NotSeated):
        court.enter(facts.Lapse(STRANGER, awaited, since))


def test_a_verifier_says_it_once() -> None:
    court = Court()
    court.lapse(What.COMMITMENT, NO_PROOF, N0, by=[V0])
    with pytest.raises(AlreadySaid):
        court.lapse(What.COMMITMENT, NO_PROOF, N0, by=[V0])


@holds(
    "A time-out needs k verifiers, and a late one has no effect",
    by="contracts/protocol/judge/rules/lapses.py:take_lapse",
    against=Threat.BAD_VERIFIER,
)
def test_a_lapse_that_comes_too_late_has_no_effect() -> None:
    """A mirror hands it on, so it is entered; what came counts."""
    court = Court()
    awaited = Awaited(What.COMMITMENT, RUN, 1, NO_PROOF, N0)
    since = court.state.open[awaited]
    court.close()
    for verifier in (V0, V1, V2):
        assert court.enter(facts.Lapse(verifier, awaited, since)) == []
    assert court.state.runs[RUN].nodes[N0].away is None
