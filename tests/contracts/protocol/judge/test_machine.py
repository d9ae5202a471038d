"""The log audit: every derived entry is what follows, where it follows (I8)."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from contracts.ids import NO_PROOF, as_address
from contracts.protocol.judge import chain_events, entries, facts
from contracts.protocol.judge.entries import Derived, EpochClosed, InvoicesAssessed
from contracts.protocol.judge.errors import Differs, NotBound
from contracts.protocol.judge.machine import apply, replay
from contracts.protocol.judge.state import State
from contracts.protocol.log.leaf import kinds
from tests.contracts.protocol.judge.court import RUN, V0, V1, V2, Court, Plain
from tests.contracts.protocol.judge.rented import RENTERS, Rented
from tests.holds import Threat, holds

pytestmark = pytest.mark.unit


def honest_log() -> list[Any]:
    court = Court()
    for proof in court.read():
        court.post(proof)
    court.merge()
    return court.log


def lively_log() -> list[Any]:
    """One of every kind of derived entry, as far as one history can have them."""
    court = Court("rounds=2")
    court.block(chain_events.Decided(1, "rounds", "2"), chain_events.Decided(2, "no", "x"), seconds=5)
    court.close()
    court.block()
    court.seen()
    court.block()
    court.secret(V0, "1")
    court.lapse(facts.What.SECRET, NO_PROOF, V1, by=[V0, V2])
    court.secret(V2, "2")
    proof, other = court.round.closed
    for name in (proof, other):
        court.open(name)
    court.say(proof, V0, s0="true", s1="false")
    court.say(proof, V2, s0="true", s2="unserved")
    court.say(proof, V1, s1="false", s2="true")
    court.pledge(proof)
    court.show(proof)
    for verifier in (V0, V2):
        court.say(other, verifier)
    court.pledge(other)
    court.show(other)
    closed = court.merge()[1]
    assert isinstance(closed, EpochClosed)
    court.block(chain_events.EpochFinal(1, 0, closed.root))
    return court.log


def troubled_log() -> list[Any]:
    """The kinds that only trouble brings: a missed beacon, a lie, a second look, and a run's end."""
    court = Court("rounds=1")
    court.close()
    court.block()
    court.lapse(facts.What.SEEN, NO_PROOF, "")
    court.seen()
    court.block()
    for verifier in (V0, V1, V2):
        court.secret(verifier, "1")
    proof, other = court.round.closed
    for name in (proof, other):
        court.open(name)
    court.say(other, V0, s0="true", s1="false")
    court.say(other, V1)
    court.say(other, V2)
    court.pledge(other)
    court.show(other)
    court.say(proof, V0, s0="true", s1="false")
    court.say(proof, V1)
    court.say(proof, V2, s0="true", s1="unserved")
    court.say(proof, V1, s1="false")
    court.lapse(facts.What.SECOND_LOOK, proof, "1", by=[V0, V2])
    court.pledge(proof)
    court.show(proof)
    court.merge()
    court.block(chain_events.EpochFinal(1, 0, next(e for e in court.log if isinstance(e, EpochClosed)).root))
    return court.log


def stuck_log() -> list[Any]:
    """One liar and one who is gone: undecided."""
    court = Court()
    proof, other = court.read()
    court.say(proof, V0, s0="true", s1="false")
    court.say(proof, V1)
    for _ in range(2):
        court.lapse(facts.What.WORDS, proof, V2, by=[V0, V1])
    court.post(other)
    court.merge()
    return court.log


def invoiced_log() -> list[Any]:
    """Four renters hand in what their machines cost."""
    town = Rented("rounds=3 capital", RENTERS[:4])
    hour = town.work()
    for node in RENTERS[:4]:
        town.hand(node, hour)
    town.work()
    return town.log


INVOICED = invoiced_log()
LOGS = (lively_log(), troubled_log(), stuck_log())
LOG = [entry for log in LOGS for entry in log]
Case = tuple[list[Any], int]
CASES: list[Case] = [(log, i) for log in LOGS for i, entry in enumerate(log) if isinstance(entry, Derived)]
CASES += [(INVOICED, i) for i, entry in enumerate(INVOICED) if isinstance(entry, InvoicesAssessed)]
each_entry = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[1]}-{type(case[0][case[1]]).__name__}")


def test_every_kind_of_derived_entry_is_there() -> None:
    assert {type(log[index]) for log, index in CASES} == set(kinds(entries, Derived).values())


def test_an_honest_log_holds() -> None:
    replay(honest_log(), Plain())
    for log in (*LOGS, INVOICED):
        replay(log, Plain())


def test_the_first_entry_names_the_rules() -> None:
    state = State(Plain())
    with pytest.raises(NotBound):
        apply(state, facts.Left(RUN, as_address("n"), 1))
    with pytest.raises(NotBound):
        apply(state, facts.Rules("0.1.0"))
    assert state.size == 0


@each_entry
def test_a_missing_entry_is_found(case: Case) -> None:
    log, index = case
    with pytest.raises(Differs):
        replay(log[:index] + log[index + 1 :], Plain())


@each_entry
def test_an_extra_entry_is_found(case: Case) -> None:
    log, index = case
    with pytest.raises(Differs) as found:
        replay(log[: index + 1] + log[index:], Plain())
    assert found.value.index == index + 1


def other(value: Any) -> Any:
    """A value of the same kind that is not it."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, tuple):
        return (*value, "x")
    return "x" if value is None or isinstance(value, str) else replace(value, party="x")


@holds(
    "A derived entry that does not follow from the log is detected, with its index",
    by="contracts/protocol/judge/machine.py:replay",
    against=Threat.REWRITTEN_LOG,
)
@each_entry
def test_a_changed_field_is_found(case: Case) -> None:
    log, index = case
    for field in fields(log[index]):
        changed = replace(log[index], **{field.name: other(getattr(log[index], field.name))})
        with pytest.raises(Differs) as found:
            replay([*log[:index], changed, *log[index + 1 :]], Plain())
        assert found.value.index == index, field.name


@each_entry
def test_a_swapped_entry_is_found(case: Case) -> None:
    log, index = case
    following = log[index + 1 : index + 2]
    with pytest.raises(Differs):
        replay([*log[:index], *following, log[index], *log[index + 2 :]] if following else log[:index], Plain())
