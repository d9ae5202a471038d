"""The profile under which a node enrols in a run of several (ADR 67); `a`, `b` and `p` as in the rules' own tests."""

from __future__ import annotations

import pytest

from contracts.ids import as_address
from contracts.protocol.configuration.profiles import AdmittedProfile, profiles_text
from contracts.protocol.judge import chain_events
from contracts.protocol.run_config import RunConfig
from tests.contracts.protocol.judge.court import RUN, Court
from tests.contracts.protocol.judge.rules.test_several_profiles import court_of
from trainer.node.joining import Choice, choose

pytestmark = pytest.mark.unit
EXACT, PORTABLE = RunConfig(), RunConfig(profile="portable")
WAYS = {"b": EXACT, "p": PORTABLE}
LISTED = (AdmittedProfile("exact", "0x" + "aa" * 32), AdmittedProfile("portable", "0x" + "cc" * 32))


def chosen(court: Court, ways: dict[str, RunConfig], **options: str) -> Choice:
    return choose(court.state, court.state.runs[RUN], ways, **options)


def test_the_first_profile_that_enough_read_is_chosen() -> None:
    assert chosen(court_of("aaabbb"), WAYS) == Choice("b", EXACT, "")
    assert chosen(court_of("aaabb"), WAYS) == Choice("p", PORTABLE, "")


def test_a_node_that_too_few_read_is_told_the_numbers() -> None:
    choice = chosen(court_of("aaabb"), {"b": EXACT})
    assert choice.profile == "b"
    assert "2 of the 3 verifiers that it takes read the profile b" in choice.obstacle
    assert "--numerics" in choice.obstacle


def test_an_enrolled_node_keeps_its_profile_and_is_told() -> None:
    """Another one would begin its record anew."""
    court = court_of("aaabbb")
    assert chosen(court, {"p": PORTABLE, "b": EXACT}, enrolled="b").profile == "b"
    court.block(chain_events.VerifierStands(as_address("v5"), False, 0), seconds=5)
    choice = chosen(court, {"p": PORTABLE, "b": EXACT}, enrolled="b")
    assert choice.profile == "b"
    assert "2 of the 3" in choice.obstacle


def test_its_user_chooses_one_arithmetic() -> None:
    court = court_of("aaabbb")
    assert chosen(court, WAYS, numerics="portable").profile == "p"
    assert chosen(court, WAYS, enrolled="b", numerics="portable").profile == "p"


def test_a_machine_of_none_of_the_profiles_enrols_under_none() -> None:
    court = court_of("aaabbb")
    court.state.runs[RUN].config = RunConfig(profile="several", profiles=profiles_text(LISTED)).to_json()
    choice = chosen(court, {})
    assert choice.profile == ""
    assert LISTED[0].digest in choice.obstacle
    named = chosen(court, {"b": EXACT}, numerics="portable")
    assert named.profile == ""
    assert "in portable arithmetic" in named.obstacle


def test_nobody_is_bound_before_the_chain_says_how_many_decide() -> None:
    court = court_of("aaabbb")
    court.state.k = 0
    assert chosen(court, WAYS).obstacle
