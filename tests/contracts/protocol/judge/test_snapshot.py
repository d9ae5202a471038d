"""A state that was written and read again is the machine that it was."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import CommonweightError
from contracts.ids import as_address
from contracts.protocol.judge.entries import Derived
from contracts.protocol.judge.errors import Refused
from contracts.protocol.judge.facts import Fact
from contracts.protocol.judge.machine import apply, due
from contracts.protocol.judge.snapshot import InvalidSnapshot, code_version, dump, restore
from contracts.protocol.judge.state import State
from contracts.protocol.log.follower import Follower
from tests.adversary.sim import simulate
from tests.adversary.sim.functions import Cheap
from tests.contracts.protocol.log.signed_run import DOMAIN, SignedRun

pytestmark = pytest.mark.unit


@cache
def signed_run() -> SignedRun:
    made = SignedRun(rounds=2)
    made.play(2)
    return made


@cache
def facts() -> tuple[Fact, ...]:
    """What was entered, without what followed."""
    run = signed_run()
    follower = Follower(run.functions, DOMAIN, checked=False)
    entries = [follower.take(leaf) for leaf in run.leaves]
    return tuple(entry for entry in entries if isinstance(entry, Fact))


def state_after(count: int) -> State:
    state = State(signed_run().functions)
    for fact in facts()[:count]:
        apply(state, fact)
        due(state)
    return state


def go_on(state: State, start: int) -> list[list[Derived]]:
    """Everything that follows from there on."""
    found = []
    for fact in facts()[start:]:
        apply(state, fact)
        found.append(due(state))
    return found


def test_a_snapshot_reads_as_written_at_every_index_of_a_history() -> None:
    state = State(signed_run().functions)
    for fact in facts():
        text = dump(state)
        again = restore(text, signed_run().functions)
        assert again == state
        assert dump(again) == text
        apply(state, fact)
        due(state)


@settings(max_examples=8, deadline=None)
@given(place=st.integers(0, 70))
def test_a_restored_machine_derives_what_the_other_derives(place: int) -> None:
    place = min(place, len(facts()))
    state = state_after(place)
    again = restore(dump(state), signed_run().functions)
    assert go_on(again, place) == go_on(state, place)
    assert dump(again) == dump(state)


def test_a_fact_that_is_refused_changes_nothing() -> None:
    """Every fact of a history at every tenth place of it: who refuses one goes on with the same machine."""
    refused = 0
    for place in range(1, len(facts()), 10):
        text = dump(state_after(place))
        for fact in facts():
            state = restore(text, signed_run().functions)
            try:
                apply(state, fact)
            except Refused:
                refused += 1
                assert dump(state) == text
    assert refused > 100


def test_sets_and_dictionaries_keep_their_elements_and_order() -> None:
    state = State(signed_run().functions)
    state.credited = {"b", "a"}
    state.nonces = {(as_address("x"), 2**200), (as_address("x"), 1)}
    state.stakes = {as_address("z"): 1, as_address("a"): 2}
    again = restore(dump(state), signed_run().functions)
    assert (again.credited, again.nonces, list(again.stakes)) == ({"a", "b"}, {("x", 2**200), ("x", 1)}, ["z", "a"])


@pytest.mark.parametrize(
    "change",
    [
        {"size": "1"},
        {"size": True},
        {"size": 1.5},
        {"k": None},
        {"limit": "much"},
        {"runs": {}},
        {"runs": [["a"]]},
        {"stakes": [["a", 1], ["a", 2]]},
        {"verifiers": [["a", {"admitted": True}]]},
        {"block": {"number": 1}},
        {"more": 1},
    ],
)
def test_text_of_another_shape_is_refused(change: dict[str, Any]) -> None:
    body = json.loads(dump(state_after(5)))
    with pytest.raises(InvalidSnapshot):
        restore(json.dumps({**body, **change}), signed_run().functions)


@pytest.mark.parametrize("text", ["", "[]", "{", "NaN"])
def test_text_that_is_no_state_is_refused(text: str) -> None:
    with pytest.raises(CommonweightError):
        restore(text, signed_run().functions)


def test_the_code_has_one_version() -> None:
    assert len(bytes.fromhex(code_version())) == 32


def test_what_the_adversary_plays_is_restored_as_it_was() -> None:
    """Benches, second looks, lapses, faults, struck and cut epochs: kinds that an honest run does not hold."""
    seen = 0
    for seed in range(24):
        state = State(Cheap())
        for entry in simulate(seed).entries:
            if not isinstance(entry, Fact):
                continue
            try:
                apply(state, entry)
            except Refused:
                break  # the operator left out what it should have derived
            due(state)
            if state.size % 5 == 0:
                again = restore(dump(state), state.functions)
                assert again == state
                assert dump(again) == dump(state)
                seen += 1
    assert seen > 300
