"""Stakes of nodes as they enter the log: the last of each, where it is another than before."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.ids import ProofId, as_address
from contracts.protocol.chain.logs import DecodedLog
from contracts.protocol.chain.translation import Translation
from contracts.protocol.judge.chain_events import ChainEvent, Decided, NodeSlashed, NodeStake
from contracts.protocol.judge.facts import Block, Rules
from contracts.protocol.judge.machine import VERSION, apply
from contracts.protocol.judge.protocol import Protocol
from contracts.protocol.judge.state import State
from tests.holds import Threat, holds

pytestmark = pytest.mark.unit

ONE, TWO = as_address("0x" + "11" * 20), as_address("0x" + "22" * 20)
PROOF = b"\1" * 32
HASH = "0x" + "66" * 32


def state(**stakes: int) -> State:
    made = State(Protocol(1, ONE, b"\x33" * 32, TWO))
    made.stakes = {{"one": ONE, "two": TWO}[name]: stake for name, stake in stakes.items()}
    return made


def stake(node: str, amount: int) -> tuple[str, dict[str, object]]:
    return "NodeStakeChanged", {"node": node, "stake": amount}


def events(before: State, *logs: tuple[str, Mapping[str, object]]) -> tuple[ChainEvent, ...]:
    said = [DecodedLog(name, arguments, 7, place, HASH) for place, (name, arguments) in enumerate(logs)]
    return Translation(before, 10).of(said)


@holds(
    "Stake events that change nothing do not grow the log",
    by="contracts/protocol/chain/translation.py:Translation",
    against=Threat.FLOOD,
)
@pytest.mark.parametrize("staked", [0, 5])
def test_stakes_of_nothing_are_no_events(staked: int) -> None:
    assert events(state(one=staked), *[stake(ONE, staked)] * 5_000) == ()


def test_only_the_last_stake_of_a_node_is_an_event_in_its_place() -> None:
    slashed, decided = ("NodeSlashed", {"proof": PROOF}), ("Decision", {"sequence": 1, "key": "k", "value": "v"})
    found = events(state(), stake(ONE, 1), stake(TWO, 7), slashed, stake(ONE, 2), decided, stake(TWO, 8))
    proof = ProofId("0x" + PROOF.hex())
    assert found == (NodeSlashed(proof), NodeStake(ONE, 2), Decided(1, "k", "v"), NodeStake(TWO, 8))


def test_a_stake_that_came_back_to_what_it_was_is_no_event() -> None:
    assert events(state(one=3), stake(ONE, 9), stake(ONE, 0), stake(ONE, 3)) == ()
    assert events(state(one=3), stake(ONE, 3), stake(ONE, 0)) == (NodeStake(ONE, 0),)


@given(
    st.dictionaries(st.sampled_from(["one", "two"]), st.integers(1, 3)),
    st.lists(st.tuples(st.sampled_from([ONE, TWO]), st.integers(0, 3)), max_size=12),
    st.integers(0, 12),
)
def test_stakes_are_those_of_the_chain_however_often_one_looks(
    before: dict[str, int], changes: list[tuple[str, int]], cut: int
) -> None:
    logs = [stake(node, amount) for node, amount in changes]
    whole, parts = state(**before), state(**before)
    for made, looks in ((whole, [logs]), (parts, [logs[:cut], logs[cut:]])):
        apply(made, Rules(VERSION))
        for number, look in enumerate(looks, start=1):
            apply(made, Block(number, number, HASH, events(made, *look), number - 1))
    expected = state(**before).stakes | dict(changes)
    assert whole.stakes == parts.stakes == {node: amount for node, amount in expected.items() if amount}
