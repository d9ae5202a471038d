"""The log audit: every derived entry is what follows, where it follows (I8)."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from contracts.protocol.judge import facts
from contracts.protocol.judge.entries import Derived
from contracts.protocol.judge.errors import Differs, NotBound
from contracts.protocol.judge.machine import apply, replay
from contracts.protocol.judge.state import State
from tests.contracts.protocol.judge.court import Court, Plain

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
    court.block(facts.Decided(1, "rounds", "2"), facts.Decided(2, "no", "x"), seconds=5)
    court.close()
    court.block()
    court.seen()
    court.block()
    court.secret("v0", "1")
    court.lapse(facts.What.SECRET, "", "v1", by=["v0", "v2"])
    court.secret("v2", "2")
    proof, other = court.round.closed
    for name in (proof, other):
        court.open(name)
    court.say(proof, "v0", s0="true", s1="false")
    court.say(proof, "v2", s0="true", s2="unserved")
    court.say(proof, "v1", s1="false", s2="true")
    court.pledge(proof)
    court.show(proof)
    for verifier in ("v0", "v2"):
        court.say(other, verifier)
    court.pledge(other)
    court.show(other)
    closed = court.merge()[1]
    court.block(facts.EpochFinal(1, 1, closed.root))
    return court.log


LOG = lively_log()
DERIVED = [index for index, entry in enumerate(LOG) if isinstance(entry, Derived)]


def test_an_honest_log_holds() -> None:
    replay(honest_log(), Plain())
    replay(LOG, Plain())


def test_the_first_entry_names_the_rules() -> None:
    state = State(Plain())
    with pytest.raises(NotBound):
        apply(state, facts.Left("r", "n", 1))
    with pytest.raises(NotBound):
        apply(state, facts.Rules("0.1.0"))
    assert state.size == 0


@pytest.mark.parametrize("index", DERIVED, ids=lambda i: f"{i}-{type(LOG[i]).__name__}")
def test_a_missing_entry_is_found(index: int) -> None:
    with pytest.raises(Differs):
        replay(LOG[:index] + LOG[index + 1 :], Plain())


@pytest.mark.parametrize("index", DERIVED, ids=lambda i: f"{i}-{type(LOG[i]).__name__}")
def test_an_extra_entry_is_found(index: int) -> None:
    with pytest.raises(Differs) as found:
        replay(LOG[: index + 1] + LOG[index:], Plain())
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


@pytest.mark.parametrize("index", DERIVED, ids=lambda i: f"{i}-{type(LOG[i]).__name__}")
def test_a_changed_field_is_found(index: int) -> None:
    entry = LOG[index]
    for field in fields(entry):
        changed = replace(entry, **{field.name: other(getattr(entry, field.name))})
        with pytest.raises(Differs) as found:
            replay([*LOG[:index], changed, *LOG[index + 1 :]], Plain())
        assert found.value.index == index, field.name


@pytest.mark.parametrize("index", [i for i in DERIVED if i + 1 < len(LOG)])
def test_a_swapped_entry_is_found(index: int) -> None:
    with pytest.raises(Differs):
        replay([*LOG[:index], LOG[index + 1], LOG[index], *LOG[index + 2 :]], Plain())
