"""Time-outs are k verifiers' word (J3)."""

from __future__ import annotations

import pytest

from contracts.protocol.judge import facts
from contracts.protocol.judge.errors import AlreadySaid, NotAwaited, NotSeated, UnknownSubject
from contracts.protocol.judge.facts import Awaited, What
from tests.contracts.protocol.judge.court import Court
from tests.holds import Threat, holds

pytestmark = pytest.mark.unit


def test_a_lapse_of_what_is_not_awaited_is_refused() -> None:
    court = Court()
    awaited = Awaited(What.COMMITMENT, "r", 1, "", "n0")
    since = court.state.open[awaited]
    with pytest.raises(NotAwaited):
        court.enter(facts.Lapse("v0", awaited, since + 1))
    with pytest.raises(NotAwaited):
        court.enter(facts.Lapse("v0", Awaited(What.PLEDGE, "r", 1, "", "n0"), since))
    with pytest.raises(UnknownSubject):
        court.enter(facts.Lapse("v0", Awaited(What.COMMITMENT, "r", 2, "", "n0"), since))
    with pytest.raises(NotSeated):
        court.enter(facts.Lapse("stranger", awaited, since))


def test_a_verifier_says_it_once() -> None:
    court = Court()
    court.lapse(What.COMMITMENT, "", "n0", by=["v0"])
    with pytest.raises(AlreadySaid):
        court.lapse(What.COMMITMENT, "", "n0", by=["v0"])


@holds(
    "A time-out needs k verifiers, and a late one has no effect",
    by="contracts/protocol/judge/rules/lapses.py:take_lapse",
    against=Threat.BAD_VERIFIER,
)
def test_a_lapse_that_comes_too_late_has_no_effect() -> None:
    """A mirror hands it on, so it is entered; what came counts."""
    court = Court()
    awaited = Awaited(What.COMMITMENT, "r", 1, "", "n0")
    since = court.state.open[awaited]
    court.close()
    for verifier in ("v0", "v1", "v2"):
        assert court.enter(facts.Lapse(verifier, awaited, since)) == []
    assert court.state.runs["r"].nodes["n0"].away is None
